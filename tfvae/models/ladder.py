"""The variational auto-encoder with latent vectors in groups, one above the other."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.chain import Chain
from tfvae.distributions.factors import rate_per_dimension
from tfvae.errors import IncompatibleParts
from tfvae.models.at import UNCONDITIONAL
from tfvae.models.base import Batch
from tfvae.models.vae import drawn
from tfvae.models.variational import AbstractVAE
from tfvae.objectives.base import Objective
from tfvae.objectives.elbo import ELBO
from tfvae.priors.base import Prior
from tfvae.random import Seed, as_seed
from tfvae.trace import Trace


@keras.saving.register_keras_serializable(package="tfvae")
class LadderVAE(AbstractVAE):
    """A variational auto-encoder of L groups of latents, z = [z_L, ..., z_1].

        p(x, z) = p(x | z) p(z_L) prod_l p(z_l | z_{l+1}),   rate = sum_l rate_l
        rate_l = E_q[KL(q(z_l | ...) || p(z_l | z_{l+1}))]        drawn from the top down
        rate_l = E_q[log q(z_l | z_{l-1}) - log p(z_l | z_{l+1})]  drawn from the bottom up

    Everything else is as in `VAE`: z is one vector, whose groups `group_sizes` tells. `fit` and `evaluate` report the
    rate of each group too, `rate_L` to `rate_1`, in nats per example. A decoder that sees the lowest group alone begins
    with `networks.Last`.

    Args:
        encoder: q(z | x), a `models.BottomUp`, `models.TopDown` or `models.Ladder`.
        decoder: p(x | z), of all groups.
        prior: p(z), a `priors.Hierarchy`.
        objective: what is maximised; the ELBO if not given. `objectives.FreeGroups` gives each group its free nats.
        seed: seed of the noise in training; drawn from Python's generator if not given.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        IncompatibleParts: if two parts do not fit, e.g. the groups of encoder and prior.

    Reference: C. Sonderby et al., "Ladder Variational Autoencoders", 2016, Sec. 2,
    https://arxiv.org/abs/1602.02282.

    Example:
        >>> import keras, tfvae
        >>> from tfvae import heads, networks, priors
        >>> below = tfvae.Decoder(networks.mlp(8), heads.DiagonalNormal(4))
        >>> prior = priors.Hierarchy(priors.StandardNormal(2), [below])
        >>> parts = [tfvae.Encoder(networks.mlp(8), heads.DiagonalNormal(size)) for size in (4, 2)]
        >>> network = keras.Sequential([networks.Last(4), *networks.mlp(8).layers])
        >>> decoder = tfvae.Decoder(network, heads.Bernoulli((8, 8, 1)))
        >>> tfvae.LadderVAE(tfvae.models.BottomUp(parts), decoder, prior).group_sizes
        (2, 4)
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        prior: Prior,
        objective: Objective = ELBO(),
        *,
        seed: int | None = None,
        **kwargs: object,
    ):
        super().__init__(encoder, decoder, prior, objective, condition=UNCONDITIONAL, seed=seed, **kwargs)
        q = encoder(tf.zeros([1, *self.fits.event_shape], self.variable_dtype))
        q, p = (part if isinstance(part, Chain) else None for part in (q, prior()))
        if q is None or p is None or q.lengths != p.lengths:
            raise IncompatibleParts(
                "Expected encoder and prior with the same groups of latents: models.BottomUp, models.TopDown or "
                "models.Ladder, and priors.Hierarchy. Received: "
                f"encoder {type(encoder).__name__} {_groups(q)}, prior {type(prior).__name__} {_groups(p)}"
            )
        self.group_sizes = p.lengths
        self.exact_rates = _exact_rates(q, p)
        names = range(len(self.group_sizes), 0, -1)
        self.group_trackers = [keras.metrics.Mean(name=f"rate_{number}") for number in names]

    def trace_from(
        self,
        q: tfd.Distribution,
        x: Batch,
        samples: tf.Tensor | int = 1,
        seed: int | tf.Tensor | Seed = 0,
        training: bool = False,
    ) -> Trace:
        trace = drawn(self, q, x, samples, as_seed(seed), training)
        rates = [tf.reduce_mean(rate, 0) for rate in self._rates(trace.q, trace.p, trace.z)]  # [B] each
        return trace._replace(rate=tf.add_n(rates), rates=rates)

    def _rates(self, q: Chain, p: Chain, z: tf.Tensor) -> list[tf.Tensor]:
        """Return the rate of each group given the draws of the others, [S, B] or [1, B] each."""
        rates = []
        for exact, part, own, prior in zip(self.exact_rates, q.split(z), q.each(z), p.each(z), strict=True):
            if exact:
                rate = tf.reduce_sum(rate_per_dimension(own, prior), -1)
                rates.append(rate if rate.shape.rank == 2 else rate[None])
            else:
                rates.append(own.log_prob(part) - prior.log_prob(part))
        return rates


def _exact_rates(q: Chain, p: Chain) -> list[bool]:
    """Tell for each group whether its KL has a closed form, given the groups above it."""
    z, found = tf.zeros([1, sum(p.lengths)], p.dtype), []
    for own, prior in zip(q.each(z), p.each(z), strict=True):
        try:
            rate_per_dimension(own, prior)
        except IncompatibleParts:
            found.append(False)
        else:
            found.append(q.places == p.places)
    return found


def _groups(chain: Chain | None) -> str:
    return "without groups" if chain is None else f"of groups {list(chain.lengths)}"
