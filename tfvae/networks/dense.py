"""Fully connected networks."""

import keras

from tfvae.errors import positive_int


def mlp(*units: int, activation: str = "relu") -> keras.Sequential:
    """Return a multilayer perceptron over the flattened input.

        h_0 = flatten(x),   h_i = activation(W_i h_{i-1} + b_i)

    Args:
        units: width of each layer; no width at all gives the flattened input itself.
        activation: a Keras activation.

    Returns:
        An unbuilt `keras.Sequential` from [B, ...] to [B, units[-1]].

    Raises:
        ValueError: if a width is no positive whole number or Keras does not know the activation.

    Example:
        >>> import tfvae
        >>> tfvae.networks.mlp(200, 100).compute_output_shape((None, 8, 8, 1))
        (None, 100)
    """
    widths = [positive_int("every width in units", width) for width in units]
    layers = [keras.layers.Dense(width, activation=activation) for width in widths]
    return keras.Sequential([keras.layers.Flatten(), *layers])
