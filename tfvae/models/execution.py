"""How steps are executed: many in one compiled call, where nobody needs to look at every one of them.

A step of a small VAE takes about a millisecond, less than what Python, metrics and the launch of a compiled function
take together. So `fit` hands the batches of many steps to one compiled loop. `python -m benchmarks` measures it.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import keras
import tensorflow as tf

from tfvae.callbacks import Position, metric_variables
from tfvae.data.resident import Resident
from tfvae.errors import NonFiniteLoss
from tfvae.models import faults

if TYPE_CHECKING:
    from tfvae.models.base import AbstractVAE

_CALL = 8e9  # floating point operations in one call: a tenth of a second or two, so that progress is seen to move
_MOST = 64  # steps in one call
_BYTES = 2**26  # of the batches that are stacked for one call
_COMPILED = 1e11  # operations from which on XLA's longer compilation, some seconds, is earned back
_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


class Plan(NamedTuple):
    """How one call of `fit` or `evaluate` executes its steps."""

    fetch: Callable
    """From values and an element of the data to what a step takes."""
    values: object
    """What every step fetches from: stored examples, or nothing."""
    most: int
    """Steps in one call."""
    compiled: bool
    """Whether XLA compiles the loop."""

    @property
    def trace(self) -> tuple:
        """What a traced function depends on."""
        return self.fetch, self.most, self.compiled


def element(values: object, batch: tuple) -> tuple:
    """Return a batch that is no key as a step takes it: x without y, which models ignore, and weights if any."""
    return batch if len(batch) == 1 else (batch[0], None, batch[1])


def operations(model: "AbstractVAE", batch: int) -> float:
    """Estimate the floating point operations of one training step: six for each use of a weight."""
    places = max(1, math.prod(model.fits.event_shape[:-1]) // 4)  # where a kernel is applied, on a grid halved once
    uses = sum(math.prod(w.shape) * (places if len(w.shape) > 2 else 1) for w in model.trainable_variables)
    return 6.0 * batch * model.objective.samples * max(uses, 1)


def plan(model: "AbstractVAE", data: object, batch: int, steps: int | None, epochs: int, single: bool) -> Plan:
    """Choose how many steps go into one call, and whether it is compiled.

    Args:
        model: the model, compiled.
        data: a `Resident`, or anything else that Keras takes.
        batch: examples in a step.
        steps: in an epoch, None where nobody knows.
        epochs: passes over the data.
        single: whether every step must be a call of its own.
    """
    work = operations(model, batch)
    most = model.steps_per_execution if model.steps_per_execution > 1 else max(1, min(_MOST, int(_CALL / work)))
    if not isinstance(data, Resident):
        most = max(1, min(most, _BYTES // (4 * batch * math.prod(model.fits.event_shape))))
    if steps:
        most = math.ceil(steps / math.ceil(steps / most))  # calls of equal length
    worth = steps is not None and work * steps * epochs > _COMPILED
    compiled = bool(model.jit_compile or (model.chooses_jit and worth))
    if isinstance(data, Resident):
        return Plan(data.fetch, data.stored.resident, 1 if single else most, compiled)
    return Plan(element, (), 1 if single else most, compiled)


class Pace:
    """Which steps the next call takes: it begins at `begin`, of `total` in the epoch, `skip` of them done already."""

    def __init__(self, total: int | None = None, skip: int = 0):
        self.total, self.skip, self.begin = total, skip, 0

    def steps(self, most: int) -> int:
        """Return how many steps to take now."""
        end = self.begin + most if self.total is None else min(self.begin + most, self.total)
        return max(0, end - max(self.begin, self.skip))


class OneStep:
    """Keras' own train or test function, which a pace and a loss that is not finite stop too."""

    def __init__(self, model: "AbstractVAE", function: Callable):
        self.model, self.function, self.pace = model, function, Pace()
        self.plan: Plan | None = None

    def __call__(self, iterator: Iterator) -> dict:
        if self.pace.steps(1) == 0:
            return self.model.get_metrics_result()
        return checked(self.model, self.function(iterator))


def checked(model: "AbstractVAE", logs: dict) -> dict:
    """Return the logs of a call.

    Raises:
        NonFiniteLoss: if the loss is NaN or infinite, naming the part to blame.
    """
    if math.isfinite(float(tf.reduce_mean(logs["loss"]))):
        return logs
    values = {name: float(tf.reduce_mean(logs[name])) for name in ("loss", "rate", "distortion")}
    raise NonFiniteLoss(faults.describe(model, values))


class ManySteps:
    """What Keras calls with its iterator: pulls the batches of many steps and runs them in one loop.

    The loop ends early at a loss that is not finite, which the caller looks for.
    """

    def __init__(self, model: "AbstractVAE", step: Callable, plan: Plan):
        self.plan, self.model = plan, model
        self.pace = Pace()
        self._shapes: list | None = None
        mean = model.running_loss

        def many(values: object, batches: object, count: tf.Tensor) -> dict:
            def body(number: tf.Tensor) -> tf.Tensor:
                step(plan.fetch(values, tf.nest.map_structure(lambda part: part[number], batches)))
                return number + 1

            going = lambda number: tf.logical_and(number < count, tf.math.is_finite(tf.convert_to_tensor(mean.total)))  # noqa: E731
            tf.while_loop(going, body, [tf.constant(0)])
            return model.get_metrics_result()

        self._run = tf.function(many, jit_compile=plan.compiled, autograph=False)

    def __call__(self, iterator: Iterator) -> dict:
        wanted = self.pace.steps(self.plan.most)
        if wanted == 0:
            return self.model.get_metrics_result()
        batches = [_needed(batch) for batch in itertools.islice(iterator, wanted)]
        if not batches:
            raise StopIteration
        if self._shapes is None:
            self._shapes = _shapes(batches[0])
        for shapes, group in itertools.groupby(batches, _shapes):
            alike = list(group)
            # Padded to one length, so that one compilation serves every call; odd batches come alone.
            length = self.plan.most if shapes == self._shapes else len(alike)
            padded = alike + alike[-1:] * (length - len(alike))
            stacked = tf.nest.map_structure(lambda *parts: tf.stack(parts), *padded)  # [S, B, ...]
            logs = self._run(self.plan.values, stacked, tf.constant(len(alike)))
            checked(self.model, logs)
        return logs


def _needed(batch: object) -> object:
    """Return a key as it is, and of other batches x and the weights: what need not be stacked is left behind."""
    if isinstance(batch, dict):
        return batch
    x, _, weight = keras.utils.unpack_x_y_sample_weight(batch)
    return (x,) if weight is None or isinstance(weight, tf.experimental.Optional) else (x, weight)


def _shapes(batch: object) -> list:
    return [tuple(part.shape) for part in tf.nest.flatten(batch)]


def wants_every_batch(callback: keras.callbacks.Callback) -> bool:
    """Tell whether a callback must be called after every single step."""
    if hasattr(callback, "every_batch"):
        return callback.every_batch
    frequency = getattr(callback, "save_freq", getattr(callback, "update_freq", None))
    if frequency == "epoch" or isinstance(callback, (keras.callbacks.ProgbarLogger, keras.callbacks.TerminateOnNaN)):
        return False
    if isinstance(callback, keras.callbacks.CallbackList):
        return any(wants_every_batch(inner) for inner in callback.callbacks)
    default = keras.callbacks.Callback
    return any(getattr(getattr(callback, hook), "__func__", None) is not getattr(default, hook) for hook in _HOOKS)


class Paced(keras.callbacks.CallbackList):
    """The callbacks of one fit, which also tells the model's functions where in the epoch they are.

    Args:
        model: the model that is trained.
        total: steps in a training epoch, None where nobody knows.
        total_test: validation steps, None where the data ends by itself.
        position: where the first epoch begins.
        callbacks, options: as for `keras.callbacks.CallbackList`.
    """

    def __init__(
        self,
        model: "AbstractVAE",
        callbacks: object,
        total: int | None,
        total_test: int | None,
        position: Position,
        **options: object,
    ):
        super().__init__(callbacks, add_history=True, model=model, **options)
        self.train, self.test = Pace(total, position.batch), Pace(total_test)
        self._metrics = position.metrics

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        for variable, value in zip(metric_variables(self.model), self._metrics, strict=False):
            variable.assign(value)  # the means of an epoch that was stopped in its middle go on too
        self._metrics = ()
        super().on_epoch_begin(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self.train.begin = batch
        if batch >= self.train.skip:
            super().on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if batch >= self.train.skip:  # the others were seen before the run was stopped
            super().on_train_batch_end(batch if self.train.total is None else min(batch, self.train.total - 1), logs)

    def on_test_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self.test.begin = batch
        super().on_test_batch_begin(batch, logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.train.skip = 0
        super().on_epoch_end(epoch, logs)
