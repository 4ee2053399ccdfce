"""Likelihoods of counts."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions import counts, densities
from tfvae.heads.base import Elements, Head
from tfvae.heads.scales import SCALE_FLOOR, positive
from tfvae.heads.support import COUNTS

_LINEAR = 10.0  # e^10 = 22026


def expected_count(raw: tf.Tensor) -> tf.Tensor:
    """Map real numbers to means of counts: 1e-5 + exp(raw) up to raw = 10, and e^10 (raw - 9) beyond.

    The logarithm is the usual link, since counts differ by factors; its inverse goes on as a straight line before a
    bad step can make a mean infinite. The floor keeps the logarithm of a mean finite. TFLite has no gradient of relu.
    """
    return SCALE_FLOOR + tf.exp(tf.minimum(raw, _LINEAR)) * (1.0 + tf.maximum(raw - _LINEAR, 0.0))


@keras.saving.register_keras_serializable(package="tfvae")
class Poisson(Head):
    """Independent Poisson likelihood of counts, whose variance is their mean.

        log p(x | z) = sum_i x_i log m_i(z) - m_i(z) - log x_i!,   m = 1e-5 + exp(W features + b), linear above e^10

    Args:
        event_shape: shape of x, e.g. 64 for a vector of 64 counts.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` holds anything but positive whole numbers.

    Reference: A. Nazabal et al., "Handling Incomplete Heterogeneous Data using VAEs", 2018,
    Sec. "Handling heterogeneous data", https://arxiv.org/abs/1807.03653.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.Poisson(2)(np.zeros([3, 16], "float32")).mean()[0].numpy().round(3)
        array([1., 1.], dtype=float32)
    """

    support = COUNTS
    parameter_count = 1

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        poisson = densities.Poisson(expected_count(parameters))
        return Elements(poisson, reinterpreted_batch_ndims=len(self.event_shape))


@keras.saving.register_keras_serializable(package="tfvae")
class NegativeBinomial(Head):
    """Independent negative binomial likelihood of counts that vary more than a Poisson distribution lets them.

        p(x | z) = prod_i Gamma(x_i + r_i) / (Gamma(r_i) x_i!) (r_i / (r_i + m_i))^r_i (m_i / (r_i + m_i))^x_i,
        m = 1e-5 + exp(.), linear above e^10,   r = 1e-5 + softplus(.)

    The mean is m and the variance m + m^2 / r: 1 / r is the dispersion, and r -> infinity is the Poisson likelihood.

    Args:
        event_shape: shape of x, e.g. 64 for a vector of 64 counts.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` holds anything but positive whole numbers.

    Reference: R. Lopez et al., "Deep generative modeling for single-cell transcriptomics", 2018,
    Sec. "Online Methods", https://doi.org/10.1038/s41592-018-0229-2.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.NegativeBinomial(2)(np.zeros([3, 16], "float32")).variance()[0].numpy().round(3)
        array([2., 2.], dtype=float32)
    """

    support = COUNTS
    parameter_count = 2

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        expected, raw = tf.split(parameters, 2, axis=-1)  # [..., *event_shape] each
        binomial = counts.NegativeBinomial(expected_count(expected), positive(raw))
        return Elements(binomial, reinterpreted_batch_ndims=len(self.event_shape))


@keras.saving.register_keras_serializable(package="tfvae")
class ZeroInflatedNegativeBinomial(Head):
    """Independent likelihood of counts some of whose zeros were never counted: `NegativeBinomial` with more zeros.

        p(x | z) = prod_i pi_i [x_i = 0] + (1 - pi_i) NB(x_i | m_i, r_i),   logit pi = W features + b

    The mean is (1 - pi) m.

    Args:
        event_shape: shape of x, e.g. 64 for a vector of 64 counts.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` holds anything but positive whole numbers.

    Reference: R. Lopez et al., "Deep generative modeling for single-cell transcriptomics", 2018,
    Sec. "Online Methods", https://doi.org/10.1038/s41592-018-0229-2.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.ZeroInflatedNegativeBinomial(2)(np.zeros([3, 16], "float32")).mean()[0].numpy().round(3)
        array([0.5, 0.5], dtype=float32)
    """

    support = COUNTS
    parameter_count = 3

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        expected, raw, logits = tf.split(parameters, 3, axis=-1)  # [..., *event_shape] each
        binomial = counts.ZeroInflatedNegativeBinomial(expected_count(expected), positive(raw), logits)
        return Elements(binomial, reinterpreted_batch_ndims=len(self.event_shape))
