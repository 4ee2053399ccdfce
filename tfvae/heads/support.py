"""Where a distribution has its mass, so that data outside it is refused instead of scored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import tensorflow as tf


@dataclass(frozen=True)
class Support:
    """A set of values, how to test for them, and what to change when a value lies outside.

    Args:
        description: the values in words, to follow "Expected".
        contains: from a tensor of values to booleans of the same shape; works on NumPy arrays too.
        advice: what a user should change.
        discrete: whether the values are single points, so that a density is a probability and has bits per dimension.
        missing: whether NaN is among the values, for one that was not observed.
        whole: whether what is missing is all along the last axis, or nothing.
        blocks: where it depends on the column, the columns and the support of each block along the last axis.
    """

    description: str
    contains: Callable
    advice: str
    discrete: bool = False
    missing: bool = False
    whole: bool = False
    blocks: tuple[tuple[slice, "Support"], ...] = ()

    @property
    def elementwise(self) -> bool:
        """Whether a value can be judged without its place."""
        return not self.blocks

    def parts(self) -> tuple[tuple[slice, "Support"], ...]:
        """Return the columns of the last axis that share a support, and that support: one pair, if all do."""
        return self.blocks or ((slice(None), self),)


def or_missing(support: Support, whole: bool = False) -> Support:
    """Return a support with NaN in it, which has no bits per dimension, since their number differs."""

    def contains(x: tf.Tensor) -> tf.Tensor:
        missing = tf.math.is_nan(tf.cast(x, tf.float32))
        return tf.logical_or(tf.reduce_all(missing, -1, keepdims=True) if whole else missing, support.contains(x))

    return replace(
        support,
        description=f"{support.description}, or NaN where {'all values are' if whole else 'a value is'} missing",
        contains=contains,
        discrete=False,
        missing=True,
        whole=whole,
    )


def side_by_side(parts: Sequence[tuple[int, Support]]) -> Support:
    """Return the support of records: blocks of so many columns, each with its own support.

    The description of a block says which columns it is, so that a message can name them.
    """
    blocks: list[tuple[slice, Support]] = []
    first = 0
    for width, support in parts:
        where = f"column {first}" if width == 1 else f"columns {first} to {first + width - 1}"
        blocks.append((slice(first, first + width), replace(support, description=f"{support.description}, in {where}")))
        first += width
    return Support(
        "; ".join(block.description for _, block in blocks),
        lambda x: tf.concat([block.contains(x[..., columns]) for columns, block in blocks], -1),
        "Each column needs values that its head scores.",
        all(block.discrete for _, block in blocks),
        any(block.missing for _, block in blocks),
        blocks=tuple(blocks),
    )


def levels(count: int, step: float) -> Support:
    """Return the support of the numbers step * k, k = 0 .. count - 1, within a hundredth of a step."""

    def contains(x: tf.Tensor) -> tf.Tensor:
        level = tf.cast(x, tf.float32) / step
        near = tf.abs(level - tf.round(level)) < 0.01
        return tf.logical_and(near, tf.logical_and(level > -0.5, level < count - 0.5))

    spacing = "whole numbers" if step == 1.0 else f"multiples of {step:.6g}"
    return Support(
        f"{spacing} from 0 to {step * (count - 1):.6g}, {count} levels",
        contains,
        "Give the head the levels of the data, or scale the data: tfvae.data.load gives 8-bit images as k / 255; "
        "categories are numbered from 0.",
        discrete=True,
    )


REAL = Support(
    "finite float32 numbers",
    lambda x: tf.math.is_finite(tf.cast(x, tf.float32)),  # a float64 of 1e300 is finite, and the loss would be NaN
    "Remove or impute missing values, and scale large ones, before fit.",
)
BINARY = Support(
    "the values 0 and 1 only, which is what a Bernoulli likelihood scores",
    lambda x: tf.reduce_any([tf.equal(tf.cast(x, tf.float32), bit) for bit in (0, 1)], 0),  # the cast is for bool
    "Binarise grey images, e.g. tfvae.data.load(name, binarization=tfvae.data.DynamicBinarization()) or "
    "tfvae.data.from_arrays(..., binarization=...), or use a likelihood for grey values: heads.ContinuousBernoulli or "
    "heads.Normal.",
    discrete=True,
)
UNIT_INTERVAL = Support(
    "numbers from 0 to 1",
    lambda x: tf.logical_and(tf.cast(x, tf.float32) >= 0.0, tf.cast(x, tf.float32) <= 1.0),
    "Divide by the largest possible value, or use a likelihood for any real numbers such as heads.Normal.",
)
OPEN_UNIT_INTERVAL = Support(
    "numbers between 0 and 1, without 0 and 1, where a beta density is 0 or infinite",
    lambda x: tf.logical_and(tf.cast(x, tf.float32) > 0.0, tf.cast(x, tf.float32) < 1.0),
    "Use heads.ContinuousBernoulli or heads.QuantizedLogistic, which score 0 and 1, or move all values inwards, "
    "x -> (x (n - 1) + 0.5) / n for n examples.",
)
COUNTS = Support(
    "whole numbers of at least 0",
    lambda x: tf.logical_and(
        tf.logical_and(tf.cast(x, tf.float32) >= 0.0, tf.math.is_finite(tf.cast(x, tf.float32))),
        tf.equal(tf.cast(x, tf.float32), tf.round(tf.cast(x, tf.float32))),
    ),
    "Give counts as they were counted, not scaled, or use a likelihood for real numbers such as heads.Normal.",
    discrete=True,
)
SPHERE = Support(
    "unit vectors along the last axis",
    lambda x: tf.logical_and(
        tf.abs(tf.reduce_sum(tf.square(tf.cast(x, tf.float32)), -1, keepdims=True) - 1.0) < 1e-3,
        tf.math.is_finite(tf.cast(x, tf.float32)),
    ),
    "Divide each vector by its length, or use a head for any real vector such as heads.DiagonalNormal.",
)
LOG_SIMPLEX = Support(
    "logarithms of probabilities, at most 0",
    lambda x: tf.logical_and(tf.cast(x, tf.float32) <= 1e-5, tf.math.is_finite(tf.cast(x, tf.float32))),
    "Take the logarithm of probabilities that sum to 1, or use a head for real vectors such as heads.DiagonalNormal.",
)
ONE_HOT = Support(
    "vectors of zeros with a single 1, or the numbers of the classes, from 0",
    lambda x: tf.logical_and(
        tf.logical_or(tf.equal(tf.cast(x, tf.float32), 0.0), tf.equal(tf.cast(x, tf.float32), 1.0)),
        tf.equal(tf.reduce_sum(tf.cast(x, tf.float32), -1, keepdims=True), 1.0),
    ),
    "Number the classes 0, 1, ..., or use keras.utils.to_categorical.",
    discrete=True,
)
CODES = Support(
    "embeddings of codes, laid end to end",
    REAL.contains,
    "Take z of codes, or use a head for any real vector such as heads.DiagonalNormal.",
    discrete=True,
)
