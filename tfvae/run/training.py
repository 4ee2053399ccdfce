"""The run itself: data, model, training that resumes, measurement, exports, pictures, card."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from tfvae.callbacks import Checkpoint
from tfvae.data import Splits
from tfvae.files import discard, is_temporary, sweep, write_json
from tfvae.models.loading import load_model
from tfvae.models.variational import AbstractVAE
from tfvae.presets.recipe import Recipe
from tfvae.run import card, manifest, pictures
from tfvae.run.exporting import both
from tfvae.run.measurement import measure

_SECONDS = 30.0  # of training that a killed run loses at most


class RunExists(ValueError):
    """The folder holds something else than this run."""


def train(
    recipe: Recipe,
    folder: str | Path,
    *,
    data_dir: str | None = None,
    overwrite: bool = False,
    verbose: int = 2,
    say: Callable = print,
) -> dict | None:
    """Train, measure, export and draw one model into one folder, or go on where a killed run stopped.

    The folder holds `run.json` (the recipe), `checkpoint.keras` while training goes on, and in the end `model.keras`,
    `saved_model/1/`, `model.tflite`, `pictures/`, `logs/` for TensorBoard, `card.json` and `card.md`. Every file is
    written whole or not at all, and the first one only after the data has been read.

    Args:
        recipe: what to do.
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
        _refuse_other_files(folder, recipe)
        if (folder / "card.json").exists():
            say(f"{folder} holds this run already, finished.")
            return card.read(folder)
    splits = recipe.load_data(data_dir)
    say(f"data: {splits}")
    if strategy.extended.should_checkpoint:
        if anew:
            discard(folder)
        _claim(folder, recipe)
    strategy.reduce("SUM", tf.constant(1.0), axis=None)  # nobody looks for a checkpoint before the folder is claimed
    model = _fit(recipe, splits, folder, strategy, verbose, say)
    if not strategy.extended.should_checkpoint:
        say("trained; worker 0 measures and writes")
        return None
    chosen = recipe.selection.chosen(folder)
    if chosen.exists():
        model = load_model(chosen)  # of this process alone, whatever it was trained by
    return _finish(model, recipe, splits, folder, verbose, say)


def _strategy() -> tf.distribute.Strategy:
    """Return the strategy of the cluster that TF_CONFIG describes, or of this process alone."""
    return tf.distribute.MultiWorkerMirroredStrategy() if "TF_CONFIG" in os.environ else tf.distribute.get_strategy()


def _refuse_other_files(folder: Path, recipe: Recipe) -> None:
    """Refuse a folder that is neither empty nor this run's."""
    if folder.is_file():
        raise RunExists(f"Expected an empty folder; choose another --out. Received: {folder}, which is a file")
    if (folder / "run.json").exists():
        others = manifest.differences(manifest.read(folder / "run.json"), recipe)
        if others:
            raise RunExists(
                "Expected an empty folder, or one with a run of the same options; choose another --out, or "
                f"--overwrite to begin anew. Received: {folder}, whose run has {others}"
            )
    elif folder.exists() and not all(is_temporary(path) for path in folder.iterdir()):
        raise RunExists(f"Expected an empty folder; choose another --out. Received: {folder}, which holds other files")


def _claim(folder: Path, recipe: Recipe) -> None:
    """Make the folder this run's."""
    sweep(folder)
    if not (folder / "run.json").exists():
        write_json(folder / "run.json", recipe.as_json())


def _fit(
    recipe: Recipe, splits: Splits, folder: Path, strategy: tf.distribute.Strategy, verbose: int, say: Callable
) -> AbstractVAE:
    """Train to the last epoch, from the last checkpoint or the trained model if there is one, and return the model."""
    if (folder / "model.keras").exists():
        return load_model(folder / "model.keras")
    # Of many short epochs not every one is worth the writing; the last one is.
    each = max(n for n in range(1, max(1, recipe.epochs // 100) + 1) if recipe.epochs % n == 0)
    checkpoint = Checkpoint(folder / "checkpoint.keras", every=each, seconds=_SECONDS)
    with strategy.scope():
        model = recipe.build(splits)
        model.compile(recipe.optimizer(splits.steps_per_epoch))
    if checkpoint.path.exists():
        say(f"going on from {checkpoint.path}")
    curves = keras.callbacks.TensorBoard(folder / "logs", write_graph=False)
    writes = strategy.extended.should_checkpoint  # one worker of a cluster
    model.fit(
        splits.train,
        epochs=recipe.epochs,
        validation_data=splits.validation,
        callbacks=[*recipe.selection.callbacks(folder), checkpoint, curves] if writes else [checkpoint],
        verbose=verbose,
    )
    return model


def _finish(model: AbstractVAE, recipe: Recipe, splits: Splits, folder: Path, verbose: int, say: Callable) -> dict:
    """Write everything that is made from a trained model; the card comes last, and says that the run is whole."""
    chosen = recipe.selection.chosen(folder)
    if chosen.exists():
        chosen.replace(folder / "model.keras")
    (folder / "checkpoint.keras").unlink(missing_ok=True)
    say("exporting saved_model/1 and model.tflite, comparing both with the Keras model")
    served, lite = folder / "saved_model" / "1", folder / "model.tflite"
    parity: dict[str, dict[str, float]] = {}
    refused: dict[str, dict[str, str]] = {}
    for found, without in both(model, served, lite, say):
        parity |= found.differences
        refused |= dict.fromkeys(found.differences, without)
    say("drawing pictures")
    pictures.draw_all(model, splits, folder / "pictures")
    say(f"measuring {splits.sizes['test']} test examples, with {recipe.samples} samples of the evidence of each")
    started = time.monotonic()
    measured = measure(model, splits.examples("test"), recipe.samples, progress=verbose > 0)
    say(f"measured in {time.monotonic() - started:.0f} s")
    return card.write(folder, model, recipe, splits, measured, parity, refused)
