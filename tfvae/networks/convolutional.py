"""Convolutional networks that halve the image down to a vector, and double a vector up to an image."""

import math
from collections.abc import Sequence

import keras

from tfvae.errors import event_shape, positive_int


def conv(*filters: int, units: int = 256, kernel_size: int = 3, activation: str = "relu") -> keras.Sequential:
    """Return convolutions of stride 2, one for each entry of `filters`, and a dense layer.

    Args:
        filters: channels of each convolution; each one halves height and width (rounded up).
        units: width of the last, dense layer.
        kernel_size: height and width of the kernels.
        activation: a Keras activation.

    Returns:
        An unbuilt `keras.Sequential` from [B, height, width, channels] to [B, units].

    Raises:
        ValueError: if a size is no positive whole number or Keras does not know the activation.

    Example:
        >>> import tfvae
        >>> tfvae.networks.conv(32, 64, units=128).compute_output_shape((None, 28, 28, 1))
        (None, 128)
    """
    channels = [positive_int("every entry of filters", count) for count in filters]
    size = positive_int("kernel_size", kernel_size)
    layers = [keras.layers.Conv2D(c, size, strides=2, padding="same", activation=activation) for c in channels]
    dense = keras.layers.Dense(positive_int("units", units), activation=activation)
    return keras.Sequential([*layers, keras.layers.Flatten(), dense])


def deconv(
    *filters: int, size: Sequence[int], units: int = 256, kernel_size: int = 3, activation: str = "relu"
) -> keras.Sequential:
    """Return a dense layer and transposed convolutions of stride 2, one for each entry of `filters`.

    The first feature map has `size` divided by 2 for each convolution, rounded up; what is too much at the end is
    cropped. The likelihood's head adds the last, pointwise layer.

    Args:
        filters: channels of each transposed convolution.
        size: height and width of the image to reach.
        units: width of the first, dense layer.
        kernel_size: height and width of the kernels.
        activation: a Keras activation.

    Returns:
        An unbuilt `keras.Sequential` from [B, D] to [B, height, width, filters[-1]].

    Raises:
        ValueError: if there are no filters, or a size is no positive whole number.

    Example:
        >>> import tfvae
        >>> tuple(tfvae.networks.deconv(64, 32, size=(28, 28)).compute_output_shape((None, 50)))
        (None, 28, 28, 32)
    """
    channels = [positive_int("every entry of filters", count) for count in filters]
    target = event_shape("size", size)
    if not channels or len(target) != 2:
        raise ValueError(
            "Expected at least one entry in filters, and size=(height, width). "
            f"Received: filters={filters!r}, size={size!r}"
        )
    start = [math.ceil(length / 2 ** len(channels)) for length in target]
    kernel = positive_int("kernel_size", kernel_size)
    excess = [first * 2 ** len(channels) - length for first, length in zip(start, target, strict=True)]
    crop = [(extra // 2, extra - extra // 2) for extra in excess]
    return keras.Sequential(
        [
            keras.layers.Dense(positive_int("units", units), activation=activation),
            keras.layers.Dense(start[0] * start[1] * channels[0], activation=activation),
            keras.layers.Reshape((*start, channels[0])),
            *[
                keras.layers.Conv2DTranspose(c, kernel, strides=2, padding="same", activation=activation)
                for c in channels
            ],
            *([keras.layers.Cropping2D(crop)] if any(excess) else []),
        ]
    )
