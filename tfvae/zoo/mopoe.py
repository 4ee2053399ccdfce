"""Sutter, Daunhawer and Vogt 2021."""

from collections.abc import Sequence

from tfvae.heads import DiagonalNormal, Head
from tfvae.models import VAE, MixtureOfProducts
from tfvae.objectives import ELBO
from tfvae.priors import StandardNormal
from tfvae.zoo._modalities import image_and_label
from tfvae.zoo._paper import Citation, Suits, paper

_AUTHORS = "T. Sutter, I. Daunhawer and J. Vogt"


@paper(
    Citation("Generalized Multimodal ELBO", _AUTHORS, 2021, "https://arxiv.org/abs/2105.02470"), Suits("digit_labels")
)
def mopoe(
    input_shape: tuple[int, ...],
    latent_dim: int = 20,
    *,
    likelihoods: Sequence[Head] | None = None,
    units: tuple[int, ...] = (400,),
    seed: int | None = None,
) -> VAE:
    """Return the multimodal VAE whose posterior mixes the products of experts of all sets of modalities.

        q(z | x) = 1/N sum_A prod_{m in A} N(z | m_m(x_m), s_m(x_m)^2) / c_A

    One draw of z from each set A; `likelihoods` as in `mvae`. Reference: Sec. 3.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.mopoe((74,), latent_dim=2, units=(16,)).objective.samples
        3
    """
    experts, sizes, decoder = image_and_label(input_shape, likelihoods, units, lambda: DiagonalNormal(latent_dim))
    encoder = MixtureOfProducts(experts, sizes, prior := StandardNormal(latent_dim), name="encoder")
    return VAE(encoder, decoder, prior, ELBO(samples=2 ** len(sizes) - 1), seed=seed, name="mopoe")
