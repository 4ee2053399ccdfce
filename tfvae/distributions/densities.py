"""Families of TFP whose densities are computed anew: in operators that TFLite has, and without cancellation."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.special import HALF_LOG_2PI, binet, deviance, log1p, log_mean_exp_small, polynomial

# Of the derivative of log(sinh(h) / h) divided by h, in powers of h^2.
_LANGEVIN = (1 / 3, -1 / 45, 2 / 945, -1 / 4725, 2 / 93555, -1382 / 638512875, 4 / 18243225)


class Poisson(tfd.Poisson):
    """Poisson distribution.

        log p(x) = -(x log(x / rate) + rate - x) - binet(x) - log(2 pi x) / 2,   log p(0) = -rate

    Reference: C. Loader, "Fast and Accurate Computation of Binomial Probabilities", 2000, Sec. 3,
    http://www.herine.net/stat/papers/dbinom.pdf.
    """

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        rate = tf.convert_to_tensor(self.rate)
        x = tf.cast(x, rate.dtype)
        counted = tf.where(x > 0, x, tf.ones_like(x))
        constant = binet(counted) + 0.5 * tf.math.log(counted) + HALF_LOG_2PI  # of x alone, which has no sample axis
        return tf.where(x > 0, -deviance(counted, rate) - constant, -rate)


class Beta(tfd.Beta):
    """Beta distribution, with n = concentration1 + concentration0.

        log p(x) = -D(c1, n x) - D(c0, n (1 - x)) + log(c1 c0 / n) / 2 - log(2 pi) / 2
                   - binet(c1) - binet(c0) + binet(n) - log x - log(1 - x),   D(a, b) = a log(a / b) + b - a

    The deviances D are 0 where x is the mean; all that is large cancels in them.
    """

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        one, zero = tf.convert_to_tensor(self.concentration1), tf.convert_to_tensor(self.concentration0)
        total, rest = one + zero, 1.0 - x
        normalizer = binet(total) - binet(one) - binet(zero) + 0.5 * tf.math.log(one * zero / total) - HALF_LOG_2PI
        kernel = -deviance(one, total * x) - deviance(zero, total * rest) - tf.math.log(x) - tf.math.log(rest)
        return kernel + normalizer


class StudentT(tfd.StudentT):
    """Student's t distribution, with a = df / 2.

        log p(x) = a log(1 + 1 / (2 a)) - (1 + log(2 pi)) / 2 + binet(a + 1/2) - binet(a) - log scale
                   - (a + 1/2) log(1 + (x - loc)^2 / (df scale^2))

    It is accurate up to df = 1e6 and beyond, where it is a normal distribution.
    """

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        df, loc, scale = (tf.convert_to_tensor(value) for value in (self.df, self.loc, self.scale))
        half = 0.5 * df
        normalizer = half * log1p(0.5 / half) - 0.5 - HALF_LOG_2PI + binet(half + 0.5) - binet(half)
        return normalizer - tf.math.log(scale) - (half + 0.5) * log1p(tf.square((x - loc) / scale) / df)


def _interval_mean(logits: tf.Tensor) -> tf.Tensor:
    """Return the mean of the density proportional to exp(l x) on [0, 1]: 1 / (1 - exp(-l)) - 1 / l, 1/2 at l = 0."""
    size = tf.abs(logits)
    small = size < 1.0
    high = tf.where(small, tf.ones_like(size), size)
    tail = tf.exp(-high) / (1.0 - tf.exp(-high))
    half = 0.5 * tf.where(small, logits, tf.zeros_like(logits))
    far = tf.where(logits > 0, 1.0 + tail - 1.0 / high, 1.0 / high - tail)
    return tf.where(small, 0.5 + 0.5 * half * polynomial(_LANGEVIN, tf.square(half)), far)


@tf.custom_gradient
def _interval_score(x: tf.Tensor, logits: tf.Tensor) -> tuple:
    """Return l x - log((exp(l) - 1) / l) for two tensors of one shape."""
    size = tf.abs(logits)
    small = size < 1.0
    low, high = tf.where(small, size, tf.zeros_like(size)), tf.where(small, tf.ones_like(size), size)
    log_normalizer = tf.where(
        small, log_mean_exp_small(-low), tf.math.log(1.0 - tf.exp(-high)) - tf.math.log(high)
    )  # less max(l, 0), which is taken from l x: at the likely end nothing is left to be rounded
    value = logits * (x - tf.cast(logits > 0, x.dtype)) - log_normalizer

    def gradient(upstream: tf.Tensor) -> tuple:
        return upstream * logits, upstream * (x - _interval_mean(logits))

    return value, gradient


class ContinuousBernoulli(tfd.ContinuousBernoulli):
    """Continuous Bernoulli distribution on [0, 1], with logits l.

        log p(x) = l x - log((exp(l) - 1) / l)

    Reference: G. Loaiza-Ganem and J. Cunningham, "The continuous Bernoulli: fixing a pervasive error in variational
    autoencoders", 2019, Sec. 3, https://arxiv.org/abs/1907.06845.
    """

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        logits = tf.convert_to_tensor(self.logits)
        x = tf.cast(x, logits.dtype)
        shape = tf.broadcast_dynamic_shape(tf.shape(x), tf.shape(logits))
        return _interval_score(tf.broadcast_to(x, shape), tf.broadcast_to(logits, shape))

    def _mean(self) -> tf.Tensor:
        return _interval_mean(tf.convert_to_tensor(self.logits))
