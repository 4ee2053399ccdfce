"""Importance weights of a batch, drawn in chunks so that memory does not grow with their number, and their sums."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.evaluation.pareto import tail_length
from tfvae.models.variational import AbstractVAE
from tfvae.random import Seed

_CHUNK = 50  # samples of an example decoded at a time; with the examples of a batch, it bounds the memory
_BLOCK = 20  # chunks whose weights are gathered before their largest are sorted out, which costs more than a decode


class State(NamedTuple):
    """What some log-weights sum up to, in float64."""

    peak: tf.Tensor
    """max log w, [B]."""
    first: tf.Tensor
    """sum w, relative to the peak, [B]."""
    second: tf.Tensor
    """sum w^2, relative to the peak, [B]."""
    top: tf.Tensor
    """The largest log w, in the dtype of the weights, [B, tail + 1]."""


def moments(model: AbstractVAE, x: tf.Tensor, seed: Seed, samples: int) -> State:
    """Return what K samples sum up to, drawn in chunks of which a block is gathered at a time."""
    q = model.posterior(x)
    chunks, size = _chunks(samples)
    blocks = math.ceil(chunks / _BLOCK)
    each = math.ceil(chunks / blocks)  # chunks in a block

    # Counted by ones: XLA 2.21 drops a loop over `done < 1` in steps of 50 as if it never ran.
    def block(number: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        log_w = _drawn(model, q, x, seed, size, number * each + tf.range(each))
        at = tf.range(each * size) + number * each * size
        return number + 1, added(state, tf.where(at < samples, log_w, tf.constant(-np.inf, log_w.dtype)))

    state = nothing(q.batch_shape[0], q.dtype, samples)
    return tf.while_loop(lambda number, _: number < blocks, block, (tf.constant(0), state))[1]


def log_weights(model: AbstractVAE, x: tf.Tensor, seed: Seed, samples: int) -> tf.Tensor:
    """Return log p(x, z_k) - log q(z_k | x) of K samples, [B, K]."""
    chunks, size = _chunks(samples)
    return _drawn(model, model.posterior(x), x, seed, size, tf.range(chunks))[:, :samples]


def _chunks(samples: int) -> tuple[int, int]:
    """Return into how many chunks of how many samples, the last one perhaps less, they are divided."""
    chunks = math.ceil(samples / _CHUNK)
    return chunks, math.ceil(samples / chunks)


def _drawn(
    model: AbstractVAE, q: tfd.Distribution, x: tf.Tensor, seed: Seed, size: int, numbers: tf.Tensor
) -> tf.Tensor:
    """Return the log-weights of these chunks of `size` samples, [B, chunks size]."""
    parts = tf.map_fn(
        lambda number: model.trace_from(q, x, size, seed._replace(sample=number * size)).log_weights,
        numbers,
        fn_output_signature=q.dtype,
    )  # [chunks, S, B]
    return tf.transpose(tf.reshape(parts, [numbers.shape[0] * size, q.batch_shape[0]]))


def nothing(batch: int, dtype: tf.DType, samples: int) -> State:
    """Return the state before the first of K samples of each example."""
    lowest = tf.constant(-np.inf, dtype)
    zero, top = tf.zeros([batch], tf.float64), tf.fill([batch, tail_length(samples) + 1], lowest)
    return State(tf.fill([batch], tf.cast(lowest, tf.float64)), zero, zero, top)


def added(state: State, log_w: tf.Tensor) -> State:
    """Return the state with more log-weights, [B, S], in it."""
    top = tf.math.top_k(tf.concat([state.top, log_w], 1), state.top.shape[1], sorted=False).values
    exact = tf.cast(log_w, tf.float64)
    peak = tf.maximum(state.peak, tf.reduce_max(exact, 1))
    scale, weights = tf.exp(state.peak - peak), tf.exp(exact - peak[:, None])
    first = state.first * scale + tf.reduce_sum(weights, 1)
    second = state.second * scale**2 + tf.reduce_sum(weights**2, 1)
    return State(peak, first, second, top)
