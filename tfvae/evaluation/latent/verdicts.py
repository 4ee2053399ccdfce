"""The records of the two-sample tests."""

from dataclasses import dataclass

from tfvae.evaluation.printing import error_of, plain, plus_minus


@dataclass(frozen=True)
class MMDTest:
    """Whether two samples are from one distribution, by the maximum mean discrepancy."""

    squared: float
    """The unbiased estimate of MMD^2, which may be negative."""
    p_value: float
    """Share of permutations whose MMD^2 is no smaller, this one counted among them."""
    null_deviation: float
    """Standard deviation of MMD^2 over the permutations: its error if the distributions are the same."""
    bandwidth: float
    """Sigma of the kernel, in the unit of the points."""
    permutations: int
    """How often the points were dealt out anew."""
    sizes: tuple[int, int]
    """Number of points of each sample."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Nothing: what a difference means depends on what was compared."""
        return ()

    def __str__(self) -> str:
        return (
            f"MMD^2 {plus_minus(self.squared, self.null_deviation)} (permutations), p = {self.p_value:.3g}, "
            f"n = {self.sizes[0]} and {self.sizes[1]}"
        )

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        return {"MMD^2": plus_minus(self.squared, self.null_deviation), "p-value of MMD^2": f"{self.p_value:.3g}"}

    def as_json(self) -> dict:
        """Return plain numbers."""
        return {
            "mmd_squared": plain(self.squared),
            "null_deviation": plain(self.null_deviation),
            "p_value": self.p_value,
            "bandwidth": self.bandwidth,
            "permutations": self.permutations,
            "sizes": list(self.sizes),
        }


@dataclass(frozen=True)
class ClassifierTest:
    """Whether two samples are from one distribution, by a classifier that tries to tell them apart."""

    accuracy: float
    """Share of right answers on points that the classifier has not seen; 1/2 where it can tell nothing."""
    p_value: float
    """Probability of as many right answers by guessing."""
    right: int
    """Number of right answers."""
    tested: int
    """Number of answers."""
    classifier: str
    """Name of the classifier."""

    @property
    def standard_error(self) -> float:
        """Standard error of the accuracy over the points."""
        return (self.accuracy * (1 - self.accuracy) / self.tested) ** 0.5

    @property
    def warnings(self) -> tuple[str, ...]:
        """Nothing: what a difference means depends on what was compared."""
        return ()

    def __str__(self) -> str:
        return (
            f"accuracy {self.accuracy:.3f} ± {error_of(self.standard_error)} ({self.classifier}), "
            f"p = {self.p_value:.3g}, n = {self.tested}"
        )

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        return {
            "accuracy of a classifier": f"{self.accuracy:.3f} ± {error_of(self.standard_error)}",
            "p-value of the classifier": f"{self.p_value:.3g}",
        }

    def as_json(self) -> dict:
        """Return plain numbers."""
        return {
            "accuracy": self.accuracy,
            "standard_error": self.standard_error,
            "p_value": self.p_value,
            "right": self.right,
            "tested": self.tested,
            "classifier": self.classifier,
        }
