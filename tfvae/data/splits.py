"""The record of a data set: training, validation and test batches."""

import dataclasses
import functools
import hashlib
import itertools
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import tensorflow as tf

from tfvae.data import _checks
from tfvae.data.binarization import Binarization, require
from tfvae.data.stored import Stored

SPLITS = ("train", "validation", "test")
# TensorFlow's `index_shuffle` fixes 4 rounds, and then the orders of two epochs of 50000 examples correlate by 0.7.
_ROUNDS = 24


def _epoch_order(position: tf.Tensor, seed: int, epoch: tf.Tensor, n: int) -> tf.Tensor:
    """Return which example stands at each position [b] of an epoch: a permutation of 0..n-1 keyed by (seed, epoch)."""
    key = tf.stack([tf.constant(0, tf.int64), tf.constant(seed, tf.int64), tf.cast(epoch, tf.int64)])
    last = tf.constant(n - 1, tf.int64)
    return tf.raw_ops.RandomIndexShuffle(index=position, seed=key, max_index=last, rounds=_ROUNDS)


def _mapped(data: tf.data.Dataset, function: Callable[[tf.Tensor], tf.Tensor]) -> tf.data.Dataset:
    """Compute batches in parallel, delivered in order."""
    return data.map(function, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Splits:
    """A data set as batches `x` of float32 `[b, *shape]`, made by `load`, `from_arrays` or `from_directory`.

    Attributes:
      name: of the data set.
      stored: the examples of "train", "validation" and "test", before any binarisation.
      binarization: what becomes of grey values.
      seed: of the order of the training examples.
      batch_size: examples in a batch; the last batch of an epoch holds the rest.
      labels: for each split an array `[n]` in the order of `array(split)`, or None.

    Raises:
      ValueError: for a bad seed or batch size, or values outside [0, 1] under a binarization that draws.

    Example:
      >>> from tfvae import data
      >>> digits = data.load("digits")
      >>> digits.sizes
      {'train': 1257, 'validation': 270, 'test': 270}
      >>> next(iter(digits.train)).shape
      TensorShape([128, 8, 8, 1])
    """

    name: str
    stored: Mapping[str, Stored]
    binarization: Binarization
    seed: int
    batch_size: int
    labels: Mapping[str, np.ndarray | None]

    def __post_init__(self) -> None:
        """Check the arguments and freeze the mappings."""
        require(self.binarization)
        object.__setattr__(self, "seed", _checks.seed(self.seed))
        object.__setattr__(self, "batch_size", _checks.positive(self.batch_size, "batch_size"))
        object.__setattr__(self, "stored", MappingProxyType({split: self.stored[split] for split in SPLITS}))
        object.__setattr__(self, "labels", MappingProxyType({split: self.labels.get(split) for split in SPLITS}))
        if self.binarization.draws:
            self._check_probabilities()

    def _check_probabilities(self) -> None:
        for split, stored in self.stored.items():
            low, high = stored.values.min() / stored.divisor, stored.values.max() / stored.divisor
            if low < 0.0 or high > 1.0:
                raise ValueError(
                    f"values must lie in [0, 1], the probability of a one, to be drawn by {self.binarization!r}. "
                    f"Received: {split} with values in [{low:g}, {high:g}]. Use binarization=NoBinarization(), "
                    "or divide the array by its largest possible value first (uint8 arrays are divided by 255)."
                )

    @property
    def shape(self) -> tuple[int, ...]:
        """Event shape of one example."""
        return self.stored["train"].values.shape[1:]

    @property
    def sizes(self) -> dict[str, int]:
        """Number of examples in each split."""
        return {split: len(stored) for split, stored in self.stored.items()}

    @property
    def steps_per_epoch(self) -> int:
        """Number of training batches in an epoch."""
        return math.ceil(len(self.stored["train"]) / self.batch_size)

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 in hexadecimal over the stored values, types, divisors and shapes of all splits."""
        digest = hashlib.sha256()
        for split, stored in self.stored.items():
            values = np.ascontiguousarray(stored.values)
            digest.update(f"{split} {values.dtype.str} {values.shape} {stored.divisor}\n".encode())
            digest.update(values.data)
        return digest.hexdigest()

    @functools.cached_property
    def train(self) -> tf.data.Dataset:
        """Training batches, one epoch an iteration: the i-th iteration is epoch i of `train_from(0)`."""
        epochs = itertools.count()

        def next_epoch(_: tf.Tensor) -> tf.Tensor:
            # A Python counter, because it depends neither on TensorFlow's global seed nor on a distribution strategy.
            epoch = tf.numpy_function(lambda: np.int64(next(epochs)), [], tf.int64)
            return tf.ensure_shape(epoch, [])

        def batches(epoch: tf.Tensor) -> tf.data.Dataset:
            return _mapped(tf.data.Dataset.range(self.steps_per_epoch), lambda batch: self._batch(epoch, batch))

        data = tf.data.Dataset.range(1).map(next_epoch).flat_map(batches)
        return data.apply(tf.data.experimental.assert_cardinality(self.steps_per_epoch)).prefetch(tf.data.AUTOTUNE)

    @functools.cached_property
    def validation(self) -> tf.data.Dataset:
        """Validation batches in a fixed order."""
        return self._in_order("validation")

    @functools.cached_property
    def test(self) -> tf.data.Dataset:
        """Test batches in a fixed order."""
        return self._in_order("test")

    def train_from(self, step: int) -> tf.data.Dataset:
        """Return the training batches without end, from a global step on, equal bit for bit to an uninterrupted run's.

        `epoch = step // steps_per_epoch`, `batch = step % steps_per_epoch`; no batch spans two epochs.

        Args:
          step: number of batches already trained on.

        Raises:
          ValueError: when step is no int of at least 0.

        Example:
          >>> from tfvae import data
          >>> digits = data.load("digits")
          >>> *_, third = digits.train_from(0).take(3)
          >>> bool((third.numpy() == next(iter(digits.train_from(2))).numpy()).all())
          True
        """
        steps = self.steps_per_epoch
        counter = tf.data.Dataset.counter(start=_checks.step(step))
        return _mapped(counter, lambda k: self._batch(k // steps, k % steps)).prefetch(tf.data.AUTOTUNE)

    def array(self, split: str) -> np.ndarray:
        """Return a split as the model sees it, float32 `[n, *shape]`, in the order of its labels.

        "validation" and "test" hold exactly the values of their batches; "train" those of epoch 0, put back in order.

        Raises:
          ValueError: when split is not "train", "validation" or "test".

        Example:
          >>> from tfvae import data
          >>> data.load("digits").array("test").shape
          (270, 8, 8, 1)
        """
        if split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS}. Received: split={split!r}. Use for example 'test'.")
        if split != "train":
            return np.concatenate([x.numpy() for x in getattr(self, split)])
        n = len(self.stored["train"])
        out = np.empty((n, *self.shape), np.float32)
        order = _epoch_order(tf.range(n, dtype=tf.int64), self.seed, tf.constant(0), n).numpy()
        for number, x in enumerate(self.train_from(0).take(self.steps_per_epoch)):
            out[order[number * self.batch_size : (number + 1) * self.batch_size]] = x
        return out

    @functools.cached_property
    def _train(self) -> Stored:
        return self.binarization.once(self.stored["train"], "train")

    def _batch(self, epoch: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
        n = len(self._train)
        order = _epoch_order(self._positions(batch, n), self.seed, epoch, n)  # [b]
        return self.binarization.each_batch(self._train.gather(order), epoch, batch)  # [b, *shape]

    def _in_order(self, split: str) -> tf.data.Dataset:
        stored = self.binarization.once(self.stored[split], split)
        batches = tf.data.Dataset.range(math.ceil(len(stored) / self.batch_size))
        data = _mapped(batches, lambda batch: stored.gather(self._positions(batch, len(stored))))
        return data.prefetch(tf.data.AUTOTUNE)

    def _positions(self, batch: tf.Tensor, n: int) -> tf.Tensor:
        start = batch * self.batch_size
        return tf.range(start, tf.minimum(start + self.batch_size, n))

    def __repr__(self) -> str:
        """Return name, shape, sizes and binarisation in one line."""
        sizes = ", ".join(f"{split} {n}" for split, n in self.sizes.items())
        return f"Splits({self.name!r}, shape {self.shape}, {sizes}, binarization {self.binarization.describe()})"
