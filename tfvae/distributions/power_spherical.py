"""The power spherical distribution with an exact sampler and a density that every exported format has."""

import math

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

_SHIFT = 8  # from a + 8 on, four terms of the expansions below are good to 1e-11
# log Gamma(a + 1/2) - log Gamma(a) - log(a) / 2 ~ sum_i c_i a^(1 - 2 i)
_HALF = (-1 / 8, 1 / 192, -1 / 640, 17 / 14336)


class PowerSpherical(tfd.PowerSpherical):
    """TFP's `PowerSpherical` on unit vectors of length D, drawn from a fixed number of normals without rejection.

        q(z) = ((1 + mu^T z) / 2)^kappa / N,   (1 + mu^T z) / 2 ~ Beta(kappa + (D - 1) / 2, (D - 1) / 2)

    With b = m + h / 2, h being 0 or 1, a Beta(a, b) variate is the product of one of Beta(a, h / 2), which Bailey's
    polar method for Student's t gives, and of U_j^(1 / (a + h / 2 + j)) for j < m. Each -log U is half the squared
    length of two normals. The gradient of a draw moves it along with mu without turning it about mu, so that it stays
    bounded; TFP's sampler takes 1 - t^2 of a rounded t, and its gradient is NaN where t rounds to 1.

    Args:
        mean_direction: mu, unit vectors, [*B, D] with D of at least 2.
        concentration: kappa, [*B], at least 0.

    Reference: N. De Cao and W. Aziz, "The Power Spherical distribution", 2020, Sec. 2,
    https://arxiv.org/abs/2006.04437; R. Bailey, "Polar generation of random variates with the t-distribution", 1994,
    https://doi.org/10.2307/2153537.

    Example:
        >>> import tensorflow as tf
        >>> PowerSpherical([1.0, 0.0, 0.0], 4.0).sample(5, seed=(0, 1)).shape
        TensorShape([5, 3])
    """

    def noise_size(self) -> int:
        """Return how many normals one draw takes: D for a direction, two for each factor of the Beta variate."""
        size = self.event_shape[-1]
        return size + 2 * (size // 2)

    def place(self, noise: tf.Tensor) -> tf.Tensor:
        """Turn standard normal noise [S, *B, noise_size] into draws [S, *B, D]."""
        size = self.event_shape[-1]
        direction, first, second = tf.split(noise, [size, size // 2, size // 2], -1)
        far = tf.expand_dims(self._distance(first, second), -1)  # [S, *B, 1]: (1 - mu^T z) / 2
        mu = self.mean_direction
        fixed = tf.stop_gradient(mu)
        for _ in range(2):  # the second time removes what rounding left of mu
            direction -= tf.reduce_sum(direction * fixed, -1, keepdims=True) * fixed
            direction *= tf.math.rsqrt(tf.reduce_sum(tf.square(direction), -1, keepdims=True) + 1e-30)
        # In value the direction, and in gradient what keeps it tangent to the sphere as mu moves.
        tangent = direction - tf.reduce_sum(direction * mu, -1, keepdims=True) * fixed
        return (1.0 - 2.0 * far) * mu + 2.0 * tf.sqrt(far * (1.0 - far)) * tangent

    def _distance(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        """Return 1 - Beta(kappa + (D - 1) / 2, (D - 1) / 2), [S, *B], without a difference of near numbers."""
        halves = self.event_shape[-1] - 1
        factors, odd = divmod(halves, 2)
        a = self.concentration + 0.5 * halves
        exponents = 0.5 * (tf.square(first) + tf.square(second))  # [S, *B, pairs]: -log U each
        rates = a[..., None] + 0.5 * odd + np.arange(factors, dtype=self.dtype.as_numpy_dtype)
        far = _complement(tf.reduce_sum(exponents[..., :factors] / rates, -1))  # [S, *B]
        if odd:
            power = exponents[..., factors] / a
            turn = 0.5 * tf.square(first[..., factors]) / (exponents[..., factors] + 1e-30)  # cos^2 of a uniform angle
            odds = tf.exp(power) * _complement(power) * turn  # (U^(-1 / a) - 1) cos^2
            far = (odds + far) / (1.0 + odds)
        return tf.clip_by_value(far, 1e-30, 1.0 - 1e-6)  # the square root has a gradient in between

    def _sample_n(self, n: tf.Tensor | int, seed: object = None) -> tf.Tensor:
        shape = tf.concat([[n], tf.shape(self.mean_direction)[:-1], [self.noise_size()]], 0)
        one = tf.ones([], self.dtype)
        return self.place(tfd.Normal(tf.zeros_like(one), one).sample(shape, seed=seed))

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        cosine = tf.clip_by_value(tf.reduce_sum(x * self.mean_direction, -1), -1.0, 1.0)
        return self.concentration * tf.math.log(0.5 + 0.5 * cosine) - self._log_normalizer()

    def _log_normalizer(self) -> tf.Tensor:
        """Return log N, [*B]: 2^(2 b) pi^b Gamma(kappa + b) / Gamma(kappa + 2 b) for b = (D - 1) / 2."""
        halves = self.event_shape[-1] - 1
        ratio, _ = _gamma_ratio(self.concentration + 0.5 * halves, halves)
        return halves * math.log(2.0) + 0.5 * halves * math.log(math.pi) - ratio

    def _entropy(self) -> tf.Tensor:
        halves = self.event_shape[-1] - 1
        _, slope = _gamma_ratio(self.concentration + 0.5 * halves, halves)
        return self._log_normalizer() + self.concentration * slope


def _complement(power: tf.Tensor) -> tf.Tensor:
    """Return 1 - exp(-power) for power of at least 0, exact for small ones too: TFLite has no expm1."""
    half = tf.tanh(0.5 * power)
    return 2.0 * half / (1.0 + half)


def _gamma_ratio(a: tf.Tensor, halves: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return log Gamma(a + halves / 2) - log Gamma(a) and its derivative by a: TFLite has neither Gamma nor digamma.

    Gamma(a + 1) = a Gamma(a) gives the whole steps exactly; the odd half is expanded at a + 8.
    """
    whole, odd = divmod(halves, 2)
    steps = a[..., None] + np.arange(whole, dtype=a.dtype.as_numpy_dtype)  # [*B, whole]
    ratio, slope = tf.reduce_sum(tf.math.log(steps), -1), tf.reduce_sum(1.0 / steps, -1)
    if odd:
        steps = a[..., None] + np.arange(whole, whole + _SHIFT, dtype=a.dtype.as_numpy_dtype)  # [*B, 8]
        far = a + float(whole + _SHIFT)
        ratio += 0.5 * tf.math.log(far) - tf.reduce_sum(tf.math.log(1.0 + 0.5 / steps), -1)
        slope += 0.5 / far + tf.reduce_sum(0.5 / (steps * (steps + 0.5)), -1)
        for power, coefficient in zip((1, 3, 5, 7), _HALF, strict=True):
            ratio += coefficient / far**power
            slope -= power * coefficient / far ** (power + 1)
    return ratio, slope
