"""Which of several models is best disentangled, told without any factor: by what they agree on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tfvae.evaluation.disentanglement.table import checked_codes, halves, standardised
from tfvae.evaluation.printing import plain, plus_minus
from tfvae.random import generator

Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From standardised codes [n, D] and [n, E] to how much each of the first is like each of the second, [D, E]."""


@dataclass(frozen=True)
class Ranking:
    """How much each of several models agrees with the others on what its codes are."""

    values: np.ndarray
    """The score of each model, [M]: the median of its pairs; the higher, the better disentangled."""
    errors: np.ndarray
    """Standard error of each over the data, [M]; that of other trainings is the spread of `pairs`."""
    pairs: np.ndarray
    """The score of each pair of models, [M, M], symmetric; NaN on the diagonal."""
    examples: int
    """Number of rows of codes."""

    @property
    def best(self) -> int:
        """Index of the model with the highest score."""
        return int(np.argmax(self.values))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the ranking, and what to try."""
        if len(self.values) > 2:
            return ()
        return ("Two models have one score between them, which ranks neither: train at least three.",)

    def __str__(self) -> str:
        scores = ", ".join(self.rows().values())
        return f"UDR of {len(self.values)} models: {scores} (data), best: model {self.best}, n = {self.examples}"

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        pairs = zip(self.values, self.errors, strict=True)
        return {f"UDR of model {m}": plus_minus(value, error) for m, (value, error) in enumerate(pairs)}

    def as_json(self) -> dict:
        """Return plain numbers."""
        return {
            "values": [plain(value) for value in self.values],
            "standard_errors": [plain(error) for error in self.errors],
            "best": self.best,
            "examples": self.examples,
        }


def lasso(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return absolute coefficients of a linear prediction of b from a with an L1 penalty of 0.1, [D, E].

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import disentanglement
        >>> a = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
        >>> disentanglement.lasso(a, -a).round(6)
        array([[0.9, 0. ],
               [0. , 0.9]])
    """
    from sklearn.linear_model import Lasso

    return np.abs(Lasso(alpha=0.1).fit(a, b).coef_).reshape(b.shape[1], a.shape[1]).T


def spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return absolute rank correlations, [D, E].

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import disentanglement
        >>> a = np.arange(12.0)[:, None]
        >>> disentanglement.spearman(a, -(a**3)).round(6)
        array([[1.]])
    """
    from scipy.stats import rankdata

    ranks = standardised(rankdata(a, axis=0)), standardised(rankdata(b, axis=0))
    return np.abs(ranks[0].T @ ranks[1]) / len(a)


def udr(
    codes: Sequence[ArrayLike],
    seed: int | tuple[int, int] = 0,
    *,
    informative: Sequence[ArrayLike] = (),
    similarity: Similarity = lasso,
    repeats: int = 10,
) -> Ranking:
    """Rank models by unsupervised disentanglement ranking: whether each code of one is like one code of another.

        UDR_ab = 1 / (D_a + D_b) (sum_j max_i R_ij^2 / sum_i R_ij + sum_i max_j R_ij^2 / sum_j R_ij)

    R is the similarity of the codes of models a and b, over the informative ones only: D_a and D_b of them. With the
    lasso two equal models score 0.9, not 1, as the penalty shrinks their coefficients. Both directions are averaged.

    Args:
        codes: for each model numbers [n, D_m], of the same n examples.
        seed: of the halves that give the error.
        informative: for each model which of its codes tell anything, booleans [D_m]: those with a rate above 0.01 nats
            in the paper; without it, those that are not constant.
        similarity: function of two arrays of codes: `lasso` or `spearman`.
        repeats: halves.

    Returns:
        A `Ranking`.

    Raises:
        ValueError: unless there are two models at least, with codes of as many rows, and one mask for each or none.

    Reference: S. Duan et al., "Unsupervised Model Selection for Variational Disentangled Representation Learning",
    2020, https://arxiv.org/abs/1905.12614.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import disentanglement
        >>> z = np.random.default_rng(0).normal(size=[500, 3])
        >>> ranking = disentanglement.udr([z, -z[:, ::-1], z + z[:, ::-1]], similarity=disentanglement.spearman)
        >>> ranking.values.round(1), ranking.best
        (array([0.8, 0.8, 0.6]), 0)
    """
    if len(codes) < 2:
        raise ValueError(f"Expected the codes of at least two models. Received: {len(codes)} models")
    arrays = [checked_codes(f"codes[{m}]", z) for m, z in enumerate(codes)]
    if len({len(z) for z in arrays}) > 1:
        raise ValueError(
            f"Expected codes of the same examples. Received: codes with {', '.join(str(len(z)) for z in arrays)} rows"
        )
    kept = [z[:, mask] for z, mask in zip(arrays, _masks(arrays, informative), strict=True)]
    n, rng = len(arrays[0]), generator(seed)
    pairs = _pairs(kept, similarity)
    spreads = [_medians(_pairs([z[first] for z in kept], similarity)) for first, _ in halves(n, rng, repeats)]
    return Ranking(_medians(pairs), np.std(spreads, 0, ddof=1), pairs, n)


def _masks(codes: list[np.ndarray], informative: Sequence[ArrayLike]) -> list[np.ndarray]:
    varies = [np.ptp(z, 0) > 0 for z in codes]
    if not len(informative):
        return varies
    masks = [np.asarray(mask) for mask in informative]
    shapes = [mask.shape for mask in masks]
    if shapes != [v.shape for v in varies] or any(mask.dtype != bool for mask in masks):
        raise ValueError(
            "Expected informative to hold a boolean for each code of each model. "
            f"Received: informative of shapes {shapes}, dtypes {[str(mask.dtype) for mask in masks]}"
        )
    return [mask & v for mask, v in zip(masks, varies, strict=True)]


def _pairs(codes: list[np.ndarray], similarity: Similarity) -> np.ndarray:
    scaled = [standardised(z) for z in codes]
    scores = np.full([len(codes)] * 2, np.nan)
    for a, b in np.argwhere(~np.eye(len(codes), dtype=bool)):
        scores[a, b] = _agreement(similarity(scaled[a], scaled[b])) if codes[a].size and codes[b].size else 0.0
    return (scores + scores.T) / 2


def _agreement(r: np.ndarray) -> float:
    total = sum(float(np.sum(r.max(axis) ** 2 / np.maximum(r.sum(axis), 1e-300))) for axis in (0, 1))
    return total / sum(r.shape)


def _medians(pairs: np.ndarray) -> np.ndarray:
    return np.nanmedian(pairs, 1)
