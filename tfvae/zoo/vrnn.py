"""Chung et al. 2015."""

from tfvae.heads import Head
from tfvae.models import SequentialVAE
from tfvae.zoo._paper import Citation, Suits, paper, warmed_elbo
from tfvae.zoo._sequences import recurrent

_PAPER = Citation(
    "A Recurrent Latent Variable Model for Sequential Data", "J. Chung et al.", 2015, "https://arxiv.org/abs/1506.02216"
)


@paper(_PAPER, Suits("digit_rows", own_likelihood=True))
def vrnn(
    input_shape: tuple[int, ...],
    latent_dim: int = 64,
    *,
    units: tuple[int, ...] = (200,),
    likelihood: Head | None = None,
    warm_up: int = 0,
    seed: int | None = None,
) -> SequentialVAE:
    """Return the variational recurrent network: all that was drawn and observed is remembered, in m.

        p(x, z) = prod_t p(z_t | m_{t-1}) p(x_t | z_t, m_{t-1}),   q(z | x) = prod_t q(z_t | m_{t-1}, x_t)

    `input_shape` is T and the shape of a step; shorter sequences end in NaN. A gated recurrent unit, where the paper
    has an LSTM, and widths for small data; the paper takes 2000 units and up to 200 latents for speech.
    Reference: Sec. 3.

    Example:
        >>> import tfvae
        >>> tfvae.zoo.vrnn((5, 3), latent_dim=2, units=(8,)).fits.event_shape
        (5, 3)
    """
    parts = recurrent(input_shape, latent_dim, units, likelihood)
    return SequentialVAE(*parts, warmed_elbo(1.0, warm_up), seed=seed, name="vrnn")
