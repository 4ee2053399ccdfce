"""A normalising flow as prior."""

from collections.abc import Sequence

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.coupling import CouplingStep, Transform
from tfvae.distributions.flow import Flow
from tfvae.errors import positive_int, whole_number_in
from tfvae.heads.coupling import AFFINE, coupling_networks
from tfvae.heads.flow import hidden_units
from tfvae.heads.support import REAL
from tfvae.heads.transforms import require_transform
from tfvae.priors.base import Prior


@keras.saving.register_keras_serializable(package="tfvae")
class FlowPrior(Prior):
    """A coupling flow over a standard normal, learned together with encoder and decoder.

        z_0 ~ N(0, I),   z'_moves = transform(z_moves; network_k(z_stays)),   the halves of z in turn

    Its density is exact, by the inverse, and draws go forward, at the same cost. The rate has no closed form then.

    Args:
        latent_dim: length D of z, at least 2.
        steps: how many steps; with none the prior is `StandardNormal`.
        units: widths of the hidden layers of each step's network.
        transform: how a coordinate moves: `heads.Affine()` or `heads.Spline(bins, bound)`.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `latent_dim` is below 2, a width no positive whole number, or `steps` negative.
        TypeError: if `transform` is none of the transforms.

    Reference: X. Chen et al., "Variational Lossy Autoencoder", 2017, Sec. 3.2, https://arxiv.org/abs/1611.02731, with
    the steps of L. Dinh, J. Sohl-Dickstein and S. Bengio, "Density estimation using Real NVP", 2017, Eq. (4)-(8),
    https://arxiv.org/abs/1605.08803.

    Example:
        >>> import tfvae
        >>> tfvae.priors.FlowPrior(4, steps=2, units=(32,))().event_shape
        TensorShape([4])
    """

    support = REAL

    def __init__(
        self,
        latent_dim: int,
        steps: int,
        units: Sequence[int],
        transform: Transform = AFFINE,
        **kwargs: object,
    ):
        super().__init__(**kwargs)
        self.latent_dim = positive_int("latent_dim", latent_dim)
        self.steps = whole_number_in("steps", steps, 0, 1000)
        self.units = hidden_units(units)
        self.transform = require_transform(transform)
        self.networks = coupling_networks(self.latent_dim, self.steps, self.units, self.transform, self.variable_dtype)
        self.biases = [
            self.add_weight(shape=self.units[:1], initializer="zeros", name=f"bias_{k}") for k in range(self.steps)
        ]
        self.built = True

    def distribution(self) -> tfd.Distribution:
        zeros = tf.zeros([self.latent_dim], self.variable_dtype)
        parts = enumerate(zip(self.networks, self.biases, strict=True))
        steps = [CouplingStep(network(tf.convert_to_tensor(b)), self.transform, k % 2) for k, (network, b) in parts]
        return Flow(tfd.MultivariateNormalDiag(zeros, tf.ones_like(zeros)), steps)

    def get_config(self) -> dict:
        transform = keras.saving.serialize_keras_object(self.transform)
        arguments = {"latent_dim": self.latent_dim, "steps": self.steps, "units": self.units, "transform": transform}
        return {**super().get_config(), **arguments}

    @classmethod
    def from_config(cls, config: dict) -> "FlowPrior":
        return cls(**{**config, "transform": keras.saving.deserialize_keras_object(config["transform"])})
