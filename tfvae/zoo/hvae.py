"""Tomczak and Welling 2018, two levels below a normal prior."""

from tfvae.heads import Head
from tfvae.models import LadderVAE
from tfvae.priors import StandardNormal
from tfvae.zoo._levels import two_levels
from tfvae.zoo._paper import TOMCZAK_2018, paper, warmed_elbo


@paper(TOMCZAK_2018)
def hvae(
    input_shape: tuple[int, ...],
    latent_dim: int = 40,
    *,
    units: tuple[int, ...] = (300,),
    likelihood: Head | None = None,
    warm_up: int = 0,
    seed: int | None = None,
) -> LadderVAE:
    """Return the VAE of two levels: the lower group is drawn given the upper one, and x depends on both.

        q(z | x) = q(z_2 | x) q(z_1 | x, z_2),   p(x, z) = p(z_2) p(z_1 | z_2) p(x | z_1, z_2)

    Both groups of 40 and gated layers of 300, as in the paper's Sec. 5; the first layer over x, of which each of the
    two posteriors has its own there, is shared, and so is the first one over z in the likelihood. `warm_up` training
    steps of a rising rate, 100 epochs in the paper. Reference: Sec. 4.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.hvae((8, 8, 1), latent_dim=2, units=(16,)).group_sizes
        (2, 2)
    """
    parts = two_levels(input_shape, latent_dim, units, likelihood, lambda _: StandardNormal(latent_dim))
    return LadderVAE(*parts, warmed_elbo(1.0, warm_up), seed=seed, name="hvae")
