"""What the groups of latents of a hierarchy pay, each for itself: free nats, a weight of its own, or a balanced one."""

from collections.abc import Sequence

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.chain import Chain
from tfvae.errors import IncompatibleParts, positive_int
from tfvae.objectives.free_bits import PaidRate, paid
from tfvae.objectives.schedules import Schedule, as_schedule
from tfvae.trace import Trace

_LEAST = 0.01  # nats: a group that has none yet keeps a weight, if a small one


class RateOfGroups(PaidRate):
    """What the groups of a `LadderVAE` pay (abstract)."""

    spoken_of: int | None = None
    """Of how many groups something is said one by one; None: of all alike."""

    def check(self, q: tfd.Distribution, p: tfd.Distribution) -> None:
        """Raise IncompatibleParts if the latents have no groups, or not as many as are spoken of.

        Raises:
            IncompatibleParts: naming posterior and prior.
        """
        if not isinstance(q, Chain) or not isinstance(p, Chain):
            raise IncompatibleParts(
                "Expected a model with groups of latents, a tfvae.LadderVAE; use FreeBits for the elements of one "
                f"vector. Received: posterior {q.name}, prior {p.name}"
            )
        if self.spoken_of not in (None, len(p.lengths)):
            raise IncompatibleParts(
                f"Expected something for each of the groups of lengths {list(p.lengths)}, from the top down. Received: "
                f"{type(self).__name__} of {self.spoken_of}"
            )


@keras.saving.register_keras_serializable(package="tfvae")
class FreeGroups(RateOfGroups):
    """Free bits for the groups of a `LadderVAE`: none has a reason to use fewer nats than the floor.

        sum_l max(lambda, E_x[rate_l(x)])

    The expectation is the mean over the batch, and what a group pays as in `FreeBits`.

    Args:
        nats: the floor lambda of each group, at least 0: a number or a schedule of the training step.

    Raises:
        ValueError: if `nats` is neither a number of at least 0 nor a schedule.

    Reference: D. Kingma et al., "Improving Variational Inference with Inverse Autoregressive Flow", 2016, Eq. (15),
    App. C.8, https://arxiv.org/abs/1606.04934.

    Example:
        >>> import tfvae
        >>> tfvae.objectives.ELBO(free_bits=tfvae.objectives.FreeGroups(0.5)).free_bits.nats.value
        0.5
    """

    def __init__(self, nats: float | Schedule):
        self.nats = as_schedule("nats", nats)

    def rate(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return what the groups pay."""
        return paid(tf.stack(trace.rates, -1), self.nats(step))


@keras.saving.register_keras_serializable(package="tfvae")
class GroupBetas(RateOfGroups):
    """A weight of its own for the rate of each group of a `LadderVAE`, such as a warm-up of its own.

        sum_l beta_l(t) rate_l

    The `beta` of the ELBO weighs them all once more. With equal weights it is that of `ELBO(beta)`.

    Args:
        betas: weights of the groups, from the top down, each a number of at least 0 or a schedule of the training step.

    Raises:
        ValueError: if there is none, or one is neither a number of at least 0 nor a schedule.

    Reference: C. Sonderby et al., "Ladder Variational Autoencoders", 2016, Sec. 2.3, with one weight for all,
    https://arxiv.org/abs/1602.02282.

    Example:
        >>> from tfvae import objectives
        >>> from tfvae.objectives import schedules
        >>> late = objectives.GroupBetas([schedules.Linear(2000), schedules.Linear(1000)])  # the upper group pays later
        >>> [float(beta(500)) for beta in objectives.ELBO(free_bits=late).free_bits.betas]
        [0.25, 0.5]
    """

    def __init__(self, betas: Sequence[float | Schedule]):
        if isinstance(betas, str) or not isinstance(betas, Sequence) or not betas:
            raise ValueError(f"Expected a weight for each group, such as [0.5, 1.0]. Received: betas={betas!r}")
        self.betas = [as_schedule(f"betas[{number}]", beta) for number, beta in enumerate(betas)]
        self.spoken_of = len(self.betas)

    def rate(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return the weighted sum."""
        pairs = zip(self.betas, trace.rates, strict=True)
        return tf.add_n([tf.cast(beta(step), rate.dtype) * rate for beta, rate in pairs])


@keras.saving.register_keras_serializable(package="tfvae")
class BalancedGroups(RateOfGroups):
    """KL balancing: during warm-up a group of a `LadderVAE` that uses many nats for its length pays more for each.

        sum_l gamma_l rate_l,   gamma_l ~ E_x|rate_l(x)| / d_l,   sum_l gamma_l = L,   d_l the length of group l

    The expectation is the mean over the batch, and no gradient flows through the weights: a group near collapse pays
    almost nothing for its first nats, and the others pay for it. From `steps` on all weights are one.

    Args:
        steps: training steps of warm-up, in which the `beta` of the ELBO should rise to one.

    Raises:
        ValueError: if `steps` is no positive whole number.

    Reference: A. Vahdat and J. Kautz, "NVAE: A Deep Hierarchical Variational Autoencoder", 2020, App. A (the weight
    falls with the length, as in the authors' code: "proportional to the size" in the text is a slip),
    https://arxiv.org/abs/2007.03898; A. Vahdat et al., "DVAE++", 2018, App. H, https://arxiv.org/abs/1802.04920.

    Example:
        >>> from tfvae import objectives
        >>> warm_up = objectives.schedules.Linear(1000)
        >>> objectives.ELBO(warm_up, free_bits=objectives.BalancedGroups(1000)).free_bits.steps
        1000
    """

    def __init__(self, steps: int):
        self.steps = positive_int("steps", steps)

    def weights(self, trace: Trace) -> tf.Tensor:
        """Return gamma as it is while training warms up, [L]: from the top down, one on average."""
        rates = tf.stack(trace.rates, -1)  # [B, L]
        lengths = tf.constant([float(length) for length in trace.p.lengths], rates.dtype)
        used = tf.stop_gradient(tf.reduce_mean(tf.abs(rates), 0) + _LEAST) / lengths
        return used / tf.reduce_mean(used)

    def rate(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return the balanced sum, after warm-up the rate."""
        balanced = tf.linalg.matvec(tf.stack(trace.rates, -1), self.weights(trace))
        return tf.where(tf.cast(step, tf.int64) < self.steps, balanced, trace.rate)
