"""The likelihood of a family as a function of free parameters: its maximum, and its curvature there."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from scipy.optimize import minimize
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd
from tensorflow_probability import util

from tfvae.density.closed_forms import Parameters
from tfvae.density.families import learned, properties, unfit

_NEWTON, _HALVINGS = 50, 30  # steps after L-BFGS, each of which doubles the digits
_LONG = 200  # characters
_DECREMENT = 1e-9  # nats of the whole likelihood that are still to be had where the search ends


class Free(NamedTuple):
    """One parameter of a family, as a vector of real numbers for each of C independent coordinates."""

    name: str
    bijector: tfb.Bijector
    """From real numbers to the parameter."""
    shape: tuple[int, ...]
    """Of the parameter of one coordinate."""
    size: int
    """How many real numbers it takes."""


class Likelihood:
    """The likelihood of C independent coordinates of one family each.

    Args:
        family: a class of `tfd`.
        fixed: parameters that are given.
        core: shape of one draw of the family.
        coordinates: C.
        classes: of a categorical family.

    Raises:
        ValueError: if a parameter has no map from the real numbers and is not given, a value that is given is none
            that the family can have, or the family is not one of numbers or vectors.
    """

    def __init__(
        self,
        family: type[tfd.Distribution],
        fixed: Mapping[str, np.ndarray],
        core: tuple[int, ...],
        coordinates: int,
        classes: int | None,
    ):
        self.family, self.fixed, self.coordinates = family, dict(fixed), coordinates
        known = properties(family, classes)
        names = learned(family, fixed, known)
        try:
            found = [_free(name, known[name], core) for name in names]
        except (IndexError, NotImplementedError, TypeError):  # of matrices, whose shapes do not follow from a vector's
            raise unfit(family) from None
        self.free = [each for each in found if each is not None]
        if len(self.free) < len(names):
            name = names[found.index(None)]
            raise ValueError(
                f"Expected a value for {name}, which cannot be learned: fixed={{{name!r}: ...}}. Received: none"
            )
        self.size = sum(each.size for each in self.free)
        self._try_once(core)

    def _try_once(self, core: tuple[int, ...]) -> None:
        """Raise ValueError, unless the values that are given make a distribution of such draws."""
        parameters = self.parameters(tf.zeros([self.coordinates, self.size], tf.float64))
        try:
            found = self.distribution(parameters, validate=bool(self.fixed))
            batch, event = found.batch_shape, found.event_shape
        except (TypeError, NotImplementedError):
            raise unfit(self.family) from None
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            raise self._wrong_values(_first_line(error)) from None
        if event != core:
            raise unfit(self.family)
        if batch != (self.coordinates,):
            raise self._wrong_values(f"their shapes give {batch} distributions, for {self.coordinates} coordinates")

    def _wrong_values(self, reason: str) -> ValueError:
        values = {name: value.tolist() for name, value in self.fixed.items()}
        return ValueError(
            f"Expected values in fixed that {self.family.__name__} can have. Received: fixed={values}, of which "
            f"TFP says: {reason}"
        )

    def parameters(self, theta: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the parameters, [C, ...] each, for theta of shape [C, P]."""
        pieces = tf.split(theta, [each.size for each in self.free], -1)
        return {
            each.name: each.bijector.forward(tf.reshape(piece, [self.coordinates, *_real_shape(each)]))
            for each, piece in zip(self.free, pieces, strict=True)
        }

    def theta(self, parameters: Parameters) -> tf.Tensor:
        """Return theta, [C, P], for the parameters."""
        pieces = [
            tf.reshape(each.bijector.inverse(tf.constant(parameters[each.name])), [self.coordinates, each.size])
            for each in self.free
        ]
        return tf.concat(pieces, -1)

    def distribution(
        self, parameters: Mapping[str, object], dtype: str = "float64", validate: bool = False, strict: bool = False
    ) -> tfd.Distribution:
        """Return the family with these parameters, batch shape [C]; a strict one gives other values probability 0."""
        values = {name: tf.cast(value, dtype) for name, value in {**parameters, **self.fixed}.items()}
        option = "force_probs_to_zero_outside_support"  # or some families interpolate between their values
        options = {option: True} if strict and option in inspect.signature(self.family.__init__).parameters else {}
        return self.family(**values, validate_args=validate, **options)

    def loss(self, theta: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Return the mean of -log p(x) over examples [n, C, *event], the sum over coordinates, in nats."""
        log_px = self.distribution(self.parameters(theta)).log_prob(x)  # [n, C]
        return -tf.reduce_sum(tf.reduce_mean(log_px, 0))

    def gradient(self, theta: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Return the gradient of the loss, [C, P]."""
        return tfp.math.value_and_gradient(lambda t: self.loss(t, x), theta)[1]

    def hessian(self, theta: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Return the Hessian of the loss for each coordinate, [C, P, P]; coordinates do not mix."""
        return slopes(lambda t: self.gradient(t, x), theta)

    def maximise(self, x: tf.Tensor) -> tf.Tensor:
        """Return theta, [C, P], where the likelihood is largest: L-BFGS, then Newton's steps.

        Raises:
            ValueError: if the likelihood of the examples is zero, or the search ends at no maximum.
        """
        shape = [self.coordinates, self.size]
        zeros = tf.zeros(shape, tf.float64)
        starts = (self._located(zeros, x), zeros)
        objections = [self._objection(each, x) for each in starts]
        start = next((each for each, objection in zip(starts, objections, strict=True) if objection is None), None)
        if start is None:
            raise ValueError(
                f"Expected examples on the support of {self.family.__name__}. Received: values from "
                f"{float(tf.reduce_min(x)):.6g} to {float(tf.reduce_max(x)):.6g}, some of which it cannot have"
                f"{objections[-1]}"
            )

        def value_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = tfp.math.value_and_gradient(lambda t: self.loss(t, x), tf.constant(flat.reshape(shape)))
            return float(value), slope.numpy().ravel()

        found = minimize(value_and_gradient, start.numpy().ravel(), jac=True, method="L-BFGS-B")
        return self._polished(tf.constant(found.x.reshape(shape)), x)

    def _objection(self, theta: tf.Tensor, x: tf.Tensor) -> str | None:
        """Return what speaks against the examples under theta, or None; TFP scores some values off a support."""
        if not _all_finite(self.loss(theta, x)):
            return ""
        reason = ""
        for dtype in ("float64", "float32") if x.shape.rank == 3 else ("float64",):  # sums and norms are as near as x's
            try:
                px = self.distribution(self.parameters(theta), dtype, validate=True)
                px.log_prob(tf.cast(x, dtype))
            except tf.errors.InvalidArgumentError as error:
                reason = f": {_first_line(error)}"
            else:
                return None
        return reason

    def _located(self, theta: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Return theta with location and scale, where there are any, about where the examples are."""
        parameters = {name: value.numpy() for name, value in self.parameters(theta).items()}
        middle = np.median(x, 0)
        near = {"loc": middle, "scale": np.mean(np.abs(x - middle), 0)}
        fits = [name for name in near if name in parameters and parameters[name].shape == middle.shape]
        return self.theta(parameters | {name: near[name] for name in fits})

    def _polished(self, theta: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Return where Newton's steps from theta end."""
        for _ in range(_NEWTON):
            gradient, curvature = self.gradient(theta, x), self.hessian(theta, x)
            if not positive_definite(curvature):
                break
            step = tf.linalg.solve(curvature, gradient[..., None])[..., 0]
            if len(x) * float(tf.reduce_sum(gradient * step)) < _DECREMENT:
                return theta - step
            shrinking = (theta - step * 0.5**k for k in range(_HALVINGS))
            now = float(self.loss(theta, x))
            theta = next((moved for moved in shrinking if float(self.loss(moved, x)) <= now), theta)
        raise ValueError(
            f"Expected examples for which the likelihood of {self.family.__name__} has a largest value. Received: a "
            "likelihood that still rises, or is flat in some direction; fix a parameter, or choose another family"
        )


def slopes(function: Callable[[tf.Tensor], tf.Tensor], theta: tf.Tensor) -> tf.Tensor:
    """Return the derivatives of a function from [C, P] to [C, k], whose coordinates do not mix: [C, k, P]."""
    columns = range(function(theta).shape[1])
    found = [tfp.math.value_and_gradient(lambda t, k=k: tf.reduce_sum(function(t)[:, k]), theta)[1] for k in columns]
    return tf.stack([tf.zeros_like(theta) if each is None else each for each in found], 1)


def positive_definite(matrices: tf.Tensor) -> bool:
    """Tell whether all matrices are, [..., P, P]."""
    return _all_finite(matrices) and float(tf.reduce_min(tf.linalg.eigvalsh(matrices))) > 0.0


def _first_line(error: Exception) -> str:
    """Return what TFP says, unless it lists values at length."""
    line = (getattr(error, "message", None) or str(error)).strip().splitlines()[0]
    said = (line.partition("Summarized data: b'")[2] or line).strip(" .'")
    return said if len(said) < _LONG else "no"


def _all_finite(x: tf.Tensor) -> bool:
    return bool(tf.reduce_all(tf.math.is_finite(x)))


def _free(name: str, properties: util.ParameterProperties, core: tuple[int, ...]) -> Free | None:
    """Return a parameter, or None if it has no map from the real numbers."""
    shape = tuple(int(size) for size in properties.shape_fn(list(core)))
    bijector = _bijector(name, properties)
    if bijector is None:
        return None
    free = Free(name, bijector, shape, 0)
    return free._replace(size=math.prod(_real_shape(free)))


def _bijector(name: str, properties: util.ParameterProperties) -> tfb.Bijector | None:
    if name == "probs":  # TFP's own maps are not one to one
        return tfb.IteratedSigmoidCentered() if properties.event_ndims == 1 else tfb.Sigmoid()
    try:
        return properties.default_constraining_bijector_fn()
    except NotImplementedError:
        return None


def _real_shape(free: Free) -> tuple[int, ...]:
    return tuple(free.bijector.inverse_event_shape(free.shape)) if free.shape else ()
