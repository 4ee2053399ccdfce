"""The run itself: data, model, training that resumes, measurement, exports, pictures, card."""

import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import tensorflow as tf

from tfvae import export
from tfvae.callbacks import Checkpoint
from tfvae.data import Splits
from tfvae.errors import ExportError
from tfvae.files import discard, is_temporary, sweep, write_json
from tfvae.models.base import AbstractVAE
from tfvae.run import card, pictures
from tfvae.run.measurement import measure
from tfvae.run.options import Options

_SECONDS = 30.0  # of training that a killed run loses at most


class RunExists(ValueError):
    """The folder holds something else than this run."""


def train(
    options: Options,
    folder: str | Path,
    *,
    data_dir: str | None = None,
    overwrite: bool = False,
    verbose: int = 2,
    say: Callable = print,
) -> dict | None:
    """Train, measure, export and draw one model into one folder, or go on where a killed run stopped.

    The folder holds `run.json` (the options), `checkpoint.keras` while training goes on, and in the end `model.keras`,
    `saved_model/1/`, `model.tflite`, `pictures/`, `logs/` for TensorBoard, `card.json` and `card.md`. Every file is
    written whole or not at all, and the first one only after the data has been read.

    Args:
        options: what to do.
        folder: where to; made if it is not there.
        data_dir: folder of prepared tensorflow_datasets sets.
        overwrite: begin anew in a folder that holds a run, which is deleted once the data has been read.
        verbose: as in `keras.Model.fit`.
        say: where lines about the progress go.

    Returns:
        The card, as in `card.json`; None on all workers of a cluster but the first, which writes the folder.

    Raises:
        RunExists: if the folder holds another run or other files.
        DatasetNotAvailable: if the data is not there and cannot be downloaded.
        ValueError: if a file of the run is damaged.
    """
    strategy = _strategy()  # first of all: workers must find each other before TensorFlow is used
    folder = Path(folder)
    anew = overwrite and (folder / "run.json").exists()
    if not anew:
        _refuse_other_files(folder, options)
        if (folder / "card.json").exists():
            say(f"{folder} holds this run already, finished.")
            return _read_card(folder / "card.json")
    splits = options.load_data(data_dir)
    say(f"data: {splits}")
    if strategy.extended.should_checkpoint:
        if anew:
            discard(folder)
        _claim(folder, options)
    strategy.reduce("SUM", tf.constant(1.0), axis=None)  # nobody looks for a checkpoint before the folder is claimed
    model = _fit(options, splits, folder, strategy, verbose, say)
    if not strategy.extended.should_checkpoint:
        say("trained; worker 0 measures and writes")
        return None
    if (folder / "checkpoint.keras").exists():
        model = load_model(folder / "checkpoint.keras")  # of this process alone, whatever it was trained by
    return _finish(model, options, splits, folder, verbose, say)


def _strategy() -> tf.distribute.Strategy:
    """Return the strategy of the cluster that TF_CONFIG describes, or of this process alone."""
    return tf.distribute.MultiWorkerMirroredStrategy() if "TF_CONFIG" in os.environ else tf.distribute.get_strategy()


def load_model(file: Path) -> AbstractVAE:
    """Load a model of the library.

    Raises:
        ValueError: if the file is damaged or holds something else.
    """
    try:
        model = keras.models.load_model(file)
    except Exception as error:  # a damaged file ends in whatever zipfile, h5py or json raises
        cause = next(iter(str(error).splitlines()), type(error).__name__)
        raise ValueError(
            f"Expected a .keras file of a tfvae model. Received: {file}, which does not load: {cause}"
        ) from error
    if not isinstance(model, AbstractVAE):
        raise ValueError(f"Expected a tfvae model. Received: {file}, which holds a {type(model).__name__}")
    return model


def _refuse_other_files(folder: Path, options: Options) -> None:
    """Refuse a folder that is neither empty nor this run's."""
    if folder.is_file():
        raise RunExists(f"Expected an empty folder; choose another --out. Received: {folder}, which is a file")
    if (folder / "run.json").exists():
        theirs, ours = Options.read(folder / "run.json").as_json(), options.as_json()
        differing = [key for key in ours if theirs[key] != ours[key]]
        others = ", ".join(f"{key}={theirs[key]!r} instead of {ours[key]!r}" for key in differing)
        if others:
            raise RunExists(
                "Expected an empty folder, or one with a run of the same options; choose another --out, or "
                f"--overwrite to begin anew. Received: {folder}, whose run has {others}"
            )
    elif folder.exists() and not all(is_temporary(path) for path in folder.iterdir()):
        raise RunExists(f"Expected an empty folder; choose another --out. Received: {folder}, which holds other files")


def _read_card(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"Expected the card of a finished run. Delete the file and run again to make it anew. Received: {path}, "
            f"which is damaged: {error}"
        ) from error


def _claim(folder: Path, options: Options) -> None:
    """Make the folder this run's."""
    sweep(folder)
    if not (folder / "run.json").exists():
        write_json(folder / "run.json", {"options": options.as_json()})


def _fit(
    options: Options, splits: Splits, folder: Path, strategy: tf.distribute.Strategy, verbose: int, say: Callable
) -> AbstractVAE:
    """Train to the last epoch, from the last checkpoint or the trained model if there is one, and return the model."""
    if (folder / "model.keras").exists():
        return load_model(folder / "model.keras")
    checkpoint = Checkpoint(folder / "checkpoint.keras", seconds=_SECONDS)
    rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, options.epochs * splits.steps_per_epoch)
    with strategy.scope():
        model = options.build(splits)
        model.compile(keras.optimizers.Adam(rate))
    if checkpoint.path.exists():
        say(f"going on from {checkpoint.path}")
    curves = keras.callbacks.TensorBoard(folder / "logs", write_graph=False)
    writes = strategy.extended.should_checkpoint  # one worker of a cluster
    model.fit(
        splits.train,
        epochs=options.epochs,
        validation_data=splits.validation,
        callbacks=[checkpoint, curves] if writes else [checkpoint],
        verbose=verbose,
    )
    return model


def _finish(model: AbstractVAE, options: Options, splits: Splits, folder: Path, verbose: int, say: Callable) -> dict:
    """Write everything that is made from a trained model; the card comes last, and says that the run is whole."""
    checkpoint = folder / "checkpoint.keras"
    if checkpoint.exists():
        checkpoint.replace(folder / "model.keras")
    say("exporting saved_model/1 and model.tflite, comparing both with the Keras model")
    served = folder / "saved_model" / "1"
    parity, refused = {}, {}
    parity["SavedModel"], refused["SavedModel"] = _export(export.saved_model, model, served, say)
    convert = partial(export.tflite, source=served)
    parity["TFLite"], refused["TFLite"] = _export(convert, model, folder / "model.tflite", say)
    say("drawing pictures")
    pictures.draw_all(model, splits, folder / "pictures")
    say(f"measuring {splits.sizes['test']} test examples, with {options.samples} samples of the evidence of each")
    started = time.monotonic()
    measured = measure(model, splits.array("test"), options.samples, progress=verbose > 0)
    say(f"measured in {time.monotonic() - started:.0f} s")
    return card.write(folder, model, options, splits, measured, parity, refused)


def _export(write: Callable, model: AbstractVAE, target: Path, say: Callable) -> tuple[dict, dict]:
    """Export what the model can offer; return the differences by signature, and what was refused, with the reasons."""
    try:
        parity, refused = write(model, target), {}
    except ExportError as error:
        if not error.refused:
            raise
        refused = error.refused
        for name, why in refused.items():
            say(f"{target} goes without {name}: {why}")
        parity = write(model, target, without=tuple(refused))
    return next(iter(parity.differences.values())), refused
