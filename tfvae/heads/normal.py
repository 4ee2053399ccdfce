"""Normal posteriors and likelihoods."""

import math

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
class GridNormal(Head):
    """Normal distribution of the elements of a grid, written as one vector, with parameters computed place by place.

        q(z | h) = prod_ij N(z_ij | loc(h_ij), diag(scale(h_ij))^2),   z = flatten(z_11, z_12, ...)

    As `DiagonalNormal`, but one linear map serves all places, as a convolution would: for latents that lie on a grid.
    It begins near the standard normal whatever the features, so that many groups of latents begin with a small rate.

    Args:
        event_shape: height, width and channels of z, such as (7, 7, 4); the features lie on the same grid.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` has no grid or anything but positive whole numbers.

    Reference: R. Child, "Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images", 2021,
    Sec. 3, https://arxiv.org/abs/2011.10650.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.GridNormal((7, 7, 2))(np.zeros([3, 7, 7, 16], "float32")).event_shape
        TensorShape([98])
    """

    support = REAL
    parameter_count = 2

    def __init__(self, event_shape: tuple[int, ...], **kwargs: object):
        super().__init__(event_shape, **kwargs)
        if len(self.event_shape) < 2:
            raise ValueError(
                "Expected GridNormal to model a grid, event_shape=(height, width, channels). For a vector use "
                f"heads.DiagonalNormal. Received: event_shape={event_shape!r}"
            )
        self.shape, self.grid = self.event_shape, self.event_shape[:-1]
        self.event_shape, self.width = (math.prod(self.shape),), 2 * self.shape[-1]
        self.kernel_initializer = keras.initializers.VarianceScaling(0.01, "fan_avg", "uniform")

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        shape = [*tf.unstack(tf.shape(parameters)[: -len(self.shape)]), *self.event_shape]
        loc, raw = (tf.reshape(part, shape) for part in tf.split(parameters, 2, axis=-1))  # [..., D] each
        return tfd.MultivariateNormalDiag(loc, positive(raw))

    def get_config(self) -> dict:
        return {**super().get_config(), "event_shape": self.shape}


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
