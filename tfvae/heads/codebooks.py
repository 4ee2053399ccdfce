"""How codebooks are learned, and what becomes of codes that are not used."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfvae import replicas
from tfvae.errors import number_in
from tfvae.objectives.configured import Configured
from tfvae.objectives.penalties.base import own_noise
from tfvae.random import Seed, another, normal, uniform

_REVIVAL = 4  # stream of noise that belongs to no model
_CHOICE = 2  # stream of the noise that chooses a vector; what moves it takes 0 and 1


class CodebookRule(Configured):
    """How the vectors of a codebook are set after a training step (abstract).

    Both rules keep a moving average of how often a code is used, n_k <- g n_k + (1 - g) c_k with c_k uses in the batch.
    A code with less than `revival` times its equal share of all uses is dead: its vector becomes one of those that the
    batch asked for, chosen by the step, give or take a hundredth of their deviation, and its use that of its share.

    Args:
        decay: g, from 0 to 1.
        revival: of the equal share; 0 leaves dead codes dead.

    Raises:
        ValueError: if an argument lies outside the ranges above.
    """

    by_gradient: bool

    def __init__(self, decay: float = 0.99, revival: float = 0.01):
        self.decay = number_in("decay", decay, 0.0, 1.0)
        self.revival = number_in("revival", revival, 0.0, 1.0)

    def moved(self, table: tf.Tensor, mean: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        """Return a codebook [K, d] after a batch, given means of what its codes stood for, and their share [K, 1]."""
        raise NotImplementedError

    def update(
        self,
        codebook: keras.Variable,
        use: keras.Variable,
        targets: Sequence[tf.Tensor],
        codes: Sequence[tf.Tensor],
        step: tf.Tensor,
    ) -> None:
        """Set codebooks [L, K, d] and uses [L, K]; at each depth targets [B, N, d] had the codes [B, N]."""
        tables, uses = [], []
        for level, (target, code) in enumerate(zip(targets, codes, strict=True)):
            table, kept = tf.convert_to_tensor(codebook)[level], tf.convert_to_tensor(use)[level]
            flat = tf.cast(tf.reshape(target, [-1, table.shape[1]]), table.dtype)  # [B N, d]
            seed = another(own_noise(step, _REVIVAL), level)
            table, kept = self._after(table, kept, flat, tf.reshape(code, [-1]), seed)
            tables.append(table)
            uses.append(kept)
        codebook.assign(tf.stack(tables))
        use.assign(tf.stack(uses))

    def _after(
        self, table: tf.Tensor, use: tf.Tensor, target: tf.Tensor, code: tf.Tensor, seed: Seed
    ) -> tuple[tf.Tensor, tf.Tensor]:
        size = table.shape[0]
        count = replicas.total(tf.math.unsorted_segment_sum(tf.ones_like(code, use.dtype), code, size))  # [K]
        total = replicas.total(tf.math.unsorted_segment_sum(target, code, size))  # [K, d]
        after = self.decay * use + (1.0 - self.decay) * count
        share = tf.math.divide_no_nan((1.0 - self.decay) * count, after)[:, None]
        table = self.moved(table, tf.math.divide_no_nan(total, count[:, None]), tf.cast(share, table.dtype))
        equal = tf.reduce_mean(after)
        dead = after < self.revival * equal
        return tf.where(dead[:, None], _some(target, size, seed), table), tf.where(dead, equal, after)


def _some(target: tf.Tensor, count: int, seed: Seed) -> tf.Tensor:
    """Return `count` of the targets [M, d] of all replicas, chosen anew at every step, and moved a little."""
    first, size = replicas.place(tf.shape(target)[0])
    at = tf.cast(uniform(1, [count], seed, _CHOICE)[0] * tf.cast(size, tf.float32), tf.int32) - first  # [K]
    here = tf.logical_and(at >= 0, at < tf.shape(target)[0])
    chosen = tf.gather(target, tf.clip_by_value(at, 0, tf.shape(target)[0] - 1))
    chosen = replicas.total(tf.where(here[:, None], chosen, tf.zeros_like(chosen)))  # [K, d]
    noise = tf.cast(normal(1, [count, target.shape[1]], seed)[0], target.dtype)
    least = 1e-3 * (1.0 + tf.reduce_max(tf.abs(chosen), 0))  # two that are equal could not be told apart
    return chosen + 0.01 * tf.maximum(tf.math.reduce_std(chosen, 0), least) * noise


@keras.saving.register_keras_serializable(package="tfvae")
class MovingAverage(CodebookRule):
    """Each vector of a codebook is the mean of what it stood for, recent batches counting most.

        e_k = m_k / n_k,   n_k <- g n_k + (1 - g) c_k,   m_k <- g m_k + (1 - g) sum_{i: k_i = k} h_i

    Before training n_k = 1. Weights of examples, `sample_weight`, do not count here, and a codebook is frozen with any
    layer that holds it, the prior too.

    Args:
        decay: g, from 0 to 1.
        revival: a code is replaced that has less than so much of its equal share of uses; 0 leaves dead codes dead.

    Raises:
        ValueError: if an argument lies outside the ranges above.

    Reference: A. van den Oord, O. Vinyals and K. Kavukcuoglu, "Neural Discrete Representation Learning", 2017,
    App. A.1, https://arxiv.org/abs/1711.00937; replaced codes: N. Zeghidour et al., "SoundStream: An End-to-End Neural
    Audio Codec", 2021, Sec. III-C, https://arxiv.org/abs/2107.03312.

    Example:
        >>> import tfvae
        >>> tfvae.heads.VectorQuantizer(16, 4, tfvae.heads.MovingAverage(0.9)).trainable_weights
        []
    """

    by_gradient = False

    def moved(self, table: tf.Tensor, mean: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        # As a step towards the mean, in which nothing vanishes that was not used for long.
        return table + share * (mean - table)


@keras.saving.register_keras_serializable(package="tfvae")
class ByGradient(CodebookRule):
    """The vectors of a codebook are weights like others: `penalties.Codebook` draws them to what they stand for.

        sum_i |sg(h_i) - e_{k_i}|^2

    Args:
        decay: g of the moving average of uses, from 0 to 1.
        revival: a code is replaced that has less than so much of its equal share of uses; 0 leaves dead codes dead.

    Raises:
        ValueError: if an argument lies outside the ranges above.

    Reference: A. van den Oord, O. Vinyals and K. Kavukcuoglu, "Neural Discrete Representation Learning", 2017,
    Eq. (3), https://arxiv.org/abs/1711.00937.

    Example:
        >>> import tfvae
        >>> len(tfvae.heads.VectorQuantizer(16, 4, tfvae.heads.ByGradient()).trainable_weights)
        1
    """

    by_gradient = True

    def moved(self, table: tf.Tensor, mean: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        return table
