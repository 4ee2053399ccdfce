"""What an exact computation of the evidence returns."""

from dataclasses import dataclass

import numpy as np

from tfvae.evaluation.batches import standard_error
from tfvae.evaluation.printing import about_examples, error_of, plain, plus_minus


@dataclass(frozen=True)
class ExactEvidence:
    """The log evidence log p(x) of each example, in nats, and how far its posterior is from the true one.

    log p(x) = ELBO + KL(q(z | x) || p(z | x))
    """

    per_example: np.ndarray
    """The log p(x) of each example."""
    divergence: np.ndarray
    """KL(q(z | x) || p(z | x)) of each example: what the ELBO lacks."""
    numerical_error: float
    """Largest error of a log p(x), as far as it is known; 0 for a closed form, which leaves rounding."""
    tolerance: float
    """The numerical error that was asked for."""
    method: str
    """How it was computed."""
    outside: float = 0.0
    """Largest share of a posterior, the encoder's or the true one, that a grid does not hold: it lies beyond its edges,
    or between its points. 0 for a closed form."""

    @property
    def mean(self) -> float:
        """Mean of log p(x) over the examples."""
        return float(self.per_example.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of the mean over the data."""
        return standard_error(self.per_example)

    @property
    def elbo(self) -> np.ndarray:
        """The evidence lower bound of each example, without sampling: log p(x) - KL(q(z | x) || p(z | x))."""
        return self.per_example - self.divergence

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try."""
        found = list(about_examples(len(self.per_example)))
        infinite = int(np.sum(~np.isfinite(self.per_example + self.divergence)))
        if infinite:
            found.append(
                f"Of {infinite} of {len(self.per_example)} examples the evidence or the divergence is not finite: see "
                "that the densities of prior, posterior and likelihood are."
            )
        if self.outside > self.tolerance:
            found.append(
                f"The grid misses up to {100 * self.outside:.2g} % of a posterior, so that evidence or divergence is "
                "wrong: give wider bounds=, or allow more points where a posterior is narrow."
            )
        if self.numerical_error > self.tolerance:
            found.append(
                f"The numerical error of {self.numerical_error:.2g} nats is above the {self.tolerance:.2g} asked for: "
                "allow more points."
            )
        return tuple(found)

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        gap = plus_minus(float(self.divergence.mean()), standard_error(self.divergence))
        return {"log evidence": plus_minus(self.mean, self.standard_error), "KL(q(z | x) || p(z | x))": gap}

    def as_json(self) -> dict:
        """Return the numbers with their errors, in nats per example."""
        return {
            "unit": "nats per example",
            "mean": plain(self.mean),
            "standard_error": plain(self.standard_error),
            "divergence": plain(float(self.divergence.mean())),
            "numerical_error": plain(self.numerical_error),
            "outside": plain(self.outside),
            "method": self.method,
            "examples": len(self.per_example),
        }

    def __str__(self) -> str:
        return (
            f"{plus_minus(self.mean, self.standard_error)} (data) ± {error_of(self.numerical_error)} (numerical), "
            f"{self.method}, n = {len(self.per_example)}"
        )
