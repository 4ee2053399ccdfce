"""Mixtures of normal distributions of a vector."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.mixture import Mixture
from tfvae.errors import positive_int
from tfvae.heads.base import Head
from tfvae.heads.scales import positive
from tfvae.heads.support import REAL
from tfvae.heads.vector import vector_length


@keras.saving.register_keras_serializable(package="tfvae")
class NormalMixture(Head):
    """Mixture of K normal distributions of a vector, with diagonal covariances: a mixture density network.

        p(y | x) = sum_k pi_k(x) N(y | m_k(x), diag(s_k(x))^2)

    It says that y has several likely values, where the mean lies between them and is none.

    Args:
        event_shape: length D of y.
        components: K.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if an argument is no positive whole number.

    Reference: C. Bishop, "Mixture Density Networks", 1994, Eq. (22) and (23), with a scale for each coordinate,
    https://publications.aston.ac.uk/id/eprint/373/.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.NormalMixture(2, components=5)(np.zeros([3, 16], "float32")).event_shape
        TensorShape([2])
    """

    support = REAL
    parameter_count = 1

    def __init__(self, event_shape: int | tuple[int], components: int, **kwargs: object):
        super().__init__(event_shape, **kwargs)
        self.components = positive_int("components", components)
        self.width = self.components * (1 + 2 * vector_length(self))

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        weights, rest = tf.split(parameters, [self.components, self.width - self.components], -1)
        shape = tf.concat([tf.shape(parameters)[:-1], [self.components, 2 * self.event_shape[0]]], 0)
        loc, raw = tf.split(tf.reshape(rest, shape), 2, -1)  # [..., K, D] each
        return Mixture(tfd.Categorical(logits=weights), tfd.MultivariateNormalDiag(loc, positive(raw)))

    def get_config(self) -> dict:
        return {**super().get_config(), "components": self.components}
