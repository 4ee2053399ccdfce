"""Residual convolutional networks: deeper than `conv` and `deconv` at the same grids."""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from tfvae.errors import positive_int
from tfvae.networks.convolutional import growth, image_size


@keras.saving.register_keras_serializable(package="tfvae")
class ResidualBlock(keras.layers.Layer):
    """The identity plus two convolutions that keep the shape, each after its activation.

        y = x + W_2 * a(W_1 * a(x) + b_1) + b_2

    Nothing is normalised over the batch: a bound for one example must not depend on the others.

    Args:
        kernel_size: height and width of the kernels.
        activation: a Keras activation a.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `kernel_size` is no positive whole number or Keras does not know the activation.

    Reference: K. He et al., "Identity Mappings in Deep Residual Networks", 2016, Eq. (9) and Fig. 4(e), without the
    batch normalisation, https://arxiv.org/abs/1603.05027.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.networks.ResidualBlock()(np.zeros([1, 7, 7, 4], "float32")).shape
        TensorShape([1, 7, 7, 4])
    """

    def __init__(self, kernel_size: int = 3, activation: str = "relu", **kwargs: object):
        super().__init__(**kwargs)
        self.kernel_size = positive_int("kernel_size", kernel_size)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: tuple) -> None:
        """Build both convolutions for feature maps of shape [B, height, width, channels]."""
        options = {"padding": "same", "dtype": self.dtype_policy, "trainable": self.trainable}
        self.first = keras.layers.Conv2D(input_shape[-1], self.kernel_size, name="first", **options)
        self.last = keras.layers.Conv2D(input_shape[-1], self.kernel_size, name="last", **options)
        self.first.build(input_shape)
        self.last.build(input_shape)

    def call(self, features: tf.Tensor) -> tf.Tensor:
        return features + self.last(self.activation(self.first(self.activation(features))))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape that came in."""
        return tuple(input_shape)

    def get_config(self) -> dict:
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "kernel_size": self.kernel_size, "activation": activation}


@keras.saving.register_keras_serializable(package="tfvae")
class Residual(keras.layers.Layer):
    """The identity plus a network that keeps the shape.

        y = x + f(x)

    Args:
        network: f, any Keras layer or model.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        TypeError: if `network` is no Keras layer.
        ValueError: when built, if it does not keep the shape.

    Reference: K. He et al., "Identity Mappings in Deep Residual Networks", 2016, Eq. (1),
    https://arxiv.org/abs/1603.05027.

    Example:
        >>> import keras, numpy as np, tfvae
        >>> tfvae.networks.Residual(keras.layers.Dense(4))(np.zeros([1, 4], "float32")).shape
        TensorShape([1, 4])
    """

    def __init__(self, network: keras.Layer, **kwargs: object):
        super().__init__(**kwargs)
        if not isinstance(network, keras.Layer):
            raise TypeError(f"Expected a Keras layer or model. Received: network={network!r}")
        self.network = network

    def build(self, input_shape: tuple) -> None:
        """Build the network, and check that it keeps the shape."""
        if not self.network.built:
            self.network.build(input_shape)
        found = tuple(self.network.compute_output_shape(input_shape))
        if found[1:] != tuple(input_shape[1:]):
            raise ValueError(
                f"Expected a network that keeps the shape {list(input_shape[1:])}. Received: "
                f"network={self.network.name!r}, which makes it {list(found[1:])}"
            )

    def call(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        return features + self.network(features, training=training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape that came in."""
        return tuple(input_shape)

    def get_config(self) -> dict:
        return {**super().get_config(), "network": keras.saving.serialize_keras_object(self.network)}

    @classmethod
    def from_config(cls, config: dict) -> "Residual":
        return cls(**{**config, "network": keras.saving.deserialize_keras_object(config["network"])})


def bottleneck(units: int, filters: int, *, kernel_size: int = 3, activation: str = "relu", depth: int = 1) -> Residual:
    """Return the identity plus four convolutions, the inner two of which work on fewer channels.

        y = x + V * a(K_2 * a(K_1 * a(U * a(x))))

    U and V are pointwise. With `depth` blocks one after another, V begins smaller by the root of their number, so that
    what they add up to does not grow with it.

    Args:
        units: channels of x.
        filters: channels between.
        kernel_size: height and width of K_1 and K_2.
        activation: a Keras activation a.
        depth: how many such blocks stand one after another.

    Raises:
        ValueError: if a size is no positive whole number or Keras does not know the activation.

    Reference: R. Child, "Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images", 2021,
    Sec. 3, there with GELU, https://arxiv.org/abs/2011.10650.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.networks.bottleneck(16, 4)(np.zeros([1, 7, 7, 16], "float32")).shape
        TensorShape([1, 7, 7, 16])
    """
    width, narrow, kernel = (
        positive_int(name, value)
        for name, value in (("units", units), ("filters", filters), ("kernel_size", kernel_size))
    )
    small = keras.initializers.VarianceScaling(1.0 / positive_int("depth", depth), "fan_avg", "uniform")
    layers: list[keras.Layer] = []
    for size in (1, kernel, kernel):
        layers += [keras.layers.Activation(activation), keras.layers.Conv2D(narrow, size, padding="same")]
    last = keras.layers.Conv2D(width, 1, kernel_initializer=small)
    return Residual(keras.Sequential([*layers, keras.layers.Activation(activation), last]))


def residual_down(
    *filters: int, blocks: int = 1, units: int = 256, kernel_size: int = 3, activation: str = "relu"
) -> keras.Sequential:
    """Return stages of a convolution of stride 2 and residual blocks, and a dense layer.

    Args:
        filters: channels of each stage, such as (32, 64) for 28x28 and (32, 64, 64) for 64x64 pixels; each one halves
            height and width (rounded up).
        blocks: residual blocks in each stage, two convolutions each.
        units: width of the last, dense layer.
        kernel_size: height and width of the kernels.
        activation: a Keras activation.

    Returns:
        An unbuilt `keras.Sequential` from [B, height, width, channels] to [B, units].

    Raises:
        ValueError: if there are no filters, a size is no positive whole number or Keras does not know the activation.

    Example:
        >>> import tfvae
        >>> tfvae.networks.residual_down(16, 32, units=64).compute_output_shape((None, 28, 28, 1))
        (None, 64)
    """
    channels = [positive_int("every entry of filters", count) for count in filters]
    if not channels:
        raise ValueError(f"Expected at least one entry in filters. Received: filters={filters!r}")
    kernel, count = positive_int("kernel_size", kernel_size), positive_int("blocks", blocks)
    layers: list[keras.Layer] = []
    for c in channels:
        layers.append(keras.layers.Conv2D(c, kernel, strides=2, padding="same"))
        layers.extend(ResidualBlock(kernel, activation) for _ in range(count))
    dense = keras.layers.Dense(positive_int("units", units), activation=activation)
    return keras.Sequential([*layers, keras.layers.Activation(activation), keras.layers.Flatten(), dense])


def residual_up(
    *filters: int,
    size: Sequence[int],
    blocks: int = 1,
    units: int = 256,
    kernel_size: int = 3,
    activation: str = "relu",
) -> keras.Sequential:
    """Return dense layers, and stages of residual blocks and a transposed convolution of stride 2.

    `residual_up(64, 32, size=(28, 28))` mirrors `residual_down(32, 64)`: blocks work on the smaller grid of each
    stage, where they cost a quarter. Odd sizes are reached by cropping. The likelihood's head adds the last, pointwise
    layer.

    Args:
        filters: channels of each stage.
        size: height and width of the image to reach.
        blocks: residual blocks in each stage, two convolutions each.
        units: width of the first, dense layer.
        kernel_size: height and width of the kernels.
        activation: a Keras activation.

    Returns:
        An unbuilt `keras.Sequential` from [B, D] to [B, height, width, filters[-1]].

    Raises:
        ValueError: if there are no filters, a size is no positive whole number or Keras does not know the activation.

    Example:
        >>> import tfvae
        >>> tuple(tfvae.networks.residual_up(32, 16, size=(28, 28)).compute_output_shape((None, 50)))
        (None, 28, 28, 16)
    """
    target = image_size(filters, size)
    channels = [positive_int("every entry of filters", count) for count in filters]
    kernel, count = positive_int("kernel_size", kernel_size), positive_int("blocks", blocks)
    start, cropping = growth(target, len(channels))
    layers: list[keras.Layer] = []
    for following in [*channels[1:], channels[-1]]:
        layers.extend(ResidualBlock(kernel, activation) for _ in range(count))
        layers.append(keras.layers.Conv2DTranspose(following, kernel, strides=2, padding="same"))
    return keras.Sequential(
        [
            keras.layers.Dense(positive_int("units", units), activation=activation),
            keras.layers.Dense(math.prod(start) * channels[0]),
            keras.layers.Reshape((*start, channels[0])),
            *layers,
            *cropping,
            keras.layers.Activation(activation),
        ]
    )
