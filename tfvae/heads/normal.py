"""Normal posteriors and likelihoods."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.heads.base import Elements, Head
from tfvae.heads.scales import Scale, as_scale, positive
from tfvae.heads.support import REAL


@keras.saving.register_keras_serializable(package="tfvae")
class DiagonalNormal(Head):
    """Normal distribution of a vector with a diagonal covariance, the usual posterior.

        q(z | x) = N(z | loc(x), diag(scale(x))^2)

    Args:
        event_shape: length D of z.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` is no positive whole number.

    Reference: D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2014, Eq. (9),
    https://arxiv.org/abs/1312.6114.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.DiagonalNormal(2)(np.zeros([3, 16], "float32")).batch_shape
        TensorShape([3])
    """

    support = REAL
    parameter_count = 2

    def __init__(
        self,
        event_shape: int | tuple[int],
        **kwargs: object,
    ):
        super().__init__(event_shape, **kwargs)
        if len(self.event_shape) != 1:
            raise ValueError(
                "Expected DiagonalNormal to model a vector, event_shape=D. For images use heads.Normal. "
                f"Received: event_shape={event_shape!r}"
            )

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        loc, raw = tf.split(parameters, 2, axis=-1)  # [..., D] each
        return tfd.MultivariateNormalDiag(loc, positive(raw))


@keras.saving.register_keras_serializable(package="tfvae")
class Normal(Head):
    """Independent normal likelihood of real data with a standard deviation that is fixed, learned or computed.

        log p(x | z) = sum_i log N(x_i | loc_i(z), scale_i^2)

    Args:
        event_shape: shape of x, e.g. (28, 28, 1).
        scale: `FixedScale`, `SharedScale`, `OptimalScale`, `PixelScale`, or a number for a fixed scale.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` or `scale` is not positive.
        TypeError: if `scale` is neither a number nor one of the scales of `tfvae.heads`.

    Reference: O. Rybkin, K. Daniilidis and S. Levine, "Simple and Effective VAE Training with Calibrated Decoders",
    2021, Eq. (2), https://arxiv.org/abs/2006.13202.

    Example:
        >>> import numpy as np, tfvae
        >>> head = tfvae.heads.Normal(5, scale=tfvae.heads.SharedScale(0.5))
        >>> head(np.zeros([3, 16], "float32")).event_shape
        TensorShape([5])
    """

    support = REAL
    parameter_count = 1

    def __init__(
        self,
        event_shape: int | tuple[int, ...],
        scale: float | Scale = 1.0,
        **kwargs: object,
    ):
        super().__init__(event_shape, **kwargs)
        self.scale = as_scale(scale, self.dtype_policy)
        self.width = (1 + self.scale.parameter_count) * self.event_shape[-1]

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        loc, *raw = tf.split(parameters, 1 + self.scale.parameter_count, axis=-1)  # [..., *event_shape] each
        scale = tf.cast(self.scale.value(*raw), parameters.dtype)
        return Elements(tfd.Normal(loc, scale), reinterpreted_batch_ndims=len(self.event_shape))

    def update(self, x: tf.Tensor, px: tfd.Distribution, step: tf.Tensor) -> None:
        self.scale.update(x - px.mean())

    def get_config(self) -> dict:
        return {**super().get_config(), "scale": keras.saving.serialize_keras_object(self.scale)}

    @classmethod
    def from_config(cls, config: dict) -> "Normal":
        return cls(**{**config, "scale": keras.saving.deserialize_keras_object(config["scale"])})
