"""Mixtures of normal distributions of a vector."""

import keras
import numpy as np
import tensorflow as tf
from scipy import special
from tensorflow_probability import distributions as tfd

from tfvae.distributions.mixture import Mixture
from tfvae.errors import positive_int
from tfvae.heads.base import Head
from tfvae.heads.scales import positive
from tfvae.heads.support import REAL
from tfvae.heads.vector import vector_length


@keras.saving.register_keras_serializable(package="tfvae")
class NormalMixture(Head):
    """Mixture of K normal distributions of a vector, with diagonal covariances: a mixture density network.

        p(y | x) = sum_k pi_k(x) N(y | a_k + m_k(x), diag(s_k(x))^2)

    It says that y has several likely values, where the mean lies between them and is none. The constants a_k keep the
    components apart where training begins, at scales of one: their mean over k is 0 and their mean square 1. So
    standardise y: components much wider than y all fall on its mean, and may stay there.

    Args:
        event_shape: length D of y.
        components: K.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if an argument is no positive whole number.

    Reference: C. Bishop, "Mixture Density Networks", 1994, Eq. (22) and (23), with a scale for each coordinate,
    https://publications.aston.ac.uk/id/eprint/373/.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.NormalMixture(2, components=5)(np.zeros([3, 16], "float32")).event_shape
        TensorShape([2])
    """

    support = REAL
    parameter_count = 1

    def __init__(self, event_shape: int | tuple[int], components: int, **kwargs: object):
        super().__init__(event_shape, **kwargs)
        self.components = positive_int("components", components)
        self.width = self.components * (1 + 2 * vector_length(self))
        # Components that begin alike have gradients alike, and together they end as one normal distribution.
        self.apart = _apart(self.components, self.event_shape[0])

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        weights, rest = tf.split(parameters, [self.components, self.width - self.components], -1)
        shape = tf.concat([tf.shape(parameters)[:-1], [self.components, 2 * self.event_shape[0]]], 0)
        loc, raw = tf.split(tf.reshape(rest, shape), 2, -1)  # [..., K, D] each
        loc += tf.constant(self.apart, loc.dtype)
        return Mixture(tfd.Categorical(logits=weights), tfd.MultivariateNormalDiag(loc, positive(raw)))

    def get_config(self) -> dict:
        return {**super().get_config(), "components": self.components}


def _apart(points: int, dimensions: int) -> np.ndarray:
    """Return so many different points, [K, D], of mean 0 and mean square 1 over all their coordinates.

    They are normal quantiles of the additive recurrence whose steps are the powers of 1 / g, g^(D + 1) = g + 1, which
    fills a cube evenly; no two share a coordinate, in case that y differs in that one alone. Reference: M. Roberts,
    "The Unreasonable Effectiveness of Quasirandom Sequences", 2018,
    https://extremelearning.com.au/unreasonable-effectiveness-of-quasirandom-sequences/.
    """
    ratio = 2.0
    for _ in range(64):
        ratio = (1.0 + ratio) ** (1.0 / (dimensions + 1))
    steps = ratio ** -np.arange(1.0, dimensions + 1)
    quantiles = special.ndtri((0.5 + np.outer(np.arange(points), steps)) % 1.0)
    centred = quantiles - quantiles.mean(0)
    return centred / max(np.sqrt(np.mean(centred**2)), 1e-6)  # one point stays at 0
