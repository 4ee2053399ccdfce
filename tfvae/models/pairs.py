"""Examples with a condition: checked, and brought into one form."""

import dataclasses
from collections.abc import Mapping
from typing import TypeGuard

import keras
import numpy as np
import tensorflow as tf

from tfvae.data.resident import Resident
from tfvae.heads.support import ONE_HOT, REAL
from tfvae.models.checks import AbstractChecker, Checker
from tfvae.models.observed import Values

_FORMS = 'a dictionary {"x": x, "c": c}, or a tuple (x, c)'


class Pairs(AbstractChecker):
    """Checks x and c of every example; a batch becomes {"x": x, "c": c}, whatever form it came in.

    Numbers of classes, [B], become zeros and ones, [B, K], where c is a vector of length K.

    Args:
        x: the check of x.
        shape: event shape of c.
        dtype: of the model.
    """

    def __init__(self, x: Checker, shape: tuple[int, ...], dtype: str):
        self.x, self.shape, self.dtype = x, shape, dtype

    def array(self, data: object) -> dict[str, np.ndarray]:
        x, c = _pair(data)
        found = {"x": self.x.array(x), "c": self._values(np.ndim(c)).array(c)}
        if len(found["x"]) != len(found["c"]):
            raise ValueError(
                f"Expected a condition for each example. Received: {len(found['x'])} x and {len(found['c'])} c"
            )
        return found

    def resident(self, data: Resident) -> None:
        if data.condition is None:
            raise ValueError(
                f"Expected examples with a condition, {_FORMS}, or Splits with labels as conditions, "
                "splits.conditioned(). Received: x alone"
            )
        self.x.resident(dataclasses.replace(data, condition=None))
        self._values(data.condition.values.ndim).array(data.condition.values)

    def stream(self, spec: object) -> None:
        x, c = _pair(spec)
        self.x.spec(x)
        if c.shape.rank is None:
            raise ValueError(
                "Expected c of a known number of axes; give it one with tf.ensure_shape. Received: c of any shape"
            )
        self._values(c.shape.rank).spec(c)

    def in_graph(self, *batch: object) -> object:
        whole = batch[0] if len(batch) == 1 else batch
        x, c = _pair(whole)
        said = "<refused>Expected a condition for each example. Received: {} x and {} c</refused>"
        counts = [tf.shape(x)[0], tf.shape(c)[0]]
        tf.debugging.Assert(tf.equal(*counts), [tf.strings.format(said, counts)])
        pair = {"x": self.x.in_graph(x), "c": self._values(c.shape.rank).tensor(c)}
        _, _, weight = keras.utils.unpack_x_y_sample_weight(whole)
        return pair if weight is None else (pair, pair["c"], weight)

    def together(self, batch: tuple) -> tuple:
        pair = self.array(batch)
        _, _, weight = keras.utils.unpack_x_y_sample_weight(batch)
        return (pair,) if weight is None else (pair, pair["c"], weight)

    def streamed(self, batch: object) -> tuple:
        try:
            return self.together(batch if isinstance(batch, tuple) else (batch,))
        except ValueError as error:
            raise ValueError(f"<refused>{error}</refused>") from None

    def with_second(self, x: object, y: object) -> tuple[object, None]:
        if y is None and isinstance(x, tuple) and len(x) == 3:
            raise ValueError(f"Expected {_FORMS}, and weights as sample_weight=. Received: a tuple of three")
        if y is None and isinstance(x, tuple) and len(x) == 2:
            x, y = x
        return (x if y is None or _is_pair(x) else {"x": x, "c": y}), None

    def cast(self, batch: object, dtype: str) -> dict:
        x, c = paired(batch, self.shape, dtype)
        return {"x": self.x.cast(x, dtype), "c": c}

    def encodable(self) -> "Pairs":
        return Pairs(self.x.encodable(), self.shape, self.dtype)

    def _values(self, rank: int | None) -> Values:
        return _values(rank, self.shape, self.dtype)


def conditions(c: object, n: int, shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    """Return checked conditions of n examples, [n, *shape]: given as such, as numbers of classes, or one for all.

    Whole numbers along one axis are classes, one for each example.

    Raises:
        ValueError: for another shape or number, or values that are not finite.
    """
    each = np.asarray(c)
    of_classes = each.ndim == 1 and _may_be_classes(shape) and each.dtype.kind in "iu"
    each = each[0] if each.shape == (1, *shape) else each
    one = (each.shape == shape and not of_classes) or (each.ndim == 0 and _may_be_classes(shape))
    found = _values(each.ndim + one, shape, dtype).array(each[None] if one else each)
    if not one and len(found) != n:
        raise ValueError(f"Expected {n} conditions, one for each example, or one for all. Received: {len(found)}")
    return np.repeat(found, n, 0) if one else found


def _values(rank: int | None, shape: tuple[int, ...], dtype: str) -> Values:
    """Return the check of c as it is, or as the numbers of its classes."""
    return Values("c", shape, ONE_HOT if rank == 1 and _may_be_classes(shape) else REAL, dtype)


def _may_be_classes(shape: tuple[int, ...]) -> bool:
    return len(shape) == 1 and shape != (1,)


def paired(batch: object, shape: tuple[int, ...], dtype: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Return x and c of a batch of tensors that nobody checked, c in the dtype and numbers of classes as vectors.

    Raises:
        ValueError: if it is no such batch.
    """
    x, c = _pair(batch)
    c = tf.convert_to_tensor(c)
    if c.shape.rank == 1 and _may_be_classes(shape):
        return x, tf.one_hot(tf.cast(c, tf.int32), shape[0], dtype=dtype)
    return x, tf.cast(c, dtype)


def _is_pair(data: object) -> TypeGuard[Mapping]:
    return isinstance(data, Mapping) and set(data) == {"x", "c"}


def _pair(data: object) -> tuple:
    """Return x and c of a batch, of arrays, or of the specs of a stream, with weights or without."""
    first = data[0] if isinstance(data, tuple) and data and isinstance(data[0], Mapping) else data
    if _is_pair(first):
        return first["x"], first["c"]
    if (isinstance(first, tuple) and len(first) == 3) or (isinstance(first, (tuple, list)) and len(first) == 2):
        return first[0], first[1]
    names = sorted(first) if isinstance(first, Mapping) else type(first).__name__
    raise ValueError(f"Expected examples with a condition: {_FORMS}. Received: {names}")
