"""Lee et al. 2022."""

from tfvae.heads import Head, ResidualQuantizer
from tfvae.models import QuantizedVAE
from tfvae.objectives import ELBO
from tfvae.objectives.penalties import Commitment
from tfvae.zoo._codes import coded
from tfvae.zoo._paper import LEE_2022, paper


@paper(LEE_2022)
def rq_vae(
    input_shape: tuple[int, ...],
    latent_dim: int = 64,
    *,
    depth: int = 4,
    codes: int = 256,
    units: tuple[int, ...] = (64, 64),
    width: int = 64,
    likelihood: Head | None = None,
    seed: int | None = None,
) -> QuantizedVAE:
    """Return the VAE of residual codes: at every position `depth` codes, each for what those before it left.

        r_1 = h,   k_l = argmin_j |r_l - e_lj|,   r_{l+1} = r_l - e_{l k_l},   h ~ sum_l e_{l k_l}

    Depth 4 and moving averages as in the paper's Sec. 3, with 256 codes for 16384, a codebook for each depth where the
    paper shares one, without its critic, and one causal transformer over all codes for its two. Reference: Eq. (2).

    Example:
        >>> import tfvae
        >>> tfvae.zoo.rq_vae((8, 8, 1), latent_dim=3, depth=2, codes=16, units=(16, 16)).code_count
        8
    """
    parts = coded(input_shape, ResidualQuantizer(depth, codes, latent_dim), units, likelihood, width)
    return QuantizedVAE(*parts, ELBO(penalties=(Commitment(0.25),)), seed=seed, name="rq_vae")
