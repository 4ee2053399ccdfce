"""The kernel distance: a maximum mean discrepancy without bias."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tfvae.errors import positive_int, whole_number_in
from tfvae.evaluation.printing import plain, plus_minus
from tfvae.evaluation.samples.arrays import features_of

_LEAST = 10  # examples of a subset for an error that is worth stating
_MOST = 1000  # examples of a subset: its kernel matrices take 8 MB each


@dataclass(frozen=True)
class KernelDistance:
    """The squared maximum mean discrepancy between data and samples: 0 in expectation for perfect samples.

    Its estimate has no bias whatever the number of examples, and so may be negative.
    """

    value: float
    """The squared distance, in the units of the kernel."""
    standard_error: float
    """Standard error over data and samples, from disjoint subsets; too large, if anything, where the distance is 0."""
    subsets: int
    """Number of disjoint subsets."""
    real: int
    """Number of real examples."""
    fake: int
    """Number of samples."""

    def __str__(self) -> str:
        return (
            f"kernel distance {plus_minus(self.value, self.standard_error)} (data and samples), "
            f"n = {self.real} real, {self.fake} sampled"
        )

    def rows(self) -> dict[str, str]:
        """Return title -> value ± error, as a report's table shows them."""
        return {"kernel distance": plus_minus(self.value, self.standard_error)}

    def as_json(self) -> dict:
        """Return plain numbers with their errors."""
        return {
            "value": plain(self.value),
            "standard_error": plain(self.standard_error),
            "subsets": self.subsets,
            "real": self.real,
            "fake": self.fake,
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try; empty when all is well."""
        size = min(self.real, self.fake) // self.subsets
        if size >= _LEAST:
            return ()
        return (f"Subsets of {size} examples make the error of the kernel distance rough: measure more examples.",)


def kernel_distance(real: ArrayLike, fake: ArrayLike, *, subsets: int = 10, seed: int = 0) -> KernelDistance:
    """Estimate the squared maximum mean discrepancy with a cubic kernel, without bias: KID where d is Inception's.

        MMD^2 = E[k(x, x')] + E[k(y, y')] - 2 E[k(x, y)],   k(x, y) = (x . y / d + 1)^3

    The value uses every pair of different examples. Its error is that of the mean over disjoint subsets.

    Args:
        real: features of real examples, [n, d], or anything that flattens to that.
        fake: features of samples, [m, d].
        subsets: least number of disjoint subsets; more are made where one would exceed 1000 examples.
        seed: of what goes into which subset.

    Returns:
        A `KernelDistance`, in the units of the kernel.

    Raises:
        ValueError: if there are fewer than two examples of a set in a subset, fewer than two subsets, a value is not
            finite, or the lengths of the features differ.

    Reference: M. Binkowski et al., "Demystifying MMD GANs", 2018, Sec. 4, https://arxiv.org/abs/1801.01401; the
    estimator: A. Gretton et al., "A Kernel Two-Sample Test", 2012, Eq. (3),
    https://jmlr.org/papers/v13/gretton12a.html; its error: W. Zaremba, A. Gretton and M. Blaschko, "B-tests: Low
    Variance Kernel Two-Sample Tests", 2013, https://arxiv.org/abs/1307.1954.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import samples
        >>> x, y = np.random.default_rng(0).normal(size=[2, 200, 3])
        >>> record = samples.kernel_distance(x, y)
        >>> abs(record.value) < 4 * record.standard_error < samples.kernel_distance(x, y + 1).value
        True
    """
    least = positive_int("subsets", subsets)
    if least < 2:
        raise ValueError(f"Expected subsets to be at least 2, whose spread is the error. Received: subsets={subsets}")
    ours, theirs = features_of("real", real, 2 * least), features_of("fake", fake, 2 * least)
    if ours.shape[1] != theirs.shape[1]:
        raise ValueError(
            "Expected real and fake to have features of one length. "
            f"Received: real.shape={np.shape(real)}, fake.shape={np.shape(fake)}"
        )
    wanted = max(least, math.ceil(max(len(ours), len(theirs)) / _MOST))
    count = max(least, min(wanted, len(ours) // 2, len(theirs) // 2))
    draws = np.random.default_rng(whole_number_in("seed", seed, 0, 2**31 - 1))
    parts = [np.array_split(draws.permutation(values), count) for values in (ours, theirs)]
    values = [_discrepancy(x, y) for x, y in zip(*parts, strict=True)]
    error = float(np.std(values, ddof=1) / np.sqrt(count))
    return KernelDistance(_discrepancy(ours, theirs), error, count, len(ours), len(theirs))


def _discrepancy(x: np.ndarray, y: np.ndarray) -> float:
    n, m = len(x), len(y)
    within_x, within_y = _sum(x, x) - _diagonal(x), _sum(y, y) - _diagonal(y)
    return within_x / (n * (n - 1)) + within_y / (m * (m - 1)) - 2 * _sum(x, y) / (n * m)


def _sum(x: np.ndarray, y: np.ndarray) -> float:
    """Return sum_ij k(x_i, y_j), in blocks."""
    blocks = [y[i : i + _MOST] for i in range(0, len(y), _MOST)]
    rows = [x[i : i + _MOST] for i in range(0, len(x), _MOST)]
    return math.fsum(float(_cubes(row @ block.T / x.shape[1]).sum()) for row in rows for block in blocks)


def _diagonal(x: np.ndarray) -> float:
    return float(_cubes((x**2).sum(1) / x.shape[1]).sum())


def _cubes(products: np.ndarray) -> np.ndarray:
    base = products + 1
    return base * base * base  # a power takes NumPy many times as long
