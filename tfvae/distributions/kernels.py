"""Kernels of density estimation: densities on R^d that depend on the distance from the origin alone."""

import abc
import math
from dataclasses import dataclass

import tensorflow as tf
from tensorflow_probability import distributions as tfd


class Kernel(abc.ABC):
    """A density K(u) on R^d, as a function of s = |u|^2 (abstract)."""

    reach = math.inf
    """The |u| from which on K is 0."""

    @abc.abstractmethod
    def log_shape(self, s: tf.Tensor) -> tf.Tensor:
        """Return log K for s up to a constant; -inf outside the support."""

    @abc.abstractmethod
    def log_constant(self, size: int) -> float:
        """Return the constant that makes K integrate to one in `size` dimensions."""

    @abc.abstractmethod
    def squared_radius(self, size: int, dtype: tf.DType) -> tfd.Distribution:
        """Return the distribution of |u|^2."""

    @abc.abstractmethod
    def variance(self, size: int) -> float:
        """Return the variance of each coordinate of u."""


@dataclass(frozen=True)
class Gaussian(Kernel):
    """The standard normal density as a kernel.

        K(u) = (2 pi)^(-d / 2) exp(-|u|^2 / 2)

    Reference: B. Silverman, "Density Estimation for Statistics and Data Analysis", 1986, Eq. (4.3).

    Example:
        >>> from tfvae import density
        >>> density.Gaussian().variance(3)
        1.0
    """

    def log_shape(self, s: tf.Tensor) -> tf.Tensor:
        return -0.5 * s

    def log_constant(self, size: int) -> float:
        return -0.5 * size * math.log(2.0 * math.pi)

    def squared_radius(self, size: int, dtype: tf.DType) -> tfd.Distribution:
        return tfd.Chi2(tf.constant(size, dtype))

    def variance(self, size: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Epanechnikov(Kernel):
    """The kernel with the smallest error in the mean square, a paraboloid on the unit ball of volume V_d.

        K(u) = (d + 2) / (2 V_d) (1 - |u|^2),   |u| < 1

    Reference: B. Silverman, "Density Estimation for Statistics and Data Analysis", 1986, Eq. (4.4).

    Example:
        >>> from tfvae import density
        >>> density.Epanechnikov().variance(1)
        0.2
    """

    reach = 1.0

    def log_shape(self, s: tf.Tensor) -> tf.Tensor:
        return _inside(s, tf.math.log(tf.where(s < 1.0, 1.0 - s, tf.ones_like(s))))

    def log_constant(self, size: int) -> float:
        return math.log(0.5 * (size + 2.0)) - _log_ball(size)

    def squared_radius(self, size: int, dtype: tf.DType) -> tfd.Distribution:
        return tfd.Beta(tf.constant(0.5 * size, dtype), tf.constant(2.0, dtype))

    def variance(self, size: int) -> float:
        return 1.0 / (size + 4.0)


@dataclass(frozen=True)
class TopHat(Kernel):
    """The uniform density on the unit ball of volume V_d as a kernel.

        K(u) = 1 / V_d,   |u| < 1

    Reference: B. Silverman, "Density Estimation for Statistics and Data Analysis", 1986, Sec. 2.3.

    Example:
        >>> from tfvae import density
        >>> round(density.TopHat().variance(1), 3)
        0.333
    """

    reach = 1.0

    def log_shape(self, s: tf.Tensor) -> tf.Tensor:
        return _inside(s, tf.zeros_like(s))

    def log_constant(self, size: int) -> float:
        return -_log_ball(size)

    def squared_radius(self, size: int, dtype: tf.DType) -> tfd.Distribution:
        return tfd.Beta(tf.constant(0.5 * size, dtype), tf.constant(1.0, dtype))

    def variance(self, size: int) -> float:
        return 1.0 / (size + 2.0)


def _inside(s: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    return tf.where(s < 1.0, value, tf.constant(-math.inf, s.dtype))


def _log_ball(size: int) -> float:
    """Return the log-volume of the unit ball: pi^(d/2) / Gamma(d/2 + 1)."""
    return 0.5 * size * math.log(math.pi) - math.lgamma(0.5 * size + 1.0)
