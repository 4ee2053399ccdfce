"""The variational auto-encoder of x given a condition."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.errors import IncompatibleParts, event_shape
from tfvae.models.at import OnCondition
from tfvae.models.base import Batch
from tfvae.models.vae import drawn
from tfvae.models.variational import AbstractVAE
from tfvae.objectives.base import Objective
from tfvae.objectives.elbo import ELBO
from tfvae.objectives.penalties.smoothness import GradientPenalty
from tfvae.random import Seed, as_seed
from tfvae.trace import Trace


@keras.saving.register_keras_serializable(package="tfvae")
class ConditionalVAE(AbstractVAE):
    """A variational auto-encoder of x given a condition c: a class, attributes, or an image.

        z ~ q(z | x, c),   log p(x | c) >= E_q[log p(x | z, c)] - KL(q(z | x, c) || p(z | c))

    Encoder and decoder are given lists, [x, c] and [z, c]: `networks.Concatenated` and `networks.AsChannels` make any
    network one of both. Everything else is as in `VAE`, with {"x": x, "c": c} or (x, c) in x's place: `fit(x, c)`,
    data sets of (x, c), `reconstruct`, `embed`, `evaluation.log_evidence`, which is log p(x | c). Where c is a vector
    of length K, whole numbers [B] are taken for classes. Exported functions have an input `c`; `generate` takes it in
    place of `n`.

    Args:
        encoder: q(z | x, c), an `Encoder` or any Keras model of [x, c] whose call returns a `tfd.Distribution`.
        decoder: p(x | z, c), a `Decoder` or any such model of [z, c] that takes z with leading sample axes.
        prior: p(z), of `tfvae.priors`, or p(z | c), a `tfvae.Conditional` or any such model of c.
        condition_shape: event shape of c; an int is a vector's length.
        objective: what is maximised; the ELBO if not given.
        seed: seed of the noise in training; drawn from Python's generator if not given.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        IncompatibleParts: if two parts do not fit, e.g. a network that takes no list, or a `GradientPenalty` wants
            several z of an example at once.
        ValueError: if `condition_shape` is no shape.

    Reference: K. Sohn, H. Lee and X. Yan, "Learning Structured Output Representation using Deep Conditional Generative
    Models", 2015, Eq. (4),
    https://papers.nips.cc/paper_files/paper/2015/hash/8d55a249e6baa5c06772297520da2051-Abstract.html.

    Example:
        >>> import tfvae
        >>> from tfvae import heads, networks, priors
        >>> encoder = tfvae.Encoder(networks.Concatenated(networks.mlp(32)), heads.DiagonalNormal(2))
        >>> decoder = tfvae.Decoder(networks.Concatenated(networks.mlp(32)), heads.Bernoulli((8, 8, 1)))
        >>> model = tfvae.ConditionalVAE(encoder, decoder, priors.StandardNormal(2), condition_shape=10)
        >>> model.sample(3, seed=0, c=7).shape  # three of class 7
        (3, 8, 8, 1)
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        prior: keras.layers.Layer,
        condition_shape: int | tuple[int, ...],
        objective: Objective = ELBO(),
        *,
        seed: int | None = None,
        **kwargs: object,
    ):
        condition = OnCondition(event_shape("condition_shape", condition_shape))
        for penalty in getattr(objective, "penalties", ()):
            if isinstance(penalty, GradientPenalty) and penalty.directions * objective.samples > 1:
                raise IncompatibleParts(
                    "Expected a GradientPenalty of one direction, and one sample, as every z has the condition of its "
                    f"example. Received: directions={penalty.directions}, samples={objective.samples}"
                )
        super().__init__(encoder, decoder, prior, objective, condition=condition, seed=seed, **kwargs)

    def trace_from(
        self,
        q: tfd.Distribution,
        x: Batch,
        samples: tf.Tensor | int = 1,
        seed: int | tf.Tensor | Seed = 0,
        training: bool = False,
    ) -> Trace:
        return drawn(self, q, x, samples, as_seed(seed), training)
