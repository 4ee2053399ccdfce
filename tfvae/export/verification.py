"""Does an exported file give the Keras model's numbers?"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfvae.errors import ExportError, whole_number_in
from tfvae.export.extras import Extra
from tfvae.export.signatures import signatures
from tfvae.models.base import Batch
from tfvae.models.variational import AbstractVAE
from tfvae.random import Seed, draw_each, uniform

_DRAWS = 5  # examples that a file is tried on
_STATEFUL = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "RANDOM_")


@dataclass(frozen=True)
class Parity:
    """The largest difference between an export and the Keras model, per format and signature.

    A difference is max |a - b| / max(1, |b|) over every output and every tried input; infinite where one side is NaN.
    """

    differences: dict[str, dict[str, float]]
    """Format to signature to largest difference."""

    @property
    def worst(self) -> float:
        """The largest difference of all."""
        return max(value for by_name in self.differences.values() for value in by_name.values())

    def __str__(self) -> str:
        return "\n".join(
            f"{kind:12} {name:16} {value:.1e}"
            for kind, by_name in self.differences.items()
            for name, value in by_name.items()
        )


def verify(
    model: AbstractVAE,
    *,
    saved_model: str | Path | None = None,
    tflite: str | Path | None = None,
    x: Batch | None = None,
    seed: int = 0,
    without: Collection[str] = (),
    extras: Sequence[Extra] = (),
) -> Parity:
    """Run Keras, SavedModel and TFLite on the same inputs and return the largest difference of each signature.

    Every signature is tried on several batch sizes, counts and seeds, a negative one among them.

    Args:
        model: the Keras model, the reference.
        saved_model: folder of a SavedModel, if there is one to compare.
        tflite: path of a TFLite file, if there is one to compare.
        x: data to try, [B, *event], with a condition if the model has one; draws from the model itself if not given.
        seed: seed of the draws, from 0 to 2^31 - 1.
        without: names of signatures that were left out.
        extras: those that were added.

    Returns:
        A `Parity`.

    Raises:
        ValueError: if there is neither a SavedModel nor a TFLite file, or `x` or `seed` is not fit for the model.
        ExportError: if a file cannot be loaded, lacks a signature, or does not run on the model's inputs.

    Example:
        >>> import tempfile, tfvae
        >>> model, folder = tfvae.zoo.vae((8, 8, 1), latent_dim=2, units=(16,)), tempfile.mkdtemp() + "/1"
        >>> parity = tfvae.export.saved_model(model, folder)
        >>> tfvae.export.verify(model, saved_model=folder).differences.keys()
        dict_keys(['SavedModel'])
    """
    seed = whole_number_in("seed", seed, 0, 2**31 - 1)
    runners: dict[str, Callable] = {}
    if saved_model is not None:
        runners["SavedModel"] = saved_model_runner(Path(saved_model))
    if tflite is not None:
        runners["TFLite"] = tflite_runner(Path(tflite))
    if not runners:
        raise ValueError("Expected saved_model=, tflite= or both. Received: neither")
    batch = draws(model, seed) if x is None else _checked(model, x)
    differences: dict[str, dict[str, float]] = {kind: {} for kind in runners}
    for name, signature in signatures(model, without, extras).items():
        for inputs in signature.tried(batch, seed):
            expected = signature.function(*(tf.constant(inputs[key]) for key in signature.inputs))
            for kind, run in runners.items():
                worst = max(difference(run(name, inputs)[key], expected[key].numpy()) for key in expected)
                differences[kind][name] = max(worst, differences[kind].get(name, 0.0))
    return Parity(differences)


def operators(path: str | Path) -> set[str]:
    """Return the names of every operator in a TFLite file, in all its subgraphs; custom ones as "CUSTOM:name"."""
    from ai_edge_litert import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    flat = schema.Model.GetRootAs(Path(path).read_bytes(), 0)
    found = set()
    for code in map(flat.OperatorCodes, range(flat.OperatorCodesLength())):
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        custom = code.CustomCode()
        found.add(names[builtin] if custom is None else f"CUSTOM:{custom.decode()}")
    return found


def is_builtin(operator: str) -> bool:
    """Tell whether an operator is part of every TFLite runtime and keeps no state: no Flex, variable or generator."""
    return not operator.startswith(("CUSTOM", *_STATEFUL))


def draws(model: AbstractVAE, seed: int) -> Batch:
    """Data on the likelihood's support: draws from the model, at conditions between 0 and 1 if it has some."""
    words = Seed(tf.constant([seed, 1]))
    shapes = model.condition.inputs().values()
    c = [tf.cast(uniform(1, [_DRAWS, *shape[1:]], words, 2)[0], model.variable_dtype) for shape in shapes]
    at = model.given(*c)
    x = at.decoder(draw_each(at.prior(), _DRAWS, words)).sample(seed=[seed, 2]).numpy().astype(model.variable_dtype)
    return tf.nest.map_structure(np.asarray, model.condition.batch(x, *c))


def _checked(model: AbstractVAE, x: object) -> Batch:
    return tf.nest.map_structure(lambda part: part.astype(model.variable_dtype), model.check.array(x))


def difference(got: np.ndarray, expected: np.ndarray) -> float:
    """Return max |got - expected| / max(1, |expected|); infinite where one is not finite or the shapes differ."""
    if got.shape != expected.shape or not (np.isfinite(got).all() and np.isfinite(expected).all()):
        return float("inf")
    return float(np.max(np.abs(got - expected) / np.maximum(1.0, np.abs(expected)), initial=0.0))


def _misfit(name: str, inputs: dict[str, np.ndarray], target: Path, error: Exception) -> ExportError:
    shapes = ", ".join(f"{key} {value.dtype}{list(value.shape)}" for key, value in inputs.items())
    return ExportError(
        f"Expected the signature {name!r} to run on the model's inputs, {shapes}; export this model again, or replace "
        f"the layer that the format cannot run. Received: {target}, which says: {_first_line(error)}"
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:300]


def saved_model_runner(folder: Path) -> Callable:
    """Return a function that runs a signature of a SavedModel by its name, on arrays.

    Raises:
        ExportError: if there is no SavedModel, or it lacks the signature, or does not run.
    """
    try:
        loaded = tf.saved_model.load(str(folder))
    except (OSError, ValueError, RuntimeError, IndexError, tf.errors.OpError) as error:  # of damaged weights too
        raise ExportError(f"Expected a SavedModel. Received: {folder}, which does not load: {error}") from error

    def run(name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if name not in loaded.signatures:
            raise ExportError(f"Expected a signature {name!r}. Received: {sorted(loaded.signatures)} in {folder}")
        try:
            outputs = loaded.signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:  # TF's words for other names or shapes
            raise _misfit(name, inputs, folder, error) from error
        return {key: value.numpy() for key, value in outputs.items()}

    return run


def tflite_runner(path: Path) -> Callable:
    """Return a function that runs a signature of a TFLite file by its name, on arrays.

    Raises:
        ExportError: if there is no TFLite file, or it lacks the signature, or does not run.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
    except (OSError, ValueError) as error:
        raise ExportError(f"Expected a TFLite file. Received: {path}, which does not load: {error}") from error

    def run(name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if name not in interpreter.get_signature_list():
            raise ExportError(f"Expected a signature {name!r}. Received: {sorted(interpreter.get_signature_list())}")
        try:
            return interpreter.get_signature_runner(name)(**inputs)
        except (RuntimeError, ValueError) as error:  # LiteRT's words for an operator or a shape that does not run
            raise _misfit(name, inputs, path, error) from error

    return run
