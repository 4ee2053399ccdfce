"""Examples that stay in memory as they are stored, and are gathered, scaled and drawn where they are needed.

A batch is a key: which examples, of which epoch, the how manyth of it. Keys travel through `tf.data`; what they stand
for is fetched inside a compiled training step, or in a `map` by everybody else. Both run the same function.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.data.binarization import NO_BINARIZATION, Binarization
from tfvae.data.stored import Stored

Key = dict[str, tf.Tensor]
# TensorFlow's `index_shuffle` fixes 4 rounds, and then the orders of two epochs of 50000 examples correlate by 0.7.
_ROUNDS = 24


def epoch_order(position: tf.Tensor, seed: int, epoch: tf.Tensor, n: int) -> tf.Tensor:
    """Return which example stands at each position [b] of an epoch: a permutation of 0..n-1 keyed by (seed, epoch)."""
    key = tf.stack([tf.constant(0, tf.int64), tf.constant(seed, tf.int64), tf.cast(epoch, tf.int64)])
    last = tf.constant(n - 1, tf.int64)
    return tf.raw_ops.RandomIndexShuffle(index=position, seed=key, max_index=last, rounds=_ROUNDS)


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


@dataclasses.dataclass(frozen=True, eq=False)
class Resident:
    """One split as keys to its batches.

    Attributes:
      stored: the examples.
      batch_size: examples in a batch; the last one of an epoch holds the rest.
      seed: of the order, which differs between epochs; None keeps the order of `stored`.
      binarization: what is drawn when a batch is fetched.
      start: the step at which an endless stream of keys begins; None where a model may begin at its own step.
    """

    stored: Stored
    batch_size: int
    seed: int | None = None
    binarization: Binarization = NO_BINARIZATION
    start: int | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return math.ceil(len(self.stored) / self.batch_size)

    @property
    def fetch(self) -> Fetch:
        """What turns a key into a batch."""
        return Fetch(self.stored.divisor, self.binarization)

    def epoch(self, epoch: tf.Tensor | int) -> tf.data.Dataset:
        """Return the keys of one epoch."""
        return _mapped(tf.data.Dataset.range(self.steps_per_epoch), functools.partial(self._key, epoch))

    def keys_from(self, step: int) -> tf.data.Dataset:
        """Return the keys without end, from a global step on."""
        steps = self.steps_per_epoch
        counter = tf.data.Dataset.counter(start=step)
        return _mapped(counter, lambda k: self._key(k // steps, k % steps)).prefetch(tf.data.AUTOTUNE)

    def batches(self, keys: tf.data.Dataset) -> tf.data.Dataset:
        """Return the batches that keys stand for; the data set remembers where they come from."""
        fetch = self.fetch
        data = _mapped(keys, lambda key: fetch(self.stored.resident, key)).prefetch(tf.data.AUTOTUNE)
        data.resident = self
        return data

    def _key(self, epoch: tf.Tensor | int, batch: tf.Tensor) -> Key:
        n = len(self.stored)
        start = batch * self.batch_size
        index = tf.range(start, tf.minimum(start + self.batch_size, n))  # [b]
        if self.seed is not None:
            index = epoch_order(index, self.seed, tf.convert_to_tensor(epoch), n)
        return {"index": index, "epoch": tf.cast(epoch, tf.int64), "batch": batch}

    def distinct(self) -> np.ndarray:
        """Return every value that x can have, once for pixels: enough to check a support."""
        if self.binarization.draws:
            return np.array([0.0, 1.0], np.float32)
        values = self.stored.values
        if values.dtype == np.uint8:
            values = np.flatnonzero(np.bincount(values.ravel(), minlength=256))
        return values / np.float32(self.stored.divisor)


class Resumable(NamedTuple):
    """What a data set of batches that are read as they are needed says of itself, so that training can go on in it."""

    batches_from: Callable[[int], tf.data.Dataset]
    """From a step to the batches without end that begin there."""
    steps_per_epoch: int
    batch_size: int
    start: int | None = None
    """As for a `Resident`."""


def _mapped(data: tf.data.Dataset, function: Callable) -> tf.data.Dataset:
    """Compute elements in parallel, delivered in order."""
    return data.map(function, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
