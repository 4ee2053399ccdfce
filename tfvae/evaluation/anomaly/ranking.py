"""How often one score ranks above another, with its error."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata


def scores_of(name: str, values: ArrayLike, least: int = 1) -> np.ndarray:
    """Return scores as a float64 array [n].

    Raises:
        ValueError: if there are fewer than `least`, not in one dimension, or one is NaN.
    """
    scores = np.asarray(values, np.float64)
    if scores.ndim != 1 or len(scores) < least:
        raise ValueError(
            f"Expected {name} to hold at least {least} scores, one an example, of shape [n]. "
            f"Received: {name}.shape={scores.shape}"
        )
    unknown = int(np.isnan(scores).sum())
    if unknown:
        raise ValueError(f"Expected {name} to hold numbers. Received: {unknown} of {len(scores)} scores that are NaN")
    return scores


def auroc(lower: np.ndarray, higher: np.ndarray) -> tuple[float, float]:
    """Return P(L < H) + P(L = H) / 2 and its standard error, for independent draws L and H.

        s^2 = Var_i[V(h_i)] / m + Var_j[V(l_j)] / n,   V(h) = P(L < h) + P(L = h) / 2

    Args:
        lower: draws of L, [n].
        higher: draws of H, [m].

    Returns:
        The area under the receiver operating characteristic of H against L, and its standard error: NaN for one draw.

    Reference: E. DeLong, D. DeLong and D. Clarke-Pearson, "Comparing the Areas under Two or More Correlated Receiver
    Operating Characteristic Curves: A Nonparametric Approach", Biometrics 44, 1988,
    https://doi.org/10.2307/2531595; by ranks as X. Sun and W. Xu have it, "Fast Implementation of DeLong's
    Algorithm", 2014, https://doi.org/10.1109/LSP.2014.2337313.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation.anomaly.ranking import auroc
        >>> round(auroc(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0]))[0], 3)
        0.75
    """
    n, m = len(lower), len(higher)
    ranks = rankdata(np.concatenate([lower, higher]))
    above = (ranks[n:] - rankdata(higher)) / n  # [m], share of `lower` below each
    below = 1 - (ranks[:n] - rankdata(lower)) / m  # [n], share of `higher` above each
    if min(n, m) < 2:
        return float(above.mean()), float("nan")
    return float(above.mean()), float(np.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n))
