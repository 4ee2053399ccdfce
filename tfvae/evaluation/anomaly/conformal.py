"""A threshold whose rate of false alarms is guaranteed, from normal examples alone."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.stats import beta

from tfvae.errors import number_in
from tfvae.evaluation.anomaly.ranking import scores_of
from tfvae.evaluation.anomaly.scores import Score
from tfvae.evaluation.printing import plain


@dataclass(frozen=True)
class Calibration:
    """A threshold above which an example is flagged, and what is known of its false alarms.

    Over draws of the calibration data, at most `level` of normal examples are flagged; this calibration data's own rate
    is drawn from Beta(n + 1 - r, r), with r = `rank`, where scores have no ties.
    """

    threshold: float
    """The `rank`-th smallest calibration score, in nats: what scores higher is flagged."""
    level: float
    """Upper bound of the expected share of false alarms."""
    rank: int
    """ceil((n + 1) (1 - level))."""
    scores: np.ndarray
    """The calibration scores, in ascending order, [n]."""
    score: Callable
    """What was calibrated."""

    @property
    def examples(self) -> int:
        """Number of calibration examples."""
        return len(self.scores)

    @property
    def false_alarms(self) -> float:
        """Expected share of normal examples that are flagged: floor((n + 1) level) / (n + 1), less with ties."""
        return (self.examples + 1 - self.rank) / (self.examples + 1)

    @property
    def standard_error(self) -> float:
        """Standard deviation of the share of false alarms over draws of the calibration data."""
        return float(beta(self.examples + 1 - self.rank, self.rank).std())

    @property
    def interval(self) -> tuple[float, float]:
        """Central 95 % interval of the share of false alarms over draws of the calibration data."""
        low, high = beta(self.examples + 1 - self.rank, self.rank).interval(0.95)
        return float(low), float(high)

    def p_values(self, data: object) -> np.ndarray:
        """Return for each example the share of normal ones that are at least as anomalous, itself counted, [m].

            p(x) = (1 + #{i: s_i >= s(x)}) / (n + 1),   P(p(x) <= a) <= a for a normal x

        The p-values of several examples depend on each other through the calibration data.

        Raises:
            ValueError: if the score is NaN, or refuses the data.
        """
        return self._p_values(_scored(self.score, data, self.examples))

    def flag(self, data: object) -> np.ndarray:
        """Return for each example whether its score is above the threshold: bool [m].

        Raises:
            ValueError: if the score is NaN, or refuses the data.
        """
        return _scored(self.score, data, self.examples) > self.threshold

    def _p_values(self, scores: np.ndarray) -> np.ndarray:
        higher = self.examples - np.searchsorted(self.scores, scores, side="left")
        return (1 + higher) / (self.examples + 1)

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"threshold {self.threshold:.2f} nats, false alarms {self.false_alarms:.3f} <= {self.level:g} expected, "
            f"95 % interval {low:.3f} to {high:.3f} (calibration data), n = {self.examples}"
        )

    def rows(self) -> dict[str, str]:
        """Return title -> value, as a report's table shows them."""
        low, high = self.interval
        return {
            "threshold (nats)": f"{self.threshold:.2f}",
            "false alarms": f"{self.false_alarms:.3f} ± {self.standard_error:.3f} ({low:.3f} to {high:.3f})",
        }

    def as_json(self) -> dict:
        """Return plain numbers with their errors."""
        return {
            "threshold": plain(self.threshold),
            "level": self.level,
            "rank": self.rank,
            "false_alarms": self.false_alarms,
            "standard_error": self.standard_error,
            "interval": list(self.interval),
            "examples": self.examples,
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try; empty when all is well."""
        said, (low, high) = [], self.interval
        if high > 2 * self.level:
            said.append(
                f"From {self.examples} calibration examples the share of false alarms may be anything from {low:.3f} "
                f"to {high:.3f}: calibrate on more, about {_enough(self.level)}."
            )
        if len(np.unique(self.scores)) < self.examples:
            said.append("Some calibration scores are equal: fewer false alarms than stated are to be expected.")
        if not np.isfinite(self.threshold):
            said.append("The threshold is infinite, so nothing is flagged: the model cannot score its own data.")
        return tuple(said)


def calibrate(score: Callable[..., np.ndarray], calibration_data: object, level: float = 0.05) -> Calibration:
    """Choose the threshold of a score so that at most `level` of normal examples are flagged, for any distribution.

        t = the ceil((n + 1) (1 - level))-th smallest of s(x_1), ..., s(x_n),   P(s(x) > t) <= level

    The guarantee holds for a new x that is exchangeable with the calibration examples, over draws of both, whatever the
    score and the model; it says nothing of how many anomalies are found. The score must not have seen the calibration
    data: neither the model in training, nor `Typicality`.

    Args:
        score: an `anomaly.Score`, or any function from data to an array [n], higher for what is more anomalous.
        calibration_data: normal examples: an array [n, *event], or a data set of batches [B, *event].
        level: largest expected share of false alarms, above 0 and below 1.

    Returns:
        A `Calibration`, with methods `flag` and `p_values`.

    Raises:
        ValueError: if `level` is not between 0 and 1, the examples are too few for it, a score is NaN, or the score
            refuses the data.

    Reference: V. Vovk, "Conditional Validity of Inductive Conformal Predictors", 2012,
    https://arxiv.org/abs/1209.2673; S. Bates et al., "Testing for Outliers with Conformal p-values", 2023,
    https://arxiv.org/abs/2104.08279.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import anomaly
        >>> distance = lambda x: np.abs(x[:, 0])
        >>> alarm = anomaly.calibrate(distance, np.arange(1.0, 40.0)[:, None], level=0.1)
        >>> alarm.threshold, alarm.flag(np.array([[36.0], [-50.0]])).tolist()
        (36.0, [False, True])
    """
    if not callable(score):
        raise ValueError(
            f"Expected score to be called with data, such as anomaly.NegativeELBO(model). Received: {score=!r}"
        )
    exact = Fraction(str(number_in("level", level, 0.0, 1.0)))  # 0.05 is meant, not the nearest binary fraction
    if not 0 < exact < 1:
        raise ValueError(f"Expected level to be above 0 and below 1. Received: level={level!r}")
    scores = np.sort(_scored(score, calibration_data, 0))
    n = len(scores)
    rank = n + 1 - int((n + 1) * exact)
    if rank > n:
        needed = -int(-1 / exact // 1) - 1
        raise ValueError(
            f"Expected at least {needed} calibration examples for level={level:g}: with fewer, no threshold has the "
            f"guarantee. Received: {n} examples"
        )
    return Calibration(float(scores[rank - 1]), float(exact), rank, scores, score)


def _scored(score: Callable[..., np.ndarray], data: object, first: int) -> np.ndarray:
    """Score data, from a place in the noise on where the score has noise."""
    return scores_of("score(data)", score(data, first) if isinstance(score, Score) else score(data))


def _enough(level: float) -> int:
    """Return how many examples it takes until the rate is within half of the level in 95 of 100 draws."""
    return int(round(16 * (1 - level) / level, -1))
