"""Logistic distributions rounded to evenly spaced levels between 0 and 1."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import util

from tfvae.distributions.special import log1mexp, log_sum_exp, softplus


def _log_mass(x: tf.Tensor, loc: tf.Tensor, scale: tf.Tensor, levels: int) -> tf.Tensor:
    """Return the log-probability of a level, whose interval has standardised ends a > b.

        log(sigmoid(a) - sigmoid(b)) = -softplus(-a) - softplus(b) + log(1 - exp(b - a))

    The ends are never subtracted from one another: a - b is the interval's width over the scale.
    """
    half = 0.5 / (levels - 1)
    standard, reach = (x - loc) / scale, half / scale
    lowest, highest = x < half, x > 1.0 - half
    zero = tf.zeros([], x.dtype)
    inner = tf.where(lowest | highest, zero, log1mexp(2.0 * reach))
    upper = tf.where(highest, zero, softplus(-standard - reach))
    lower = tf.where(lowest, zero, softplus(standard - reach))
    return inner - upper - lower


def _mean(loc: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Return the mean of the logistic distribution whose values outside [0, 1] are moved to the ends.

        s log(1 + exp(loc / s)) - s log(1 + exp((loc - 1) / s)) = integral over [0, 1] of P(X > e) de

    The mean over the levels is that integral by the midpoint rule, since it is a sum of P(X > e) over their edges.
    """
    return scale * (softplus(loc / scale) - softplus((loc - 1.0) / scale))


def _rounded(x: tf.Tensor, levels: int) -> tf.Tensor:
    return tf.clip_by_value(tf.round(x * (levels - 1)), 0.0, levels - 1.0) / (levels - 1)


class QuantizedLogistic(tfd.AutoCompositeTensorDistribution):
    """A logistic distribution rounded to the levels k / (levels - 1), k = 0 .. levels - 1.

        p(x) = sigmoid((x + w / 2 - loc) / scale) - sigmoid((x - w / 2 - loc) / scale),   w = 1 / (levels - 1)

    The lowest and the highest level take the tails. The mean is given within half a level, and within
    w^2 / (90 scale) once the scale is a level or more: 2e-6 for 256 levels and a scale of 0.1.

    Args:
        loc: centre, in the units of x.
        scale: above 0, in the units of x.
        levels: how many, at least 2.
        name: of the distribution.

    Reference: T. Salimans et al., "PixelCNN++", 2017, Eq. (2), https://arxiv.org/abs/1701.05517.
    """

    def __init__(self, loc: tf.Tensor, scale: tf.Tensor, levels: int, name: str = "QuantizedLogistic"):
        self.loc, self.scale, self.levels = loc, scale, levels
        super().__init__(
            dtype=loc.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"loc": loc, "scale": scale, "levels": levels, "name": name},
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict:
        return {"loc": util.ParameterProperties(), "scale": util.ParameterProperties()}

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.zeros([0], tf.int32)

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        return _log_mass(tf.cast(x, self.dtype), self.loc, self.scale, self.levels)

    def _mean(self) -> tf.Tensor:
        return _mean(self.loc, self.scale)

    def _sample_n(self, n: tf.Tensor, seed: object = None) -> tf.Tensor:
        return _rounded(tfd.Logistic(self.loc, self.scale).sample(n, seed=seed), self.levels)


class QuantizedLogisticMixture(tfd.AutoCompositeTensorDistribution):
    """A mixture of `QuantizedLogistic` distributions, with weights softmax(logits).

        p(x) = sum_k w_k (sigmoid((x + w / 2 - loc_k) / scale_k) - sigmoid((x - w / 2 - loc_k) / scale_k))

    Components lie on the first axis of the parameters, so that sums over them run along whole rows.

    Args:
        logits: of the weights, [K, *batch_shape].
        loc: centres, [K, *batch_shape].
        scale: above 0, [K, *batch_shape].
        levels: how many, at least 2.
        name: of the distribution.

    Reference: T. Salimans et al., "PixelCNN++", 2017, Eq. (2), https://arxiv.org/abs/1701.05517.
    """

    def __init__(
        self,
        logits: tf.Tensor,
        loc: tf.Tensor,
        scale: tf.Tensor,
        levels: int,
        name: str = "QuantizedLogisticMixture",
    ):
        self.logits, self.loc, self.scale, self.levels = logits, loc, scale, levels
        super().__init__(
            dtype=loc.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"logits": logits, "loc": loc, "scale": scale, "levels": levels, "name": name},
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict:
        return {name: util.ParameterProperties() for name in ("logits", "loc", "scale")}

    def _batch_shape(self) -> tf.TensorShape:
        return self.loc.shape[1:]

    def _batch_shape_tensor(self) -> tf.Tensor:
        return tf.shape(self.loc)[1:]

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.zeros([0], tf.int32)

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        x = tf.cast(x, self.dtype)
        axes = (None,) * max(x.shape.rank - self.batch_shape.rank, 0)  # sample axes of x, between K and the batch
        logits, loc, scale = (value[:, *axes] for value in (self.logits, self.loc, self.scale))
        log_mass = _log_mass(x, loc, scale, self.levels)  # [K, ...]
        return log_sum_exp(logits + log_mass, 0) - log_sum_exp(logits, 0)

    def _mean(self) -> tf.Tensor:
        weights = tf.exp(self.logits - log_sum_exp(self.logits, 0))
        return tf.reduce_sum(weights * _mean(self.loc, self.scale), 0)

    def _sample_n(self, n: tf.Tensor, seed: object = None) -> tf.Tensor:
        standard = tf.concat([tf.zeros_like(self.loc), tf.zeros_like(self.loc[:1])], 0)
        noise = tfd.Logistic(standard, 1.0).sample(n, seed=seed)  # [n, K + 1, ...]
        gumbel = -tf.math.log(softplus(-noise[:, :-1]))  # as -log sigmoid(noise) is exponentially distributed
        chosen = tf.argmax(self.logits + gumbel, 1)  # [n, ...]
        one_hot = tf.one_hot(chosen, self.loc.shape[0], axis=1, dtype=self.dtype)  # [n, K, ...]
        loc, scale = (tf.reduce_sum(one_hot * value, 1) for value in (self.loc, self.scale))
        return _rounded(loc + scale * noise[:, -1], self.levels)
