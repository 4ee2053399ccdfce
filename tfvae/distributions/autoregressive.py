"""Inverse autoregressive steps of a flow."""

import tensorflow as tf

from tfvae.distributions.flow import Step
from tfvae.distributions.special import softplus
from tfvae.networks.masked import Perceptron

_OPEN = 2.0  # the gate of an untrained step: z is changed by a tenth


class AutoregressiveStep(Step):
    """A gated autoregressive update: z' = s z + (1 - s) m, where m_i and s_i depend on z_1, ..., z_{i-1} alone.

        [m, r] = network(z),   s = sigmoid(r + 2),   log |det dz'/dz| = sum_i log s_i

    Args:
        network: masked, from [..., *B, D] to [..., *B, 2 D].

    Reference: D. Kingma et al., "Improving Variational Inference with Inverse Autoregressive Flow", 2016, Algorithm 1,
    Eq. (12)-(14), https://arxiv.org/abs/1606.04934.
    """

    network: Perceptron

    def forward(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Step`."""
        towards, raw = tf.split(self.network(z), 2, -1)  # [..., *B, D] each
        log_gate = -softplus(-raw - _OPEN)
        gate = tf.exp(log_gate)
        return gate * z + (1.0 - gate) * towards, tf.reduce_sum(log_gate, -1)
