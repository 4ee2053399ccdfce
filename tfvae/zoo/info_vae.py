"""Zhao, Song and Ermon 2017."""

from tfvae.heads import Head
from tfvae.models import VAE
from tfvae.objectives import ELBO
from tfvae.objectives.kernels import RBF
from tfvae.objectives.penalties import MMD
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper


@paper(Citation("InfoVAE", "S. Zhao, J. Song and S. Ermon", 2017, "https://arxiv.org/abs/1706.02262"))
def info_vae(
    input_shape: tuple[int, ...],
    latent_dim: int = 10,
    *,
    alpha: float = 0.0,
    scale: float = 1000.0,
    units: tuple[int, ...] = (500,),
    likelihood: Head | None = None,
    seed: int | None = None,
) -> VAE:
    """Return InfoVAE: some of the rate is replaced by the distance of the aggregate posterior from the prior.

        E_q(z|x)[log p(x | z)] - (1 - alpha) KL(q(z | x) || p(z)) - (alpha + scale - 1) MMD(q(z), p(z))

    `alpha` is at most 1, `scale` is the paper's lambda; with alpha = 0 the rate stays whole. Dense layers instead of
    convolutions. Reference: Sec. 3.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.info_vae((8, 8, 1), alpha=0.5).objective.beta.value
        0.5
    """
    encoder, decoder = pair(input_shape, latent_dim, units, likelihood)
    objective = ELBO(1.0 - alpha, penalties=(MMD(alpha + scale - 1.0, RBF()),))
    return VAE(encoder, decoder, StandardNormal(latent_dim), objective, seed=seed, name="info_vae")
