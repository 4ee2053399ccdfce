"""Batches in which modalities are left out, so that a model learns to do without them."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfvae.data import _checks
from tfvae.errors import positive_int, whole_number_in
from tfvae.random import Seed, uniform

_STREAM = 4  # of the noise: binarisation and models draw from the lower ones of the same seeds


def subsets(batches: tf.data.Dataset, sizes: Sequence[int], drawn: int = 0, seed: int = 0) -> tf.data.Dataset:
    """Return batches that hold every example again for each modality alone, the others missing, and for drawn subsets.

        x -> (x_1, ..., x_M), (x_1, NaN), ..., (NaN, x_M), and `drawn` random subsets

    The mean of a bound over them is that of the reference's sub-sampled objective, the sum of the bounds on all
    modalities, on each of them and on some subsets, divided by how many there are. For two modalities all subsets are
    there without any being drawn. A subset holds each modality with probability 1/2, all of them where it would be
    empty; those of the i-th batch are the same in every epoch, unlike the examples in it.

    Args:
      batches: of x `[b, sum(sizes)]`, the modalities side by side, such as `Splits.train`.
      sizes: how many columns of x each modality has, from left to right.
      drawn: how many random subsets of each example are added.
      seed: of the subsets.

    Raises:
      ValueError: for sizes that do not add up to the columns of x, or a number that is out of its range.

    Reference: M. Wu and N. Goodman, "Multimodal Generative Models for Scalable Weakly-Supervised Learning", 2018,
    Sec. 2.2, https://arxiv.org/abs/1802.05335.

    Example:
      >>> from tfvae import data
      >>> digits = data.load("digit_labels", batch_size=100)
      >>> next(iter(data.subsets(digits.train, (64, 10)))).shape
      TensorShape([300, 74])
    """
    sizes = [positive_int(f"sizes[{number}]", size) for number, size in enumerate(sizes)]
    drawn, seed = whole_number_in("drawn", drawn, 0, 1000), _checks.seed(seed)
    spec: Any = getattr(batches, "element_spec", None)
    known = isinstance(spec, tf.TensorSpec) and spec.dtype.is_floating  # of whole numbers none can be missing
    if not known or tuple(spec.shape[1:]) != (sum(sizes),):
        raise ValueError(
            f"Expected a data set of batches of x of shape [b, {sum(sizes)}], the sum of the sizes, of floating point "
            f"numbers. Received: sizes={sizes}, batches of {batches if spec is None else spec!r:.80}"
        )
    modalities = len(sizes)

    def with_subsets(number: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        b = tf.shape(x)[0]
        fixed = tf.concat([tf.ones([1, modalities], tf.bool), tf.cast(tf.eye(modalities), tf.bool)], 0)
        fixed = tf.broadcast_to(fixed[:, None, :], [1 + modalities, b, modalities])
        words = tf.stack([tf.constant(seed), tf.cast(number, tf.int32)])
        random = uniform(drawn, [b, modalities], Seed(words), _STREAM) < 0.5
        random = tf.logical_or(random, tf.logical_not(tf.reduce_any(random, -1, keepdims=True)))
        kept = tf.repeat(tf.concat([fixed, random], 0), sizes, axis=-1)  # [1 + M + drawn, b, columns]
        return tf.reshape(tf.where(kept, x, tf.cast(float("nan"), x.dtype)), [-1, sum(sizes)])

    return batches.enumerate().map(with_subsets, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
