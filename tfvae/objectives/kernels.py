"""Kernels that compare two sets of points, for the maximum mean discrepancy."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfvae.errors import number_in
from tfvae.objectives.configured import Configured

_SMALLEST = 1e-6


class Kernel(Configured):
    """A positive definite function of two points (abstract)."""

    def __call__(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        """Return k(a_i, b_j) for all pairs, [..., N, M] from [..., N, D] and [..., M, D]."""
        raise NotImplementedError


def _squared_distances(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Return |a_i - b_j|^2 by one matrix product, without an array of N M D numbers."""
    norms = tf.reduce_sum(tf.square(a), -1)[..., :, None] + tf.reduce_sum(tf.square(b), -1)[..., None, :]
    return tf.maximum(norms - 2.0 * tf.matmul(a, b, transpose_b=True), 0.0)  # [..., N, M]


@keras.saving.register_keras_serializable(package="tfvae")
class RBF(Kernel):
    """The radial basis function, a Gaussian of the distance, whose width grows with the dimension as distances do.

        k(a, b) = exp(-|a - b|^2 / (2 D sigma^2))

    Args:
        scale: sigma, the deviation of each element of the prior.

    Raises:
        ValueError: if `scale` is no number of at least 1e-6.

    Reference: A. Gretton et al., "A Kernel Two-Sample Test", 2012, Sec. 3.3,
    https://jmlr.org/papers/v13/gretton12a.html.

    Example:
        >>> import tensorflow as tf, tfvae
        >>> tfvae.objectives.kernels.RBF()(tf.zeros([3, 2]), tf.ones([4, 2])).shape
        TensorShape([3, 4])
    """

    def __init__(self, scale: float = 1.0):
        self.scale = number_in("scale", scale, _SMALLEST)

    def __call__(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return tf.exp(-_squared_distances(a, b) / (2.0 * a.shape[-1] * self.scale**2))


@keras.saving.register_keras_serializable(package="tfvae")
class InverseMultiquadratic(Kernel):
    """The sum of inverse multiquadratics of several widths; its heavy tails still pull a point that lies far away.

        k(a, b) = sum_m c_m / (c_m + |a - b|^2),   c_m = 2 D sigma^2 m

    Args:
        scale: sigma, the deviation of each element of the prior.
        multiples: the factors m of the width; the seven of the authors' code, where the paper has 1 alone.

    Raises:
        ValueError: if a number is below 1e-6, or there is no multiple.

    Reference: I. Tolstikhin et al., "Wasserstein Auto-Encoders", 2018, Sec. 4, https://arxiv.org/abs/1711.01558.

    Example:
        >>> import tensorflow as tf, tfvae
        >>> float(tfvae.objectives.kernels.InverseMultiquadratic()(tf.zeros([1, 2]), tf.zeros([1, 2]))[0, 0])
        7.0
    """

    def __init__(self, scale: float = 1.0, multiples: Sequence[float] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)):
        self.scale = number_in("scale", scale, _SMALLEST)
        self.multiples = tuple(number_in("every multiple", multiple, _SMALLEST) for multiple in multiples)
        if not self.multiples:
            raise ValueError(f"Expected multiples to hold at least one number. Received: {multiples=}")

    def __call__(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        distances = _squared_distances(a, b)
        base = 2.0 * a.shape[-1] * self.scale**2
        return tf.add_n([base * multiple / (base * multiple + distances) for multiple in self.multiples])
