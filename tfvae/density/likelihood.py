"""The likelihood of a family as a function of free parameters: its maximum, and its curvature there."""

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

_NATURAL = {"logits": "probs", "log_rate": "rate", "log_scale": "scale"}  # what people read, where TFP prefers another
_NEWTON, _HALVINGS = 50, 30  # steps after L-BFGS, each of which doubles the digits
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
        ValueError: if a parameter has no map from the real numbers and is not given.
    """

    def __init__(
        self,
        family: type[tfd.Distribution],
        fixed: Mapping[str, object],
        core: tuple[int, ...],
        coordinates: int,
        classes: int | None,
    ):
        self.family, self.fixed, self.coordinates = family, dict(fixed), coordinates
        properties = family.parameter_properties(dtype=tf.float64, num_classes=classes)
        names = [name for name, each in properties.items() if each.is_preferred]
        names = [_NATURAL[name] if _NATURAL.get(name) in properties else name for name in names]
        self.free = [_free(name, properties[name], core) for name in names if not self._is_given(name)]
        self.size = sum(each.size for each in self.free)

    def _is_given(self, name: str) -> bool:
        others = {name, *(other for other, natural in _NATURAL.items() if natural == name)}
        return bool(others & self.fixed.keys())

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

    def distribution(self, parameters: Mapping[str, object], dtype: str = "float64") -> tfd.Distribution:
        """Return the family with these parameters: batch shape [C]."""
        return self.family(**{name: tf.cast(value, dtype) for name, value in {**parameters, **self.fixed}.items()})

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
        start = next((each for each in (self._located(zeros, x), zeros) if _all_finite(self.loss(each, x))), None)
        if start is None:
            raise ValueError(
                f"Expected examples on the support of {self.family.__name__}. Received: values from "
                f"{float(tf.reduce_min(x)):.6g} to {float(tf.reduce_max(x)):.6g}, some of which it cannot have"
            )

        def value_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = tfp.math.value_and_gradient(lambda t: self.loss(t, x), tf.constant(flat.reshape(shape)))
            return float(value), slope.numpy().ravel()

        found = minimize(value_and_gradient, start.numpy().ravel(), jac=True, method="L-BFGS-B")
        return self._polished(tf.constant(found.x.reshape(shape)), x)

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


def _all_finite(x: tf.Tensor) -> bool:
    return bool(tf.reduce_all(tf.math.is_finite(x)))


def _free(name: str, properties: util.ParameterProperties, core: tuple[int, ...]) -> Free:
    shape = tuple(int(size) for size in properties.shape_fn(list(core)))
    bijector = _bijector(name, properties)
    free = Free(name, bijector, shape, 0)
    return free._replace(size=math.prod(_real_shape(free)))


def _bijector(name: str, properties: util.ParameterProperties) -> tfb.Bijector:
    if name == "probs":  # TFP's own maps are not one to one
        return tfb.IteratedSigmoidCentered() if properties.event_ndims == 1 else tfb.Sigmoid()
    try:
        return properties.default_constraining_bijector_fn()
    except NotImplementedError:
        raise ValueError(
            f"Expected a value for {name}, which cannot be learned: fixed={{{name!r}: ...}}. Received: none"
        ) from None


def _real_shape(free: Free) -> tuple[int, ...]:
    return tuple(free.bijector.inverse_event_shape(free.shape)) if free.shape else ()
