"""What an exported function makes of inputs that nobody checked: no silent garbage where no error can be raised."""

import tensorflow as tf

from tfvae.heads.support import REAL, Support
from tfvae.models.variational import AbstractVAE
from tfvae.random import Seed


def noise(seed: tf.Tensor) -> Seed:
    """Return where in the noise to begin, for a seed of two words; a runtime refuses one of another length.

    Indexing would take the first two words of many, and TFLite reads past the end of few.
    """
    low, high = tf.split(tf.ensure_shape(seed, [2]), [1, 1])
    return Seed(tf.stack([tf.reshape(low, []), tf.reshape(high, [])]))


def single(value: tf.Tensor) -> tf.Tensor:
    """Return one number as [1]; a runtime refuses none or several, which would be spread over the examples."""
    return tf.reshape(tf.ensure_shape(value, []), [1])


def alike(value: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Return a tensor of x's shape; a runtime refuses another one, which would be spread over the examples.

    TFLite drops the check, and TensorFlow the change of shape, which looks like none.
    """
    with tf.control_dependencies([tf.debugging.assert_equal(tf.shape(value), tf.shape(x))]):
        return tf.reshape(value, tf.shape(x))


def supported(model: AbstractVAE, x: tf.Tensor, *c: tf.Tensor) -> tf.Tensor:
    """Tell which examples lie on the likelihood's support, given a finite condition, [B]."""
    inside = _inside(model.fits.support, x)
    return tf.logical_and(inside, finite(*c)) if c else inside


def _inside(support: Support, x: tf.Tensor) -> tf.Tensor:
    inside = [
        tf.reduce_all(part.contains(x[..., columns]), tf.range(1, tf.rank(x))) for columns, part in support.parts()
    ]  # [B] each
    return tf.reduce_all(tf.stack(inside), 0)


def encodable(model: AbstractVAE, x: tf.Tensor, *c: tf.Tensor) -> tf.Tensor:
    """Tell which examples can be encoded, [B]: those without NaN, unless missing values are scored too.

    A ReLU makes 0 of NaN on some processors, and an answer that looks like any other of what is none.
    """
    inside = _inside(model.fits.support if model.fits.support.missing else REAL, x)
    return tf.logical_and(inside, finite(*c)) if c else inside


def finite(*rows: tf.Tensor) -> tf.Tensor:
    """Tell which rows of z, or of z and a condition, are finite, [B]."""
    inside = [_inside(REAL, row) for row in rows]
    return inside[0] if len(inside) == 1 else tf.reduce_all(tf.stack(inside), 0)


def or_nan(holds: tf.Tensor, values: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return values [B, ...] by name, NaN for an example where `holds`, [B], does not; or [T, B, ...] and [1, B]."""
    found = {}
    for name, value in values.items():
        rank = holds.shape.rank
        each = tf.reshape(holds, [*[1] * (rank - 1), -1, *[1] * (value.shape.rank - rank)])  # [B, 1, ...]
        found[name] = tf.where(each, value, tf.cast(float("nan"), value.dtype))
    return found


def on_support(model: AbstractVAE, x: tf.Tensor, scores: dict[str, tf.Tensor], *c: tf.Tensor) -> dict[str, tf.Tensor]:
    """Return scores [B] by name, NaN for an example off the likelihood's support, which has no density there."""
    return or_nan(supported(model, x, *c), scores)
