"""Dai and Wipf 2019."""

from tfvae.heads import Normal, SharedScale
from tfvae.models import VAE
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, Suits, pair, paper, warmed_elbo


@paper(
    Citation("Diagnosing and Enhancing VAE Models", "B. Dai and D. Wipf", 2019, "https://arxiv.org/abs/1903.05789"),
    Suits(binarization="none"),
)
def two_stage(
    input_shape: tuple[int, ...],
    latent_dim: int = 16,
    *,
    units: tuple[int, ...] = (500,),
    warm_up: int = 0,
    seed: int | None = None,
) -> VAE:
    """Return one stage of the two-stage VAE: a normal likelihood whose one deviation gamma is learned, and goes to 0.

        x | z ~ N(mean(z), gamma^2 I),   then the same model of z | x: z | u ~ N(mean(u), gamma'^2 I)

    Both stages are this model: the second is trained on draws from the first's posterior, and then
    `first.decoder(second.sample(n))` samples x. Dense layers instead of convolutions. Reference: Sec. 4, Eq. (2).

    Example:
        >>> import tfvae
        >>> first, second = tfvae.zoo.two_stage((8, 8, 1), 4), tfvae.zoo.two_stage((4,), 4)
        >>> first.decoder(second.sample(3)).mean().shape
        TensorShape([3, 8, 8, 1])
    """
    encoder, decoder = pair(input_shape, latent_dim, units, Normal(input_shape, SharedScale()))
    return VAE(encoder, decoder, StandardNormal(latent_dim), warmed_elbo(1.0, warm_up), seed=seed, name="two_stage")
