"""What a model drew and how likely it was: the one thing that models hand to objectives."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf
from tensorflow_probability import distributions as tfd


class Link:
    """The identity on z, whose gradient an objective may weigh: where the parameters of q are reached through z.

    An objective knows the weights of its samples only after they were decoded, but before anything is differentiated.
    """

    def __init__(self) -> None:
        self.factor: tf.Tensor | None = None
        """What the gradient with respect to z_s is multiplied by, [S, B]; nothing if None."""

    def __call__(self, z: tf.Tensor) -> tf.Tensor:
        """Return z, [S, B, D]."""

        @tf.custom_gradient
        def identity(z: tf.Tensor) -> tuple[tf.Tensor, Callable]:
            def gradient(upstream: tf.Tensor) -> tf.Tensor:
                return upstream if self.factor is None else upstream * self.factor[..., None]

            return tf.identity(z), gradient

        return identity(z)


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
    decoder: Callable
    """From z, with any leading axes, to p(x | z)."""
    link: Link
    """Through which z depends on the parameters of q."""
    rates: Sequence[tf.Tensor] = ()
    """Of latents in groups the rate of each, from the top down, [B] each; their sum is the rate."""
    watched: Sequence[tf.Tensor] = ()
    """What the model's own metrics are told, [B, ...] each."""

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

    @property
    def log_qz_stopped(self) -> tf.Tensor:
        """Log q(z_s | x) with the parameters of q held fixed, [S, B]: its gradient reaches them through z alone."""
        fixed = tf.nest.map_structure(tf.stop_gradient, self.q, expand_composites=True)
        return fixed.log_prob(self.z)
