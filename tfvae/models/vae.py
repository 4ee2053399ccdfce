"""The variational auto-encoder with one latent vector."""

import functools

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.models.at import UNCONDITIONAL
from tfvae.models.base import Batch
from tfvae.models.variational import AbstractVAE
from tfvae.objectives.base import Objective
from tfvae.objectives.elbo import ELBO
from tfvae.priors.base import Prior
from tfvae.random import Seed, as_seed, draw_and_score
from tfvae.trace import Link, Trace


@keras.saving.register_keras_serializable(package="tfvae")
class VAE(AbstractVAE):
    """A variational auto-encoder: three conditional distributions and an objective.

        z ~ q(z | x),   log p(x) >= E_q[log p(x | z)] - KL(q(z | x) || p(z))

    The model is built when it is made: the event shape of the decoder is the shape of x. `fit` maximises the
    objective and, like `evaluate`, reports `loss`, `elbo`, `rate` and `distortion` in nats per example; labels that
    come with the data are ignored. Calling the model gives the mean reconstruction, a tensor.

    Args:
        encoder: q(z | x), an `Encoder` or any Keras model whose call returns a `tfd.Distribution`.
        decoder: p(x | z), a `Decoder` or any such model that takes z with leading sample axes.
        prior: p(z), called with nothing.
        objective: what is maximised; the ELBO if not given.
        seed: seed of the noise in training; drawn from Python's generator, which `keras.utils.set_random_seed`
            sets, if not given.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        IncompatibleParts: if two parts do not fit, e.g. a posterior and a prior of different lengths.

    Reference: D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2014, Eq. (3),
    https://arxiv.org/abs/1312.6114.

    Example:
        >>> import tfvae
        >>> from tfvae import heads, networks, priors
        >>> encoder = tfvae.Encoder(networks.mlp(32), heads.DiagonalNormal(2))
        >>> decoder = tfvae.Decoder(networks.mlp(32), heads.Bernoulli((8, 8, 1)))
        >>> model = tfvae.VAE(encoder, decoder, priors.StandardNormal(2))
        >>> model.sample(3, seed=0).shape
        (3, 8, 8, 1)
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

    def trace_from(
        self,
        q: tfd.Distribution,
        x: Batch,
        samples: tf.Tensor | int = 1,
        seed: int | tf.Tensor | Seed = 0,
        training: bool = False,
    ) -> Trace:
        return drawn(self, q, x, samples, as_seed(seed), training)


def drawn(
    model: AbstractVAE, q: tfd.Distribution, batch: Batch, samples: tf.Tensor | int, seed: Seed, training: bool
) -> Trace:
    """Draw z ~ q(z | x), decode it, and score x and z."""
    at, x = model.at(batch)
    p, link = at.prior(), Link()
    z, log_qz = draw_and_score(q, samples, seed)  # [S, B, D], [S, B]
    z = link(z)
    decoder = functools.partial(at.decoder, training=training)
    px = decoder(z)
    log_px, log_pz = px.log_prob(x), p.log_prob(z)  # [S, B]
    rate = model.rate(q, p, log_qz - log_pz)
    return Trace(x, z, q, p, px, log_px, log_pz, log_qz, rate, decoder, link)
