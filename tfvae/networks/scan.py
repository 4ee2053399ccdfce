"""One step after another, with what each of them gives side by side."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, TypeAlias

import tensorflow as tf

from tfvae.reshaping import extents, reshaped

Seen: TypeAlias = Sequence[tf.Tensor]
"""What is known at each step, tensors [T, *B, ...], or at one, [*B, ...]."""

_PORTABLE: ContextVar[bool] = ContextVar("portable", default=False)


@contextlib.contextmanager
def portable() -> Iterator[None]:
    """Trace loops with operators that TFLite has built in, where tensors in lists need a shape that is known.

    Each step then writes into a tensor of all steps, by a selection whose cost is that of the whole tensor.
    """
    token = _PORTABLE.set(True)
    try:
        yield
    finally:
        _PORTABLE.reset(token)


def scan(step: Callable[[tf.Tensor, Any], tuple[Any, Any]], state: Any, steps: int) -> tuple[Any, Any]:  # noqa: ANN401
    """Return the state after all steps and what they gave, each tensor of it [steps, ...].

    Args:
        step: from its number and the state to the next state, of one shape always, and a tensor or a nest of tensors.
        state: before the first step, a tensor or a nest of tensors.
        steps: how many.

    Example:
        >>> import tensorflow as tf
        >>> from tfvae.networks.scan import scan
        >>> scan(lambda t, total: (total + t, total), tf.constant(0), 4)[1].numpy()
        array([0, 0, 1, 3], dtype=int32)
    """
    state, first = step(tf.constant(0), state)  # before the loop: now the shapes are known
    if steps == 1:
        return state, tf.nest.map_structure(lambda row: row[None], first)
    begin, write, finish = (_begin_selected, _select, _selected) if _PORTABLE.get() else (_begin_list, _list, _listed)
    rows = tf.nest.map_structure(lambda row: begin(row, steps), first)

    def body(number: tf.Tensor, state: Any, rows: Any) -> tuple:  # noqa: ANN401
        state, given = step(number, state)
        return number + 1, state, tf.nest.map_structure(lambda all, row: write(all, number, row), rows, given)

    _, state, rows = tf.while_loop(
        lambda number, *_: number < steps, body, (tf.constant(1), state, rows), maximum_iterations=steps - 1
    )
    return state, tf.nest.map_structure(lambda all, row: finish(all, [steps, *row.shape]), rows, first)


def _begin_list(first: tf.Tensor, steps: int) -> tf.TensorArray:
    return tf.TensorArray(first.dtype, steps, element_shape=first.shape).write(0, first)


def _list(rows: tf.TensorArray, number: tf.Tensor, row: tf.Tensor) -> tf.TensorArray:
    return rows.write(number, row)


def _listed(rows: tf.TensorArray, shape: list) -> tf.Tensor:
    return tf.ensure_shape(rows.stack(), shape)


def _begin_selected(first: tf.Tensor, steps: int) -> tf.Tensor:
    return tf.tile(first[None], [steps, *[1] * first.shape.rank])  # [steps, ...]


def _select(rows: tf.Tensor, number: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    here = tf.equal(tf.range(rows.shape[0]), number)
    return tf.where(tf.reshape(here, [-1, *[1] * row.shape.rank]), row[None], rows)


def _selected(rows: tf.Tensor, shape: list) -> tf.Tensor:
    return rows


def at(seen: Seen, number: tf.Tensor | int) -> list[tf.Tensor]:
    """Return what is known at one step."""
    return [each[number] for each in seen]


def widened(seen: Seen, rank: int) -> list[tf.Tensor]:
    """Return what is known at each step, [T, *B, F], beside tensors of so many axes: [T, 1, ..., *B, F]."""
    return [reshaped(each, [*extents(each)[:1], *[1] * (rank - each.shape.rank), *extents(each)[1:]]) for each in seen]
