"""What the records of the latent space share when they are stored."""

import numpy as np

from tfvae.evaluation.printing import plain

_MOST = 200  # numbers of one list that a file is made to hold


def numbers(values: np.ndarray) -> list[float | None] | None:
    """Return a short vector as JSON has it; None for one of more than 200 numbers."""
    return [plain(value) for value in values] if len(values) <= _MOST else None


def measured(mean: float, error: float) -> dict[str, float | None]:
    """Return a mean with its standard error."""
    return {"mean": plain(mean), "standard_error": plain(error)}
