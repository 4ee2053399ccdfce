"""The score of codes that stay where they are while every factor but one is changed."""

import numpy as np
from numpy.typing import ArrayLike

from tfvae.errors import number_in
from tfvae.evaluation.disentanglement.score import Score
from tfvae.evaluation.disentanglement.table import Table, by_chance, error_of, several_factors, table
from tfvae.random import generator

_FEW = 10  # rows of a group, whose largest deviation is too small


def irs(
    codes: ArrayLike,
    factors: ArrayLike,
    seed: int | tuple[int, int] = 0,
    *,
    quantile: float = 0.99,
    repeats: int = 10,
) -> Score:
    """Measure the interventional robustness: how little a code moves while its own factor is fixed.

        IRS_ik = 1 - E_v[max_(x: v_k(x) = v) |z_i(x) - E[z_i | v_k = v]|] / max_x |z_i(x) - E[z_i]|

    Every code counts with the factor that fixes it best, weighted by how far the code moves at all: unlike the other
    scores, this one depends on the relative scale of the codes. The largest deviation within a group is taken as a
    quantile, so that noise does not score 0: compare with `chance`. Rows of all values of the other factors stand for
    interventions on them, which is right where factors are independent. A value that only one row has tells nothing
    and is left out.

    Args:
        codes: numbers [n, D].
        factors: whole numbers [n, F], F at least 2.
        seed: of the halves that give the error.
        quantile: 1 for the largest deviation, less against outliers.
        repeats: halves.

    Returns:
        A `Score`: `detail` is the best of each code, `matrix` holds IRS, [D, F].

    Raises:
        ValueError: if codes or factors are not such arrays, n is less than 20, or a factor has no value that rows
            share.

    Reference: R. Suter et al., "Robustly Disentangled Causal Mechanisms", 2019, https://arxiv.org/abs/1811.00007.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import disentanglement
        >>> factors = np.stack(np.unravel_index(np.arange(64), [4, 16]), 1)
        >>> disentanglement.irs(factors, factors).value
        1.0
    """
    data, rng = table(codes, factors), generator(seed)
    several_factors(data)
    level = number_in("quantile", quantile, 0.0, 1.0)
    matrix, weights = _robustness(data, level)

    def score(some: Table) -> float:
        return _mean(*_robustness(some, level))

    return Score(
        "IRS",
        _mean(matrix, weights),
        error_of(data, score, rng, repeats),
        matrix.max(1),
        "code",
        matrix,
        by_chance(data, score, rng),
        len(data),
        (*data.notes, *_doubts(data)),
    )


def _robustness(data: Table, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return IRS [D, F], and the largest deviation of each code [D]."""
    largest = np.abs(data.codes - data.codes.mean(0)).max(0)
    matrix = np.zeros([data.codes.shape[1], len(data.sizes)])
    for k, values in enumerate(data.factors.T):
        moved, rows = np.zeros(len(largest)), 0
        for value in np.flatnonzero(np.bincount(values) > 1):
            group = data.codes[values == value]
            moved += len(group) * np.quantile(np.abs(group - group.mean(0)), level, axis=0)
            rows += len(group)
        moves = moved / max(rows, 1) if rows else largest
        matrix[:, k] = np.where(largest > 0, 1.0 - moves / np.where(largest > 0, largest, 1.0), 0.0)
    return np.maximum(matrix, 0.0), largest


def _mean(matrix: np.ndarray, weights: np.ndarray) -> float:
    return float(np.average(matrix.max(1), weights=weights)) if weights.any() else 0.0


def _doubts(data: Table) -> tuple[str, ...]:
    rows = [float(np.median(np.bincount(values))) for values in data.factors.T]
    least = int(np.argmin(rows))
    if rows[least] >= _FEW:
        return ()
    return (
        f"A value of factor {least} has {rows[least]:g} rows in the median: their largest deviation is too small, and "
        "IRS too high. Measure more rows, or cut the factor into fewer values.",
    )
