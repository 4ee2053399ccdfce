"""An export that goes without what the model cannot offer, and says so."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from tfvae import export
from tfvae.errors import ExportError
from tfvae.export import Extra, Parity
from tfvae.models.variational import AbstractVAE


def both(
    model: AbstractVAE, served: Path, lite: Path, say: Callable, extras: Sequence[Extra] = ()
) -> Iterator[tuple[Parity, dict[str, str]]]:
    """Export a SavedModel, and then the TFLite file that is made of it; of each yield what `offered` returns."""
    yield offered(partial(export.saved_model, model, served, extras=extras), served, say)
    yield offered(partial(export.tflite, model, lite, extras=extras, source=served), lite, say)


def offered(write: Callable[..., Parity], target: Path, say: Callable) -> tuple[Parity, dict[str, str]]:
    """Export the signatures that the model can offer; return the differences, and what was refused, with the reasons.

    Args:
        write: writes the target when called, and takes names to leave out as `without=`.
        target: what it writes, to be named.
        say: where a line about each signature that is left out goes.

    Raises:
        ExportError: if the export is refused for another reason.
    """
    try:
        return write(), {}
    except ExportError as error:
        if not error.refused:
            raise
        refused = error.refused
    for name, why in refused.items():
        say(f"{target} goes without {name}: {why}")
    return write(without=tuple(refused)), refused
