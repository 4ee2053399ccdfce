"""Krishnan, Shalit and Sontag 2017."""

from functools import partial

from tfvae.heads import Head
from tfvae.models import SequentialVAE, Smoother
from tfvae.zoo._paper import Citation, Suits, paper, warmed_elbo
from tfvae.zoo._sequences import markov, of_step

_TITLE = "Structured Inference Networks for Nonlinear State Space Models"


@paper(
    Citation(_TITLE, "R. Krishnan et al.", 2017, "https://arxiv.org/abs/1609.09869"),
    Suits("digit_rows", own_likelihood=True),
)
def deep_markov(
    input_shape: tuple[int, ...],
    latent_dim: int = 100,
    *,
    units: tuple[int, ...] = (200,),
    likelihood: Head | None = None,
    warm_up: int = 0,
    seed: int | None = None,
) -> SequentialVAE:
    """Return the deep Markov model: latents that follow each other, smoothed by a network from the end backwards.

        p(x, z) = prod_t p(z_t | z_{t-1}) p(x_t | z_t),   q(z | x) = prod_t q(z_t | z_{t-1}, x_t, ..., x_T)

    `input_shape` is T and the shape of a step; shorter sequences end in NaN. A gated recurrent unit of units[-1], 600
    in the paper. Reference: Sec. 4 and 5.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.deep_markov((5, 3), latent_dim=2, units=(8,)).fits.latent_dim
        10
    """
    smoother = partial(Smoother, of_step(units), units=units[-1], name="encoder")
    parts = markov(input_shape, latent_dim, units, likelihood, lambda part, dynamics: smoother(part, dynamics))
    return SequentialVAE(*parts, warmed_elbo(1.0, warm_up), seed=seed, name="deep_markov")
