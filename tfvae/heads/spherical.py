"""The posterior on the sphere."""

import math

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions import PowerSpherical as PowerSphericalDistribution
from tfvae.heads.base import Head
from tfvae.heads.scales import positive
from tfvae.heads.support import SPHERE
from tfvae.heads.vector import vector_length


@keras.saving.register_keras_serializable(package="tfvae")
class PowerSpherical(Head):
    """Power spherical distribution of a unit vector around a mean direction; its prior is `priors.UniformSphere`.

        q(z | x) = ((1 + mu(x)^T z) / 2)^kappa(x) / N(kappa(x)),   |z| = |mu(x)| = 1,   kappa(x) > 1

    mu is what the projection gives plus a constant unit vector, divided by its length, so that features of zero have a
    direction too. kappa is 1 more than a positive scale, and 2 where weights begin: the density falls to zero opposite
    the mean direction, and its draws have a gradient.

    Args:
        event_shape: length D of z, at least 2: the sphere has D - 1 dimensions.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` is no whole number of at least 2.

    Reference: N. De Cao and W. Aziz, "The Power Spherical distribution", 2020, Sec. 2,
    https://arxiv.org/abs/2006.04437.

    Example:
        >>> import numpy as np, tfvae
        >>> float(tfvae.heads.PowerSpherical(3)(np.zeros([5, 16], "float32")).concentration[0]) > 1
        True
    """

    support = SPHERE
    parameter_count = 1

    def __init__(self, event_shape: int | tuple[int], **kwargs: object):
        super().__init__(event_shape, **kwargs)
        self.width = vector_length(self, least=2) + 1

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        size = self.event_shape[0]
        direction, raw = tf.split(parameters, [size, 1], axis=-1)
        mean_direction = tf.math.l2_normalize(direction + 1.0 / math.sqrt(size), axis=-1)
        return PowerSphericalDistribution(mean_direction, 1.0 + positive(raw[..., 0]))
