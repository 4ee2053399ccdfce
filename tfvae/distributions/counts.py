"""Counts that vary more than a Poisson distribution lets them."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import util

from tfvae.distributions.special import HALF_LOG_2PI, binet, excess, log1p, softplus


def _log_mass(x: tf.Tensor, expected: tf.Tensor, total_count: tf.Tensor) -> tf.Tensor:
    """Return log NB(x) for mean m and total count r, with n = x + r and u = (x - m) / (r + m).

        log NB(x) = -r e(u) - x e(-r u / x) + log(r / (n x)) / 2 - log(2 pi) / 2 + binet(n) - binet(r) - binet(x),
        e(u) = u - log(1 + u),   log NB(0) = -r log(1 + m / r)

    Reference: C. Loader, "Fast and Accurate Computation of Binomial Probabilities", 2000, Sec. 3,
    http://www.herine.net/stat/papers/dbinom.pdf, of a negative binomial written as r / n times a binomial.
    """
    counted = tf.where(x > 0, x, tf.ones_like(x))
    constant = binet(counted) + 0.5 * tf.math.log(counted) + HALF_LOG_2PI  # of x alone, which has no sample axis
    all_trials, mean_trials = counted + total_count, expected + total_count
    off, ratio = (counted - expected) / mean_trials, all_trials / mean_trials
    surprise = total_count * excess(off, ratio)
    surprise += counted * excess(-total_count * off / counted, expected / counted * ratio)
    stirling = binet(all_trials) - binet(total_count) + 0.5 * tf.math.log(total_count / all_trials)
    return tf.where(x > 0, stirling - surprise - constant, -total_count * log1p(expected / total_count))


class _Counts(tfd.AutoCompositeTensorDistribution):
    """A distribution of one count (abstract)."""

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.zeros([0], tf.int32)


class NegativeBinomial(_Counts):
    """Negative binomial distribution by its mean m and total count r, a Poisson whose rate is gamma distributed.

        p(x) = Gamma(x + r) / (Gamma(r) x!) (r / (r + m))^r (m / (r + m))^x,   variance m + m^2 / r

    Args:
        expected: the mean m, above 0.
        total_count: r above 0; its inverse is the dispersion, and r -> infinity the Poisson distribution.
        name: of the distribution.
    """

    def __init__(self, expected: tf.Tensor, total_count: tf.Tensor, name: str = "NegativeBinomial"):
        self.expected, self.total_count = expected, total_count
        super().__init__(
            dtype=expected.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"expected": expected, "total_count": total_count, "name": name},
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict:
        return {"expected": util.ParameterProperties(), "total_count": util.ParameterProperties()}

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        return _log_mass(tf.cast(x, self.dtype), self.expected, self.total_count)

    def _mean(self) -> tf.Tensor:
        return tf.broadcast_to(self.expected, self.batch_shape_tensor())

    def _variance(self) -> tf.Tensor:
        return self.expected + tf.square(self.expected) / self.total_count

    def _sample_n(self, n: tf.Tensor, seed: object = None) -> tf.Tensor:
        return _standard(self.expected, self.total_count).sample(n, seed=seed)


class ZeroInflatedNegativeBinomial(_Counts):
    """A negative binomial distribution or, with probability pi = sigmoid(logits), zero for another reason.

        p(x) = pi [x = 0] + (1 - pi) NB(x | m, r)

    Args:
        expected: the mean m of the negative binomial, above 0.
        total_count: its r, above 0.
        logits: log-odds of a zero that is no count.
        name: of the distribution.
    """

    def __init__(
        self,
        expected: tf.Tensor,
        total_count: tf.Tensor,
        logits: tf.Tensor,
        name: str = "ZeroInflatedNegativeBinomial",
    ):
        self.expected, self.total_count, self.logits = expected, total_count, logits
        super().__init__(
            dtype=expected.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"expected": expected, "total_count": total_count, "logits": logits, "name": name},
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict:
        return {name: util.ParameterProperties() for name in ("expected", "total_count", "logits")}

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        x = tf.cast(x, self.dtype)
        counted = _log_mass(x, self.expected, self.total_count)
        empty = tf.where(x > 0, tf.zeros_like(counted), softplus(self.logits - counted))
        return counted + empty - softplus(self.logits)

    def _mean(self) -> tf.Tensor:
        return tf.sigmoid(-self.logits) * self.expected

    def _variance(self) -> tf.Tensor:
        square = tf.square(self.expected)
        kept = tf.sigmoid(-self.logits)
        return kept * (self.expected + square / self.total_count + (1.0 - kept) * square)

    def _sample_n(self, n: tf.Tensor, seed: object = None) -> tf.Tensor:
        # Of TFP's family `inflated_loc_logits` means half the log-odds, so the probability is given.
        counts = _standard(self.expected, self.total_count)
        return tfd.Inflated(counts, inflated_loc_probs=tf.sigmoid(self.logits)).sample(n, seed=seed)


def _standard(expected: tf.Tensor, total_count: tf.Tensor) -> tfd.Distribution:
    """TFP's negative binomial, which has the sampler."""
    logits = tf.math.log(expected) - tf.math.log(total_count)
    return tfd.NegativeBinomial(total_count, logits=logits, require_integer_total_count=False)
