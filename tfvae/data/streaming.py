"""Streams: data sets that stay on the disk."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfvae.data import _checks
from tfvae.data.arrays import _hold_out
from tfvae.data.binarization import NO_BINARIZATION, Binarization
from tfvae.data.directory import _image_files
from tfvae.data.loaders import _source
from tfvae.data.prepared import DatasetNotAvailable, prepared_builder
from tfvae.data.readers import Images
from tfvae.data.records import Part, Records, check_parse, counted
from tfvae.data.sources import Prepared
from tfvae.data.splits import SPLITS
from tfvae.data.stored import Stored
from tfvae.data.streams import Stream, require_streamed

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
Parts = dict[str, list[Part]]


def _streamable(name: str) -> Prepared:
    source = _source(name)
    if isinstance(source, Prepared) and source.order is np.arange and source.evaluation_order is np.arange:
        return source
    raise ValueError(
        "name must be a set that is split in the order of its files (mnist, fashion_mnist, cifar10, celeb_a). "
        f"Received: name={name!r}, which is {'permuted' if isinstance(source, Prepared) else 'in no files'}. "
        f"Use load({name!r}): it fits into memory."
    )


def _prepared_parts(name: str, source: Prepared, data_dir: str | None) -> tuple[Parts, Callable]:
    """Return the records of the splits, and the function that decodes the features of one."""
    builder = prepared_builder(name, source.tfds_name, data_dir)
    parts: Parts = {}
    for split, stored in {"train": "train", "validation": source.validation, "test": "test"}.items():
        if stored is not None:
            info = builder.info.splits[stored]
            files = [os.fspath(file) for file in info.filepaths]
            parts[split] = [Part(f, 0, n) for f, n in zip(files, info.shard_lengths, strict=True)]
    files = [part.file for many in parts.values() for part in many]
    missing = [file for file in files if not Path(file).is_file()]
    form = builder.info.file_format.value
    if missing or form != "tfrecord" or (source.held_out and len(parts["train"]) > 1):
        raise DatasetNotAvailable(
            "a prepared set must be TFRecord files, all there, and in one file where train is to be divided. Received: "
            f"{name} in {builder.data_dir}, format {form}, train in {len(parts['train'])} files, missing {missing}. "
            f"Delete that folder and prepare it again, or use load({name!r})."
        )
    return parts, builder.info.features.deserialize_example


def stream(
    name: str,
    *,
    batch_size: int = 128,
    binarization: Binarization | None = None,
    seed: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
    buffer: int = 4096,
) -> Stream:
    """Return a data set of `load` that stays on the disk, with the same splits, images and default binarization.

    Those whose splits follow the order of the files can be streamed: mnist, fashion_mnist, cifar10 and celeb_a.

    Args:
      name: of the data set.
      batch_size: examples in a batch.
      binarization: what becomes of grey values; None means the default of the data set.
      seed: of the order of the training examples.
      data_dir: folder of `tensorflow_datasets`; without it the environment variable TFDS_DATA_DIR, then its default.
      buffer: encoded training examples held to shuffle them.

    Raises:
      ValueError: for a name that is unknown or no stream, a static binarization, or a bad batch size, seed, buffer or
        data_dir.
      DatasetNotAvailable: when the set is neither prepared nor downloadable, or files are missing.

    Example:
      >>> from tfvae import data
      >>> def train(model):
      ...     celebrities = data.stream("celeb_a", batch_size=64)
      ...     model.fit(celebrities.train, validation_data=celebrities.validation)
    """
    source = _streamable(name)
    chosen = require_streamed(source.binarization if binarization is None else binarization)
    _check_options(seed, batch_size, buffer)
    folder = None if data_dir is None else _checks.path(data_dir, "data_dir")
    parts, decode = _prepared_parts(name, source, folder)

    def parse(record: tf.Tensor) -> tf.Tensor:
        return tf.cast(source.image(decode(record)["image"]), tf.float32) / source.divisor

    if "validation" not in parts:
        ((file, start, stop),) = parts["train"]
        middle = stop - source.held_out
        parts |= {"train": [Part(file, start, middle)], "validation": [Part(file, middle, stop)]}
    image = tf.data.TFRecordDataset(parts["train"][0].file).map(parse)
    shape = tuple(image.element_spec.shape)
    return Stream(name, _records(parts, parse, shape, buffer), chosen, seed, batch_size)


def stream_tfrecords(
    train: Paths,
    validation: Paths | None = None,
    test: Paths | None = None,
    *,
    parse: Callable[[tf.Tensor], tf.Tensor],
    shape: tuple[int, ...],
    name: str = "tfrecords",
    batch_size: int = 128,
    binarization: Binarization = NO_BINARIZATION,
    seed: int = 0,
    buffer: int = 4096,
) -> Stream:
    """Return a user's own TFRecord files as a stream.

    The records are counted here, which reads the 12 bytes before each. In training the files come in a new order every
    epoch, 16 are read by turns, and their records pass through a shuffle buffer: write the examples in no order, or
    into many files, since a file sorted by class is mixed over `buffer` records only.

    Args:
      train: paths of files, not compressed.
      validation: likewise; when missing, the tenth before the last of the records of every file of train.
      test: likewise; when missing, the last tenth.
      parse: function from one record, a string scalar, to one example, in TensorFlow's operations; uint8 is taken for
        pixels and divided by 255, all else is kept, as float32.
      shape: of an example.
      name: of the data set.
      batch_size: examples in a batch.
      binarization: what becomes of grey values; a dynamic one needs values in [0, 1] after scaling.
      seed: of the order of the training examples.
      buffer: records held to shuffle them.

    Raises:
      FileNotFoundError: for a path that is no file.
      ValueError: for no files, one file in two splits, one that is no whole TFRecord file (the message names it), a
        parse that fails or returns another shape, too few records, a static binarization, or a bad batch size, seed or
        buffer.

    Example:
      >>> import tempfile
      >>> import tensorflow as tf
      >>> from tfvae import data
      >>> file = tempfile.mkdtemp() + "/x.tfrecord"
      >>> with tf.io.TFRecordWriter(file) as writer:
      ...     for i in range(50):
      ...         writer.write(bytes([i] * 6))
      >>> parse = lambda record: tf.reshape(tf.io.decode_raw(record, tf.uint8), (3, 2))
      >>> data.stream_tfrecords(file, parse=parse, shape=(3, 2)).sizes
      {'train': 40, 'validation': 5, 'test': 5}
    """
    require_streamed(binarization)
    _check_options(seed, batch_size, buffer)
    if not callable(parse):
        raise ValueError(
            "parse must be a function from a record to one example. "
            f"Received: parse={parse!r}. Use for example lambda record: tf.io.decode_raw(record, tf.uint8)."
        )
    given = {"train": train, "validation": validation, "test": test}
    files = {split: _files(paths, split) for split, paths in given.items() if paths is not None}
    _check_apart([file for many in files.values() for file in many])
    parts = {split: [counted(file) for file in many] for split, many in files.items()}
    _hold_out_records(parts)
    readers = _records(parts, parse, _shape(shape), buffer)
    for reader in readers.values():
        check_parse(reader)
    return Stream(name, readers, binarization, seed, batch_size)


def stream_directory(
    folder: str | os.PathLike[str],
    *,
    size: tuple[int, int],
    channels: int = 3,
    batch_size: int = 128,
    binarization: Binarization = NO_BINARIZATION,
    seed: int = 0,
) -> Stream:
    """Return the image files of a folder as a stream: the splits and images of `from_directory`, decoded when needed.

    A file that is no image is found when its turn comes: the error then is TensorFlow's `InvalidArgumentError`, and
    its message names the file.

    Args:
      folder: path.
      size: (height, width) in pixels.
      channels: 3 for colour, 1 for grey (luminance).
      batch_size: examples in a batch.
      binarization: what becomes of grey values.
      seed: of the order of the training examples.

    Raises:
      FileNotFoundError: for a missing folder or one without image files.
      ValueError: for too few images, a static binarization, or a bad size, channels, batch size or seed.

    Example:
      >>> from tfvae import data
      >>> def train(model):
      ...     photographs = data.stream_directory("photographs", size=(64, 64))
      ...     model.fit(photographs.train, validation_data=photographs.validation)
    """
    size, channels = _checks.size(size), _checks.channels(channels)
    require_streamed(binarization)
    _check_options(seed, batch_size)
    files = [str(file) for file in _image_files(folder)]
    index = {"train": Stored(np.arange(len(files)))}
    _hold_out(index, {})  # of the numbers of the files
    readers = {split: Images(tuple(files[i] for i in index[split].values), size, channels) for split in SPLITS}
    return Stream(Path(folder).resolve().name, readers, binarization, seed, batch_size)


def _check_options(seed: int, batch_size: int, buffer: int = 1) -> None:
    """Refuse bad options before a file is opened."""
    _checks.seed(seed)
    _checks.positive(batch_size, "batch_size")
    _checks.positive(buffer, "buffer")


def _records(parts: Parts, parse: Callable, shape: tuple[int, ...], buffer: int) -> dict[str, Records]:
    return {split: Records(tuple(parts[split]), parse, shape, buffer) for split in SPLITS}


def _shape(value: Iterable[int]) -> tuple[int, ...]:
    try:
        return tuple(_checks.positive(side, "shape") for side in value)
    except (TypeError, ValueError):
        raise ValueError(
            f"shape must be a tuple of ints of at least 1. Received: shape={value!r}. Use for example (28, 28, 1)."
        ) from None


def _files(paths: Paths, name: str) -> list[str]:
    many = [paths] if isinstance(paths, (str, os.PathLike)) or not isinstance(paths, Iterable) else paths
    files = [_checks.path(file, name) for file in many]
    if not files:
        raise ValueError(
            f"{name} must name at least one file. Received: {name}={paths!r}. Check the pattern that listed them."
        )
    for file in files:
        if not Path(file).is_file():
            raise FileNotFoundError(f"{name} must name files that exist. Received: file={file!r}. Check the path.")
    return files


def _check_apart(files: list[str]) -> None:
    for file in files:
        if files.count(file) > 1:
            raise ValueError(
                f"each file must be named once, in one split. Received: file={file!r} {files.count(file)} times. "
                "Leave validation and test out to hold out records of train."
            )


def _hold_out_records(parts: Parts) -> None:
    """Move a tenth of the records of each file of train to each split that is missing, in place."""
    missing = [split for split in SPLITS if split not in parts]
    kept: list[Part] = []
    for split in missing:
        parts[split] = []
    for file, start, stop in parts["train"]:
        tenth = (stop - start) // 10
        for split in reversed(missing):
            if tenth:
                parts[split].append(Part(file, stop - tenth, stop))
            stop -= tenth
        kept.append(Part(file, start, stop))
    parts["train"] = kept
    for split, many in parts.items():
        parts[split] = [part for part in many if part.stop > part.start]
        if not parts[split]:
            raise ValueError(
                f"each split must hold a record. Received: none for {split}, from {len(kept)} files of train. Pass "
                "files with records; a tenth is held out of files that hold at least 10."
            )
