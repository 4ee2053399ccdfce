"""What a model drew and how likely it was: the one thing that models hand to objectives."""

from typing import NamedTuple

import tensorflow as tf
from tensorflow_probability import distributions as tfd


class Trace(NamedTuple):
    """Draws and log-densities in nats; S samples, B batch, D latent size."""

    x: tf.Tensor
    """Data, [B, *event]."""
    z: tf.Tensor
    """Latent draws z_s ~ q(z | x), [S, B, D]."""
    q: tfd.Distribution
    """Posterior q(z | x), batch shape [B]."""
    p: tfd.Distribution
    """Prior p(z), batch shape []."""
    px: tfd.Distribution
    """Likelihood p(x | z), batch shape [S, B]."""
    log_px: tf.Tensor
    """log p(x | z_s), [S, B]."""
    log_pz: tf.Tensor
    """log p(z_s), [S, B]."""
    log_qz: tf.Tensor
    """log q(z_s | x), [S, B]."""
    rate: tf.Tensor
    """KL(q(z | x) || p(z)), [B]: in closed form where the model says so, else the mean of log q - log p."""

    @property
    def distortion(self) -> tf.Tensor:
        """-E_q[log p(x | z)], the mean over the samples, [B]."""
        return -tf.reduce_mean(self.log_px, 0)

    @property
    def elbo(self) -> tf.Tensor:
        """-(rate + distortion), [B]: the evidence lower bound, whatever the objective."""
        return -(self.rate + self.distortion)

    @property
    def log_weights(self) -> tf.Tensor:
        """Log p(x, z_s) - log q(z_s | x), [S, B]: the importance weights of the evidence."""
        return self.log_px + self.log_pz - self.log_qz
