"""The likelihood of binary data."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.heads.base import Elements, Head
from tfvae.heads.support import BINARY


@tf.custom_gradient
def _softplus(x: tf.Tensor) -> tuple:
    """Return log(1 + exp(x)) within 1e-7: the log1p of XLA, exact for tiny values too, takes several times as long."""
    small = tf.exp(-tf.abs(x))

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        return upstream * tf.where(x >= 0, tf.ones_like(small), small) / (1.0 + small)  # the sigmoid

    return tf.maximum(x, 0.0) + tf.math.log(1.0 + small), gradient


class _Bernoulli(tfd.Bernoulli):
    """TFP's, scored by x l - softplus(l): one softplus a pixel where TFP takes two, the costliest part of a density."""

    def _log_prob(self, event: tf.Tensor) -> tf.Tensor:
        logits = self.logits
        return tf.cast(event, logits.dtype) * logits - _softplus(logits)


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
        pixels = _Bernoulli(logits=parameters, dtype=parameters.dtype)
        return Elements(pixels, reinterpreted_batch_ndims=len(self.event_shape))
