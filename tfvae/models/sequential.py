"""The variational auto-encoder of sequences, with a latent vector for each step."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.factors import rate_per_dimension
from tfvae.errors import IncompatibleParts
from tfvae.models.at import UNCONDITIONAL, Unconditional
from tfvae.models.base import Batch
from tfvae.models.compatibility import refuse_layers_that_train
from tfvae.models.sequences import Emission, Filter, Smoother
from tfvae.models.variational import AbstractVAE
from tfvae.objectives.base import Objective
from tfvae.objectives.elbo import ELBO
from tfvae.priors.dynamics import Dynamics
from tfvae.random import Seed, as_seed, draw
from tfvae.trace import Link, Trace


@keras.saving.register_keras_serializable(package="tfvae")
class SequentialVAE(AbstractVAE):
    """A variational auto-encoder of sequences x = [x_1, ..., x_T], with z = [z_1, ..., z_T].

        log p(x) >= sum_t E_q[log p(x_t | z_t, m_{t-1}) - KL(q(z_t | m_{t-1}, x) || p(z_t | m_{t-1}))]

    m_{t-1} is what is remembered of the steps before: z_{t-1} in a deep Markov model, the state of a recurrent network
    in a VRNN. Everything else is as in `VAE`: z is one vector of length T D, and numbers are nats per sequence.
    Sequences that are shorter than T end in NaN, under a likelihood `heads.Incomplete`: what is missing costs nothing,
    and beyond the end q is p. `evaluation.per_step` divides by the number of steps that were observed.

    Args:
        encoder: q(z | x), a `models.Filter` or `models.Smoother`.
        decoder: p(x | z), a `models.Emission`.
        prior: the `priors.Dynamics` that both of them share.
        objective: what is maximised; the ELBO if not given.
        seed: seed of the noise in training; drawn from Python's generator if not given.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        IncompatibleParts: if the parts do not share one `priors.Dynamics`, or two of them do not fit.

    Reference: J. Chung et al., "A Recurrent Latent Variable Model for Sequential Data", 2015, Eq. (11),
    https://arxiv.org/abs/1506.02216; R. Krishnan, U. Shalit and D. Sontag, "Structured Inference Networks for
    Nonlinear State Space Models", 2017, Eq. (6), https://arxiv.org/abs/1609.09869.

    Example:
        >>> import keras, numpy as np, tfvae
        >>> from tfvae import heads, networks, priors
        >>> transition = tfvae.Decoder(networks.mlp(8), heads.DiagonalNormal(2))
        >>> emission = tfvae.Decoder(networks.mlp(8), heads.Incomplete(heads.Bernoulli(3)))
        >>> dynamics = priors.Dynamics(transition, emission, 5, networks.Latest())
        >>> features = keras.Sequential([networks.FillMissing(), *networks.mlp(8).layers])
        >>> part = tfvae.Encoder(networks.mlp(8), heads.DiagonalNormal(2))
        >>> encoder = tfvae.models.Smoother(features, part, dynamics, units=8)
        >>> model = tfvae.SequentialVAE(encoder, tfvae.models.Emission(dynamics), dynamics, seed=0)
        >>> x = np.where(np.arange(5)[:, None] < 3, np.ones([1, 5, 3]), np.nan)  # three steps
        >>> model.trace(x.astype("float32")).elbo.shape
        TensorShape([1])
    """

    def __init__(
        self,
        encoder: Filter | Smoother,
        decoder: Emission,
        prior: Dynamics,
        objective: Objective = ELBO(),
        *,
        seed: int | None = None,
        **kwargs: object,
    ):
        shared = [getattr(part, "dynamics", None) for part in (encoder, decoder)]
        if not isinstance(prior, Dynamics) or any(part is not prior for part in shared):
            raise IncompatibleParts(
                "Expected a models.Filter or models.Smoother and a models.Emission of one priors.Dynamics, which is "
                f"the prior. Received: encoder {type(encoder).__name__}, decoder {type(decoder).__name__}, prior "
                f"{type(prior).__name__}"
            )
        parts = [prior, encoder.part] if hasattr(encoder, "part") else [prior]
        refuse_layers_that_train("dynamics and the posterior's part", *parts)
        condition = UNCONDITIONAL if not prior.memory.seen_by_x else Unconditional(_AtSequence)
        super().__init__(encoder, decoder, prior, objective, condition=condition, seed=seed, **kwargs)

    def trace_from(
        self,
        q: tfd.Distribution,
        x: Batch,
        samples: tf.Tensor | int = 1,
        seed: int | tf.Tensor | Seed = 0,
        training: bool = False,
    ) -> Trace:
        at, _ = self.at(x)
        p, link = self.prior.walk(x), Link()
        z = link(draw(q, samples, as_seed(seed)))  # [S, B, T D]
        steps = q.split(z)  # [T, S, B, D]
        memories = q.memories(steps)
        own, ahead = q.given(memories), p.given(memories)
        px = self.decoder.given(steps, memories)
        log_qz, log_pz = (tf.reduce_sum(each.log_prob(steps), 0) for each in (own, ahead))  # [S, B]
        rate = tf.reduce_mean(tf.reduce_sum(rate_per_dimension(own, ahead), [0, -1]), 0)  # [B]
        return Trace(x, z, q, p, px, px.log_prob(x), log_pz, log_qz, rate, at.decoder, link)


class _AtSequence:
    """The conditionals of a model at x, [B, T, *event], of which each step depends on those before it."""

    def __init__(self, model: SequentialVAE, x: tf.Tensor):
        self.model, self.x = model, x

    def encoder(self, x: tf.Tensor, training: bool = False) -> tfd.Distribution:
        return self.model.encoder(x, training=training)

    def decoder(self, z: tf.Tensor, training: bool = False) -> tfd.Distribution:
        return self.model.decoder(z, training=training).at(self.x)

    def prior(self) -> tfd.Distribution:
        return self.model.prior.walk(self.x)
