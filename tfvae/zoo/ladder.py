"""Sonderby et al. 2016."""

from tfvae.heads import Head
from tfvae.models import LadderVAE
from tfvae.zoo._levels import halving_ladder
from tfvae.zoo._paper import Citation, paper, warmed_elbo


@paper(Citation("Ladder Variational Autoencoders", "C. Sonderby et al.", 2016, "https://arxiv.org/abs/1602.02282"))
def ladder(
    input_shape: tuple[int, ...],
    latent_dim: int = 64,
    *,
    units: tuple[int, ...] = (512, 256, 128, 64, 64),
    likelihood: Head | None = None,
    warm_up: int = 0,
    seed: int | None = None,
) -> LadderVAE:
    """Return the ladder: a deterministic way up, and a way down that posterior and prior share.

        q(z_l | z_{l+1}, x) ~ N(z_l | m_l(x), s_l(x)^2) p(z_l | z_{l+1})

    A group for each of `units`, of half the length of the one below, 64 to 4, as in the paper's Sec. 3; without its
    batch normalisation. `warm_up` training steps of a rising rate, 200 epochs in the paper. Reference: Sec. 2.2.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.ladder((8, 8, 1), latent_dim=4, units=(16, 8, 4)).group_sizes
        (1, 2, 4)
    """
    parts = halving_ladder(input_shape, latent_dim, units, likelihood)
    return LadderVAE(*parts, warmed_elbo(1.0, warm_up), seed=seed, name="ladder")
