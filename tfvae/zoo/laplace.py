"""Kingma and Welling 2014."""

from tfvae.heads import Head, Laplace
from tfvae.models import VAE
from tfvae.priors import StandardLaplace
from tfvae.zoo._paper import Citation, pair, paper, warmed_elbo


@paper(Citation("Auto-Encoding Variational Bayes", "D. Kingma and M. Welling", 2014, "https://arxiv.org/abs/1312.6114"))
def laplace(
    input_shape: tuple[int, ...],
    latent_dim: int = 20,
    *,
    units: tuple[int, ...] = (500,),
    likelihood: Head | None = None,
    warm_up: int = 0,
    seed: int | None = None,
) -> VAE:
    """Return the VAE with Laplace distributions for posterior and prior, whose heavy tails make for sparse codes.

        q(z | x) = prod_d Laplace(z_d | loc_d(x), scale_d(x)),   p(z) = prod_d Laplace(z_d | 0, 1)

    One of the location-scale families of the paper's Sec. 2.4; networks as for `vae`; `warm_up` training steps of a
    rising rate.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.laplace((8, 8, 1), latent_dim=2).fits.exact_rate
        True
    """
    encoder, decoder = pair(input_shape, Laplace(latent_dim), units, likelihood)
    return VAE(encoder, decoder, StandardLaplace(latent_dim), warmed_elbo(1.0, warm_up), seed=seed, name="laplace")
