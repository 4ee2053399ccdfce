"""Burgess et al. 2018."""

from tfvae.heads import Head
from tfvae.models import VAE
from tfvae.objectives import ELBO
from tfvae.objectives.schedules import Linear
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper


@paper(
    Citation("Understanding disentangling in beta-VAE", "C. Burgess et al.", 2018, "https://arxiv.org/abs/1804.03599")
)
def annealed(
    input_shape: tuple[int, ...],
    latent_dim: int = 10,
    *,
    units: tuple[int, ...] = (1200, 1200),
    likelihood: Head | None = None,
    gamma: float = 1000.0,
    capacity: float = 25.0,
    steps: int = 100_000,
    seed: int | None = None,
) -> VAE:
    """Return the VAE whose rate is held at a capacity that grows from 0 to `capacity` nats over `steps` steps.

        E_q(z|x)[log p(x | z)] - gamma |KL(q(z | x) || p(z)) - C(t)|

    Defaults as for the paper's 2D shapes, with dense layers of 1200 units instead of convolutions. Reference: Eq. (8).

    Example:
        >>> import tfvae
        >>> float(tfvae.zoo.annealed((8, 8, 1), steps=100).objective.capacity.nats(50))
        12.5
    """
    encoder, decoder = pair(input_shape, latent_dim, units, likelihood)
    objective = ELBO(gamma, capacity=Linear(steps, end=capacity))
    return VAE(encoder, decoder, StandardNormal(latent_dim), objective, seed=seed, name="annealed")
