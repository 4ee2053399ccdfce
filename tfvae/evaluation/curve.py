"""The evidence against the number of importance samples: whether there were enough."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tfvae.errors import positive_int
from tfvae.evaluation.batches import standard_error
from tfvae.evaluation.evidence import LogEvidence, log_evidence_of_prefixes
from tfvae.evaluation.printing import error_of, plus_minus
from tfvae.models.variational import AbstractVAE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class EvidenceCurve:
    """Estimates of the mean log p(x) with more and more importance samples, in nats.

    In expectation they rise, from the ELBO with one sample to log p(x). The draws of a point are among those of the
    next, so that their differences are known better than they are.
    """

    points: tuple[LogEvidence, ...]
    """The estimates, in the order of their samples."""
    gain: float
    """What the last doubling of the samples added."""
    gain_error: float
    """Standard error of the gain over pairs."""

    @property
    def samples(self) -> tuple[int, ...]:
        """Importance samples of each point."""
        return tuple(point.samples for point in self.points)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the last point, and what to try."""
        last = self.points[-1]
        if not self.gain > last.monte_carlo_error:
            return last.warnings
        # A bias that falls as 1/K gains as much again in all further doublings; the error falls as its root.
        needed = last.samples * (self.gain / last.monte_carlo_error) ** 2
        return (
            *last.warnings,
            f"The last doubling, to {last.samples} samples, still gained {plus_minus(self.gain, self.gain_error)} "
            f"nats, more than the Monte Carlo error of {error_of(last.monte_carlo_error)}: the estimate is too low by "
            f"at least as much. If its bias falls as 1/K, it takes {needed:.1g} samples until the error hides it; "
            "evaluation.annealed_importance may take less.",
        )

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        points = {f"log evidence, K = {point.samples}": _row(point) for point in self.points}
        return {**points, "gain of the last doubling": plus_minus(self.gain, self.gain_error)}

    def as_json(self) -> dict:
        """Return the numbers with their errors, in nats per example."""
        known = math.isfinite(self.gain)
        gain = {"mean": self.gain, "standard_error": self.gain_error} if known else None
        return {
            "unit": "nats per example",
            "points": [point.as_json() for point in self.points],
            "gain_of_the_last_doubling": gain,
        }

    def figure(self) -> "Figure":
        """Draw the estimates with both errors against the number of samples."""
        from matplotlib.figure import Figure  # it takes a second, so only where something is drawn

        means = np.array([point.mean for point in self.points])
        figure = Figure(figsize=(6, 4), layout="constrained")
        axis = figure.subplots()
        data = [point.standard_error for point in self.points]
        draws = [point.monte_carlo_error for point in self.points]
        for errors, label, width in ((data, "standard error, data", 1.0), (draws, "Monte Carlo error", 3.0)):
            known = np.nan_to_num(errors)  # those of one sample or one example are not
            axis.errorbar(self.samples, means, known, fmt="o", color="C0", capsize=3, label=label, elinewidth=width)
        axis.plot(self.samples, means, color="C0")
        axis.set_xscale("log")
        axis.set(
            xlabel="importance samples K", ylabel="nats per example",
            title=f"mean estimate of log p(x), n = {self.points[-1].examples}",
        )  # fmt: skip
        axis.legend()
        return figure

    def __str__(self) -> str:
        lines = [f"K = {point.samples}: {_row(point)}" for point in self.points]
        return "\n".join([*lines, f"last doubling: +{plus_minus(self.gain, self.gain_error)} nats"])


def _row(point: LogEvidence) -> str:
    return f"{plus_minus(point.mean, point.standard_error)} (data) ± {error_of(point.monte_carlo_error)} (Monte Carlo)"


def evidence_curve(
    model: AbstractVAE,
    data: object,
    samples: Sequence[int] = (1, 10, 100, 1000),
    seed: int | tuple[int, int] = 0,
    *,
    progress: bool = True,
) -> EvidenceCurve:
    """Estimate log p(x) with more and more importance samples.

        E[log 1/K sum_k w_k] <= E[log 1/(K+1) sum_k w_k] <= log p(x)

    A point with half of the most samples is added, so that the last doubling is known. Each point is made of the
    first draws of those after it: as many are drawn as the last one has, and their weights are in memory together for
    100 examples at a time.

    Args:
        model: a model of the library.
        data: an array of examples [n, *event], or a data set of batches [B, *event].
        samples: K of each point, in any order.
        seed: one or two 32-bit integers.
        progress: show a progress bar.

    Returns:
        An `EvidenceCurve`, in nats per example.

    Raises:
        ValueError: if `samples` is empty or holds no positive numbers, the posterior is a point mass, or the data is
            empty, of another shape, or off the support.

    Reference: Y. Burda, R. Grosse and R. Salakhutdinov, "Importance Weighted Autoencoders", 2016, Theorem 1,
    https://arxiv.org/abs/1509.00519.

    Example:
        >>> import numpy as np, tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, units=(4,), seed=0)
        >>> curve = tfvae.evaluation.evidence_curve(model, np.zeros([3, 8, 8, 1]), (1, 8), progress=False)
        >>> curve.samples
        (1, 4, 8)
    """
    if not isinstance(samples, Sequence) or not samples:
        raise ValueError(f"Expected samples to be numbers of samples, such as (1, 10, 100). Received: {samples=!r}")
    wanted = {positive_int("every number in samples", number) for number in samples}
    half = max(wanted) // 2
    numbers = sorted(wanted | ({half} if half else set()))
    found = log_evidence_of_prefixes(model, data, numbers, seed, progress=progress)
    points = dict(zip(numbers, found, strict=True))
    gains = points[max(wanted)].per_example - points[half].per_example if half else np.array([np.nan])
    return EvidenceCurve(tuple(points.values()), float(gains.mean()), standard_error(gains))
