"""Rybkin, Daniilidis and Levine 2021."""

from tfvae.heads import Normal, OptimalScale
from tfvae.models import VAE
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, Suits, pair, paper, warmed_elbo


@paper(
    Citation(
        "Simple and Effective VAE Training with Calibrated Decoders",
        "O. Rybkin, K. Daniilidis and S. Levine",
        2021,
        "https://arxiv.org/abs/2006.13202",
    ),
    Suits(binarization="none"),
)
def sigma_vae(
    input_shape: tuple[int, ...],
    latent_dim: int = 20,
    *,
    units: tuple[int, ...] = (500,),
    warm_up: int = 0,
    seed: int | None = None,
) -> VAE:
    """Return the sigma-VAE: a normal likelihood whose standard deviation is always the best one for the data.

        sigma^2 = mean over examples and pixels of (x - E[x | z])^2

    Dense layers instead of the paper's convolutions; sigma follows one step behind, see `heads.OptimalScale`;
    `warm_up` training steps of a rising rate, none in the paper. Reference: Sec. 3.2.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.sigma_vae((8, 8, 1), latent_dim=2).fits.likelihood
        'Independent(Normal)'
    """
    encoder, decoder = pair(input_shape, latent_dim, units, Normal(input_shape, OptimalScale()))
    return VAE(encoder, decoder, StandardNormal(latent_dim), warmed_elbo(1.0, warm_up), seed=seed, name="sigma_vae")
