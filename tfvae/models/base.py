"""What every model has in common: the package's only training step."""

import random
from collections.abc import Callable
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from tfvae.errors import whole_number_in
from tfvae.models import replicas
from tfvae.random import Seed

Batch: TypeAlias = Any  # the examples of a batch as a model unpacks them: x, or x and more
Drawn: TypeAlias = Any  # what a model drew and scored on the way to its bound, such as a Trace


class AbstractModel(keras.Model):
    """A model trained by maximising, for each example, a bound on a log-density or the log-density itself (abstract).

    Args:
        seed: seed of the noise in training; drawn from Python's generator, which `keras.utils.set_random_seed` sets, if
            not given.
        **kwargs: `name` and `dtype`, as for any Keras model.
    """

    def __init__(self, *, seed: int | None = None, **kwargs: object):
        super().__init__(**kwargs)
        self.seed = random.randint(0, 2**31 - 1) if seed is None else whole_number_in("seed", seed, 0, 2**31 - 1)  # noqa: S311

    # What a model says ---------------------------------------------------------------------------------------------

    def _unpack(self, data: object) -> tuple[Batch, tf.Tensor]:
        """Return the examples of a batch, as `_bound` takes them, and their weights, [B]."""
        raise NotImplementedError

    def _bound(self, batch: Batch, seed: Seed, step: tf.Tensor, training: bool) -> tuple[tf.Tensor, Drawn]:
        """Return what is maximised, [B], and what was drawn and scored on the way."""
        raise NotImplementedError

    def _watch(self, drawn: Drawn, weight: tf.Tensor) -> dict:
        """Update the metrics with what was drawn and scored, and return all that are reported."""
        raise NotImplementedError

    def _update_others(self, drawn: Drawn, step: tf.Tensor) -> None:
        """Set or train, after a step, what the bound does not train."""
        raise NotImplementedError

    @property
    def trained_variables(self) -> list:
        """The weights that the bound trains."""
        raise NotImplementedError

    # The step ------------------------------------------------------------------------------------------------------

    def train_step(self, data: object) -> dict:
        """Take one step up the bound's gradient; the noise is a function of the seed and the step alone.

        A loss that is not finite changes no weight.
        """
        batch, weight = self._unpack(data)
        first, total = replicas.place(tf.shape(weight)[0])
        step = self.optimizer.iterations
        seed = Seed(tf.stack([tf.constant(self.seed), tf.cast(step, tf.int32)]), example=first)
        with tf.GradientTape() as tape:
            bound, drawn = self._bound(batch, seed, step, training=True)
            losses = -weight * bound  # [B]
            penalty = self._penalty(losses.dtype)
            loss = tf.reduce_sum(losses) / tf.cast(total, losses.dtype) + replicas.share(penalty)
            scaled = self.optimizer.scale_loss(loss)
        weights = self.trained_variables
        gradients = tape.gradient(scaled, [w.value for w in weights])

        def update() -> None:
            self.optimizer.apply(gradients, weights)
            self._update_others(drawn, step)

        replicas.apply_if(tf.math.is_finite(loss), update)
        return self._report(losses + penalty, drawn, weight)

    def test_step(self, data: object) -> dict:
        """Measure one batch; the noise of an example is a function of the seed and its place in the data."""
        batch, weight = self._unpack(data)
        first, _ = replicas.place(tf.shape(weight)[0])
        seen = tf.cast(replicas.total(self._loss_tracker.count), tf.int32)
        seed = Seed(tf.constant([self.seed, -1]), example=seen + first)  # no training step has the number -1
        step = self.optimizer.iterations if self.optimizer is not None else tf.constant(0)
        bound, drawn = self._bound(batch, seed, step, training=False)
        losses = -weight * bound  # [B]
        return self._report(losses + self._penalty(losses.dtype), drawn, weight)

    def _penalty(self, dtype: tf.DType) -> tf.Tensor:
        """What layers add to the loss, such as weight decay, a scalar."""
        return tf.add_n(self.losses) if self.losses else tf.zeros([], dtype)

    def _report(self, losses: tf.Tensor, drawn: Drawn, weight: tf.Tensor) -> dict:
        self._loss_tracker.update_state(losses)
        return replicas.reducible(self._watch(drawn, weight))

    @property
    def running_loss(self) -> keras.metrics.Mean:
        """The mean loss since the epoch or the evaluation began."""
        return self._loss_tracker

    def compile_from_config(self, config: dict) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None:
            self.optimizer.build(self.trained_variables)  # so that its state finds its place when a file is loaded

    def _refuse_keras_losses(self, reported: str) -> None:
        if self.compiled and (self._compile_loss is not None or self._compile_metrics is not None):
            raise ValueError(
                f"Expected compile(optimizer) without loss and metrics: the objective is the loss, and {reported} "
                f"are reported. Received: loss={self._compile_loss}, metrics={self._compile_metrics}"
            )


def weights_of(weight: tf.Tensor | None, examples: tf.Tensor, dtype: str) -> tf.Tensor:
    """Return the weights of the examples of a batch, [B]: ones where none were given."""
    return tf.ones([examples], dtype) if weight is None else tf.reshape(tf.cast(weight, dtype), [-1])


def descend(loss: Callable[[], tf.Tensor], weights: list, optimizer: keras.optimizers.Optimizer) -> None:
    """Take one step down the gradient of a loss that is none of the model's, such as a critic's."""
    with tf.GradientTape() as tape:
        value = loss()
    optimizer.apply(tape.gradient(value, [w.value for w in weights]), weights)
