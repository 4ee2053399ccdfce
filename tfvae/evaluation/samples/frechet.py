"""The Frechet distance between two sets of features, each taken for a normal distribution."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import qr, svdvals

from tfvae.errors import whole_number_in
from tfvae.evaluation.printing import plain, plus_minus
from tfvae.evaluation.samples.arrays import HALVES, error_over_halves, half, pair_of


@dataclass(frozen=True)
class FrechetDistance:
    """The squared Frechet distance between data and samples, whose estimate is biased upwards for few examples."""

    value: float
    """The squared distance, in squared units of the features."""
    standard_error: float
    """Standard error over data and samples."""
    floor: float
    """The same between two halves of the real examples: about twice what as many perfect samples as real ones have."""
    floor_error: float
    """Standard deviation of the floor over the choice of the halves."""
    dimensions: int
    """Length of the features."""
    real: int
    """Number of real examples."""
    fake: int
    """Number of samples."""

    def __str__(self) -> str:
        return (
            f"Frechet distance {plus_minus(self.value, self.standard_error)} (data and samples), between two halves of "
            f"the data {plus_minus(self.floor, self.floor_error)}, d = {self.dimensions}, n = {self.real} real, "
            f"{self.fake} sampled"
        )

    def rows(self) -> dict[str, str]:
        """Return title -> value ± error, as a report's table shows them."""
        return {
            "Frechet distance": plus_minus(self.value, self.standard_error),
            "Frechet distance of two halves of the data": plus_minus(self.floor, self.floor_error),
        }

    def as_json(self) -> dict:
        """Return plain numbers with their errors."""
        numbers = ("value", "standard_error", "floor", "floor_error")
        counts = {"dimensions": self.dimensions, "real": self.real, "fake": self.fake}
        return {**{key: plain(getattr(self, key)) for key in numbers}, **counts}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try; empty when all is well."""
        said, few = [], min(self.real, self.fake)
        if few <= self.dimensions:
            said.append(
                f"{few} examples do not determine a covariance of {self.dimensions} features: measure more, or use the "
                "kernel distance, which has no bias."
            )
        if self.value < 2 * self.floor:
            said.append(
                "Much of the Frechet distance is the bias of few examples, as between two halves of the data: compare "
                "models at equal numbers only, or use the kernel distance."
            )
        return tuple(said)


def frechet_distance(real: ArrayLike, fake: ArrayLike, *, seed: int = 0) -> FrechetDistance:
    """Measure the squared Frechet distance of two normal distributions with the moments of data and samples.

        d^2 = |mu_1 - mu_2|^2 + tr(C_1 + C_2 - 2 (C_1 C_2)^(1/2))

    The last trace is the sum of the singular values of R_1 R_2^T, where C = R^T R: no root of a matrix is taken, so
    that singular covariances do no harm. It is FID only where the features are those of the Inception network.

    Args:
        real: features of real examples, [n, d], or anything that flattens to that.
        fake: features of samples, [m, d].
        seed: of the halves.

    Returns:
        A `FrechetDistance`, in squared units of the features.

    Raises:
        ValueError: if there are fewer than four examples in a set, a value is not finite, or the lengths differ.

    Reference: M. Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
    2017, Eq. (6), https://arxiv.org/abs/1706.08500.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import samples
        >>> x = np.random.default_rng(0).normal(size=[500, 3])
        >>> round(samples.frechet_distance(x, x + 2.0).value, 6)  # three means differ by 2
        12.0
    """
    ours, theirs = pair_of(real, fake, 4)
    seed = whole_number_in("seed", seed, 0, 2**31 - 1)
    error = error_over_halves(_distance, ours, theirs, seed)
    draws = np.random.default_rng(seed)
    floors = [_distance(*half(draws, ours)) for _ in range(HALVES)]
    return FrechetDistance(
        value=_distance(ours, theirs),
        standard_error=float(error),
        floor=float(np.mean(floors)),
        floor_error=float(np.std(floors, ddof=1)),
        dimensions=ours.shape[1],
        real=len(ours),
        fake=len(theirs),
    )


def _distance(x: np.ndarray, y: np.ndarray) -> float:
    means, roots = zip(_moments(x), _moments(y), strict=True)
    traces = sum(float((root**2).sum()) for root in roots)
    cross = float(svdvals(roots[0] @ roots[1].T).sum())
    return max(0.0, float(((means[0] - means[1]) ** 2).sum()) + traces - 2 * cross)  # rounding may fall below 0


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean, [d], and R with R^T R the covariance, [min(n, d), d]."""
    mean = x.mean(0)
    (root,) = qr((x - mean) / np.sqrt(len(x) - 1), mode="r", check_finite=False)
    return mean, root[: x.shape[1]]
