"""The relaxed categorical posterior."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions import RelaxedCategorical as RelaxedDistribution
from tfvae.errors import number_in, positive_int, whole_number_in
from tfvae.heads.base import Head
from tfvae.heads.support import LOG_SIMPLEX
from tfvae.objectives.schedules import Schedule, as_schedule

_LEAST = 0.01  # the gradient of a draw grows as 1 / T


@keras.saving.register_keras_serializable(package="tfvae")
class RelaxedCategorical(Head):
    """Groups of categorical variables, relaxed: z holds the logarithms of nearly one-hot vectors, end to end.

        z_g = log softmax((logits_g(x) + G_g) / T),   G_gk = -log(-log U_gk)

    Its prior is `priors.UniformCategorical`. The bound is one on the evidence of the model whose latent variables are
    the relaxed ones, not of a discrete model; the rate has no closed form. exp(z) is what a decoder reads: give
    it `networks.simplex_mlp`, or a network that begins with `keras.layers.Activation("exponential")`. z itself goes to
    minus infinity as T falls.

    A temperature that is a schedule of the training step is set after every step and saved with the weights. The
    annealing of Jang et al., max(0.5, exp(-r t)), is
    `temperature=keras.optimizers.schedules.ExponentialDecay(1.0, 1000, math.exp(-1000 * r)), floor=0.5`.

    Args:
        groups: how many variables.
        classes: how many values each of them has, at least 2.
        temperature: T, a number or a schedule.
        floor: the lowest temperature, at least 0.01; a number may not be lower, a schedule is lifted to it.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if an argument lies outside the ranges above.

    Reference: C. Maddison, A. Mnih and Y. W. Teh, "The Concrete Distribution", 2017, Sec. 3.3 and App. C.3,
    https://arxiv.org/abs/1611.00712; E. Jang, S. Gu and B. Poole, "Categorical Reparameterization with
    Gumbel-Softmax", 2017, Sec. 2, https://arxiv.org/abs/1611.01144.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.RelaxedCategorical(groups=3, classes=4)(np.zeros([5, 16], "float32")).event_shape
        TensorShape([12])
    """

    support = LOG_SIMPLEX
    parameter_count = 1

    def __init__(
        self,
        groups: int,
        classes: int,
        temperature: float | Schedule = 2 / 3,
        floor: float = 0.1,
        **kwargs: object,
    ):
        sizes = positive_int("groups", groups), whole_number_in("classes", classes, 2, 2**31 - 1)
        super().__init__(sizes[0] * sizes[1], **kwargs)
        self.groups, self.classes = sizes
        self.floor = number_in("floor", floor, _LEAST)
        if not isinstance(temperature, Schedule):
            temperature = number_in("temperature", temperature, self.floor, advice=", or a schedule")
        self.schedule = as_schedule("temperature", temperature)
        self.temperature = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(float(self._scheduled(0))),
            trainable=False,
            aggregation="only_first_replica",  # every replica sets the same
            name="temperature",
        )

    def _scheduled(self, step: tf.Tensor | int) -> tf.Tensor:
        return tf.maximum(tf.cast(self.schedule(step), tf.float32), self.floor)

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        sizes = [self.groups, self.classes]
        logits = tf.reshape(parameters, tf.concat([tf.shape(parameters)[:-1], sizes], 0))  # [..., groups, classes]
        logits.set_shape([*parameters.shape[:-1], *sizes])
        temperature = tf.cast(self.temperature, logits.dtype)
        groups = tfd.ExpRelaxedOneHotCategorical(temperature, logits=logits)
        return RelaxedDistribution(groups, reinterpreted_batch_ndims=1)

    def update(self, x: tf.Tensor, px: tfd.Distribution, step: tf.Tensor) -> None:
        self.temperature.assign(tf.cast(self._scheduled(step), self.temperature.dtype))

    def get_config(self) -> dict:
        config = {key: value for key, value in super().get_config().items() if key != "event_shape"}
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {**config, "groups": self.groups, "classes": self.classes, "temperature": schedule, "floor": self.floor}

    @classmethod
    def from_config(cls, config: dict) -> "RelaxedCategorical":
        return cls(**{**config, "temperature": keras.saving.deserialize_keras_object(config["temperature"])})
