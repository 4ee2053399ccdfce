"""Sohn, Lee and Yan 2015."""

from tfvae import heads, networks
from tfvae.conditional import Conditional, Decoder, Encoder
from tfvae.errors import event_shape
from tfvae.heads import Head
from tfvae.models import ConditionalVAE
from tfvae.networks import Concatenated
from tfvae.zoo._paper import SOHN_2015, Suits, paper, warmed_elbo


@paper(SOHN_2015, Suits(conditioned=True))
def cvae(
    input_shape: tuple[int, ...],
    latent_dim: int = 50,
    *,
    condition_shape: int | tuple[int, ...] = 10,
    units: tuple[int, ...] = (500, 500),
    likelihood: Head | None = None,
    warm_up: int = 0,
    seed: int | None = None,
) -> ConditionalVAE:
    """Return the conditional VAE: posterior, likelihood and prior depend on a class, attributes or an image c.

        log p(x | c) >= E_q(z|x,c)[log p(x | z, c)] - KL(q(z | x, c) || p(z | c))

    Three networks of two layers of 500 units; `warm_up` training steps of a rising rate, none in the paper, whose
    networks for whole images are convolutional. Reference: Eq. (4); `benchmarks/COMPLETION.md` compares with Sec. 5.1.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.cvae((8, 8, 1), latent_dim=2, units=(16,)).sample(2, c=[3, 7]).shape
        (2, 8, 8, 1)
    """
    below = heads.Bernoulli(event_shape("input_shape", input_shape)) if likelihood is None else likelihood
    encoder = Encoder(Concatenated(networks.mlp(*units)), heads.DiagonalNormal(latent_dim), name="encoder")
    decoder = Decoder(Concatenated(networks.mlp(*reversed(units))), below, name="decoder")
    prior = Conditional(networks.mlp(*units), heads.DiagonalNormal(latent_dim), name="prior")
    return ConditionalVAE(encoder, decoder, prior, condition_shape, warmed_elbo(1.0, warm_up), seed=seed, name="cvae")
