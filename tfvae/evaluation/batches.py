"""One function run over a data set, in batches of one shape, so that it compiles once."""

import sys
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from tfvae.models import costs, execution
from tfvae.models.checks import clearly
from tfvae.models.variational import AbstractVAE, require_vae

_EXAMPLES = 100


def compiled(
    model: AbstractVAE, name: tuple, function: Callable, *, asks_for_rate: bool = True, xla: bool = True,
    conditions: bool = False,
) -> Callable:  # fmt: skip
    """Return a compiled function of a model: that of last time, where the name and the model's parts are the same.

    XLA compiles it if it suits the model, and unless it is told not to: a compilation takes longer than small work.
    With `conditions` the function takes batches of models with a condition too.

    Raises:
        ValueError: if the function asks for a rate, which the posterior has not, or the model is none of the library or
            has a condition that the function does not take.
    """
    require_vae(model, conditions)
    if asks_for_rate and not model.fits.has_rate:
        raise ValueError(
            "Expected a model whose posterior has a density: with a point mass, rate, ELBO and evidence are not "
            f"defined; measure evaluation.distortion. Received: posterior {model.fits.posterior}"
        )
    key = (*name, model.encoder, model.decoder, model.prior)
    return model.functions.get(key, lambda: execution.traced(function, xla and costs.suits_xla(model)))


def per_example(
    model: AbstractVAE, data: object, measure: Callable[[np.ndarray, tf.Tensor], tuple], progress: bool
) -> list[np.ndarray]:
    """Return what `measure(x, index of the first example)` gives for every example: arrays [n, ...].

    Args:
        model: the model whose checks the data must pass.
        data: an array of examples [n, *event], or a data set of batches [B, *event].
        measure: from a batch of exactly 100 examples to tensors whose first axis is the examples.
        progress: show a progress bar.

    Raises:
        ValueError: if the data is empty, of another shape, or off the support.
    """
    batches, total = _batches(model, data)
    style = 1 if sys.stdout.isatty() else 2  # a bar that moves, or one line at the end
    bar = keras.utils.Progbar(total, verbose=style, unit_name="example") if progress else None
    rows, done = [], 0
    for x in _read(batches):
        count = len(tf.nest.flatten(x)[0])
        padded = tf.nest.map_structure(lambda part: _padded(part, _EXAMPLES), x)
        rows.append([part.numpy()[:count] for part in measure(padded, tf.constant(done))])
        done += count
        if bar:
            bar.update(done)
    if not rows:
        raise ValueError("Expected at least one example. Received: an empty data set")
    if bar and total is None:
        bar.update(done, finalize=True)
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


def _padded(x: np.ndarray, examples: int) -> np.ndarray:
    return np.concatenate([x, np.repeat(x[:1], examples - len(x), 0)])


def standard_error(values: np.ndarray) -> float:
    """Return the standard error of the mean over the data, unknown (NaN) for one example."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def _batches(model: AbstractVAE, data: object) -> tuple[Iterator[np.ndarray], int | None]:
    checked = model.check(data)
    if isinstance(checked, tuple):  # examples with a condition, perhaps with weights, which nobody measures by
        checked = checked[0]
    if isinstance(checked, (np.ndarray, dict)):
        checked = tf.nest.map_structure(lambda part: part.astype(model.variable_dtype), checked)
        total = len(tf.nest.flatten(checked)[0])
        places = range(0, total, _EXAMPLES)
        return (tf.nest.map_structure(lambda part: part[i : i + _EXAMPLES], checked) for i in places), total  # noqa: B023
    if not isinstance(checked, tf.data.Dataset):
        raise ValueError(f"Expected an array or a tf.data.Dataset of batches. Received: data={type(data).__name__}")
    images = checked.map(lambda *batch: model.check.cast(batch[0], model.variable_dtype))
    return images.unbatch().batch(_EXAMPLES).as_numpy_iterator(), None


def _read(batches: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield every batch; a refusal inside the data pipeline becomes a ValueError."""
    done = object()
    while (batch := clearly(next, batches, done)) is not done:
        yield batch
