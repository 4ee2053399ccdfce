"""The picture of a latent diagnosis."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfvae.evaluation.latent.activity import ActiveUnits
from tfvae.evaluation.latent.rates import RatePerDimension

_ACTIVE, _INACTIVE = "#2166ac", "#b8b8b8"
_LEGIBLE = 30  # dimensions whose numbers fit below the bars


def bars(activity: ActiveUnits, rates: RatePerDimension | None) -> Figure:
    """Draw the rate of each dimension, sorted, above the variance of its posterior mean with the threshold marked."""
    keys = activity.variances if rates is None else rates.means
    order = np.argsort(-keys, kind="stable")
    panels = 1 if rates is None else 2
    figure = Figure(figsize=(min(12.0, 5.0 + 0.08 * len(order)), 2.6 * panels), layout="constrained")
    axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
    colours = np.where(activity.active[order], _ACTIVE, _INACTIVE)
    if rates is not None:
        _bars(axes[0], rates.means[order], rates.standard_errors[order], colours)
        axes[0].set(ylabel="rate [nats]", title=f"rate {rates.total:.2f} nats in {len(order)} dimensions")
    _bars(axes[-1], activity.variances[order], activity.standard_errors[order], colours)
    axes[-1].set_yscale("symlog", linthresh=max(activity.threshold, 1e-12) / 10)
    axes[-1].axhline(activity.threshold, color="#b2182b", linestyle="--", linewidth=1)
    axes[-1].set(
        ylabel="Var$_x$(E[z$_d$ | x])",
        xlabel=f"dimension d, {'by rate' if rates is not None else 'by variance'}",
        title=f"{activity.count} of {len(order)} units above {activity.threshold:g} (dashed): active, blue",
    )
    ticks = range(len(order) if len(order) <= _LEGIBLE else 0)
    axes[-1].set_xticks(ticks, [str(order[tick]) for tick in ticks])
    return figure


def _bars(axis: Axes, heights: np.ndarray, errors: np.ndarray, colours: np.ndarray) -> None:
    axis.bar(np.arange(len(heights)), heights, color=colours, yerr=np.nan_to_num(errors), error_kw={"linewidth": 0.8})
    axis.axhline(0.0, color="black", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)
