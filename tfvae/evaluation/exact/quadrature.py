"""The evidence of models with one or two latent dimensions, by quadrature."""

import itertools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.errors import number_in, positive_int
from tfvae.evaluation.exact.record import ExactEvidence
from tfvae.heads.support import CODES, LOG_SIMPLEX, SPHERE
from tfvae.models.variational import AbstractVAE, require_vae

_FIRST = 65  # points along an axis to begin with
_REACH = 8.0  # deviations of the prior on either side; beyond them lies a share of 1e-15
_CHUNK = 2**22  # elements of x scored at a time
_ROUNDING = 1e-4  # of the mass of a sharp density in float32


def quadrature(
    model: AbstractVAE,
    x: object,
    bounds: Sequence[tuple[float, float]] = (),
    *,
    tolerance: float = 1e-3,
    points: int = 2**20,
) -> ExactEvidence:
    """Compute log p(x) of a model with one or two latent dimensions by the trapezoidal rule.

        log p(x) ~ log sum_g h^D p(x | z_g) p(z_g)
        KL(q(z | x) || p(z | x)) ~ sum_g h^D q(z_g | x) log q(z_g | x) / p(z_g | x)

    over a grid of z with spacing h, which is halved until no log p(x) and no divergence changes by more than the
    tolerance. Of smooth functions that vanish at the ends the rule's error falls faster than any power of h.

    Args:
        model: a model of the library with a latent vector of length 1 or 2.
        x: examples, [n, *event].
        bounds: of the grid along each axis, finite; default: 8 standard deviations of the prior on either side of its
            mean. If they do not hold the posterior, the record warns.
        tolerance: in nats.
        points: of the grid, at most; if they do not do, the record warns.

    Returns:
        An `ExactEvidence`, whose numerical error is the last change.

    Raises:
        ValueError: if there are more latent dimensions, the posterior is a point mass, z lies on a sphere or a simplex,
            an argument is out of range, or there are no bounds and the prior has no finite deviation.

    Reference: L. Trefethen and J. Weideman, "The Exponentially Convergent Trapezoidal Rule", 2014, Theorem 5.1.

    Example:
        >>> import numpy as np, tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=1, seed=0)
        >>> found = tfvae.evaluation.exact.quadrature(model, np.zeros([2, 8, 8, 1]))
        >>> found.numerical_error < 1e-3
        True
    """
    _require_few(model)
    tolerance, points = number_in("tolerance", tolerance, 1e-9), positive_int("points", points)
    checked = tf.constant(model.check.array(x), model.variable_dtype)
    size, q, limits = model.fits.latent_dim, model.encoder(checked), _limits(model, bounds)
    found = np.full([2, len(checked)], np.nan)
    outside, change = 0.0, np.inf
    for doubling in itertools.count():
        side = (_FIRST - 1) * 2**doubling + 1
        if side**size > points and doubling:
            break
        now, outside = _on_grid(model, checked, q, [np.linspace(low, high, side) for low, high in limits])
        change = _change(now, found) if doubling else np.inf
        found = now
        if not change > tolerance:  # NaN too, which no finer grid mends
            break
    return ExactEvidence(found[0], found[1], change, tolerance, f"quadrature of {side}^{size} points", outside)


def _require_few(model: AbstractVAE) -> None:
    require_vae(model)
    size, support = model.fits.latent_dim, model.prior.support
    if size > 2 or not model.fits.has_rate or support in (SPHERE, LOG_SIMPLEX, CODES):
        raise ValueError(
            "Expected one or two latent dimensions and a posterior with a density, on a line or a plane and not on a "
            "curve in it: a grid over more is out of reach; use evaluation.log_evidence. Received: latent_dim="
            f"{size}, posterior {model.fits.posterior}, prior on {support.description}"
        )


def _limits(model: AbstractVAE, bounds: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    size = model.fits.latent_dim
    try:
        limits = [(float(low), float(high)) for low, high in bounds]
    except (TypeError, ValueError):  # Python's words for what is no pair of numbers
        limits = [(np.nan, np.nan)]
    if not limits:
        return _around(model)
    if len(limits) != size or any(not -np.inf < low < high < np.inf for low, high in limits):
        raise ValueError(
            f"Expected finite bounds (low, high) for each of {size} axes, low < high. Received: bounds={bounds!r}"
        )
    return limits


def _around(model: AbstractVAE) -> list[tuple[float, float]]:
    """Return the limits that the prior sets."""
    p = model.prior()
    try:
        centre, spread = p.mean().numpy().astype(np.float64), p.stddev().numpy().astype(np.float64)
    except NotImplementedError:  # TFP's word for no formula
        centre = spread = np.full([model.fits.latent_dim], np.nan)
    if not np.isfinite([centre, spread]).all():
        raise ValueError(
            "Expected bounds=[(low, high)] of the grid along each axis, because the prior has no mean and deviation "
            f"that are known and finite. Received: bounds=(), prior {model.fits.prior}, mean {centre}, deviation "
            f"{spread}"
        )
    return list(zip(centre - _REACH * spread, centre + _REACH * spread, strict=True))


def _change(now: np.ndarray, before: np.ndarray) -> float:
    """Return the largest change, which between two equal infinities is none."""
    with np.errstate(invalid="ignore"):
        return float(np.max(np.where(now == before, 0.0, np.abs(now - before))))


def _on_grid(model: AbstractVAE, x: tf.Tensor, q: tfd.Distribution, axes: list[np.ndarray]) -> tuple[np.ndarray, float]:
    """Return log p(x) and KL(q(z | x) || p(z | x)) of each example, [2, n], and the share that the grid misses."""
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))  # [G, D]
    ends = np.array([[axis[0], axis[-1]] for axis in axes]).T[:, None]  # [2, 1, D]
    counted = np.stack([np.ones(len(grid)), np.any(grid == ends, (0, 2))])  # [2, G]: all points, and the edge
    volume = float(np.sum([np.log(axis[1] - axis[0]) for axis in axes]))
    each = max(1, _CHUNK // max(1, int(tf.size(x))))
    peak, total = np.full(len(x), -np.inf), np.zeros([2, len(x)])
    cost, mass = np.zeros(len(x)), np.zeros(len(x))
    for first in range(0, len(grid), each):
        z = tf.constant(grid[first : first + each], model.variable_dtype)[:, None]  # [G, 1, D]
        joint = (model.decoder(z).log_prob(x) + model.prior().log_prob(z)).numpy().astype(np.float64)  # [G, n]
        log_q = q.log_prob(z).numpy().astype(np.float64)  # [G, n]
        higher = np.maximum(peak, joint.max(0))
        level = np.where(np.isfinite(higher), higher, 0.0)  # where all is impossible so far
        total = total * np.exp(peak - level) + counted[:, first : first + each] @ np.exp(joint - level)
        peak = higher
        weight = np.exp(log_q + volume)
        held = weight > 0.0
        cost += np.sum(weight * np.where(held, log_q - np.where(held, joint, 0.0), 0.0), 0)
        mass += weight.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):  # of examples that are impossible on all of the grid
        evidence = level + np.log(total[0]) + volume
        divergence = cost + evidence * mass  # the grid's own mass, so that a coarse one is seen to change
        beyond = total[1] / total[0] * (len(axes[0]) - 1)  # as if the density stayed as it is at the edge
    missed = np.clip(np.maximum(np.abs(1.0 - mass) - _ROUNDING, beyond), 0.0, 1.0)
    return np.stack([evidence, divergence]), float(np.max(missed, initial=0.0, where=~np.isnan(missed)))
