"""Van den Oord, Vinyals and Kavukcuoglu 2017."""

from tfvae.heads import ByGradient, Head, VectorQuantizer
from tfvae.models import QuantizedVAE
from tfvae.objectives import ELBO
from tfvae.objectives.penalties import Codebook, Commitment
from tfvae.zoo._codes import coded
from tfvae.zoo._paper import OORD_2017, paper


@paper(OORD_2017)
def vq_vae(
    input_shape: tuple[int, ...],
    latent_dim: int = 64,
    *,
    codes: int = 512,
    units: tuple[int, ...] = (64, 64),
    width: int = 64,
    likelihood: Head | None = None,
    seed: int | None = None,
) -> QuantizedVAE:
    """Return the VAE of codes: the nearest of `codes` vectors of length `latent_dim` at every position of a grid.

        log p(x | e(k)) + log p(k) - |sg(h) - e(k)|^2 - 0.25 |h - sg(e(k))|^2,   k = argmin_j |h - e_j|

    A codebook of 512 vectors of length 64, learned by its gradient, and a grid of a quarter of the image's height, as
    in the paper's Sec. 4.1, which has 256 channels; dead codes are replaced. The prior is a causal transformer of
    `width`, trained with the rest, where the paper trains a PixelCNN afterwards. Reference: Eq. (3).

    Example:
        >>> import tfvae
        >>> tfvae.zoo.vq_vae((8, 8, 1), latent_dim=3, codes=16, units=(16, 16)).code_count
        4
    """
    parts = coded(input_shape, VectorQuantizer(codes, latent_dim, ByGradient()), units, likelihood, width)
    return QuantizedVAE(*parts, ELBO(penalties=(Codebook(1.0), Commitment(0.25))), seed=seed, name="vq_vae")
