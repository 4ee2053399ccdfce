"""Householder reflections and Sylvester steps of a flow."""

from collections.abc import Iterable

import tensorflow as tf

from tfvae.distributions.flow import Step
from tfvae.distributions.planar import root

_TINY = 1e-30  # no length at all: a zero vector reflects nothing


def reflect(z: tf.Tensor, vectors: Iterable[tf.Tensor]) -> tf.Tensor:
    """Apply one Householder reflection after the other: z - 2 v (v . z) / |v|^2."""
    for vector in vectors:
        square = tf.reduce_sum(vector**2, -1, keepdims=True)
        along = tf.reduce_sum(vector * z, -1, keepdims=True) / tf.maximum(square, _TINY)
        z -= 2.0 * along * vector
    return z


def product(matrix: tf.Tensor, vector: tf.Tensor) -> tf.Tensor:
    """Return a matrix [*B, M, M] times a vector [..., *B, M]."""
    return tf.reduce_sum(matrix * tf.expand_dims(vector, -2), -1)


class Reflection(Step):
    """A Householder reflection: z' = z - 2 v (v . z) / |v|^2, which keeps volumes.

    Args:
        vector: v, of any length, [*B, D].

    Reference: J. Tomczak and M. Welling, "Improving Variational Auto-Encoders using Householder Flow", 2016, Sec. 3,
    https://arxiv.org/abs/1611.09630.
    """

    vector: tf.Tensor

    def forward(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Step`."""
        return reflect(z, [self.vector]), tf.zeros_like(z[..., 0])

    def inverse(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Step`: a reflection undoes itself."""
        return self.forward(z)


class SylvesterStep(Step):
    """Several ridges along orthogonal directions: z' = z + Q R tanh(R~ Q^T z + b).

        log |det dz'/dz| = sum_i log(1 + (1 - tanh^2(a_i)) r_ii r~_ii),   a = R~ Q^T z + b,   r_ii r~_ii > -1

    Q is the first M columns of a product of Householder reflections, R and R~ are upper triangular.

    Args:
        vectors: of the reflections, each [*B, D].
        left: R, [*B, M, M].
        right: R~, [*B, M, M].
        bias: b, [*B, M].
        diagonal: the products r_ii r~_ii, above -1, [*B, M].

    Reference: R. van den Berg, L. Hasenclever, J. Tomczak and M. Welling, "Sylvester Normalizing Flows for Variational
    Inference", 2018, Theorem 2 and Sec. 3.2, https://arxiv.org/abs/1803.05649.
    """

    vectors: tuple[tf.Tensor, ...]
    left: tf.Tensor
    right: tf.Tensor
    bias: tf.Tensor
    diagonal: tf.Tensor

    def forward(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Step`."""
        bend = tf.tanh(self._across(z))  # [..., *B, M]
        return z + self._back(bend, z), self._log_det(bend)

    def inverse(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Step`; one equation in one unknown for each of the M ridges, the last first."""
        y, both = self._across(z), tf.matmul(self.right, self.left)  # a + R~ R tanh(a) = y
        bends: list[tf.Tensor] = []
        for row in reversed(range(self.bias.shape[-1])):
            known = tf.add_n([both[..., row, row + 1 + i] * bend for i, bend in enumerate(bends)]) if bends else 0.0
            bends.insert(0, tf.tanh(root(y[..., row] - known, self.diagonal[..., row])))
        bend = tf.stack(bends, -1)
        return z - self._back(bend, z), self._log_det(bend)

    def _across(self, z: tf.Tensor) -> tf.Tensor:
        rotated = reflect(z, self.vectors)[..., : self.bias.shape[-1]]  # Q^T z
        return product(self.right, rotated) + self.bias

    def _back(self, bend: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        push = product(self.left, bend)
        padded = tf.concat([push, tf.zeros_like(z[..., self.bias.shape[-1] :])], -1)
        return reflect(padded, reversed(self.vectors))  # Q R tanh(a)

    def _log_det(self, bend: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.math.log(1.0 + (1.0 - bend**2) * self.diagonal), -1)
