"""A categorical distribution over evenly spaced numbers."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import util

from tfvae.distributions.special import log_sum_exp, softmax


class CategoricalLevels(tfd.AutoCompositeTensorDistribution):
    """A categorical distribution over the numbers step * k, k = 0 .. K - 1.

        log p(x = step k) = l_k - log sum_j exp(l_j)

    Args:
        logits: l, [*batch_shape, K].
        step: distance of neighbours.
        name: of the distribution.

    Reference: A. van den Oord, N. Kalchbrenner and K. Kavukcuoglu, "Pixel Recurrent Neural Networks", 2016,
    Sec. 2.2, https://arxiv.org/abs/1601.06759.
    """

    def __init__(self, logits: tf.Tensor, step: float, name: str = "CategoricalLevels"):
        self.logits, self.step = logits, step
        super().__init__(
            dtype=logits.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"logits": logits, "step": step, "name": name},
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict:
        return {"logits": util.ParameterProperties(event_ndims=1)}

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.zeros([0], tf.int32)

    @property
    def _values(self) -> tf.Tensor:
        return tf.range(self.logits.shape[-1], dtype=self.dtype)  # [K]

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        level = tf.round(tf.cast(x, self.dtype) / self.step)[..., None]
        chosen = tf.where(tf.equal(level, self._values), self.logits, tf.zeros([], self.dtype))
        return tf.reduce_sum(chosen, -1) - log_sum_exp(self.logits, -1)

    def _mean(self) -> tf.Tensor:
        return tf.reduce_sum(softmax(self.logits, -1) * self._values, -1) * self.step

    def _sample_n(self, n: tf.Tensor, seed: object = None) -> tf.Tensor:
        return tf.cast(tfd.Categorical(self.logits).sample(n, seed=seed), self.dtype) * self.step
