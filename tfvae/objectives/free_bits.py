"""Nats that cost nothing, against a posterior that collapses to the prior."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.factors import rate_per_dimension
from tfvae.errors import IncompatibleParts, positive_int
from tfvae.objectives.configured import Configured
from tfvae.objectives.schedules import Constant, Schedule, as_schedule
from tfvae.trace import Trace


class PaidRate(Configured):
    """The part of the rate that is paid for (abstract)."""

    def check(self, q: tfd.Distribution, p: tfd.Distribution) -> None:
        """Raise IncompatibleParts if a posterior and a prior have not what is asked for: none, for most."""

    def rate(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return what takes the place of the rate, [B]."""
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="tfvae")
class NoFreeBits(PaidRate):
    """The whole rate."""

    def rate(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return the rate."""
        return trace.rate


@keras.saving.register_keras_serializable(package="tfvae")
class FreeBits(PaidRate):
    """A rate of which each group of latents pays for no less than some nats, and so has no reason to use fewer.

        sum_g max(lambda, E_x[KL(q(z_g | x) || p(z_g))])

    The expectation is the mean over the batch. A group above the floor costs each example its own KL, and one below
    costs each the floor: the mean over the batch is that of the equation, and so is its gradient.

    Args:
        nats: the floor lambda of each group, at least 0: a number or a schedule of the training step.
        group_size: how many neighbouring elements of z make a group; must divide their number.

    Raises:
        ValueError: if `nats` is neither a number of at least 0 nor a schedule, or `group_size` is not positive.

    Reference: D. Kingma et al., "Improving Variational Inference with Inverse Autoregressive Flow", 2016, Eq. (15),
    App. C.8, https://arxiv.org/abs/1606.04934.

    Example:
        >>> import tfvae
        >>> tfvae.objectives.ELBO(free_bits=tfvae.objectives.FreeBits(0.25, group_size=2)).free_bits.group_size
        2
    """

    def __init__(self, nats: float | Schedule, group_size: int = 1):
        self.nats = as_schedule("nats", nats)
        self.group_size = positive_int("group_size", group_size)

    def check(self, q: tfd.Distribution, p: tfd.Distribution) -> None:
        """Raise IncompatibleParts if the KL of each element has no closed form, or groups do not fit.

        Raises:
            IncompatibleParts: naming posterior and prior.
        """
        rate_per_dimension(q, p)
        if p.event_shape[0] % self.group_size:
            raise IncompatibleParts(
                "Expected free bits for groups that divide z; choose another group_size or latent_dim. Received: "
                f"group_size={self.group_size}, posterior {q.name} and prior {p.name} of length {p.event_shape[0]}"
            )

    def rate(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return what the groups pay."""
        rates = rate_per_dimension(trace.q, trace.p)  # [B, D]
        groups = tf.reduce_sum(tf.reshape(rates, [-1, rates.shape[-1] // self.group_size, self.group_size]), -1)
        return paid(groups, self.nats(step))


def paid(groups: tf.Tensor, nats: tf.Tensor) -> tf.Tensor:
    """Return what each example pays for its groups, [B, G] to [B]."""
    floor = tf.cast(nats, groups.dtype)
    above = tf.reduce_mean(groups, 0) >= floor  # [G]
    return tf.reduce_sum(tf.where(above, groups, floor), -1)


def as_paid(value: "float | Schedule | PaidRate") -> PaidRate:
    """Turn a number or a schedule into `FreeBits` for each element, 0 into none; let an object through.

    Raises:
        ValueError: if `value` is none of them.
    """
    if isinstance(value, PaidRate):
        return value
    nats = as_schedule("free_bits", value)
    return NoFreeBits() if isinstance(nats, Constant) and nats.value == 0 else FreeBits(nats)
