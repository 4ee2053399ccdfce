"""Which weights a run keeps: those after the last epoch, or those that did best on the validation examples."""

import abc
import json
import zipfile
from pathlib import Path

import keras

from tfvae.files import write_model

_MEMBER = "best.json"


class Selection(abc.ABC):
    """The choice of weights, made while training goes on."""

    @abc.abstractmethod
    def callbacks(self, folder: Path) -> list[keras.callbacks.Callback]:
        """Return what keeps the chosen weights in the run's folder."""

    @abc.abstractmethod
    def chosen(self, folder: Path) -> Path:
        """Return the file of the chosen weights once training has ended."""

    @abc.abstractmethod
    def describe(self, epochs: int) -> str:
        """Return one line for the card."""


class LastEpoch(Selection):
    """The weights after the last epoch, which the checkpoint holds."""

    def callbacks(self, folder: Path) -> list[keras.callbacks.Callback]:
        return []

    def chosen(self, folder: Path) -> Path:
        return folder / "checkpoint.keras"

    def describe(self, epochs: int) -> str:
        return f"weights after the last of {epochs} epochs"


class BestValidation(Selection):
    """The weights after the epoch with the highest ELBO of the validation examples."""

    def callbacks(self, folder: Path) -> list[keras.callbacks.Callback]:
        return [KeepBest(self.chosen(folder))]

    def chosen(self, folder: Path) -> Path:
        return folder / "best.keras"

    def describe(self, epochs: int) -> str:
        return f"weights after the one of {epochs} epochs with the highest validation ELBO"


class KeepBest(keras.callbacks.Callback):
    """Save the model whenever the validation ELBO is higher than ever before, in this process or in one before it.

    It stands before the checkpoint in the list of callbacks: a run killed between the two does the epoch again.
    """

    every_batch = False

    def __init__(self, path: Path):
        super().__init__()
        self.path = path
        self.best = self._read()

    def _read(self) -> float:
        if not self.path.exists():
            return float("-inf")
        with zipfile.ZipFile(self.path) as archive:
            return json.loads(archive.read(_MEMBER))["val_elbo"]

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Save, if this epoch is the best."""
        value = float((logs or {})["val_elbo"])
        if value > self.best:
            self.best = value
            write_model(self.path, self.model, _MEMBER, {"val_elbo": value, "epoch": epoch})
