"""Positive scales: the one helper that makes them, and the layers that own, fix or compute them."""

import math

import keras
import tensorflow as tf

from tfvae.distributions.special import softplus
from tfvae.errors import IncompatibleParts, number_in

SCALE_FLOOR = 1e-5
_UNIT = math.log(math.e - 1.0)  # softplus(_UNIT) = 1


def positive(raw: tf.Tensor) -> tf.Tensor:
    """Map real numbers to scales above a floor: 1e-5 + softplus(raw + log(e - 1)).

    The floor keeps a density finite; raw = 0, where weights begin, gives a scale of 1 + 1e-5. The map is linear for
    large values, so that a bad step cannot make a scale explode as exp would.
    """
    return SCALE_FLOOR + softplus(raw + _UNIT)


def raw_of(value: float) -> float:
    """Return the raw number that `positive` maps to a value above its floor."""
    return (math.log(math.expm1(value - SCALE_FLOOR)) if value < 30 else value) - _UNIT


class Scale(keras.layers.Layer):
    """The standard deviation of a likelihood (abstract).

    `value` takes `parameter_count` tensors, computed from the features for each element of the event. What is not
    learned by gradient is set in `update`.
    """

    parameter_count = 0

    def value(self, *raw: tf.Tensor) -> tf.Tensor:
        """Return the scale: of shape [], or that of the parameters."""
        raise NotImplementedError

    def update(self, error: tf.Tensor) -> None:
        """Learn from x less its mean after a training step: nothing, for most."""


def as_scale(scale: float | Scale, policy: object) -> Scale:
    """Return a `Scale` as it is, and a number as a `FixedScale`.

    Raises:
        TypeError: for anything else.
    """
    if isinstance(scale, Scale):
        return scale
    if isinstance(scale, (str, bool, keras.Layer)):
        raise TypeError(
            "Expected scale to be a number, heads.FixedScale or heads.SharedScale, heads.PixelScale or "
            f"heads.OptimalScale. Received: scale={scale!r}"
        )
    return FixedScale(scale, dtype=policy)


@keras.saving.register_keras_serializable(package="tfvae")
class FixedScale(Scale):
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

    def value(self, *raw: tf.Tensor) -> tf.Tensor:
        """Return the scale, a tensor of shape []."""
        return tf.constant(self.scale, self.variable_dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="tfvae")
class SharedScale(Scale):
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
        initializer = keras.initializers.Constant(raw_of(self.initial))
        self.raw = self.add_weight(shape=(), initializer=initializer, name="raw")
        self.built = True

    def value(self, *raw: tf.Tensor) -> tf.Tensor:
        """Return the scale, a tensor of shape []."""
        return positive(tf.convert_to_tensor(self.raw))

    def get_config(self) -> dict:
        return {**super().get_config(), "initial": self.initial}


@keras.saving.register_keras_serializable(package="tfvae")
class PixelScale(Scale):
    """A scale for each element of the event, computed from the features: sigma_i(z) = 1e-5 + softplus(raw_i(z)).

    The likelihood has no upper bound where a decoder can reproduce an element exactly, as that of a constant pixel.

    Args:
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Reference: D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2014, App. C.2,
    https://arxiv.org/abs/1312.6114.

    Example:
        >>> import numpy as np, tfvae
        >>> head = tfvae.heads.Normal((8, 8, 1), tfvae.heads.PixelScale())
        >>> head(np.zeros([3, 16], "float32")).stddev().shape
        TensorShape([3, 8, 8, 1])
    """

    parameter_count = 1

    def __init__(self, **kwargs: object):
        super().__init__(**kwargs)
        self.built = True

    def value(self, *raw: tf.Tensor) -> tf.Tensor:
        """Return the scales, a tensor of the shape of the event."""
        return positive(*raw)


@keras.saving.register_keras_serializable(package="tfvae")
class OptimalScale(Scale):
    """One scale for every element, set to its optimum after every training step instead of learned by gradient.

        sigma^2 = mean (x - mean(z))^2, over the elements, the examples of the batch and the samples of z

    That is the maximum of the likelihood, so the gradient of the other weights is that of a fixed sigma: the derivative
    by sigma vanishes there (the envelope theorem). A step uses the optimum of the step before it. In evaluation sigma
    is the number that the last training step left, whatever x is, so that the density integrates to one; the paper
    takes it from the x that is scored, and what it reports is then no density.

    Args:
        initial: the standard deviation before training, at least 1e-5, which is also the floor.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `initial` is no number of at least 1e-5.

    Reference: O. Rybkin, K. Daniilidis and S. Levine, "Simple and Effective VAE Training with Calibrated Decoders",
    2021, Sec. 3, https://arxiv.org/abs/2006.13202.

    Example:
        >>> import tfvae
        >>> scale = tfvae.heads.OptimalScale(1.0)
        >>> scale.update([[0.3, -0.3], [0.3, -0.3]])
        >>> round(float(scale.value()), 3)
        0.3
    """

    def __init__(self, initial: float = 1.0, **kwargs: object):
        super().__init__(**kwargs)
        self.initial = number_in("initial", initial, SCALE_FLOOR)
        # The variance, because it is what replicas may average; half precision would lose a small one.
        self.variance = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self.initial**2),
            trainable=False,
            autocast=False,
            aggregation="mean",
            name="variance",
        )
        self.built = True

    def value(self, *raw: tf.Tensor) -> tf.Tensor:
        """Return the scale, a tensor of shape []."""
        return tf.sqrt(tf.convert_to_tensor(self.variance))

    def update(self, error: tf.Tensor) -> None:
        """Set the variance to the mean square of x less its mean, if that is finite."""
        square = tf.cast(tf.reduce_mean(tf.square(error)), self.variable_dtype)
        kept = tf.convert_to_tensor(self.variance)
        self.variance.assign(tf.where(tf.math.is_finite(square), tf.maximum(square, SCALE_FLOOR**2), kept))

    def get_config(self) -> dict:
        return {**super().get_config(), "initial": self.initial}


def refuse_optimal_scale(head: object) -> None:
    """Raise IncompatibleParts if a likelihood, or one inside it, sets its scale from what was observed."""
    parts = [*getattr(head, "heads", ()), *([head.head] if hasattr(head, "head") else [])]
    if isinstance(getattr(head, "scale", None), OptimalScale):
        raise IncompatibleParts(
            "Expected a scale that is learned by gradient, such as heads.SharedScale(1.0): the optimal one is the "
            "error of all values, missing ones among them. Received: OptimalScale"
        )
    for part in parts:
        refuse_optimal_scale(part)
