"""Makhzani et al. 2015."""

import keras

from tfvae import networks
from tfvae.heads import Head, Point
from tfvae.models import VAE
from tfvae.objectives import Distortion, PriorCritic
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper


@paper(Citation("Adversarial Autoencoders", "A. Makhzani et al.", 2015, "https://arxiv.org/abs/1511.05644"))
def aae(
    input_shape: tuple[int, ...],
    latent_dim: int = 8,
    *,
    weight: float = 1.0,
    units: tuple[int, ...] = (1000, 1000),
    critic_units: tuple[int, ...] = (1000, 1000),
    likelihood: Head | None = None,
    seed: int | None = None,
) -> VAE:
    """Return the adversarial auto-encoder: a critic tells the points z(x) from draws of the prior, and they deceive it.

        E[log p(x | z(x))] - weight E[-log D(z(x))]

    Two layers of 1000 ReLU units in all three networks, as for the paper's MNIST models. Reference: Sec. 2, Eq. (1).

    Example:
        >>> import tfvae
        >>> tfvae.zoo.aae((8, 8, 1), latent_dim=2, units=(16,), critic_units=(16,)).fits.has_rate
        False
    """
    encoder, decoder = pair(input_shape, Point(latent_dim), units, likelihood)
    critic = PriorCritic(networks.mlp(*critic_units), keras.optimizers.Adam(1e-4, 0.5), weight)
    return VAE(encoder, decoder, StandardNormal(latent_dim), Distortion(critic=critic), seed=seed, name="aae")
