"""Tolstikhin et al. 2018."""

from tfvae.heads import Head, Point
from tfvae.models import VAE
from tfvae.objectives import Distortion
from tfvae.objectives.kernels import InverseMultiquadratic
from tfvae.objectives.penalties import MMD
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper


@paper(Citation("Wasserstein Auto-Encoders", "I. Tolstikhin et al.", 2018, "https://arxiv.org/abs/1711.01558"))
def wae_mmd(
    input_shape: tuple[int, ...],
    latent_dim: int = 8,
    *,
    weight: float = 10.0,
    units: tuple[int, ...] = (500,),
    likelihood: Head | None = None,
    seed: int | None = None,
) -> VAE:
    """Return the Wasserstein auto-encoder: a point for each x, and all of them together spread like the prior.

        E[log p(x | z(x))] - weight MMD(q(z), p(z))

    The kernel is the paper's inverse multiquadratic, the latent size that of its MNIST model; its weight of 10 stands
    beside a squared error there, beside nats here. Dense layers instead of convolutions. Reference: Algorithm 2.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.wae_mmd((8, 8, 1), latent_dim=2).fits.has_rate
        False
    """
    encoder, decoder = pair(input_shape, Point(latent_dim), units, likelihood)
    objective = Distortion((MMD(weight, InverseMultiquadratic()),))
    return VAE(encoder, decoder, StandardNormal(latent_dim), objective, seed=seed, name="wae_mmd")
