"""Signatures beyond the six that every export has, by the names that the command line takes."""

from collections.abc import Callable, Sequence

from tfvae import export
from tfvae.data import Splits
from tfvae.errors import one_of
from tfvae.evaluation import anomaly
from tfvae.models.variational import AbstractVAE

CALIBRATION = 1000  # validation examples, whose scores `is_anomaly` holds

EXTRAS: dict[str, Callable[[], export.Extra]] = {
    "encode_sample": export.EncodeSample,
    "score": export.Score,
    "interpolate": export.Interpolate,
    "impute": export.Impute,
    "personalise": export.Personalise,
    "codes": export.Codes,
    "stream": export.Stream,
}
CALIBRATED = "is_anomaly"
"""The one that needs data."""


def known(names: Sequence[str]) -> list[str]:
    """Return the names, each once, if there are such signatures.

    Raises:
        ValueError: if there is no such signature.
    """
    return [one_of("extra", name, [*EXTRAS, CALIBRATED]) for name in dict.fromkeys(names)]


def chosen(names: Sequence[str], model: AbstractVAE, splits: Splits | None) -> list[export.Extra]:
    """Return what adds the signatures of these names; `splits` must be there for `is_anomaly`."""
    free = [EXTRAS[name]() for name in names if name != CALIBRATED]
    return free if splits is None or CALIBRATED not in names else [*free, _calibrated(model, splits)]


def _calibrated(model: AbstractVAE, splits: Splits) -> export.Extra:
    """Return decisions whose level is that of unseen examples: those of the validation set."""
    score = anomaly.NegativeELBO(model, progress=False)
    return export.IsAnomaly(anomaly.calibrate(score, splits.array("validation")[:CALIBRATION]))
