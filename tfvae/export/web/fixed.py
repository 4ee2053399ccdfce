"""The model's file for a browser: one example at a time, because LiteRT.js takes no shape that is still open."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.errors import ExportError
from tfvae.export import formats, verification
from tfvae.export.inputs import noise, on_support
from tfvae.export.signatures import refusals, signatures
from tfvae.models.variational import AbstractVAE

DRAWS = 10  # of z for one ELBO: those of `anomaly.NegativeELBO`
GENERATED = 12  # samples at a time
_NEEDED = ("decode", "encode", "serving_default")


class Fixed(NamedTuple):
    """A function whose inputs and outputs have known shapes."""

    function: Callable
    """From tensors to a dictionary of tensors."""
    inputs: dict[str, tf.TensorSpec]
    """Names, shapes and dtypes of the inputs."""


def fixed(model: AbstractVAE, first: int, without: set[str]) -> dict[str, Fixed]:
    """Return the functions of the page: encode, decode, reconstruct, generate and elbo of one example.

    `generate` draws 12 samples. `elbo` is the mean over 10 draws, with the noise of the example at place `first`, as a
    `Calibration` on so many examples scores a new one.
    """
    every = signatures(model, {"log_evidence", *refusals(model)})
    x = tf.TensorSpec([1, *model.fits.event_shape], tf.float32, "x")
    z = tf.TensorSpec([1, model.fits.latent_dim], tf.float32, "z")
    seed = tf.TensorSpec([2], tf.int32, "seed")

    def generate(seed: tf.Tensor) -> dict:
        drawn = every["generate"].function(tf.constant(GENERATED), seed)
        return {name: tf.ensure_shape(value, [GENERATED, *value.shape[1:]]) for name, value in drawn.items()}

    def elbo(x: tf.Tensor, seed: tf.Tensor) -> dict:
        trace = model.trace(x, DRAWS, noise(seed)._replace(example=first))
        terms = on_support(model, x, {"elbo": trace.elbo, "rate": trace.rate, "distortion": trace.distortion})
        return {name: tf.ensure_shape(value, [1]) for name, value in terms.items()}

    found = {
        "serving_default": Fixed(every["serving_default"].function, {"x": x}),
        "encode": Fixed(every["encode"].function, {"x": x}),
        "decode": Fixed(every["decode"].function, {"z": z}),
        "generate": Fixed(generate, {"seed": seed}),
        "elbo": Fixed(elbo, {"x": x, "seed": seed}),
    }
    return {name: function for name, function in found.items() if name not in without}


def write(model: AbstractVAE, path: Path, first: int, x: np.ndarray) -> dict[str, str]:
    """Write the TFLite file of the page, once it agrees with the Keras model on an example x, [1, *event].

    Returns:
        The functions that the file goes without, with the reasons: at most generate and elbo.

    Raises:
        ExportError: if the model cannot encode, decode or reconstruct in TFLite, or the results differ by more than
            1e-3 of the value's size.
    """
    if model.variable_dtype != "float32":
        raise ExportError(
            "Expected a model with float32 weights, which browsers run. "
            f"Received: variable_dtype={model.variable_dtype}"
        )
    refused = {name: why for name, why in refusals(model).items() if name != "log_evidence"}
    offered = fixed(model, first, set(refused))
    try:
        content = _converted(offered)
    except ExportError as error:
        if not error.refused or set(error.refused) & set(_NEEDED):
            raise
        refused |= error.refused
        offered = fixed(model, first, set(refused))
        content = _converted(offered)
    path.write_bytes(content)
    _verify(path, offered, x)
    return refused


def _converted(offered: dict[str, Fixed]) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "saved_model")
        formats.write(offered, folder)
        return formats.convert(folder, list(offered))


def _verify(path: Path, offered: dict[str, Fixed], x: np.ndarray) -> None:
    run = verification.tflite_runner(path)
    z = offered["encode"].function(tf.constant(x))["mean"].numpy()
    given = {"x": x, "z": z, "seed": np.array([1, -2], np.int32)}
    for name, function in offered.items():
        inputs = {key: given[key] for key in function.inputs}
        expected = function.function(*(tf.constant(inputs[key]) for key in function.inputs))
        got = run(name, inputs)
        for key, value in expected.items():
            worst = verification.difference(got[key], value.numpy())
            if not worst <= formats.TFLITE_TOLERANCE:
                raise ExportError(
                    f"Expected {name} in the browser's file to agree with the Keras model to "
                    f"{formats.TFLITE_TOLERANCE:g} of the value's size. Received: {key} that differs by {worst:.1e}"
                )
