"""Davidson et al. 2018."""

from tfvae.heads import Head, PowerSpherical
from tfvae.models import VAE
from tfvae.priors import UniformSphere
from tfvae.zoo._paper import Citation, pair, paper, warmed_elbo


@paper(
    Citation("Hyperspherical Variational Auto-Encoders", "T. Davidson et al.", 2018, "https://arxiv.org/abs/1804.00891")
)
def s_vae(
    input_shape: tuple[int, ...],
    latent_dim: int = 11,
    *,
    units: tuple[int, ...] = (256, 128),
    likelihood: Head | None = None,
    warm_up: int = 0,
    seed: int | None = None,
) -> VAE:
    """Return the VAE whose latent vectors lie on a sphere, with a uniform prior on it.

        q(z | x) = PowerSpherical(z | direction(x), concentration(x)),   p(z) uniform on |z| = 1

    The power spherical family (De Cao and Aziz 2020, https://arxiv.org/abs/2006.04437) stands for von Mises-Fisher's,
    whose sampler has no path derivative. 256 and 128 units as in the paper's Sec. 5. Reference: Eq. (4).

    Example:
        >>> import tfvae
        >>> tfvae.zoo.s_vae((8, 8, 1), latent_dim=3).fits.exact_rate
        True
    """
    encoder, decoder = pair(input_shape, PowerSpherical(latent_dim), units, likelihood)
    return VAE(encoder, decoder, UniformSphere(latent_dim), warmed_elbo(1.0, warm_up), seed=seed, name="s_vae")
