"""Everything that is measured of a latent space, in one record."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfvae.errors import positive_int
from tfvae.evaluation.latent import ability
from tfvae.evaluation.latent.activity import ActiveUnits, active_units
from tfvae.evaluation.latent.aggregate import AggregatePosterior, aggregate_posterior
from tfvae.evaluation.latent.decomposition import decompose_rate
from tfvae.evaluation.latent.rates import RatePerDimension, rate_per_dimension
from tfvae.evaluation.latent.terms import RateDecomposition
from tfvae.models.variational import AbstractVAE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class LatentDiagnosis:
    """What z tells of x, which of its elements do, and whether q(z) is the prior; in nats per example."""

    activity: ActiveUnits
    """Which units are active."""
    rates: RatePerDimension | None
    """What each dimension costs; None where that is not defined."""
    decomposition: RateDecomposition | None
    """Mutual information and KL(q(z) || p(z)); None where they are not defined."""
    aggregate: AggregatePosterior
    """Two-sample tests of q(z) against p(z)."""
    undefined: tuple[str, ...]
    """What is not defined for the model, and why."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try."""
        return tuple(dict.fromkeys(warning for part in self._parts.values() for warning in part.warnings))

    @property
    def _parts(self) -> dict:
        parts = {
            "active_units": self.activity,
            "rate_per_dimension": self.rates,
            "decomposition": self.decomposition,
            "aggregate_posterior": self.aggregate,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def __str__(self) -> str:
        return "\n".join(str(part) for part in self._parts.values())

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        return {title: row for part in self._parts.values() for title, row in part.rows().items()}

    def as_json(self) -> dict:
        """Return plain numbers."""
        parts = {name: part.as_json() for name, part in self._parts.items()}
        return {**parts, "undefined": list(self.undefined), "warnings": list(self.warnings)}

    def figure(self) -> "Figure":
        """Draw the rate of each dimension and the variance of its posterior mean, from the most active unit down."""
        from tfvae.evaluation.latent.picture import bars  # here, so that the library loads without matplotlib

        return bars(self.activity, self.rates)


def diagnose(
    model: AbstractVAE,
    data: object,
    samples: int = 1,
    threshold: float = 0.01,
    points: int = 2000,
    seed: int | tuple[int, int] = 0,
    *,
    progress: bool = True,
) -> LatentDiagnosis:
    """Measure all that tells whether a latent space is used, and whether its prior fits.

        A_d = Var_x(E_q(z|x)[z_d]),   R_d = E_x[KL(q(z_d | x) || p(z_d))],   rate = I_q(x; z) + KL(q(z) || p(z))

    It calls `active_units`, `rate_per_dimension`, `decompose_rate` and `aggregate_posterior`, whose documentation says
    what each number means. What a model's posterior or prior does not define is left out, and the reason is given. The
    time grows as the square of the number of examples: a few thousand are enough.

    Args:
        model: a model of the library.
        data: an array of examples [n, *event], or a data set of batches [B, *event], which is read four times.
        samples: draws of z for each example.
        threshold: variance of the posterior mean above which a unit is active.
        points: draws that the two-sample tests compare at most.
        seed: one or two 32-bit integers.
        progress: show a progress bar for each part.

    Returns:
        A `LatentDiagnosis`.

    Raises:
        ValueError: if a number is out of range, there are fewer than 4 examples, or the data is of another shape or off
            the support.

    Reference: Y. Burda, R. Grosse and R. Salakhutdinov, "Importance Weighted Autoencoders", 2016, Sec. 5,
    https://arxiv.org/abs/1509.00519; M. Hoffman and M. Johnson, "ELBO surgery", 2016,
    http://approximateinference.org/2016/accepted/HoffmanJohnson2016.pdf.

    Example:
        >>> import numpy as np, tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, seed=0)
        >>> diagnosis = tfvae.evaluation.diagnose(model, np.zeros([20, 8, 8, 1]), progress=False)
        >>> diagnosis.warnings[0].split(":")[0]  # nothing differs from example to example
        'The posterior has collapsed'
    """
    samples = positive_int("samples", samples)
    activity = active_units(model, data, threshold, progress=progress)
    reasons = ability.no_rate_per_dimension(model), ability.no_decomposition(model)
    rates = None if reasons[0] else rate_per_dimension(model, data, max(samples, 16), seed, progress=progress)
    decomposition = None if reasons[1] else decompose_rate(model, data, samples, seed, progress=progress)
    aggregate = aggregate_posterior(model, data, points, seed=seed, progress=progress)
    left_out = () if decomposition is None else decomposition.undefined
    undefined = tuple(dict.fromkeys(reason for reason in (*reasons, *left_out) if reason))
    return LatentDiagnosis(activity, rates, decomposition, aggregate, undefined)
