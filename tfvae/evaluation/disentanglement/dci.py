"""Disentanglement, completeness and informativeness, from what a learner finds important."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tfvae.evaluation.disentanglement.learners import Learner, random_forest, trained
from tfvae.evaluation.disentanglement.score import Score
from tfvae.evaluation.disentanglement.table import Table, halves, spread, table
from tfvae.random import generator


@dataclass(frozen=True)
class DCI:
    """Three scores of one table of importances."""

    disentanglement: Score
    """Whether each code is important for one factor only: per code."""
    completeness: Score
    """Whether one code is important for each factor: per factor."""
    informativeness: Score
    """How well all codes together predict each factor: accuracy on rows held out, per factor."""

    @property
    def scores(self) -> tuple[Score, Score, Score]:
        """The three."""
        return self.disentanglement, self.completeness, self.informativeness

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the numbers, and what to try."""
        return tuple(dict.fromkeys(warning for score in self.scores for warning in score.warnings))

    def __str__(self) -> str:
        return "\n".join(map(str, self.scores))

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        return {title: value for score in self.scores for title, value in score.rows().items()}

    def as_json(self) -> dict:
        """Return plain numbers."""
        return {name: getattr(self, name).as_json() for name in self.__dataclass_fields__}


def dci(
    codes: ArrayLike,
    factors: ArrayLike,
    seed: int | tuple[int, int] = 0,
    *,
    learner: Learner = random_forest,
    repeats: int = 5,
) -> DCI:
    """Measure disentanglement, completeness and informativeness with a learner that says which codes it uses.

        D = sum_i rho_i (1 - H_F(P_i.)),   P_ik = R_ik / sum_k R_ik,   rho_i = sum_k R_ik / sum_ik R_ik
        C = 1/F sum_k (1 - H_D(Q_.k)),     Q_ik = R_ik / sum_i R_ik
        I = 1/F sum_k accuracy of v_k

    R holds the importances of the codes for each factor, H_F the entropy with logarithms to the base F. A code that is
    important for nothing has no weight in D; a factor that nothing predicts has a completeness of 0.

    Args:
        codes: numbers [n, D].
        factors: whole numbers [n, F].
        seed: of the halves and the learner.
        learner: function from a seed to a classifier of scikit-learn that has `feature_importances_`.
        repeats: halves: one trains, the other tests, the values are means over them.

    Returns:
        A `DCI` of three `Score`s, whose `matrix` is the mean of R.

    Raises:
        ValueError: if codes or factors are not such arrays, n is less than 20, a factor has one value only, or the
            learner has no importances.

    Reference: C. Eastwood and C. Williams, "A Framework for the Quantitative Evaluation of Disentangled
    Representations", 2018, Sec. 2, https://openreview.net/forum?id=By-7dz-AZ.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import disentanglement
        >>> factors = np.stack(np.unravel_index(np.arange(256), [4, 64]), 1) % 4
        >>> record = disentanglement.dci(factors, factors)
        >>> record.disentanglement.value, record.completeness.value, record.informativeness.value
        (1.0, 1.0, 1.0)
    """
    data, rng = table(codes, factors), generator(seed)
    runs = [_fit(data, learner, *rows, rng) for rows in halves(len(data), rng, repeats)]
    importances, accuracies = np.stack([r for r, _ in runs]), np.stack([a for _, a in runs])
    per_code = np.stack([_certainty(r) for r in importances])  # [repeats, D]
    weights = importances.sum(2) / np.maximum(importances.sum((1, 2)), 1e-300)[:, None]
    per_factor = np.stack([_certainty(r.T) for r in importances])  # [repeats, F]
    matrix, chance = importances.mean(0), [np.bincount(v).max() / len(v) for v in data.factors.T]

    def score(title: str, values: np.ndarray, detail: np.ndarray, per: str, by_chance: float) -> Score:
        return Score(title, float(values.mean()), spread(values), detail.mean(0), per, matrix, by_chance, len(data),
                     data.notes)  # fmt: skip

    return DCI(
        score("DCI disentanglement", (weights * per_code).sum(1), per_code, "code", 0.0),
        score("DCI completeness", per_factor.mean(1), per_factor, "factor", 0.0),
        score("DCI informativeness", accuracies.mean(1), accuracies, "factor", float(np.mean(chance))),
    )


def _fit(
    data: Table, learner: Learner, first: np.ndarray, second: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the importances [D, F] and the accuracies [F]."""
    importances, accuracies = np.zeros([data.codes.shape[1], len(data.sizes)]), np.zeros(len(data.sizes))
    for k, values in enumerate(data.factors.T):
        fitted = trained(learner, data.codes[first], values[first], rng)
        accuracies[k] = fitted.score(data.codes[second], values[second])
        if (values[first] != values[first][0]).any():
            importances[:, k] = np.abs(_importances(fitted))
    return importances, accuracies


def _importances(fitted: object) -> np.ndarray:
    if not hasattr(fitted, "feature_importances_"):
        raise ValueError(
            "Expected a learner with feature_importances_, such as disentanglement.random_forest or boosted_trees. "
            f"Received: a learner that returns {fitted!r}"
        )
    return fitted.feature_importances_


def _certainty(rows: np.ndarray) -> np.ndarray:
    """Return 1 - entropy of each row, normalised, to the base of its length; 0 for a row of zeros."""
    from scipy.special import entr

    total = rows.sum(1, keepdims=True)
    shares = rows / np.where(total > 0, total, 1.0)
    return np.where(total[:, 0] > 0, 1.0 - entr(shares).sum(1) / np.log(max(2, rows.shape[1])), 0.0)
