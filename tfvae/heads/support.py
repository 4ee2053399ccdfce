"""Where a distribution has its mass, so that data outside it is refused instead of scored."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Support:
    """A set of values, how to test for them, and what to change when a value lies outside.

    Args:
        description: the values in words, to follow "Expected".
        contains: from a tensor of values to booleans of the same shape; works on NumPy arrays too.
        advice: what a user should change.
    """

    description: str
    contains: Callable
    advice: str


REAL = Support(
    "finite float32 numbers",
    lambda x: tf.math.is_finite(tf.cast(x, tf.float32)),  # a float64 of 1e300 is finite, and the loss would be NaN
    "Remove or impute missing values, and scale large ones, before fit.",
)
BINARY = Support(
    "the values 0 and 1 only, which is what a Bernoulli likelihood scores",
    lambda x: tf.reduce_any([tf.equal(tf.cast(x, tf.float32), bit) for bit in (0, 1)], 0),  # the cast is for bool
    "Binarise grey images, e.g. tfvae.data.load(name, binarization=tfvae.data.DynamicBinarization()) or "
    "tfvae.data.from_arrays(..., binarization=...), or use a likelihood for grey values such as heads.Normal.",
)
