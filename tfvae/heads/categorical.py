"""The likelihood of categories, and of levels that need no order."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.levels import CategoricalLevels
from tfvae.errors import number_in, whole_number_in
from tfvae.heads.base import Head
from tfvae.heads.support import levels as evenly_spaced


@keras.saving.register_keras_serializable(package="tfvae")
class Categorical(Head):
    """Independent categorical likelihood of the numbers x = step * k, k = 0 .. levels - 1.

        log p(x | z) = sum_i l_ik(z) - log sum_j exp(l_ij(z)),   k = x_i / step

    Columns of categories have `step=1`; 8-bit images that are scaled to [0, 1] have `levels=256, step=1 / 255`. It is
    a probability, so bits per dimension are defined. The mean of categories without an order means little.

    Args:
        event_shape: shape of x, e.g. 3 for three columns, (28, 28, 1) for images.
        levels: how many values x can have, from 2 to 65536.
        step: distance of neighbouring values, above 0.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if an argument is no number in its range.

    Reference: A. van den Oord, N. Kalchbrenner and K. Kavukcuoglu, "Pixel Recurrent Neural Networks", 2016,
    Sec. 2.2, https://arxiv.org/abs/1601.06759.

    Example:
        >>> import numpy as np, tfvae
        >>> px = tfvae.heads.Categorical(2, levels=10)(np.zeros([3, 16], "float32"))
        >>> px.log_prob(np.array([7.0, 0.0], "float32")).numpy().round(3)
        array([-4.605, -4.605, -4.605], dtype=float32)
    """

    parameter_count = 1

    def __init__(
        self,
        event_shape: int | tuple[int, ...],
        levels: int = 256,
        step: float = 1.0,
        **kwargs: object,
    ):
        super().__init__(event_shape, **kwargs)
        self.levels = whole_number_in("levels", levels, 2, 65536)
        self.width = self.levels * self.event_shape[-1]
        self.step = number_in("step", step, 1e-6)
        self.support = evenly_spaced(self.levels, self.step)

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        shape = [self.event_shape[-1], self.levels]
        logits = tf.reshape(parameters, tf.concat([tf.shape(parameters)[:-1], shape], 0))  # [..., *event_shape, levels]
        logits.set_shape([*parameters.shape[:-1], *shape])
        return tfd.Independent(CategoricalLevels(logits, self.step), len(self.event_shape))

    def get_config(self) -> dict:
        return {**super().get_config(), "levels": self.levels, "step": self.step}
