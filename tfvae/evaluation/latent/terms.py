"""The record of a rate that was taken apart."""

import math
from dataclasses import dataclass

import numpy as np

from tfvae.evaluation.latent.plain import measured, numbers
from tfvae.evaluation.printing import plain, plus_minus

NAMES = {
    "rate": "rate",
    "mutual_information": "mutual information I(x; z)",
    "marginal_kl": "KL(q(z) || p(z))",
    "total_correlation": "total correlation",
    "dimension_wise_kl": "dimension-wise KL",
    "mutual_information_bound": "upper bound on I(x; z)",
}
_NEAR = 1.0  # nats below the ceiling, from where on mutual information is not told from more of it
_GAP = 1.0  # nats of KL(q(z) || p(z)) that are worth a word


@dataclass(frozen=True)
class RateDecomposition:
    """The mean rate and its parts, in nats per example; NaN where a part is not defined for the model."""

    rate: float
    """Mean KL(q(z | x) || p(z)) = mutual_information + marginal_kl."""
    mutual_information: float
    """I(x; z) of the examples and z under q; at most log N, and for what the examples come from a lower bound."""
    marginal_kl: float
    """KL(q(z) || p(z)) = total_correlation + dimension_wise_kl, where both are defined."""
    total_correlation: float
    """KL(q(z) || prod_d q(z_d))."""
    dimension_wise_kl: float
    """sum_d KL(q(z_d) || p(z_d))."""
    mutual_information_bound: float
    """An upper bound on the mutual information for what the examples come from: q(z) without the example of z."""
    standard_errors: dict[str, float]
    """Standard error over the data and the draws of each that is defined."""
    per_dimension: dict[str, np.ndarray]
    """`information`, I(x; z_d), and `kl`, KL(q(z_d) || p(z_d)), of each dimension, [D], where they are defined."""
    per_dimension_standard_errors: dict[str, np.ndarray]
    """The standard errors of these."""
    undefined: tuple[str, ...]
    """What was left out, and why."""
    samples: int
    """Draws of z for each example."""
    examples: int
    """N, the number of examples."""

    @property
    def ceiling(self) -> float:
        """Log N: the most mutual information that N examples can show."""
        return math.log(self.examples)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try."""
        found = []
        if self.mutual_information > self.ceiling - _NEAR:
            found.append(
                f"The mutual information {self.mutual_information:.2f} is near its ceiling log N = {self.ceiling:.2f}: "
                "read it as a lower bound, and KL(q(z) || p(z)) and the total correlation as upper bounds, or give "
                "more examples."
            )
        elif self.marginal_kl > _GAP:
            found.append(
                f"KL(q(z) || p(z)) is {self.marginal_kl:.2f} nats: the prior has holes where no example lies, or lies "
                "elsewhere than q(z). Try a prior that learns, such as priors.VampPrior or priors.Mixture."
            )
        return tuple(found)

    def __str__(self) -> str:
        parts = (f"{title} {self._printed(name)}" for name, title in NAMES.items() if name in self.standard_errors)
        return f"{', '.join(parts)} nats, log N = {self.ceiling:.2f}, K = {self.samples}, n = {self.examples}"

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        return {
            title: self._printed(name) if name in self.standard_errors else "not defined"
            for name, title in NAMES.items()
        }

    def as_json(self) -> dict:
        """Return plain numbers, in nats per example."""
        terms = {name: measured(getattr(self, name), error) for name, error in self.standard_errors.items()}
        columns = {
            f"{name}_per_dimension": {
                "mean": numbers(values), "standard_error": numbers(self.per_dimension_standard_errors[name])
            }
            for name, values in self.per_dimension.items()
        }  # fmt: skip
        counts = {"ceiling": plain(self.ceiling), "samples": self.samples, "examples": self.examples}
        return {"unit": "nats per example", **terms, **columns, "undefined": list(self.undefined), **counts}

    def _printed(self, name: str) -> str:
        return plus_minus(getattr(self, name), self.standard_errors[name])
