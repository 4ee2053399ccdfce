"""Nazabal et al. 2020."""

from collections.abc import Mapping, Sequence

from tfvae import heads, networks
from tfvae.conditional import Decoder, Encoder
from tfvae.models import VAE
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, Suits, columns_of, paper, warmed_elbo

_TITLE = "Handling Incomplete Heterogeneous Data using VAEs"


@paper(Citation(_TITLE, "A. Nazabal et al.", 2020, "https://arxiv.org/abs/1807.03653"), Suits("digit_records"))
def mixed_vae(
    input_shape: tuple[int, ...],
    latent_dim: int = 10,
    *,
    categories: Mapping[int, int] | None = None,
    counts: Sequence[int] = tuple(range(2, 66)),
    units: tuple[int, ...] = (50,),
    warm_up: int = 0,
    seed: int | None = None,
) -> VAE:
    """Return the VAE of records: each column has the likelihood of its kind, a number, a category or a count.

        log p(x | z) = sum_c log p_c(x_c | z)

    `categories` maps the index of a column to its number of levels, `counts` names columns of counts, the others are
    numbers; the defaults are the columns of `data.load("digit_records")`. Nothing may be missing. Reference: Sec. 2.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.mixed_vae((3,), 2, categories={0: 4}, counts=(2,)).fits.event_shape
        (3,)
    """
    categories = {1: 10} if categories is None else dict(categories)
    encoder = Encoder(networks.columns(*units, categories=categories, counts=counts), heads.DiagonalNormal(latent_dim))
    decoder = Decoder(networks.mlp(*reversed(units)), heads.Product(*columns_of(input_shape, categories, counts)))
    return VAE(encoder, decoder, StandardNormal(latent_dim), warmed_elbo(1.0, warm_up), seed=seed, name="mixed_vae")
