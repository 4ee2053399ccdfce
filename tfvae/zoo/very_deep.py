"""Child 2021."""

from tfvae.heads import Head
from tfvae.models import LadderVAE
from tfvae.zoo._deep import very_deep_parts
from tfvae.zoo._paper import Citation, paper, warmed_elbo

_TITLE = "Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images"


@paper(Citation(_TITLE, "R. Child", 2021, "https://arxiv.org/abs/2011.10650"))
def very_deep(
    input_shape: tuple[int, ...],
    latent_dim: int = 4,
    *,
    units: tuple[int, ...] = (16, 32, 32, 32),
    groups: tuple[int, ...] = (2, 3, 3, 2),
    likelihood: Head | None = None,
    warm_up: int = 0,
    seed: int | None = None,
) -> LadderVAE:
    """Return the very deep VAE: many groups on grids that grow, along one residual way down, for images.

        h_{l-1} = f_l(h_l + g_l(z_l)),   z_l ~ p(z_l | h_l) or q(z_l | h_l, a_l(x)),   p(x | h_0)

    `units` channels and `groups` groups of `latent_dim` channels on each grid, from the bottom up; a grid halves the
    one below it, the last is one place: 14x14, 7x7, 4x4 and 1x1 of 28x28 pixels. Small: the paper has 45 groups of 16
    channels and more, GELU, a learned top, what p(z_l) adds to the state, and clipped gradients. Reference: Sec. 3.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.very_deep((8, 8, 1), latent_dim=2, units=(8, 8), groups=(1, 2)).group_sizes
        (2, 2, 32)
    """
    parts = very_deep_parts(input_shape, latent_dim, units, groups, likelihood)
    return LadderVAE(*parts, warmed_elbo(1.0, warm_up), seed=seed, name="very_deep")
