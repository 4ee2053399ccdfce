"""Kernel density estimation."""

import math

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.density.bandwidth import Bandwidth, Scott
from tfvae.density.base import Density
from tfvae.distributions.kernel_density import KernelDensity as Kernels
from tfvae.distributions.kernels import Gaussian, Kernel
from tfvae.errors import number_in
from tfvae.heads.support import REAL, Support

_RANGE = (2e-19, 1e19)  # whose squares are float32


class KernelDensity(Density):
    """A kernel at each example.

        p(x) = 1 / (n h^d) sum_i K((x - x_i) / h)

    Args:
        bandwidth: h above 0, in the units of x, or a rule: `density.Scott()`, `Silverman()` or `LeaveOneOut()`.
        kernel: K: `density.Gaussian()`, `Epanechnikov()` or `TopHat()`.
        dtype: of the distribution; default: that of Keras.

    Raises:
        TypeError: if `kernel` is no kernel.
        ValueError: if `bandwidth` is no number above 0; by `fit`, if the rule finds none; by `as_prior`, for a kernel
            that is 0 beyond some distance, because the density of most z is 0 then.

    Reference: E. Parzen, "On Estimation of a Probability Density Function and Mode", 1962, Eq. (1.2); in d dimensions
    B. Silverman, "Density Estimation for Statistics and Data Analysis", 1986, Eq. (4.1).

    Example:
        >>> import numpy as np
        >>> from tfvae import density
        >>> x = np.random.default_rng(0).normal(size=[200, 2])
        >>> px = density.KernelDensity(density.Silverman()).fit(x)
        >>> 0.3 < px.bandwidth < 0.5
        True
    """

    def __init__(
        self, bandwidth: float | Bandwidth = Scott(), kernel: Kernel = Gaussian(), *, dtype: str | None = None
    ):
        super().__init__(dtype)
        if not isinstance(kernel, Kernel):
            raise TypeError(f"Expected a kernel, such as density.Gaussian(). Received: kernel={kernel!r}")
        if not isinstance(bandwidth, Bandwidth):
            number_in("bandwidth", bandwidth, *_RANGE, advice=", or a rule like density.Scott()")
        self.rule, self.kernel = bandwidth, kernel

    @property
    def bandwidth(self) -> float:
        """The bandwidth h that was given or found."""
        return float(self.distribution.bandwidth)

    @property
    def support(self) -> Support:
        """All real vectors, unless the kernel ends.

        Raises:
            ValueError: if it does.
        """
        if self.kernel.reach < math.inf:
            raise ValueError(
                "Expected a kernel above 0 everywhere, for a prior of z: density.Gaussian(). Received: "
                f"kernel={self.kernel!r}, which is 0 beyond the bandwidth"
            )
        return REAL

    def _estimate(self, x: np.ndarray) -> tfd.Distribution:
        h = self.rule
        if isinstance(h, Bandwidth):
            rule = type(h).__name__
            h = number_in(f"the bandwidth of {rule}", h(x.reshape(len(x), -1), self.kernel), *_RANGE)
        centre = np.mean(x, 0)  # before the cast, which would round what lies far from 0 to fewer digits
        points, bandwidth = tf.constant(x - centre, self.dtype), tf.constant(h, self.dtype)
        return Kernels(points, bandwidth, self.kernel, tf.constant(centre, tf.float64))

    def _score(self, x: np.ndarray) -> tf.Tensor:
        return self.distribution.log_prob(tf.constant(x, tf.float64))  # which subtracts the centre, and then casts
