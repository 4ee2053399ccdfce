"""Data that a model cannot score is refused before it reaches the model."""

import re
from collections.abc import Callable, Iterator
from types import GeneratorType
from typing import TypeVar

import keras
import numpy as np
import tensorflow as tf

from tfvae.heads.support import REAL, Support

Result = TypeVar("Result")
_MARK = re.compile(r"<refused>(.*?)</refused>", re.DOTALL)


class Checker:
    """Checks batches of x against an event shape and a support.

    Args:
        event_shape: shape of one example.
        support: the values that the likelihood scores.
    """

    def __init__(self, event_shape: tuple[int, ...], support: Support):
        self.event_shape = tuple(event_shape)
        self.support = support

    def __call__(self, data: object) -> object:
        """Return `data` as `fit` takes it: arrays checked now, streams batch by batch as they are read.

        Raises:
            ValueError: for data of the wrong shape, dtype or values; from a stream, when the batch is read.
        """
        if isinstance(data, tf.data.Dataset):
            self._check_spec(_first(data.element_spec))
            return data.map(self._in_graph, num_parallel_calls=tf.data.AUTOTUNE)
        if isinstance(data, keras.utils.PyDataset):
            return _CheckedPyDataset(data, self)
        if isinstance(data, GeneratorType):
            return self._generator(data)
        if isinstance(data, tuple):
            return (self(data[0]), *data[1:])
        if isinstance(data, tf.distribute.DistributedDataset) or data is None:
            return data
        return self.array(data)

    def array(self, x: object) -> np.ndarray:
        """Check an array of examples and return it as NumPy's.

        Raises:
            ValueError: for the wrong shape, dtype or values.
        """
        values = np.asarray(x)
        self._check_dtype(values.dtype)
        if values.shape[1:] != self.event_shape or not values.size:
            self._refuse_shape(values.shape)
        inside = np.asarray(self.support.contains(values))
        if not inside.all():
            first = np.unravel_index(np.argmin(inside), inside.shape)
            where = tuple(int(i) for i in first)
            raise ValueError(
                f"Expected {self.support.description}. {self.support.advice} Received: {np.sum(~inside)} of "
                f"{values.size} values outside, from {values.min()} to {values.max()}, the first x{list(where)}="
                f"{values[where]}"
            )
        return values

    def _check_spec(self, spec: tf.TensorSpec) -> None:
        if not isinstance(spec, tf.TensorSpec):
            raise ValueError(f"Expected batches of x, or tuples that begin with x. Received: element_spec={spec}")
        self._check_dtype(spec.dtype.as_numpy_dtype)
        if spec.shape.rank is not None and not spec.shape[1:].is_compatible_with(self.event_shape):
            self._refuse_shape(spec.shape)

    def _check_dtype(self, dtype: type | np.dtype) -> None:
        kind = np.dtype(dtype)
        if kind.kind not in "fiub" and kind.name != "bfloat16":
            raise ValueError(f"Expected x of a numeric dtype; convert it first. Received: x.dtype={kind.name}")

    def _refuse_shape(self, shape: tuple | tf.TensorShape) -> None:
        raise ValueError(
            f"Expected x of shape [B, {', '.join(map(str, self.event_shape))}], at least one example with the event "
            f"shape of the decoder. Reshape the data or give the decoder's head this shape. "
            f"Received: x.shape={tuple(shape)}"
        )

    def _in_graph(self, *batch: tf.Tensor) -> tf.Tensor | tuple:
        x = batch[0]
        shaped = tf.reduce_all(tf.equal(tf.shape(x)[1:], self.event_shape))
        tf.debugging.Assert(shaped, [tf.strings.format(
            f"<refused>Expected x of shape [B, {', '.join(map(str, self.event_shape))}]. "
            "Received: x.shape={}</refused>", [tf.shape(x)])])  # fmt: skip
        inside = self.support.contains(x)
        tf.debugging.Assert(tf.reduce_all(inside), [tf.strings.format(
            f"<refused>Expected {self.support.description}. {self.support.advice} Received: a batch with {{}} of {{}} "
            "values outside, from {} to {}</refused>",
            [tf.size(x) - tf.math.count_nonzero(inside, dtype=tf.int32), tf.size(x), tf.reduce_min(x),
             tf.reduce_max(x)])])  # fmt: skip
        return x if len(batch) == 1 else batch

    def _generator(self, batches: Iterator) -> Iterator:
        for batch in batches:
            yield (self.array(batch[0]), *batch[1:]) if isinstance(batch, tuple) else self.array(batch)


class _CheckedPyDataset(keras.utils.PyDataset):
    """Another data set whose batches are checked as they are read."""

    def __init__(self, inner: keras.utils.PyDataset, check: Checker):
        super().__init__(inner.workers, inner.use_multiprocessing, inner.max_queue_size)
        self.inner, self.check = inner, check

    def __len__(self) -> int:
        return len(self.inner)

    @property
    def num_batches(self) -> int | None:
        return self.inner.num_batches

    def __getitem__(self, index: int) -> object:
        batch = self.inner[index]
        return (self.check.array(batch[0]), *batch[1:]) if isinstance(batch, tuple) else self.check.array(batch)

    def on_epoch_begin(self) -> None:
        self.inner.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self.inner.on_epoch_end()


def _first(spec: object) -> object:
    return spec[0] if isinstance(spec, tuple) else spec


def finite(event_shape: tuple[int, ...]) -> Checker:
    """Return a checker for inputs that are encoded but not scored."""
    return Checker(event_shape, REAL)


def clearly(run: Callable[..., Result], *args: object, **options: object) -> Result:
    """Call `run` and turn a refusal inside a data pipeline into a ValueError that says only what is wrong."""
    try:
        return run(*args, **options)
    except tf.errors.InvalidArgumentError as error:
        refused = _MARK.search(str(error))
        if refused is None:
            raise
        raise ValueError(refused.group(1)) from None
