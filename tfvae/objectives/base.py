"""What every objective has in common."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.trace import Trace


class Critic(keras.layers.Layer):
    """A network that an objective trains beside the model, on a loss of its own (abstract).

    It has an `optimizer` for its weights, which the model's training step uses.
    """

    optimizer: keras.optimizers.Optimizer

    def build_for(self, latent_dim: int) -> None:
        """Make the weights for z of length `latent_dim`."""
        raise NotImplementedError

    def loss(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return what the critic minimises, a scalar; no gradient flows to the model."""
        raise NotImplementedError

    def value(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return what the objective subtracts from every example's bound, a scalar, in nats."""
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="tfvae")
class NoCritic(Critic):
    """Nobody."""

    def build_for(self, latent_dim: int) -> None:
        """Make nothing."""
        self.built = True

    def loss(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return 0."""
        return tf.zeros([], trace.log_px.dtype)

    def value(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return 0."""
        return tf.zeros([], trace.log_px.dtype)


class Objective:
    """From a trace to what is maximised, one number per example, in nats (abstract).

    `samples` is how many z are drawn from q(z | x) for each example. An objective is a plain object, not a layer: a
    trace holds distributions, which Keras does not let through a layer's call.
    """

    samples: int = 1
    critic: Critic = NoCritic()
    needs_density = True
    """Whether log q(z | x) or the rate is asked for, which a point mass has not."""

    def check(self, q: tfd.Distribution, p: tfd.Distribution) -> None:
        """Raise IncompatibleParts if the bound cannot be computed for a posterior and a prior: none, for most."""

    def bound(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return the bound of shape [B] at training step `step`."""
        raise NotImplementedError

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        raise NotImplementedError
