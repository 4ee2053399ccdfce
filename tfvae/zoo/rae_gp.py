"""Ghosh et al. 2020."""

from tfvae.heads import Head, Point
from tfvae.models import VAE
from tfvae.objectives import Distortion
from tfvae.objectives.penalties import GradientPenalty, SquaredNorm
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import GHOSH_2020, pair, paper


@paper(GHOSH_2020)
def rae_gp(
    input_shape: tuple[int, ...],
    latent_dim: int = 16,
    *,
    weight: float = 1e-4,
    smoothness: float = 1e-6,
    units: tuple[int, ...] = (500,),
    likelihood: Head | None = None,
    seed: int | None = None,
) -> VAE:
    """Return the regularised auto-encoder with a gradient penalty: no noise, small codes, a smooth decoder.

        E[log p(x | z(x))] - weight |z(x)|^2 / 2 - smoothness |d E[x | z] / d z|^2

    Both weights stand beside nats. Samples need a density fitted to the codes afterwards; `sample` draws from the
    nominal N(0, I). Reference: Sec. 3.1.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.rae_gp((8, 8, 1), latent_dim=2).fits.has_rate
        False
    """
    encoder, decoder = pair(input_shape, Point(latent_dim), units, likelihood)
    objective = Distortion((SquaredNorm(weight), GradientPenalty(smoothness)))
    return VAE(encoder, decoder, StandardNormal(latent_dim), objective, seed=seed, name="rae_gp")
