"""The prior of relaxed categorical posteriors."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions import RelaxedCategorical
from tfvae.errors import number_in, positive_int, whole_number_in
from tfvae.heads.support import LOG_SIMPLEX
from tfvae.priors.base import Prior


@keras.saving.register_keras_serializable(package="tfvae")
class UniformCategorical(Prior):
    """The prior of `heads.RelaxedCategorical`: relaxed categorical variables with equal probabilities.

        z_g = log softmax(G_g / T),   G_gk = -log(-log U_gk)

    It lies on the space of the posterior, so that the bound is a bound; its temperature is part of the model and stays,
    whatever the posterior's does.

    Args:
        groups: how many variables.
        classes: how many values each of them has, at least 2.
        temperature: T, at least 0.01.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if an argument lies outside the ranges above.

    Reference: C. Maddison, A. Mnih and Y. W. Teh, "The Concrete Distribution", 2017, Sec. 3.3 and App. C.3,
    https://arxiv.org/abs/1611.00712.

    Example:
        >>> import tfvae
        >>> tfvae.priors.UniformCategorical(groups=3, classes=4)().event_shape
        TensorShape([12])
    """

    support = LOG_SIMPLEX

    def __init__(self, groups: int, classes: int, temperature: float = 0.5, **kwargs: object):
        super().__init__(**kwargs)
        self.groups = positive_int("groups", groups)
        self.classes = whole_number_in("classes", classes, 2, 2**31 - 1)
        self.temperature = number_in("temperature", temperature, 0.01)
        self.built = True

    def distribution(self) -> tfd.Distribution:
        logits = tf.zeros([self.groups, self.classes], self.variable_dtype)
        temperature = tf.constant(self.temperature, self.variable_dtype)
        groups = tfd.ExpRelaxedOneHotCategorical(temperature, logits=logits)
        return RelaxedCategorical(groups, reinterpreted_batch_ndims=1)

    def get_config(self) -> dict:
        sizes = {"groups": self.groups, "classes": self.classes}
        return {**super().get_config(), **sizes, "temperature": self.temperature}
