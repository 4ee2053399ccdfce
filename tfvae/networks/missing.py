"""What a network is told of missing values."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfvae")
class FillMissing(keras.layers.Layer):
    """Missing values, NaN, as zeros, beside a channel that tells which were observed.

        h = [x_o with 0 where x is missing, 1 where x was observed and 0 elsewhere]

    Args:
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.networks.FillMissing()(np.array([[3.0, np.nan]])).numpy()
        array([[3., 0., 1., 0.]], dtype=float32)
    """

    def call(self, x: tf.Tensor) -> tf.Tensor:
        missing = tf.math.is_nan(x)
        seen = tf.cast(tf.logical_not(missing), x.dtype)
        return tf.concat([tf.where(missing, tf.zeros([], x.dtype), x), seen], -1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape that came in, with twice the channels."""
        return (*input_shape[:-1], 2 * input_shape[-1])
