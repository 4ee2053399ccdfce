"""Noise as a function of a seed and a place: the same in Keras, a SavedModel and a TFLite file.

Every number is a hash of (seed, sample index, example index, coordinate), so that a draw does not depend on how
many samples or examples are drawn together, a resumed run meets the noise of the uninterrupted one, and no
generator state has to be saved. Only operators that TFLite has built in are used: 32-bit integers that wrap, and
no AND (which does not convert), hence the remainder that turns an arithmetic shift into a logical one.
"""

from collections.abc import Callable, Sequence
from functools import singledispatch
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

_GOLDEN = 0x9E3779B9  # 2^32 / golden ratio: consecutive counters land far apart
_STREAM = 0x85EBCA6B
_SECOND = 0xC2B2AE35
# Of cos(2 pi t) = sum_i c_i (t - 1/2)^(2 i), interpolated at 400 Chebyshev nodes of (t - 1/2)^2 in [0, 1/4].
_COSINE = (-1.0, 19.739204, -64.93912, 85.45014, -60.16763, 25.9676, -6.5286584)


class Seed(NamedTuple):
    """Where in the noise to begin: two words, the index of the first sample and of the first example."""

    words: tf.Tensor  # int32 [2]
    sample: tf.Tensor | int = 0
    example: tf.Tensor | int = 0


def as_seed(seed: "int | Sequence[int] | tf.Tensor | Seed") -> Seed:
    """Turn an int, a pair of int32 or a Seed into a Seed; an int `s` means the pair (s, 0).

    Raises:
        ValueError: if a word does not fit in 32 bits with sign, or there are not two.
    """
    if isinstance(seed, Seed):
        return seed
    if isinstance(seed, tf.Tensor):
        if seed.shape != (2,) or seed.dtype != tf.int32:
            raise ValueError(f"Expected an int32 seed of shape [2]. Received: seed={seed}")
        return Seed(seed)
    if isinstance(seed, (int, np.integer)):
        words = [seed, 0]
    elif isinstance(seed, np.ndarray):
        words = list(np.atleast_1d(seed))
    else:
        words = list(seed) if isinstance(seed, Sequence) else []
    whole = all(isinstance(word, (int, np.integer)) and not isinstance(word, bool) for word in words)
    if len(words) != 2 or not whole or not all(-(2**31) <= word < 2**31 for word in words):
        raise ValueError(f"Expected seed to be one or two whole numbers in [-2^31, 2^31). Received: seed={seed!r}")
    return Seed(tf.constant([int(word) for word in words], tf.int32))


def another(seed: Seed, number: int) -> Seed:
    """Return the seed of the `number`-th of things that are drawn together; of the first, 0, the seed itself."""
    return seed._replace(words=tf.stack([seed.words[0], seed.words[1] + _word(_SECOND) * number]))


def generator(seed: "int | Sequence[int] | tf.Tensor | Seed") -> np.random.Generator:
    """Return NumPy's generator for a seed, for what is drawn outside TensorFlow.

    Raises:
        ValueError: as `as_seed` does.
    """
    return np.random.default_rng([int(word) % 2**32 for word in as_seed(seed).words.numpy()])


def _word(value: int) -> tf.Tensor:
    """The int32 with the bits of an unsigned 32-bit constant."""
    return tf.constant(np.array(value % 2**32, np.uint32).view(np.int32), tf.int32)


def _shift_right(x: tf.Tensor, places: int) -> tf.Tensor:
    return tf.math.floormod(tf.bitwise.right_shift(x, _word(places)), _word(2 ** (32 - places)))


def _mix(x: tf.Tensor) -> tf.Tensor:
    """Hash 32 bits to 32 bits, one to one: two multiply-xorshift rounds.

    The constants are "lowbias32", found by search for low avalanche bias: C. Wellons, "Prospecting for Hash
    Functions", 2018, https://nullprogram.com/blog/2018/07/31/.
    """
    x = tf.bitwise.bitwise_xor(x, _shift_right(x, 16)) * _word(0x7FEB352D)
    x = tf.bitwise.bitwise_xor(x, _shift_right(x, 15)) * _word(0x846CA68B)
    return tf.bitwise.bitwise_xor(x, _shift_right(x, 16))


def _bits(
    samples: tf.Tensor | int, size: tf.Tensor | int, first: tf.Tensor | int, seed: Seed, stream: int
) -> tf.Tensor:
    """Return 32 random bits for each of `samples` rows and the coordinates first .. first + size - 1."""
    low, high = seed.words[0], seed.words[1]
    key = _mix(_mix(low + _word(_GOLDEN)) + high + _word(_STREAM * (stream + 1)))
    row = seed.sample + tf.range(samples)
    # Two keys a row, 64 bits: with one, rows whose keys differ by a small multiple would be shifted copies.
    one = _mix(_mix(row * _word(_GOLDEN) + key) + high)[:, None]  # [S, 1]
    two = _mix(_mix(row * _word(_SECOND) + key + _word(1)) + low)[:, None]  # [S, 1]
    column = (first + tf.range(size))[None, :] * _word(_GOLDEN)  # [1, n]
    return _mix(tf.bitwise.bitwise_xor(_mix(column + one), two))  # [S, n]


def uniform(samples: tf.Tensor | int, shape: Sequence, seed: Seed, stream: int = 0) -> tf.Tensor:
    """Draw float32 numbers uniform on (0, 1), 23 bits each, of shape [samples, *shape].

    `shape` begins with the number of examples; the seed's `example` says which one is the first.
    """
    rest = tf.reduce_prod(tf.stack(list(shape[1:]))) if len(shape) > 1 else tf.constant(1)
    bits = _bits(samples, shape[0] * rest, seed.example * rest, seed, stream)
    unit = (tf.cast(_shift_right(bits, 9), tf.float32) + 0.5) * 2.0**-23  # exact: 24 bits of a float32
    return tf.reshape(unit, tf.stack([samples, *shape]))


def normal(samples: tf.Tensor | int, shape: Sequence, seed: Seed) -> tf.Tensor:
    """Draw float32 standard normal numbers of shape [samples, *shape]: sqrt(-2 log u) cos(2 pi v).

    Reference: G. Box and M. Muller, "A note on the generation of random normal deviates", 1958, Eq. (1).
    """
    u, v = uniform(samples, shape, seed, 0), uniform(samples, shape, seed, 1)
    return tf.sqrt(-2.0 * tf.math.log(u)) * _cosine(v)


def _cosine(turns: tf.Tensor) -> tf.Tensor:
    """Return cos(2 pi turns) for turns in [0, 1] within 4e-7, as float32 has it.

    XLA calls the C library for each cosine, and again wherever the noise is used; a polynomial is vectorised.
    """
    square = tf.square(turns - 0.5)
    value = tf.fill(tf.shape(square), _COSINE[-1])
    for coefficient in _COSINE[-2::-1]:
        value = value * square + coefficient
    return value


def _like(sampler: Callable, samples: tf.Tensor | int, like: tf.Tensor, seed: Seed, extra: int) -> tf.Tensor:
    """Draw for each sample, example and coordinate of `like` [*B, D], which has one example if it has no batch axis."""
    shape = tf.shape(like)
    rows = tf.unstack(shape[:-1]) if like.shape.rank > 1 else [1]
    noise = sampler(samples, [*rows, shape[-1] + extra], seed)
    noise = tf.reshape(noise, tf.concat([[samples], shape[:-1], [shape[-1] + extra]], 0))
    width = None if like.shape[-1] is None else like.shape[-1] + extra
    noise.set_shape([samples if isinstance(samples, int) else None, *like.shape[:-1], width])
    return tf.cast(noise, like.dtype)


def normal_like(samples: tf.Tensor | int, like: tf.Tensor, seed: Seed, extra: int = 0) -> tf.Tensor:
    """Draw standard normal numbers of shape [samples, *B, D + extra] for `like` of shape [*B, D], in its dtype."""
    return _like(normal, samples, like, seed, extra)


def uniform_like(samples: tf.Tensor | int, like: tf.Tensor, seed: Seed, extra: int = 0) -> tf.Tensor:
    """Draw numbers uniform on (0, 1) of shape [samples, *B, D + extra] for `like` of shape [*B, D], in its dtype."""
    return _like(uniform, samples, like, seed, extra)


@singledispatch
def draw(distribution: tfd.Distribution, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    """Draw z of shape [samples, *batch_shape, *event_shape]: z_s depends on the seed and s alone.

    A family without a rule of its own is sampled by TFP's stateless sampler: reproducible in Keras, but not in an
    exported file, so the exporter refuses it (see `has_rule`).
    """
    words = tf.stack([seed.words[0] + _mix(tf.convert_to_tensor(seed.sample)), seed.words[1] + seed.example])
    return distribution.sample(samples, seed=words)


@draw.register(tfd.MultivariateNormalDiag)
def _draw_diagonal_normal(distribution: tfd.Distribution, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    loc, scale = distribution.mean(), distribution.stddev()  # [*B, D]
    return loc + scale * normal_like(samples, loc, seed)  # [S, *B, D]


def draw_each(distribution: tfd.Distribution, n: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    """Draw one z for each of n examples, [n, D]: of one distribution for all, or of one each."""
    return draw(distribution, 1, seed)[0] if distribution.batch_shape.rank else draw(distribution, n, seed)


@singledispatch
def draw_and_score(distribution: tfd.Distribution, samples: tf.Tensor | int, seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw z as `draw` does and return it with its log-density: [samples, *batch_shape, D] and [samples, *batch_shape].

    A family registers a rule of its own where the density of a draw is known from its noise: a flow need not invert
    itself, a triangular scale need not be solved for.
    """
    z = draw(distribution, samples, seed)
    return z, distribution.log_prob(z)


def has_rule(distribution: tfd.Distribution) -> bool:
    """Tell whether `draw` gives the same numbers in every exported format.

    A rule for a wrapper, such as `tfd.Independent`, may hold for what it wraps or not: then it has an attribute
    `holds`, a function of the distribution.
    """
    rule = draw.dispatch(type(distribution))
    return rule is not draw.dispatch(object) and getattr(rule, "holds", lambda _: True)(distribution)
