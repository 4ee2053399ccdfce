"""Kim and Mnih 2018."""

import keras

from tfvae import networks
from tfvae.heads import Head
from tfvae.models import VAE
from tfvae.objectives import ELBO, MarginalsCritic
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper


@paper(Citation("Disentangling by Factorising", "H. Kim and A. Mnih", 2018, "https://arxiv.org/abs/1802.05983"))
def factor_vae(
    input_shape: tuple[int, ...],
    latent_dim: int = 10,
    *,
    gamma: float = 35.0,
    units: tuple[int, ...] = (1200, 1200),
    critic_units: tuple[int, ...] = (1000,) * 6,
    likelihood: Head | None = None,
    seed: int | None = None,
) -> VAE:
    """Return FactorVAE: a critic estimates the total correlation, which gamma weighs on top of the ELBO.

        E_q(z|x)[log p(x | z)] - KL(q(z | x) || p(z)) - gamma KL(q(z) || prod_d q(z_d))

    Six critic layers of 1000 leaky ReLU and its Adam as in the paper's App. A, dense layers instead of convolutions.
    Reference: Eq. (2) and Algorithm 2.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.factor_vae((8, 8, 1), units=(16,), critic_units=(16,)).critic.weight.value
        35.0
    """
    encoder, decoder = pair(input_shape, latent_dim, units, likelihood)
    network = networks.mlp(*critic_units, activation="leaky_relu")
    critic = MarginalsCritic(network, keras.optimizers.Adam(1e-4, 0.5, 0.9), gamma)
    return VAE(encoder, decoder, StandardNormal(latent_dim), ELBO(critic=critic), seed=seed, name="factor_vae")
