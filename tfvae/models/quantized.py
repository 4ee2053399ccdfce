"""The variational auto-encoder with discrete latents: codes of a codebook or a grid."""

import functools

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.codes import CodePoint, OnCodes
from tfvae.errors import IncompatibleParts
from tfvae.models.at import UNCONDITIONAL
from tfvae.models.base import Batch
from tfvae.models.compatibility import refuse_layers_that_train
from tfvae.models.variational import AbstractVAE
from tfvae.objectives.base import Objective
from tfvae.objectives.elbo import ELBO
from tfvae.objectives.penalties.codes import Codebook
from tfvae.priors.base import Prior
from tfvae.random import Seed, as_seed, draw
from tfvae.trace import Link, Trace


@keras.saving.register_keras_serializable(package="tfvae")
class QuantizedVAE(AbstractVAE):
    """A variational auto-encoder of codes: VQ-VAE, residual quantisation, finite scalar quantisation.

        k = k(x),   log p(x) = log sum_k p(k) p(x | k) >= log p(x | k(x)) + log p(k(x))

    The posterior is a point mass over discrete values, so that rate, ELBO and evidence are real: the rate is -log p(k).
    `log_evidence` draws from a distribution around k(x) that leaves out no code, `distributions.proposal`. Everything
    else is as in `VAE`: z is one vector, the embeddings of all codes. `fit` and `evaluate` report `perplexity` too, of
    the use of codes over the epoch, from 1 to K.

    Args:
        encoder: q(z | x), an `Encoder` with `heads.Quantized`.
        decoder: p(x | z); after a `heads.ResidualQuantizer` it begins with `networks.CodeGrid`.
        prior: p(z), `priors.UniformCodes` or `priors.AutoregressiveCodes`, with the quantiser of the encoder's head.
        objective: what is maximised; the ELBO if not given. `penalties.Commitment` and `penalties.Codebook` are for
            codebooks.
        seed: seed of the noise in training; drawn from Python's generator if not given.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        IncompatibleParts: if two parts do not fit, e.g. encoder and prior have not the same quantiser, or a codebook is
            learned by a gradient that the objective does not give.

    Reference: A. van den Oord, O. Vinyals and K. Kavukcuoglu, "Neural Discrete Representation Learning", 2017, Sec. 3,
    https://arxiv.org/abs/1711.00937.

    Example:
        >>> import tfvae
        >>> from tfvae import heads, networks, priors
        >>> quantizer = heads.FiniteScalar((5, 5))
        >>> encoder = tfvae.Encoder(networks.mlp(16), heads.Quantized(quantizer, positions=3))
        >>> decoder = tfvae.Decoder(networks.mlp(16), heads.Bernoulli((8, 8, 1)))
        >>> tfvae.QuantizedVAE(encoder, decoder, priors.UniformCodes(quantizer, positions=3)).code_count
        3
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
        p = prior()
        if not isinstance(q, CodePoint) or not isinstance(p, OnCodes) or p.quantizer is not q.quantizer:
            raise IncompatibleParts(
                "Expected an encoder with heads.Quantized, and priors.UniformCodes or priors.AutoregressiveCodes with "
                f"the same quantiser. Received: posterior {self.fits.posterior}{_of(q)}, prior {self.fits.prior}"
                f"{_of(p)}"
            )
        refuse_layers_that_train("prior", prior)
        drawn_together = any(isinstance(penalty, Codebook) for penalty in getattr(objective, "penalties", ()))
        if drawn_together is not bool(q.quantizer.trainable_weights) and q.quantizer.trainable:
            raise IncompatibleParts(
                "Expected penalties.Codebook in the objective if and only if the quantiser has weights that the "
                "gradient learns, heads.ByGradient(): ELBO(penalties=(penalties.Codebook(1.0), "
                f"penalties.Commitment(0.25))). Received: quantizer {type(q.quantizer).__name__} with "
                f"{len(q.quantizer.trainable_weights)} such weights, objective {type(objective).__name__} "
                f"{'with' if drawn_together else 'without'} penalties.Codebook"
            )
        self.code_count = q.length
        """M, how many codes an example has."""
        self.trackers = [Perplexity(q.quantizer.codes, q.quantizer.depth)]

    def trace_from(
        self,
        q: OnCodes,
        x: Batch,
        samples: tf.Tensor | int = 1,
        seed: int | tf.Tensor | Seed = 0,
        training: bool = False,
    ) -> Trace:
        p, link, decoder, seed = self.prior(), Link(), functools.partial(self.decoder, training=training), as_seed(seed)
        # Codes are scored as they were drawn, and not as z is read: two rows of a codebook may come to be equal.
        codes, z = q.pick(samples, seed), link(draw(q, samples, seed))  # [S, B, M], [S, B, D]
        px, log_pz, log_qz = decoder(z), p.log_mass(codes), q.log_mass(codes)
        rate = tf.reduce_mean(log_qz - log_pz, 0)  # exact, of a point mass
        watched = [q.codes] if isinstance(q, CodePoint) else ()
        return Trace(x, z, q, p, px, px.log_prob(x), log_pz, log_qz, rate, decoder, link, watched=watched)

    def encode_codes(self, x: object) -> np.ndarray:
        """Return the codes of examples, int32 [B, M]; those of one position are neighbours.

        Raises:
            ValueError: for x of another shape or dtype, or with NaN.
        """
        checker = self.check.encodable()
        return self.encoder(checker.cast(checker.array(x), self.variable_dtype)).codes.numpy()

    def decode_codes(self, codes: object) -> np.ndarray:
        """Return the means of p(x | z) at codes [B, M], [B, *event].

        Raises:
            ValueError: if they are no whole numbers from 0 to K - 1, or not M for each example.
        """
        values, p = np.asarray(codes), self.prior()
        fits = values.ndim == 2 and values.shape[1] == self.code_count and np.issubdtype(values.dtype, np.integer)
        if not fits or (values.size and not 0 <= values.min() <= values.max() < p.quantizer.codes):
            raise ValueError(
                f"Expected codes [B, {self.code_count}], whole numbers from 0 to {p.quantizer.codes - 1}. Received: "
                f"codes of shape {list(values.shape)} and dtype {values.dtype}"
            )
        return self.decoder(p.embed(tf.constant(values, tf.int32))).mean().numpy()


class Perplexity(keras.metrics.Metric):
    """How many codes are in use, as many as would be if all were used alike: the mean over the depths.

        exp(-sum_k f_k log f_k),   f_k = share of code k in all

    Args:
        codes: K.
        depth: L, codes of one position.
        name: under which it is reported.
    """

    def __init__(self, codes: int, depth: int = 1, name: str = "perplexity"):
        super().__init__(name=name)
        self.codes, self.depth = codes, depth
        self.counts = self.add_variable((depth * codes,), initializer="zeros", name="counts")

    def update_state(self, codes: tf.Tensor, weight: tf.Tensor | None = None) -> None:
        """Count codes [B, M], of each example as often as its weight [B] says."""
        weight = tf.ones_like(codes[:, 0], self.dtype) if weight is None else tf.cast(weight, self.dtype)
        place = codes + tf.range(tf.shape(codes)[1]) % self.depth * self.codes
        each = tf.broadcast_to(weight[:, None], tf.shape(codes))
        counts = tf.math.unsorted_segment_sum(tf.reshape(each, [-1]), tf.reshape(place, [-1]), self.depth * self.codes)
        self.counts.assign_add(counts)

    def result(self) -> tf.Tensor:
        """Return the perplexity since the epoch or the evaluation began."""
        counts = tf.reshape(tf.convert_to_tensor(self.counts), [self.depth, self.codes])
        share = tf.math.divide_no_nan(counts, tf.reduce_sum(counts, -1, keepdims=True))
        return tf.reduce_mean(tf.exp(-tf.reduce_sum(tf.math.xlogy(share, share), -1)))


def _of(distribution: tfd.Distribution) -> str:
    quantizer = getattr(distribution, "quantizer", None)
    return "" if quantizer is None else f" of {quantizer.name!r}"
