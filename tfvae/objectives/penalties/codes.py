"""What draws features and the vectors of a codebook together."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.codes import CodePoint
from tfvae.errors import IncompatibleParts
from tfvae.objectives.penalties.base import Penalty
from tfvae.trace import Trace


class _Miss(Penalty):
    """The squared distance between features and the embeddings of their codes, of each example (abstract)."""

    def misses(self, target: tf.Tensor, embedding: tf.Tensor) -> tf.Tensor:
        """Return the difference at one depth, with a gradient to one of the two, [B, N, width]."""
        raise NotImplementedError

    def check(self, q: tfd.Distribution, p: tfd.Distribution) -> None:
        """Raise IncompatibleParts if the posterior has no codes."""
        if not isinstance(q, CodePoint):
            raise IncompatibleParts(
                f"Expected a posterior over codes, heads.Quantized, for penalties.{type(self).__name__}. Received: "
                f"posterior {q.name}"
            )

    def measure(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return the sum over positions, depths and numbers, [B]."""
        parts = [tf.square(self.misses(target, embedding)) for target, embedding in trace.q.misses()]
        return tf.add_n([tf.reduce_sum(part, [-2, -1]) for part in parts])


@keras.saving.register_keras_serializable(package="tfvae")
class Commitment(_Miss):
    """What the encoder pays for features far from the embeddings that stand for them.

        sum_n |h_n - sg(e(k_n))|^2,   at every depth with what is left of h

    Added to a log-likelihood it is in nats: weight |h - e|^2 is the exponent of a normal density of variance
    1 / (2 weight).

    Args:
        weight: beta, at least 0: a number or a schedule of the training step.

    Raises:
        ValueError: if `weight` is neither a number of at least 0 nor a schedule.

    Reference: A. van den Oord, O. Vinyals and K. Kavukcuoglu, "Neural Discrete Representation Learning", 2017,
    Eq. (3), https://arxiv.org/abs/1711.00937; at every depth: D. Lee et al., "Autoregressive Image Generation using
    Residual Quantization", 2022, Sec. 3.1, https://arxiv.org/abs/2203.01941.

    Example:
        >>> from tfvae.objectives import ELBO, penalties
        >>> ELBO(penalties=(penalties.Commitment(0.25),)).penalties[0].weight.value
        0.25
    """

    def misses(self, target: tf.Tensor, embedding: tf.Tensor) -> tf.Tensor:
        return target - tf.stop_gradient(embedding)


@keras.saving.register_keras_serializable(package="tfvae")
class Codebook(_Miss):
    """What draws the vectors of a codebook to the features that they stand for: how `heads.ByGradient` learns them.

        sum_n |sg(h_n) - e(k_n)|^2,   at every depth with what is left of h

    Args:
        weight: at least 0: a number or a schedule of the training step.

    Raises:
        ValueError: if `weight` is neither a number of at least 0 nor a schedule.

    Reference: A. van den Oord, O. Vinyals and K. Kavukcuoglu, "Neural Discrete Representation Learning", 2017,
    Eq. (3), https://arxiv.org/abs/1711.00937.

    Example:
        >>> from tfvae.objectives import ELBO, penalties
        >>> ELBO(penalties=(penalties.Codebook(1.0), penalties.Commitment(0.25))).penalties[0].weight.value
        1.0
    """

    def misses(self, target: tf.Tensor, embedding: tf.Tensor) -> tf.Tensor:
        return tf.stop_gradient(target) - embedding
