"""Chen et al. 2017."""

from tfvae.heads import Head
from tfvae.models import VAE
from tfvae.priors import FlowPrior
from tfvae.zoo._paper import Citation, pair, paper, warmed_elbo


@paper(Citation("Variational Lossy Autoencoder", "X. Chen et al.", 2017, "https://arxiv.org/abs/1611.02731"))
def flow_prior(
    input_shape: tuple[int, ...],
    latent_dim: int = 32,
    *,
    steps: int = 4,
    hidden: tuple[int, ...] = (128,),
    units: tuple[int, ...] = (500,),
    likelihood: Head | None = None,
    warm_up: int = 0,
    seed: int | None = None,
) -> VAE:
    """Return the VAE whose prior is a normal distribution passed through a flow, learned with the rest.

        log p(z) = log N(f^-1(z) | 0, I) + log |det d f^-1(z) / dz|

    Affine couplings, quick in both directions, instead of the paper's autoregressive flow; `warm_up` training steps of
    a rising rate, none in the paper. Reference: Sec. 3.2.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.flow_prior((8, 8, 1), 2, hidden=(8,), units=(16,)).fits.exact_rate
        False
    """
    encoder, decoder = pair(input_shape, latent_dim, units, likelihood)
    prior = FlowPrior(latent_dim, steps, hidden)
    return VAE(encoder, decoder, prior, warmed_elbo(1.0, warm_up), seed=seed, name="flow_prior")
