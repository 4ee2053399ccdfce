"""Tomczak and Welling 2018."""

from tfvae import heads, networks
from tfvae.conditional import Decoder, Encoder
from tfvae.models import VAE
from tfvae.priors import VampPrior
from tfvae.zoo._paper import TOMCZAK_2018, paper, warmed_elbo


@paper(TOMCZAK_2018)
def vamp(
    input_shape: tuple[int, ...],
    latent_dim: int = 40,
    *,
    components: int = 500,
    units: tuple[int, ...] = (300, 300),
    likelihood: heads.Head | None = None,
    warm_up: int = 0,
    seed: int | None = None,
) -> VAE:
    """Return the VAE whose prior is the mean of the posteriors at learned pseudo-inputs.

        p(z) = 1/K sum_k q(z | u_k)

    Gated layers and 500 pseudo-inputs as in the paper's Sec. 5; `warm_up` training steps of a rising rate, 100 epochs
    in the paper. Reference: Sec. 2, Eq. (9).

    Example:
        >>> import tfvae
        >>> model = tfvae.zoo.vamp((8, 8, 1), 2, components=3, units=(16,))
        >>> model.prior.encoder is model.encoder
        True
    """
    likelihood = heads.Bernoulli(input_shape) if likelihood is None else likelihood
    encoder = Encoder(networks.gated(*units), heads.DiagonalNormal(latent_dim), name="encoder")
    decoder = Decoder(networks.gated(*reversed(units)), likelihood, name="decoder")
    prior = VampPrior(encoder, components, input_shape)
    return VAE(encoder, decoder, prior, warmed_elbo(1.0, warm_up), seed=seed, name="vamp")
