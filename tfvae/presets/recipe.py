"""What a run does, whoever decided it: the options of a command line, or a preset."""

import abc
from collections.abc import Mapping

import keras

from tfvae.data import Splits
from tfvae.models.variational import AbstractVAE
from tfvae.presets.selection import Selection
from tfvae.protocols import Protocol, Published


class Recipe(abc.ABC):
    """Data, model, optimiser, number of epochs, choice of weights and the protocol that the result may be compared by.

    Attributes:
      title: what is trained on what, the heading of the card.
      citation: where the model was published.
      epochs: passes over the training examples.
      samples: importance samples for the evidence.
      seed: of weights, noise and order of the data.
      selection: which weights are kept.
      protocol: by which the result is measured.
      published: numbers of that protocol to compare with.
    """

    title: str
    citation: str
    epochs: int
    samples: int
    seed: int
    selection: Selection
    protocol: Protocol
    published: tuple[Published, ...]

    @abc.abstractmethod
    def load_data(self, data_dir: str | None = None) -> Splits:
        """Load the data set.

        Raises:
            DatasetNotAvailable: if the set is not there and cannot be downloaded.
        """

    @abc.abstractmethod
    def build(self, splits: Splits) -> AbstractVAE:
        """Return the untrained model."""

    @abc.abstractmethod
    def optimizer(self, steps_per_epoch: int) -> keras.optimizers.Optimizer:
        """Return the optimiser, with its schedule."""

    @abc.abstractmethod
    def as_json(self) -> dict:
        """Return what tells this recipe from others, as JSON holds it: what `run.json` keeps."""

    @abc.abstractmethod
    def describe(self) -> Mapping[str, object]:
        """Return for the card how it was trained, title to text."""
