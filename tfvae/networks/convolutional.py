"""Convolutional networks that halve a grid down to a vector, and double a vector up to a grid."""

import math
from collections.abc import Sequence

import keras

from tfvae.errors import event_shape, positive_int

# By how many axes a grid has: one for signals, two for images.
_CONVOLUTIONS = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D}
_TRANSPOSED = {1: keras.layers.Conv1DTranspose, 2: keras.layers.Conv2DTranspose}
_CROPPINGS = {1: lambda crop: keras.layers.Cropping1D(crop[0]), 2: keras.layers.Cropping2D}


def growth(size: Sequence[int], doublings: int) -> tuple[tuple[int, ...], list[keras.Layer]]:
    """Return the smallest grid that reaches `size` when doubled, and the layers that crop what is too much."""
    factor = 2**doublings
    start = tuple(math.ceil(length / factor) for length in size)
    excess = [first * factor - length for first, length in zip(start, size, strict=True)]
    crop = [(extra // 2, extra - extra // 2) for extra in excess]
    return start, [_CROPPINGS[len(size)](crop)] if any(excess) else []


def halving(rank: int, filters: Sequence[int], units: int, kernel_size: int, activation: str) -> keras.Sequential:
    """Return convolutions of stride 2 over a grid of `rank` axes, and a dense layer."""
    channels = [positive_int("every entry of filters", count) for count in filters]
    kernel = positive_int("kernel_size", kernel_size)
    layers = [_CONVOLUTIONS[rank](c, kernel, strides=2, padding="same", activation=activation) for c in channels]
    dense = keras.layers.Dense(positive_int("units", units), activation=activation)
    return keras.Sequential([*layers, keras.layers.Flatten(), dense])


def doubling(
    target: Sequence[int], filters: Sequence[int], units: int, kernel_size: int, activation: str
) -> keras.Sequential:
    """Return dense layers and transposed convolutions of stride 2 that reach the grid `target`."""
    channels = [positive_int("every entry of filters", count) for count in filters]
    start, cropping = growth(target, len(channels))
    kernel = positive_int("kernel_size", kernel_size)
    transposed = _TRANSPOSED[len(target)]
    return keras.Sequential(
        [
            keras.layers.Dense(positive_int("units", units), activation=activation),
            keras.layers.Dense(math.prod(start) * channels[0], activation=activation),
            keras.layers.Reshape((*start, channels[0])),
            *[transposed(c, kernel, strides=2, padding="same", activation=activation) for c in channels],
            *cropping,
        ]
    )


def image_size(filters: Sequence[int], size: Sequence[int]) -> tuple[int, ...]:
    """Return the height and width to reach, or raise ValueError when there are no filters or not two sizes."""
    target = event_shape("size", size)
    if not filters or len(target) != 2:
        raise ValueError(
            "Expected at least one entry in filters, and size=(height, width). "
            f"Received: filters={filters!r}, size={size!r}"
        )
    return target


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
    return halving(2, filters, units, kernel_size, activation)


def deconv(
    *filters: int, size: Sequence[int], units: int = 256, kernel_size: int = 3, activation: str = "relu"
) -> keras.Sequential:
    """Return a dense layer and transposed convolutions of stride 2, one for each entry of `filters`.

    The first feature map has `size` divided by 2 for each convolution, rounded up; what is too much at the borders is
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
    return doubling(image_size(filters, size), filters, units, kernel_size, activation)
