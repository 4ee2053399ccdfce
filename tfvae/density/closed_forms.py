"""Maximum likelihood in closed form, for the families that have one."""

from collections.abc import Callable

import numpy as np
from tensorflow_probability import distributions as tfd

Parameters = dict[str, np.ndarray]


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation over the examples; the likelihood's divides by n."""
    spread = np.std(x, 0)
    constant = np.count_nonzero(spread == 0.0)
    if constant:
        raise ValueError(
            f"Expected no constant coordinate, because its likelihood has no largest value. Received: {constant} of "
            f"{spread.size} are constant"
        )
    return np.mean(x, 0), spread


def _normal(x: np.ndarray, prior_count: float) -> Parameters:
    loc, scale = _moments(x)
    return {"loc": loc, "scale": scale}


def _log_normal(x: np.ndarray, prior_count: float) -> Parameters:
    _require(x > 0.0, "above 0")
    return _normal(np.log(x), prior_count)


def _laplace(x: np.ndarray, prior_count: float) -> Parameters:
    _moments(x)
    loc = np.median(x, 0)
    return {"loc": loc, "scale": np.mean(np.abs(x - loc), 0)}


def _diagonal(x: np.ndarray, prior_count: float) -> Parameters:
    loc, scale = _moments(x)
    return {"loc": loc, "scale_diag": scale}


def _full(x: np.ndarray, prior_count: float) -> Parameters:
    loc, _ = _moments(x)
    off = x - loc  # [n, C, D]
    covariance = np.einsum("nci,ncj->cij", off, off) / len(x)
    rank = np.linalg.matrix_rank(covariance, hermitian=True).min()
    if rank < x.shape[-1]:
        raise ValueError(
            f"Expected examples that span all {x.shape[-1]} dimensions, more than there are dimensions, because "
            f"otherwise the likelihood has no largest value. Received: {len(x)} examples that span {rank}"
        )
    return {"loc": loc, "scale_tril": np.linalg.cholesky(covariance)}


def _exponential(x: np.ndarray, prior_count: float) -> Parameters:
    _require(x >= 0.0, "of at least 0")
    mean = np.mean(x, 0)
    zero = np.count_nonzero(mean == 0.0)
    if zero:
        raise ValueError(
            "Expected a value above 0 in every coordinate, because otherwise its likelihood has no largest value. "
            f"Received: {zero} of {mean.size} are all 0"
        )
    return {"rate": 1.0 / mean}


def _poisson(x: np.ndarray, prior_count: float) -> Parameters:
    _require((x >= 0.0) & (x == np.round(x)), "that are whole numbers of at least 0")
    return {"rate": np.mean(x, 0)}


def _pareto(x: np.ndarray, prior_count: float) -> Parameters:
    _require(x > 0.0, "above 0")
    _moments(x)
    scale = np.min(x, 0)
    return {"concentration": 1.0 / np.mean(np.log(x / scale), 0), "scale": scale}


def _bernoulli(x: np.ndarray, prior_count: float) -> Parameters:
    _require((x == 0.0) | (x == 1.0), "0 or 1")
    return {"probs": (np.sum(x, 0) + prior_count) / (len(x) + 2.0 * prior_count)}


def _one_hot(x: np.ndarray, prior_count: float) -> Parameters:
    _require(((x == 0.0) | (x == 1.0)) & (np.sum(x, -1, keepdims=True) == 1.0), "0 but for a single 1 in each row")
    return _shares(np.sum(x, 0), len(x), prior_count)


def categorical(x: np.ndarray, classes: int, prior_count: float) -> Parameters:
    """Return the probabilities of numbered classes [n, C], in memory for one row of them a coordinate."""
    counts = np.stack([np.bincount(column, minlength=classes) for column in x.astype(np.int64).T])  # [C, classes]
    return _shares(counts, len(x), prior_count)


def _shares(counts: np.ndarray, examples: int, prior_count: float) -> Parameters:
    """Return the probabilities of classes, [C, classes], for how often each occurred."""
    return {"probs": (counts + prior_count) / (examples + counts.shape[-1] * prior_count)}


def _require(holds: np.ndarray, what: str) -> None:
    wrong = np.count_nonzero(~holds)
    if wrong:
        raise ValueError(f"Expected values {what}. Received: {wrong} of {holds.size} that are not")


CLOSED_FORMS: dict[type, Callable[[np.ndarray, float], Parameters]] = {
    tfd.Bernoulli: _bernoulli,
    tfd.Exponential: _exponential,
    tfd.Laplace: _laplace,
    tfd.LogNormal: _log_normal,
    tfd.MultivariateNormalDiag: _diagonal,
    tfd.MultivariateNormalTriL: _full,
    tfd.Normal: _normal,
    tfd.OneHotCategorical: _one_hot,
    tfd.Pareto: _pareto,
    tfd.Poisson: _poisson,
}
"""From examples [n, C, *event] of C independent coordinates, and observations of each value that are added (of binary
values and classes only), to the parameters [C, ...]."""
UNSMOOTH = (tfd.Pareto,)
"""The families whose likelihood ends where it is largest, so that its curvature there says nothing."""
SMOOTHED = (tfd.Bernoulli, tfd.OneHotCategorical, tfd.Categorical)
"""The families whose rule heeds the added observations."""
