"""Ghosh et al. 2020."""

import keras

from tfvae import heads, networks
from tfvae.conditional import Decoder, Encoder
from tfvae.models import VAE
from tfvae.objectives import Distortion
from tfvae.objectives.penalties import SquaredNorm
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import GHOSH_2020, paper


@paper(GHOSH_2020)
def rae_l2(
    input_shape: tuple[int, ...],
    latent_dim: int = 16,
    *,
    weight: float = 1e-4,
    decay: float = 1e-6,
    units: tuple[int, ...] = (500,),
    likelihood: heads.Head | None = None,
    seed: int | None = None,
) -> VAE:
    """Return the regularised auto-encoder with decaying decoder weights: no noise, small codes, a smooth decoder.

        E[log p(x | z(x))] - weight |z(x)|^2 / 2 - decay sum |W|^2

    Samples need a density fitted to the codes; `sample` draws from the nominal N(0, I). Reference: Sec. 3.1.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.rae_l2((8, 8, 1), latent_dim=2).fits.has_rate
        False
    """
    encoder = Encoder(networks.mlp(*units), heads.Point(latent_dim), name="encoder")
    network = networks.mlp(*reversed(units), kernel_regularizer=keras.regularizers.L2(decay))
    decoder = Decoder(network, heads.Bernoulli(input_shape) if likelihood is None else likelihood, name="decoder")
    prior = StandardNormal(latent_dim)
    return VAE(encoder, decoder, prior, Distortion((SquaredNorm(weight),)), seed=seed, name="rae_l2")
