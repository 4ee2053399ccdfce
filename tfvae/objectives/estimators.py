"""Bounds whose gradient is estimated with less noise: it reaches the parameters of q(z | x) through z alone."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.experts import EqualMixture
from tfvae.errors import IncompatibleParts, positive_int
from tfvae.objectives.base import Objective
from tfvae.objectives.configured import Configured
from tfvae.objectives.importance import log_mean_exp
from tfvae.random import as_seed, draw
from tfvae.trace import Trace


def _check_fixable(q: tfd.Distribution, objective: Objective) -> None:
    """Raise IncompatibleParts if a posterior has no density at a given point whose parameters can be held fixed.

    Raises:
        IncompatibleParts: naming posterior and objective.
    """
    try:
        fixed = tf.nest.map_structure(tf.stop_gradient, q, expand_composites=True)
        fixed.log_prob(draw(q, 1, as_seed(0)))
    except (TypeError, ValueError, NotImplementedError) as error:
        raise IncompatibleParts(
            "Expected a posterior that is a tf.nest of its parameters and has a density at any point, which all heads "
            "of tfvae but InverseAutoregressive give; use objectives.IWAE or objectives.ELBO for others. Received: "
            f"posterior {q.name}, objective {type(objective).__name__}, the posterior says: {error!s:.200}"
        ) from error


def _path_weights(trace: Trace) -> tf.Tensor:
    """Return log p(x, z_s) - log q(z_s | x) with the parameters of q held fixed, [S, B]."""
    return trace.log_px + trace.log_pz - trace.log_qz_stopped


@keras.saving.register_keras_serializable(package="tfvae")
class DReG(Configured, Objective):
    """The importance-weighted bound with the doubly reparameterised gradient.

        E[log 1/K sum_k w_k],   d/dphi = E[sum_k (w_k / sum_j w_j)^2 (d log w_k / d z_k) (d z_k / d phi)]

    phi are the parameters of q(z | x); the gradients of decoder and prior are those of `IWAE`. Both gradients have the
    same mean, but the noise of this one does not drown it as K grows.

    Args:
        samples: K, how many z are drawn for each example.

    Raises:
        ValueError: if `samples` is not positive.

    Reference: G. Tucker et al., "Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives", 2019,
    Eq. (8), https://arxiv.org/abs/1810.04152.

    Example:
        >>> import tfvae
        >>> tfvae.objectives.DReG(64).samples
        64
    """

    def __init__(self, samples: int):
        self.samples = positive_int("samples", samples)

    def check(self, q: tfd.Distribution, p: tfd.Distribution) -> None:
        _check_fixable(q, self)
        if isinstance(q, EqualMixture):
            raise IncompatibleParts(
                "Expected a posterior whose draws are independent, not stratified, or else the gradient is biased; use "
                f"objectives.IWAE or objectives.MIWAE. Received: posterior {q.name}, objective DReG"
            )

    def bound(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        weights = _path_weights(trace)  # [K, B]
        # The bound multiplies the gradient of each log w_k by its share once, the link does so again on its way to phi.
        trace.link.factor = tf.stop_gradient(tf.nn.softmax(weights, 0))
        return log_mean_exp(weights)  # [B]


@keras.saving.register_keras_serializable(package="tfvae")
class STL(Configured, Objective):
    """The ELBO with the path derivative, whose noise vanishes where q(z | x) is the true posterior.

        E[1/K sum_k log w_k],   d/dphi = E[1/K sum_k (d log w_k / d z_k) (d z_k / d phi)]

    phi are the parameters of q(z | x); the score d log q(z | x) / d phi, whose mean is zero, is left out. The rate is
    the mean of log q(z | x) - log p(z) over the draws, not a closed form, which would bring its own noise back.

    Args:
        samples: K, how many z are drawn for each example.

    Raises:
        ValueError: if `samples` is not positive.

    Reference: G. Roeder, Y. Wu and D. Duvenaud, "Sticking the Landing: Simple, Lower-Variance Gradient Estimators for
    Variational Inference", 2017, Sec. 2, https://arxiv.org/abs/1703.09194.

    Example:
        >>> import tfvae
        >>> tfvae.objectives.STL().samples
        1
    """

    def __init__(self, samples: int = 1):
        self.samples = positive_int("samples", samples)

    def check(self, q: tfd.Distribution, p: tfd.Distribution) -> None:
        _check_fixable(q, self)

    def bound(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(_path_weights(trace), 0)  # [B]
