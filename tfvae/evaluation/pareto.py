"""How heavy the tail of importance weights is."""

import numpy as np


def tail_length(samples: int) -> int:
    """Return how many of the largest weights make the tail: min(S / 5, 3 sqrt(S)), at least 5 if there are so many.

    Reference: A. Vehtari et al., "Pareto Smoothed Importance Sampling", 2024, Sec. 2.2,
    https://arxiv.org/abs/1507.02646.
    """
    return min(samples - 1, max(5, int(min(samples / 5, 3 * np.sqrt(samples)))))


def pareto_k(log_weights: np.ndarray) -> np.ndarray:
    """Return the shape k of a generalised Pareto distribution fitted to the largest importance weights.

        P(W > w + u | W > u) = (1 + k w / sigma)^(-1/k)

    Below 0.5 the weights have a variance, from 0.7 on the estimate is not to be trusted; NaN where a tail of fewer
    than four different weights cannot be fitted.

    Args:
        log_weights: the M + 1 largest log-weights of each example, [B, M + 1], in any order.

    Returns:
        k, [B].

    Reference: J. Zhang and M. Stephens, "A New and Efficient Estimation Method for the Generalized Pareto
    Distribution", 2009, Sec. 3, with the weak prior of A. Vehtari et al., 2024, App. C,
    https://arxiv.org/abs/1507.02646.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation.pareto import pareto_k
        >>> draws = np.random.default_rng(0).pareto(2.0, [1, 20000])  # k = 1/2
        >>> round(float(pareto_k(np.sort(np.log(draws))[:, -401:])[0]), 1)
        0.5
    """
    ordered = np.sort(np.asarray(log_weights, np.float64), -1)
    weights = np.exp(ordered - ordered[:, -1:])
    excess = weights[:, 1:] - weights[:, :1]  # [B, M] over the threshold, ascending
    size, k = excess.shape[1], np.full(len(excess), np.nan)
    if size < 4:
        return k
    usable = (np.sum(np.diff(excess, axis=-1) > 0, -1) >= 3) & (excess[:, int(size / 4 + 0.5) - 1] > 0)
    if usable.any():
        k[usable] = _zhang_stephens(excess[usable])
    return k


def _zhang_stephens(excess: np.ndarray) -> np.ndarray:
    size = excess.shape[1]
    grid = 30 + int(np.sqrt(size))
    quartile = excess[:, int(size / 4 + 0.5) - 1, None]
    steps = np.arange(1, grid + 1)
    theta = 1 / excess[:, -1:] + (1 - np.sqrt(grid / (steps - 0.5))) / (3 * quartile)  # [B, grid]
    shape = np.stack([np.mean(np.log1p(-theta[:, [j]] * excess), -1) for j in range(grid)], -1)  # -k in their sign
    profile = size * (np.log(-theta / shape) - shape - 1)
    posterior = np.exp(profile - profile.max(-1, keepdims=True))
    best = np.sum(theta * posterior, -1) / np.sum(posterior, -1)  # [B]
    k = np.mean(np.log1p(-best[:, None] * excess), -1)
    return (size * k + 10 * 0.5) / (size + 10)
