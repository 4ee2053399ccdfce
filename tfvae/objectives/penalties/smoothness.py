"""What keeps a deterministic auto-encoder smooth: short codes, and a decoder that does not change abruptly."""

import keras
import tensorflow as tf

from tfvae.errors import positive_int
from tfvae.objectives.penalties.base import Penalty, own_noise
from tfvae.objectives.schedules import Schedule
from tfvae.random import uniform_like
from tfvae.trace import Trace

_STREAM = 2


@keras.saving.register_keras_serializable(package="tfvae")
class SquaredNorm(Penalty):
    """Half the squared length of z, the mean over the batch.

        1/2 |z|^2

    Up to a constant, -log p(z) of a standard normal prior.

    Args:
        weight: beta, at least 0: a number or a schedule of the training step.

    Raises:
        ValueError: if `weight` is neither a number of at least 0 nor a schedule.

    Reference: P. Ghosh et al., "From Variational to Deterministic Autoencoders", 2020, Sec. 3.1,
    https://arxiv.org/abs/1903.12436.

    Example:
        >>> from tfvae.objectives import Distortion, penalties
        >>> Distortion((penalties.SquaredNorm(1e-4),)).penalties[0].weight.value
        0.0001
    """

    def measure(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return the mean over samples and examples."""
        return 0.5 * tf.reduce_mean(tf.reduce_sum(tf.square(trace.z), -1))


@keras.saving.register_keras_serializable(package="tfvae")
class GradientPenalty(Penalty):
    """The squared Frobenius norm of the decoder's Jacobian, the mean over the batch.

        |d m / d z|^2 = E_v[|(d m / d z) v|^2],   m(z) = E_p(x|z)[x],   v in {-1, 1}^D

    Estimated without bias along random directions, new at every step, each by one forward pass; exact for D = 1.

    Args:
        weight: lambda, at least 0: a number or a schedule of the training step.
        directions: how many directions are drawn for each z.

    Raises:
        ValueError: if `weight` is neither a number of at least 0 nor a schedule, or `directions` is not positive.

    Reference: P. Ghosh et al., "From Variational to Deterministic Autoencoders", 2020, Sec. 3.1,
    https://arxiv.org/abs/1903.12436; the estimate: M. Hutchinson, "A stochastic estimator of the trace of the
    influence matrix for Laplacian smoothing splines", 1990, Sec. 2, https://doi.org/10.1080/03610919008812866.

    Example:
        >>> from tfvae.objectives import Distortion, penalties
        >>> Distortion((penalties.SquaredNorm(1e-4), penalties.GradientPenalty(1e-6))).penalties[1].directions
        1
    """

    def __init__(self, weight: float | Schedule, directions: int = 1):
        super().__init__(weight)
        self.directions = positive_int("directions", directions)

    def measure(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return the mean over directions, samples and examples."""
        size, count = trace.z.shape[-1], self.directions * tf.shape(trace.z)[0]
        noise = uniform_like(count, trace.z[0], own_noise(step, _STREAM))  # [R S, B, D]
        # One leading axis, because forward differentiation knows nothing of how a decoder folds several into one.
        z = tf.reshape(tf.repeat(trace.z, self.directions, 0), [-1, size])
        with tf.autodiff.ForwardAccumulator(z, tf.reshape(tf.sign(noise - 0.5), [-1, size])) as forward:
            mean = trace.decoder(z).mean()
        change = forward.jvp(mean, tf.UnconnectedGradients.ZERO)  # [R S B, *event]
        return tf.reduce_sum(tf.square(change)) / tf.cast(tf.shape(z)[0], change.dtype)
