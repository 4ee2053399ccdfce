"""The run itself: data, model, training that resumes, measurement, exports, pictures, card."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import keras

from tfvae import evaluation, export
from tfvae.callbacks import Checkpoint
from tfvae.data import Splits
from tfvae.files import sweep, write_json
from tfvae.models.base import AbstractVAE
from tfvae.run import card, pictures
from tfvae.run.options import Options


class RunExists(ValueError):
    """The folder holds something else than this run."""


def train(
    options: Options, folder: str | Path, *, data_dir: str | None = None, verbose: int = 2, say: Callable = print
) -> dict:
    """Train, measure, export and draw one model into one folder, or go on where a killed run stopped.

    The folder holds `run.json` (the options), `checkpoint.keras` while training goes on, and in the end `model.keras`,
    `saved_model/1/`, `model.tflite`, `pictures/`, `logs/` for TensorBoard, `card.json` and `card.md`. Every file is
    written whole or not at all.

    Args:
        options: what to do.
        folder: where to; made if it is not there.
        data_dir: folder of prepared tensorflow_datasets sets.
        verbose: as in `keras.Model.fit`.
        say: where lines about the progress go.

    Returns:
        The card, as in `card.json`.

    Raises:
        RunExists: if the folder holds another run or other files.
        DatasetNotAvailable: if the data is not there and cannot be downloaded.
    """
    folder = Path(folder)
    _claim(folder, options)
    if (folder / "card.json").exists():
        say(f"{folder} holds this run already, finished.")
        return json.loads((folder / "card.json").read_text(encoding="utf-8"))
    splits = options.load_data(data_dir)
    say(f"data: {splits}")
    model = _fit(options, splits, folder, verbose, say)
    return _finish(model, options, splits, folder, verbose, say)


def _claim(folder: Path, options: Options) -> None:
    """Make the folder this run's, or refuse it."""
    manifest = folder / "run.json"
    if manifest.exists():
        if Options.read(manifest) != options:
            raise RunExists(
                f"Expected an empty folder, or one with a run of the same options. Received: {folder}, whose run.json "
                "has other ones. Choose another --out, or --overwrite to begin anew."
            )
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunExists(f"Expected an empty folder. Received: {folder}, which holds other files. Choose another --out.")
    sweep(folder)
    write_json(manifest, {"options": options.as_json()})


def _fit(options: Options, splits: Splits, folder: Path, verbose: int, say: Callable) -> AbstractVAE:
    """Train to the last epoch, from the last checkpoint if there is one, and return the model."""
    checkpoint, steps = folder / "checkpoint.keras", splits.steps_per_epoch
    if checkpoint.exists():
        model = keras.models.load_model(checkpoint)
        say(f"going on from {checkpoint}, after epoch {int(model.optimizer.iterations) // steps}")
    else:
        model = options.build(splits)
        rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, options.epochs * steps)
        model.compile(keras.optimizers.Adam(rate), jit_compile=True)
    done = int(model.optimizer.iterations)
    if done < options.epochs * steps:
        model.fit(
            splits.train_from(done),
            steps_per_epoch=steps,
            initial_epoch=done // steps,
            epochs=options.epochs,
            validation_data=splits.validation,
            callbacks=[Checkpoint(checkpoint), keras.callbacks.TensorBoard(folder / "logs", write_graph=False)],
            verbose=verbose,
        )
    return model


def _finish(model: AbstractVAE, options: Options, splits: Splits, folder: Path, verbose: int, say: Callable) -> dict:
    """Write everything that is made from a trained model; the card comes last, and says that the run is whole."""
    checkpoint = folder / "checkpoint.keras"
    if checkpoint.exists():
        checkpoint.replace(folder / "model.keras")
    say("exporting saved_model/1 and model.tflite, comparing both with the Keras model")
    parity = {
        **export.saved_model(model, folder / "saved_model" / "1").differences,
        **export.tflite(model, folder / "model.tflite").differences,
    }
    say("drawing pictures")
    pictures.draw_all(model, splits, folder / "pictures")
    say(f"measuring the evidence of {splits.sizes['test']} test examples with {options.samples} samples each")
    started = time.monotonic()
    test = splits.array("test")
    bound = evaluation.elbo(model, test)
    evidence = evaluation.log_evidence(model, test, options.samples, progress=verbose > 0)
    say(f"measured in {time.monotonic() - started:.0f} s")
    return card.write(folder, model, options, splits, bound, evidence, parity)
