"""Householder and Sylvester flows as posteriors."""

import keras
import numpy as np
import tensorflow as tf

from tfvae.distributions.sylvester import Reflection, SylvesterStep
from tfvae.errors import whole_number_in
from tfvae.heads.flow import FlowHead
from tfvae.heads.scales import SCALE_FLOOR


@keras.saving.register_keras_serializable(package="tfvae")
class Householder(FlowHead):
    """A Householder flow: a diagonal normal, reflected; its covariance is a full matrix.

        z_0 ~ N(loc(x), diag(scale(x))^2),   z_k = z_{k-1} - 2 v_k (v_k . z_{k-1}) / |v_k|^2

    Every v_k is a linear map of the features; the paper makes each one from the one before.

    Args:
        event_shape: length D of z.
        reflections: how many; D - 1 can turn the axes in any direction, none leaves `DiagonalNormal`.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` is no positive whole number or `reflections` is negative.

    Reference: J. Tomczak and M. Welling, "Improving Variational Auto-Encoders using Householder Flow", 2016, Sec. 3,
    https://arxiv.org/abs/1611.09630.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.Householder(4, reflections=3)(np.zeros([3, 16], "float32")).event_shape
        TensorShape([4])
    """

    def __init__(self, event_shape: int | tuple[int], reflections: int, **kwargs: object):
        super().__init__(event_shape, whole_number_in("reflections", reflections, 0, 1000), **kwargs)
        self.take(self.event_shape[0])

    def step(self, number: int, *pieces: tf.Tensor) -> Reflection:
        return Reflection(*pieces)

    def get_config(self) -> dict:
        return {**super().get_config(), "reflections": self.steps}


@keras.saving.register_keras_serializable(package="tfvae")
class Sylvester(FlowHead):
    """A Sylvester flow, whose steps bend space along several orthogonal directions each.

        z_0 ~ N(loc(x), diag(scale(x))^2),   z_k = z_{k-1} + Q R tanh(R~ Q^T z_{k-1} + b)

    Q has `rank` orthonormal columns, those of a product of Householder reflections; R and R~ are upper triangular with
    diagonals in (-1, 1), hence the step can be inverted. All parameters come from the features.

    Args:
        event_shape: length D of z.
        steps: how many steps; with none the posterior is `DiagonalNormal`.
        rank: how many directions a step bends, from 1 to D; the paper's Householder flows take D.
        reflections: how many Householder reflections make Q.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if an argument lies outside its range.

    Reference: R. van den Berg, L. Hasenclever, J. Tomczak and M. Welling, "Sylvester Normalizing Flows for Variational
    Inference", 2018, Theorem 2 and Sec. 3.2, https://arxiv.org/abs/1803.05649.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.Sylvester(4, steps=2, rank=3, reflections=4)(np.zeros([3, 16], "float32")).event_shape
        TensorShape([4])
    """

    def __init__(self, event_shape: int | tuple[int], steps: int, rank: int, reflections: int = 8, **kwargs: object):
        super().__init__(event_shape, steps, **kwargs)
        self.rank = whole_number_in("rank", rank, 1, self.event_shape[0])
        self.reflections = whole_number_in("reflections", reflections, 0, 1000)
        self.take(*[self.event_shape[0]] * self.reflections, self.rank**2, self.rank, self.rank)

    def step(self, number: int, *pieces: tf.Tensor) -> SylvesterStep:
        *vectors, square, last, bias = pieces
        size, dtype = self.rank, square.dtype
        square = tf.reshape(square, tf.concat([tf.shape(square)[:-1], [size, size]], 0))  # [*B, M, M]
        above, on = (tf.constant(mask, dtype) for mask in (np.triu(np.ones([size, size]), 1), np.eye(size)))
        # One matrix holds both triangles: R from its diagonal up, R~ what is below, with a diagonal of its own.
        first = _bounded(tf.reduce_sum(square * on, -1))
        last = _bounded(last)
        left = square * above + tf.expand_dims(first, -1) * on
        right = tf.linalg.matrix_transpose(square) * above + tf.expand_dims(last, -1) * on
        return SylvesterStep(tuple(vectors), left, right, bias, first * last)

    def get_config(self) -> dict:
        return {**super().get_config(), "steps": self.steps, "rank": self.rank, "reflections": self.reflections}


def _bounded(raw: tf.Tensor) -> tf.Tensor:
    """Map real numbers into (-1, 1), and not to its ends, where tanh arrives by rounding."""
    return (1.0 - SCALE_FLOOR) * tf.tanh(raw)
