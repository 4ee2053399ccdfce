"""What a run needs to know, with a default for everything, checked before any work starts."""

import inspect
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

import keras

from tfvae import data, heads, zoo
from tfvae.data import DynamicBinarization, NoBinarization, Splits, StaticBinarization
from tfvae.errors import number_in, one_of, positive_int, whole_number_in
from tfvae.models.variational import AbstractVAE
from tfvae.presets.recipe import Recipe
from tfvae.presets.selection import LastEpoch, Selection
from tfvae.protocols import UNLABELLED, Protocol, Published

BINARIZATIONS = {"none": NoBinarization, "static": StaticBinarization, "dynamic": DynamicBinarization}


@dataclass(frozen=True)
class Defaults:
    """What suits a data set: enough to train well in the time that a first run may take."""

    latent_dim: int = 32
    units: tuple[int, ...] = (512, 256)
    epochs: int = 30
    batch_size: int = 128
    warm_up: int = 0


DEFAULTS = {
    "digits": Defaults(latent_dim=8, units=(256,), epochs=100, batch_size=64),
    "mnist": Defaults(latent_dim=50, units=(400, 200), epochs=80, warm_up=10),
    "shapes": Defaults(latent_dim=10, units=(400, 200), epochs=60),
    "binarized_mnist": Defaults(latent_dim=50, epochs=30),
}
for _small in ("digit_counts", "digit_labels", "digit_records", "digit_rows"):
    DEFAULTS[_small] = DEFAULTS["digits"]


@dataclass(frozen=True)
class Options(Recipe):
    """The options of one run on the command line; `choose` fills in what suits the data."""

    model: str
    data: str
    binarization: str | None
    latent_dim: int
    units: tuple[int, ...]
    epochs: int
    batch_size: int
    warm_up: int
    learning_rate: float
    samples: int
    seed: int
    protocol: Protocol = field(default=UNLABELLED, init=False)
    published: tuple[Published, ...] = field(default=(), init=False)
    selection: Selection = field(default_factory=LastEpoch, init=False)

    def __post_init__(self) -> None:
        """Check every option."""
        one_of("model", self.model, zoo.__all__)
        one_of("data", self.data, data.names())
        if self.binarization is not None:
            one_of("binarization", self.binarization, BINARIZATIONS)
        for name in ("latent_dim", "epochs", "batch_size", "samples"):
            positive_int(name, getattr(self, name))
        if not self.units:
            raise ValueError("Expected at least one width, such as units=(512, 256). Received: units=()")
        for width in self.units:
            positive_int("every width in units", width)
        whole_number_in("warm_up", self.warm_up, 0, self.epochs)
        number_in("learning_rate", self.learning_rate, 1e-8, 1.0)
        whole_number_in("seed", self.seed, 0, 2**31 - 1)

    @classmethod
    def choose(
        cls,
        model: str = "vae",
        data: str | None = None,
        binarization: str | None = None,
        latent_dim: int | None = None,
        units: tuple[int, ...] | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        warm_up: int | None = None,
        learning_rate: float = 1e-3,
        samples: int = 500,
        seed: int = 0,
    ) -> "Options":
        """Return options with a default for each one that is None: the model's for the data, the data's for the rest.

        Raises:
            ValueError: naming the option, what was received and what is possible.
        """
        one_of("model", model, zoo.__all__)
        usual, takes = getattr(zoo, model).suits, _parameters(model)
        if warm_up and "warm_up" not in takes:
            raise ValueError(f"Expected no warm_up, which {model} does not take. Received: warm_up={warm_up}")
        data = usual.data if data is None else data
        binarization = usual.binarization if binarization is None else binarization
        suits = DEFAULTS.get(data, Defaults())
        usually = suits.warm_up if "warm_up" in takes else 0
        passes = suits.epochs if epochs is None else epochs
        return cls(
            model=model,
            data=data,
            binarization=binarization,
            latent_dim=suits.latent_dim if latent_dim is None else latent_dim,
            units=suits.units if units is None else units,
            epochs=passes,
            batch_size=suits.batch_size if batch_size is None else batch_size,
            warm_up=min(usually, passes) if warm_up is None else warm_up,
            learning_rate=learning_rate,
            samples=samples,
            seed=seed,
        )

    @classmethod
    def from_json(cls, values: dict) -> "Options":
        """Return the options that `as_json` gave.

        Raises:
            TypeError: if an option is missing or unknown.
            ValueError: if one is out of range.
        """
        return cls(**{**values["options"], "units": tuple(values["options"]["units"])})

    @property
    def title(self) -> str:  # type: ignore[override]
        """Model and data."""
        return f"{self.model} on {self.data}"

    @property
    def citation(self) -> str:  # type: ignore[override]
        """Of the model."""
        return str(getattr(zoo, self.model).citation)

    def load_data(self, data_dir: str | None = None) -> Splits:
        chosen = BINARIZATIONS[self.binarization]() if self.binarization else None
        splits = data.load(
            self.data, batch_size=self.batch_size, binarization=chosen, seed=self.seed, data_dir=data_dir
        )
        return splits.conditioned() if getattr(zoo, self.model).suits.conditioned else splits

    def build(self, splits: Splits) -> AbstractVAE:
        """Return the untrained model: Bernoulli likelihood for binary data, else a normal one with a learned scale.

        A model with a likelihood of its own keeps it.
        """
        binary = self.data == "binarized_mnist" or not isinstance(splits.binarization, NoBinarization)
        offered = {
            "units": self.units,
            "likelihood": heads.Bernoulli(splits.shape)
            if binary
            else heads.Normal(splits.shape, heads.SharedScale(0.5)),
            "warm_up": self.warm_up * splits.steps_per_epoch,
            "examples": splits.sizes["train"],
            "condition_shape": splits.condition_shape,
            "seed": self.seed,
        }
        takes = set(_parameters(self.model))
        if getattr(zoo, self.model).suits.own_likelihood:
            takes.discard("likelihood")
        chosen = {name: value for name, value in offered.items() if name in takes}
        return getattr(zoo, self.model)(splits.shape, self.latent_dim, **chosen)

    def optimizer(self, steps_per_epoch: int) -> keras.optimizers.Optimizer:
        """Return Adam, whose rate decays to 0 by a cosine."""
        rate = keras.optimizers.schedules.CosineDecay(self.learning_rate, self.epochs * steps_per_epoch)
        return keras.optimizers.Adam(rate)

    def as_json(self) -> dict:
        chosen = {option.name: getattr(self, option.name) for option in fields(self) if option.init}
        return {"options": json.loads(json.dumps(chosen))}

    def describe(self) -> Mapping[str, object]:
        return {
            "optimizer": f"Adam, learning rate {self.learning_rate:g} with cosine decay to 0",
            "warm_up": f"weight of the rate from 0 over {self.warm_up} epochs" if self.warm_up else "none",
            "batch_size": self.batch_size,
        }


def _parameters(model: str) -> Iterable[str]:
    """Return the names of the arguments of a function of the zoo."""
    return inspect.signature(getattr(zoo, model)).parameters
