"""The prior on the sphere."""

import keras
from tensorflow_probability import distributions as tfd

import tfvae.distributions  # noqa: F401 (registers draws)
from tfvae.errors import whole_number_in
from tfvae.heads.support import SPHERE
from tfvae.priors.base import Prior


@keras.saving.register_keras_serializable(package="tfvae")
class UniformSphere(Prior):
    """The uniform prior on unit vectors.

        p(z) = Gamma(D / 2) / (2 pi^(D / 2)),   |z| = 1

    Its divergence from `heads.PowerSpherical` has a closed form.

    Args:
        latent_dim: length D of z, at least 2: the sphere has D - 1 dimensions.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `latent_dim` is no whole number of at least 2.

    Reference: T. Davidson et al., "Hyperspherical Variational Auto-Encoders", 2018, Sec. 3,
    https://arxiv.org/abs/1804.00891.

    Example:
        >>> import numpy as np, tfvae
        >>> z = tfvae.priors.UniformSphere(3)().sample(seed=(0, 1))
        >>> round(float(np.linalg.norm(z)), 5)
        1.0
    """

    support = SPHERE

    def __init__(self, latent_dim: int, **kwargs: object):
        super().__init__(**kwargs)
        self.latent_dim = whole_number_in("latent_dim", latent_dim, 2, 2**31 - 1)
        self.built = True

    def distribution(self) -> tfd.Distribution:
        return tfd.SphericalUniform(self.latent_dim, dtype=self.variable_dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), "latent_dim": self.latent_dim}
