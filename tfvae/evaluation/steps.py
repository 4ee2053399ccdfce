"""Nats per time step, as sequences are reported: the sum over a data set divided by the number of its steps."""

from dataclasses import dataclass

import numpy as np

from tfvae.errors import IncompatibleParts
from tfvae.evaluation.bound import Bound
from tfvae.evaluation.evidence import LogEvidence
from tfvae.evaluation.printing import about_examples, plain, plus_minus
from tfvae.models.sequential import SequentialVAE


@dataclass(frozen=True)
class PerStep:
    """Nats for each observed step, over all sequences: sum_i l_i / sum_i T_i."""

    mean: float
    """The ratio: long sequences weigh more than short ones."""
    standard_error: float
    """Standard error of the ratio over sequences: another test set of this size would differ by so much."""
    steps: int
    """Number of observed steps."""
    examples: int
    """Number of sequences."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the estimate."""
        return about_examples(self.examples)

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        return {"nats per step": plus_minus(self.mean, self.standard_error)}

    def as_json(self) -> dict:
        """Return the number with its error, in nats per step."""
        error = plain(self.standard_error)
        return {"unit": "nats per step", "mean": plain(self.mean), "standard_error": error, "steps": self.steps}

    def __str__(self) -> str:
        return f"{plus_minus(self.mean, self.standard_error)} a step (data), {self.steps} steps, n = {self.examples}"


def per_step(found: Bound | LogEvidence, x: object, model: SequentialVAE) -> PerStep:
    """Divide what was measured, the ELBO or the evidence, by the number of observed steps.

        R = sum_i l_i / sum_i T_i,   error(R) = sqrt(n / (n - 1) sum_i (l_i - R T_i)^2) / sum_i T_i

    A step counts if anything of it was observed.

    Args:
        found: of `evaluation.elbo` or `evaluation.log_evidence`, in nats per sequence.
        x: the sequences that it was measured on, in that order, [n, T, *event].
        model: the model that it was measured of.

    Raises:
        IncompatibleParts: if `model` is no `SequentialVAE`.
        ValueError: if there are not as many sequences, or they have no step.

    Reference: W. Cochran, "Sampling Techniques", 1977, Sec. 2.11, for the error of a ratio.

    Example:
        >>> import numpy as np, tfvae
        >>> model = tfvae.zoo.deep_markov((4, 3), 2, units=(8,), seed=0)
        >>> x = np.where(np.arange(4)[:, None] < [[[3]], [[1]]], np.zeros([2, 4, 3]), np.nan)  # of 3 steps and of 1
        >>> bound = tfvae.evaluation.elbo(model, x, progress=False)
        >>> tfvae.evaluation.per_step(bound, x, model).steps
        4
    """
    if not isinstance(model, SequentialVAE):
        raise IncompatibleParts(f"Expected a tfvae.SequentialVAE, whose x has steps. Received: {model=!r}")
    lengths = lengths_of(model.check.array(x))
    values = np.asarray(found.per_example, np.float64)
    if len(values) != len(lengths) or not lengths.sum():
        raise ValueError(
            f"Expected the {len(values)} sequences that were measured, with an observed step. Received: "
            f"{len(lengths)} sequences of {lengths.sum()} steps"
        )
    n, total = len(values), lengths.sum()
    ratio = values.sum() / total
    spread = np.sum(np.square(values - ratio * lengths)) * n / (n - 1) if n > 1 else np.nan
    return PerStep(float(ratio), float(np.sqrt(spread) / total), int(total), n)


def lengths_of(x: np.ndarray) -> np.ndarray:
    """Return how many steps of each sequence, [n, T, *event], were observed, [n].

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation.steps import lengths_of
        >>> lengths_of(np.array([[[1.0], [np.nan], [2.0]]]))
        array([2])
    """
    return np.sum(~np.isnan(x.reshape(*x.shape[:2], -1)).all(-1), 1)
