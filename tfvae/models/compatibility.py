"""Do the parts of a composition fit? Tried once, on one example, when a model is made."""

import math
from typing import TYPE_CHECKING, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.codes import CodePoint, OnCodes
from tfvae.distributions.moments import centre
from tfvae.errors import IncompatibleParts
from tfvae.heads.support import BINARY, REAL, Support
from tfvae.objectives.base import Objective
from tfvae.priors.base import Prior

if TYPE_CHECKING:
    from tfvae.models.at import Conditioning


_TRAINING = (
    keras.layers.BatchNormalization, keras.layers.Dropout, keras.layers.GaussianDropout, keras.layers.GaussianNoise,
)  # fmt: skip


class Fit(NamedTuple):
    """What the parts agree on."""

    event_shape: tuple[int, ...]
    latent_dim: int
    exact_rate: bool
    posterior: str
    likelihood: str
    prior: str
    support: Support
    has_rate: bool
    """Whether the posterior has a density, and so a rate, an ELBO and an evidence: not a point mass."""
    compiles: bool
    """Whether XLA can compile every part on a processor."""
    latent_support: Support
    """The values that z can have."""


def distribution_of(role: str, value: object) -> tfd.Distribution:
    """Return a distribution, or raise IncompatibleParts if it is none."""
    if not isinstance(value, tfd.Distribution):
        raise IncompatibleParts(
            f"Expected the {role} to return a tfd.Distribution; give its network a head from tfvae.heads. "
            f"Received: {role}(...)={type(value).__name__}"
        )
    return value


def _call(role: str, part: keras.Model, inputs: tf.Tensor | list[tf.Tensor], given_by: str) -> tfd.Distribution:
    try:
        return distribution_of(role, part(inputs))
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        if isinstance(error, IncompatibleParts):
            raise
        raise IncompatibleParts(
            f"Expected the {role} to accept inputs of shape {_shapes(inputs)}, as {given_by} requires; change the "
            f"network or the event shape. Received: {role}={part.name!r}, which says: {str(error).splitlines()[0]}"
        ) from error


def _shapes(inputs: tf.Tensor | list[tf.Tensor]) -> str:
    several = inputs if isinstance(inputs, list) else [inputs]
    return " beside ".join(str(list(part.shape)) for part in several)


def _check_posterior(
    q: tfd.Distribution, p: tfd.Distribution, encoder: keras.Model, prior: keras.layers.Layer, objective: Objective
) -> None:
    if q.batch_shape != (1,) or q.event_shape != p.event_shape:
        raise IncompatibleParts(
            f"Expected the posterior to have the prior's event shape {list(p.event_shape)} and one distribution an "
            f"example; give both the same latent_dim. Received: posterior {q.name} with event_shape="
            f"{list(q.event_shape)}, batch_shape={list(q.batch_shape)}, prior {type(prior).__name__}"
        )
    if objective.needs_density and _is_point(q):
        raise IncompatibleParts(
            "Expected a posterior with a density: a point mass has no rate, and its registered KL is only -log p(z). "
            "Use heads.DiagonalNormal, or objectives.Distortion, which asks for no rate. Received: posterior "
            f"{q.name}, prior {type(prior).__name__}, objective {type(objective).__name__}"
        )
    if q.reparameterization_type != tfd.FULLY_REPARAMETERIZED:
        raise IncompatibleParts(
            f"Expected a reparameterised posterior, because the objective differentiates through its samples; use "
            f"heads.DiagonalNormal. Received: posterior {q.name} ({q.reparameterization_type})"
        )
    if isinstance(q, CodePoint) and (not isinstance(p, OnCodes) or p.quantizer is not q.quantizer):
        raise IncompatibleParts(
            "Expected encoder and prior with the same quantiser: heads.Quantized, and priors.UniformCodes or "
            f"priors.AutoregressiveCodes. Received: posterior {q.name} of {q.quantizer.name!r}, prior "
            f"{type(prior).__name__}"
        )
    head, support = getattr(encoder, "head", None), support_of(prior, p)
    if head is not None and head.support is not support:
        raise IncompatibleParts(
            f"Expected posterior and prior on the same support. Received: posterior {type(head).__name__} on "
            f"{head.support.description}, prior {type(prior).__name__} on {support.description}"
        )


def _innermost(distribution: tfd.Distribution) -> tfd.Distribution:
    while isinstance(distribution, tfd.Independent):
        distribution = distribution.distribution
    return distribution


def _is_point(q: tfd.Distribution) -> bool:
    return isinstance(_innermost(q), (tfd.Deterministic, tfd.VectorDeterministic))


def _check_dtypes(dtype: str, q: tfd.Distribution, p: tfd.Distribution, px: tfd.Distribution) -> None:
    found = {"posterior": q.dtype, "prior": p.dtype, "likelihood": px.dtype}
    if px.dtype.is_integer:  # TFP's default for counts and bits, which it scores as floats too
        del found["likelihood"]
    if any(part != dtype for part in found.values()):
        raise IncompatibleParts(
            "Expected all parts to have the same dtype as the model; give each head, prior and the model the same "
            f"dtype=. Received: model {dtype}, {', '.join(f'{role} {part.name}' for role, part in found.items())}"
        )


def _check_gaps(
    encoder: keras.Model, event_shape: tuple[int, ...], support: Support, dtype: str, condition: "Conditioning"
) -> None:
    """Try an example of which all that may be missing is, of single values every other one."""
    if not support.missing:
        return
    x = np.where(np.arange(math.prod(event_shape)) % 2 == 0, np.nan, 0.0).reshape([1, *event_shape])
    for columns, block in support.parts():
        if block.whole or not block.missing:
            x[..., columns] = np.nan if block.whole else 0.0
    q = distribution_of("encoder", encoder(condition.beside(tf.cast(x, dtype), 1)))
    z = centre(q)
    known = tf.math.is_finite(z if _is_point(q) else tf.reduce_sum(z) + q.log_prob(z))  # the deviation's too
    if not np.all(known):
        raise IncompatibleParts(
            "Expected an encoder that takes missing values, NaN, which the likelihood scores: let its network begin "
            "with networks.FillMissing(), keras.Sequential([networks.FillMissing(), *networks.mlp(64).layers]). "
            f"Received: encoder={encoder.name!r}, whose posterior {q.name} is NaN where a value is missing"
        )


def support_of(part: keras.Layer, px: tfd.Distribution) -> Support:
    """Return the values that a part scores: what it or its head says, or the family of a user's own model."""
    if isinstance(part, Prior):
        return part.support
    if hasattr(part, "head"):
        return part.head.support
    return BINARY if isinstance(_innermost(px), tfd.Bernoulli) else REAL


def exact_rate(q: tfd.Distribution, p: tfd.Distribution) -> bool:
    """Tell whether TFP has KL(q || p) in closed form."""
    try:
        tfd.kl_divergence(q, p)
    except NotImplementedError:
        return False
    return True


def check(
    encoder: keras.Model, decoder: keras.Model, prior: keras.layers.Layer, objective: Objective, dtype: str,
    condition: "Conditioning",
) -> Fit:  # fmt: skip
    """Build the parts by one call each, and check every pair; `dtype` is the model's.

    Raises:
        IncompatibleParts: naming both sides and what to use instead.
    """
    for role, part, kind in (("encoder", encoder, keras.Layer), ("decoder", decoder, keras.Layer)):
        if not isinstance(part, kind):
            raise IncompatibleParts(
                f"Expected the {role} to be a tfvae.{role.capitalize()} or a keras.Model whose call returns a "
                f"tfd.Distribution. Received: {role}={part!r}"
            )
    p = _prior(prior, condition)
    given = f"prior {type(prior).__name__} with event shape {list(p.event_shape)}"
    one, many = (tf.zeros([*batch, *p.event_shape], prior.variable_dtype) for batch in ([1], [2, 3]))
    _call("decoder", decoder, condition.beside(one, 1), given)
    px = _call("decoder", decoder, condition.beside(many, 3), given)
    if px.batch_shape != (2, 3) or not px.event_shape.rank:
        raise IncompatibleParts(
            "Expected the decoder to map z [S, B, D] to one distribution for each sample and example: batch shape "
            "[S, B], all axes of x in the event. Use tfvae.Decoder, or tfd.Independent and leading sample axes in "
            f"your own. Received: for S=2, B=3, likelihood {px.name} with batch_shape={list(px.batch_shape)}, "
            f"event_shape={list(px.event_shape)}"
        )
    given = f"likelihood {px.name} with event shape {list(px.event_shape)}"
    q = _call("encoder", encoder, condition.beside(tf.zeros([1, *px.event_shape], prior.variable_dtype), 1), given)
    _check_posterior(q, p, encoder, prior, objective)
    support = support_of(decoder, px)
    _check_modalities(encoder, support)
    _check_gaps(encoder, tuple(px.event_shape), support, prior.variable_dtype, condition)
    _check_dtypes(dtype, q, p, px)
    objective.check(q, p)
    objective.critic.build_for(p.event_shape[0])
    posterior, likelihood, family = (describe(d) for d in (q, px, p))
    has_rate = not _is_point(q)
    return Fit(
        tuple(px.event_shape), p.event_shape[0], has_rate and exact_rate(q, p), posterior, likelihood, family,
        support, has_rate, _compiles(encoder, decoder, prior), support_of(prior, p),
    )  # fmt: skip


def _check_modalities(encoder: keras.Model, support: Support) -> None:
    """Compare the columns that the experts of a posterior see with those of the likelihood's parts."""
    sizes = getattr(encoder, "modalities", None)
    if sizes is None:
        return
    edges = {columns.stop for columns, _ in support.parts()}
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    if not {end for end in ends if end != ends[-1]} <= edges:
        raise IncompatibleParts(
            "Expected experts of the likelihood's modalities, whose columns end at "
            f"{sorted(edge for edge in edges if edge)}. Received: encoder {type(encoder).__name__} with sizes={sizes}"
        )


def refuse_layers_that_train(role: str, *parts: keras.Layer) -> None:
    """Raise IncompatibleParts for layers that act otherwise in training, where a part is not told that it trains."""
    found = [layer for part in parts for layer in part._flatten_layers() if isinstance(layer, _TRAINING)]
    if found:
        raise IncompatibleParts(
            f"Expected no layers in the {role} that act otherwise in training, such as Dropout: posterior and prior "
            f"share it, and have to agree. Received: {', '.join(type(layer).__name__ for layer in found)}"
        )


def _prior(prior: object, condition: "Conditioning") -> tfd.Distribution:
    """Return the distribution of a prior of one vector, the same for every example or one for each."""
    kinds, also = ((Prior, keras.Model), ", or p(z | c), a tfvae.Conditional") if condition.names else (Prior, "")
    if not isinstance(prior, kinds):
        raise IncompatibleParts(
            f"Expected a prior from tfvae.priors, such as priors.StandardNormal(50){also}. Received: prior={prior!r}"
        )
    p = distribution_of("prior", condition.prior(prior))
    if p.batch_shape not in ((), (1,) if not isinstance(prior, Prior) else ()) or p.event_shape.rank != 1:
        raise IncompatibleParts(
            f"Expected a prior over one vector. Received: prior {type(prior).__name__} with batch_shape="
            f"{list(p.batch_shape)}, event_shape={list(p.event_shape)}"
        )
    return p


def _compiles(encoder: keras.Model, decoder: keras.Model, prior: keras.layers.Layer) -> bool:
    parts = (getattr(part, "head", part) for part in (encoder, decoder, prior))
    return all(getattr(part, "compiles", True) for part in parts)


def describe(distribution: tfd.Distribution) -> str:
    """Name the family of a distribution, and what is inside a wrapper."""
    family = type(distribution).__name__.lstrip("_")
    if isinstance(distribution, tfd.Independent):
        family = f"Independent({type(distribution.distribution).__name__.lstrip('_')})"
    return family
