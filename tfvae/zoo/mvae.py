"""Wu and Goodman 2018."""

from collections.abc import Sequence

from tfvae.heads import DiagonalNormal, Head
from tfvae.models import VAE, ProductOfExperts
from tfvae.priors import StandardNormal
from tfvae.zoo._modalities import image_and_label
from tfvae.zoo._paper import Citation, Suits, paper, warmed_elbo

_TITLE = "Multimodal Generative Models for Scalable Weakly-Supervised Learning"


@paper(Citation(_TITLE, "M. Wu and N. Goodman", 2018, "https://arxiv.org/abs/1802.05335"), Suits("digit_labels"))
def mvae(
    input_shape: tuple[int, ...],
    latent_dim: int = 64,
    *,
    likelihoods: Sequence[Head] | None = None,
    units: tuple[int, ...] = (512, 512),
    warm_up: int = 0,
    seed: int | None = None,
) -> VAE:
    """Return the multimodal VAE whose posterior is a product of experts, one for each modality that was observed.

        q(z | x) ~ p(z) prod_m N(z | m_m(x_m), s_m(x_m)^2)

    `likelihoods` are those of the modalities, by default binary pixels and one of ten labels. Train it on
    `data.subsets(...)` for the paper's objective, which teaches each expert to stand alone. Reference: Sec. 2.2.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.mvae((74,), latent_dim=2, units=(16,)).fits.exact_rate
        True
    """
    experts, sizes, decoder = image_and_label(input_shape, likelihoods, units, lambda: DiagonalNormal(latent_dim))
    encoder = ProductOfExperts(experts, sizes, prior := StandardNormal(latent_dim), name="encoder")
    return VAE(encoder, decoder, prior, warmed_elbo(1.0, warm_up), seed=seed, name="mvae")
