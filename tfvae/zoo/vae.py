"""Kingma and Welling 2014."""

from tfvae.heads import Head
from tfvae.models import VAE
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper, warmed_elbo


@paper(Citation("Auto-Encoding Variational Bayes", "D. Kingma and M. Welling", 2014, "https://arxiv.org/abs/1312.6114"))
def vae(
    input_shape: tuple[int, ...],
    latent_dim: int = 20,
    *,
    units: tuple[int, ...] = (500,),
    likelihood: Head | None = None,
    warm_up: int = 0,
    seed: int | None = None,
) -> VAE:
    """Return the VAE: normal posterior and prior, Bernoulli likelihood, exact rate.

        log p(x) >= E_q(z|x)[log p(x | z)] - KL(q(z | x) || p(z))

    One hidden layer of 500 units, as for MNIST in the paper's Sec. 5 (there tanh, here ReLU); `warm_up` training
    steps of a rising rate, none in the paper. Reference: Eq. (10).

    Example:
        >>> import tfvae
        >>> tfvae.zoo.vae((8, 8, 1), latent_dim=2).fits.exact_rate
        True
    """
    encoder, decoder = pair(input_shape, latent_dim, units, likelihood)
    return VAE(encoder, decoder, StandardNormal(latent_dim), warmed_elbo(1.0, warm_up), seed=seed, name="vae")
