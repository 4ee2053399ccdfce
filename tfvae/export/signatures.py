"""The functions that an exported model offers: tensors in, a dictionary of tensors out."""

from collections.abc import Collection, Sequence

import tensorflow as tf

from tfvae.distributions.decoded import decoded
from tfvae.distributions.moments import moments, shown
from tfvae.distributions.proposals import proposal
from tfvae.errors import ExportError
from tfvae.export.extras import Extra
from tfvae.export.inputs import encodable, finite, noise, on_support, or_nan
from tfvae.export.signature import Signature, signature
from tfvae.models.base import Batch
from tfvae.models.variational import AbstractVAE, require_vae
from tfvae.priors.base import Prior
from tfvae.random import Seed, has_rule

_CHUNK = 16  # samples of the evidence drawn at a time: bounds memory, and costs at most 15 decodings too many


def signatures(model: AbstractVAE, without: Collection[str] = (), extras: Sequence[Extra] = ()) -> dict[str, Signature]:
    """Return every signature of a model: encode, decode, reconstruct, generate, elbo, log_evidence, and extras.

    `serving_default` is `reconstruct`. Randomness enters only through `seed`, int32 [2]. A prior that runs a
    network over data, as a VampPrior does over its pseudo-inputs, becomes a constant distribution. Every signature of
    a model with a condition has an input `c` too, [B, *c], and `generate` draws one x for each c, instead of n.

    Args:
        model: a model of the library.
        without: names of signatures to leave out.
        extras: signatures beyond those, such as `Score()`.

    Raises:
        ExportError: naming the signatures that the model cannot offer, and why, unless they are left out.
        ValueError: if the model is none of the library, or a name in `without` is that of no signature.

    Example:
        >>> import tfvae
        >>> sorted(tfvae.export.signatures(tfvae.zoo.vae((8, 8, 1), 2)))
        ['decode', 'elbo', 'encode', 'generate', 'log_evidence', 'serving_default']
    """
    require_vae(model, conditions=True)
    prior = model.prior.fixed() if isinstance(model.prior, Prior) else model.prior
    model = model if prior is model.prior else model.with_prior(prior)
    every = _every(model)
    if unknown := sorted(set(without) - set(every)):
        raise ValueError(f"Expected names among {', '.join(every)}. Received: without={unknown}")
    if refused := {name: why for name, why in refusals(model).items() if name not in without}:
        raise cannot_offer(refused)
    for extra in extras:
        every |= extra.signatures(model)
    return {name: function for name, function in every.items() if name not in without}


def _every(model: AbstractVAE) -> dict[str, Signature]:
    """Return every signature, whether the model can offer it or not."""

    def reconstruct(x: tf.Tensor, *c: tf.Tensor) -> dict:
        return or_nan(encodable(model, x, *c), {"mean": model.call(model.condition.batch(x, *c))})

    def encode(x: tf.Tensor, *c: tf.Tensor) -> dict:
        mean, stddev = moments(model.given(*c).encoder(x))
        return or_nan(encodable(model, x, *c), {"mean": mean, "stddev": stddev})

    def decode(z: tf.Tensor, *c: tf.Tensor) -> dict:
        return or_nan(finite(z, *c), {"mean": shown(model.given(*c).decoder(z))})

    def generate(n: tf.Tensor, seed: tf.Tensor) -> dict:
        x, z = decoded(model.prior(), model.decoder, n, noise(seed))
        return {"x": x, "z": z}

    def generate_given(c: tf.Tensor, seed: tf.Tensor) -> dict:
        at = model.given(c)
        x, z = decoded(at.prior(), at.decoder, tf.shape(c)[0], noise(seed))
        return or_nan(finite(c), {"x": x, "z": z})

    def elbo(x: tf.Tensor, *rest: tf.Tensor) -> dict:
        *c, seed = rest
        trace = model.trace(model.condition.batch(x, *c), 1, noise(seed))
        scores = {"elbo": trace.elbo, "rate": trace.rate, "distortion": trace.distortion}
        return on_support(model, x, scores, *c)

    def log_evidence(x: tf.Tensor, *rest: tf.Tensor) -> dict:
        *c, samples, seed = rest
        found = _log_evidence(model, model.condition.batch(x, *c), samples, noise(seed))
        return on_support(model, x, {"log_evidence": found}, *c)

    given = model.condition.names
    return {
        "serving_default": signature(model, reconstruct, "x", *given),
        "encode": signature(model, encode, "x", *given),
        "decode": signature(model, decode, "z", *given),
        "generate": signature(model, generate_given, *given, "seed") if given
        else signature(model, generate, "n", "seed"),
        "elbo": signature(model, elbo, "x", *given, "seed"),
        "log_evidence": signature(model, log_evidence, "x", *given, "samples", "seed"),
    }  # fmt: skip


def refusals(model: AbstractVAE) -> dict[str, str]:
    """Return the signatures that a model cannot offer in any format, with the reasons.

    Example:
        >>> import tfvae
        >>> sorted(tfvae.export.refusals(tfvae.zoo.wae_mmd((8, 8, 1), 2)))
        ['elbo', 'log_evidence']
    """
    reasons: dict[str, str] = {}
    at, x = model.at(model.trial())
    for names, distribution in ((("elbo", "log_evidence"), at.encoder(x)), (("generate",), at.prior())):
        if not has_rule(distribution):
            why = (
                f"{distribution.name} is sampled by TFP alone, with other numbers in every format; register a rule "
                "with tfvae.random.draw"
            )
            reasons |= dict.fromkeys(names, why)
    if not model.fits.has_rate:
        reasons |= dict.fromkeys(("elbo", "log_evidence"), "a point mass has no density, and so no rate")
    return reasons


def cannot_offer(refused: dict[str, str]) -> ExportError:
    """Return the error that names signatures which cannot be offered, and why."""
    reasons = "; ".join(f"{name}: {why}" for name, why in refused.items())
    return ExportError(
        f"Expected a model that can offer every signature; leave out what it cannot, without={tuple(refused)}. "
        f"Cannot offer {reasons}",
        refused,
    )


def _log_evidence(model: AbstractVAE, x: Batch, samples: tf.Tensor, seed: Seed) -> tf.Tensor:
    """Return log 1/K sum_k w_k, [B], for K = max(samples, 1), in chunks of samples."""
    samples, q = tf.maximum(samples, 1), proposal(model.posterior(x))
    chunks = (samples + _CHUNK - 1) // _CHUNK

    def chunk(number: tf.Tensor, peak: tf.Tensor, total: tf.Tensor) -> tuple:
        done = number * _CHUNK
        log_w = model.trace_from(q, x, _CHUNK, seed._replace(sample=done)).log_weights  # [S, B]
        drawn = tf.less(tf.range(_CHUNK)[:, None] + done, samples)
        log_w = tf.where(drawn, log_w, tf.cast(-1e30, log_w.dtype))
        higher = tf.maximum(peak, tf.reduce_max(log_w, 0))
        return number + 1, higher, total * tf.exp(peak - higher) + tf.reduce_sum(tf.exp(log_w - higher), 0)

    batch = q.batch_shape_tensor()
    state = (tf.constant(0), tf.fill(batch, tf.cast(-1e30, q.dtype)), tf.fill(batch, tf.cast(0.0, q.dtype)))
    _, peak, total = tf.while_loop(lambda number, *_: tf.less(number, chunks), chunk, state)
    return peak + tf.math.log(total) - tf.math.log(tf.cast(samples, q.dtype))
