"""Kingma et al. 2016."""

from tfvae.heads import Head, InverseAutoregressive
from tfvae.models import VAE
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper, warmed_elbo


@paper(Citation("Inverse Autoregressive Flow", "D. Kingma et al.", 2016, "https://arxiv.org/abs/1606.04934"))
def iaf(
    input_shape: tuple[int, ...],
    latent_dim: int = 32,
    *,
    units: tuple[int, ...] = (500,),
    likelihood: Head | None = None,
    warm_up: int = 0,
    steps: int = 4,
    hidden: tuple[int, ...] = (320,),
    seed: int | None = None,
) -> VAE:
    """Return the VAE whose normal posterior is passed through inverse autoregressive flows.

        z_t = s_t * z_{t-1} + (1 - s_t) * m_t,   (m_t, s_t) = autoregressive(z_{t-1}, h(x))

    Dense layers instead of the paper's residual convolutions; 4 steps and latent size 32 as for its MNIST models;
    `warm_up` training steps of a rising rate. Reference: Algorithm 1, Eq. (10).

    Example:
        >>> import tfvae
        >>> tfvae.zoo.iaf((8, 8, 1), latent_dim=2, hidden=(8,)).fits.exact_rate
        False
    """
    encoder, decoder = pair(input_shape, InverseAutoregressive(latent_dim, steps, hidden), units, likelihood)
    return VAE(encoder, decoder, StandardNormal(latent_dim), warmed_elbo(1.0, warm_up), seed=seed, name="iaf")
