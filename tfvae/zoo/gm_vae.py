"""Jiang et al. 2017."""

from tfvae.heads import Head
from tfvae.models import VAE
from tfvae.priors import Mixture
from tfvae.zoo._paper import Citation, pair, paper, warmed_elbo


@paper(Citation("Variational Deep Embedding", "Z. Jiang et al.", 2017, "https://arxiv.org/abs/1611.05148"))
def gm_vae(
    input_shape: tuple[int, ...],
    latent_dim: int = 10,
    *,
    components: int = 10,
    units: tuple[int, ...] = (500, 500, 2000),
    likelihood: Head | None = None,
    warm_up: int = 0,
    seed: int | None = None,
) -> VAE:
    """Return the VAE whose prior is a mixture of normal distributions, learned with the rest.

        p(z) = sum_k w_k N(z | mu_k, diag(s_k)^2)

    The component is summed out instead of inferred, and nothing is pretrained; widths as in the paper's Sec. 4.3;
    `warm_up` training steps of a rising rate, none in the paper. Reference: Eq. (2) to (5).

    Example:
        >>> import tfvae
        >>> tfvae.zoo.gm_vae((8, 8, 1), 2, components=3, units=(16,)).fits.exact_rate
        False
    """
    encoder, decoder = pair(input_shape, latent_dim, units, likelihood)
    prior = Mixture(latent_dim, components)
    return VAE(encoder, decoder, prior, warmed_elbo(1.0, warm_up), seed=seed, name="gm_vae")
