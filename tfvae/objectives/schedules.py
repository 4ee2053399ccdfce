"""Schedules: numbers that are functions of the training step.

They are Keras learning-rate schedules, so that Keras' own (`CosineDecay`, `PiecewiseConstantDecay`, ...) serve
wherever one of these does, and they are functions of the optimiser's step alone, so that they survive a resumed run.
"""

from collections.abc import Callable

import keras
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule as Schedule

from tfvae.errors import number_in, positive_int


@keras.saving.register_keras_serializable(package="tfvae")
class Constant(Schedule):
    """The same value at every step.

    Args:
        value: a number of at least 0.

    Raises:
        ValueError: if `value` is no finite number of at least 0.

    Example:
        >>> import tfvae
        >>> float(tfvae.objectives.schedules.Constant(4.0)(1000))
        4.0
    """

    def __init__(self, value: float):
        self.value = number_in("value", value, 0.0)

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        return tf.constant(self.value, tf.float32)

    def get_config(self) -> dict:
        return {"value": self.value}


@keras.saving.register_keras_serializable(package="tfvae")
class Linear(Schedule):
    """A straight line from `start` to `end` over `steps` training steps, constant afterwards: KL warm-up.

        value(t) = start + (end - start) min(t / steps, 1)

    Args:
        steps: training steps (not epochs) until `end`.
        start: value at step 0.
        end: value from step `steps` on.

    Raises:
        ValueError: if `steps` is no positive whole number or a value is negative.

    Reference: S. Bowman et al., "Generating Sentences from a Continuous Space", 2016, Sec. 3.1,
    https://arxiv.org/abs/1511.06349; C. Sonderby et al., "Ladder Variational Autoencoders", 2016, Eq. (17),
    https://arxiv.org/abs/1602.02282.

    Example:
        >>> import tfvae
        >>> float(tfvae.objectives.schedules.Linear(1000)(250))
        0.25
    """

    def __init__(self, steps: int, start: float = 0.0, end: float = 1.0):
        self.steps = positive_int("steps", steps)
        self.start = number_in("start", start, 0.0)
        self.end = number_in("end", end, 0.0)

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        progress = tf.minimum(tf.cast(step, tf.float32) / self.steps, 1.0)
        return self.start + (self.end - self.start) * progress

    def get_config(self) -> dict:
        return {"steps": self.steps, "start": self.start, "end": self.end}


@keras.saving.register_keras_serializable(package="tfvae")
class Cyclical(Schedule):
    """`Linear` begun again every `period` steps: a rise over the first part of each cycle, then a plateau.

        value(t) = start + (end - start) min((t mod period) / (rise * period), 1)

    Args:
        period: training steps of one cycle.
        rise: fraction of a cycle spent rising, in (0, 1].
        start: value at the beginning of each cycle.
        end: value on the plateau.

    Raises:
        ValueError: if an argument lies outside the ranges above.

    Reference: H. Fu et al., "Cyclical Annealing Schedule: A Simple Approach to Mitigating KL Vanishing", 2019,
    Eq. (6) and (7), https://arxiv.org/abs/1903.10145.

    Example:
        >>> import tfvae
        >>> float(tfvae.objectives.schedules.Cyclical(1000)(1250))
        0.5
    """

    def __init__(self, period: int, rise: float = 0.5, start: float = 0.0, end: float = 1.0):
        self.period = positive_int("period", period)
        self.rise = number_in("rise", rise, 1e-6, 1.0)
        self.start = number_in("start", start, 0.0)
        self.end = number_in("end", end, 0.0)

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        within = tf.cast(tf.math.floormod(tf.cast(step, tf.int64), self.period), tf.float32)
        progress = tf.minimum(within / (self.rise * self.period), 1.0)
        return self.start + (self.end - self.start) * progress

    def get_config(self) -> dict:
        return {"period": self.period, "rise": self.rise, "start": self.start, "end": self.end}


def as_schedule(name: str, value: "float | Schedule") -> Callable:
    """Turn a number of at least 0 into a `Constant`; let a schedule through.

    Raises:
        ValueError: if `value` is neither.
    """
    if isinstance(value, Schedule):
        return value
    return Constant(number_in(name, value, 0.0, advice=", or a schedule such as schedules.Linear(steps=1000)"))
