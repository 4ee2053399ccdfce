"""The composition of a model in words."""

import math
from typing import TYPE_CHECKING

import keras

from tfvae.priors.base import Prior

if TYPE_CHECKING:
    from tfvae.models.variational import AbstractVAE


def composition(model: "AbstractVAE") -> str:
    """Return a table of the parts, their distributions and event shapes, and whether the rate is exact."""
    fits = model.fits
    latent, event = f"[{fits.latent_dim}]", str(list(fits.event_shape))
    q, p_x, p = words(model)
    rows = [
        ("part", "distribution", "event shape", "weights"),
        (f"encoder  {q}", fits.posterior, latent, _weights(model.encoder)),
        (f"decoder  {p_x}", fits.likelihood, event, _weights(model.decoder)),
        (f"prior    {p}", f"{type(model.prior).__name__}: {fits.prior}", latent, _weights(model.prior)),
    ]
    if model.critic.trainable_weights:
        rows.append(("critic   of the objective", type(model.critic).__name__, latent, _weights(model.critic)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    rate = "exact (closed form)" if fits.exact_rate else "Monte Carlo estimate (no closed form is registered)"
    if not fits.has_rate:
        rate = "none: the posterior is a point mass"
    lines.append(f"objective: {type(model.objective).__name__}, {model.objective.samples} sample(s) an example")
    if model.group_sizes:
        ways = ", ".join("exact" if exact else "Monte Carlo" for exact in model.exact_rates)
        rate = f"sum of groups of {list(model.group_sizes)}, from the top; given the draws of those above: {ways}"
    lines.append(f"rate KL({q} || {p}): {rate}")
    return "\n".join(lines)


def words(model: "AbstractVAE") -> tuple[str, str, str]:
    """Return how posterior, likelihood and prior of a model are written."""
    given = "".join(f", {name}" for name in model.condition.names)
    own = given and not isinstance(model.prior, Prior)
    return f"q(z | x{given})", f"p(x | z{given})", f"p(z |{given[1:]})" if own else "p(z)"


def _weights(part: keras.Layer) -> str:
    return f"{sum(math.prod(weight.shape) for weight in part.trainable_weights):,}"
