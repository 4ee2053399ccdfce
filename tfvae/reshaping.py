"""Changes of shape that keep what is known of it: converters refuse more than one size that is not."""

from collections.abc import Sequence
from typing import TypeAlias

import tensorflow as tf

Size: TypeAlias = int | tf.Tensor


def extents(x: tf.Tensor) -> list[Size]:
    """Return the size of each axis: a number where it is known, else a tensor.

    Example:
        >>> import tensorflow as tf
        >>> from tfvae.reshaping import extents
        >>> extents(tf.zeros([2, 3]))
        [2, 3]
    """
    return [tf.shape(x)[axis] if size is None else size for axis, size in enumerate(x.shape)]


def reshaped(x: tf.Tensor, sizes: Sequence[Size]) -> tf.Tensor:
    """Return x in another shape, of which one size that is not known is told by the others.

    Example:
        >>> import tensorflow as tf
        >>> from tfvae.reshaping import reshaped
        >>> reshaped(tf.zeros([2, 3]), [tf.constant(3), 2]).shape
        TensorShape([3, 2])
    """
    known = [size if isinstance(size, int) else None for size in sizes]
    shape = [-1 if size is None else size for size in known] if known.count(None) == 1 else list(sizes)
    found = tf.reshape(x, shape)
    found.set_shape([None if size == -1 else size for size in known])
    return found


def beside(*parts: tf.Tensor) -> tf.Tensor:
    """Return vectors side by side, over the leading axes that all have: [..., sum of the sizes].

    Example:
        >>> import tensorflow as tf
        >>> from tfvae.reshaping import beside
        >>> beside(tf.zeros([4, 1, 2]), tf.zeros([3, 5])).shape
        TensorShape([4, 3, 7])
    """
    if len(parts) == 1:
        return parts[0]
    rank = max(part.shape.rank for part in parts)
    axes = zip(*([1] * (rank - part.shape.rank) + extents(part)[:-1] for part in parts), strict=True)
    common = [_common(sizes) for sizes in axes]
    wide = [tf.broadcast_to(part, [*common, part.shape[-1]]) for part in parts]
    for part in wide:
        part.set_shape([*(size if isinstance(size, int) else None for size in common), part.shape[-1]])
    return tf.concat(wide, -1)


def _common(sizes: Sequence[Size]) -> Size:
    """Return the size of an axis that parts have, or have as 1."""
    known = max(size if isinstance(size, int) else 1 for size in sizes)
    if known > 1 or all(isinstance(size, int) for size in sizes):
        return known
    first, *others = [size for size in sizes if not isinstance(size, int)]
    for other in others:
        first = tf.maximum(first, other)
    return first
