"""Special functions of operators that every TFLite runtime has, as accurate as float32 allows.

TFLite has no log-gamma, and writes log1p(x) as log(1 + x), expm1(x) as exp(x) - 1. A mass or density that is a
difference of large log-gammas has no digit left in float32, so none is computed that way here: the parts that cancel
are cancelled on paper, and what remains is `excess` and `binet`, which are small where the density is large.

Reference: C. Loader, "Fast and Accurate Computation of Binomial Probabilities", 2000, Sec. 3,
http://www.herine.net/stat/papers/dbinom.pdf.
"""

import math

import tensorflow as tf

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
# x binet(x) for x >= 1 as a fraction of polynomials of 1 / x^2, within 3e-12: least squares at 160 Chebyshev nodes.
_ABOVE = (0.083333333329214354, 0.36223993610771811, 0.38079785092010107, 0.098101342601817881, 0.0032137794385380932)
_BELOW = (1.0, 4.3802125508932916, 4.7060583110615497, 1.2994935678732574, 0.05846769484098373)
# Of log(sinh(h) / h) in powers of h^2, from the Bernoulli numbers.
_SINHC = (1 / 6, -1 / 180, 1 / 2835, -1 / 37800, 1 / 467775, -691 / 3831077250, 2 / 127702575)


def polynomial(coefficients: tuple[float, ...], x: tf.Tensor) -> tf.Tensor:
    """Return sum_i coefficients[i] x^i."""
    value = coefficients[-1] * tf.ones_like(x)
    for coefficient in coefficients[-2::-1]:
        value = value * x + coefficient
    return value


def log_sum_exp(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Return log sum exp(x) over one axis."""
    peak = tf.stop_gradient(tf.reduce_max(x, axis, keepdims=True))
    return tf.math.log(tf.reduce_sum(tf.exp(x - peak), axis)) + tf.squeeze(peak, axis)


def log_softmax(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Return x - log sum exp(x) over one axis, of tensors of any rank.

    TensorFlow's own refuses more than five axes on processors where it runs on oneDNN, and images of several channels
    have six: samples, examples, height, width, channels, levels.
    """
    shifted = x - tf.stop_gradient(tf.reduce_max(x, axis, keepdims=True))
    return shifted - tf.math.log(tf.reduce_sum(tf.exp(shifted), axis, keepdims=True))


def softmax(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Return exp(x) / sum exp(x) over one axis, of tensors of any rank."""
    return tf.exp(log_softmax(x, axis))


def _around_one(u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return whether u is near 0, v = u / (2 + u), and log(1 + u) - 2 v there.

        log(1 + u) = 2 atanh(v) = 2 v + 2 sum_{i >= 1} v^(2 i + 1) / (2 i + 1)

    Near means |v| < 0.1, about |u| < 0.2.
    """
    v = u / (2.0 + u)
    square = tf.square(v)
    rest = 2.0 * v * square * polynomial((1 / 3, 1 / 5, 1 / 7, 1 / 9, 1 / 11, 1 / 13), square)
    return tf.abs(v) < 0.1, v, rest


def log1p(u: tf.Tensor) -> tf.Tensor:
    """Return log(1 + u) for u > -1, with the digits of u where it is small."""
    near, v, rest = _around_one(u)
    return tf.where(near, 2.0 * v + rest, tf.math.log(tf.where(near, tf.ones_like(u), 1.0 + u)))


@tf.custom_gradient
def softplus(x: tf.Tensor) -> tuple:
    """Return log(1 + exp(x)) for any x; TensorFlow's ends at 88 in TFLite, which takes the exponential first."""
    return tf.maximum(x, 0.0) + log1p(tf.exp(-tf.abs(x))), lambda upstream: upstream * tf.sigmoid(x)


def excess(u: tf.Tensor, ratio: tf.Tensor) -> tf.Tensor:
    """Return u - log(1 + u) >= 0 for u > -1, where `ratio` is 1 + u: each has digits where the other lost them."""
    near, v, rest = _around_one(u)
    return tf.where(near, u * v - rest, u - tf.math.log(tf.where(near, tf.ones_like(ratio), ratio)))


def deviance(x: tf.Tensor, mean: tf.Tensor) -> tf.Tensor:
    """Return x log(x / mean) + mean - x >= 0 for positive x and mean."""
    return x * excess((mean - x) / x, mean / x)


def binet(x: tf.Tensor) -> tf.Tensor:
    """Return Binet's function of x > 0: what Stirling's formula leaves of log-gamma.

        binet(x) = log Gamma(x) - (x - 1/2) log x + x - log(2 pi) / 2
        binet(x) = binet(x + 1) + (x + 1/2) log(1 + 1 / x) - 1

    From 1 on it is a fraction of polynomials, below it is shifted there. All terms are positive: nothing cancels.

    Reference: NIST Digital Library of Mathematical Functions, Sec. 5.10 and 5.11, https://dlmf.nist.gov/5.11.
    """
    small = x < 1.0
    low, high = tf.where(small, x, tf.ones_like(x)), tf.where(small, x + 1.0, x)
    square = 1.0 / tf.square(high)
    step = tf.where(small, (low + 0.5) * tf.math.log((low + 1.0) / low) - 1.0, tf.zeros_like(x))
    return polynomial(_ABOVE, square) / (high * polynomial(_BELOW, square)) + step


def log_gamma(x: tf.Tensor) -> tf.Tensor:
    """Return log Gamma(x) for x > 0, within 1e-6 of its size or of 1 in float32 from 1e-3 to 1e6.

    Where log-gammas are subtracted use `binet`.
    """
    return (x - 0.5) * tf.math.log(x) - x + HALF_LOG_2PI + binet(x)


@tf.custom_gradient
def log1mexp(x: tf.Tensor) -> tuple:
    """Return log(1 - exp(-x)) for x > 0."""
    small = x < 1.0
    low, high = tf.where(small, x, tf.ones_like(x)), tf.where(small, tf.ones_like(x), x)
    value = tf.where(small, tf.math.log(low) + log_mean_exp_small(-low), tf.math.log(1.0 - tf.exp(-high)))
    return value, lambda upstream: upstream / tf.math.expm1(x)


def log_mean_exp_small(x: tf.Tensor) -> tf.Tensor:
    """Return log((exp(x) - 1) / x) for |x| <= 1: x / 2 + log(sinh(x / 2) / (x / 2))."""
    square = 0.25 * tf.square(x)
    return 0.5 * x + square * polynomial(_SINHC, square)
