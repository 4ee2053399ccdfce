"""Networks over images that see of a pixel's neighbours only those that come before it."""

import keras
import tensorflow as tf

from tfvae.errors import positive_int, whole_number_in


@keras.saving.register_keras_serializable(package="tfvae")
class GatedPixelCNN(keras.layers.Layer):
    """Features of each pixel from those before it, row by row and from left to right, and from a condition.

        y = tanh(W_f * x + V_f h) . sigmoid(W_g * x + V_g h)

    Two stacks of such layers: the vertical one sees the rows above, the horizontal one the pixels on the left and, at
    each layer, what the vertical one says of the rows above. So no pixel before is hidden from one after it, provided
    that `layers` times half a kernel spans the image. Fewer layers see a neighbourhood only. Without any, the
    features are the condition itself, and pixels are independent given it.

    Args:
        filters: channels of every layer, and of the condition.
        layers: in each stack.
        kernel_size: height and width of the whole, odd kernel, of which the first half is used.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `filters` is no positive whole number, `layers` is negative, or the kernel is even or too small.

    Shapes: x [B, height, width, channels] and condition [B, height, width, filters] to [B, height, width, filters].

    Reference: A. van den Oord et al., "Conditional Image Generation with PixelCNN Decoders", 2016, Eq. (2) and (4),
    Fig. 2, https://arxiv.org/abs/1606.05328.

    Example:
        >>> import numpy as np, tfvae
        >>> network = tfvae.networks.GatedPixelCNN(8, layers=2)
        >>> network(np.zeros([3, 7, 7, 1], "float32"), np.zeros([3, 7, 7, 8], "float32")).shape
        TensorShape([3, 7, 7, 8])
    """

    def __init__(self, filters: int = 32, layers: int = 5, kernel_size: int = 3, **kwargs: object):
        super().__init__(**kwargs)
        self.filters = positive_int("filters", filters)
        self.layers = whole_number_in("layers", layers, 0, 1000)
        self.kernel_size = positive_int("kernel_size", kernel_size)
        if self.kernel_size < 3 or self.kernel_size % 2 == 0:
            raise ValueError(
                f"Expected kernel_size to be odd and at least 3, so that it has a centre. Received: {kernel_size=}"
            )

    def build(self, x_shape: tuple, condition_shape: tuple) -> None:
        """Build the layers for images and conditions of these shapes."""
        self.steps = [
            _Gated(self.filters, self.kernel_size // 2, number == 0, number == self.layers - 1, dtype=self.dtype_policy)
            for number in range(self.layers)
        ]
        shape = x_shape
        for step in self.steps:
            step.build(shape, condition_shape)
            shape = (*x_shape[:-1], self.filters)

    def call(self, x: tf.Tensor, condition: tf.Tensor) -> tf.Tensor:
        if not self.steps:
            return condition
        above, left = x, x
        for step in self.steps:
            above, left = step.pair(above, left, condition)
        return keras.activations.relu(left)

    def compute_output_shape(self, x_shape: tuple, condition_shape: tuple) -> tuple:
        """Return the shape of the condition."""
        return tuple(condition_shape)

    def get_config(self) -> dict:
        own = {"filters": self.filters, "layers": self.layers, "kernel_size": self.kernel_size}
        return {**super().get_config(), **own}


class _Gated(keras.layers.Layer):
    """One layer of both stacks; the first sees nothing of a pixel itself, the last says nothing to rows below."""

    def __init__(self, filters: int, half: int, first: bool, last: bool, **kwargs: object):
        super().__init__(**kwargs)
        self.filters, self.half, self.first, self.last = filters, half, first, last
        own = 0 if first else 1  # whether a pixel's own place is seen
        plain = {"use_bias": False, "dtype": self.dtype_policy}
        self.vertical = keras.layers.Conv2D(2 * filters, (half + own, 2 * half + 1), name="vertical", **plain)
        self.horizontal = keras.layers.Conv2D(2 * filters, (1, half + own), name="horizontal", **plain)
        self.link = keras.layers.Dense(2 * filters, name="link", **plain)
        self.output_layer = keras.layers.Dense(filters, name="output", dtype=self.dtype_policy)
        names = ("condition_left",) if last else ("condition_left", "condition_above")
        self.conditions = [keras.layers.Dense(2 * filters, name=name, dtype=self.dtype_policy) for name in names]

    def build(self, x_shape: tuple, condition_shape: tuple) -> None:
        """Build all parts for features and conditions of these shapes."""
        _, height, width, channels = x_shape
        self.vertical.build((None, height + self.half, width + 2 * self.half, channels))  # after padding
        self.horizontal.build((None, height, width + self.half, channels))
        self.link.build((*x_shape[:-1], 2 * self.filters))
        self.output_layer.build((*x_shape[:-1], self.filters))
        for layer in self.conditions:
            layer.build(condition_shape)

    def pair(self, above: tf.Tensor, left: tf.Tensor, condition: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the features of both stacks, [B, height, width, filters] each."""
        half, (height, width) = self.half, left.shape[1:3]
        rows = self.vertical(tf.pad(above, [[0, 0], [half, 0], [half, half], [0, 0]]))[:, :height]
        columns = self.horizontal(tf.pad(left, [[0, 0], [0, 0], [half, 0], [0, 0]]))[:, :, :width]
        found = _gate(columns + self.link(rows) + self.conditions[0](condition))
        features = self.output_layer(found)
        below = rows if self.last else _gate(rows + self.conditions[1](condition))
        return below, features if self.first else left + features

    def call(self, x: tf.Tensor, condition: tf.Tensor) -> tf.Tensor:
        return self.pair(x, x, condition)[1]


def _gate(features: tf.Tensor) -> tf.Tensor:
    signal, gate = tf.split(features, 2, -1)
    return tf.tanh(signal) * tf.sigmoid(gate)
