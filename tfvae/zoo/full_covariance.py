"""Kingma and Welling 2019."""

from tfvae.heads import FullNormal, Head
from tfvae.models import VAE
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper, warmed_elbo


@paper(
    Citation(
        "An Introduction to Variational Autoencoders",
        "D. Kingma and M. Welling",
        2019,
        "https://arxiv.org/abs/1906.02691",
    )
)
def full_covariance(
    input_shape: tuple[int, ...],
    latent_dim: int = 20,
    *,
    units: tuple[int, ...] = (500,),
    likelihood: Head | None = None,
    warm_up: int = 0,
    seed: int | None = None,
) -> VAE:
    """Return the VAE whose posterior is a normal distribution with any covariance.

        q(z | x) = N(z | loc(x), L(x) L(x)^T),   L triangular

    Networks as for `vae`; `warm_up` training steps of a rising rate. Reference: Sec. 2.5.1.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.full_covariance((8, 8, 1), latent_dim=2).fits.exact_rate
        True
    """
    encoder, decoder = pair(input_shape, FullNormal(latent_dim), units, likelihood)
    return VAE(
        encoder, decoder, StandardNormal(latent_dim), warmed_elbo(1.0, warm_up), seed=seed, name="full_covariance"
    )
