"""Roeder, Wu and Duvenaud 2017."""

from tfvae.heads import Head
from tfvae.models import VAE
from tfvae.objectives import STL
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper


@paper(Citation("Sticking the Landing", "G. Roeder, Y. Wu and D. Duvenaud", 2017, "https://arxiv.org/abs/1703.09194"))
def stl(
    input_shape: tuple[int, ...],
    latent_dim: int = 50,
    *,
    units: tuple[int, ...] = (200, 200),
    likelihood: Head | None = None,
    seed: int | None = None,
) -> VAE:
    """Return the VAE whose encoder follows the path derivative alone: no noise is left at the true posterior.

        d/dphi E_q[log p(x, z) - log q(z | x)] = E[d/dz (log p(x, z) - log q(z | x)) dz/dphi]

    Networks as for `iwae`, whose paper this one takes them from. Reference: Eq. (8).

    Example:
        >>> import tfvae
        >>> tfvae.zoo.stl((8, 8, 1), latent_dim=2).objective.samples
        1
    """
    encoder, decoder = pair(input_shape, latent_dim, units, likelihood, activation="tanh")
    return VAE(encoder, decoder, StandardNormal(latent_dim), STL(), seed=seed, name="stl")
