"""What TFP's normal with a triangular scale lacks: a divergence and moments without operators that TFLite lacks."""

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.moments import moments


def factor(q: tfd.MultivariateNormalTriL) -> tf.Tensor:
    """Return L of the covariance L L^T, [*batch_shape, D, D], with zeros above its diagonal."""
    return q.scale_tril * np.tri(q.event_shape[-1], dtype=q.dtype.as_numpy_dtype)


def log_determinant(factor: tf.Tensor) -> tf.Tensor:
    """Return log |L| of triangular matrices with a positive diagonal, [*B, D, D] to [*B]."""
    diagonal = tf.reduce_sum(factor * tf.eye(factor.shape[-1], dtype=factor.dtype), -1)  # [*B, D]
    return tf.reduce_sum(tf.math.log(diagonal), -1)


@moments.register(tfd.MultivariateNormalTriL)
def _full_normal(q: tfd.Distribution) -> tuple[tf.Tensor, tf.Tensor]:
    return q.loc, tf.sqrt(tf.reduce_sum(tf.square(factor(q)), -1))  # [*B, D]


@tfd.RegisterKL(tfd.MultivariateNormalTriL, tfd.MultivariateNormalDiag)
def _from_diagonal(q: tfd.Distribution, p: tfd.Distribution, name: str | None = None) -> tf.Tensor:
    """KL(N(m, L L^T) || N(n, diag(s)^2)) = (|L / s|^2 + |(m - n) / s|^2 - D) / 2 + sum_i log s_i - log |L|, [*B]."""
    lower, scale = factor(q), p.stddev()
    spread = tf.reduce_sum(tf.square(lower / scale[..., None]), [-2, -1])
    shift = tf.reduce_sum(tf.square((q.loc - p.mean()) / scale), -1)
    size = tf.cast(q.event_shape[-1], q.dtype)
    return 0.5 * (spread + shift - size) + tf.reduce_sum(tf.math.log(scale), -1) - log_determinant(lower)
