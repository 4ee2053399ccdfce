"""The distance between the latents of a batch and draws of the prior."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.objectives.kernels import Kernel
from tfvae.objectives.penalties.base import Penalty, own_noise
from tfvae.objectives.schedules import Schedule
from tfvae.random import draw
from tfvae.trace import Trace

_STREAM = 1


def prior_draws(trace: Trace, step: tf.Tensor, stream: int) -> tf.Tensor:
    """Return as many draws of the prior as there are z, [S, B, D], new at every step.

    Their gradient reaches the prior where its draws are reparameterised; elsewhere it would be a part of the truth.
    """
    shape = tf.shape(trace.z)
    count = shape[0] if trace.p.batch_shape.rank else shape[0] * shape[1]  # of a prior for each example, or for all
    z = tf.reshape(draw(trace.p, count, own_noise(step, stream)), shape)
    z.set_shape(trace.z.shape)
    return z if trace.p.reparameterization_type == tfd.FULLY_REPARAMETERIZED else tf.stop_gradient(z)


@keras.saving.register_keras_serializable(package="tfvae")
class MMD(Penalty):
    """The squared maximum mean discrepancy between q(z) and p(z), unbiased, and so negative at times.

        E[k(z, z')] + E[k(u, u')] - 2 E[k(z, u)],   z, z' ~ q(z),   u, u' ~ p(z)

    Estimated from the z of a batch and as many draws of the prior; pairs of a point with itself are left out.

    Args:
        weight: at least 0: a number or a schedule of the training step.
        kernel: an object of `tfvae.objectives.kernels`.

    Raises:
        TypeError: if `kernel` is no kernel.
        ValueError: if `weight` is neither a number of at least 0 nor a schedule.

    Reference: A. Gretton et al., "A Kernel Two-Sample Test", 2012, Eq. (3),
    https://jmlr.org/papers/v13/gretton12a.html; I. Tolstikhin et al., "Wasserstein Auto-Encoders", 2018, Algorithm 2
    and Sec. 3, https://arxiv.org/abs/1711.01558.

    Example:
        >>> from tfvae.objectives import Distortion, kernels, penalties
        >>> Distortion((penalties.MMD(10.0, kernels.InverseMultiquadratic()),)).penalties[0].weight.value
        10.0
    """

    def __init__(self, weight: float | Schedule, kernel: Kernel):
        super().__init__(weight)
        if not isinstance(kernel, Kernel):
            raise TypeError(
                "Expected kernel to be one of tfvae.objectives.kernels, such as kernels.InverseMultiquadratic(). "
                f"Received: kernel={kernel!r}"
            )
        self.kernel = kernel

    def measure(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return the mean of the estimates over the samples."""
        z, prior = trace.z, prior_draws(trace, step, _STREAM)  # [S, B, D]
        within = _mean_of_pairs(self.kernel(z, z)) + _mean_of_pairs(self.kernel(prior, prior))
        return within - 2.0 * tf.reduce_mean(self.kernel(z, prior))


def _mean_of_pairs(values: tf.Tensor) -> tf.Tensor:
    """Return the mean over [S, B, B] without the diagonals; 0 for B = 1."""
    pairs = tf.linalg.set_diag(values, tf.zeros_like(values[..., 0]))
    size = tf.shape(values)[-1]
    return tf.reduce_sum(tf.reduce_mean(pairs, 0)) / tf.cast(tf.maximum(size * (size - 1), 1), values.dtype)
