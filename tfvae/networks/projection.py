"""The linear layer between a network's features and a head's parameters."""

import math

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfvae")
class Projection(keras.layers.Layer):
    """A linear map from features [B, ...] to [B, *event_shape[:-1], width].

    Features that already lie on the event's grid are mapped pointwise (a 1x1 convolution); others are flattened
    and mapped densely.

    Args:
        event_shape: shape of one event.
        width: how many parameters each place of the event's grid has.
        kernel_initializer: of the map.
        **kwargs: `name` and `dtype`, as for any Keras layer.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        width: int,
        kernel_initializer: str | keras.initializers.Initializer = "glorot_uniform",
        **kwargs: object,
    ):
        super().__init__(**kwargs)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.event_shape = tuple(event_shape)
        self.width = width

    def build(self, input_shape: tuple) -> None:
        """Choose the pointwise or the dense map from the shape of the features."""
        grid = self.event_shape[:-1]
        self.pointwise = bool(grid) and tuple(input_shape[1:-1]) == grid
        outputs = self.width if self.pointwise else self.width * math.prod(grid)
        inputs = input_shape[-1] if self.pointwise else math.prod(input_shape[1:])
        options = {"dtype": self.dtype_policy, "trainable": self.trainable, "name": "linear"}
        self.linear = keras.layers.Dense(outputs, kernel_initializer=self.kernel_initializer, **options)
        self.linear.build((None, inputs))

    def call(self, features: tf.Tensor) -> tf.Tensor:
        if self.pointwise:
            return self.linear(features)
        flat = tf.reshape(features, [-1, math.prod(features.shape[1:])])
        outputs = self.linear(flat)
        return tf.reshape(outputs, [-1, *self.event_shape[:-1], self.width])

    def get_config(self) -> dict:
        initializer = keras.initializers.serialize(self.kernel_initializer)
        own = {"event_shape": self.event_shape, "width": self.width, "kernel_initializer": initializer}
        return {**super().get_config(), **own}
