"""Higgins et al. 2017."""

from tfvae.heads import Head
from tfvae.models import VAE
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper, warmed_elbo


@paper(Citation("beta-VAE", "I. Higgins et al.", 2017, "https://openreview.net/forum?id=Sy2fzU9gl"))
def beta_vae(
    input_shape: tuple[int, ...],
    latent_dim: int = 10,
    *,
    beta: float = 4.0,
    units: tuple[int, ...] = (1200, 1200),
    likelihood: Head | None = None,
    warm_up: int = 0,
    seed: int | None = None,
) -> VAE:
    """Return the beta-VAE: the VAE with the rate weighted by beta, a number or a schedule.

        E_q(z|x)[log p(x | z)] - beta KL(q(z | x) || p(z))

    Two hidden layers of 1200 units, as the encoder for 2D shapes in the paper's Table 1 (whose decoder has one more, of
    tanh); `warm_up` training steps of a rising rate, none in the paper. Reference: Eq. (4).

    Example:
        >>> import tfvae
        >>> tfvae.zoo.beta_vae((8, 8, 1), beta=2.0).objective.beta.value
        2.0
    """
    encoder, decoder = pair(input_shape, latent_dim, units, likelihood)
    return VAE(encoder, decoder, StandardNormal(latent_dim), warmed_elbo(beta, warm_up), seed=seed, name="beta_vae")
