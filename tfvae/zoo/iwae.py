"""Burda, Grosse and Salakhutdinov 2016."""

from tfvae.heads import Head
from tfvae.models import VAE
from tfvae.objectives import IWAE
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper


@paper(
    Citation(
        "Importance Weighted Autoencoders",
        "Y. Burda, R. Grosse and R. Salakhutdinov",
        2016,
        "https://arxiv.org/abs/1509.00519",
    )
)
def iwae(
    input_shape: tuple[int, ...],
    latent_dim: int = 50,
    *,
    units: tuple[int, ...] = (200, 200),
    likelihood: Head | None = None,
    samples: int = 5,
    seed: int | None = None,
) -> VAE:
    """Return the importance-weighted auto-encoder: a tighter bound from `samples` draws of z.

        E[log 1/K sum_k p(x, z_k) / q(z_k | x)] <= log p(x)

    Two hidden layers of 200 tanh units, as in the paper's Sec. 5, with one stochastic layer of 50. Reference: Eq. (8).

    Example:
        >>> import tfvae
        >>> tfvae.zoo.iwae((8, 8, 1), latent_dim=2).objective.samples
        5
    """
    encoder, decoder = pair(input_shape, latent_dim, units, likelihood, activation="tanh")
    return VAE(encoder, decoder, StandardNormal(latent_dim), IWAE(samples), seed=seed, name="iwae")
