"""Scores from groups of examples that share the value of one factor, which a classifier has to name."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from tfvae.errors import whole_number_in
from tfvae.evaluation.disentanglement.learners import logistic, trained
from tfvae.evaluation.disentanglement.score import Score
from tfvae.evaluation.disentanglement.table import Table, error_of, several_factors, standardised, table
from tfvae.random import generator

_AT_ONCE = 2**20  # codes gathered at a time, which bounds the memory


def beta_vae_score(
    codes: ArrayLike,
    factors: ArrayLike,
    seed: int | tuple[int, int] = 0,
    *,
    pairs: int = 64,
    points: int = 3000,
    repeats: int = 10,
) -> Score:
    """Measure how well a linear classifier tells which factor was fixed, from the differences of codes in pairs.

        accuracy of k from 1/L sum_l |z(a_l) - z(b_l)|,   v_k(a_l) = v_k(b_l)

    A pair is any row and another row with the same value of factor k, so that not all combinations of values need
    occur. Half of the points train the classifier, the others test it, as many of each factor. Codes are standardised
    first, so that the classifier's penalty does not depend on their scale.

    Args:
        codes: numbers [n, D].
        factors: whole numbers [n, F], F at least 2.
        seed: of the pairs and of the halves that give the error.
        pairs: L, pairs of a point.
        points: differences that are classified.
        repeats: halves.

    Returns:
        A `Score`: `detail` is the accuracy of each factor, `matrix` the share of the points of each factor that the
        classifier gave to each, [F, F].

    Raises:
        ValueError: if codes or factors are not such arrays, n is less than 20, or a factor has no value that rows
            share.

    Reference: I. Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework",
    2017, Sec. 3, https://openreview.net/forum?id=Sy2fzU9gl.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import disentanglement
        >>> factors = np.stack(np.unravel_index(np.arange(64), [4, 16]), 1)
        >>> disentanglement.beta_vae_score(factors, factors, points=200).value
        1.0
    """
    data, rng = table(codes, factors), generator(seed)
    several_factors(data)
    pairs, half = whole_number_in("pairs", pairs, 1, 10**6), _half_of_points(points, data)

    def shares(some: Table) -> np.ndarray:
        scaled = standardised(some.codes)
        sets = [[_differences(scaled, v, rng, half, pairs) for v in some.factors.T] for _ in range(2)]
        which = np.repeat(np.arange(len(data.sizes)), half)
        fitted = trained(logistic, np.concatenate(sets[0]), which, rng)
        return _confusion(which, fitted.predict(np.concatenate(sets[1])), len(data.sizes))

    return _accuracy("BetaVAE score", data, shares(data), error_of(data, lambda t: _hits(shares(t)), rng, repeats))


def factor_vae_score(
    codes: ArrayLike,
    factors: ArrayLike,
    seed: int | tuple[int, int] = 0,
    *,
    batch: int = 64,
    points: int = 3000,
    repeats: int = 10,
) -> Score:
    """Measure how well the code that varies least tells which factor was fixed, by majority vote.

        accuracy of k from d = argmin_d Var_l[z_d(x_l)] / Var[z_d],   v_k(x_l) = v

    A batch is any row and others with the same value of factor k, drawn with replacement, so that not all combinations
    of values need occur. Half of the points vote, the others test, as many of each factor. A constant code never has
    the least variance.

    Args:
        codes: numbers [n, D].
        factors: whole numbers [n, F], F at least 2.
        seed: of the batches and of the halves that give the error.
        batch: L, rows of a point, at least 2.
        points: batches that are classified.
        repeats: halves.

    Returns:
        A `Score`: `detail` is the accuracy of each factor, `matrix` the share of the votes of each code for each
        factor, [D, F].

    Raises:
        ValueError: as `beta_vae_score`.

    Reference: H. Kim and A. Mnih, "Disentangling by Factorising", 2018, Sec. 4, https://arxiv.org/abs/1802.05983.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import disentanglement
        >>> factors = np.stack(np.unravel_index(np.arange(64), [4, 16]), 1)
        >>> disentanglement.factor_vae_score(factors, factors, points=200).value
        1.0
    """
    data, rng = table(codes, factors), generator(seed)
    several_factors(data)
    batch, half = whole_number_in("batch", batch, 2, 10**6), _half_of_points(points, data)

    def vote(some: Table) -> tuple[np.ndarray, np.ndarray]:
        drawn = [[_steadiest(some.codes, v, rng, half, batch) for v in some.factors.T] for _ in range(2)]
        votes = np.stack([np.bincount(d, minlength=some.codes.shape[1]) for d in drawn[0]], 1)  # [D, F]
        winners = votes.argmax(1)[np.concatenate(drawn[1])]
        which = np.repeat(np.arange(len(data.sizes)), half)
        return votes / (half * len(data.sizes)), _confusion(which, winners, len(data.sizes))

    votes, shares = vote(data)
    error = error_of(data, lambda t: _hits(vote(t)[1]), rng, repeats)
    return _accuracy("FactorVAE score", data, shares, error, votes)


def _half_of_points(points: int, data: Table) -> int:
    """Return how many points of each factor train, and how many test."""
    return whole_number_in("points", points, 2 * len(data.sizes), 10**8) // (2 * len(data.sizes))


def _confusion(truth: np.ndarray, named: np.ndarray, size: int) -> np.ndarray:
    counts = np.bincount(truth * size + named, minlength=size * size).reshape(size, size)
    return counts / counts.sum(1, keepdims=True)


def _hits(shares: np.ndarray) -> float:
    return float(np.diag(shares).mean())


def _accuracy(title: str, data: Table, shares: np.ndarray, error: float, matrix: np.ndarray | None = None) -> Score:
    return Score(
        title,
        _hits(shares),
        error,
        np.diag(shares),
        "factor",
        shares if matrix is None else matrix,
        1.0 / len(shares),
        len(data),
        data.notes,
    )


def groups(values: np.ndarray, rng: np.random.Generator, shape: tuple[int, int], together: bool) -> Iterator[tuple]:
    """Yield indices of rows, [p, L] twice, that have equal values, until `shape` = (points, L) are drawn.

    Args:
        values: of one factor, [n].
        rng: generator.
        shape: points and rows of a point.
        together: all rows of a point share one value; else only the two of a pair do, which are never the same row
            where another has the value.
    """
    order = np.argsort(values, kind="stable")
    counts = np.bincount(values)
    starts, place = np.cumsum(counts) - counts, np.empty_like(order)
    place[order] = np.arange(len(order))
    shared = np.flatnonzero(counts[values] > 1)  # what nobody shares cannot be fixed
    if not len(shared):
        shared = np.arange(len(values))
    points, size = shape
    chunk = max(1, _AT_ONCE // size)
    for begin in range(0, points, chunk):
        rows = min(chunk, points - begin)
        first = rng.choice(shared, [rows, 1 if together else size])
        start, count = starts[values[first]], counts[values[first]]
        jump = rng.integers(0 if together else 1, np.maximum(count, 1 if together else 2), [rows, size])
        yield first, order[start + (place[first] - start + jump) % count]


def _differences(
    codes: np.ndarray, values: np.ndarray, rng: np.random.Generator, points: int, pairs: int
) -> np.ndarray:
    drawn = groups(values, rng, (points, pairs), together=False)
    return np.concatenate([np.abs(codes[a] - codes[b]).mean(1) for a, b in drawn])  # [points, D]


def _steadiest(codes: np.ndarray, values: np.ndarray, rng: np.random.Generator, points: int, size: int) -> np.ndarray:
    total = codes.var(0)
    scale = np.where(total > 0, total, 1.0)
    parts = []
    for _, rows in groups(values, rng, (points, size), together=True):
        ratio = np.where(total > 0, codes[rows].var(1) / scale, np.inf)  # [points, D]
        parts.append(ratio.argmin(1))
    return np.concatenate(parts)
