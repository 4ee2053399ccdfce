"""The likelihood of proportions."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions import densities
from tfvae.heads.base import Elements, Head
from tfvae.heads.scales import positive
from tfvae.heads.support import OPEN_UNIT_INTERVAL


@keras.saving.register_keras_serializable(package="tfvae")
class Beta(Head):
    """Independent beta likelihood of numbers between 0 and 1, without 0 and 1.

        p(x | z) = prod_i x_i^(a_i(z) - 1) (1 - x_i)^(b_i(z) - 1) / B(a_i(z), b_i(z)),   a and b above 1e-5

    At 0 and 1 the density is 0 or infinite, so both are refused. For data that holds them use
    `ContinuousBernoulli` or `QuantizedLogistic`; values that are 0 or 1 only because they were rounded may be moved
    inwards, x -> (x (n - 1) + 0.5) / n for n examples.

    Args:
        event_shape: shape of x, e.g. (28, 28, 1).
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` holds anything but positive whole numbers.

    Reference: NIST Digital Library of Mathematical Functions, Eq. (5.12.1), https://dlmf.nist.gov/5.12.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.Beta(5)(np.zeros([3, 16], "float32")).mean()[0].numpy()
        array([0.5, 0.5, 0.5, 0.5, 0.5], dtype=float32)
    """

    support = OPEN_UNIT_INTERVAL
    parameter_count = 2

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        one, zero = map(positive, tf.split(parameters, 2, axis=-1))  # [..., *event_shape] each
        return Elements(densities.Beta(one, zero), reinterpreted_batch_ndims=len(self.event_shape))
