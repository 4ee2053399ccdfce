"""Examples in TFRecord files: counted once, then read from the disk in every epoch."""

import dataclasses
import functools
import glob
import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.data.prepared import _cause
from tfvae.data.readers import Reader, as_float
from tfvae.data.resident import epoch_order

_AT_ONCE = 16  # files read by turns, so that neighbours in a file are no neighbours in an epoch
_WHOLE = "TFRecord files must be whole and not compressed. Received: file="
_CURE = " Write that file again."


class Part(NamedTuple):
    """The records start..stop-1 of a file."""

    file: str
    start: int
    stop: int


def counted(file: str) -> Part:
    """Return all records of a file, told from the lengths before them; their contents are not read.

    Raises:
      ValueError: when the lengths do not end where the file does.
    """
    size, position, n = os.path.getsize(file), 0, 0
    with open(file, "rb") as stream:
        while position < size:
            header = stream.read(12)  # the length of the record, and its checksum
            # 12 bytes before and 4 after each record, the layout of TFRecord.
            end = position + 16 + int.from_bytes(header[:8], "little")
            if len(header) < 12 or end > size:
                raise ValueError(
                    f"{_WHOLE}{file!r}, where record {n} at byte {position} does not fit into {size} bytes.{_CURE}"
                )
            position, n = stream.seek(end), n + 1
    return Part(file, 0, n)


def _shuffle(data: tf.data.Dataset, buffer: int, seed: int, epoch: tf.Tensor) -> tf.data.Dataset:
    """Shuffle through a buffer, keyed by (seed, epoch)."""
    # Dataset.shuffle would mix in TensorFlow's global seed. The pair (0, 0) means "at random", hence epoch + 1.
    variant = tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(data),
        buffer_size=buffer,
        seed=seed,
        seed2=tf.cast(epoch, tf.int64) + 1,
        output_types=[spec.dtype for spec in data.element_spec],
        output_shapes=[spec.shape for spec in data.element_spec],
        reshuffle_each_iteration=False,
    )
    return tf.data.experimental.from_variant(variant, data.element_spec)


@dataclasses.dataclass(frozen=True, eq=False)
class Records(Reader):
    """Records of TFRecord files.

    Attributes:
      parts: which records of which files.
      parse: function from one record, a string scalar, to one example.
      event: its shape.
      buffer: records held to shuffle them.
    """

    parts: tuple[Part, ...]
    parse: Callable[[tf.Tensor], tf.Tensor]
    event: tuple[int, ...]
    buffer: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Event shape of one example."""
        return self.event

    def __len__(self) -> int:
        """Return the number of records."""
        return sum(part.stop - part.start for part in self.parts)

    def cut(self, start: int, stop: int) -> "Records":
        """Return a reader of the records start..stop-1, counted through the parts."""
        kept, first = [], 0
        for part in self.parts:
            low, high = max(start - first, 0), min(stop - first, part.stop - part.start)
            if low < high:
                kept.append(Part(part.file, part.start + low, part.start + high))
            first += part.stop - part.start
        return dataclasses.replace(self, parts=tuple(kept))

    def in_order(self) -> tf.data.Dataset:
        """Return the examples, one file after the other."""
        return self._parsed(tf.data.Dataset.range(len(self.parts)).flat_map(self._records))

    def shuffled(self, seed: int, epoch: tf.Tensor, skip: tf.Tensor) -> tf.data.Dataset:
        """Return the examples of an epoch: files in a new order, read by turns, through a shuffle buffer.

        Those skipped are read from the disk and not parsed.
        """
        m = len(self.parts)
        order = tf.data.Dataset.range(m).map(lambda position: epoch_order(position, seed, epoch, m))
        records = order.interleave(
            self._records, cycle_length=min(m, _AT_ONCE), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
        return self._parsed(_shuffle(records, self.buffer, seed, epoch).skip(skip))

    @functools.cached_property
    def _table(self) -> tuple[tf.Tensor, ...]:
        """Files, their names as patterns, starts and stops, each `[parts]`."""
        files, starts, stops = zip(*self.parts, strict=True)
        with tf.init_scope(), tf.device("CPU:0"):
            patterns = [glob.escape(file) for file in files]
            return (
                tf.constant(files),
                tf.constant(patterns),
                tf.constant(starts, tf.int64),
                tf.constant(stops, tf.int64),
            )

    def _records(self, number: tf.Tensor) -> tf.data.Dataset:
        """Return the records of a part as pairs (record, number); where one is damaged, pairs (..., -1 - number)."""
        file, pattern, start, stop = (tf.gather(column, number) for column in self._table)
        # Ignoring errors, as below, would try to open a file that has gone for ever.
        there = tf.size(tf.io.matching_files(pattern)) > 0
        gone = tf.debugging.Assert(there, [_WHOLE, file, ", which is not there any more.", _CURE])
        with tf.control_dependencies([gone]):
            records = tf.data.TFRecordDataset(tf.identity(file)).skip(start)
        # TensorFlow's own error does not name the file, so it is left out and a mark stands for every record missing.
        mark = tf.data.Dataset.from_tensors(("", -1 - number)).repeat()
        whole = records.map(lambda record: (record, number)).ignore_errors()
        return whole.concatenate(mark).take(stop - start)

    def _parsed(self, records: tf.data.Dataset) -> tf.data.Dataset:
        return records.map(self._example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    def _example(self, record: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        file = tf.gather(self._table[0], tf.maximum(number, -1 - number))
        whole = tf.debugging.Assert(number >= 0, [_WHOLE, file, ", in which a record is damaged.", _CURE])
        with tf.control_dependencies([whole]):
            x = as_float(tf.convert_to_tensor(self.parse(tf.identity(record))))
        words = f"parse must return tensors of shape {self.event}. Received: one of shape"
        # Compared as text, because shapes of unequal ranks have no element-wise comparison.
        same = tf.equal(
            tf.strings.format("{}", tf.shape(x)), tf.strings.format("{}", tf.constant(self.event, tf.int32))
        )
        with tf.control_dependencies([tf.debugging.Assert(same, [words, tf.shape(x), "from file", file])]):
            return tf.ensure_shape(tf.identity(x), self.event)


def check_parse(reader: Records) -> None:
    """Parse the first record, so that a function that does not fit is refused before training.

    Raises:
      ValueError: when parse fails, or returns something else than one tensor of numbers of the stated shape.
    """
    part = reader.parts[0]
    record = tf.data.TFRecordDataset(part.file).skip(part.start).take(1)
    try:
        example = next(iter(record.map(reader.parse)))
    except tf.errors.DataLossError:
        raise ValueError(f"{_WHOLE}{part.file!r}, in which a record is damaged.{_CURE}") from None
    except Exception as error:  # whatever a user's function may raise
        # An error of Python ends a page about user code, one of TensorFlow begins its own.
        cause = _cause(error) if isinstance(error, tf.errors.OpError) else str(error).strip().splitlines()[-1].strip()
        raise ValueError(
            "parse must be a function from a record (a string scalar) to one example, in TensorFlow's operations. "
            f"Received: parse={reader.parse!r}, which fails on record {part.start} of {part.file!r} with "
            f"{cause}. Try it on next(iter(tf.data.TFRecordDataset(file)))."
        ) from None
    if not isinstance(example, tf.Tensor) or not (
        example.dtype.is_floating or example.dtype.is_integer or example.dtype.is_bool
    ):
        raise ValueError(
            "parse must return one tensor of real numbers, x alone. "
            f"Received: {getattr(example, 'dtype', type(example))!r} from {part.file!r}. Leave labels out, and decode "
            "strings, for example with tf.io.decode_raw(record, tf.uint8)."
        )
    if tuple(example.shape) != reader.shape:
        raise ValueError(
            f"parse must return tensors of shape {reader.shape}. Received: one of shape {tuple(example.shape)} from "
            f"record {part.start} of {part.file!r}. Pass that as shape=, or reshape in parse."
        )
    if not np.isfinite(as_float(example)).all():
        raise ValueError(
            f"parse must return finite numbers. Received: some that are not from record {part.start} of {part.file!r}."
            " Remove those examples or impute the values."
        )
