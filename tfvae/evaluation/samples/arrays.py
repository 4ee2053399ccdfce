"""Features of two sets of examples: checked, halved, compared in blocks of bounded memory."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike

_MEGABYTES = 64  # of distances at a time
_ROUNDING = 1e-7  # of a distance, relative to the largest norm: |x|^2 - 2 x.y + |y|^2 cancels for near points
HALVES = 20


def features_of(name: str, values: ArrayLike, least: int) -> np.ndarray:
    """Return features as float64 [n, d], each example flattened.

    Raises:
        ValueError: as `examples_of` does.
    """
    return examples_of(name, values, least).astype(np.float64, copy=False)


def examples_of(name: str, values: ArrayLike, least: int) -> np.ndarray:
    """Return examples flattened to [n, d], float32 as they are, for there may be many, and others as float64.

    Raises:
        ValueError: if there are fewer than `least` examples, of rank 1, or a value is not finite.
    """
    try:
        array = np.asarray(values)
        array = array if array.dtype == np.float32 else array.astype(np.float64, copy=False)
    except (ValueError, TypeError):
        raise ValueError(f"Expected {name} to be numbers of shape [n, d]. Received: {name}={values!r:.80}") from None
    if array.ndim < 2 or len(array) < least or not array[0].size:
        raise ValueError(
            f"Expected {name} to have shape [n, d], at least {least} examples. Received: {name}.shape={array.shape}"
        )
    bad = int((~np.isfinite(array)).sum())
    if bad:
        raise ValueError(f"Expected {name} to be finite. Received: {bad} of {array.size} values that are not")
    return array.reshape(len(array), -1)


def pair_of(real: ArrayLike, fake: ArrayLike, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the features of real and of generated examples, [n, d] and [m, d], less the mean of the real ones.

    Raises:
        ValueError: as `features_of` does, or if they have not the same length d.
    """
    ours, theirs = features_of("real", real, least), features_of("fake", fake, least)
    if ours.shape[1] != theirs.shape[1]:
        raise ValueError(
            "Expected real and fake to have features of one length. "
            f"Received: real.shape={np.shape(real)}, fake.shape={np.shape(fake)}"
        )
    centre = ours.mean(0)  # no distance depends on it, but their rounding does
    return ours - centre, theirs - centre


def error_over_halves(
    statistic: Callable[..., np.ndarray | float], real: np.ndarray, fake: np.ndarray, seed: int
) -> np.ndarray:
    """Return the standard error of a statistic of two samples: its standard deviation over random halves of both.

    Half of the examples is as far from all of them as all are from the distribution, where the statistic is smooth, and
    a half holds no example twice, as a bootstrap sample does, which neighbours would notice.

    Reference: J. Shao and C. Wu, "A General Theory for Jackknife Variance Estimation", 1989, with d = n / 2,
    https://doi.org/10.1214/aos/1176347263.
    """
    draws = np.random.default_rng(seed)
    values = [statistic(half(draws, real)[0], half(draws, fake)[0]) for _ in range(HALVES)]
    return np.std(np.array(values), 0, ddof=1)


def half(draws: np.random.Generator, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a random half of the examples, and the other half."""
    order = draws.permutation(len(values))
    return values[order[: len(order) // 2]], values[order[len(order) // 2 :]]


def _distances(queries: np.ndarray, points: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the distances of some queries to all points, [q, n], in blocks of bounded memory."""
    from sklearn.metrics import pairwise_distances_chunked  # it takes most of a second, so only where it is needed

    return pairwise_distances_chunked(queries, points, working_memory=_MEGABYTES)


def radii(points: np.ndarray, k: int) -> np.ndarray:
    """Return the distance of each point to its k-th nearest among the others, [n], a little more for rounding."""
    # A point is its own nearest. Products of matrices are several times as fast as a search where cores are busy.
    blocks = _distances(points, points)
    distances = np.concatenate([np.partition(block, k, axis=1)[:, k] for block in blocks])
    return distances + _ROUNDING * float(np.linalg.norm(points, axis=1).max())


def nearest(points: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance of each query to the nearest point, and which that is, [m] each."""
    blocks = _distances(queries, points)
    index = np.concatenate([block.argmin(1) for block in blocks])
    return np.linalg.norm(queries - points[index], axis=1), index  # by differences, so that a copy is at zero


def inside(points: np.ndarray, within: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the balls around points that hold each query, [m], and tell which balls hold any, [n]."""
    counts, held = [], np.zeros(len(points), bool)
    for distances in _distances(queries, points):
        holds = distances <= within
        counts.append(holds.sum(1))
        held |= holds.any(0)
    return np.concatenate(counts), held
