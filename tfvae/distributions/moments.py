"""What stands for a posterior: one point, and a mean with a deviation."""

from collections.abc import Callable
from functools import singledispatch

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.random import Seed, as_seed, draw

DRAWS = 64
SEED = 64  # a tensor made on import would start TensorFlow before its devices are configured


@singledispatch
def centre(q: tfd.Distribution) -> tf.Tensor:
    """Return the point of shape [*batch_shape, D] that stands for a posterior where one is reconstructed or embedded.

    The mean, unless it lies off the support or has no closed form and the family registers another point.
    """
    mean = _closed(q.mean)
    return _estimated(q)[0] if mean is None else mean


@singledispatch
def moments(q: tfd.Distribution) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and standard deviation, [*batch_shape, D] each: in closed form, else estimated.

    The estimate takes 64 draws with a fixed seed, so that it is the same at every call; its mean is off by an eighth of
    the deviation, and the deviation by a tenth of itself. The draws of two examples of a batch differ, unless the
    family registers a rule of its own.
    """
    mean, stddev = _closed(q.mean), _closed(q.stddev)
    return _estimated(q) if mean is None or stddev is None else (mean, stddev)


@singledispatch
def shown(px: tfd.Distribution, seed: Seed | None = None) -> tf.Tensor:
    """Return what stands for a likelihood where an image is shown, [*batch_shape, *event]: its mean.

    Unless it has none in closed form and the family registers something else, such as a draw: by the seed, or by noise
    that is always the same.
    """
    return px.mean()


@centre.register(tfd.PowerSpherical)
def _direction(q: tfd.Distribution) -> tf.Tensor:
    return q.mean_direction  # the mean lies inside the ball


@moments.register(tfd.PowerSpherical)
def _power_spherical(q: tfd.Distribution) -> tuple[tf.Tensor, tf.Tensor]:
    """Reference: N. De Cao and W. Aziz, "The Power Spherical distribution", 2020, Eq. (12) and (13)."""
    kappa, size = q.concentration[..., None], q.event_shape[-1]  # [*B, 1]
    shrink = kappa / (kappa + size - 1.0)
    spread = (2.0 * kappa + size - 1.0) / ((kappa + size - 1.0) * (kappa + size))
    return shrink * q.mean_direction, tf.sqrt(spread * (1.0 - shrink * tf.square(q.mean_direction)))  # [*B, D]


def _closed(statistic: Callable[[], tf.Tensor]) -> tf.Tensor | None:
    """Return a statistic that TFP computes, or None where it has no formula."""
    try:
        return statistic()
    except NotImplementedError:
        return None


def _estimated(q: tfd.Distribution) -> tuple[tf.Tensor, tf.Tensor]:
    return estimates(draw(q, DRAWS, as_seed(SEED)))


def estimates(draws: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and standard deviation over the draws, [*B, D] each, for draws [64, *B, D]."""
    mean = tf.reduce_mean(draws, 0)
    square = tf.reduce_sum(tf.math.squared_difference(draws, mean), 0) / (DRAWS - 1.0)
    return mean, tf.sqrt(square)
