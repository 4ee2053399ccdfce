"""The likelihood of binary data."""

import functools

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.heads.base import Elements, Head
from tfvae.heads.support import BINARY

_FACTORS = 14  # at most, in one product; each is between 1 and 2, and half precision ends at 2^16


@tf.custom_gradient
def _score(logits: tf.Tensor, x: tf.Tensor) -> tuple:
    """Return sum_i x_i l_i - softplus(l_i) over the last axis, for two tensors of one shape.

        softplus(l) = max(l, 0) + log(1 + exp(-|l|))

    The logarithms, the costliest part of a density, are those of products of many 1 + exp(-|l|). Each factor is
    rounded, by 1e-7 at most in float32, where TFP's log1p is exact for tiny values too and takes several times as long.
    """
    small = tf.exp(-tf.abs(logits))
    pixels = logits.shape[-1]
    factors = max(number for number in range(1, _FACTORS + 1) if pixels % number == 0)
    linear = functools.reduce(tf.add, tf.split(x * logits - tf.maximum(logits, 0.0), factors, -1))
    products = functools.reduce(tf.multiply, tf.split(1.0 + small, factors, -1))

    def gradient(upstream: tf.Tensor) -> tuple:
        sigmoid = tf.where(logits >= 0, tf.ones_like(small), small) / (1.0 + small)
        upstream = upstream[..., None]
        return upstream * x - upstream * sigmoid, upstream * logits  # of (x - sigmoid) XLA sums no bias quickly

    return tf.reduce_sum(linear - tf.math.log(products), -1), gradient


class _Pixels(Elements):
    """Bernoulli distributions of all pixels, scored together."""

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        logits = self.flat(self.distribution.logits)
        x = tf.cast(self.flat(x), logits.dtype)
        batch = tf.broadcast_dynamic_shape(tf.shape(logits)[:-1], tf.shape(x)[:-1])
        shape = tf.concat([batch, [self.event_shape.num_elements()]], 0)  # a broadcast axis of 1 may be of any length
        return _score(tf.broadcast_to(logits, shape), tf.broadcast_to(x, shape))


@keras.saving.register_keras_serializable(package="tfvae")
class Bernoulli(Head):
    """Independent Bernoulli likelihood of binary data; grey values are refused.

        log p(x | z) = sum_i x_i log pi_i + (1 - x_i) log(1 - pi_i),   logit pi = W features + b

    Args:
        event_shape: shape of x, e.g. (28, 28, 1).
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` holds anything but positive whole numbers.

    Reference: D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2014, Eq. (11),
    https://arxiv.org/abs/1312.6114.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.Bernoulli((8, 8, 1))(np.zeros([3, 16], "float32")).event_shape
        TensorShape([8, 8, 1])
    """

    support = BINARY
    parameter_count = 1

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        pixels = tfd.Bernoulli(logits=parameters, dtype=parameters.dtype)
        return _Pixels(pixels, reinterpreted_batch_ndims=len(self.event_shape))
