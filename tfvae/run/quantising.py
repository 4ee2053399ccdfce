"""A smaller TFLite file of a run or a preset, calibrated and measured on its own data."""

from pathlib import Path

from tfvae import export
from tfvae.data import Splits
from tfvae.errors import one_of
from tfvae.models.variational import AbstractVAE

EXAMPLES = 500  # to calibrate on, of the validation examples, and to measure on, of the test examples
SCHEMES = {
    "float16": lambda splits: export.Float16(),
    "dynamic": lambda splits: export.DynamicRange(),
    "int8": lambda splits: export.Int8(splits.array("validation")[:EXAMPLES]),
}


def beside(source: Path, scheme: str) -> Path:
    """Return where the quantised file of a float file stands: model.int8.tflite beside model.tflite."""
    return source.with_suffix(f".{scheme}.tflite")


def quantise(
    model: AbstractVAE, source: Path, scheme: str, splits: Splits, max_loss_nats: float
) -> export.QuantizationReport:
    """Write the quantised file of a float file beside it and return what it costs.

    Raises:
        ExportError: if it loses more than it may; no file is left behind.
        ValueError: if there is no such scheme.
    """
    return export.quantize(
        model,
        beside(source, scheme),
        SCHEMES[one_of("quantize", scheme, SCHEMES)](splits),
        splits.array("test"),
        max_loss_nats=max_loss_nats,
        examples=EXAMPLES,
        source=source,
    )
