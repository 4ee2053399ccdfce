"""A rate that is held at a target instead of being minimised."""

import keras
import tensorflow as tf

from tfvae.objectives.configured import Configured
from tfvae.objectives.schedules import Schedule, as_schedule


class RateCost(Configured):
    """What a rate costs (abstract)."""

    def cost(self, rate: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Return what takes the place of the rate in the bound, [B] from [B]."""
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="tfvae")
class NoCapacity(RateCost):
    """The rate itself."""

    def cost(self, rate: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Return the rate."""
        return rate


@keras.saving.register_keras_serializable(package="tfvae")
class Capacity(RateCost):
    """The distance of each example's rate from a target that grows: an argument of `ELBO`, whose beta weighs it.

        gamma |KL(q(z | x) || p(z)) - C(t)|

    Args:
        nats: the target C, at least 0: a number or a schedule of the training step.

    Raises:
        ValueError: if `nats` is neither a number of at least 0 nor a schedule.

    Reference: C. Burgess et al., "Understanding disentangling in beta-VAE", 2018, Eq. (8),
    https://arxiv.org/abs/1804.03599.

    Example:
        >>> import tfvae
        >>> from tfvae.objectives import ELBO, Capacity, schedules
        >>> ELBO(beta=1000.0, capacity=Capacity(schedules.Linear(100_000, end=25.0))).capacity.nats.end
        25.0
    """

    def __init__(self, nats: float | Schedule):
        self.nats = as_schedule("nats", nats)

    def cost(self, rate: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Return the distance of the rate from its target."""
        return tf.abs(rate - tf.cast(self.nats(step), rate.dtype))


NO_CAPACITY = NoCapacity()


def as_cost(value: "float | Schedule | RateCost") -> RateCost:
    """Turn a number or a schedule into a `Capacity`; let a cost through.

    Raises:
        ValueError: if `value` is none of them.
    """
    return value if isinstance(value, RateCost) else Capacity(as_schedule("capacity", value))
