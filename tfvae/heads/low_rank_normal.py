"""The normal posterior with a covariance of low rank beside its diagonal."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions import LowRankNormal as LowRankDistribution
from tfvae.errors import positive_int
from tfvae.heads.base import Head
from tfvae.heads.scales import positive
from tfvae.heads.support import REAL
from tfvae.heads.vector import vector_length


@keras.saving.register_keras_serializable(package="tfvae")
class LowRankNormal(Head):
    """Normal distribution of a vector with a few directions of correlation.

        q(z | x) = N(z | loc(x), diag(d(x))^2 + U(x) U(x)^T),   z = loc + d * eps + U xi

    Between `DiagonalNormal`, which it becomes where U = 0, and `FullNormal`, whose outputs grow with D^2.

    Args:
        event_shape: length D of z; the projection has D (2 + rank) outputs.
        rank: columns of U.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` or `rank` is no positive whole number.

    Reference: V. Ong, D. Nott and M. Smith, "Gaussian Variational Approximation with a Factor Covariance Structure",
    2018, Sec. 3, https://arxiv.org/abs/1701.03208.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.LowRankNormal(8, rank=2)(np.zeros([5, 16], "float32")).covariance().shape
        TensorShape([5, 8, 8])
    """

    support = REAL
    parameter_count = 1

    def __init__(self, event_shape: int | tuple[int], rank: int = 1, **kwargs: object):
        super().__init__(event_shape, **kwargs)
        self.rank = positive_int("rank", rank)
        self.width = vector_length(self) * (2 + self.rank)

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        size = self.event_shape[0]
        loc, raw, factor = tf.split(parameters, [size, size, size * self.rank], axis=-1)
        factor = tf.reshape(factor, tf.concat([tf.shape(factor)[:-1], [size, self.rank]], 0))  # [..., D, rank]
        factor.set_shape([*parameters.shape[:-1], size, self.rank])
        return LowRankDistribution(loc, tf.square(positive(raw)), factor)

    def get_config(self) -> dict:
        return {**super().get_config(), "rank": self.rank}
