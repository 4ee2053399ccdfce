"""Mixtures whose density every exported format has."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.special import log_sum_exp


class Mixture(tfd.MixtureSameFamily):
    """TFP's mixture of one family over vectors, with a density of builtin operators.

        p(z) = sum_k pi_k p_k(z)

    Args:
        mixture_distribution: `tfd.Categorical` over the K components.
        components_distribution: the components, with a batch axis [K] and event shape [D].

    Reference: D. Titterington, A. Smith and U. Makov, "Statistical Analysis of Finite Mixture Distributions", 1985,
    Sec. 1.1.

    Example:
        >>> components = tfd.MultivariateNormalDiag([[0.0, 0.0], [1.0, 2.0]], [[1.0, 1.0], [1.0, 1.0]])
        >>> Mixture(tfd.Categorical(logits=[0.0, 0.0]), components).mean().numpy().tolist()
        [0.5, 1.0]
    """

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        weights = tf.nn.log_softmax(self.mixture_distribution.logits)
        scores = self.components_distribution.log_prob(tf.expand_dims(x, -2)) + weights  # [..., K]
        return log_sum_exp(scores, -1)
