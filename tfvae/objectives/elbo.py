"""The evidence lower bound."""

import keras
import tensorflow as tf

from tfvae.errors import positive_int
from tfvae.objectives.base import Objective
from tfvae.objectives.schedules import Schedule, as_schedule
from tfvae.trace import Trace


@keras.saving.register_keras_serializable(package="tfvae")
class ELBO(Objective):
    """The evidence lower bound, with the rate weighted by beta.

        E_q(z|x)[log p(x | z)] - beta KL(q(z | x) || p(z))

    A bound on log p(x) for beta = 1 and, being smaller, for beta > 1.

    Args:
        beta: weight of the rate, at least 0: a number or a schedule of the training step.
        samples: how many z are drawn for each example.

    Raises:
        ValueError: if `beta` is neither a number of at least 0 nor a schedule, or `samples` is not positive.

    Reference: D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2014, Eq. (3),
    https://arxiv.org/abs/1312.6114; I. Higgins et al., "beta-VAE", 2017, Eq. (4),
    https://openreview.net/forum?id=Sy2fzU9gl.

    Example:
        >>> import tfvae
        >>> tfvae.objectives.ELBO(beta=tfvae.objectives.schedules.Linear(steps=1000)).samples
        1
    """

    def __init__(self, beta: float | Schedule = 1.0, samples: int = 1):
        self.beta = as_schedule("beta", beta)
        self.samples = positive_int("samples", samples)

    def bound(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        beta = tf.cast(self.beta(step), trace.rate.dtype)
        return tf.reduce_mean(trace.log_px, 0) - beta * trace.rate  # [B]

    def get_config(self) -> dict:
        return {"beta": keras.saving.serialize_keras_object(self.beta), "samples": self.samples}

    @classmethod
    def from_config(cls, config: dict) -> "ELBO":
        return cls(**{**config, "beta": keras.saving.deserialize_keras_object(config["beta"])})
