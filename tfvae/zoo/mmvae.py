"""Shi et al. 2019."""

from collections.abc import Sequence

from tfvae.heads import Head, Laplace
from tfvae.models import VAE, MixtureOfExperts
from tfvae.objectives import MIWAE
from tfvae.priors import StandardLaplace
from tfvae.zoo._modalities import image_and_label
from tfvae.zoo._paper import Citation, Suits, paper

_TITLE = "Variational Mixture-of-Experts Autoencoders for Multi-Modal Deep Generative Models"


@paper(Citation(_TITLE, "Y. Shi et al.", 2019, "https://arxiv.org/abs/1911.03393"), Suits("digit_labels"))
def mmvae(
    input_shape: tuple[int, ...],
    latent_dim: int = 20,
    *,
    likelihoods: Sequence[Head] | None = None,
    units: tuple[int, ...] = (400,),
    samples: int = 10,
    seed: int | None = None,
) -> VAE:
    """Return the multimodal VAE whose posterior is a mixture of experts, one for each modality that was observed.

        1/M sum_m E_{z_k ~ q(z | x_m)}[log 1/K sum_k p(x, z_k) / q(z_k | x)],   q(z | x) = 1/M sum_m q(z | x_m)

    Laplace posteriors and prior, `samples` K of each expert; `likelihoods` as in `mvae`. Reference: Sec. 3.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.mmvae((74,), latent_dim=2, units=(16,), samples=5).objective.samples
        10
    """
    experts, sizes, decoder = image_and_label(input_shape, likelihoods, units, lambda: Laplace(latent_dim))
    encoder = MixtureOfExperts(experts, sizes, prior := StandardLaplace(latent_dim), name="encoder")
    return VAE(encoder, decoder, prior, MIWAE(len(sizes), samples), seed=seed, name="mmvae")
