"""Fidelity and diversity apart: which examples lie among the neighbours of others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tfvae.errors import positive_int, whole_number_in
from tfvae.evaluation.printing import plain, plus_minus
from tfvae.evaluation.samples.arrays import error_over_halves, inside, pair_of, radii

_FEW = 1000  # examples below which the balls are so wide that the numbers flatter the model


@dataclass(frozen=True)
class PrecisionRecall:
    """Share of samples among the data, and of data among the samples: fidelity and diversity, from 0 to 1."""

    precision: float
    """Share of samples within the k-neighbourhood of a real example."""
    recall: float
    """Share of real examples within the k-neighbourhood of a sample."""
    standard_errors: dict[str, float]
    """Standard error over data and samples of each of the two."""
    k: int
    """Which neighbour sets the radius of an example's ball."""
    real: int
    """Number of real examples."""
    fake: int
    """Number of samples."""

    def __str__(self) -> str:
        terms = ", ".join(f"{title} {value}" for title, value in self.rows().items())
        return f"{terms} (data and samples), k = {self.k}, n = {self.real} real, {self.fake} sampled"

    def rows(self) -> dict[str, str]:
        """Return title -> value ± error, as a report's table shows them."""
        return {key: plus_minus(getattr(self, key), error) for key, error in self.standard_errors.items()}

    def as_json(self) -> dict:
        """Return plain numbers with their errors."""
        return _as_json(self)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try; empty when all is well."""
        return _about_few(self)


@dataclass(frozen=True)
class DensityCoverage:
    """How densely samples lie among the data, and how much of the data they cover; robust to outliers in the data."""

    density: float
    """Mean number of k-neighbourhoods of real examples around a sample, over k: 1 in expectation for perfect samples.

    It has no upper bound: samples that lie where the data are densest exceed 1.
    """
    coverage: float
    """Share of real examples whose k-neighbourhood holds a sample."""
    expected_coverage: float
    """Expected coverage of perfect samples, as many as these: about 1 - 2^-k where there are as many as real ones."""
    standard_errors: dict[str, float]
    """Standard error over data and samples of density and coverage."""
    k: int
    """Which neighbour sets the radius of an example's ball."""
    real: int
    """Number of real examples."""
    fake: int
    """Number of samples."""

    def __str__(self) -> str:
        terms = ", ".join(f"{title} {value}" for title, value in self.rows().items())
        return (
            f"{terms} (data and samples; perfect samples: 1 and {self.expected_coverage:.3f}), k = {self.k}, "
            f"n = {self.real} real, {self.fake} sampled"
        )

    def rows(self) -> dict[str, str]:
        """Return title -> value ± error, as a report's table shows them."""
        return {key: plus_minus(getattr(self, key), error) for key, error in self.standard_errors.items()}

    def as_json(self) -> dict:
        """Return plain numbers with their errors."""
        return {**_as_json(self), "expected_coverage": self.expected_coverage}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try; empty when all is well."""
        return _about_few(self)


def precision_recall(real: ArrayLike, fake: ArrayLike, k: int = 3, *, seed: int = 0) -> PrecisionRecall:
    """Measure which share of samples lies among the data, and which share of the data among the samples.

        precision = 1/M sum_j 1[y_j in U_i B(x_i, r_k(x_i))],   recall = the same with x and y exchanged

    `r_k` is the distance to the k-th nearest neighbour in the same set. One outlier in either set makes a wide ball
    that holds much: `density_coverage` does not suffer from it. Both grow as the sets become smaller, so compare models
    at equal numbers.

    Args:
        real: features of real examples, [n, d], or anything that flattens to that.
        fake: features of samples, [m, d].
        k: which neighbour sets the radius.
        seed: of the halves whose spread is the error.

    Returns:
        A `PrecisionRecall`: shares without a unit.

    Raises:
        ValueError: if `k` is not positive, there are fewer than 2 (k + 1) examples in a set, a value is not finite, or
            the lengths of the features differ.

    Reference: T. Kynkaanniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models", 2019,
    Eq. (1) and (2), https://arxiv.org/abs/1904.06991.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import samples
        >>> x = np.random.default_rng(0).normal(size=[50, 2])
        >>> samples.precision_recall(x, x + 100.0).precision
        0.0
    """
    k = positive_int("k", k)
    ours, theirs = pair_of(real, fake, 2 * (k + 1))

    def shares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.array([np.mean(inside(x, radii(x, k), y)[0] > 0), np.mean(inside(y, radii(y, k), x)[0] > 0)])

    precision, recall = shares(ours, theirs)
    errors = error_over_halves(shares, ours, theirs, whole_number_in("seed", seed, 0, 2**31 - 1))
    named = {"precision": float(errors[0]), "recall": float(errors[1])}
    return PrecisionRecall(float(precision), float(recall), named, k, len(ours), len(theirs))


def density_coverage(real: ArrayLike, fake: ArrayLike, k: int = 5, *, seed: int = 0) -> DensityCoverage:
    """Measure how densely samples lie among the data, and which share of the data has a sample near it.

        density = 1/(k M) sum_j sum_i 1[y_j in B(x_i, r_k(x_i))]
        coverage = 1/N sum_i 1[some y_j in B(x_i, r_k(x_i))]

    `r_k` is the distance to the k-th nearest neighbour among the real examples: no ball is drawn around a sample. For
    perfect samples the expected density is 1 and the expected coverage is known.

    Args:
        real: features of real examples, [n, d], or anything that flattens to that.
        fake: features of samples, [m, d].
        k: which neighbour sets the radius.
        seed: of the halves whose spread is the error.

    Returns:
        A `DensityCoverage`, without a unit.

    Raises:
        ValueError: as `precision_recall` does.

    Reference: M. Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", 2020, Sec. 3.2,
    https://arxiv.org/abs/2002.09797.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import samples
        >>> x, y = np.random.default_rng(0).normal(size=[2, 1000, 2])
        >>> record = samples.density_coverage(x, y)
        >>> abs(record.density - 1) < 0.1 and abs(record.coverage - record.expected_coverage) < 0.05
        True
    """
    k = positive_int("k", k)
    ours, theirs = pair_of(real, fake, 2 * (k + 1))

    def both(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        counts, covered = inside(x, radii(x, k), y)
        return np.array([counts.mean() / k, covered.mean()])

    density, coverage = both(ours, theirs)
    errors = error_over_halves(both, ours, theirs, whole_number_in("seed", seed, 0, 2**31 - 1))
    named = {"density": float(errors[0]), "coverage": float(errors[1])}
    n, m = len(ours), len(theirs)
    # None of m samples is nearer than the k-th of n - 1 neighbours: the nearest k of both are all real.
    missed = np.prod((n - 1 - np.arange(k)) / (n - 1 + m - np.arange(k)))
    return DensityCoverage(float(density), float(coverage), float(1 - missed), named, k, n, m)


def _as_json(record: PrecisionRecall | DensityCoverage) -> dict:
    errors = {key: plain(error) for key, error in record.standard_errors.items()}
    values = {key: plain(getattr(record, key)) for key in record.standard_errors}
    return {**values, "standard_errors": errors, "k": record.k, "real": record.real, "fake": record.fake}


def _about_few(record: PrecisionRecall | DensityCoverage) -> tuple[str, ...]:
    few, said = min(record.real, record.fake), []
    if few < _FEW:
        said.append(
            f"{few} examples draw wide neighbourhoods: compare these numbers only with others from as many, and "
            f"measure at least {_FEW} if there are."
        )
    if max(record.real, record.fake) > 2 * few:
        said.append(
            f"{record.real} real examples and {record.fake} samples have neighbourhoods of different sizes: measure as "
            "many of one as of the other."
        )
    return tuple(said)
