"""The mixture of normals that is learned."""

import math

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions import Mixture as MixtureDistribution
from tfvae.errors import number_in, positive_int
from tfvae.heads.scales import SCALE_FLOOR, positive
from tfvae.heads.support import REAL
from tfvae.priors.base import Prior

_UNIT = math.log(math.expm1(1.0 - SCALE_FLOOR)) - math.log(math.e - 1.0)  # positive(_UNIT) = 1


@keras.saving.register_keras_serializable(package="tfvae")
class Mixture(Prior):
    """A learned mixture of normals with diagonal covariances.

        p(z) = sum_k pi_k N(z | loc_k, diag(scale_k)^2)

    It begins with equal probabilities, unit scales and random locations. One component at the origin is
    `StandardNormal`: `Mixture(D, 1, spread=0)`. The rate has no closed form.

    Args:
        latent_dim: length D of z.
        components: K.
        spread: standard deviation of the locations before training; those of several components must differ.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `latent_dim` or `components` is no positive whole number, `spread` is negative, or it is 0 for
            several components, which would stay equal for ever.

    Reference: N. Dilokthanakul et al., "Deep Unsupervised Clustering with Gaussian Mixture Variational Autoencoders",
    2016, Sec. 3.1, https://arxiv.org/abs/1611.02648; J. Tomczak and M. Welling, "VAE with a VampPrior", 2018, Sec. 3,
    https://arxiv.org/abs/1705.07120.

    Example:
        >>> import tfvae
        >>> tfvae.priors.Mixture(2, components=10)().components_distribution.batch_shape
        TensorShape([10])
    """

    support = REAL

    def __init__(self, latent_dim: int, components: int, spread: float = 1.0, **kwargs: object):
        super().__init__(**kwargs)
        self.latent_dim = positive_int("latent_dim", latent_dim)
        self.components = positive_int("components", components)
        self.spread = number_in("spread", spread, 0.0)
        if self.components > 1 and not self.spread:
            raise ValueError(
                "Expected a positive spread, as components that begin equal stay equal. "
                f"Received: spread={spread!r}, components={components}"
            )
        shape = (self.components, self.latent_dim)
        self.logits = self.add_weight(shape=shape[:1], initializer="zeros", name="logits")
        self.loc = self.add_weight(
            shape=shape, initializer=keras.initializers.RandomNormal(stddev=self.spread), name="loc"
        )
        self.raw_scale = self.add_weight(shape=shape, initializer=keras.initializers.Constant(_UNIT), name="raw_scale")
        self.built = True

    def distribution(self) -> tfd.Distribution:
        loc, raw = tf.convert_to_tensor(self.loc), tf.convert_to_tensor(self.raw_scale)  # [K, D] each
        return MixtureDistribution(
            tfd.Categorical(logits=tf.convert_to_tensor(self.logits)),
            tfd.MultivariateNormalDiag(loc, positive(raw)),
        )

    def get_config(self) -> dict:
        sizes = {"latent_dim": self.latent_dim, "components": self.components}
        return {**super().get_config(), **sizes, "spread": self.spread}
