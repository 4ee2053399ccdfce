"""Kernel density estimation."""

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.density.bandwidth import Bandwidth, Scott
from tfvae.density.base import Density
from tfvae.distributions.kernel_density import KernelDensity as Kernels
from tfvae.distributions.kernels import Gaussian, Kernel
from tfvae.errors import number_in


class KernelDensity(Density):
    """A kernel at each example.

        p(x) = 1 / (n h^d) sum_i K((x - x_i) / h)

    Args:
        bandwidth: h above 0, in the units of x, or a rule: `density.Scott()`, `Silverman()` or `LeaveOneOut()`.
        kernel: K: `density.Gaussian()`, `Epanechnikov()` or `TopHat()`.
        dtype: of the distribution; default: that of Keras.

    Raises:
        TypeError: if `kernel` is no kernel.
        ValueError: if `bandwidth` is no number above 0; by `fit`, if the rule finds none.

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
            number_in(
                "bandwidth", bandwidth, float(np.finfo(np.float32).tiny), advice=" or a rule like density.Scott()"
            )
        self.rule, self.kernel = bandwidth, kernel

    @property
    def bandwidth(self) -> float:
        """The bandwidth h that was given or found."""
        return float(self.distribution.bandwidth)

    def _estimate(self, x: np.ndarray) -> tfd.Distribution:
        h = self.rule(x.reshape(len(x), -1), self.kernel) if isinstance(self.rule, Bandwidth) else self.rule
        return Kernels(tf.constant(x, self.dtype), tf.constant(h, self.dtype), self.kernel)
