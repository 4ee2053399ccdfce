"""Where a density has its mass, so that none takes the place of a prior on the real line that is not one."""

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfvae.heads.support import REAL, Support

_FAR = 1e30  # beyond the bounds of whatever is fitted, and still a float32


def support_of(distribution: tfd.Distribution) -> Support:
    """Return the support of a continuous distribution of vectors: that of real numbers itself where it has no bounds.

    It is where TFP's map from the real numbers to the distribution leads.

    Raises:
        ValueError: if the distribution is discrete, or TFP has no such map.
    """
    name = type(_innermost(distribution)).__name__.lstrip("_")
    try:
        bijector = distribution.experimental_default_event_space_bijector()
    except (NotImplementedError, TypeError):  # TFP's map to the simplex fails under NumPy 2.4
        bijector = None
    if bijector is None:
        raise ValueError(
            "Expected a continuous distribution whose support TFP knows, for a prior of z, such as Normal or "
            f"MultivariateNormalTriL. Received: {name}"
        )
    far = tf.fill(distribution.event_shape, tf.constant(_FAR, distribution.dtype))
    if bool(tf.reduce_all(_reached(bijector, far) & _reached(bijector, -far))):
        return REAL
    return Support(
        f"the values of {name}",
        lambda x: _reached(bijector, tf.cast(x, distribution.dtype)),
        "Use a distribution of all real vectors, such as MultivariateNormalTriL, or scale the data to its support.",
    )


def _reached(bijector: tfb.Bijector, x: tf.Tensor) -> tf.Tensor:
    """Tell where x is a value of the bijector, to a few digits."""
    real = bijector.inverse(x)
    again = bijector.forward(tf.identity(real))  # of `real` itself TFP returns x, which it has kept
    near = tf.abs(again - x) <= 1e-3 * (tf.abs(x) + 1e-3)
    # Far out in a tail the map from real numbers overflows, to the right side.
    beyond = tf.math.is_inf(again) & (tf.sign(again) == tf.sign(x))
    return tf.math.is_finite(x) & (near | beyond)


def _innermost(distribution: tfd.Distribution) -> tfd.Distribution:
    while isinstance(distribution, tfd.Independent):
        distribution = distribution.distribution
    return distribution
