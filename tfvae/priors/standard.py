"""Priors without weights."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.errors import positive_int
from tfvae.heads.support import REAL
from tfvae.priors.base import Prior


@keras.saving.register_keras_serializable(package="tfvae")
class StandardNormal(Prior):
    """The standard normal prior p(z) = N(z | 0, I).

    Args:
        latent_dim: length D of z.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `latent_dim` is no positive whole number.

    Reference: D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2014, App. B,
    https://arxiv.org/abs/1312.6114.

    Example:
        >>> import tfvae
        >>> tfvae.priors.StandardNormal(2)().event_shape
        TensorShape([2])
    """

    support = REAL

    def __init__(self, latent_dim: int, **kwargs: object):
        super().__init__(**kwargs)
        self.latent_dim = positive_int("latent_dim", latent_dim)
        self.built = True

    def distribution(self) -> tfd.Distribution:
        zeros = tf.zeros([self.latent_dim], self.variable_dtype)
        return tfd.MultivariateNormalDiag(zeros, tf.ones_like(zeros))

    def get_config(self) -> dict:
        return {**super().get_config(), "latent_dim": self.latent_dim}
