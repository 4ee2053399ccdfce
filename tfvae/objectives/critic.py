"""Critics: networks that learn the ratio of two densities of z by telling their draws apart."""

import keras
import tensorflow as tf

from tfvae.objectives.base import Critic
from tfvae.objectives.penalties.base import own_noise
from tfvae.objectives.penalties.discrepancy import prior_draws
from tfvae.objectives.schedules import Schedule, as_schedule
from tfvae.random import Seed, uniform_like
from tfvae.trace import Trace

_PERMUTATION, _PRIOR = 3, 4


class RatioCritic(Critic):
    """A network T of z that learns the logarithm of a ratio of densities (abstract).

        T = argmin 1/2 E_q(z)[-log s(T(z))] + 1/2 E_r(u)[-log s(-T(u))] = log q(z) - log r(z)

    where s is the logistic function, q(z) the posterior over the whole data and r another density, from which
    `other` draws.

    Args:
        network: any Keras layer or model from z [N, D] to features; a linear layer makes T of them.
        optimizer: what trains the network; an optimizer of its own, not the model's.
        weight: of its value in the objective, at least 0: a number or a schedule of the training step.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        TypeError: if `network` is no Keras layer or `optimizer` no Keras optimizer.
        ValueError: if `weight` is neither a number of at least 0 nor a schedule.
    """

    def __init__(
        self,
        network: keras.Layer,
        optimizer: keras.optimizers.Optimizer,
        weight: float | Schedule = 1.0,
        **kwargs: object,
    ):
        super().__init__(**kwargs)
        if not isinstance(network, keras.Layer):
            raise TypeError(
                "Expected a Keras layer or model from z to features, such as networks.mlp(1000, 1000). "
                f"Received: network={network!r}"
            )
        if not isinstance(optimizer, keras.optimizers.Optimizer):
            raise TypeError(
                f"Expected a Keras optimizer, such as keras.optimizers.Adam(1e-4). Received: optimizer={optimizer!r}"
            )
        self.network, self.optimizer, self.weight = network, optimizer, as_schedule("weight", weight)
        self.logit = keras.layers.Dense(1, dtype=self.dtype_policy, name="logit")

    def build_for(self, latent_dim: int) -> None:
        """Make the weights, and the optimizer's, for z of length `latent_dim`: once, whoever asks again."""
        if self.logit.built:
            return
        shape = (None, latent_dim)
        if not self.network.built:
            self.network.build(shape)
        self.logit.build(self.network.compute_output_shape(shape))
        self.built = True
        self.optimizer.build(self.trainable_variables)

    def log_ratio(self, z: tf.Tensor) -> tf.Tensor:
        """Return T(z) of every z, [N] from [..., D]."""
        flat = tf.reshape(z, [-1, z.shape[-1]])
        return tf.cast(self.logit(self.network(flat))[:, 0], z.dtype)

    def other(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return draws of the other density, of the shape of z."""
        raise NotImplementedError

    def loss(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return the mean cross-entropy of telling z from the other draws, log 2 where that cannot be done."""
        z, other = tf.stop_gradient(trace.z), tf.stop_gradient(self.other(trace, step))
        wrong = tf.reduce_mean(tf.math.softplus(-self.log_ratio(z)))
        return 0.5 * (wrong + tf.reduce_mean(tf.math.softplus(self.log_ratio(other))))

    def get_config(self) -> dict:
        parts = {name: getattr(self, name) for name in ("network", "optimizer", "weight")}
        return {**super().get_config(), **{k: keras.saving.serialize_keras_object(part) for k, part in parts.items()}}

    @classmethod
    def from_config(cls, config: dict) -> "RatioCritic":
        parts = ("network", "optimizer", "weight")
        return cls(**{**config, **{name: keras.saving.deserialize_keras_object(config[name]) for name in parts}})


@keras.saving.register_keras_serializable(package="tfvae")
class MarginalsCritic(RatioCritic):
    """The critic of FactorVAE: estimates the total correlation of z, which its weight, gamma, takes off the ELBO.

        gamma E_q(z)[log D(z) / (1 - D(z))],   log D / (1 - D) = T = log q(z) - sum_d log q(z_d)

    Draws of the product of the marginals are the batch's own z, each element permuted over samples and examples; the
    paper's Algorithm 2 permutes those of a second batch. Its discriminator has six layers of 1000 leaky ReLU.

    Args:
        network: any Keras layer or model from z [N, D] to features; a linear layer makes T of them.
        optimizer: what trains the network; the paper's is Adam(1e-4, 0.5, 0.9).
        weight: gamma, at least 0: a number or a schedule of the training step.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        TypeError: if `network` is no Keras layer or `optimizer` no Keras optimizer.
        ValueError: if `weight` is neither a number of at least 0 nor a schedule.

    Reference: H. Kim and A. Mnih, "Disentangling by Factorising", 2018, Eq. (2) and (3), Algorithm 2,
    https://arxiv.org/abs/1802.05983.

    Example:
        >>> import keras, tfvae
        >>> critic = tfvae.objectives.MarginalsCritic(tfvae.networks.mlp(64), keras.optimizers.Adam(1e-4), 35.0)
        >>> tfvae.objectives.ELBO(critic=critic).critic.weight.value
        35.0
    """

    def other(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return z with each element permuted by itself."""
        flat = tf.reshape(trace.z, [-1, trace.z.shape[-1]])
        return tf.reshape(permuted(flat, own_noise(step, _PERMUTATION)), tf.shape(trace.z))

    def value(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return the estimate of the total correlation, times its weight."""
        return tf.cast(self.weight(step), trace.z.dtype) * tf.reduce_mean(self.log_ratio(trace.z))


@keras.saving.register_keras_serializable(package="tfvae")
class PriorCritic(RatioCritic):
    """The critic of the adversarial auto-encoder: tells z of the batch from draws of the prior, and z must deceive it.

        weight E_q(z)[-log D(z)],   log D / (1 - D) = -T = log p(z) - log q(z)

    D(z) is the probability that z came from the prior. This is the term that does not saturate: its gradient is large
    where the critic is sure.

    Args:
        network: any Keras layer or model from z [N, D] to features; a linear layer makes T of them.
        optimizer: what trains the network.
        weight: of the term in the objective, at least 0: a number or a schedule of the training step.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        TypeError: if `network` is no Keras layer or `optimizer` no Keras optimizer.
        ValueError: if `weight` is neither a number of at least 0 nor a schedule.

    Reference: A. Makhzani et al., "Adversarial Autoencoders", 2015, Eq. (1) and Sec. 2,
    https://arxiv.org/abs/1511.05644.

    Example:
        >>> import keras, tfvae
        >>> critic = tfvae.objectives.PriorCritic(tfvae.networks.mlp(64), keras.optimizers.Adam(1e-4))
        >>> tfvae.objectives.Distortion(critic=critic).critic.weight.value
        1.0
    """

    def other(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return draws of the prior."""
        return prior_draws(trace, step, _PRIOR)

    def value(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return the mean of -log D(z), times its weight."""
        cost = tf.reduce_mean(tf.math.softplus(self.log_ratio(trace.z)))
        return tf.cast(self.weight(step), cost.dtype) * cost


def permuted(z: tf.Tensor, seed: Seed) -> tf.Tensor:
    """Return z [N, D] with the numbers of each column in an order of their own."""
    order = tf.argsort(uniform_like(1, z, seed)[0], 0)  # [N, D]
    columns = tf.gather(tf.transpose(z), tf.transpose(order), axis=1, batch_dims=1)  # [D, N]
    return tf.transpose(columns)
