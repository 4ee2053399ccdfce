"""The objective of auto-encoders whose posterior has no rate, or whose rate does not count."""

from collections.abc import Sequence

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.errors import positive_int
from tfvae.objectives.base import Critic, Objective
from tfvae.objectives.configured import Configured
from tfvae.objectives.penalties.base import Penalty, as_critic, as_penalties, total
from tfvae.trace import Trace


@keras.saving.register_keras_serializable(package="tfvae")
class Distortion(Configured, Objective):
    """Minus the distortion, and what holds the latents to the prior in place of a rate.

        E_q(z|x)[log p(x | z)] - sum_i penalty_i

    No density of the posterior is asked for, so that q(z | x) may be a point. It is no bound on log p(x).

    Args:
        penalties: objects of `tfvae.objectives.penalties`.
        critic: a `PriorCritic` or a `MarginalsCritic`, trained beside the model; nobody if not given.
        samples: how many z are drawn for each example.

    Raises:
        TypeError: if a penalty or the critic is no such object.
        ValueError: if `samples` is not positive.

    Reference: I. Tolstikhin et al., "Wasserstein Auto-Encoders", 2018, Eq. (4), https://arxiv.org/abs/1711.01558;
    P. Ghosh et al., "From Variational to Deterministic Autoencoders", 2020, Sec. 3.1,
    https://arxiv.org/abs/1903.12436.

    Example:
        >>> from tfvae.objectives import Distortion, penalties
        >>> len(Distortion((penalties.SquaredNorm(1e-4), penalties.GradientPenalty(1e-6))).penalties)
        2
    """

    needs_density = False

    def __init__(self, penalties: Sequence[Penalty] = (), critic: Critic = Objective.critic, samples: int = 1):
        self.penalties = as_penalties(penalties)
        self.critic = as_critic(critic)
        self.samples = positive_int("samples", samples)

    def check(self, q: tfd.Distribution, p: tfd.Distribution) -> None:
        for penalty in self.penalties:
            penalty.check(q, p)

    def bound(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(trace.log_px, 0) - total((*self.penalties, self.critic), trace, step)  # [B]
