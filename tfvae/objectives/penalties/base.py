"""What every penalty has in common, and the sum of several."""

import functools
import operator
from collections.abc import Sequence

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.objectives.base import Critic
from tfvae.objectives.configured import Configured
from tfvae.objectives.schedules import Schedule, as_schedule
from tfvae.random import Seed
from tfvae.trace import Trace


class Penalty(Configured):
    """What an objective takes off every example's bound beside the rate (abstract).

        weight(t) measure(trace)

    Args:
        weight: at least 0: a number or a schedule of the training step.

    Raises:
        ValueError: if `weight` is neither a number of at least 0 nor a schedule.
    """

    def __init__(self, weight: float | Schedule):
        self.weight = as_schedule("weight", weight)

    def check(self, q: tfd.Distribution, p: tfd.Distribution) -> None:
        """Raise IncompatibleParts if a posterior and a prior have not what is asked for: none, for most."""

    def measure(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return what is weighed, a scalar, or one number an example, [B]."""
        raise NotImplementedError

    def value(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return the measure times its weight."""
        measure = self.measure(trace, step)
        return tf.cast(self.weight(step), measure.dtype) * measure


def total(parts: Sequence[Penalty | Critic], trace: Trace, step: tf.Tensor) -> tf.Tensor:
    """Return the sum of the values of penalties and critics, a scalar or [B]."""
    return functools.reduce(operator.add, [part.value(trace, step) for part in parts])


def as_penalties(value: Sequence[Penalty]) -> tuple[Penalty, ...]:
    """Return penalties as a tuple.

    Raises:
        TypeError: if one of them is no penalty.
    """
    found = tuple(value) if isinstance(value, Sequence) else (value,)
    if not all(isinstance(part, Penalty) for part in found):
        raise TypeError(
            "Expected penalties to be a tuple of objects from tfvae.objectives.penalties, such as "
            f"(penalties.SquaredNorm(1e-4),). Received: penalties={value!r}"
        )
    return found


def as_critic(value: Critic) -> Critic:
    """Return a critic.

    Raises:
        TypeError: if it is none.
    """
    if not isinstance(value, Critic):
        raise TypeError(
            "Expected critic to be one of tfvae.objectives, such as objectives.MarginalsCritic(network, optimizer). "
            f"Received: critic={value!r}"
        )
    return value


def own_noise(step: tf.Tensor, stream: int) -> Seed:
    """Return the seed of noise that belongs to an objective, new at every step; `stream` tells its uses apart.

    A model's own seeds are not negative, so that no draw of z meets the same noise.
    """
    return Seed(tf.stack([tf.constant(-stream), tf.cast(step, tf.int32)]))
