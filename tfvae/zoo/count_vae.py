"""Lopez et al. 2018."""

from tfvae import heads, networks
from tfvae.conditional import Decoder, Encoder
from tfvae.models import VAE
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, Suits, paper, warmed_elbo


@paper(
    Citation("Single-cell Variational Inference", "R. Lopez et al.", 2018, "https://arxiv.org/abs/1709.02082"),
    Suits("digit_counts"),
)
def count_vae(
    input_shape: tuple[int, ...],
    latent_dim: int = 10,
    *,
    units: tuple[int, ...] = (128,),
    warm_up: int = 0,
    seed: int | None = None,
) -> VAE:
    """Return the VAE of counts: a negative binomial likelihood, each place with its mean and dispersion.

        x_i | z ~ NegativeBinomial(mean_i(z), dispersion_i(z))

    The paper's scVI also infers the size of each cell's library and corrects for batches of cells; one layer of 128
    units as there; `warm_up` training steps of a rising rate. Reference: Sec. 2.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.count_vae((8, 8, 1), latent_dim=2).decoder.head.support.discrete
        True
    """
    encoder = Encoder(networks.count_mlp(*units), heads.DiagonalNormal(latent_dim), name="encoder")
    decoder = Decoder(networks.mlp(*reversed(units)), heads.NegativeBinomial(input_shape), name="decoder")
    return VAE(encoder, decoder, StandardNormal(latent_dim), warmed_elbo(1.0, warm_up), seed=seed, name="count_vae")
