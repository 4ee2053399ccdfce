"""Checkpoints from which training goes on."""

import json
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfvae.errors import number_in, positive_int
from tfvae.files import write_model

_MEMBER = "position.json"


class Position(NamedTuple):
    """Where in a run training stands: what Keras' own files do not hold."""

    epoch: int
    batch: int
    """Steps of this epoch that are done."""
    origin: int | None
    """Step of the data at which epoch 0 of the run begins, None where the data has no order of its own."""
    metrics: tuple[float, ...] = ()
    """State of the metrics, so that the means of the epoch go on too; of several replicas they begin anew."""


START = Position(0, 0, None)


class Checkpoint(keras.callbacks.Callback):
    """Save the whole model as training goes on, in one step, and go on from there when `fit` runs again.

    The file is written under a temporary name and renamed: a process killed at any moment leaves the last whole
    checkpoint, or none. If the file is there when `fit` begins, weights, optimiser, epoch, batch and running means are
    those of the checkpoint, and training ends with the weights of a run that nobody stopped, bit for bit, on the data
    of a `Splits`, on an array, and on any `tf.data.Dataset` whose batches come in the same order each time. Delete the
    file to begin anew. It is a `.keras` file, which `keras.models.load_model` reads as any other.

    Args:
        path: the file, ending in .keras.
        every: epochs between two checkpoints.
        seconds: within an epoch, save when so many seconds have passed since the last time; not at all if None.

    Raises:
        ValueError: if `path` does not end in .keras, a number is out of range, or, when training begins, the file holds
            another model.

    Example:
        >>> import tfvae
        >>> tfvae.callbacks.Checkpoint("checkpoint.keras", seconds=60).every
        1
    """

    every_batch = False  # a call of several steps may end before it looks at the clock

    def __init__(self, path: str | Path, every: int = 1, seconds: float | None = None):
        super().__init__()
        if Path(path).suffix != ".keras":
            raise ValueError(f"Expected a path that ends in .keras. Received: path={str(path)!r}")
        self.path = Path(path)
        self.every = positive_int("every", every)
        self.seconds = None if seconds is None else number_in("seconds", seconds, 0.0)
        self._epoch, self._saved = 0, time.monotonic()

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Start the clock."""
        self._saved = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Remember the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Save, if it is time."""
        if self.seconds is not None and time.monotonic() - self._saved >= self.seconds:
            self._save(self._epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Save, if this epoch is one of those."""
        if (epoch + 1) % self.every == 0:
            self._save(epoch + 1, 0)

    def _save(self, epoch: int, batch: int) -> None:
        # Replicas would have to add their means up together, and each has a clock of its own.
        one = self.model.distribute_strategy.num_replicas_in_sync == 1
        means = metric_variables(self.model) if batch and one else []
        metrics = [tf.convert_to_tensor(variable).numpy().tolist() for variable in means]
        position = {"epoch": epoch, "batch": batch, "origin": self.model.origin, "metrics": metrics}
        self._saved = time.monotonic()
        if not self.model.distribute_strategy.extended.should_checkpoint:
            return
        weights = [tf.cast(weight, tf.float32) for weight in self.model.weights]
        if not all(np.isfinite(weight.numpy()).all() for weight in weights):
            return  # the last good checkpoint stays; the next step's loss stops the run
        write_model(self.path, self.model, _MEMBER, position)

    def restore(self, model: keras.Model) -> Position | None:
        """Give a model the state of the file and return where it stood, or None if there is no file.

        Raises:
            ValueError: if the file is damaged or holds another model.
        """
        if not self.path.exists():
            return None
        try:
            with zipfile.ZipFile(self.path) as archive:
                position = Position(**json.loads(archive.read(_MEMBER)))
                saved = json.loads(archive.read("config.json"))["config"]
        except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"Expected a whole checkpoint, written by tfvae.callbacks.Checkpoint. Delete the file to begin anew. "
                f"Received: {self.path}, of which {error}"
            ) from error
        ours = keras.saving.serialize_keras_object(model)["config"]
        differing = [key for key in ours if key != "name" and _essence(ours[key]) != _essence(saved.get(key))]
        if differing:
            raise ValueError(
                "Expected a checkpoint of this model. Delete the file to begin anew, or choose another path. Received: "
                f"{self.path}, whose model differs in {', '.join(differing)}"
            )
        model.load_weights(self.path)
        return position


def _essence(config: object) -> object:
    """Return a configuration without what differs between two makings of one model: names, which Keras counts up."""
    if isinstance(config, dict):
        return {key: _essence(value) for key, value in config.items() if key not in ("name", "shared_object_id")}
    return [_essence(value) for value in config] if isinstance(config, (list, tuple)) else config


def metric_variables(model: keras.Model) -> list:
    """Return the state of a model's metrics, in a fixed order."""
    return [variable for metric in model.metrics for variable in metric.variables]
