"""Likelihoods of 8-bit images: the probability of each level."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions import quantized_logistic
from tfvae.errors import positive_int, whole_number_in
from tfvae.heads.base import Elements, Head
from tfvae.heads.scales import positive
from tfvae.heads.support import levels as evenly_spaced


def _to_unit(loc: tf.Tensor, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return location and scale on [0, 1] of a logistic distribution on [-1, 1], as in the paper.

    Weights begin at zero, so that the first distribution is centred and wide.
    """
    return 0.5 + 0.5 * loc, 0.5 * positive(raw)


@keras.saving.register_keras_serializable(package="tfvae")
class QuantizedLogistic(Head):
    """Independent logistic likelihood of evenly spaced levels x = k / (levels - 1), such as 8-bit pixels.

        p(x | z) = prod_i sigmoid((x_i + w / 2 - loc_i) / scale_i) - sigmoid((x_i - w / 2 - loc_i) / scale_i)

    w = 1 / (levels - 1), loc = (1 + l) / 2 and scale = (1e-5 + softplus(s)) / 2 for the outputs l and s of the linear
    layer. The lowest and the highest level take the tails. It is a probability, so bits per dimension are defined.
    Channels are independent given z, as all elements are: the coupling of channels in the paper makes up for a model
    without z.

    Args:
        event_shape: shape of x, e.g. (32, 32, 3).
        levels: how many values x can have, from 2 to 65536.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if an argument is no whole number in its range.

    Reference: T. Salimans et al., "PixelCNN++", 2017, Eq. (2), https://arxiv.org/abs/1701.05517.

    Example:
        >>> import numpy as np, tfvae
        >>> px = tfvae.heads.QuantizedLogistic((8, 8, 1), levels=17)(np.zeros([3, 16], "float32"))
        >>> px.log_prob(np.full([8, 8, 1], 5 / 16, "float32")).shape
        TensorShape([3])
    """

    parameter_count = 2

    def __init__(self, event_shape: int | tuple[int, ...], levels: int = 256, **kwargs: object):
        super().__init__(event_shape, **kwargs)
        self.levels = whole_number_in("levels", levels, 2, 65536)
        self.support = evenly_spaced(self.levels, 1.0 / (self.levels - 1))

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        loc, scale = _to_unit(*tf.split(parameters, 2, axis=-1))  # [..., *event_shape] each
        pixels = quantized_logistic.QuantizedLogistic(loc, scale, self.levels)
        return Elements(pixels, reinterpreted_batch_ndims=len(self.event_shape))

    def get_config(self) -> dict:
        return {**super().get_config(), "levels": self.levels}


@keras.saving.register_keras_serializable(package="tfvae")
class QuantizedLogisticMixture(Head):
    """Independent mixtures of `QuantizedLogistic`, for levels with several likely values.

        p(x | z) = prod_i sum_k pi_ik (sigmoid((x_i + w / 2 - loc_ik) / scale_ik)
                                       - sigmoid((x_i - w / 2 - loc_ik) / scale_ik)),   pi_i = softmax(.)

    Args:
        event_shape: shape of x, e.g. (32, 32, 3).
        components: K, how many logistic distributions each element mixes; the paper takes 5 or 10.
        levels: how many values x can have, from 2 to 65536.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if an argument is no whole number in its range.

    Reference: T. Salimans et al., "PixelCNN++", 2017, Eq. (2), https://arxiv.org/abs/1701.05517.

    Example:
        >>> import numpy as np, tfvae
        >>> px = tfvae.heads.QuantizedLogisticMixture((8, 8, 1), 5, levels=17)(np.zeros([3, 16], "float32"))
        >>> px.log_prob(np.full([8, 8, 1], 5 / 16, "float32")).shape
        TensorShape([3])
    """

    parameter_count = 3

    def __init__(
        self,
        event_shape: int | tuple[int, ...],
        components: int = 5,
        levels: int = 256,
        **kwargs: object,
    ):
        super().__init__(event_shape, **kwargs)
        self.components = positive_int("components", components)
        self.width = 3 * self.components * self.event_shape[-1]
        self.levels = whole_number_in("levels", levels, 2, 65536)
        self.support = evenly_spaced(self.levels, 1.0 / (self.levels - 1))

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        logits, loc, raw = (
            tf.stack(tf.split(third, self.components, axis=-1)) for third in tf.split(parameters, 3, axis=-1)
        )  # [K, ..., *event_shape] each
        pixels = quantized_logistic.QuantizedLogisticMixture(logits, *_to_unit(loc, raw), self.levels)
        return Elements(pixels, reinterpreted_batch_ndims=len(self.event_shape))

    def get_config(self) -> dict:
        return {**super().get_config(), "components": self.components, "levels": self.levels}
