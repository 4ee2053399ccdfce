"""What models of observed variables have in common: a fit on several arrays, each checked first."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfvae.callbacks import Checkpoint
from tfvae.errors import NonFiniteLoss
from tfvae.heads.support import ONE_HOT, Support
from tfvae.models import checks
from tfvae.models.base import AbstractModel
from tfvae.models.recognition import Tensors


class Observed(AbstractModel):
    """A model trained by maximum likelihood, or by a bound on it, through Keras' own `fit` (abstract)."""

    _reported: str

    def checked(self, x: object, y: object) -> tuple:
        """Return arrays, or a stream in place of x, as `_unpack` takes them, or raise ValueError for others."""
        raise NotImplementedError

    def compile(
        self, optimizer: object = "rmsprop", *args: object, jit_compile: bool | str = False, **options: object
    ) -> None:
        """Prepare for training as `keras.Model.compile` does, without XLA unless asked for; the likelihood is the loss.

        `steps_per_execution=50` spares small models most of the time between two steps.
        """
        super().compile(optimizer, *args, jit_compile=jit_compile, **options)

    def fit(self, x: object = None, *args: object, **options: object) -> keras.callbacks.History:
        """Train as `keras.Model.fit` does, with the same arguments, on data that is checked first.

        Raises:
            ValueError: for data off the support of a variable, of another shape or dtype, or with NaN.
            NonFiniteLoss: after an epoch whose loss is NaN or infinite; a step with such a loss changes no weight.
        """
        call = self._call(keras.Model.fit, x, args, options)
        callbacks = tf.nest.flatten(call.get("callbacks") or [])
        if any(isinstance(callback, Checkpoint) for callback in callbacks):
            raise ValueError(
                "Expected keras.callbacks.BackupAndRestore, with which this fit goes on where it stopped. Received: "
                "callbacks.Checkpoint, which is for models with latent variables"
            )
        held_out = call.get("validation_data")
        if held_out is not None:
            x_held, y_held, *weight = held_out if isinstance(held_out, tuple) else (held_out, None)
            x_held, y_held = self.checked(x_held, y_held)
            unweighted = not weight and y_held is None
            call["validation_data"] = x_held if unweighted else (x_held, _label(x_held, y_held), *weight)
        call["callbacks"] = [*callbacks, _Finite()]
        if isinstance(call["x"], tf.data.Dataset):
            call["shuffle"] = False  # Keras would warn that it leaves the order to the stream
        return checks.clearly(super().fit, **call)

    def evaluate(self, x: object = None, *args: object, **options: object) -> dict | list:
        """Measure as `keras.Model.evaluate` does, on checked data.

        Raises:
            ValueError: as `fit` does.
        """
        if options.get("_use_cached_eval_dataset", False):  # checked by fit
            return checks.clearly(super().evaluate, x, *args, **options)
        return checks.clearly(super().evaluate, **self._call(keras.Model.evaluate, x, args, options))

    def _call(self, method: Callable, x: object, args: tuple, options: dict) -> dict:
        """Return the arguments of a call to Keras by name, with data that was checked."""
        self._refuse_keras_losses(self._reported)
        call = dict(inspect.signature(method).bind(self, x, *args, **options).arguments)
        del call["self"]
        call.update(call.pop("kwargs", {}))
        call["x"], call["y"] = self.checked(x, call.get("y"))
        if call.get("sample_weight") is not None:
            call["y"] = _label(call["x"], call["y"])
        return call

    @property
    def trained_variables(self) -> list:
        """All that can be trained."""
        return self.trainable_variables

    def build(self, input_shape: tuple | None = None) -> None:
        """Do nothing: the parts were built when the model was made."""


def _label(x: object, y: object) -> object:
    """Return what stands between x and the weights: Keras loses these where y is None."""
    return np.zeros(len(next(iter(x.values())))) if y is None and isinstance(x, dict) else y


class _Finite(keras.callbacks.Callback):
    """Stops training with an error after an epoch whose loss is not finite."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        wrong = {name: value for name, value in (logs or {}).items() if not math.isfinite(value)}
        if "loss" in wrong:
            raise NonFiniteLoss(
                "Expected a finite loss. Lower the learning rate, clip gradients (keras.optimizers.Adam(..., "
                f"global_clipnorm=1.0)), or scale the data. Received: in epoch {epoch + 1}, "
                f"{', '.join(f'{name}={value}' for name, value in wrong.items())}"
            )


class Values:
    """Checks the values of one variable and gives them the form in which it is scored.

    Args:
        name: of the variable.
        event_shape: shape of one value.
        support: the values that are scored.
        dtype: of the model.
    """

    def __init__(self, name: str, event_shape: tuple[int, ...], support: Support, dtype: str):
        self.name, self.event_shape, self.support, self.dtype = name, event_shape, support, dtype
        self._check = checks.Checker(event_shape, support, name)

    def array(self, values: object) -> np.ndarray:
        """Return checked values, [n, *event]: numbers of classes as zeros and ones, numbers as vectors of length one.

        Raises:
            ValueError: for the wrong shape, dtype or values, naming the variable.
        """
        try:
            array = np.asarray(checks.with_gaps(values))
            if self._short(array.ndim):
                array = self._classes(array) if self.support is ONE_HOT else array[:, None]
            return self._check.array(array).astype(self.dtype)
        except ValueError as error:
            raise ValueError(f"{error}, as values of {self.name!r}") from None

    def tensor(self, values: tf.Tensor) -> tf.Tensor:
        """Do so for a batch of a stream."""
        if self._short(values.shape.rank):
            if self.support is ONE_HOT:  # of a class out of range or between two: no 1 at all, which is refused below
                number = tf.cast(values, tf.int32)
                whole = tf.equal(tf.cast(number, values.dtype), values)
                values = tf.one_hot(tf.where(whole, number, -1), self.event_shape[0], dtype=self.dtype)
            else:
                values = values[:, None]
        checked = self._check.in_graph(values)
        return tf.ensure_shape(tf.cast(checked, self.dtype), [None, *self.event_shape])

    def spec(self, spec: tf.TensorSpec) -> None:
        """Raise ValueError if the batches of a stream have the wrong shape or dtype, naming the variable."""
        if isinstance(spec, tf.TensorSpec) and self._short(spec.shape.rank):
            spec = tf.TensorSpec([None, *self.event_shape], spec.dtype)
        try:
            self._check.spec(spec)
        except ValueError as error:
            raise ValueError(f"{error}, as values of {self.name!r}") from None

    def _short(self, rank: int) -> bool:
        """Tell whether there is one number an example where a vector is scored."""
        return rank == 1 and len(self.event_shape) == 1 and (self.support is ONE_HOT or self.event_shape == (1,))

    def _classes(self, numbers: np.ndarray) -> np.ndarray:
        classes = self.event_shape[0]
        inside = np.isin(numbers, np.arange(classes))
        if not inside.all():
            raise ValueError(
                f"Expected the numbers of {classes} classes, 0 to {classes - 1}. Received: {np.sum(~inside)} of "
                f"{numbers.size} that are none, such as {numbers[np.argmin(inside)]}"
            )
        return np.eye(classes, dtype=self.dtype)[numbers.astype(int)]


class Inputs:
    """Checks the values of several variables, in a dictionary by their names.

    Args:
        values: the check of each variable.
        optional: names of variables that need no values.
        learnable: names of those that could be latent.
    """

    def __init__(self, values: dict[str, Values], optional: Sequence[str], learnable: Sequence[str]):
        self.values, self.optional, self.learnable = values, optional, learnable

    def require(self, given: Mapping[str, object]) -> None:
        """Raise ValueError unless all variables are given that have to be, and no others."""
        missing = [name for name in self.values if name not in given and name not in self.optional]
        if not missing and set(given) <= set(self.values):
            return
        latent = [name for name in missing if name in self.learnable]
        advice = f" To learn {latent[0]!r} as a latent variable, give its recognition." if latent else ""
        optional = f"; optional: {', '.join(self.optional)}" * bool(self.optional)
        wanted = ", ".join(name for name in self.values if name not in self.optional)
        raise ValueError(
            f"Expected values of {wanted}{optional}.{advice} Received: values of {', '.join(given) or 'nothing'}"
        )

    def arrays(self, values: object) -> dict[str, np.ndarray]:
        """Return checked arrays by name, as many values of each, or raise ValueError."""
        if not isinstance(values, Mapping):
            raise ValueError(
                f"Expected a dictionary of values by the names of the variables, {', '.join(self.values)}. "
                f"Received: {type(values).__name__}"
            )
        self.require(values)
        arrays = {name: self.values[name].array(value) for name, value in values.items()}
        if len({len(array) for array in arrays.values()}) > 1:
            lengths = ", ".join(f"{len(array)} of {name}" for name, array in arrays.items())
            raise ValueError(f"Expected as many values of each variable. Received: {lengths}")
        return arrays

    def checked(self, x: object, y: object) -> dict[str, np.ndarray] | tf.data.Dataset:
        """Return checked arrays by name, or a stream of them, or raise ValueError."""
        if y is not None:
            raise ValueError("Expected all values in one dictionary, fit({'x': x, 'y': y}). Received: y beside it")
        if not isinstance(x, tf.data.Dataset):
            return self.arrays(x)
        first = x.element_spec[0] if isinstance(x.element_spec, tuple) else x.element_spec
        if not isinstance(first, Mapping):
            raise ValueError(f"Expected batches of dictionaries. Received: element_spec={x.element_spec}")
        self.require(first)
        for name, spec in first.items():
            self.values[name].spec(spec)

        def check(values: Tensors, *rest: tf.Tensor) -> object:
            checked = {name: self.values[name].tensor(values[name]) for name in first}
            return (checked, *rest) if rest else checked

        return x.map(check)
