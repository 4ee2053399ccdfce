"""Groups of relaxed one-hot vectors, in logarithms, laid end to end."""

import math

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.moments import DRAWS, SEED, centre, estimates, moments
from tfvae.distributions.special import log_softmax
from tfvae.random import as_seed, uniform_like


class RelaxedCategorical(tfd.Independent):
    """Independent groups of `tfd.ExpRelaxedOneHotCategorical` as one vector z of length groups * classes.

        z_g = log softmax((logits_g + G_g) / T),   G_gk = -log(-log U_gk)
        q(z) = prod_g (K - 1)! T^(K - 1) prod_k softmax(logits_g - T z_g)_k

    The density is with respect to the measure dx_1 ... dx_(K-1) / prod_k x_k on the simplex of x = exp(z_g), Lebesgue's
    on the log-ratios log x_k - log x_K. It is the same for every distribution of this kind, so that a ratio of two of
    them is what a bound needs.

    Args:
        distribution: groups of K classes, a `tfd.ExpRelaxedOneHotCategorical` with logits [*B, groups, K].
        reinterpreted_batch_ndims: 1.

    Reference: C. Maddison, A. Mnih and Y. W. Teh, "The Concrete Distribution", 2017, App. C.3,
    https://arxiv.org/abs/1611.00712.

    Example:
        >>> import tensorflow as tf
        >>> groups = tfd.ExpRelaxedOneHotCategorical(0.5, logits=tf.zeros([7, 3, 4]))
        >>> RelaxedCategorical(groups, reinterpreted_batch_ndims=1).event_shape
        TensorShape([12])
    """

    def place(self, uniform: tf.Tensor) -> tf.Tensor:
        """Turn noise uniform on (0, 1), [S, *B, groups * K], into draws of that shape."""
        gumbel = -tf.math.log(-tf.math.log(self._grouped(uniform)))
        scaled = (self.distribution.logits + gumbel) / self.distribution.temperature[..., None]
        return self._flat(log_softmax(scaled, -1))

    def noise_free(self) -> tf.Tensor:
        """Return log softmax(logits / T), [*B, groups * K]: the draw whose noise is the same for every class."""
        return self._flat(log_softmax(self.distribution.logits / self.distribution.temperature[..., None], -1))

    def _grouped(self, z: tf.Tensor) -> tf.Tensor:
        sizes = self.distribution.logits.shape[-2:]
        grouped = tf.reshape(z, tf.concat([tf.shape(z)[:-1], sizes], 0))
        grouped.set_shape([*z.shape[:-1], *sizes])
        return grouped

    def _flat(self, z: tf.Tensor) -> tf.Tensor:
        size = math.prod(self.distribution.logits.shape[-2:])
        flat = tf.reshape(z, tf.concat([tf.shape(z)[:-2], [size]], 0))
        flat.set_shape([*z.shape[:-2], size])  # TFLite has no ensure_shape
        return flat

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([math.prod(self.distribution.logits.shape[-2:])])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant(self._event_shape().as_list(), tf.int32)

    def _sample_n(self, n: tf.Tensor | int, seed: object = None) -> tf.Tensor:
        return self._flat(self.distribution.sample(n, seed=seed))

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        temperature, classes = self.distribution.temperature, self.distribution.logits.shape[-1]
        scores = log_softmax(self.distribution.logits - self._grouped(x) * temperature[..., None], -1)
        volume = math.lgamma(classes) + (classes - 1.0) * tf.math.log(temperature)  # of one group
        return tf.reduce_sum(tf.reduce_sum(scores, -1) + volume, -1)


@centre.register(RelaxedCategorical)
def _noise_free(q: RelaxedCategorical) -> tf.Tensor:
    return q.noise_free()


@moments.register(RelaxedCategorical)
def _with_the_same_noise(q: RelaxedCategorical) -> tuple[tf.Tensor, tf.Tensor]:
    """Estimate with one noise for all examples, so that an example's place in the batch does not matter."""
    noise = uniform_like(DRAWS, tf.zeros(q.event_shape, q.dtype), as_seed(SEED))  # [64, groups * K]
    batch = [1] * q.batch_shape.rank
    return estimates(q.place(tf.reshape(noise, [DRAWS, *batch, *q.event_shape])))
