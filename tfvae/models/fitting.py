"""What `fit` and `evaluate` do around Keras' own: check the data, plan the execution, go on where a run stopped."""

import inspect
import itertools
import math
from collections.abc import Callable
from types import GeneratorType
from typing import TYPE_CHECKING, Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from tfvae import replicas
from tfvae.callbacks import START, Checkpoint, Position
from tfvae.data.resident import Resident, Resumable, each_time
from tfvae.data.stored import Stored
from tfvae.models import execution

if TYPE_CHECKING:
    from tfvae.models.variational import AbstractVAE

Result = TypeVar("Result")
_HELD = (np.uint8, np.bool_, np.float32)  # dtypes of arrays that are kept as they are


def fit(model: "AbstractVAE", keras_fit: Callable, x: object, args: tuple, options: dict) -> keras.callbacks.History:
    """Run Keras' fit: resumed, in calls of many steps where nothing forbids it, and stopped at a loss not finite."""
    if not model.compiled:
        return keras_fit(x, *args, **options)  # Keras says what to do first
    call = _arguments(keras.Model.fit, model, x, args, options)
    if call.pop("class_weight") is not None:
        raise ValueError(
            "Expected no class_weight, because no label is predicted; pass sample_weight. Received: "
            f"class_weight={options['class_weight']!r}"
        )
    if not model.optimizer.built:  # variables made while a function is traced have it traced twice
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trained_variables)
    alone = _alone(model)
    train = _source(model, call, model.seed if call["shuffle"] else None)
    held_out = _held_out(model, call)
    position = _restore(model, call)
    first = _begin(model, call, train, position)
    total = call["steps_per_epoch"]
    callbacks = call.pop("callbacks")
    callbacks = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks] if callbacks else []
    single = not alone or any(execution.wants_every_batch(callback) for callback in callbacks)
    done = max(0, _iterations(model) - position.epoch * (total or 0) - position.batch)  # before this run began
    plan = execution.plan(model, train, _batch_size(call, train), total, call["epochs"], single, done)
    tests = None
    if call["validation_data"] is not None:
        tests = execution.plan(model, held_out, _batch_size(call, held_out), None, call["epochs"], not alone)
        tests = tests._replace(most=plan.most, compiled=plan.compiled)
        call["validation_data"] = _given(held_out, alone)
    call["x"] = _from(train, alone, first, position, total)
    if isinstance(call["x"], tf.data.Dataset):
        call["shuffle"] = False  # Keras would warn that it leaves the order to the stream
        call["batch_size"] = None
    paced = execution.Paced(
        model, callbacks, total, call["validation_steps"], position, add_history=True,
        add_progbar=call["verbose"] != 0, verbose=call["verbose"], epochs=call["epochs"], steps=total,
    )  # fmt: skip
    model.train_function = _function(model, "train", plan, paced.train, alone)
    model.test_function = None if tests is None else _function(model, "test", tests, paced.test, alone)
    return _run(model, plan.most, keras_fit, {**call, "callbacks": paced, "initial_epoch": position.epoch})


def evaluate(model: "AbstractVAE", keras_evaluate: Callable, x: object, args: tuple, options: dict) -> dict | list:
    """Run Keras' evaluate, in calls of many steps where nothing forbids it."""
    if options.get("_use_cached_eval_dataset", False) or not model.compiled:  # prepared by fit, or refused by Keras
        return keras_evaluate(x, *args, **options)
    call = _arguments(keras.Model.evaluate, model, x, args, options)
    alone = _alone(model)
    data = _source(model, call, None)
    batch, steps = _batch_size(call, data), call["steps"]
    known = data.steps_per_epoch if isinstance(data, Resident) else _cardinality(data)
    single = not alone or steps is not None or call["callbacks"] is not None
    plan = execution.plan(model, data, batch, known, 1, single)
    call["x"] = _given(data, alone)
    if isinstance(call["x"], tf.data.Dataset):
        call["batch_size"] = None
    paced = execution.Paced(
        model, call["callbacks"], None, None, START, add_progbar=call["verbose"] != 0, verbose=call["verbose"],
        epochs=1, steps=steps or known,
    )  # fmt: skip
    model.test_function = _function(model, "test", plan, paced.test, alone)
    return _run(model, plan.most, keras_evaluate, {**call, "callbacks": paced})


def _run(model: "AbstractVAE", most: int, run: Callable[..., Result], call: dict) -> Result:
    """Call Keras with the chosen steps in a call; afterwards the model is as Keras' other methods expect it."""
    asked, model.steps_per_execution = model.steps_per_execution, most
    try:
        return run(**call)
    finally:
        model.steps_per_execution = asked
        model.train_function = model.test_function = None


def _alone(model: "AbstractVAE") -> bool:
    """Tell whether one process with one device runs compiled steps: no strategy, not eagerly."""
    default = not tf.distribute.has_strategy() and model.distribute_strategy is tf.distribute.get_strategy()
    return default and not model.run_eagerly


def _function(model: "AbstractVAE", kind: str, plan: execution.Plan, pace: execution.Pace, alone: bool) -> Callable:
    """Return what Keras calls with its iterator; traced once for each plan."""

    def make() -> execution.ManySteps | execution.OneStep:
        if alone:
            return execution.ManySteps(model, getattr(model, f"{kind}_step"), plan)
        getattr(model, f"make_{kind}_function")(force=True)
        return execution.OneStep(model, getattr(model, f"{kind}_function"))

    function: Any = model.functions.get((kind, alone, *plan.trace), make)
    function.plan, function.pace = plan, pace
    return function


def _arguments(method: Callable, model: "AbstractVAE", x: object, args: tuple, options: dict) -> dict:
    """Return all arguments of a call to Keras by name; `y`, which the model ignores, keeps weights from being lost."""
    signature = inspect.signature(method)
    bound = signature.bind(model, x, *args, **options)
    bound.apply_defaults()
    call = dict(bound.arguments)
    del call["self"]
    call.update(call.pop("kwargs", {}))
    call["x"], call["y"] = model.check.with_second(call["x"], call["y"])
    if call["y"] is None and call["sample_weight"] is not None:
        call["y"] = tf.nest.flatten(call["x"])[0]  # of a structure Keras would want as many weights
    return call


def _source(model: "AbstractVAE", call: dict, seed: int | None) -> object:
    """Return checked data: a `Resident` where examples lie in memory, else what Keras takes."""
    data = call["x"]
    resident = getattr(data, "resident", None)
    plain = call.get("sample_weight") is None and not call.get("validation_split")
    if isinstance(resident, Resident):
        model.check.resident(resident)
        return resident
    resumable = getattr(data, "resumable", None)
    if isinstance(resumable, Resumable) and "epochs" in call:  # in training; what is measured is read once
        model.check(data)
        return resumable._replace(batches_from=lambda step: model.check(resumable.batches_from(step)))
    if not plain or isinstance(data, (tf.data.Dataset, keras.utils.PyDataset, GeneratorType, tuple)):
        if isinstance(data, GeneratorType) and "shuffle" in call:
            call["shuffle"] = False
        return model.check(data)
    if isinstance(data, tf.distribute.DistributedDataset):
        return data
    checked = model.check.array(data)
    values, *beside = tf.nest.flatten(checked)[::-1]  # x, and c before it by its name
    if model.variable_dtype == "float32" and values.dtype == np.float64:
        values = values.astype(np.float32)
    if values.dtype not in _HELD:
        return checked
    call["y"] = None  # the habit of auto-encoders, fit(x, x)
    return Resident(Stored(values), _batch(call), seed, condition=Stored(beside[0]) if beside else None)


def _held_out(model: "AbstractVAE", call: dict) -> object:
    data = call["validation_data"]
    if data is None:
        return None
    if isinstance(data, tuple):
        return model.check(data)
    size = call["validation_batch_size"] or call["batch_size"]
    return _source(model, {"x": data, "batch_size": size}, None)


def _batch(call: dict) -> int:
    return 32 if call.get("batch_size") is None else call["batch_size"]


def _batch_size(call: dict, data: object) -> int:
    """Return the examples in a step, a guess where the data does not say."""
    if isinstance(data, (Resident, Resumable)):
        return data.batch_size
    if isinstance(data, tf.data.Dataset):
        first = tf.nest.flatten(data.element_spec)[0].shape
        return (first[0] if first.rank else None) or 128
    return _batch(call)


def _cardinality(data: object) -> int | None:
    """Return how many batches a data set has, None where it does not say or never ends."""
    if isinstance(data, keras.utils.PyDataset):
        return data.num_batches
    known = int(data.cardinality()) if isinstance(data, tf.data.Dataset) else -1
    return known if known > 0 else None


def _begin(model: "AbstractVAE", call: dict, train: object, position: Position) -> int:
    """Say how long an epoch is, and return the step of the data at which a `Resident` goes on."""
    own = train.steps_per_epoch if isinstance(train, (Resident, Resumable)) else _cardinality(train)
    values = tf.nest.flatten(train)[0] if isinstance(train, (np.ndarray, dict, tuple)) else None
    if isinstance(values, np.ndarray):
        kept = math.floor(len(values) * (1.0 - call["validation_split"]))
        own = math.ceil(kept / _batch(call))
    call["steps_per_epoch"] = call["steps_per_epoch"] or own
    if not isinstance(train, (Resident, Resumable)):
        return 0
    own, total = train.steps_per_epoch, call["steps_per_epoch"]
    if position.origin is None:
        done = _iterations(model)
        begins = math.ceil(done / own) * own if train.start is None else train.start
        model.origin = begins - position.epoch * total
        return begins
    model.origin = position.origin
    return position.origin + position.epoch * total + position.batch


def _restore(model: "AbstractVAE", call: dict) -> Position:
    """Return where training goes on: where a checkpoint among the callbacks stopped, else at the epoch asked for."""
    kept = [callback for callback in tf.nest.flatten(call["callbacks"]) if isinstance(callback, Checkpoint)]
    return (kept and kept[0].restore(model)) or START._replace(epoch=call["initial_epoch"])


def _iterations(model: "AbstractVAE") -> int:
    return int(replicas.host(model.optimizer.iterations))


def _given(data: object, alone: bool, first: int | None = None) -> object:
    """Return what Keras is given: one epoch in order, or training data without end from a step on.

    Of a `Resident`, batches where steps are not compiled together; else numbers that are never read: `ManySteps` makes
    its own keys, and Keras counts.
    """
    if not isinstance(data, Resident):
        return data
    if alone:
        steps = tf.data.Dataset.range(data.steps_per_epoch)
        return steps if first is None else steps.repeat()
    options = tf.data.Options()  # every worker takes its part of each batch: the order is that of one process
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    keys = data.epoch(0) if first is None else data.keys_from(first)
    return data.batches(keys).with_options(options)


def _from(data: object, alone: bool, first: int, position: Position, total: int | None) -> object:
    """Return the training data from where it goes on: at its step `first`, or in an epoch that was stopped."""
    if isinstance(data, Resident):
        return _given(data, alone, first)
    if isinstance(data, Resumable):
        return data.batches_from(first)
    if not position.batch or not isinstance(data, tf.data.Dataset):
        return data
    if total is not None:
        return data.repeat().skip(position.batch)
    return each_time(itertools.chain([position.batch], itertools.repeat(0)), data.skip)
