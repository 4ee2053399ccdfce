"""Examples held in memory the way their source stores them, scaled only when a batch is gathered."""

import dataclasses
import functools
import math

import numpy as np
import tensorflow as tf

_AT_ONCE = 2**20  # values looked at together


@dataclasses.dataclass(frozen=True, eq=False)
class Stored:
    """The examples of one split: `x = values / divisor`.

    Pixels stay uint8 in memory, a quarter of their size as floats.

    Attributes:
      values: `[n, *shape]` array, uint8 or float32.
      divisor: what a value is divided by, 255 for pixels.

    Example:
      >>> import numpy as np
      >>> from tfvae.data.stored import Stored
      >>> Stored(np.full((2, 1), 51, np.uint8), divisor=255.0).gather([1]).numpy()
      array([[0.2]], dtype=float32)
    """

    values: np.ndarray
    divisor: float = 1.0

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.values)

    @functools.cached_property
    def resident(self) -> tf.Tensor:
        """The values as an eager tensor: a `map` captures it by reference and embeds no copy in its graph."""
        # Lifted out of the tracing of a `map`, and kept off a GPU, whose memory is for the model.
        with tf.init_scope(), tf.device("CPU:0"):
            return tf.constant(self.values)

    @functools.cached_property
    def distinct(self) -> np.ndarray:
        """Every scaled value that occurs, once for pixels; the values as they are for others."""
        if self.values.dtype not in (np.uint8, np.bool_):
            return self.values / np.float32(self.divisor)
        seen = np.zeros(256, bool)
        for rows in np.array_split(self.values, math.ceil(self.values.size / _AT_ONCE)):  # an index takes 8 bytes
            seen[rows.astype(np.uint8, copy=False).ravel()] = True
        return np.flatnonzero(seen) / np.float32(self.divisor)

    def gather(self, index: tf.Tensor) -> tf.Tensor:
        """Return the examples at `index` [b] as float32 [b, *shape]."""
        chosen = tf.cast(tf.gather(self.resident, index), tf.float32)
        return chosen if self.divisor == 1.0 else chosen / self.divisor


def fixed_permutation(n: int) -> np.ndarray:
    """Return the same permutation of 0..n-1 always, everywhere.

    `RandomState` is used because its stream is frozen; that of `default_rng` may change between NumPy's releases.
    """
    return np.random.RandomState(0).permutation(n)
