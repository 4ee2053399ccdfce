"""Gulrajani et al. 2017."""

from tfvae import heads, networks
from tfvae.models import VAE
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper, warmed_elbo

_TITLE = "PixelVAE: A Latent Variable Model for Natural Images"


@paper(Citation(_TITLE, "I. Gulrajani et al.", 2017, "https://arxiv.org/abs/1611.05013"))
def pixel_vae(
    input_shape: tuple[int, ...],
    latent_dim: int = 64,
    *,
    units: tuple[int, ...] = (500,),
    filters: int = 32,
    layers: int = 3,
    kernel_size: int = 3,
    warm_up: int = 0,
    seed: int | None = None,
) -> VAE:
    """Return the VAE whose decoder draws binary images pixel by pixel, with a gated PixelCNN conditioned on z.

        p(x | z) = prod_i p(x_i | x_1, ..., x_{i-1}, z)

    Few layers leave to z what is further away than a neighbourhood; with more of them z may say nothing. Dense layers
    between x and z where the paper has convolutions. Reference: Sec. 3.1.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.pixel_vae((8, 8, 1), latent_dim=2, units=(16,), filters=4, layers=1).fits.exact_rate
        True
    """
    network = networks.GatedPixelCNN(filters, layers, kernel_size)
    likelihood = heads.Autoregressive(heads.Bernoulli(input_shape), network)
    encoder, decoder = pair(input_shape, latent_dim, units, likelihood)
    return VAE(encoder, decoder, StandardNormal(latent_dim), warmed_elbo(1.0, warm_up), seed=seed, name="pixel_vae")
