"""Kumar, Sattigeri and Balakrishnan 2018."""

from tfvae.heads import Head
from tfvae.models import VAE
from tfvae.objectives import ELBO
from tfvae.objectives.penalties import LatentCovariance
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import KUMAR_2018, pair, paper


@paper(KUMAR_2018)
def dip_vae_ii(
    input_shape: tuple[int, ...],
    latent_dim: int = 10,
    *,
    weight: float = 10.0,
    diagonal: float = 1.0,
    units: tuple[int, ...] = (1200, 1200),
    likelihood: Head | None = None,
    seed: int | None = None,
) -> VAE:
    """Return DIP-VAE-II: the covariance of the latent vectors is drawn to the identity.

        ELBO - weight (sum_i!=j C_ij^2 + diagonal sum_i (C_ii - 1)^2),   C = Cov_q(z)[z]

    The paper's lambda_od is `weight`, its lambda_d `weight` times `diagonal`. Widths as for its 2D shapes.
    Reference: Eq. (7).

    Example:
        >>> import tfvae
        >>> tfvae.zoo.dip_vae_ii((8, 8, 1)).objective.penalties[0].diagonal
        1.0
    """
    encoder, decoder = pair(input_shape, latent_dim, units, likelihood)
    objective = ELBO(penalties=(LatentCovariance(weight, diagonal),))
    return VAE(encoder, decoder, StandardNormal(latent_dim), objective, seed=seed, name="dip_vae_ii")
