"""Examples read from files one after another, in an order that is a function of (seed, epoch) alone."""

import abc
import dataclasses
import functools
from collections.abc import Callable

import tensorflow as tf

from tfvae.data.directory import SUFFIXES, _decoded
from tfvae.data.resident import epoch_order


def as_float(x: tf.Tensor) -> tf.Tensor:
    """Return pixels (uint8) divided by 255 and all else as it is, float32: the rule of `from_arrays`."""
    return tf.cast(x, tf.float32) / 255.0 if x.dtype == tf.uint8 else tf.cast(x, tf.float32)


class Reader(abc.ABC):
    """The examples of one split, in files. Nothing is read before a data set is iterated."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Event shape of one example."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """Return the number of examples."""

    @abc.abstractmethod
    def cut(self, start: int, stop: int) -> "Reader":
        """Return a reader of the examples start..stop-1, which opens none but their files."""

    @abc.abstractmethod
    def in_order(self) -> tf.data.Dataset:
        """Return the examples, float32 `[*shape]`, in the order of the files."""

    @abc.abstractmethod
    def shuffled(self, seed: int, epoch: tf.Tensor, skip: tf.Tensor) -> tf.data.Dataset:
        """Return the examples of an epoch in its order, without the first `skip` (int64 scalars)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Images(Reader):
    """Image files, decoded when their turn comes.

    Attributes:
      files: paths; this list is all that stays in memory.
      size: (height, width) that images are stretched to.
      channels: 3 for colour, 1 for grey.
    """

    files: tuple[str, ...]
    size: tuple[int, int]
    channels: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Event shape of one example."""
        return (*self.size, self.channels)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.files)

    def cut(self, start: int, stop: int) -> "Images":
        """Return a reader of the files start..stop-1."""
        return dataclasses.replace(self, files=self.files[start:stop])

    def in_order(self) -> tf.data.Dataset:
        """Return the images in the order of the list."""
        return self._read(lambda position: position, tf.constant(0, tf.int64))

    def shuffled(self, seed: int, epoch: tf.Tensor, skip: tf.Tensor) -> tf.data.Dataset:
        """Return the images of an epoch; those skipped are not even opened."""
        return self._read(lambda position: epoch_order(position, seed, epoch, len(self)), skip)

    @functools.cached_property
    def _paths(self) -> tf.Tensor:
        with tf.init_scope(), tf.device("CPU:0"):
            return tf.constant(self.files)

    def _read(self, which: Callable[[tf.Tensor], tf.Tensor], start: tf.Tensor) -> tf.data.Dataset:
        """Return the images at the positions start..n-1; one that cannot be read ends the stream with its name."""
        n, paths = len(self), self._paths

        def decoded(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return position, _decoded(tf.gather(paths, which(position)), self.size, self.channels)

        def in_turn(turn: tf.Tensor, position: tf.Tensor, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            words = f"every {', '.join(SUFFIXES)} file must be an image that TensorFlow decodes. Received: file="
            file = tf.gather(paths, which(tf.minimum(turn, n - 1)))
            cure = ". Remove that file or save it again as PNG."
            with tf.control_dependencies([tf.debugging.Assert(tf.equal(position, turn), [words, file, cure])]):
                return turn + 1, as_float(image)

        # TensorFlow's own error does not name the file. So images that fail are left out, and whoever finds that
        # one is missing in its turn knows its name; the blank image behind the last makes its absence seen too.
        blank = tf.data.Dataset.from_tensors((tf.constant(n, tf.int64), tf.zeros(self.shape, tf.uint8)))
        data = tf.data.Dataset.range(start, n).map(decoded, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        data = data.ignore_errors().concatenate(blank)
        return data.scan(start, lambda turn, element: in_turn(turn, *element)).take(n - start)
