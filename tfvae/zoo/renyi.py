"""Li and Turner 2016."""

from tfvae.heads import Head
from tfvae.models import VAE
from tfvae.objectives import Renyi
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper


@paper(
    Citation("Renyi Divergence Variational Inference", "Y. Li and R. Turner", 2016, "https://arxiv.org/abs/1602.02311")
)
def renyi(
    input_shape: tuple[int, ...],
    latent_dim: int = 50,
    *,
    units: tuple[int, ...] = (200, 200),
    likelihood: Head | None = None,
    alpha: float = 0.5,
    samples: int = 5,
    seed: int | None = None,
) -> VAE:
    """Return the VAE that maximises the variational Renyi bound of order `alpha`, estimated from `samples` draws.

        1 / (1 - alpha) log 1/K sum_k (p(x, z_k) / q(z_k | x))^(1 - alpha)

    The ELBO for alpha to 1, the importance-weighted bound for alpha = 0. Networks as for `iwae`. Reference: Eq. (9).

    Example:
        >>> import tfvae
        >>> tfvae.zoo.renyi((8, 8, 1), latent_dim=2).objective.alpha
        0.5
    """
    encoder, decoder = pair(input_shape, latent_dim, units, likelihood, activation="tanh")
    return VAE(encoder, decoder, StandardNormal(latent_dim), Renyi(alpha, samples), seed=seed, name="renyi")
