"""Coupling steps of a flow."""

import tensorflow as tf

from tfvae.distributions.flow import Step
from tfvae.networks.masked import Perceptron


class Transform(tf.experimental.ExtensionType):
    """An invertible map of single numbers with `count` parameters each (abstract).

    `parameters` has shape [..., n, count] for z of shape [..., n]; any real numbers are taken.
    """

    @property
    def count(self) -> int:
        """How many parameters a number has."""
        raise NotImplementedError

    def forward(self, z: tf.Tensor, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return z' and log dz'/dz, both of the shape of z."""
        raise NotImplementedError

    def inverse(self, z: tf.Tensor, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return what `forward` maps to z, and the logarithm of the derivative of `forward` there."""
        raise NotImplementedError

    def get_config(self) -> dict:
        """Return the arguments of the constructor."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: dict) -> "Transform":
        return cls(**config)


class CouplingStep(Step):
    """One half of the coordinates moves, as the other half, which stays, and the condition say.

        z'_stays = z_stays,   z'_moves = transform(z_moves; network(z_stays))

    Args:
        network: from [..., *B, stays] to [..., *B, moves * transform.count].
        transform: the map of each coordinate that moves.
        half: which half moves, 0 for the first D // 2 coordinates, 1 for the others.

    Reference: L. Dinh, J. Sohl-Dickstein and S. Bengio, "Density estimation using Real NVP", 2017, Eq. (4)-(8),
    https://arxiv.org/abs/1605.08803.
    """

    network: Perceptron
    transform: Transform
    half: int

    def forward(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Step`."""
        halves, parameters = self._parameters(z)
        halves[self.half], log_slopes = self.transform.forward(halves[self.half], parameters)
        return tf.concat(halves, -1), tf.reduce_sum(log_slopes, -1)

    def inverse(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Step`."""
        halves, parameters = self._parameters(z)
        halves[self.half], log_slopes = self.transform.inverse(halves[self.half], parameters)
        return tf.concat(halves, -1), tf.reduce_sum(log_slopes, -1)

    def _parameters(self, z: tf.Tensor) -> tuple[list[tf.Tensor], tf.Tensor]:
        halves = tf.split(z, split(z.shape[-1]), -1)
        flat = self.network(halves[1 - self.half])
        moves = halves[self.half].shape[-1]
        shape = tf.concat([tf.shape(flat)[:-1], [moves, self.transform.count]], 0)
        return halves, tf.reshape(flat, shape)  # [..., *B, moves, count]


def split(size: int) -> list[int]:
    """Return the lengths of the two halves of a vector."""
    return [size // 2, size - size // 2]
