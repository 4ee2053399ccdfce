"""Dependence between the elements of z over the whole data set, estimated within a batch."""

import math

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.factors import factors
from tfvae.errors import whole_number_in
from tfvae.objectives.configured import Configured
from tfvae.objectives.penalties.base import Penalty
from tfvae.objectives.schedules import Schedule
from tfvae.trace import Trace

_MOST = 2**31 - 1


class Sampling(Configured):
    """How the mixture q(z) = 1/N sum_n q(z | x_n) of all N examples is estimated from the B of a batch (abstract).

        q(z_i) = sum_j share_ij q(z_i | x_j)

    Args:
        examples: N, the number of training examples.

    Raises:
        ValueError: if `examples` is no whole number from 2 to 2^31 - 1.
    """

    def __init__(self, examples: int):
        self.examples = whole_number_in("examples", examples, 2, _MOST)

    def log_shares(self, batch: tf.Tensor | int, dtype: tf.DType) -> tf.Tensor:
        """Return the logarithms of the shares, [B, B]: of x_j in q(z_i), where z_i was drawn from q(z | x_i)."""
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="tfvae")
class Stratified(Sampling):
    """Shares that make the estimate of q(z) unbiased for every z_i: its own example counts as one of N.

        share_ii = 1 / N,   share_ij = (1 - 1 / N) / (B - 1)

    These are the shares of minibatch stratified sampling averaged over which example of the batch is the last one: they
    have the same expectation and less variance.

    Args:
        examples: N, the number of training examples.

    Raises:
        ValueError: if `examples` is no whole number from 2 to 2^31 - 1.

    Reference: R. Chen et al., "Isolating Sources of Disentanglement in Variational Autoencoders", 2018, App. C.2,
    https://arxiv.org/abs/1802.04942.

    Example:
        >>> import tensorflow as tf, tfvae
        >>> tf.exp(tfvae.objectives.penalties.Stratified(10).log_shares(3, tf.float32)).numpy().round(3)
        array([[0.1 , 0.45, 0.45],
               [0.45, 0.1 , 0.45],
               [0.45, 0.45, 0.1 ]], dtype=float32)
    """

    def log_shares(self, batch: tf.Tensor | int, dtype: tf.DType) -> tf.Tensor:
        others = tf.cast(tf.maximum(batch - 1, 1), dtype)
        own = tf.constant(-math.log(self.examples), dtype)
        off = tf.constant(math.log1p(-1.0 / self.examples), dtype) - tf.math.log(others)
        return tf.where(tf.eye(batch, dtype=tf.bool), own, off)


@keras.saving.register_keras_serializable(package="tfvae")
class Weighted(Sampling):
    """Equal shares: biased, but E[log q(z)] is bounded from below by its estimate.

        share_ij = 1 / (N B)

    Args:
        examples: N, the number of training examples.

    Raises:
        ValueError: if `examples` is no whole number from 2 to 2^31 - 1.

    Reference: R. Chen et al., "Isolating Sources of Disentanglement in Variational Autoencoders", 2018, App. C.1,
    https://arxiv.org/abs/1802.04942.

    Example:
        >>> import tensorflow as tf, tfvae
        >>> tf.exp(tfvae.objectives.penalties.Weighted(10).log_shares(2, tf.float32)).numpy().round(3)
        array([[0.05, 0.05],
               [0.05, 0.05]], dtype=float32)
    """

    def log_shares(self, batch: tf.Tensor | int, dtype: tf.DType) -> tf.Tensor:
        share = -math.log(self.examples) - tf.math.log(tf.cast(batch, dtype))
        return tf.fill([batch, batch], share)


@keras.saving.register_keras_serializable(package="tfvae")
class TotalCorrelation(Penalty):
    """The total correlation of z over the data, which is zero if and only if its elements are independent.

        KL(q(z) || prod_d q(z_d)) = E_q(z)[log q(z) - sum_d log q(z_d)],   q(z) = 1/N sum_n q(z | x_n)

    The ELBO with this penalty, its weight being beta - 1, is the objective of the beta-TCVAE with alpha = gamma = 1.

    Args:
        weight: at least 0: a number or a schedule of the training step.
        sampling: how q(z) is estimated within a batch: `Stratified(examples)` or `Weighted(examples)`.

    Raises:
        TypeError: if `sampling` is no such object.
        ValueError: if `weight` is neither a number of at least 0 nor a schedule.

    Reference: R. Chen et al., "Isolating Sources of Disentanglement in Variational Autoencoders", 2018, Eq. (2) and
    (4), https://arxiv.org/abs/1802.04942.

    Example:
        >>> from tfvae.objectives import ELBO, penalties
        >>> ELBO(penalties=(penalties.TotalCorrelation(5.0, penalties.Stratified(60_000)),)).penalties[0].weight.value
        5.0
    """

    def __init__(self, weight: float | Schedule, sampling: Sampling):
        super().__init__(weight)
        if not isinstance(sampling, Sampling):
            raise TypeError(
                "Expected sampling to be penalties.Stratified(examples) or penalties.Weighted(examples). "
                f"Received: sampling={sampling!r}"
            )
        self.sampling = sampling

    def check(self, q: tfd.Distribution, p: tfd.Distribution) -> None:
        """Raise IncompatibleParts if the elements of the posterior are not independent."""
        factors(q)

    def measure(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return the estimate of the total correlation in nats."""
        log_q = factors(trace.q).log_prob(trace.z[..., None, :])  # [S, B, B, D]: z_i under q(z_d | x_j)
        shares = self.sampling.log_shares(tf.shape(log_q)[1], log_q.dtype)  # [B, B]
        joint = tf.reduce_logsumexp(shares + tf.reduce_sum(log_q, -1), -1)  # [S, B]
        marginals = tf.reduce_logsumexp(shares[..., None] + log_q, -2)  # [S, B, D]
        return tf.reduce_mean(joint - tf.reduce_sum(marginals, -1))
