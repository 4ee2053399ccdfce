"""What a model is conditioned on: nothing, for most, or what comes beside x in every batch."""

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.heads.support import Support
from tfvae.models.checks import AbstractChecker, Checker
from tfvae.models.pairs import Pairs, conditions, paired
from tfvae.priors.base import Prior

if TYPE_CHECKING:
    from tfvae.models.base import Batch
    from tfvae.models.variational import AbstractVAE


class Conditionals(Protocol):
    """What draws and scores z and x: a model without a condition, or one at the condition of a batch."""

    def encoder(self, x: tf.Tensor, training: bool = False) -> tfd.Distribution:
        """Return q(z | x), batch shape [B]."""

    def decoder(self, z: tf.Tensor, training: bool = False) -> tfd.Distribution:
        """Return p(x | z), batch shape [S, B]."""

    def prior(self) -> tfd.Distribution:
        """Return p(z), batch shape [] or [B]."""


class Conditioning(abc.ABC):
    """What a batch holds beside x, and what the three conditionals make of it (abstract)."""

    names: tuple[str, ...]
    """What is given beside x."""

    @abc.abstractmethod
    def settings(self) -> dict:
        """Return the arguments of the model's constructor that say so."""

    @abc.abstractmethod
    def beside(self, value: tf.Tensor, examples: int) -> tf.Tensor | list[tf.Tensor]:
        """Return what encoder and decoder are tried on, for x or z of so many examples."""

    @abc.abstractmethod
    def batch(self, x: tf.Tensor, *condition: tf.Tensor) -> "Batch":
        """Return x and what is given beside it as a batch."""

    @abc.abstractmethod
    def trial(self, x: tf.Tensor) -> "Batch":
        """Return x as a batch, with zeros for what is given beside it."""

    @abc.abstractmethod
    def prior(self, prior: keras.layers.Layer) -> tfd.Distribution:
        """Return a distribution of the prior, for one example."""

    @abc.abstractmethod
    def checker(self, shape: tuple[int, ...], support: Support, dtype: str) -> AbstractChecker:
        """Return what checks batches whose x have a shape and a support."""

    @abc.abstractmethod
    def inputs(self) -> dict[str, list[int | None]]:
        """Return the shapes of what an exported function is given beside x."""

    @abc.abstractmethod
    def values(self, c: object, n: int) -> tuple[np.ndarray, ...]:
        """Return what a user gives beside x, checked, for n examples."""

    @abc.abstractmethod
    def at(self, model: "AbstractVAE", batch: "Batch") -> "tuple[Conditionals, tf.Tensor]":
        """Return the conditionals for a batch, and its x."""

    @abc.abstractmethod
    def given(self, model: "AbstractVAE", *condition: tf.Tensor) -> "Conditionals":
        """Return the conditionals at what is given beside x."""


class Unconditional(Conditioning):
    """Nothing: a batch is x, and encoder, decoder and prior are those of the model, or what they are at x.

    Args:
        view: from a model and x to its conditionals there.
    """

    names = ()

    def __init__(self, view: "Callable[[AbstractVAE, tf.Tensor], Conditionals]" = lambda model, _: model):
        self.view = view

    def settings(self) -> dict:
        return {}

    def beside(self, value: tf.Tensor, examples: int) -> tf.Tensor:
        return value

    def batch(self, x: tf.Tensor, *condition: tf.Tensor) -> "Batch":
        return x

    def trial(self, x: tf.Tensor) -> "Batch":
        return x

    def prior(self, prior: Prior) -> tfd.Distribution:
        return prior()

    def checker(self, shape: tuple[int, ...], support: Support, dtype: str) -> Checker:
        return Checker(shape, support)

    def inputs(self) -> dict[str, list[int | None]]:
        return {}

    def values(self, c: object, n: int) -> tuple[np.ndarray, ...]:
        return () if c is None else (np.asarray(c),)

    def at(self, model: "AbstractVAE", batch: "Batch") -> "tuple[Conditionals, tf.Tensor]":
        return self.view(model, batch), batch

    def given(self, model: "AbstractVAE", *condition: tf.Tensor) -> "Conditionals":
        if condition:
            raise ValueError(
                "Expected no condition: this model has none; tfvae.ConditionalVAE has. Received: "
                f"c of shape {list(np.shape(condition[0]))}"
            )
        return model


UNCONDITIONAL = Unconditional()


class OnCondition(Conditioning):
    """A tensor c of a shape: a batch is {"x": x, "c": c}, and a prior may be one of p(z | c).

    Args:
        shape: event shape of c.
    """

    names = ("c",)

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape

    def settings(self) -> dict:
        return {"condition_shape": self.shape}

    def beside(self, value: tf.Tensor, examples: int) -> list[tf.Tensor]:
        return [value, tf.zeros([examples, *self.shape], value.dtype)]

    def batch(self, x: tf.Tensor, *condition: tf.Tensor) -> "Batch":
        return {"x": x, "c": condition[0]}

    def trial(self, x: tf.Tensor) -> "Batch":
        return self.batch(x, tf.zeros([x.shape[0], *self.shape], x.dtype))

    def prior(self, prior: keras.layers.Layer) -> tfd.Distribution:
        return prior() if isinstance(prior, Prior) else prior(tf.zeros([1, *self.shape], prior.variable_dtype))

    def checker(self, shape: tuple[int, ...], support: Support, dtype: str) -> Pairs:
        return Pairs(Checker(shape, support), self.shape, dtype)

    def inputs(self) -> dict[str, list[int | None]]:
        return {"c": [None, *self.shape]}

    def values(self, c: object, n: int) -> tuple[np.ndarray, ...]:
        return () if c is None else (conditions(c, n, self.shape),)

    def at(self, model: "AbstractVAE", batch: "Batch") -> "tuple[Conditionals, tf.Tensor]":
        x, c = paired(batch, self.shape, model.variable_dtype)
        return _At(model, c), x

    def given(self, model: "AbstractVAE", *condition: tf.Tensor) -> "Conditionals":
        if len(condition) != 1:
            raise ValueError(f"Expected a condition of shape {list(self.shape)} for each example. Received: c=None")
        return _At(model, condition[0])


class _At:
    """The conditionals of a model at c, [B, *c]."""

    def __init__(self, model: "AbstractVAE", c: tf.Tensor):
        self.model, self.c = model, c

    def encoder(self, x: tf.Tensor, training: bool = False) -> tfd.Distribution:
        return self.model.encoder([x, self.c], training=training)

    def decoder(self, z: tf.Tensor, training: bool = False) -> tfd.Distribution:
        return self.model.decoder([z, self.c], training=training)

    def prior(self) -> tfd.Distribution:
        prior = self.model.prior
        return prior() if isinstance(prior, Prior) else prior(self.c)
