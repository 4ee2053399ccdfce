"""One step on several replicas gives the numbers of one replica with the whole batch; alone, it costs nothing."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf


def _context() -> tf.distribute.ReplicaContext | None:
    context = tf.distribute.get_replica_context()
    return context if context is not None and context.num_replicas_in_sync > 1 else None


def place(size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the number of the replica's first example in the global batch, and the size of that batch."""
    context = _context()
    if context is None:
        return tf.constant(0), size
    sizes = context.all_gather(size[None], 0)  # [replicas]
    return tf.reduce_sum(sizes[: context.replica_id_in_sync_group]), tf.reduce_sum(sizes)


def total(value: tf.Tensor) -> tf.Tensor:
    """Return the sum over the replicas, of a tensor of any shape."""
    context = _context()
    return value if context is None else tf.reduce_sum(context.all_gather(value[None], 0), 0)


def share(value: tf.Tensor) -> tf.Tensor:
    """Return a replica's part of a value that all replicas know: their gradients are added."""
    context = _context()
    return value if context is None else value / context.num_replicas_in_sync


def apply_if(condition: tf.Tensor, update: Callable) -> None:
    """Run an update of variables if a condition holds; on several replicas, which cannot branch, always."""
    if _context() is None:
        tf.cond(condition, lambda: (update(), tf.constant(0))[1], lambda: tf.constant(0))
    else:
        update()


def host(variable: object) -> np.ndarray:
    """Return the value of a variable, mirrored or not."""
    return tf.convert_to_tensor(variable).numpy()


def reducible(logs: dict) -> dict:
    """Give logs the axis over which Keras averages them across workers: it fails on scalars."""
    return logs if _context() is None else {name: tf.reshape(value, [1]) for name, value in logs.items()}
