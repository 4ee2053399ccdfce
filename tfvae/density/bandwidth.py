"""Rules for the bandwidth of a kernel density."""

import abc
import math

import numpy as np
import tensorflow as tf

from tfvae.distributions.kernel_density import log_scale, log_sums
from tfvae.distributions.kernels import Kernel
from tfvae.errors import positive_int
from tfvae.random import generator

_GRID = 15  # bandwidths that share the distances of one pass over the data
_ROUNDS = 3  # of the grid, each between the neighbours of the best of the one before


class Bandwidth(abc.ABC):
    """A rule from examples to the bandwidth h (abstract)."""

    @abc.abstractmethod
    def __call__(self, x: np.ndarray, kernel: Kernel) -> float:
        """Return h for examples [n, d].

        Raises:
            ValueError: if the rule finds none.
        """


class Scott(Bandwidth):
    """Scott's rule, with s^2 the mean of the variances of the d coordinates.

        h = s n^(-1 / (d + 4))

    Reference: D. Scott, "Multivariate Density Estimation", 1992, Eq. (6.42).

    Example:
        >>> import numpy as np
        >>> from tfvae import density
        >>> round(density.Scott()(np.array([[-1.0], [0.0], [1.0]]), density.Gaussian()), 3)
        0.803
    """

    def __call__(self, x: np.ndarray, kernel: Kernel) -> float:
        """See `Bandwidth`."""
        spread = math.sqrt(np.mean(np.var(x, 0, ddof=1))) if len(x) > 1 else 0.0
        if not spread > 0.0:
            raise ValueError(f"Expected different examples, to choose a bandwidth. Received: {len(x)}, all equal")
        return spread * len(x) ** (-1.0 / (x.shape[1] + 4.0))


class Silverman(Bandwidth):
    """Silverman's rule, the best one for a normal distribution and a normal kernel.

        h = s (n (d + 2) / 4)^(-1 / (d + 4))

    Reference: B. Silverman, "Density Estimation for Statistics and Data Analysis", 1986, Eq. (4.14), s as there.

    Example:
        >>> import numpy as np
        >>> from tfvae import density
        >>> round(density.Silverman()(np.array([[-1.0], [0.0], [1.0]]), density.Gaussian()), 3)
        0.85
    """

    def __call__(self, x: np.ndarray, kernel: Kernel) -> float:
        """See `Bandwidth`."""
        return Scott()(x, kernel) * ((x.shape[1] + 2.0) / 4.0) ** (-1.0 / (x.shape[1] + 4.0))


class LeaveOneOut(Bandwidth):
    """The bandwidth under which each example is likely by the others; found on a grid, to about 1 %.

        h = argmax sum_i log p_{-i}(x_i),   p_{-i}(x) = 1 / ((n - 1) h^d) sum_{j != i} K((x - x_j) / h)

    Args:
        examples: how many examples, chosen at random, are left out in turn; the kernels stay at all.
        seed: of that choice.

    Raises:
        ValueError: if `examples` is no positive whole number.

    Reference: B. Silverman, "Density Estimation for Statistics and Data Analysis", 1986, Sec. 3.4.4.

    Example:
        >>> import numpy as np
        >>> from tfvae import density
        >>> x = np.random.default_rng(0).normal(size=[500, 1])
        >>> 0.1 < density.LeaveOneOut()(x, density.Gaussian()) < 0.5
        True
    """

    def __init__(self, examples: int = 2000, seed: int = 0):
        self.examples, self.seed = positive_int("examples", examples), seed

    def __call__(self, x: np.ndarray, kernel: Kernel) -> float:
        """See `Bandwidth`."""
        own = generator(self.seed).permutation(len(x))[: self.examples]
        grid = Scott()(x, kernel) * np.geomspace(0.02, 5.0, _GRID)
        for number in range(_ROUNDS):
            best = int(np.argmax(left_out(x, own, grid, kernel)))
            if number == 0 and not 0 < best < _GRID - 1:
                raise ValueError(
                    "Expected examples whose likelihood, each by the others, is largest at some bandwidth; with "
                    "repeated examples it grows as the bandwidth falls. Give a bandwidth, or a rule such as "
                    f"density.Scott(). Received: the largest at the end of the range, {grid[best]:.3g}"
                )
            grid = np.geomspace(grid[max(best - 1, 0)], grid[min(best + 1, _GRID - 1)], _GRID)
        return float(grid[_GRID // 2])


def left_out(x: np.ndarray, own: np.ndarray, bandwidths: np.ndarray, kernel: Kernel) -> np.ndarray:
    """Return the mean of log p_{-i}(x_i) over the examples i of `own`, for each bandwidth, in nats, [H]."""
    h = tf.constant(bandwidths)
    points = tf.constant(x)
    sums = log_sums(tf.gather(points, own), points, h, kernel, tf.constant(own, tf.int32))  # [m, H]
    scale = log_scale(kernel, x.shape[1], h, tf.constant(len(x) - 1.0, tf.float64))
    return tf.reduce_mean(sums + scale, 0).numpy()
