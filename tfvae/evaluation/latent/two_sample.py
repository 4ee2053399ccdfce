"""Are two samples from one distribution? A kernel and a classifier are asked."""

import math

import numpy as np

from tfvae.errors import number_in, positive_int
from tfvae.evaluation.latent.verdicts import ClassifierTest, MMDTest
from tfvae.objectives.kernels import RBF
from tfvae.random import generator

_LEAST = 4  # points of each sample
_AT_ONCE = 100  # permutations


def mmd_test(
    a: np.ndarray,
    b: np.ndarray,
    bandwidth: float | None = None,
    permutations: int = 499,
    seed: int | tuple[int, int] = 0,
) -> MMDTest:
    """Test whether two samples are from one distribution, by the maximum mean discrepancy and permutations.

        MMD^2 = mean_{i != j} k(a_i, a_j) + mean_{i != j} k(b_i, b_j) - 2 mean k(a_i, b_j)
        k(a, b) = exp(-|a - b|^2 / (2 sigma^2)),   p = (1 + #{permuted MMD^2 >= MMD^2}) / (permutations + 1)

    The estimate is unbiased, and so may be negative. Under the hypothesis p is uniform on its values, at any size.
    Memory grows as (N + M)^2: eight bytes for each pair.

    Args:
        a: N points, [N, D], at least 4.
        b: M points, [M, D], at least 4.
        bandwidth: sigma, in the unit of the points; the median distance of two different points of both samples if
            None.
        permutations: how often the points are dealt out anew.
        seed: one or two 32-bit integers.

    Returns:
        An `MMDTest`.

    Raises:
        ValueError: if the samples are no matrices of finite numbers with as many columns, one has fewer than 4 points,
            all points are the same, or a number is out of range.

    Reference: A. Gretton et al., "A Kernel Two-Sample Test", 2012, Lemma 6, https://jmlr.org/papers/v13/gretton12a.html.

    Example:
        >>> import numpy as np, tfvae
        >>> a, b = np.random.default_rng(0).normal(size=[2, 50, 3])
        >>> tfvae.evaluation.mmd_test(a, b + 1.0).p_value
        0.002
    """
    a, b = _samples(a, b)
    permutations, rng = positive_int("permutations", permutations), generator(seed)
    points = np.concatenate([a, b])
    sigma = _median_distance(points) if bandwidth is None else number_in("bandwidth", bandwidth, 1e-6)
    kernel = RBF(sigma / math.sqrt(points.shape[1]))(points, points).numpy()  # its width grows as sqrt(D)
    np.fill_diagonal(kernel, 0.0)
    first = np.arange(len(points)) < len(a)
    (value,) = _discrepancies(kernel, first[None])
    null = np.concatenate([
        _discrepancies(kernel, rng.permuted(np.tile(first, [min(_AT_ONCE, permutations - done), 1]), axis=1))
        for done in range(0, permutations, _AT_ONCE)
    ])  # fmt: skip
    # The sums of a permutation that changes nothing may differ in the last bit.
    p_value = (1 + np.sum(null >= value - 1e-12)) / (permutations + 1)
    spread = float(null.std(ddof=1)) if permutations > 1 else math.nan
    return MMDTest(float(value), float(p_value), spread, sigma, permutations, (len(a), len(b)))


def _discrepancies(kernel: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the unbiased MMD^2 for every way [P, N + M] of saying which points are of the first sample."""
    chosen = first.astype(np.float64)
    n, m = chosen[0].sum(), len(kernel) - chosen[0].sum()
    to_first = chosen @ kernel  # [P, N + M]
    within = np.sum(to_first * chosen, 1)
    across = to_first.sum(1) - within
    other = kernel.sum() - within - 2 * across
    return within / (n * (n - 1)) + other / (m * (m - 1)) - 2 * across / (n * m)


def _median_distance(points: np.ndarray) -> float:
    from scipy.spatial.distance import pdist  # here, so that the library loads without it

    distances = pdist(points)
    median = float(np.median(distances)) or float(distances.mean())  # most points may be the same
    if median < 1e-6:
        raise ValueError(f"Expected points that differ, or a bandwidth. Received: a median distance of {median:.2g}")
    return median


def c2st(a: np.ndarray, b: np.ndarray, classifier: object = None, seed: int | tuple[int, int] = 0) -> ClassifierTest:
    """Test whether two samples are from one distribution: a classifier learns half, and tells the other half apart.

        accuracy = (right answers) / n,   p = P(Binomial(n, 1/2) >= right answers)

    The larger sample is cut to the length of the smaller. The halves hold as many points of each.

    Args:
        a: N points, [N, D], at least 4.
        b: M points, [M, D], at least 4.
        classifier: any of scikit-learn's; a forest of 100 trees, `RandomForestClassifier`, if
            None.
        seed: one or two 32-bit integers.

    Returns:
        A `ClassifierTest`.

    Raises:
        ValueError: if the samples are no matrices of finite numbers with as many columns, or one has fewer than 4
            points.

    Reference: D. Lopez-Paz and M. Oquab, "Revisiting Classifier Two-Sample Tests", 2017, Sec. 3,
    https://arxiv.org/abs/1610.06545.

    Example:
        >>> import numpy as np, tfvae
        >>> a, b = np.random.default_rng(0).normal(size=[2, 200, 3])
        >>> tfvae.evaluation.c2st(a, b + 3.0).accuracy > 0.9
        True
    """
    # Here, so that the library loads without them.
    from scipy.stats import binom
    from sklearn.base import clone
    from sklearn.ensemble import RandomForestClassifier

    a, b = _samples(a, b)
    rng = generator(seed)
    size = min(len(a), len(b))
    a, b = (sample[rng.permutation(len(sample))[:size]] for sample in (a, b))
    half = size // 2
    forest = RandomForestClassifier(min_samples_leaf=5, random_state=int(rng.integers(2**31)))
    learner = clone(forest if classifier is None else classifier)
    learner.fit(np.concatenate([a[:half], b[:half]]), np.repeat([0, 1], half))
    answers = learner.predict(np.concatenate([a[half:], b[half:]]))
    tested = 2 * (size - half)
    right = int(np.sum(answers == np.repeat([0, 1], size - half)))
    return ClassifierTest(
        right / tested, float(binom.sf(right - 1, tested, 0.5)), right, tested, type(learner).__name__
    )


def _samples(a: object, b: object) -> list[np.ndarray]:
    checked = []
    for name, values in (("a", a), ("b", b)):
        points = np.asarray(values, np.float64)
        if points.ndim != 2 or len(points) < _LEAST or not points.shape[1] or not np.isfinite(points).all():
            raise ValueError(
                f"Expected {name} to hold at least {_LEAST} points [N, D] of finite numbers. Received: {name} of shape "
                f"{list(points.shape)} with {np.sum(~np.isfinite(points))} values that are not finite"
            )
        checked.append(points)
    if checked[0].shape[1] != checked[1].shape[1]:
        raise ValueError(
            "Expected samples of points of one length. Received: a of shape "
            f"{list(checked[0].shape)}, b of shape {list(checked[1].shape)}"
        )
    return checked
