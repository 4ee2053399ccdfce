"""Gated dense networks, whose non-linearity is a learned factor between 0 and 1."""

import keras
import tensorflow as tf

from tfvae.errors import positive_int


@keras.saving.register_keras_serializable(package="tfvae")
class GatedDense(keras.layers.Layer):
    """A linear layer, each output of which is multiplied by a gate of its own.

        h = (A x + a) sigmoid(B x + b)

    Args:
        units: width of h.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `units` is no positive whole number.

    Reference: Y. Dauphin et al., "Language Modeling with Gated Convolutional Networks", 2017, Eq. (1),
    https://arxiv.org/abs/1612.08083; J. Tomczak and M. Welling, "VAE with a VampPrior", 2018, Sec. 5.1,
    https://arxiv.org/abs/1705.07120.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.networks.GatedDense(3)(np.zeros([2, 5], "float32")).shape
        TensorShape([2, 3])
    """

    def __init__(self, units: int, **kwargs: object):
        super().__init__(**kwargs)
        self.units = positive_int("units", units)

    def build(self, input_shape: tuple) -> None:
        """Build the linear layer and its gate for inputs of shape [B, ..., features]."""
        options = {"dtype": self.dtype_policy, "trainable": self.trainable}
        self.linear = keras.layers.Dense(self.units, name="linear", **options)
        self.gate = keras.layers.Dense(self.units, activation="sigmoid", name="gate", **options)
        self.linear.build(input_shape)
        self.gate.build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return self.linear(inputs) * self.gate(inputs)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape that came in, with `units` for the last axis."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units}


def gated(*units: int) -> keras.Sequential:
    """Return gated dense layers over the flattened input.

        h_0 = flatten(x),   h_i = (A_i h_{i-1} + a_i) sigmoid(B_i h_{i-1} + b_i)

    Args:
        units: width of each layer; no width at all gives the flattened input itself.

    Returns:
        An unbuilt `keras.Sequential` from [B, ...] to [B, units[-1]].

    Raises:
        ValueError: if a width is no positive whole number.

    Reference: J. Tomczak and M. Welling, "VAE with a VampPrior", 2018, Sec. 5.1, with two layers of 300,
    https://arxiv.org/abs/1705.07120.

    Example:
        >>> import tfvae
        >>> tfvae.networks.gated(300, 300).compute_output_shape((None, 28, 28, 1))
        (None, 300)
    """
    widths = [positive_int("every width in units", width) for width in units]
    return keras.Sequential([keras.layers.Flatten(), *[GatedDense(width) for width in widths]])
