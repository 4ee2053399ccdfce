"""The normal posterior with any covariance."""

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfvae.distributions  # noqa: F401 (registers draws and divergences)
from tfvae.heads.base import Head
from tfvae.heads.scales import positive
from tfvae.heads.support import REAL
from tfvae.heads.vector import vector_length


@keras.saving.register_keras_serializable(package="tfvae")
class FullNormal(Head):
    """Normal distribution of a vector with a full covariance, given by its Cholesky factor L.

        q(z | x) = N(z | loc(x), L(x) L(x)^T),   z = loc + L eps,   log q(z | x) = log N(eps | 0, I) - sum_i log L_ii

    Args:
        event_shape: length D of z; the projection has D (D + 3) / 2 outputs.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` is no positive whole number.

    Reference: D. Kingma and M. Welling, "An Introduction to Variational Autoencoders", 2019, Sec. 2.5.1,
    https://arxiv.org/abs/1906.02691.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.FullNormal(3)(np.zeros([5, 16], "float32")).covariance().shape
        TensorShape([5, 3, 3])
    """

    support = REAL
    parameter_count = 1

    def __init__(self, event_shape: int | tuple[int], **kwargs: object):
        super().__init__(event_shape, **kwargs)
        size = vector_length(self)
        self.width = size * (size + 3) // 2

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        size = self.event_shape[0]
        loc, raw, below = tf.split(parameters, [size, size, size * (size - 1) // 2], axis=-1)
        diagonal = positive(raw)[..., None] * tf.eye(size, dtype=parameters.dtype)  # [..., D, D]
        return tfd.MultivariateNormalTriL(loc, diagonal + _below_diagonal(below, size))


def _below_diagonal(numbers: tf.Tensor, size: int) -> tf.Tensor:
    """Lay D (D - 1) / 2 numbers below the diagonal of a D x D matrix, [..., D, D].

    The numbers without the first D - 1, and then all of them backwards, fill a square of D - 1 rows, the lower triangle
    of which holds each number once.
    """
    side = size - 1
    square = tf.concat([numbers[..., side:], tf.reverse(numbers, [-1])], -1)
    square = tf.reshape(square, tf.concat([tf.shape(numbers)[:-1], [side, side]], 0))
    lower = square * np.tri(side, dtype=numbers.dtype.as_numpy_dtype)
    matrix = tf.pad(lower, [[0, 0]] * (numbers.shape.rank - 1) + [[1, 0], [0, 1]])
    matrix.set_shape([*numbers.shape[:-1], size, size])
    return matrix
