"""Writers of the two formats; each compares what it wrote with the Keras model before it leaves a file behind."""

import tempfile
from pathlib import Path

import keras
import tensorflow as tf

from tfvae.errors import ExportError
from tfvae.export import verification
from tfvae.export.signatures import signatures
from tfvae.files import replacing
from tfvae.models.base import AbstractVAE, require_vae

SAVED_MODEL_TOLERANCE = 1e-4
TFLITE_TOLERANCE = 1e-3


def saved_model(model: AbstractVAE, folder: str | Path) -> verification.Parity:
    """Write a SavedModel with every signature; loading it needs TensorFlow alone.

    Args:
        model: a model of the library.
        folder: where to write; TF Serving wants NAME/1. An older export there is replaced once the new one agrees.

    Returns:
        The largest differences from the Keras model, a `Parity`.

    Raises:
        ExportError: if a signature cannot be offered, or differs from the Keras model by more than 1e-4 of the
            value's size, or there are other files in the folder; nothing is left behind.

    Example:
        >>> import tempfile, tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, units=(16,))
        >>> tfvae.export.saved_model(model, tempfile.mkdtemp() + "/digits/1").worst < 1e-4
        True
    """
    _refuse_other_files(Path(folder))
    with replacing(folder) as path:
        _write(model, path)
        parity = verification.verify(model, saved_model=path)
        _require(parity, SAVED_MODEL_TOLERANCE, folder)
    return parity


def tflite(model: AbstractVAE, path: str | Path) -> verification.Parity:
    """Write a TFLite file with every signature, dynamic batch, builtin operators only.

    Args:
        model: a model of the library.
        path: where to write; an older file there is replaced once the new one agrees.

    Returns:
        The largest differences from the Keras model, a `Parity`.

    Raises:
        ExportError: if a signature cannot be offered, an operator is not built in, or a result differs from the
            Keras model's by more than 1e-3 of the value's size; nothing is left behind.

    Example:
        >>> import tempfile, tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, units=(16,))
        >>> tfvae.export.tflite(model, tempfile.mkdtemp() + "/digits.tflite").worst < 1e-3
        True
    """
    require_vae(model)
    if model.variable_dtype != "float32":
        raise ExportError(
            "Expected a model with float32 weights, which every TFLite runtime has; use export.saved_model for others. "
            f"Received: variable_dtype={model.variable_dtype}"
        )
    if Path(path).is_dir():
        raise ExportError(f"Expected a path of a file, such as model.tflite. Received: {path}, which is a folder")
    with tempfile.TemporaryDirectory() as scratch, replacing(path) as target:
        _write(model, Path(scratch, "saved_model"))
        target.write_bytes(_convert(Path(scratch, "saved_model"), list(signatures(model))))
        _refuse_foreign_operators(target)
        parity = verification.verify(model, tflite=target)
        _require(parity, TFLITE_TOLERANCE, path)
    return parity


def _refuse_other_files(folder: Path) -> None:
    if folder.is_file():
        raise ExportError(f"Expected a path of a folder, such as digits/1. Received: {folder}, which is a file")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "saved_model.pb").exists():
        raise ExportError(
            f"Expected a new or empty folder, or one with an older SavedModel to replace; choose another one, such as "
            f"{folder / 'saved_model' / '1'}. Received: {folder}, which holds other files"
        )


def _write(model: AbstractVAE, folder: Path) -> None:
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, signature in signatures(model).items():
        archive.add_endpoint(name, signature.function, input_signature=list(signature.inputs.values()))
    archive.write_out(str(folder), verbose=False)


def _convert(folder: Path, names: list[str]) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=names)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    try:
        return converter.convert()
    except Exception as error:  # the converter has no error type of its own; its log names the operator
        raise ExportError(
            "Expected every operator of the model to be built into TFLite; replace the layer that needs another one. "
            f"The converter says: {error}"
        ) from error


def _refuse_foreign_operators(path: Path) -> None:
    foreign = sorted(name for name in verification.operators(path) if not verification.is_builtin(name))
    if foreign:
        raise ExportError(f"Expected builtin operators without state only. Received: operators={foreign}")


def _require(parity: verification.Parity, tolerance: float, target: str | Path) -> None:
    if not parity.worst <= tolerance:
        raise ExportError(
            f"Expected every signature to agree with the Keras model to {tolerance:g} of the value's size; {target} "
            f"was not written. Received:\n{parity}"
        )
