"""One function of an exported model, what it takes, and what it is tried on."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.distributions.moments import centre
from tfvae.models.base import Batch
from tfvae.models.variational import AbstractVAE
from tfvae.networks.scan import portable

Inputs = Iterator[dict[str, np.ndarray]]


class Signature(NamedTuple):
    """One function of an exported model."""

    function: Callable
    """From tensors to a dictionary of tensors."""
    inputs: dict[str, tf.TensorSpec]
    """Names, shapes and dtypes of the inputs."""
    tried: Callable[[Any, int], Inputs]
    """From a batch of data and a seed to the inputs on which an exported file is compared with the Keras model."""


def signature(model: AbstractVAE, function: Callable, *names: str) -> Signature:
    """Return a function as a signature, whose inputs are known by their names.

    It is tried on one example, then on all, with an ordinary and a strange seed.
    """
    known = _inputs(model)
    inputs = {name: known[name] for name in names}  # in this order they are given to the function

    def tried(batch: Batch, seed: int) -> Inputs:
        one = tf.nest.map_structure(lambda part: part[:1], batch)
        for each, words, n in ((one, (seed, 0), 1), (batch, (-7, 2**31 - 1), 7)):
            some = _trial(each["x"], words, n) | each if isinstance(each, dict) else _trial(each, words, n)
            if "z" in names:
                some["z"] = centre(model.posterior(each)).numpy()
            if "codes" in names:
                some["codes"] = model.encoder(some["x"]).codes.numpy()
            if "adapter" in names:
                some["adapter"] = np.full(inputs["adapter"].shape, 0.1)
            yield {name: np.asarray(some[name], spec.dtype.as_numpy_dtype) for name, spec in inputs.items()}

    return Signature(portably(function), inputs, tried)


def portably(function: Callable) -> Callable:
    """Return a function whose loops are traced with operators that every format has."""

    def traced(*given: tf.Tensor) -> dict:
        with portable():
            return function(*given)

    return traced


def _inputs(model: AbstractVAE) -> dict[str, tf.TensorSpec]:
    real = tf.as_dtype(model.variable_dtype)
    event = [None, *model.fits.event_shape]
    head = getattr(model.decoder, "head", None)
    reals = {
        "x": event, "x_a": event, "x_b": event, "mask": event, "z": [None, model.fits.latent_dim],
        "level": [], "learning_rate": [],
        "adapter": [*event[1:-1], getattr(head, "width", event[-1])], **model.condition.inputs(),
    }  # fmt: skip
    whole: dict[str, list] = {
        "n": [],
        "samples": [],
        "steps": [],
        "seed": [2],
        "codes": [None, getattr(model, "code_count", 0)],
    }
    return {name: tf.TensorSpec(shape, real, name) for name, shape in reals.items()} | {
        name: tf.TensorSpec(shape, tf.int32, name) for name, shape in whole.items()
    }


def _trial(x: np.ndarray, seed: tuple[int, int], n: int) -> dict:
    return {
        "x": x, "x_a": x, "x_b": x[::-1], "mask": np.arange(x.size).reshape(x.shape) % 3 > 0,
        "level": 0.07 * n, "learning_rate": 0.1 * n, "n": n, "samples": 6 * n, "steps": n, "seed": seed,
    }  # fmt: skip
