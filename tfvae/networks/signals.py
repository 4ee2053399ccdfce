"""Convolutional networks over one axis, for signals of shape [length, channels]."""

import keras

from tfvae.errors import positive_int
from tfvae.networks.convolutional import doubling, halving


def conv1d(*filters: int, units: int = 256, kernel_size: int = 5, activation: str = "relu") -> keras.Sequential:
    """Return convolutions of stride 2 along a signal, one for each entry of `filters`, and a dense layer.

    Args:
        filters: channels of each convolution; each one halves the length (rounded up).
        units: width of the last, dense layer.
        kernel_size: length of the kernels, in steps of the signal.
        activation: a Keras activation.

    Returns:
        An unbuilt `keras.Sequential` from [B, length, channels] to [B, units].

    Raises:
        ValueError: if a size is no positive whole number or Keras does not know the activation.

    Example:
        >>> import tfvae
        >>> tfvae.networks.conv1d(16, 32, units=64).compute_output_shape((None, 187, 1))
        (None, 64)
    """
    return halving(1, filters, units, kernel_size, activation)


def deconv1d(
    *filters: int, length: int, units: int = 256, kernel_size: int = 5, activation: str = "relu"
) -> keras.Sequential:
    """Return a dense layer and transposed convolutions of stride 2 that reach a signal of `length` steps.

    The first feature map has `length` divided by 2 for each convolution, rounded up; what is too much at the ends is
    cropped. The likelihood's head adds the last, pointwise layer.

    Args:
        filters: channels of each transposed convolution.
        length: steps of the signal to reach.
        units: width of the first, dense layer.
        kernel_size: length of the kernels, in steps of the signal.
        activation: a Keras activation.

    Returns:
        An unbuilt `keras.Sequential` from [B, D] to [B, length, filters[-1]].

    Raises:
        ValueError: if there are no filters, or a size is no positive whole number.

    Example:
        >>> import tfvae
        >>> tuple(tfvae.networks.deconv1d(32, 16, length=187).compute_output_shape((None, 8)))
        (None, 187, 16)
    """
    steps = positive_int("length", length)
    if not filters:
        raise ValueError(f"Expected at least one entry in filters. Received: filters={filters!r}, length={length!r}")
    return doubling((steps,), filters, units, kernel_size, activation)
