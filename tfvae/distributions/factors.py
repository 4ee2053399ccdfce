"""Distributions of vectors whose elements are independent, element by element."""

from functools import singledispatch

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.errors import IncompatibleParts


@singledispatch
def factors(distribution: tfd.Distribution) -> tfd.Distribution:
    """Return the distribution of each element of a vector of independent elements: batch shape [*B, D], event shape [].

    Raises:
        IncompatibleParts: for a family whose elements are not independent, or not known to be.
    """
    raise IncompatibleParts(
        "Expected a distribution of independent elements, such as heads.DiagonalNormal gives. Received: "
        f"{_name(distribution)}"
    )


@factors.register(tfd.MultivariateNormalDiag)
def _factors_of_diagonal_normal(distribution: tfd.Distribution) -> tfd.Distribution:
    return tfd.Normal(distribution.mean(), distribution.stddev())


@factors.register(tfd.Independent)
def _factors_of_independent(distribution: tfd.Distribution) -> tfd.Distribution:
    if distribution.event_shape.rank != 1 or distribution.distribution.event_shape.rank != 0:
        return factors.dispatch(object)(distribution)
    return distribution.distribution


def rate_per_dimension(q: tfd.Distribution, p: tfd.Distribution) -> tf.Tensor:
    """Return KL(q(z_d) || p(z_d)) of each element, [*B, D], for two distributions of independent elements.

    Raises:
        IncompatibleParts: if the elements of one are not independent, or TFP has no closed form for the pair.

    Example:
        >>> import tfvae
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfvae.distributions.factors import rate_per_dimension
        >>> q = tfd.MultivariateNormalDiag([[3.0, 0.0]], [[1.0, 1.0]])
        >>> rate_per_dimension(q, tfvae.priors.StandardNormal(2)()).numpy()
        array([[4.5, 0. ]], dtype=float32)
    """
    try:
        return tfd.kl_divergence(factors(q), factors(p))
    except (IncompatibleParts, NotImplementedError) as error:
        raise IncompatibleParts(
            "Expected a posterior and a prior of independent elements with a KL in closed form, such as "
            "heads.DiagonalNormal and priors.StandardNormal; leave out free bits for others, or give groups theirs by "
            f"objectives.FreeGroups. Received: posterior {_name(q)}, prior {_name(p)}"
        ) from error


def _name(distribution: tfd.Distribution) -> str:
    """Name a family, and what is inside a wrapper."""
    family = type(distribution).__name__.lstrip("_")
    inner = getattr(distribution, "distribution", None)
    return family if inner is None else f"{family}({type(inner).__name__.lstrip('_')})"
