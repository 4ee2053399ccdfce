"""Jang, Gu and Poole 2017."""

from tfvae import heads, networks
from tfvae.conditional import Decoder, Encoder
from tfvae.models import VAE
from tfvae.objectives.schedules import Schedule
from tfvae.priors import UniformCategorical
from tfvae.zoo._paper import Citation, paper, warmed_elbo


@paper(Citation("Gumbel-Softmax", "E. Jang, S. Gu and B. Poole", 2017, "https://arxiv.org/abs/1611.01144"))
def gumbel(
    input_shape: tuple[int, ...],
    latent_dim: int = 20,
    *,
    classes: int = 10,
    temperature: float | Schedule = 2 / 3,
    units: tuple[int, ...] = (500,),
    likelihood: heads.Head | None = None,
    warm_up: int = 0,
    seed: int | None = None,
) -> VAE:
    """Return the VAE with `latent_dim` relaxed categorical variables of `classes` values each, and a uniform prior.

        z_g = log softmax((logits_g(x) + Gumbel noise) / temperature)

    Posterior and prior are both relaxed, as in Maddison et al. (2017, https://arxiv.org/abs/1611.00712), so that the
    ELBO is a bound; their temperatures are `temperature` and 1/2. Reference: Sec. 2.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.gumbel((8, 8, 1), 3, classes=4).fits.latent_dim
        12
    """
    encoder = Encoder(networks.mlp(*units), heads.RelaxedCategorical(latent_dim, classes, temperature), name="encoder")
    head = heads.Bernoulli(input_shape) if likelihood is None else likelihood
    decoder = Decoder(networks.simplex_mlp(*reversed(units)), head, name="decoder")
    prior = UniformCategorical(latent_dim, classes, 0.5)
    return VAE(encoder, decoder, prior, warmed_elbo(1.0, warm_up), seed=seed, name="gumbel")
