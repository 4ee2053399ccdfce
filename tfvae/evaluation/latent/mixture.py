"""The aggregate posterior as the mixture of the posteriors of all examples."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.distributions.factors import factors
from tfvae.evaluation.batches import compiled, per_example
from tfvae.models.variational import AbstractVAE

_NUMBERS = 2**23  # of z_d under every posterior of a batch, held at a time


class LogDensities(NamedTuple):
    """Log-densities of draws under the aggregate posterior, in nats; R draws."""

    joint: np.ndarray
    """log q(z), [R]."""
    others: np.ndarray
    """log of the mixture without the example that z was drawn for, [R]."""
    marginals: np.ndarray
    """log q(z_d), [R, D]; [R, 0] where the elements of a posterior are not independent."""


def log_densities(
    model: AbstractVAE, x: np.ndarray, z: np.ndarray, owners: np.ndarray, separable: bool, progress: bool
) -> LogDensities:
    """Score draws under the mixture of all posteriors.

        q(z) = 1/N sum_n q(z | x_n),   q(z_d) = 1/N sum_n q(z_d | x_n)

    Args:
        model: a model of the library.
        x: the N examples.
        z: the draws, [R, D].
        owners: for which example each was drawn, [R].
        separable: whether the elements of a posterior are independent.
        progress: show a progress bar.
    """
    rows, size = z.shape
    blocks = math.ceil(rows * 100 * size / _NUMBERS)
    each = math.ceil(rows / blocks)
    index = np.minimum(np.arange(blocks * each), rows - 1)  # the last block is filled up
    blocked = tf.constant(z[index].reshape(blocks, each, size)), tf.constant(owners[index].reshape(blocks, each))
    total = LogDensities(*(np.full([rows, *more], -np.inf) for more in ([], [], [size if separable else 0])))
    score = compiled(model, ("aggregate", separable), lambda *given: _score(model, separable, *given), xla=False)

    def add(batch: np.ndarray, first: tf.Tensor) -> tuple[tf.Tensor]:
        parts = score(batch, first, tf.constant(len(x)), *blocked)
        for so_far, part in zip(total, parts, strict=True):
            np.logaddexp(so_far, part.numpy()[:rows], out=so_far)
        return (tf.zeros([len(batch)]),)

    per_example(model, x, add, progress)
    joint, others, marginals = total
    log_n = math.log(len(x))
    return LogDensities(joint - log_n, others - math.log(len(x) - 1), marginals - log_n)


def _score(
    model: AbstractVAE, separable: bool, x: tf.Tensor, first: tf.Tensor, n: tf.Tensor, z: tf.Tensor, owners: tf.Tensor
) -> list[tf.Tensor]:
    """Return log sum_n q(z | x_n) over the examples of a batch, as in `LogDensities`, for z [blocks, R', D]."""
    q, place = model.encoder(x), first + tf.range(tf.shape(x)[0])  # [B]
    rows, least = z.shape[0] * z.shape[1], tf.constant(-np.inf, z.dtype)

    def block(given: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        z, owner = given  # [R', D], [R']
        there = place[None, :] < n  # what fills up a batch is no example, [1, B]
        if separable:
            each = tf.where(there[..., None], factors(q).log_prob(z[:, None, :]), least)  # [R', B, D]
            log_q, marginals = tf.reduce_sum(each, -1), tf.reduce_logsumexp(each, 1)
        else:
            log_q, marginals = tf.where(there, q.log_prob(z[:, None, :]), least), z[:, :0]  # [R', B]
        others = tf.where(place[None, :] == owner[:, None], least, log_q)
        return tf.reduce_logsumexp(log_q, 1), tf.reduce_logsumexp(others, 1), marginals

    parts = tf.map_fn(block, (z, owners), fn_output_signature=(z.dtype, z.dtype, z.dtype))
    return [tf.cast(tf.reshape(part, [rows, *part.shape[2:]]), tf.float64) for part in parts]
