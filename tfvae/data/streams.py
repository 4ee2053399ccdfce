"""The record of a data set that stays on the disk: training, validation and test batches, read as they are needed."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import tensorflow as tf

from tfvae.data import _checks
from tfvae.data.binarization import (
    _ONCE,
    _ROWS,
    Binarization,
    DynamicBinarization,
    NoBinarization,
    _bernoulli_once,
    require,
)
from tfvae.data.readers import Reader
from tfvae.data.resident import Resumable, each_time
from tfvae.data.splits import SPLITS


def require_streamed(binarization: Binarization) -> Binarization:
    """Return a binarization that can be drawn while reading, or raise ValueError."""
    if isinstance(require(binarization), (NoBinarization, DynamicBinarization)):
        return binarization
    raise ValueError(
        "the binarization of a stream must be NoBinarization() or DynamicBinarization(): others draw the whole of train"
        f" before training, and a stream never holds the whole. Received: binarization={binarization!r}. Write the "
        "drawn examples to TFRecord files and stream those, or use load, from_arrays or from_directory."
    )


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Stream:
    """A data set on the disk as batches `x` of float32 `[b, *shape]`: `Splits` for what does not fit into memory.

    It is made by `stream`, `stream_tfrecords` or `stream_directory`. The order of the training examples is a function
    of (seed, epoch) alone. Memory holds the names of the files, the shuffle buffer and some batches ahead.

    Attributes:
      name: of the data set.
      readers: of "train", "validation" and "test".
      binarization: what becomes of grey values; a static one is refused.
      seed: of the order of the training examples.
      batch_size: examples in a batch, over all workers; the last batch of an epoch holds the rest.
      worker: (index, count): which part of train is read; see `shard`.

    Raises:
      ValueError: for a bad seed or batch size, or a binarization that draws before training.

    Example:
      >>> import tempfile
      >>> import tensorflow as tf
      >>> from tfvae import data
      >>> folder = tempfile.mkdtemp()
      >>> for i in range(30):
      ...     tf.io.write_file(f"{folder}/{i}.png", tf.io.encode_png(tf.zeros((9, 9, 3), tf.uint8)))
      >>> stream = data.stream_directory(folder, size=(8, 8), batch_size=10)
      >>> stream.sizes, next(iter(stream.train)).shape
      ({'train': 24, 'validation': 3, 'test': 3}, TensorShape([10, 8, 8, 3]))
    """

    name: str
    readers: Mapping[str, Reader]
    binarization: Binarization
    seed: int
    batch_size: int
    worker: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        """Check the arguments and freeze the mapping."""
        require_streamed(self.binarization)
        object.__setattr__(self, "seed", _checks.seed(self.seed))
        object.__setattr__(self, "batch_size", _checks.positive(self.batch_size, "batch_size"))
        object.__setattr__(self, "readers", MappingProxyType({split: self.readers[split] for split in SPLITS}))

    @property
    def shape(self) -> tuple[int, ...]:
        """Event shape of one example."""
        return self.readers["train"].shape

    @property
    def sizes(self) -> dict[str, int]:
        """Number of examples in each split; of "train" those that this worker reads."""
        return {split: len(reader) for split, reader in self.readers.items()}

    @property
    def steps_per_epoch(self) -> int:
        """Number of training batches in an epoch, the same for all workers."""
        return math.ceil(len(self.readers["train"]) / self._rows)

    @functools.cached_property
    def train(self) -> tf.data.Dataset:
        """Training batches, one epoch an iteration: the i-th iteration is epoch i of `train_from(0)`."""
        first = tf.constant(0, tf.int64)
        data = each_time(itertools.count(), lambda epoch: self._epoch(epoch, first))
        return self._resumable(_ready(data, self.steps_per_epoch), None)

    def _resumable(self, data: tf.data.Dataset, start: int | None) -> tf.data.Dataset:
        data.resumable = Resumable(self.train_from, self.steps_per_epoch, self._rows, start)
        return data

    @functools.cached_property
    def validation(self) -> tf.data.Dataset:
        """Validation batches in the order of the files, drawn as those of `Splits` are."""
        return self._in_order("validation")

    @functools.cached_property
    def test(self) -> tf.data.Dataset:
        """Test batches in the order of the files, drawn as those of `Splits` are."""
        return self._in_order("test")

    def train_from(self, step: int) -> tf.data.Dataset:
        """Return the training batches without end, from a global step on, equal bit for bit to an uninterrupted run's.

        `epoch = step // steps_per_epoch`, `batch = step % steps_per_epoch`; no batch spans two epochs. Whole epochs
        are skipped for nothing. Within an epoch, image files are skipped for nothing; TFRecords that come before are
        read from the disk and not parsed, once: at worst one epoch of plain reading.

        Args:
          step: number of batches already trained on.

        Raises:
          ValueError: when step is no int of at least 0.

        Example:
          >>> from tfvae import data
          >>> def third(stream: data.Stream):
          ...     return next(iter(stream.train_from(2)))
        """
        start, batch = divmod(_checks.step(step), self.steps_per_epoch)

        def batches(epoch: tf.Tensor) -> tf.data.Dataset:
            first = tf.where(tf.equal(epoch, start), tf.constant(batch, tf.int64), tf.constant(0, tf.int64))
            return self._epoch(epoch, first)

        data = tf.data.Dataset.counter(start=start).flat_map(batches)
        return self._resumable(_ready(data, tf.data.INFINITE_CARDINALITY), step)

    def shard(self, index: int, count: int) -> "Stream":
        """Return the stream of one of `count` workers, which reads its own part of the training files only.

        The parts are neighbouring examples of the list of files, as many for each worker up to one; they are disjoint,
        and together they are train. A batch holds `batch_size / count` examples, so that the k-th batches of all
        workers together have `batch_size`. They are not the batches of one process, which mix all files; those come
        from `train` itself, of which a strategy of TensorFlow gives each worker its share at the price that each reads
        all. Validation and test stay whole.

        Args:
          index: which worker, from 0.
          count: how many workers.

        Raises:
          ValueError: for an index or a count out of range, a stream that is one worker's already, a batch size that
            `count` does not divide, or an epoch whose last batch has fewer examples than there are workers.

        Example:
          >>> import tensorflow as tf
          >>> from tfvae import data
          >>> def distributed(stream: data.Stream, strategy: tf.distribute.Strategy):
          ...     return strategy.distribute_datasets_from_function(
          ...         lambda worker: stream.shard(worker.input_pipeline_id, worker.num_input_pipelines).train_from(0))
        """
        count = _checks.positive(count, "count")
        self._check_shard(index, count)
        train = self.readers["train"]
        start, stop = (len(train) * i // count for i in (index, index + 1))
        readers = {**self.readers, "train": train.cut(start, stop)}
        return dataclasses.replace(self, readers=readers, worker=(int(index), count))

    def _check_shard(self, index: int, count: int) -> None:
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)) or not 0 <= index < count:
            raise ValueError(
                f"index must be an int in 0..count - 1. Received: index={index!r}, count={count}. "
                "Use the number of the worker, counted from 0."
            )
        if self.worker != (0, 1):
            raise ValueError(
                f"a stream is sharded once. Received: the stream of worker {self.worker[0]} of {self.worker[1]}. "
                "Call shard on the whole stream."
            )
        rest = len(self.readers["train"]) % self.batch_size
        if self.batch_size % count or 0 < rest < count:
            raise ValueError(
                "batch_size must be a multiple of count, and the last batch of an epoch must hold at least one example "
                f"for each worker. Received: batch_size={self.batch_size}, count={count}, a last batch of "
                f"{rest or self.batch_size}. Choose another batch_size."
            )

    @property
    def _rows(self) -> int:
        """Examples in a batch of this worker."""
        return self.batch_size // self.worker[1]

    def _epoch(self, epoch: tf.Tensor, first: tf.Tensor) -> tf.data.Dataset:
        """Return the batches of an epoch from the batch `first` on."""
        index, count = self.worker
        check, draw = self._checked, self.binarization.each_batch
        examples = self.readers["train"].shuffled(self.seed, epoch, first * self._rows)
        # Each worker's batches have numbers of their own, or two workers would draw with the same noise.
        batches = examples.batch(self._rows).enumerate(start=first)
        return batches.map(lambda batch, x: draw(check(x), epoch, batch * count + index))

    def _in_order(self, split: str) -> tf.data.Dataset:
        reader = self.readers[split]
        data = reader.in_order()
        if isinstance(self.binarization, DynamicBinarization):
            seed = self.binarization.seed
            blocks = data.batch(_ROWS).enumerate()  # the blocks in which `Splits` draws, so that the draws are the same
            drawn = blocks.map(lambda block, x: _bernoulli_once(self._checked(x), seed, _ONCE[split], block))
            data = drawn.rebatch(self.batch_size)
        else:
            data = data.batch(self.batch_size).map(self._checked)
        return _ready(data, math.ceil(len(reader) / self.batch_size))

    def _checked(self, x: tf.Tensor) -> tf.Tensor:
        """Return a batch x `[b, *shape]` that the binarization can take."""
        low, high = (0.0, 1.0) if self.binarization.draws else (x.dtype.min, x.dtype.max)
        fits = tf.reduce_all((x >= low) & (x <= high))  # false for NaN too
        words = f"values of {self.name!r} must be finite and, to be drawn, lie in [0, 1]. Received: values in"
        received = [words, tf.reduce_min(x), tf.reduce_max(x), f"under {self.binarization!r}. Scale them in parse."]
        with tf.control_dependencies([tf.debugging.Assert(fits, received)]):
            return tf.identity(x)

    def __repr__(self) -> str:
        """Return name, shape, sizes, binarisation and, if it is one of several, the worker in one line."""
        sizes = ", ".join(f"{split} {n}" for split, n in self.sizes.items())
        worker = "" if self.worker == (0, 1) else f", worker {self.worker[0]} of {self.worker[1]}"
        return (
            f"Stream({self.name!r}, shape {self.shape}, {sizes}, binarization {self.binarization.describe()}{worker})"
        )


def _ready(data: tf.data.Dataset, cardinality: int) -> tf.data.Dataset:
    """Return batches read ahead; a strategy gives each worker its share of every batch."""
    options = tf.data.Options()
    # Sharding by file would rewrite what an epoch is: then neither order nor batches were those of one process.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    data = data.apply(tf.data.experimental.assert_cardinality(cardinality))
    # Two batches ahead, because an automatic number grows into half of the memory.
    return data.prefetch(2).with_options(options)
