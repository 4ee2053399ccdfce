"""Codes and the factors they should stand for, checked, and the halves of the rows that tell a score's error."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from tfvae.errors import whole_number_in

_SHUFFLES = 5
LEAST = 20  # rows; fewer leave a half too little to learn from
_CONSTANT = 1e-6  # deviation of a code, relative to its largest value, that is rounding


class Table:
    """Codes [n, D] beside factors [n, F], whose values are counted from 0; no grid of factor values is assumed.

    Args:
        codes: float64 [n, D].
        factors: int64 [n, F], the values of each factor 0, 1, ...
    """

    def __init__(self, codes: np.ndarray, factors: np.ndarray):
        self.codes, self.factors = codes, factors
        self.sizes = [int(values.max()) + 1 for values in factors.T]

    def __len__(self) -> int:
        return len(self.codes)

    def rows(self, index: np.ndarray) -> "Table":
        """Return some of the rows."""
        return Table(self.codes[index], self.factors[index])

    @property
    def constant(self) -> list[int]:
        """Indices of the codes that are the same for all rows."""
        return np.flatnonzero(np.ptp(self.codes, 0) == 0).tolist()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is wrong with the codes."""
        found = self.constant
        return (f"Codes {found} are constant: they tell nothing of any factor.",) if found else ()


def table(codes: ArrayLike, factors: ArrayLike) -> Table:
    """Return checked codes and factors.

    Raises:
        ValueError: unless codes are finite numbers [n, D], factors whole numbers [n, F], n is at least 20, and every
            factor has two values at least.
    """
    checked, whole = checked_codes("codes", codes), np.asarray(factors)
    if whole.ndim != 2 or whole.dtype.kind not in "iub" or not whole.size:
        raise ValueError(
            "Expected factors [n, F] of whole numbers; give a single factor as factors[:, None], and cut a continuous "
            f"one into intervals. Received: factors of dtype {whole.dtype}, shape {whole.shape}"
        )
    if len(whole) != len(checked):
        raise ValueError(
            f"Expected a row of factors for each row of codes. Received: {len(checked)} rows of codes, "
            f"{len(whole)} of factors"
        )
    counted = np.stack([np.unique(values, return_inverse=True)[1] for values in whole.T], 1)
    if not counted.any(0).all():
        still = int(np.argmin(counted.any(0)))
        raise ValueError(
            "Expected every factor to have at least two values; leave out one that never changes. "
            f"Received: factors[:, {still}], always {whole[0, still]}"
        )
    return Table(checked, counted)


def checked_codes(name: str, codes: ArrayLike) -> np.ndarray:
    """Return codes as float64 [n, D]; one that varies by no more than rounding becomes constant.

    Raises:
        ValueError: unless they are finite numbers [n, D] with n of at least 20.
    """
    values = np.asarray(codes)
    if values.ndim != 2 or values.dtype.kind not in "fiub" or not values.size or len(values) < LEAST:
        raise ValueError(
            f"Expected {name} [n, D] of numbers, at least {LEAST} rows. Received: {name} of dtype {values.dtype}, "
            f"shape {values.shape}"
        )
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        first = tuple(map(int, np.argwhere(~np.isfinite(values))[0]))
        raise ValueError(f"Expected {name} to be finite. Received: {name}[{first}]={values[first]}")
    still = values.std(0) <= _CONSTANT * np.abs(values).max(0)
    values[:, still] = 0.0
    return values


def several_factors(data: Table) -> None:
    """Raise ValueError unless there are two factors that can be fixed: values that rows share."""
    if len(data.sizes) < 2:
        raise ValueError("Expected at least two factors, to tell which one is fixed. Received: factors of shape [n, 1]")
    for k, values in enumerate(data.factors.T):
        if np.bincount(values).max() < 2:
            raise ValueError(
                "Expected every factor to have a value that several rows share, so that it can be fixed; cut a "
                f"continuous factor into intervals. Received: factors[:, {k}], different in every row"
            )


def standardised(codes: np.ndarray) -> np.ndarray:
    """Return codes of mean 0 and deviation 1, [n, D]; a constant one is 0."""
    deviations = codes.std(0)
    return (codes - codes.mean(0)) / np.where(deviations > 0, deviations, 1.0)


def halves(n: int, rng: np.random.Generator, repeats: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield random halves of the rows: two arrays of n // 2 indices.

    Raises:
        ValueError: if `repeats` is less than two, which leave no error.
    """
    for _ in range(whole_number_in("repeats", repeats, 2, 10**6)):
        order = rng.permutation(n)
        yield order[: n // 2], order[n // 2 : n // 2 * 2]


def spread(values: Sequence[float] | np.ndarray) -> float:
    """Return the deviation of a score over random halves: the standard error of the score of all rows.

    A score of n / 2 rows has twice the variance of one of n, and a half taken from given rows shows half of that: the
    delete-half jackknife. Unlike a bootstrap it repeats no row, which would look like a factor that is fixed.

    Reference: J. Shao and C. Wu, "A General Theory for Jackknife Variance Estimation", 1989,
    https://doi.org/10.1214/aos/1176347263.
    """
    return float(np.std(np.round(values, 12), ddof=1))  # without the dust of sums in different orders


def error_of(data: Table, score: Callable[[Table], float], rng: np.random.Generator, repeats: int) -> float:
    """Return the standard error of a score of all rows."""
    return spread([score(data.rows(first)) for first, _ in halves(len(data), rng, repeats)])


def by_chance(data: Table, score: Callable[[Table], float], rng: np.random.Generator) -> float:
    """Return the mean score of the same codes in orders that have nothing to do with the factors."""
    return float(np.mean([score(Table(rng.permutation(data.codes), data.factors)) for _ in range(_SHUFFLES)]))
