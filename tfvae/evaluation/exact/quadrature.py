"""The evidence of models with one or two latent dimensions, by quadrature."""

import itertools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.errors import number_in, positive_int
from tfvae.evaluation.exact.record import ExactEvidence
from tfvae.models.variational import AbstractVAE, require_vae

_FIRST = 65  # points along an axis to begin with
_REACH = 8.0  # deviations of the prior on either side; beyond them lies a share of 1e-15
_CHUNK = 2**22  # elements of x scored at a time


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
        bounds: of the grid along each axis; default: 8 standard deviations of the prior on either side of its mean.
        tolerance: in nats.
        points: of the grid, at most; if they do not do, the record warns.

    Returns:
        An `ExactEvidence`, whose numerical error is the last change.

    Raises:
        ValueError: if there are more latent dimensions, the posterior is a point mass, or an argument is out of range.

    Reference: L. Trefethen and J. Weideman, "The Exponentially Convergent Trapezoidal Rule", 2014, Theorem 5.1.

    Example:
        >>> import numpy as np, tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=1, seed=0)
        >>> found = tfvae.evaluation.exact.quadrature(model, np.zeros([2, 8, 8, 1]))
        >>> found.numerical_error < 1e-3
        True
    """
    require_vae(model)
    size = model.fits.latent_dim
    if size > 2 or not model.fits.has_rate:
        raise ValueError(
            "Expected one or two latent dimensions and a posterior with a density: a grid over more is out of reach; "
            f"use evaluation.log_evidence. Received: latent_dim={size}, posterior {model.fits.posterior}"
        )
    tolerance, points = number_in("tolerance", tolerance, 1e-9), positive_int("points", points)
    checked = tf.constant(model.check.array(x), model.variable_dtype)
    q, limits = model.encoder(checked), _limits(model, bounds)
    evidence = divergence = np.full(len(checked), np.nan)
    change = np.inf
    for doubling in itertools.count():
        side = (_FIRST - 1) * 2**doubling + 1
        if side**size > points and doubling:
            break
        now = _on_grid(model, checked, q, [np.linspace(low, high, side) for low, high in limits])
        change = float(np.max(np.abs(np.subtract(now, (evidence, divergence))))) if doubling else np.inf
        evidence, divergence = now
        if change <= tolerance:
            break
    return ExactEvidence(evidence, divergence, change, tolerance, f"quadrature of {side}^{size} points")


def _limits(model: AbstractVAE, bounds: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    size = model.fits.latent_dim
    if not bounds:
        p = model.prior()
        centre, spread = p.mean().numpy(), p.stddev().numpy()
        return list(zip(centre - _REACH * spread, centre + _REACH * spread, strict=True))
    if len(bounds) != size or any(not low < high for low, high in bounds):
        raise ValueError(f"Expected bounds (low, high) for each of {size} axes. Received: bounds={bounds!r}")
    return list(bounds)


def _on_grid(
    model: AbstractVAE, x: tf.Tensor, q: tfd.Distribution, axes: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return log p(x) and KL(q(z | x) || p(z | x)) of each example, [n], from a grid."""
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))  # [G, D]
    volume = float(np.sum([np.log(axis[1] - axis[0]) for axis in axes]))
    each = max(1, _CHUNK // max(1, int(tf.size(x))))
    peak, total = np.full(len(x), -np.inf), np.zeros(len(x))
    cost, mass = np.zeros(len(x)), np.zeros(len(x))
    for first in range(0, len(grid), each):
        z = tf.constant(grid[first : first + each], model.variable_dtype)[:, None]  # [G, 1, D]
        joint = (model.decoder(z).log_prob(x) + model.prior().log_prob(z)).numpy().astype(np.float64)  # [G, n]
        log_q = q.log_prob(z).numpy().astype(np.float64)  # [G, n]
        higher = np.maximum(peak, joint.max(0))
        total = total * np.exp(peak - higher) + np.exp(joint - higher).sum(0)
        peak = higher
        weight = np.exp(log_q + volume)
        cost += np.sum(weight * np.where(weight > 0.0, log_q - joint, 0.0), 0)
        mass += weight.sum(0)
    evidence = peak + np.log(total) + volume
    return evidence, cost + evidence * mass  # the grid's own mass, so that a coarse one is seen to change
