"""Rezende and Mohamed 2015."""

from tfvae.heads import Head, Planar
from tfvae.models import VAE
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper, warmed_elbo


@paper(
    Citation(
        "Variational Inference with Normalizing Flows",
        "D. Rezende and S. Mohamed",
        2015,
        "https://arxiv.org/abs/1505.05770",
    )
)
def planar(
    input_shape: tuple[int, ...],
    latent_dim: int = 40,
    *,
    units: tuple[int, ...] = (400,),
    likelihood: Head | None = None,
    warm_up: int = 0,
    steps: int = 10,
    seed: int | None = None,
) -> VAE:
    """Return the VAE whose normal posterior is bent by planar flows.

        z_k = z_{k-1} + u_k tanh(w_k^T z_{k-1} + b_k)

    One hidden layer of 400 ReLU units (the paper: maxout); the flow's parameters come from x; `warm_up` training steps
    of a rising rate. Reference: Eq. (10) and (20).

    Example:
        >>> import tfvae
        >>> tfvae.zoo.planar((8, 8, 1), latent_dim=2).fits.exact_rate
        False
    """
    encoder, decoder = pair(input_shape, Planar(latent_dim, steps), units, likelihood)
    return VAE(encoder, decoder, StandardNormal(latent_dim), warmed_elbo(1.0, warm_up), seed=seed, name="planar")
