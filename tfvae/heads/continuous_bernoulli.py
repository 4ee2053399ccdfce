"""The likelihood of grey values."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions import densities
from tfvae.heads.base import Elements, Head
from tfvae.heads.support import UNIT_INTERVAL


@keras.saving.register_keras_serializable(package="tfvae")
class ContinuousBernoulli(Head):
    """Independent continuous Bernoulli likelihood of numbers from 0 to 1, such as grey pixels.

        log p(x | z) = sum_i x_i log pi_i + (1 - x_i) log(1 - pi_i) + log C(pi_i),   logit pi = W features + b,
        C(pi) = logit(pi) / (2 pi - 1),   C(1/2) = 2

    The sum without C is a Bernoulli's, which scores grey pixels with something that is no density. pi is not the mean.

    Args:
        event_shape: shape of x, e.g. (28, 28, 1).
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` holds anything but positive whole numbers.

    Reference: G. Loaiza-Ganem and J. Cunningham, "The continuous Bernoulli: fixing a pervasive error in variational
    autoencoders", 2019, Sec. 3, https://arxiv.org/abs/1907.06845.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.ContinuousBernoulli((8, 8, 1))(np.zeros([3, 16], "float32")).event_shape
        TensorShape([8, 8, 1])
    """

    support = UNIT_INTERVAL
    parameter_count = 1

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        pixels = densities.ContinuousBernoulli(logits=parameters, dtype=parameters.dtype)
        return Elements(pixels, reinterpreted_batch_ndims=len(self.event_shape))
