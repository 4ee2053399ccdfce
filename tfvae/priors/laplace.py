"""The prior of Laplace posteriors."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfvae.distributions  # noqa: F401 (registers draws)
from tfvae.errors import positive_int
from tfvae.heads.support import REAL
from tfvae.priors.base import Prior


@keras.saving.register_keras_serializable(package="tfvae")
class StandardLaplace(Prior):
    """The Laplace prior with location 0 and scale 1 in every direction, sparser than the standard normal.

        p(z) = prod_i exp(-|z_i|) / 2

    Its divergence from `heads.Laplace` has a closed form.

    Args:
        latent_dim: length D of z.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `latent_dim` is no positive whole number.

    Reference: D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2014, Sec. 2.4,
    https://arxiv.org/abs/1312.6114.

    Example:
        >>> import tfvae
        >>> tfvae.priors.StandardLaplace(2)().event_shape
        TensorShape([2])
    """

    support = REAL

    def __init__(self, latent_dim: int, **kwargs: object):
        super().__init__(**kwargs)
        self.latent_dim = positive_int("latent_dim", latent_dim)
        self.built = True

    def distribution(self) -> tfd.Distribution:
        zeros = tf.zeros([self.latent_dim], self.variable_dtype)
        return tfd.Independent(tfd.Laplace(zeros, tf.ones_like(zeros)), reinterpreted_batch_ndims=1)

    def get_config(self) -> dict:
        return {**super().get_config(), "latent_dim": self.latent_dim}
