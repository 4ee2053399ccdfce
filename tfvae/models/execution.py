"""How steps are executed: many in one compiled call, where nobody needs to look at every one of them.

A step of a small VAE takes about a millisecond, less than what Python, metrics and the launch of a compiled function
take together. So `fit` hands the batches of many steps to one compiled loop. `python -m benchmarks` measures it.
"""

import functools
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
from tfvae.models.costs import operations, suits_xla

if TYPE_CHECKING:
    from tfvae.models.variational import AbstractVAE

_CALL = 8e9  # floating point operations in one call: a tenth of a second or two, so that progress is seen to move
_MOST = 64  # steps in one call
_BYTES = 2**26  # of the batches that are stacked for one call
_COMPILED = 1e11  # operations from which on XLA's longer compilation, some seconds, is earned back
_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


class Plan(NamedTuple):
    """How one call of `fit` or `evaluate` executes its steps."""

    resident: Resident | None
    """The data, if it lies in memory; otherwise batches come from Keras' iterator."""
    most: int
    """Steps in one call."""
    compiled: bool
    """Whether XLA compiles the loop."""

    @property
    def fetch(self) -> Callable:
        """From stored values and an element of the data to what a step takes."""
        return element if self.resident is None else self.resident.fetch

    @property
    def trace(self) -> tuple:
        """What a traced function depends on."""
        return self.fetch, self.most, self.compiled


class Functions:
    """What was traced for a model, by what it depends on. No dictionary: TensorFlow would save one with the model."""

    def __init__(self) -> None:
        self._made: dict[tuple, Callable] = {}

    def get(self, key: tuple, make: Callable[[], Callable]) -> Callable:
        """Return what was made for a key, made now if it is the first time."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def traced(function: Callable, compiled: bool) -> Callable:
    """Return a `tf.function`, by XLA if `compiled`, that TensorFlow does not take for another model's, traced again."""
    return tf.function(functools.partial(function), jit_compile=compiled, autograph=False)


def element(values: object, batch: tuple) -> tuple:
    """Return a batch that is no key as a step takes it: x without y, which models ignore, and weights if any."""
    return batch if len(batch) == 1 else (batch[0], None, batch[1])


def plan(
    model: "AbstractVAE", data: object, batch: int, steps: int | None, epochs: int, single: bool, done: int = 0
) -> Plan:
    """Choose how many steps go into one call, and whether it is compiled.

    Args:
        model: the model, compiled.
        data: a `Resident`, or anything else that Keras takes.
        batch: examples in a step.
        steps: in an epoch, None where nobody knows.
        epochs: passes over the data.
        single: whether every step must be a call of its own.
        done: steps of the same kind that were taken before, so that many short runs are compiled in the end.
    """
    work = operations(model, batch)
    most = model.steps_per_execution if model.steps_per_execution > 1 else max(1, min(_MOST, int(_CALL / work)))
    resident = data if isinstance(data, Resident) else None
    if resident is None:
        most = max(1, min(most, _BYTES // (4 * batch * math.prod(model.fits.event_shape))))
    if steps:
        most = math.ceil(steps / math.ceil(steps / most))  # calls of equal length
    worth = steps is not None and work * (done + steps * epochs) > _COMPILED
    compiled = bool(model.jit_compile or (model.chooses_jit and worth and suits_xla(model)))
    return Plan(resident, 1 if single else most, compiled)


class Pace:
    """Where the next call of steps stands.

    It begins at `begin`, of `total` in the epoch, `skip` of them done already; `origin` is where in the data the epoch
    begins.
    """

    def __init__(self, total: int | None = None, skip: int = 0, *, endless: bool = False):
        self.total, self.skip, self.endless = total, skip, endless
        self.begin = self.origin = 0

    @property
    def step(self) -> int:
        """The step of the data that comes next."""
        return self.origin + max(self.begin, self.skip)

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
    values = {name: float(tf.reduce_mean(logs[name])) for name in ("loss", "rate", "distortion") if name in logs}
    raise NonFiniteLoss(faults.describe(model, values))


class Group(NamedTuple):
    """Batches of one shape that are run in one loop."""

    batches: object
    """The batches, or keys to them, in one: each part with a leading axis."""
    steps: int
    """How many of them are to be run."""
    usual: bool
    """Whether they are of the common shape, for which compilation pays."""


class ManySteps:
    """What Keras calls with its iterator: runs many steps in one loop, on keys or on the batches that it pulls.

    The loop ends early at a loss that is not finite, which the caller looks for.
    """

    def __init__(self, model: "AbstractVAE", step: Callable, plan: Plan):
        self.plan, self.model, self.pace = plan, model, Pace()
        self._shapes: list | None = None
        mean, fetch = model.running_loss, plan.fetch

        def many(values: object, batches: object, count: tf.Tensor) -> dict:
            def body(number: tf.Tensor) -> tf.Tensor:
                step(fetch(values, tf.nest.map_structure(lambda part: part[number], batches)))
                return number + 1

            going = lambda number: tf.logical_and(number < count, tf.math.is_finite(tf.convert_to_tensor(mean.total)))  # noqa: E731
            tf.while_loop(going, body, [tf.constant(0)])
            return model.get_metrics_result()

        self._usual = traced(many, plan.compiled)
        # The one shorter batch of an epoch is not worth a compilation of its own.
        self._other = traced(many, model.jit_compile and not model.chooses_jit)

    def __call__(self, iterator: Iterator) -> dict:
        wanted, resident = self.pace.steps(self.plan.most), self.plan.resident
        if wanted == 0:
            return self.model.get_metrics_result()
        values = () if resident is None else resident.values
        logs = None
        for group in self._pulled(iterator, wanted) if resident is None else self._keys(resident, wanted):
            run = self._usual if group.usual else self._other
            logs = checked(self.model, run(values, group.batches, tf.constant(group.steps)))
        if logs is None:
            raise StopIteration
        return logs

    def _keys(self, resident: Resident, wanted: int) -> Iterator[Group]:
        step, epoch = self.pace.step, resident.steps_per_epoch
        end = step + wanted if self.pace.endless else min(step + wanted, epoch)
        while step < end:
            left = epoch - step % epoch  # in the data's epoch, its shorter batch among them
            usual = left > 1 or not resident.odd
            count = min(end - step, max(1, left - bool(resident.odd)))
            yield Group(resident.keys(step, self.plan.most if usual else 1), count, usual)
            step += count

    def _pulled(self, iterator: Iterator, wanted: int) -> Iterator[Group]:
        batches = [_needed(batch) for batch in itertools.islice(iterator, wanted)]
        if self._shapes is None and batches:
            self._shapes = _shapes(batches[0])
        for shapes, group in itertools.groupby(batches, _shapes):
            alike, usual = list(group), shapes == self._shapes
            # Padded to one length, so that one compilation serves every call; others come alone.
            padded = alike + alike[-1:] * ((self.plan.most if usual else len(alike)) - len(alike))
            yield Group(tf.nest.map_structure(lambda *parts: tf.stack(parts), *padded), len(alike), usual)


def _needed(batch: object) -> tuple:
    """Return x and the weights, if any, of a batch: what need not be stacked is left behind."""
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
        super().__init__(callbacks, model=model, **options)
        self.train, self.test = Pace(total, position.batch, endless=True), Pace(total_test)
        self._metrics = position.metrics

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        for variable, value in zip(metric_variables(self.model), self._metrics, strict=False):
            variable.assign(value)  # the means of an epoch that was stopped in its middle go on too
        self._metrics = ()
        if self.train.total is not None and self.model.origin is not None:
            self.train.origin = self.model.origin + epoch * self.train.total
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
