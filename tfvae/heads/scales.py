"""Positive scales: the one helper that makes them, and the layers that own or fix them."""

import math

import keras
import tensorflow as tf

from tfvae.errors import number_in

SCALE_FLOOR = 1e-5
_UNIT = math.log(math.e - 1.0)  # softplus(_UNIT) = 1


def positive(raw: tf.Tensor) -> tf.Tensor:
    """Map real numbers to scales above a floor: 1e-5 + softplus(raw + log(e - 1)).

    The floor keeps a density finite; raw = 0, where weights begin, gives a scale of 1 + 1e-5. The map is linear for
    large values, so that a bad step cannot make a scale explode as exp would.
    """
    return SCALE_FLOOR + tf.math.softplus(raw + _UNIT)


@keras.saving.register_keras_serializable(package="tfvae")
class FixedScale(keras.layers.Layer):
    """A constant scale: sigma.

    Args:
        scale: the standard deviation, at least 1e-5, in the units of the data.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `scale` is no number of at least 1e-5.

    Example:
        >>> import tfvae
        >>> round(float(tfvae.heads.FixedScale(0.5).value()), 3)
        0.5
    """

    def __init__(self, scale: float, **kwargs: object):
        super().__init__(**kwargs)
        self.scale = number_in("scale", scale, SCALE_FLOOR)
        self.built = True

    def value(self) -> tf.Tensor:
        """Return the scale, a tensor of shape []."""
        return tf.constant(self.scale, self.variable_dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="tfvae")
class SharedScale(keras.layers.Layer):
    """One learned scale, shared by every element of the event and every example: sigma = 1e-5 + softplus(raw).

    Args:
        initial: the standard deviation before training, above 1e-5.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `initial` is no number above 1e-5.

    Reference: O. Rybkin, K. Daniilidis and S. Levine, "Simple and Effective VAE Training with Calibrated Decoders",
    2021, Sec. 3.1, https://arxiv.org/abs/2006.13202.

    Example:
        >>> import tfvae
        >>> round(float(tfvae.heads.SharedScale(0.5).value()), 3)
        0.5
    """

    def __init__(self, initial: float = 1.0, **kwargs: object):
        super().__init__(**kwargs)
        self.initial = number_in("initial", initial, 2 * SCALE_FLOOR)
        raw = math.log(math.expm1(self.initial - SCALE_FLOOR)) - _UNIT if self.initial < 30 else self.initial - _UNIT
        self.raw = self.add_weight(shape=(), initializer=keras.initializers.Constant(raw), name="raw")
        self.built = True

    def value(self) -> tf.Tensor:
        """Return the scale, a tensor of shape []."""
        return positive(tf.convert_to_tensor(self.raw))

    def get_config(self) -> dict:
        return {**super().get_config(), "initial": self.initial}
