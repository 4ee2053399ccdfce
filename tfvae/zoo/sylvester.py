"""Van den Berg et al. 2018."""

from tfvae.heads import Head, Sylvester
from tfvae.models import VAE
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper, warmed_elbo


@paper(Citation("Sylvester Normalizing Flows", "R. van den Berg et al.", 2018, "https://arxiv.org/abs/1803.05649"))
def sylvester(
    input_shape: tuple[int, ...],
    latent_dim: int = 64,
    *,
    units: tuple[int, ...] = (500,),
    likelihood: Head | None = None,
    warm_up: int = 0,
    steps: int = 4,
    rank: int = 16,
    reflections: int = 8,
    seed: int | None = None,
) -> VAE:
    """Return the VAE whose normal posterior is bent by Sylvester flows, with Q a product of Householder reflections.

        z_k = z_{k-1} + Q R tanh(R' Q^T z_{k-1} + b)

    The rank is at most the latent size. Dense layers instead of the paper's gated convolutions; `warm_up` training
    steps of a rising rate. Reference: Eq. (13) and (17).

    Example:
        >>> import tfvae
        >>> tfvae.zoo.sylvester((8, 8, 1), latent_dim=4, rank=2).fits.exact_rate
        False
    """
    posterior = Sylvester(latent_dim, steps, min(rank, latent_dim), reflections)
    encoder, decoder = pair(input_shape, posterior, units, likelihood)
    return VAE(encoder, decoder, StandardNormal(latent_dim), warmed_elbo(1.0, warm_up), seed=seed, name="sylvester")
