"""Mentzer et al. 2023."""

from tfvae.errors import positive_int
from tfvae.heads import FiniteScalar, Head
from tfvae.models import QuantizedVAE
from tfvae.zoo._codes import coded
from tfvae.zoo._paper import MENTZER_2023, paper


@paper(MENTZER_2023)
def fsq(
    input_shape: tuple[int, ...],
    latent_dim: int = 4,
    *,
    levels: tuple[int, ...] = (8, 5, 5, 5),
    units: tuple[int, ...] = (64, 64),
    width: int = 64,
    likelihood: Head | None = None,
    seed: int | None = None,
) -> QuantizedVAE:
    """Return the VAE of rounded numbers: no codebook, no penalty, nothing that dies.

        z_i = round(f_i(h_i)) / floor(L_i / 2)

    At every position of a grid of a quarter of the image's height `latent_dim` numbers are rounded to the first of
    `levels`, to as many as there are at most: a code of 8 * 5 * 5 * 5 = 1000 values, as in the paper's Sec. 4. The
    prior is a causal transformer of `width`, trained with the rest. Reference: Sec. 3.1.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.fsq((8, 8, 1), latent_dim=2, units=(16, 16)).prior.quantizer.codes
        40
    """
    quantizer = FiniteScalar(levels[: positive_int("latent_dim", latent_dim)])
    return QuantizedVAE(*coded(input_shape, quantizer, units, likelihood, width), seed=seed, name="fsq")
