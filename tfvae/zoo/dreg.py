"""Tucker et al. 2019."""

from tfvae.heads import Head
from tfvae.models import VAE
from tfvae.objectives import DReG
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper


@paper(
    Citation(
        "Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives",
        "G. Tucker et al.",
        2019,
        "https://arxiv.org/abs/1810.04152",
    )
)
def dreg(
    input_shape: tuple[int, ...],
    latent_dim: int = 50,
    *,
    units: tuple[int, ...] = (200, 200),
    likelihood: Head | None = None,
    samples: int = 64,
    seed: int | None = None,
) -> VAE:
    """Return the importance-weighted auto-encoder with the doubly reparameterised gradient for the encoder.

        sum_k w_k^2 d/dz_k log(p(x, z_k) / q(z_k | x)) dz_k/dphi,   w the normalised weights

    The bound is that of `iwae`, and so are the networks; K = 64 as in the paper's Sec. 6. Reference: Eq. (8).

    Example:
        >>> import tfvae
        >>> tfvae.zoo.dreg((8, 8, 1), latent_dim=2).objective.samples
        64
    """
    encoder, decoder = pair(input_shape, latent_dim, units, likelihood, activation="tanh")
    return VAE(encoder, decoder, StandardNormal(latent_dim), DReG(samples), seed=seed, name="dreg")
