"""The record of one score."""

from dataclasses import dataclass

import numpy as np

from tfvae.evaluation.printing import plain, plus_minus

_MOST = 200  # numbers of a matrix that JSON holds
_CLEARLY = 3  # errors above chance


@dataclass(frozen=True)
class Score:
    """How far a score says that each code stands for one factor, with its error."""

    title: str
    """Name of the score."""
    value: float
    """The score: 1 is the best."""
    error: float
    """Standard error over the data: another data set of this size, or another seed, would differ by so much."""
    detail: np.ndarray
    """What the value is the mean of: one number for each factor, [F], or for each code, [D]."""
    per: str
    """Whether `detail` is per "factor" or per "code"."""
    matrix: np.ndarray
    """What the value is computed from, code by factor, [D, F], as the function that measured it says."""
    chance: float
    """The score of codes that tell nothing; of the same codes in shuffled rows, where it is no constant."""
    examples: int
    """Number of rows of codes and factors."""
    notes: tuple[str, ...] = ()
    """What was noticed while measuring."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the number, and what to try."""
        if self.value - self.chance > _CLEARLY * self.error:
            return self.notes
        return (
            *self.notes,
            f"{self.title} {self.value:.3f} is no better than chance, {self.chance:.3f}: the codes tell nothing of the "
            "factors that this score can see. Train longer, or look whether the posterior has collapsed.",
        )

    def __str__(self) -> str:
        return f"{self.title} {plus_minus(self.value, self.error)} (data), n = {self.examples}"

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        return {self.title: plus_minus(self.value, self.error)}

    def as_json(self) -> dict:
        """Return plain numbers; a matrix of more than 200 numbers is left out."""
        small = self.matrix.size <= _MOST
        return {
            "value": plain(self.value),
            "standard_error": plain(self.error),
            "chance": plain(self.chance),
            "examples": self.examples,
            f"per_{self.per}": [plain(number) for number in self.detail],
            **({"matrix": [[plain(number) for number in row] for row in self.matrix]} if small else {}),
        }
