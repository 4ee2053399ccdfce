"""The evidence lower bound."""

from collections.abc import Sequence

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.errors import positive_int
from tfvae.objectives.base import Critic, Objective
from tfvae.objectives.capacity import NO_CAPACITY, RateCost, as_cost
from tfvae.objectives.configured import Configured
from tfvae.objectives.free_bits import PaidRate, as_paid
from tfvae.objectives.penalties.base import Penalty, as_critic, as_penalties, total
from tfvae.objectives.schedules import Schedule, as_schedule
from tfvae.trace import Trace


@keras.saving.register_keras_serializable(package="tfvae")
class ELBO(Configured, Objective):
    """The evidence lower bound, with the rate weighted by beta.

        E_q(z|x)[log p(x | z)] - beta KL(q(z | x) || p(z)) - sum_i penalty_i

    A bound on log p(x) for beta = 1 and, being smaller, for beta > 1. What is computed over the batch, a penalty or the
    critic's estimate, is taken off every example's bound, so that the loss, their mean, has it once.

    Args:
        beta: weight of the rate, at least 0: a number or a schedule of the training step.
        samples: how many z are drawn for each example.
        capacity: a target for the rate, whose distance from it costs instead, weighted by beta: `Capacity`, or its nats
            as a number or a schedule.
        free_bits: nats of each element of z that cost nothing: a number, a schedule, or `FreeBits` for neighbours; or
            what the groups of a hierarchy pay: `FreeGroups`, `GroupBetas`, `BalancedGroups`; 0: off.
        penalties: objects of `tfvae.objectives.penalties`.
        critic: a `MarginalsCritic` or a `PriorCritic`, trained beside the model; nobody if not given.

    Raises:
        TypeError: if a penalty or the critic is no such object.
        ValueError: if `beta` is neither a number of at least 0 nor a schedule, or `samples` is not positive.

    Reference: D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2014, Eq. (3),
    https://arxiv.org/abs/1312.6114; I. Higgins et al., "beta-VAE", 2017, Eq. (4),
    https://openreview.net/forum?id=Sy2fzU9gl.

    Example:
        >>> import tfvae
        >>> tfvae.objectives.ELBO(beta=tfvae.objectives.schedules.Linear(steps=1000)).samples
        1
    """

    def __init__(
        self,
        beta: float | Schedule = 1.0,
        samples: int = 1,
        *,
        capacity: float | Schedule | RateCost = NO_CAPACITY,
        free_bits: float | Schedule | PaidRate = 0.0,
        penalties: Sequence[Penalty] = (),
        critic: Critic = Objective.critic,
    ):
        self.beta = as_schedule("beta", beta)
        self.samples = positive_int("samples", samples)
        self.capacity = as_cost(capacity)
        self.free_bits = as_paid(free_bits)
        self.penalties = as_penalties(penalties)
        self.critic = as_critic(critic)

    def check(self, q: tfd.Distribution, p: tfd.Distribution) -> None:
        self.free_bits.check(q, p)
        for penalty in self.penalties:
            penalty.check(q, p)

    def bound(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        cost = self.capacity.cost(self.free_bits.rate(trace, step), step)  # [B]
        beta = tf.cast(self.beta(step), cost.dtype)
        return tf.reduce_mean(trace.log_px, 0) - beta * cost - total((*self.penalties, self.critic), trace, step)  # [B]
