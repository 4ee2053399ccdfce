"""The record of a data set: training, validation and test batches."""

import dataclasses
import functools
import hashlib
import itertools
import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import tensorflow as tf

from tfvae.data import _checks
from tfvae.data.binarization import Binarization, require
from tfvae.data.resident import Resident, each_time, epoch_order
from tfvae.data.stored import Stored

SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Splits:
    """A data set as batches `x` of float32 `[b, *shape]`, made by `load`, `from_arrays` or `from_directory`.

    Attributes:
      name: of the data set.
      stored: the examples of "train", "validation" and "test", before any binarisation.
      binarization: what becomes of grey values.
      seed: of the order of the training examples.
      batch_size: examples in a batch; the last batch of an epoch holds the rest.
      labels: for each split an array `[n]`, or `[n, F]` of F factors, in the order of `array(split)`, or None.
      conditions: what comes beside each example in batches {"x": x, "c": c}, `[n, *c]` for each split; see
        `conditioned`. Nothing for most.

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
    conditions: Mapping[str, Stored] = dataclasses.field(default_factory=dict)

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
    def condition_shape(self) -> tuple[int, ...]:
        """Event shape of what comes beside an example, () if nothing does."""
        return self.conditions["train"].values.shape[1:] if self.conditions else ()

    def conditioned(self) -> "Splits":
        """Return the same splits with batches {"x": x, "c": c}, c the label: zeros and ones, `[b, classes]`.

        Raises:
          ValueError: without one label for each example of every split, whole numbers from 0 upwards.

        Example:
          >>> from tfvae import data
          >>> data.load("digits").conditioned().condition_shape
          (10,)
        """
        found = [np.asarray([]) if labels is None else np.asarray(labels) for labels in self.labels.values()]
        if any(one.ndim != 1 or not one.size or one.dtype.kind not in "iu" or one.min() < 0 for one in found):
            raise ValueError(
                "splits must have one label for each example, whole numbers from 0 upwards, to be conditioned on them. "
                f"Received: {self!r} with labels of shapes {[one.shape for one in found]}. Pass labels to "
                "data.from_arrays, or arrays x and c to fit."
            )
        eye = np.eye(max(int(one.max()) for one in found) + 1, dtype=np.float32)
        return dataclasses.replace(self, conditions={s: Stored(eye[one]) for s, one in zip(SPLITS, found, strict=True)})

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
        keys = each_time(itertools.count(), self._train.epoch)
        return self._train.batches(keys.apply(tf.data.experimental.assert_cardinality(self.steps_per_epoch)))

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
        start = _checks.step(step)
        train = dataclasses.replace(self._train, start=start)
        return train.batches(train.keys_from(start))

    def examples(self, split: str) -> np.ndarray | dict[str, np.ndarray]:
        """Return a split as a model takes it: as `array` does, with its conditions, {"x": x, "c": c}, if it has some.

        Example:
          >>> from tfvae import data
          >>> sorted(data.load("digits").conditioned().examples("test"))
          ['c', 'x']
        """
        x = self.array(split)
        return {"x": x, "c": self.conditions[split].values} if self.conditions else x

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
        plain = dataclasses.replace(self, conditions={})
        if split != "train":
            return np.concatenate([x.numpy() for x in getattr(plain, split)])
        n = len(self.stored["train"])
        out = np.empty((n, *self.shape), np.float32)
        order = epoch_order(tf.range(n, dtype=tf.int64), self.seed, tf.constant(0), n).numpy()
        for number, x in enumerate(plain.train_from(0).take(self.steps_per_epoch)):
            out[order[number * self.batch_size : (number + 1) * self.batch_size]] = x
        return out

    @functools.cached_property
    def _train(self) -> Resident:
        stored = self.binarization.once(self.stored["train"], "train")
        condition = self.conditions.get("train")
        return Resident(stored, self.batch_size, self.seed, self.binarization, condition=condition)

    def _in_order(self, split: str) -> tf.data.Dataset:
        stored = self.binarization.once(self.stored[split], split)
        kept = Resident(stored, self.batch_size, condition=self.conditions.get(split))
        return kept.batches(kept.epoch(0))

    def __repr__(self) -> str:
        """Return name, shape, sizes and binarisation in one line."""
        sizes = ", ".join(f"{split} {n}" for split, n in self.sizes.items())
        return f"Splits({self.name!r}, shape {self.shape}, {sizes}, binarization {self.binarization.describe()})"
