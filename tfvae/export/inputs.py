"""What an exported function makes of inputs that nobody checked: no silent garbage where no error can be raised."""

import tensorflow as tf

from tfvae.models.variational import AbstractVAE
from tfvae.random import Seed


def noise(seed: tf.Tensor) -> Seed:
    """Return where in the noise to begin, for a seed of two words; a runtime refuses one of another length.

    Indexing would take the first two words of many, and TFLite reads past the end of few.
    """
    low, high = tf.split(tf.ensure_shape(seed, [2]), [1, 1])
    return Seed(tf.stack([tf.reshape(low, []), tf.reshape(high, [])]))


def on_support(model: AbstractVAE, x: tf.Tensor, scores: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return scores [B] by name, NaN for an example off the likelihood's support, which has no density there."""
    inside = [
        tf.reduce_all(support.contains(x[..., columns]), tf.range(1, tf.rank(x)))
        for columns, support in model.fits.support.parts()
    ]  # [B] each
    holds = tf.reduce_all(tf.stack(inside), 0)
    return {name: tf.where(holds, value, tf.cast(float("nan"), x.dtype)) for name, value in scores.items()}
