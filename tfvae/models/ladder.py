"""The variational auto-encoder with latent vectors in groups, one above the other."""

import functools

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.chain import Chain, draw_groups
from tfvae.distributions.factors import rate_per_dimension
from tfvae.errors import IncompatibleParts
from tfvae.models.at import UNCONDITIONAL
from tfvae.models.base import Batch
from tfvae.models.compatibility import refuse_layers_that_train
from tfvae.models.variational import AbstractVAE
from tfvae.objectives.base import Objective
from tfvae.objectives.elbo import ELBO
from tfvae.priors.base import Prior
from tfvae.random import Seed, as_seed
from tfvae.trace import Link, Trace


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
        encoder: q(z | x), a `models.BottomUp`, `models.TopDown`, `models.Ladder` or `models.Guided`.
        decoder: p(x | z), of all groups.
        prior: p(z), a `priors.Hierarchy`, or for `models.Guided` a `priors.Descent`.
        objective: what is maximised; the ELBO if not given. Against groups that collapse, its argument `free_bits`
            takes `objectives.FreeGroups`, free bits for each group, `objectives.BalancedGroups`, KL balancing, or
            `objectives.GroupBetas`, a warm-up for each group.
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
                "models.Ladder, and priors.Hierarchy, or models.Guided and priors.Descent. Received: "
                f"encoder {type(encoder).__name__} {_groups(q)}, prior {type(prior).__name__} {_groups(p)}"
            )
        refuse_layers_that_train("prior", prior)
        if not all(_same_way(way, prior) for way in _ways(encoder, decoder)):
            raise IncompatibleParts(
                "Expected encoder and decoder to share the model's own prior, where they go down its way. Received: "
                f"another one, prior {prior.name!r}"
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
        p, link = self.prior(), Link()
        drawn = draw_groups(q, samples, as_seed(seed))  # with what q is for each group, so that it is not asked again
        z = link(drawn.z)  # [S, B, D]
        decoder = functools.partial(self.decoder, training=training)
        px, given = decoder(z), p.each(z)
        log_ps = [prior.log_prob(part) for prior, part in zip(given, p.split(z), strict=True)]  # [S, B] each
        rates = [
            _rate(own, prior) if exact else tf.reduce_mean(log_q - log_p, 0)
            for exact, own, prior, log_q, log_p in zip(
                self.exact_rates, drawn.each, given, drawn.scores, log_ps, strict=True
            )
        ]  # [B] each
        log_pz, log_qz = tf.add_n(log_ps), tf.add_n(drawn.scores)
        return Trace(x, z, q, p, px, px.log_prob(x), log_pz, log_qz, tf.add_n(rates), decoder, link, rates)


def _ways(encoder: keras.Model, decoder: keras.Model) -> list[Prior]:
    """Return the priors whose way encoder and decoder go down."""
    network = getattr(decoder, "network", decoder)
    found = [getattr(part, "prior", None) for part in (encoder, network, *getattr(network, "layers", ()))]
    return [prior for prior in found if isinstance(prior, Prior)]


def _same_way(one: Prior, other: Prior) -> bool:
    """Tell whether two priors are one, or share all that is below their tops."""
    below = []
    for prior in (one, other):
        top = {id(weight) for weight in getattr(prior, "top").weights}  # noqa: B009 (not of every prior)
        below.append({id(weight) for weight in prior.weights} - top)
    return one is other or below[0] == below[1]


def _rate(own: tfd.Distribution, prior: tfd.Distribution) -> tf.Tensor:
    """Return the KL of a group in closed form, [B], the mean over the draws of those above it."""
    rate = tf.reduce_sum(rate_per_dimension(own, prior), -1)  # [S, B], of the topmost [B]
    return tf.reduce_mean(rate, 0) if rate.shape.rank == 2 else rate


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
