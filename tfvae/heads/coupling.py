"""Coupling flows as posteriors, and the networks that they share with priors."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfvae.distributions.coupling import CouplingStep, Transform, split
from tfvae.heads.flow import FlowHead, hidden_units
from tfvae.heads.transforms import Affine, require_transform
from tfvae.networks.masked import Masked, full

AFFINE = Affine()


@keras.saving.register_keras_serializable(package="tfvae")
class Coupling(FlowHead):
    """A coupling flow: in each step one half of the coordinates moves as the other half and the features say.

        z_0 ~ N(loc(x), diag(scale(x))^2),   z'_moves = transform(z_moves; network_k(z_stays, x))

    The halves take turns; the features enter as the first bias of each step's network. It can be inverted at the cost
    of a draw, so that any point can be scored.

    Args:
        event_shape: length D of z, at least 2.
        steps: how many steps; with none the posterior is `DiagonalNormal`.
        units: widths of the hidden layers of each step's network.
        transform: how a coordinate moves: `heads.Affine()` or `heads.Spline(bins, bound)`.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` is below 2, a width no positive whole number, or `steps` negative.
        TypeError: if `transform` is none of the transforms.

    Reference: L. Dinh, J. Sohl-Dickstein and S. Bengio, "Density estimation using Real NVP", 2017, Eq. (4)-(8),
    https://arxiv.org/abs/1605.08803; C. Durkan, A. Bekasov, I. Murray and G. Papamakarios, "Neural Spline Flows", 2019,
    Sec. 3, https://arxiv.org/abs/1906.04032.

    Example:
        >>> import numpy as np, tfvae
        >>> head = tfvae.heads.Coupling(4, steps=2, units=(32,), transform=tfvae.heads.Spline(bins=4))
        >>> head(np.zeros([3, 16], "float32")).event_shape
        TensorShape([4])
    """

    def __init__(
        self,
        event_shape: int | tuple[int],
        steps: int,
        units: Sequence[int],
        transform: Transform = AFFINE,
        **kwargs: object,
    ):
        super().__init__(event_shape, steps, **kwargs)
        self.units = hidden_units(units)
        self.transform = require_transform(transform)
        self.take(self.units[0])
        # Made here, as their sizes are known before the features are.
        self.networks = coupling_networks(
            self.event_shape[0], self.steps, self.units, self.transform, self.variable_dtype
        )

    def step(self, number: int, *pieces: tf.Tensor) -> CouplingStep:
        return CouplingStep(self.networks[number](*pieces), self.transform, number % 2)

    def get_config(self) -> dict:
        transform = keras.saving.serialize_keras_object(self.transform)
        return {**super().get_config(), "steps": self.steps, "units": self.units, "transform": transform}

    @classmethod
    def from_config(cls, config: dict) -> "Coupling":
        return cls(**{**config, "transform": keras.saving.deserialize_keras_object(config["transform"])})


def coupling_networks(size: int, steps: int, units: tuple[int, ...], transform: Transform, dtype: str) -> list[Masked]:
    """Return the network of each step, which moves the halves of a vector in turn.

    Raises:
        ValueError: if the vector has no two halves.
    """
    if size < 2:
        raise ValueError(f"Expected two coordinates at least, of which one moves the other. Received: length {size}")
    halves = split(size)
    return [Masked(full(halves[1 - k % 2], *units, halves[k % 2] * transform.count), dtype=dtype) for k in range(steps)]
