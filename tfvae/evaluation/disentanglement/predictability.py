"""Scores from how well one code, or all codes, predict a factor on rows that were held out."""

import numpy as np
from numpy.typing import ArrayLike

from tfvae.evaluation.disentanglement.learners import Learner, linear_svc, logistic, trained
from tfvae.evaluation.disentanglement.score import Score
from tfvae.evaluation.disentanglement.table import Table, halves, spread, standardised, table
from tfvae.random import generator


def sap(
    codes: ArrayLike,
    factors: ArrayLike,
    seed: int | tuple[int, int] = 0,
    *,
    learner: Learner = linear_svc,
    repeats: int = 5,
) -> Score:
    """Measure the separated attribute predictability: how much better the best single code predicts a factor.

        SAP = 1/F sum_k (S_(1)k - S_(2)k),   S_ik = score of predicting v_k from z_i alone

    The score is the learner's own, on the other half of the rows: accuracy of a classifier, R^2 of a regression, at
    least 0. One linear classifier against each rest cannot tell the middle values of an ordered factor, and a second
    code is right by chance, so that even a perfect code scores below 1; `disentanglement.straight_line` gives it 1
    where values have an order. Codes are standardised first.

    Args:
        codes: numbers [n, D].
        factors: whole numbers [n, F].
        seed: of the halves and the learner.
        learner: function from a seed to a learner of scikit-learn.
        repeats: halves: the value is their mean.

    Returns:
        A `Score`: `detail` is the gap of each factor, `matrix` holds S, [D, F].

    Raises:
        ValueError: if codes or factors are not such arrays, n is less than 20, a factor has one value only, or
            `learner` returns no learner.

    Reference: A. Kumar, P. Sattigeri and A. Balakrishnan, "Variational Inference of Disentangled Latent Concepts from
    Unlabeled Observations", 2018, Sec. 3, https://arxiv.org/abs/1711.00848.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import disentanglement
        >>> factors = np.stack(np.unravel_index(np.arange(64), [4, 16]), 1)
        >>> score = disentanglement.sap(factors, factors, learner=disentanglement.straight_line)
        >>> score.value > 0.9
        True
    """
    data, rng = table(codes, factors), generator(seed)
    scaled = Table(standardised(data.codes), data.factors)
    matrices = np.stack([_scores(scaled, learner, *rows, rng) for rows in halves(len(data), rng, repeats)])
    padded = np.concatenate([np.zeros_like(matrices[:, :1]), matrices], 1)  # a single code has no second
    ordered = np.sort(padded, 1)
    gaps = ordered[:, -1] - ordered[:, -2]  # [repeats, F]
    return Score(
        "SAP",
        float(gaps.mean()),
        spread(gaps.mean(1)),
        gaps.mean(0),
        "factor",
        matrices.mean(0),
        0.0,
        len(data),
        data.notes,
    )


def explicitness(codes: ArrayLike, factors: ArrayLike, seed: int | tuple[int, int] = 0, *, repeats: int = 5) -> Score:
    """Measure how well a linear classifier tells the values of a factor from all codes, as area under the ROC curve.

        1/F sum_k 1/V_k sum_v AUC(v_k = v against the rest)

    The classifier is logistic regression on standardised codes, trained on one half of the rows and tried on the other.

    Args:
        codes: numbers [n, D].
        factors: whole numbers [n, F].
        seed: of the halves.
        repeats: halves: the value is their mean.

    Returns:
        A `Score` from 0.5, chance, to 1: `detail` is the area of each factor, `matrix` the same, [1, F], because all
        codes are used together.

    Raises:
        ValueError: if codes or factors are not such arrays, n is less than 20, or a factor has one value only.

    Reference: K. Ridgeway and M. Mozer, "Learning Deep Disentangled Embeddings with the F-Statistic Loss", 2018,
    Sec. 3, https://arxiv.org/abs/1802.05312.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import disentanglement
        >>> factors = np.stack(np.unravel_index(np.arange(64), [2, 32]), 1)
        >>> disentanglement.explicitness(factors, factors[:, :1]).value
        1.0
    """
    data, rng = table(codes, factors), generator(seed)
    areas = []
    for first, second in halves(len(data), rng, repeats):
        fitted = [trained(logistic, data.codes[first], v[first], rng) for v in data.factors.T]
        columns = zip(fitted, data.factors.T, strict=True)
        areas.append([_area(f.predict_proba(data.codes[second]), f.classes_, v[second]) for f, v in columns])
    means = np.mean(areas, 0)
    return Score(
        "explicitness",
        float(means.mean()),
        spread(np.mean(areas, 1)),
        means,
        "factor",
        means[None],
        0.5,
        len(data),
        data.notes,
    )


def _scores(
    data: Table, learner: Learner, first: np.ndarray, second: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    scores = np.zeros([data.codes.shape[1], len(data.sizes)])
    for i, k in np.ndindex(scores.shape):
        code, values = data.codes[:, i : i + 1], data.factors[:, k]
        scores[i, k] = max(0.0, trained(learner, code[first], values[first], rng).score(code[second], values[second]))
    return scores


def _area(probabilities: np.ndarray, classes: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean area over the values that occur, by the ranks of the probabilities (Mann and Whitney)."""
    from scipy.stats import rankdata

    positive = truth[:, None] == classes  # [n, V]
    ones = positive.sum(0)
    zeros = len(truth) - ones
    usable = (ones > 0) & (zeros > 0)
    if not usable.any():
        return 0.5
    # Rounded: equal codes must tie, although their probabilities are sums taken in different orders.
    ranks = (rankdata(probabilities.round(12), axis=0) * positive).sum(0) - ones * (ones + 1) / 2
    return float((ranks[usable] / (ones * zeros)[usable]).mean())
