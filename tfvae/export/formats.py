"""Writers of the two formats; each compares what it wrote with the Keras model before it leaves a file behind."""

import re
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import keras
import tensorflow as tf

from tfvae.errors import ExportError
from tfvae.export import verification
from tfvae.export.extras import Extra
from tfvae.export.signatures import cannot_offer, signatures
from tfvae.files import replacing
from tfvae.models.variational import AbstractVAE, require_vae

SAVED_MODEL_TOLERANCE = 1e-4
TFLITE_TOLERANCE = 1e-3


def saved_model(
    model: AbstractVAE, folder: str | Path, without: Collection[str] = (), *, extras: Sequence[Extra] = ()
) -> verification.Parity:
    """Write a SavedModel with every signature; loading it needs TensorFlow alone.

    Args:
        model: a model of the library.
        folder: where to write; TF Serving wants NAME/1. An older export there is replaced once the new one agrees.
        without: names of signatures to leave out, such as those that the model cannot offer.
        extras: signatures beyond the six that every export has, such as `[export.Score(), export.Impute()]`.

    Returns:
        The largest differences from the Keras model, a `Parity`.

    Raises:
        ExportError: if a signature cannot be offered and is not left out, or differs from the Keras model by more than
            1e-4 of the value's size, or there are other files in the folder; nothing is left behind.

    Example:
        >>> import tempfile, tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, units=(16,))
        >>> tfvae.export.saved_model(model, tempfile.mkdtemp() + "/digits/1").worst < 1e-4
        True
    """
    target = Path(folder)
    refuse_other_files(target, _is_saved_model, "SavedModel", "digits/1", target / "saved_model" / "1")
    with replacing(folder) as path:
        write(signatures(model, without, extras), path)
        parity = verification.verify(model, saved_model=path, without=without, extras=extras)
        _require(parity, SAVED_MODEL_TOLERANCE, folder)
    return parity


def tflite(
    model: AbstractVAE,
    path: str | Path,
    without: Collection[str] = (),
    *,
    extras: Sequence[Extra] = (),
    source: str | Path | None = None,
) -> verification.Parity:
    """Write a TFLite file with every signature, dynamic batch, builtin operators only.

    Args:
        model: a model of the library.
        path: where to write; an older file there is replaced once the new one agrees.
        without: names of signatures to leave out, such as those that need an operator which is not built in.
        extras: signatures beyond the six that every export has, such as `[export.Score(), export.Impute()]`.
        source: folder of a SavedModel of this model, if there is one, to convert: none is written for it.

    Returns:
        The largest differences from the Keras model, a `Parity`.

    Raises:
        ExportError: if a signature cannot be offered, because an operator is not built in for example, and is not left
            out, a result differs from the Keras model's by more than 1e-3 of the value's size, or `source` is no
            SavedModel with these signatures; nothing is left behind.

    Example:
        >>> import tempfile, tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, units=(16,))
        >>> tfvae.export.tflite(model, tempfile.mkdtemp() + "/digits.tflite").worst < 1e-3
        True
    """
    require_vae(model, conditions=True)
    if model.variable_dtype != "float32":
        raise ExportError(
            "Expected a model with float32 weights, which every TFLite runtime has; use export.saved_model for others. "
            f"Received: variable_dtype={model.variable_dtype}"
        )
    if Path(path).is_dir():
        raise ExportError(f"Expected a path of a file, such as model.tflite. Received: {path}, which is a folder")
    with tempfile.TemporaryDirectory() as scratch, replacing(path) as target:
        offered = signatures(model, without, extras)
        folder = Path(scratch, "saved_model") if source is None else Path(source)
        if source is None:
            write(offered, folder)
        target.write_bytes(convert(folder, list(offered)))
        refuse_foreign_operators(target)
        parity = verification.verify(model, tflite=target, without=without, extras=extras)
        _require(parity, TFLITE_TOLERANCE, path)
    return parity


def refuse_other_files(folder: Path, holds_ours: Callable[[Path], bool], kind: str, such: str, beside: Path) -> None:
    """Refuse to replace what is neither a new or empty folder nor an older export of the same kind.

    Raises:
        ExportError: with an example of a folder, `such`, or of a place beside the other files.
    """
    if folder.is_file():
        raise ExportError(f"Expected a path of a folder, such as {such}. Received: {folder}, which is a file")
    if folder.is_dir() and any(folder.iterdir()) and not holds_ours(folder):
        raise ExportError(
            f"Expected a new or empty folder, or one with an older {kind} to replace; choose another one, such as "
            f"{beside}. Received: {folder}, which holds other files"
        )


def _is_saved_model(folder: Path) -> bool:
    return (folder / "saved_model.pb").exists()


class Endpoint(Protocol):
    """A function to write, with what it takes, such as a `Signature`."""

    @property
    def function(self) -> Callable:
        """From tensors to a dictionary of tensors."""

    @property
    def inputs(self) -> dict[str, tf.TensorSpec]:
        """Names, shapes and dtypes of the inputs."""


def write(offered: Mapping[str, Endpoint], folder: Path) -> None:
    """Write a SavedModel with these signatures."""
    archive = keras.export.ExportArchive()  # which tracks what the functions read; tracking the model too doubles it
    for name, signature in offered.items():
        archive.add_endpoint(name, signature.function, input_signature=list(signature.inputs.values()))
    archive.write_out(str(folder), verbose=False)


def convert(folder: Path, names: list[str]) -> bytes:
    """Return the signatures of a SavedModel as a TFLite file; what cannot be converted is named."""
    try:
        return _converted(folder, names)
    except _Unconvertible as error:
        refused = {}
        for name in names:  # which of them it is, the converter's log does not say
            try:
                _converted(folder, [name])
            except _Unconvertible as cause:
                refused[name] = str(cause)
        raise cannot_offer(refused or dict.fromkeys(names, str(error))) from error


class _Unconvertible(Exception):
    """The converter's refusal, in one line."""


def _converted(folder: Path, names: list[str]) -> bytes:
    try:
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=names)
    except (OSError, ValueError) as error:
        raise ExportError(
            f"Expected source to be a SavedModel of this model, with the signatures {', '.join(names)}. Received: "
            f"{folder}, which says: {str(error)[:200]}"
        ) from error
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    try:
        return converter.convert()
    except Exception as error:  # the converter has no error type of its own
        operators = sorted(set(re.findall(r"tf\.(\w+)", str(error))))
        missing = f"TFLite has no builtin operator for {', '.join(operators)}; replace the layer that needs it"
        raise _Unconvertible(missing if operators else str(error)[:300]) from error


def refuse_foreign_operators(path: Path) -> None:
    """Raise ExportError if a file holds an operator that is not part of every runtime, or keeps a state."""
    foreign = sorted(name for name in verification.operators(path) if not verification.is_builtin(name))
    if foreign:
        raise ExportError(f"Expected builtin operators without state only. Received: operators={foreign}")


def _require(parity: verification.Parity, tolerance: float, target: str | Path) -> None:
    if not parity.worst <= tolerance:
        raise ExportError(
            f"Expected every signature to agree with the Keras model to {tolerance:g} of the value's size; {target} "
            f"was not written. Received:\n{parity}"
        )
