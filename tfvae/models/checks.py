"""Data that a model cannot score is refused before it reaches the model."""

import abc
import re
from collections.abc import Callable, Iterator
from types import GeneratorType
from typing import TypeVar

import keras
import numpy as np
import tensorflow as tf

from tfvae.data.resident import Resident
from tfvae.heads.support import REAL, Support
from tfvae.models.base import Batch

Result = TypeVar("Result")
_MARK = re.compile(r"<refused>(.*?)</refused>", re.DOTALL)


class AbstractChecker(abc.ABC):
    """Checks batches before a model scores them (abstract)."""

    def __call__(self, data: object) -> object:
        """Return `data` as `fit` takes it: arrays checked now, streams batch by batch as they are read.

        Raises:
            ValueError: for data of the wrong shape, dtype or values; from a stream, when the batch is read.
        """
        if isinstance(data, tf.data.Dataset):
            self.stream(data.element_spec)
            if data.cardinality() == 0:
                raise ValueError("Expected at least one example. Received: an empty data set")
            return data.map(self.in_graph, num_parallel_calls=tf.data.AUTOTUNE)
        if isinstance(data, keras.utils.PyDataset):
            return _CheckedPyDataset(data, self)
        if isinstance(data, GeneratorType):
            return self._generator(data)
        if isinstance(data, tuple):
            return self.together(data)
        if isinstance(data, tf.distribute.DistributedDataset):
            return data
        return self.array(data)

    def _generator(self, batches: Iterator) -> Iterator:
        for batch in batches:
            yield self.streamed(batch)

    @abc.abstractmethod
    def array(self, x: object) -> Batch:
        """Check examples in arrays and return them as NumPy's.

        Raises:
            ValueError: for the wrong shape, dtype or values.
        """

    @abc.abstractmethod
    def resident(self, data: Resident) -> None:
        """Check examples that lie in memory, once for each value that they can have where its place does not matter.

        Raises:
            ValueError: as `array` does.
        """

    @abc.abstractmethod
    def stream(self, spec: Batch) -> None:
        """Raise ValueError if the elements of a stream have the wrong structure, shape or dtype."""

    @abc.abstractmethod
    def in_graph(self, *batch: Batch) -> object:
        """Return an element of a stream with assertions that say what is wrong, for `clearly` to unwrap."""

    @abc.abstractmethod
    def together(self, batch: tuple) -> tuple:
        """Check arrays that come as Keras has them, with y and weights or without."""

    @abc.abstractmethod
    def streamed(self, batch: object) -> tuple:
        """Check a batch that Python hands to a pipeline; a refusal is marked, as it comes back in TensorFlow's words.

        Raises:
            ValueError: as `array` does, for `clearly` to unwrap.
        """

    @abc.abstractmethod
    def with_second(self, x: object, y: object) -> tuple[object, object]:
        """Return the x and y of a call to `fit` or `evaluate`, what is scored in x."""

    @abc.abstractmethod
    def cast(self, batch: Batch, dtype: str) -> Batch:
        """Return a batch in the model's dtype, its shape known."""

    @abc.abstractmethod
    def encodable(self) -> "AbstractChecker":
        """Return a checker for what is encoded but not scored: finite, unless missing values are scored too."""


class Checker(AbstractChecker):
    """Checks batches of x against an event shape and a support.

    Args:
        event_shape: shape of one example.
        support: the values that the likelihood scores.
        name: what the examples are called in messages.
    """

    def __init__(self, event_shape: tuple[int, ...], support: Support, name: str = "x"):
        self.event_shape = tuple(event_shape)
        self.support, self.name = support, name

    def array(self, x: object) -> np.ndarray:
        values = self._as_array(x)
        if values.shape[1:] != self.event_shape or not values.size:
            self._refuse_shape(values.shape)
        self._refuse_outside(values)
        return values

    def resident(self, data: Resident) -> None:
        if data.condition is not None:
            raise ValueError(
                f"Expected batches of {self.name} alone: the splits as they were before conditioned(), or a "
                "tfvae.ConditionalVAE. Received: batches with a condition"
            )
        if data.stored.values.shape[1:] != self.event_shape:
            self._refuse_shape(data.stored.values.shape)
        if self.support.elementwise:
            self._refuse_outside(data.distinct())
            return
        values = data.stored.values / np.float32(data.stored.divisor)
        for drawn in (np.floor(values), np.ceil(values)) if data.binarization.draws else (values,):
            self._refuse_outside(drawn)  # what is 0 or 1 already stays so, in every column

    def _refuse_outside(self, values: np.ndarray) -> None:
        for columns, support in self.support.parts():
            block = values[..., columns]
            inside = np.asarray(support.contains(block))
            if not inside.all():
                first = np.unravel_index(np.argmin(inside), inside.shape)
                where = [*map(int, first[:-1]), int(first[-1]) + (columns.start or 0)]
                raise ValueError(
                    f"Expected {support.description}. {support.advice} Received: {np.sum(~inside)} of {block.size} "
                    f"values outside, from {block.min()} to {block.max()}, the first x{where}={values[tuple(where)]}"
                )

    def spec(self, spec: tf.TensorSpec) -> None:
        """Raise ValueError if the batches of a stream have the wrong shape or dtype."""
        if not isinstance(spec, tf.TensorSpec):
            raise ValueError(f"Expected batches of x, or tuples that begin with x. Received: element_spec={spec}")
        if not (spec.dtype.is_floating or spec.dtype.is_integer or spec.dtype.is_bool):
            self._refuse_dtype(spec.dtype.name)
        if spec.shape.rank is not None and not spec.shape[1:].is_compatible_with(self.event_shape):
            self._refuse_shape(spec.shape)

    def _as_array(self, x: object) -> np.ndarray:
        try:
            values = np.asarray(with_gaps(x))
        except ValueError:  # NumPy's word for rows of unequal lengths
            raise ValueError(
                f"Expected {self.name} of shape {self._shape}; pad or resize the examples to one shape. "
                "Received: rows of unequal shapes"
            ) from None
        if values.dtype.kind == "O":
            raise ValueError(
                f"Expected {self.name} to be an array of numbers; where batches are taken, also a tf.data.Dataset, a "
                f"keras.utils.PyDataset or a generator. Received: x={x!r:.80}"
            )
        if values.dtype.kind not in "fiub" and values.dtype.name != "bfloat16":
            self._refuse_dtype(values.dtype.name)
        return values

    @property
    def _shape(self) -> str:
        return f"[B, {', '.join(map(str, self.event_shape))}]"

    def _refuse_dtype(self, name: str) -> None:
        raise ValueError(
            f"Expected {self.name} of a numeric dtype; convert it first. Received: {self.name}.dtype={name}"
        )

    def _refuse_shape(self, shape: tuple | tf.TensorShape) -> None:
        raise ValueError(
            f"Expected {self.name} of shape {self._shape}, at least one example with the event shape that is scored. "
            f"Reshape the data or give the head this shape. Received: {self.name}.shape={tuple(shape)}"
        )

    def in_graph(self, *batch: tf.Tensor) -> tf.Tensor | tuple:
        x = batch[0]
        shaped = tf.reduce_all(tf.equal(tf.shape(x)[1:], self.event_shape))
        said = f"<refused>Expected {self.name} of shape {self._shape}. Received: {self.name}.shape={{}}</refused>"
        tf.debugging.Assert(shaped, [tf.strings.format(said, [tf.shape(x)])])
        for columns, support in self.support.parts():
            inside, values = support.contains(x[..., columns]), tf.cast(x[..., columns], tf.float32)  # bool: no minimum
            tf.debugging.Assert(tf.reduce_all(inside), [tf.strings.format(
                f"<refused>Expected {support.description}. {support.advice} Received: a batch with {{}} of {{}} "
                "values outside, from {} to {}</refused>",
                [tf.size(values) - tf.math.count_nonzero(inside, dtype=tf.int32), tf.size(values),
                 tf.reduce_min(values), tf.reduce_max(values)])])  # fmt: skip
        return x if len(batch) == 1 else batch

    def stream(self, spec: Batch) -> None:
        self.spec(spec[0] if isinstance(spec, tuple) else spec)

    def together(self, batch: tuple) -> tuple:
        return (self(batch[0]), *batch[1:])

    def with_second(self, x: object, y: object) -> tuple[object, object]:
        return x, y

    def cast(self, batch: tf.Tensor, dtype: str) -> tf.Tensor:
        x = tf.cast(batch, dtype)
        x.set_shape([None, *self.event_shape])
        return x

    def encodable(self) -> "Checker":
        return Checker(self.event_shape, self.support if self.support.missing else REAL)

    def streamed(self, batch: object) -> tuple:
        first, *rest = batch if isinstance(batch, tuple) else (batch,)
        try:
            return (self.array(first), *rest)
        except ValueError as error:
            raise ValueError(f"<refused>{error}</refused>") from None


def with_gaps(x: object) -> object:
    """Return an array with a mask as one with NaN where values are masked, which NumPy would take as they lie there."""
    if not isinstance(x, np.ma.MaskedArray) or x.dtype.kind not in "fiub" or not np.ma.is_masked(x):
        return x
    return np.ma.filled(x.astype(np.result_type(x.dtype, np.float32)), np.nan)


class _CheckedPyDataset(keras.utils.PyDataset):
    """Another data set whose batches are checked as they are read."""

    def __init__(self, inner: keras.utils.PyDataset, check: AbstractChecker):
        super().__init__(inner.workers, inner.use_multiprocessing, inner.max_queue_size)
        self.inner, self.check = inner, check

    def __len__(self) -> int:
        return len(self.inner)

    @property
    def num_batches(self) -> int | None:
        return self.inner.num_batches

    def __getitem__(self, index: int) -> object:
        return self.check.streamed(self.inner[index])

    def on_epoch_begin(self) -> None:
        self.inner.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self.inner.on_epoch_end()


def clearly(run: Callable[..., Result], *args: object, **options: object) -> Result:
    """Call `run` and turn a refusal inside a data pipeline into a ValueError that says only what is wrong."""
    try:
        return run(*args, **options)
    except (tf.errors.InvalidArgumentError, ValueError) as error:
        refused = _MARK.search(str(error))
        if refused is None:
            raise
        raise ValueError(refused.group(1)) from None
