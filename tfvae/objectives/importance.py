"""Bounds from importance weights: w_k = p(x, z_k) / q(z_k | x), z_k ~ q(z | x)."""

import keras
import tensorflow as tf

from tfvae.errors import number_in, positive_int
from tfvae.objectives.base import Objective
from tfvae.objectives.configured import Configured
from tfvae.objectives.schedules import Schedule, as_schedule
from tfvae.trace import Trace

_LARGEST = 1e6  # of an order alpha


def log_mean_exp(log_values: tf.Tensor, axis: int = 0) -> tf.Tensor:
    """Return log 1/K sum_k exp(v_k) over an axis of K, without overflow."""
    count = tf.cast(tf.shape(log_values)[axis], log_values.dtype)
    return tf.reduce_logsumexp(log_values, axis) - tf.math.log(count)


@keras.saving.register_keras_serializable(package="tfvae")
class IWAE(Configured, Objective):
    """The importance-weighted bound, which tightens as samples are added.

        E[log 1/K sum_k w_k] <= log p(x)

    Args:
        samples: K, how many z are drawn for each example.

    Raises:
        ValueError: if `samples` is not positive.

    Reference: Y. Burda, R. Grosse and R. Salakhutdinov, "Importance Weighted Autoencoders", 2016, Eq. (8),
    https://arxiv.org/abs/1509.00519.

    Example:
        >>> import tfvae
        >>> tfvae.objectives.IWAE(5).samples
        5
    """

    def __init__(self, samples: int):
        self.samples = positive_int("samples", samples)

    def bound(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        return log_mean_exp(trace.log_weights)  # [B]


@keras.saving.register_keras_serializable(package="tfvae")
class MIWAE(Configured, Objective):
    """The mean of several importance-weighted bounds: less tight than one of all samples, with a clearer gradient.

        E[1/M sum_m log 1/K sum_k w_mk] <= log p(x)

    Samples go to the groups in turn, so that those of a `models.MixtureOfExperts` with M experts have one expert each.

    Args:
        groups: M, how many bounds are averaged.
        samples_per_group: K, how many z each of them takes; M K are drawn for each example.

    Raises:
        ValueError: if a number is not positive.

    Reference: T. Rainforth et al., "Tighter Variational Bounds are Not Necessarily Better", 2018, Sec. 5,
    https://arxiv.org/abs/1802.04537.

    Example:
        >>> import tfvae
        >>> tfvae.objectives.MIWAE(8, 8).samples
        64
    """

    def __init__(self, groups: int, samples_per_group: int):
        self.groups = positive_int("groups", groups)
        self.samples_per_group = positive_int("samples_per_group", samples_per_group)
        self.samples = self.groups * self.samples_per_group

    def bound(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        weights = trace.log_weights
        grouped = tf.reshape(weights, [-1, self.groups, tf.shape(weights)[1]])  # [K, M, B]
        return tf.reduce_mean(log_mean_exp(grouped), 0)  # [B]


@keras.saving.register_keras_serializable(package="tfvae")
class CIWAE(Configured, Objective):
    """The ELBO and the importance-weighted bound of the same samples, combined.

        beta E[1/K sum_k log w_k] + (1 - beta) E[log 1/K sum_k w_k] <= log p(x)

    Args:
        beta: share of the ELBO, from 0 to 1: a number or a schedule of the training step.
        samples: K, how many z are drawn for each example.

    Raises:
        ValueError: if `beta` is neither a number from 0 to 1 nor a schedule, or `samples` is not positive.

    Reference: T. Rainforth et al., "Tighter Variational Bounds are Not Necessarily Better", 2018, Sec. 5,
    https://arxiv.org/abs/1802.04537.

    Example:
        >>> import tfvae
        >>> tfvae.objectives.CIWAE(0.05, 64).beta.value
        0.05
    """

    def __init__(self, beta: float | Schedule, samples: int):
        self.beta = as_schedule("beta", beta if isinstance(beta, Schedule) else number_in("beta", beta, 0.0, 1.0))
        self.samples = positive_int("samples", samples)

    def bound(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        weights = trace.log_weights
        beta = tf.cast(self.beta(step), weights.dtype)
        return beta * tf.reduce_mean(weights, 0) + (1.0 - beta) * log_mean_exp(weights)  # [B]


@keras.saving.register_keras_serializable(package="tfvae")
class Renyi(Configured, Objective):
    """The variational Renyi bound of order alpha.

        1 / (1 - alpha) log 1/K sum_k w_k^(1 - alpha)

    The importance-weighted bound for alpha = 0, and the ELBO in the limit alpha = 1. For alpha >= 0 and one sample or
    more its expectation is at most log p(x); for alpha < 0 and many samples it lies above.

    Args:
        alpha: the order, any number but 1.
        samples: K, how many z are drawn for each example.

    Raises:
        ValueError: if `alpha` is 1 or no finite number, or `samples` is not positive.

    Reference: Y. Li and R. Turner, "Renyi Divergence Variational Inference", 2016, Eq. (7) to (9),
    https://arxiv.org/abs/1602.02311.

    Example:
        >>> import tfvae
        >>> tfvae.objectives.Renyi(0.5, samples=5).alpha
        0.5
    """

    def __init__(self, alpha: float, samples: int):
        self.alpha = number_in("alpha", alpha, -_LARGEST, _LARGEST)
        if self.alpha == 1.0:
            raise ValueError(
                f"Expected alpha to differ from 1, where the bound is the ELBO: use CIWAE(1.0, {samples!r}), the ELBO "
                f"of the sampled rate, or ELBO(). Received: alpha={alpha!r}"
            )
        self.samples = positive_int("samples", samples)

    def bound(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        power = 1.0 - self.alpha
        weights = trace.log_weights  # [K, B]
        extreme = tf.reduce_max(weights, 0) if power > 0 else tf.reduce_min(weights, 0)
        extreme = tf.stop_gradient(extreme)
        # log1p and expm1 keep the digits that a mean of powers close to 1 would lose as alpha nears 1.
        excess = tf.math.log1p(tf.reduce_mean(tf.math.expm1(power * (weights - extreme)), 0))
        return extreme + excess / power  # [B]
