"""Tomczak and Welling 2018, two levels below a mixture of posteriors."""

from tfvae.heads import Head
from tfvae.models import LadderVAE
from tfvae.priors import VampPrior
from tfvae.zoo._levels import two_levels
from tfvae.zoo._paper import TOMCZAK_2018, paper, warmed_elbo


@paper(TOMCZAK_2018)
def hvae_vamp(
    input_shape: tuple[int, ...],
    latent_dim: int = 40,
    *,
    components: int = 500,
    units: tuple[int, ...] = (300,),
    likelihood: Head | None = None,
    warm_up: int = 0,
    seed: int | None = None,
) -> LadderVAE:
    """Return the VAE of two levels whose upper prior is the mean of the upper posteriors at learned pseudo-inputs.

        p(z_2) = 1/K sum_k q(z_2 | u_k),   p(x, z) = p(z_2) p(z_1 | z_2) p(x | z_1, z_2)

    Everything else as in `hvae`. Reference: Sec. 4.

    Example:
        >>> import tfvae
        >>> type(tfvae.zoo.hvae_vamp((8, 8, 1), latent_dim=2, components=3, units=(16,)).prior.top).__name__
        'VampPrior'
    """
    parts = two_levels(
        input_shape, latent_dim, units, likelihood, lambda encoder: VampPrior(encoder, components, input_shape)
    )
    return LadderVAE(*parts, warmed_elbo(1.0, warm_up), seed=seed, name="hvae_vamp")
