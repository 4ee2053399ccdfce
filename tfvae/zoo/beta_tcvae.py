"""Chen et al. 2018."""

from tfvae.heads import Head
from tfvae.models import VAE
from tfvae.objectives import ELBO
from tfvae.objectives.penalties import Stratified, TotalCorrelation
from tfvae.priors import StandardNormal
from tfvae.zoo._paper import Citation, pair, paper


@paper(
    Citation("Isolating Sources of Disentanglement in VAEs", "R. Chen et al.", 2018, "https://arxiv.org/abs/1802.04942")
)
def beta_tcvae(
    input_shape: tuple[int, ...],
    latent_dim: int = 10,
    *,
    examples: int,
    beta: float = 6.0,
    units: tuple[int, ...] = (1200, 1200),
    likelihood: Head | None = None,
    seed: int | None = None,
) -> VAE:
    """Return the beta-TCVAE: only the total correlation, a part of the rate, is weighted by beta.

        E_q(z|x)[log p(x | z)] - KL(q(z | x) || p(z)) - (beta - 1) KL(q(z) || prod_d q(z_d))

    `examples` is the number of training examples, from which q(z) is estimated in a batch. Widths and beta as for the
    paper's 2D shapes, whose decoder has one layer more, of tanh. Reference: Eq. (4), with alpha = gamma = 1.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.beta_tcvae((8, 8, 1), examples=1257).objective.penalties[0].sampling.examples
        1257
    """
    encoder, decoder = pair(input_shape, latent_dim, units, likelihood)
    correlation = TotalCorrelation(beta - 1.0, Stratified(examples))
    objective = ELBO(penalties=(correlation,))
    return VAE(encoder, decoder, StandardNormal(latent_dim), objective, seed=seed, name="beta_tcvae")
