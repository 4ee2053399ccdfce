"""Rainforth et al. 2018."""

from tfvae.heads import Head
from tfvae.models import VAE
from tfvae.objectives import CIWAE
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import RAINFORTH_2018, pair, paper


@paper(RAINFORTH_2018)
def ciwae(
    input_shape: tuple[int, ...],
    latent_dim: int = 50,
    *,
    units: tuple[int, ...] = (200, 200),
    likelihood: Head | None = None,
    beta: float = 0.05,
    samples: int = 64,
    seed: int | None = None,
) -> VAE:
    """Return the combination of the ELBO, weighted by `beta`, with the importance-weighted bound.

        beta E_q[log p(x, z) / q(z | x)] + (1 - beta) E[log 1/K sum_k p(x, z_k) / q(z_k | x)]

    Networks as for `iwae`; K = 64 as in the paper's experiments. Reference: Sec. 5.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.ciwae((8, 8, 1), latent_dim=2).objective.samples
        64
    """
    encoder, decoder = pair(input_shape, latent_dim, units, likelihood, activation="tanh")
    return VAE(encoder, decoder, StandardNormal(latent_dim), CIWAE(beta, samples), seed=seed, name="ciwae")
