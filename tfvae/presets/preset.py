"""A preset: one recipe for one published number, with nothing left to choose."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras

from tfvae.data import Splits
from tfvae.models.variational import AbstractVAE
from tfvae.presets.recipe import Recipe
from tfvae.presets.selection import Selection
from tfvae.protocols import Protocol, Published


@dataclass(frozen=True, kw_only=True)
class Preset(Recipe):
    """One row of the table of presets.

    Attributes:
      name: by which `tfvae train --preset` and `tfvae.from_preset` know it.
      says: the networks, in one line.
      model: from the data to the untrained model.
      optimizing: from the steps of an epoch to the optimiser.
      trained: how, in words.
      batch_size: examples in a step.
      published: the numbers to compare with; empty if there are none.
      twin: name of the preset it is compared with, "" if none.
      environment: variables that its training was run with, "" if none; they say how fast it is, not what it learns.
      baseline: the number published beside `published` for the twin's kind of model; None if it is the twin's own.
    """

    name: str
    says: str
    citation: str
    protocol: Protocol
    model: Callable[[Splits], AbstractVAE]
    optimizing: Callable[[int], keras.optimizers.Optimizer]
    trained: str
    epochs: int
    batch_size: int = 100
    selection: Selection
    seed: int = 0
    published: tuple[Published, ...] = ()
    twin: str = ""
    environment: str = ""
    baseline: Published | None = None

    @property
    def title(self) -> str:  # type: ignore[override]
        """Its name."""
        return self.name

    @property
    def samples(self) -> int:  # type: ignore[override]
        """Those of its protocol."""
        return self.protocol.samples

    def load_data(self, data_dir: str | None = None) -> Splits:
        return self.protocol.load(batch_size=self.batch_size, seed=self.seed, data_dir=data_dir)

    def build(self, splits: Splits) -> AbstractVAE:
        return self.model(splits)

    def optimizer(self, steps_per_epoch: int) -> keras.optimizers.Optimizer:
        return self.optimizing(steps_per_epoch)

    def as_json(self) -> dict:
        return {"preset": self.name}

    def describe(self) -> Mapping[str, object]:
        said = {"networks": self.says, "optimizer": self.trained, "batch_size": self.batch_size}
        return {**said, "environment": self.environment} if self.environment else said

    @property
    def command(self) -> str:
        """What trains it."""
        return f"{self.environment} tfvae train --preset {self.name}".lstrip()
