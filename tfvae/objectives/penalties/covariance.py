"""How far the covariance of the latents over the data is from the identity."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.errors import IncompatibleParts, number_in
from tfvae.objectives.penalties.base import Penalty
from tfvae.objectives.schedules import Schedule
from tfvae.trace import Trace


class _Covariance(Penalty):
    """The squared distance of a covariance from the identity, on and off the diagonal (abstract)."""

    def __init__(self, weight: float | Schedule, diagonal: float):
        super().__init__(weight)
        self.diagonal = number_in("diagonal", diagonal, 0.0)

    def covariance(self, q: tfd.Distribution) -> tf.Tensor:
        """Return the covariance over the batch, [D, D]."""
        raise NotImplementedError

    def check(self, q: tfd.Distribution, p: tfd.Distribution) -> None:
        """Raise IncompatibleParts if the moments of the posterior have no closed form."""
        try:
            self.covariance(q)
        except NotImplementedError as error:
            raise IncompatibleParts(
                "Expected a posterior whose mean and variance have closed forms, such as heads.DiagonalNormal gives. "
                f"Received: posterior {q.name}, penalty {type(self).__name__}"
            ) from error

    def measure(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return the sum of squares off the diagonal, plus `diagonal` times that of the diagonal minus one."""
        covariance = self.covariance(trace.q)
        on = tf.linalg.diag_part(covariance)
        off = tf.linalg.set_diag(covariance, tf.zeros_like(on))
        return tf.reduce_sum(tf.square(off)) + self.diagonal * tf.reduce_sum(tf.square(on - 1.0))


def _of_means(q: tfd.Distribution) -> tf.Tensor:
    mean = q.mean()  # [B, D]
    centred = mean - tf.reduce_mean(mean, 0)
    return tf.matmul(centred, centred, transpose_a=True) / tf.cast(tf.shape(mean)[0], mean.dtype)  # [D, D]


@keras.saving.register_keras_serializable(package="tfvae")
class MeanCovariance(_Covariance):
    """The penalty of DIP-VAE-I: on the covariance over the batch of the means of q(z | x).

        sum_{i != j} C_ij^2 + r sum_i (C_ii - 1)^2,   C = Cov_x[E_q(z|x)[z]]

    Args:
        weight: lambda_od, that of the elements off the diagonal, at least 0: a number or a schedule.
        diagonal: r = lambda_d / lambda_od, at least 0.

    Raises:
        ValueError: if a weight is out of range.

    Reference: A. Kumar, P. Sattigeri and A. Balakrishnan, "Variational Inference of Disentangled Latent Concepts from
    Unlabeled Observations", 2018, Eq. (6), https://arxiv.org/abs/1711.00848.

    Example:
        >>> import tfvae
        >>> tfvae.objectives.penalties.MeanCovariance(10.0).diagonal
        10.0
    """

    def __init__(self, weight: float | Schedule, diagonal: float = 10.0):
        super().__init__(weight, diagonal)

    def covariance(self, q: tfd.Distribution) -> tf.Tensor:
        """Return the covariance of the means."""
        return _of_means(q)


@keras.saving.register_keras_serializable(package="tfvae")
class LatentCovariance(_Covariance):
    """The penalty of DIP-VAE-II: on the covariance of z over the batch, the spread of each q(z | x) included.

        sum_{i != j} C_ij^2 + r sum_i (C_ii - 1)^2,   C = E_x[Cov_q(z|x)[z]] + Cov_x[E_q(z|x)[z]]

    The elements of z are taken as uncorrelated under each q(z | x).

    Args:
        weight: lambda_od, that of the elements off the diagonal, at least 0: a number or a schedule.
        diagonal: r = lambda_d / lambda_od, at least 0.

    Raises:
        ValueError: if a weight is out of range.

    Reference: A. Kumar, P. Sattigeri and A. Balakrishnan, "Variational Inference of Disentangled Latent Concepts from
    Unlabeled Observations", 2018, Eq. (7), https://arxiv.org/abs/1711.00848.

    Example:
        >>> import tfvae
        >>> tfvae.objectives.penalties.LatentCovariance(10.0).diagonal
        1.0
    """

    def __init__(self, weight: float | Schedule, diagonal: float = 1.0):
        super().__init__(weight, diagonal)

    def covariance(self, q: tfd.Distribution) -> tf.Tensor:
        """Return the covariance of z."""
        return tf.linalg.diag(tf.reduce_mean(q.variance(), 0)) + _of_means(q)
