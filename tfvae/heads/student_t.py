"""The likelihood of real data with outliers."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions import densities
from tfvae.errors import number_in
from tfvae.heads.base import Elements, Head
from tfvae.heads.scales import SCALE_FLOOR, OptimalScale, Scale, as_scale, positive, raw_of
from tfvae.heads.support import REAL

_LEAST = 1.0 + 2 * SCALE_FLOOR  # up to 1 there is no mean to reconstruct x with


@keras.saving.register_keras_serializable(package="tfvae")
class SharedDegrees(keras.layers.Layer):
    """Learned degrees of freedom, one number for every element and example: df = 1 + 1e-5 + softplus(raw).

    Args:
        initial: the degrees of freedom before training, above 1, where Student's t has a mean.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `initial` is no number above 1.

    Reference: C. Bishop, "Pattern Recognition and Machine Learning", 2006, Sec. 2.3.7,
    https://www.microsoft.com/en-us/research/publication/pattern-recognition-machine-learning/.

    Example:
        >>> import tfvae
        >>> round(float(tfvae.heads.SharedDegrees(5.0).value()), 3)
        5.0
    """

    def __init__(self, initial: float = 5.0, **kwargs: object):
        super().__init__(**kwargs)
        self.initial = number_in("initial", initial, _LEAST)
        initializer = keras.initializers.Constant(raw_of(self.initial - 1.0))
        self.raw = self.add_weight(shape=(), initializer=initializer, name="raw")
        self.built = True

    def value(self) -> tf.Tensor:
        """Return the degrees of freedom, a tensor of shape []."""
        return 1.0 + positive(tf.convert_to_tensor(self.raw))

    def get_config(self) -> dict:
        return {**super().get_config(), "initial": self.initial}


@keras.saving.register_keras_serializable(package="tfvae")
class StudentT(Head):
    """Independent Student's t likelihood of real data: a normal whose tails forgive outliers.

        p(x | z) = prod_i Gamma((df + 1) / 2) / (Gamma(df / 2) sqrt(df pi) scale_i)
                   (1 + (x_i - loc_i(z))^2 / (df scale_i^2))^(-(df + 1) / 2)

    It is the normal likelihood whose precision is gamma distributed and integrated out, and the normal itself as
    df -> infinity. The scale is no standard deviation: that is scale sqrt(df / (df - 2)), for df above 2.

    Args:
        event_shape: shape of x, e.g. (28, 28, 1).
        df: degrees of freedom above 1: a number, or `SharedDegrees` to learn it.
        scale: `FixedScale`, `SharedScale`, `PixelScale`, or a number for a fixed scale.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` or `scale` is not positive, or `df` not above 1.
        TypeError: if `df` is neither a number nor `SharedDegrees`, or `scale` neither a number nor a scale of
            `tfvae.heads` that suits; the optimum of `OptimalScale` is that of a normal.

    Reference: C. Bishop, "Pattern Recognition and Machine Learning", 2006, Sec. 2.3.7,
    https://www.microsoft.com/en-us/research/publication/pattern-recognition-machine-learning/; as the likelihood of a
    VAE, H. Takahashi et al., "Student-t Variational Autoencoder for Robust Density Estimation", 2018,
    https://doi.org/10.24963/ijcai.2018/374.

    Example:
        >>> import numpy as np, tfvae
        >>> head = tfvae.heads.StudentT(5, tfvae.heads.SharedDegrees(4.0), tfvae.heads.PixelScale())
        >>> head(np.zeros([3, 16], "float32")).event_shape
        TensorShape([5])
    """

    support = REAL
    parameter_count = 1

    def __init__(
        self,
        event_shape: int | tuple[int, ...],
        df: float | SharedDegrees = 5.0,
        scale: float | Scale = 1.0,
        **kwargs: object,
    ):
        super().__init__(event_shape, **kwargs)
        if isinstance(df, (str, bool)) or (isinstance(df, keras.Layer) and not isinstance(df, SharedDegrees)):
            raise TypeError(f"Expected df to be a number or heads.SharedDegrees. Received: df={df!r}")
        self.df = df if isinstance(df, SharedDegrees) else number_in("df", df, _LEAST)
        self.scale = as_scale(scale, self.dtype_policy)
        if isinstance(self.scale, OptimalScale):
            raise TypeError(
                "Expected another scale for heads.StudentT, such as heads.SharedScale, as the optimum is that of a "
                f"normal. Received: scale={scale!r}"
            )
        self.width = (1 + self.scale.parameter_count) * self.event_shape[-1]

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        loc, *raw = tf.split(parameters, 1 + self.scale.parameter_count, axis=-1)  # [..., *event_shape] each
        df = self.df.value() if isinstance(self.df, SharedDegrees) else tf.constant(self.df, parameters.dtype)
        df = tf.cast(df, parameters.dtype)
        scale = tf.cast(self.scale.value(*raw), parameters.dtype)
        return Elements(densities.StudentT(df, loc, scale), reinterpreted_batch_ndims=len(self.event_shape))

    def get_config(self) -> dict:
        parts = {"df": self.df, "scale": self.scale}
        return {**super().get_config(), **{k: keras.saving.serialize_keras_object(v) for k, v in parts.items()}}

    @classmethod
    def from_config(cls, config: dict) -> "StudentT":
        parts = {key: keras.saving.deserialize_keras_object(config[key]) for key in ("df", "scale")}
        return cls(**{**config, **parts})
