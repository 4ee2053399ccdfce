"""Examples that stay in memory as they are stored, and are gathered, scaled and drawn where they are needed.

A batch is a key: which examples, of which epoch, the how manyth of it. What it stands for is fetched inside a compiled
training step, or in a `map` by everybody else. Both run the same function.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from tfvae.data.binarization import NO_BINARIZATION, Binarization
from tfvae.data.stored import Stored

Key = dict[str, tf.Tensor]
Count: TypeAlias = tf.Tensor | int
# TensorFlow's `index_shuffle` fixes 4 rounds, and then the orders of two epochs of 50000 examples correlate by 0.7.
_ROUNDS = 24


def epoch_order(position: tf.Tensor, seed: Count, epoch: tf.Tensor, n: Count) -> tf.Tensor:
    """Return which example stands at a position of an epoch: a permutation of 0..n-1 keyed by (seed, epoch).

    Position and epoch are of one shape, or the epoch is a scalar.
    """
    epochs = tf.broadcast_to(tf.cast(epoch, tf.int64), tf.shape(position))
    keys = tf.stack(
        [tf.zeros_like(epochs), tf.fill(tf.shape(epochs), tf.convert_to_tensor(seed, tf.int64)), epochs], -1
    )
    last = tf.convert_to_tensor(n - 1, tf.int64)
    return tf.raw_ops.RandomIndexShuffle(index=position, seed=keys, max_index=last, rounds=_ROUNDS)


def each_time(numbers: Iterator[int], make: Callable[[tf.Tensor], tf.data.Dataset]) -> tf.data.Dataset:
    """Return a data set that is made anew with the next number every time it is iterated over."""

    def following(_: tf.Tensor) -> tf.Tensor:
        # A Python counter, because it depends neither on TensorFlow's global seed nor on a distribution strategy.
        return tf.ensure_shape(tf.numpy_function(lambda: np.int64(next(numbers)), [], tf.int64), [])

    return tf.data.Dataset.range(1).map(following).flat_map(make)


@dataclasses.dataclass(frozen=True)
class Fetch:
    """From stored values and a key to a batch x of float32 `[b, *shape]`; two that do the same are equal."""

    divisor: float
    binarization: Binarization

    def __call__(self, values: tf.Tensor, key: Key) -> tf.Tensor:
        x = tf.cast(tf.gather(values, key["index"]), tf.float32)
        x = x if self.divisor == 1.0 else x / self.divisor
        return self.binarization.each_batch(x, key["epoch"], key["batch"])


@dataclasses.dataclass(frozen=True)
class FetchPair:
    """From stored x and c and a key to a batch of both."""

    x: Fetch
    c: Fetch

    def __call__(self, values: dict[str, tf.Tensor], key: Key) -> dict[str, tf.Tensor]:
        return {"x": self.x(values["x"], key), "c": self.c(values["c"], key)}


@dataclasses.dataclass(frozen=True, eq=False)
class Resident:
    """One split as keys to its batches.

    Attributes:
      stored: the examples.
      batch_size: examples in a batch; the last one of an epoch holds the rest.
      seed: of the order, which differs between epochs; None keeps the order of `stored`.
      binarization: what is drawn when a batch is fetched.
      start: the step at which an endless stream of keys begins; None where a model may begin at its own step.
      condition: what comes beside each example, if anything does.
    """

    stored: Stored
    batch_size: int
    seed: int | None = None
    binarization: Binarization = NO_BINARIZATION
    start: int | None = None
    condition: Stored | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return math.ceil(len(self.stored) / self.batch_size)

    @property
    def fetch(self) -> Fetch | FetchPair:
        """What turns a key into a batch."""
        x = Fetch(self.stored.divisor, self.binarization)
        return x if self.condition is None else FetchPair(x, Fetch(self.condition.divisor, NO_BINARIZATION))

    @property
    def values(self) -> tf.Tensor | dict[str, tf.Tensor]:
        """What a batch is fetched from."""
        x = self.stored.resident
        return x if self.condition is None else {"x": x, "c": self.condition.resident}

    @property
    def odd(self) -> int:
        """Number of examples in the last batch of an epoch where it is shorter than the others, else 0."""
        return len(self.stored) % self.batch_size if self.steps_per_epoch > 1 else 0

    def epoch(self, epoch: tf.Tensor | int) -> tf.data.Dataset:
        """Return the keys of one epoch."""
        steps = self.steps_per_epoch
        return _mapped(tf.data.Dataset.range(steps), lambda k: self._key(tf.cast(epoch, tf.int64) * steps + k))

    def keys_from(self, step: int) -> tf.data.Dataset:
        """Return the keys without end, from a global step on."""
        return _mapped(tf.data.Dataset.counter(start=step), self._key)

    def keys(self, step: int, count: int) -> Key:
        """Return the keys of `count` batches of equal length in one, each with a leading axis, from a step on.

        What stands where the epoch's shorter batch would be, or behind the last example, means nothing.
        """
        short = self.odd and step % self.steps_per_epoch == self.steps_per_epoch - 1
        size = self.odd if short else min(self.batch_size, len(self.stored))
        n, seed = len(self.stored), None if self.seed is None else tf.constant(self.seed, tf.int64)
        first, size, n, batch = (tf.constant(number, tf.int64) for number in (step, size, n, self.batch_size))
        return _keys(first, tf.constant(count, tf.int64), size, n, batch, seed)

    def batches(self, keys: tf.data.Dataset) -> tf.data.Dataset:
        """Return the batches that keys stand for; the data set remembers where they come from."""
        fetch = self.fetch
        data = _mapped(keys, lambda key: fetch(self.values, key)).prefetch(tf.data.AUTOTUNE)
        data.resident = self
        return data

    def _key(self, step: tf.Tensor) -> Key:
        n, start = len(self.stored), step % self.steps_per_epoch * self.batch_size
        size = tf.minimum(n - start, self.batch_size)
        return {name: part[0] for name, part in _stacked(step, 1, size, n, self.batch_size, self.seed).items()}

    def distinct(self) -> np.ndarray:
        """Return every value that x can have, once for pixels: enough to check a support."""
        return np.array([0.0, 1.0], np.float32) if self.binarization.draws else self.stored.distinct


class Resumable(NamedTuple):
    """What a data set of batches that are read as they are needed says of itself, so that training can go on in it."""

    batches_from: Callable[[int], tf.data.Dataset]
    """From a step to the batches without end that begin there."""
    steps_per_epoch: int
    batch_size: int
    start: int | None = None
    """As for a `Resident`."""


def _stacked(first: tf.Tensor, count: Count, size: Count, n: Count, batch_size: Count, seed: Count | None) -> Key:
    per_epoch = -(-n // batch_size)
    step = first + tf.range(count, dtype=tf.int64)  # [S]
    epoch, batch = step // per_epoch, step % per_epoch
    index = tf.minimum(batch[:, None] * batch_size + tf.range(tf.cast(size, tf.int64)), n - 1)  # [S, b]
    if seed is not None:
        epochs = tf.repeat(epoch, size)
        index = tf.reshape(epoch_order(tf.reshape(index, [-1]), seed, epochs, n), tf.shape(index))
    return {"index": index, "epoch": epoch, "batch": batch}


_keys = tf.function(_stacked, autograph=False)


def _mapped(data: tf.data.Dataset, function: Callable) -> tf.data.Dataset:
    """Compute elements in parallel, delivered in order."""
    return data.map(function, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
