"""How well a score tells anomalies from normal data, where both are known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tfvae.errors import positive_int, whole_number_in
from tfvae.evaluation.anomaly.ranking import auroc, scores_of
from tfvae.evaluation.printing import plain, plus_minus

_FOUND = 0.95  # share of the anomalies that are to be found
_TITLES = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "false_alarms": "false alarms where 95 % of the anomalies are found",
}


@dataclass(frozen=True)
class Detection:
    """How well a score detects anomalies, whatever the threshold; 0.5 of the AUROC is chance."""

    auroc: float
    """P(score of an anomaly > score of a normal example), ties counted half."""
    average_precision: float
    """Mean precision over recall; chance is the share of anomalies."""
    false_alarms: float
    """Share of normal examples that are flagged where 95 % of the anomalies are."""
    standard_errors: dict[str, float]
    """Standard error over the data of each of the three."""
    normal: int
    """Number of normal examples."""
    anomalous: int
    """Number of anomalies."""

    @property
    def prevalence(self) -> float:
        """Share of anomalies among the examples, on which the average precision depends."""
        return self.anomalous / (self.normal + self.anomalous)

    def __str__(self) -> str:
        terms = ", ".join(f"{title} {value}" for title, value in self.rows().items())
        return f"{terms} (data), n = {self.normal} normal, {self.anomalous} anomalous"

    def rows(self) -> dict[str, str]:
        """Return title -> value ± error, as a report's table shows them."""
        return {title: plus_minus(getattr(self, key), self.standard_errors[key]) for key, title in _TITLES.items()}

    def as_json(self) -> dict:
        """Return plain numbers with their errors."""
        values = {key: plain(getattr(self, key)) for key in _TITLES}
        errors = {key: plain(error) for key, error in self.standard_errors.items()}
        return {**values, "standard_errors": errors, "normal": self.normal, "anomalous": self.anomalous}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try; empty when all is well."""
        error, said = self.standard_errors["auroc"], []
        if self.auroc < 0.5 - 2 * max(error, 0.0):
            said.append(
                f"Anomalies score lower than normal examples (AUROC {self.auroc:.2f}): a VAE can find simpler data "
                "more likely than its own. Try anomaly.LikelihoodRatio or anomaly.Typicality."
            )
        elif self.auroc < 0.5 + 2 * max(error, 0.0):
            said.append(
                f"The AUROC, {plus_minus(self.auroc, error)}, is not distinguished from chance: try another score, or "
                "more examples."
            )
        if self.auroc == 1.0:
            few = min(self.normal, self.anomalous)
            said.append(
                f"All anomalies score higher than all normal examples, so that the error reads 0: from {few} of one "
                f"kind, the true AUROC may be about {3 / few:.2g} lower."
            )
        return tuple(said)


def detection(
    normal_scores: ArrayLike, anomalous_scores: ArrayLike, *, resamples: int = 200, seed: int = 0
) -> Detection:
    """Measure how well a score, higher for what is more anomalous, tells anomalies from normal examples.

        AUROC = P(s(anomaly) > s(normal)) + P(s(anomaly) = s(normal)) / 2

    The error of the AUROC is DeLong's; those of the other two come from a bootstrap within each kind. None of the
    three says how well a threshold works that was chosen without anomalies: for that there is `calibrate`.

    Args:
        normal_scores: scores of normal examples, [n].
        anomalous_scores: scores of anomalies, [m].
        resamples: bootstrap draws.
        seed: of the bootstrap.

    Returns:
        A `Detection`: shares without a unit.

    Raises:
        ValueError: if there are fewer than two scores of a kind, one is NaN, or `resamples` or `seed` is no number it
            can be.

    Reference: E. DeLong, D. DeLong and D. Clarke-Pearson, "Comparing the Areas under Two or More Correlated Receiver
    Operating Characteristic Curves: A Nonparametric Approach", Biometrics 44, 1988,
    https://doi.org/10.2307/2531595.

    Example:
        >>> from tfvae.evaluation import anomaly
        >>> found = anomaly.detection([0.1, 0.4, 0.2, 0.3], [0.35, 0.8, 0.9])
        >>> round(found.auroc, 3), found.false_alarms
        (0.917, 0.25)
    """
    normal = scores_of("normal_scores", normal_scores, 2)
    anomalous = scores_of("anomalous_scores", anomalous_scores, 2)
    draws = np.random.default_rng(whole_number_in("seed", seed, 0, 2**31 - 1))
    area, area_error = auroc(normal, anomalous)
    precision, alarms = _by_threshold(normal, anomalous)
    drawn = [
        _by_threshold(draws.choice(normal, len(normal)), draws.choice(anomalous, len(anomalous)))
        for _ in range(positive_int("resamples", resamples))
    ]
    precision_error, alarms_error = np.std(drawn, 0, ddof=1) if len(drawn) > 1 else (np.nan, np.nan)
    errors = {
        "auroc": area_error,
        "average_precision": float(precision_error),
        "false_alarms": float(alarms_error),
    }
    return Detection(area, precision, alarms, errors, len(normal), len(anomalous))


def _by_threshold(normal: np.ndarray, anomalous: np.ndarray) -> tuple[float, float]:
    """Return the average precision and the false alarms where 95 % of the anomalies are found."""
    from sklearn.metrics import average_precision_score, roc_curve  # they take most of a second

    # By ranks, as scikit-learn takes no infinity: a density may be zero.
    _, scores = np.unique(np.concatenate([normal, anomalous]), return_inverse=True)
    kinds = np.repeat([0, 1], [len(normal), len(anomalous)])
    alarms, found, _ = roc_curve(kinds, scores, drop_intermediate=False)
    return float(average_precision_score(kinds, scores)), float(alarms[found >= _FOUND].min())
