"""The Laplace distribution, as a posterior over a vector and as a likelihood over anything real."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfvae.distributions  # noqa: F401 (registers draws)
from tfvae.heads.base import Elements, Head
from tfvae.heads.scales import positive
from tfvae.heads.support import REAL


@keras.saving.register_keras_serializable(package="tfvae")
class Laplace(Head):
    """Independent Laplace distribution of real numbers, with a location and a scale for each.

        p(x | z) = prod_i exp(-|x_i - loc_i(z)| / scale_i(z)) / (2 scale_i(z))

    Args:
        event_shape: length of z as a posterior, or shape of x as a likelihood, e.g. (28, 28, 1).
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` holds anything but positive whole numbers.

    Reference: D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2014, Sec. 2.4,
    https://arxiv.org/abs/1312.6114.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.Laplace((8, 8, 1))(np.zeros([3, 16], "float32")).event_shape
        TensorShape([8, 8, 1])
    """

    support = REAL
    parameter_count = 2

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        loc, raw = tf.split(parameters, 2, axis=-1)  # [..., *event_shape] each
        return Elements(tfd.Laplace(loc, positive(raw)), reinterpreted_batch_ndims=len(self.event_shape))
