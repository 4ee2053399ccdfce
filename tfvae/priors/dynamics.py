"""The generative half of a model of sequences: how one step follows from those before it."""

import math

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.conditional import Conditional
from tfvae.distributions.dialogue import Dialogue
from tfvae.distributions.walk import Walk
from tfvae.errors import IncompatibleParts, positive_int
from tfvae.heads.support import REAL
from tfvae.networks.recurrent import Latest, Recurrent
from tfvae.priors.base import Prior
from tfvae.priors.hierarchy import normal_size
from tfvae.reshaping import beside


@keras.saving.register_keras_serializable(package="tfvae")
class Dynamics(Prior):
    """Latent vectors of T steps, each of which brings forth a step of x and is remembered.

        p(x, z) = prod_t p(z_t | m_{t-1}) p(x_t | z_t, m_{t-1}),   m_t = f(m_{t-1}, z_t, x_t)

    With the memory `networks.Latest` this is a Markov chain that x does not touch, p(z_t | z_{t-1}) p(x_t | z_t), the
    deep Markov model. With `networks.Recurrent` both depend on all that went before, the variational recurrent network:
    then p(z) alone has no density that could be computed, and what is drawn without x is drawn together with x.

    Args:
        transition: p(z_t | m_{t-1}), a `tfvae.Decoder` with `heads.DiagonalNormal`.
        emission: p(x_t | z_t) or p(x_t | z_t, m_{t-1}), a `tfvae.Decoder` whose head is that of one step; if sequences
            are shorter than T, it is `heads.Incomplete`.
        steps: T.
        memory: what is remembered, `networks.Latest()` or `networks.Recurrent(...)`.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        IncompatibleParts: if a part is no such decoder, or does not take what it is given.
        TypeError: if `memory` is none.
        ValueError: if `steps` is no positive whole number.

    Reference: R. Krishnan, U. Shalit and D. Sontag, "Structured Inference Networks for Nonlinear State Space Models",
    2017, Sec. 2, https://arxiv.org/abs/1609.09869; J. Chung et al., "A Recurrent Latent Variable Model for Sequential
    Data", 2015, Eq. (5) to (8), https://arxiv.org/abs/1506.02216.

    Example:
        >>> import tfvae
        >>> from tfvae import heads, networks, priors
        >>> transition = tfvae.Decoder(networks.mlp(8), heads.DiagonalNormal(2))
        >>> emission = tfvae.Decoder(networks.mlp(8), heads.Bernoulli(3))
        >>> priors.Dynamics(transition, emission, 5, networks.Latest())().event_shape
        TensorShape([10])
    """

    support = REAL

    def __init__(
        self,
        transition: Conditional,
        emission: Conditional,
        steps: int,
        memory: Latest | Recurrent,
        **kwargs: object,
    ):
        super().__init__(**kwargs)
        self.steps = positive_int("steps", steps)
        for name, part in (("transition", transition), ("emission", emission)):
            if not isinstance(part, Conditional):
                raise IncompatibleParts(f"Expected {name} to be a tfvae.Decoder. Received: {name}={part!r}")
        if not isinstance(memory, (Latest, Recurrent)):
            raise TypeError(
                f"Expected networks.Latest() or networks.Recurrent(...) for what is remembered. Received: {memory=!r}"
            )
        self.transition, self.emission, self.memory = transition, emission, memory
        self.step_shape = emission.head.event_shape
        """Shape of one step of x."""
        memory.build_for(math.prod(transition.head.event_shape), self.step_shape)
        self.latent_dim = normal_size("transition", transition, memory.size)
        """Length of z_t."""
        self._try_emission()
        self.compiles = emission.head.compiles
        self.built = True

    def _try_emission(self) -> None:
        given = self.latent_dim + (self.memory.size if self.memory.seen_by_x else 0)
        try:
            self.emission(tf.zeros([1, given], self.variable_dtype))
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            raise IncompatibleParts(
                f"Expected emission to take vectors of length {given}, z_t and what is remembered of it. Received: "
                f"emission={self.emission.name!r}, which says: {str(error).splitlines()[0]}"
            ) from error

    def of_step(self, z: tf.Tensor, m: tf.Tensor) -> tfd.Distribution:
        """Return p(x_t | z_t, m_{t-1}), with the batch shape of z, [..., D], and the event of one step."""
        return self.emission(beside(z, m) if self.memory.seen_by_x else z)

    def walk(self, x: tf.Tensor) -> Walk:
        """Return the distribution of z_1, ..., z_T, each given those before it and the steps of x before it.

        Args:
            x: [B, T, *event].
        """
        return Walk(self._next, self.memory, self.memory.known(stepwise(x)), self.steps)

    def distribution(self) -> tfd.Distribution:
        if self.memory.seen_by_x:
            return Dialogue(self._next, self.memory, self.steps, self.of_step)
        return Walk(self._next, self.memory, [], self.steps)

    def _next(self, m: tf.Tensor, seen: object) -> tfd.Distribution:
        return self.transition(m)

    def get_config(self) -> dict:
        parts = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in _PARTS}
        return {**super().get_config(), **parts, "steps": self.steps}

    @classmethod
    def from_config(cls, config: dict) -> "Dynamics":
        return cls(**{**config, **{name: keras.saving.deserialize_keras_object(config[name]) for name in _PARTS}})


_PARTS = ("transition", "emission", "memory")


def stepwise(x: tf.Tensor) -> tf.Tensor:
    """Return sequences [B, T, *event] by steps: [T, B, *event]."""
    x = tf.convert_to_tensor(x)
    return tf.transpose(x, [1, 0, *range(2, x.shape.rank)])
