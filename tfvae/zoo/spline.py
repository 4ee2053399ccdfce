"""Durkan et al. 2019."""

from tfvae.heads import Coupling, Head, Spline
from tfvae.models import VAE
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper, warmed_elbo


@paper(Citation("Neural Spline Flows", "C. Durkan et al.", 2019, "https://arxiv.org/abs/1906.04032"))
def spline(
    input_shape: tuple[int, ...],
    latent_dim: int = 32,
    *,
    units: tuple[int, ...] = (500,),
    likelihood: Head | None = None,
    warm_up: int = 0,
    steps: int = 4,
    hidden: tuple[int, ...] = (128,),
    bins: int = 8,
    bound: float = 3.0,
    seed: int | None = None,
) -> VAE:
    """Return the VAE whose normal posterior is passed through couplings by rational-quadratic splines.

        z_b' = spline(z_b; parameters(z_a, h(x))),   z_a' = z_a

    Dense layers, 8 bins on [-3, 3]; `warm_up` training steps of a rising rate. Reference: Sec. 3.1 and Table 3.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.spline((8, 8, 1), latent_dim=2, hidden=(8,)).fits.exact_rate
        False
    """
    encoder, decoder = pair(
        input_shape, Coupling(latent_dim, steps, hidden, transform=Spline(bins, bound)), units, likelihood
    )
    return VAE(encoder, decoder, StandardNormal(latent_dim), warmed_elbo(1.0, warm_up), seed=seed, name="spline")
