"""Rainforth et al. 2018."""

from tfvae.heads import Head
from tfvae.models import VAE
from tfvae.objectives import MIWAE
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import RAINFORTH_2018, pair, paper


@paper(RAINFORTH_2018)
def miwae(
    input_shape: tuple[int, ...],
    latent_dim: int = 50,
    *,
    units: tuple[int, ...] = (200, 200),
    likelihood: Head | None = None,
    groups: int = 8,
    samples: int = 8,
    seed: int | None = None,
) -> VAE:
    """Return the multiply importance-weighted auto-encoder: the mean of `groups` bounds from `samples` draws each.

        1/M sum_m log 1/K sum_k p(x, z_mk) / q(z_mk | x)

    Networks as for `iwae`; 8 times 8 draws as in the paper's experiments. Reference: Sec. 5.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.miwae((8, 8, 1), latent_dim=2).objective.samples
        64
    """
    encoder, decoder = pair(input_shape, latent_dim, units, likelihood, activation="tanh")
    return VAE(encoder, decoder, StandardNormal(latent_dim), MIWAE(groups, samples), seed=seed, name="miwae")
