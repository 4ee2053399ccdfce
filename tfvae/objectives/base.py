"""What every objective has in common."""

import tensorflow as tf

from tfvae.trace import Trace


class Objective:
    """From a trace to what is maximised, one number per example, in nats (abstract).

    `samples` is how many z are drawn from q(z | x) for each example. An objective is a plain object, not a layer: a
    trace holds distributions, which Keras does not let through a layer's call.
    """

    samples: int = 1

    def bound(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        """Return the bound of shape [B] at training step `step`."""
        raise NotImplementedError

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        raise NotImplementedError
