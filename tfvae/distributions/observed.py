"""Independent elements of which some were not observed."""

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import util

from tfvae.distributions.special import softmax
from tfvae.random import Seed, draw, uniform


class ObservedElements(tfd.Independent):
    """TFP's `Independent`, of whose value only the elements that are not NaN are scored.

        log p(x_o) = sum over observed i of log p(x_i)

    Args:
        distribution: of the elements, with batch shape [..., *event].
        reinterpreted_batch_ndims: axes of the event.
        fill: a value on the support, which takes the place of a missing one, so that no gradient is NaN.

    Example:
        >>> px = ObservedElements(tfd.Normal([0.0, 0.0], 1.0), 1, 0.0)
        >>> round(float(px.log_prob([0.0, float("nan")])), 4)
        -0.9189
    """

    def __init__(self, distribution: tfd.Distribution, reinterpreted_batch_ndims: int, fill: float):
        self.fill = fill
        super().__init__(distribution, reinterpreted_batch_ndims)
        own = {"distribution": distribution, "reinterpreted_batch_ndims": reinterpreted_batch_ndims, "fill": fill}
        self._parameters = own  # what makes a copy, and a composite tensor

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict:
        own = {"fill": util.ParameterProperties(event_ndims=None, is_preferred=False)}
        return {**super()._parameter_properties(dtype, num_classes), **own}

    def missing_mean(self) -> tf.Tensor:
        """Return the mean of each element given z and that it is missing, [..., *event]."""
        return self.mean()

    def missing_draw(self, seed: Seed) -> tf.Tensor:
        """Draw each element given z and that it is missing, [..., *event]."""
        return draw(self, 1, seed)[0]

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        missing = tf.math.is_nan(x)
        known = tf.where(missing, tf.cast(self.fill, x.dtype), x)
        each = tf.where(missing, self._hidden(), self._seen(known))  # [..., *event]
        return tf.reduce_sum(each, list(range(-self.event_shape.rank, 0)))

    def _seen(self, x: tf.Tensor) -> tf.Tensor:
        """Return the log-density of observed elements."""
        return self.distribution.log_prob(x)

    def _hidden(self) -> tf.Tensor:
        """Return the log-probability of missing elements."""
        return tf.zeros([], self.dtype)


class SelfMaskedElements(ObservedElements):
    """Normal or binary elements, each of which is observed with a probability that depends on its own value.

        log p(x_o, s) = sum_observed log p(x_i) + log sigmoid(w_i x_i + c_i)
                      + sum_missing log E_p(x_i)[sigmoid(-w_i x_i - c_i)]

    Args:
        distribution: of the elements, with batch shape [..., *event].
        reinterpreted_batch_ndims: axes of the event.
        fill: a value on the support, which takes the place of a missing one, so that no gradient is NaN.
        slope: w, [*event].
        offset: c, [*event].

    Example:
        >>> px = SelfMaskedElements(tfd.Normal([0.0, 0.0], 1.0), 1, 0.0, [5.0, 5.0], [0.0, 0.0])
        >>> px.missing_mean().numpy().round(1)  # it was negative
        array([-0.8, -0.8], dtype=float32)
    """

    def __init__(
        self, distribution: tfd.Distribution, reinterpreted_batch_ndims: int, fill: float, slope: tf.Tensor,
        offset: tf.Tensor,
    ):  # fmt: skip
        self.slope, self.offset = slope, offset
        super().__init__(distribution, reinterpreted_batch_ndims, fill)
        self._parameters = {**self._parameters, "slope": slope, "offset": offset}

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict:
        own = {name: util.ParameterProperties(event_ndims=None, is_preferred=False) for name in ("slope", "offset")}
        return {**super()._parameter_properties(dtype, num_classes), **own}

    def missing_mean(self) -> tf.Tensor:
        points, log_weights = self._points()
        return tf.reduce_sum(softmax(log_weights + self._log_hides(points), 0) * points, 0)

    def missing_draw(self, seed: Seed) -> tf.Tensor:
        """Draw a binary element by its probability, a normal one by the distribution function on a grid."""
        p = self.distribution
        noise = tf.cast(uniform(2, tf.concat([self.batch_shape, self.event_shape], 0), seed), self.dtype)
        if isinstance(p, tfd.Bernoulli):
            return tf.cast(noise[0] < self.missing_mean(), self.dtype)
        grid = tf.reshape(tf.constant(_GRID, self.dtype), [-1, *[1] * p.batch_shape.rank])
        log_weights = self._log_hides(p.loc + p.scale * grid) - tf.square(grid) / 2
        levels = tf.cumsum(softmax(log_weights, 0), 0)  # [G, ..., *event]
        cell = tf.reduce_sum(tf.cast(levels < noise[0] * levels[-1], self.dtype), 0)
        return p.loc + p.scale * (_GRID[0] + _STEP * (cell + noise[1] - 0.5))

    def _seen(self, x: tf.Tensor) -> tf.Tensor:
        return self.distribution.log_prob(x) + tf.math.log_sigmoid(self.slope * x + self.offset)

    def _hidden(self) -> tf.Tensor:
        points, log_weights = self._points()
        return tf.reduce_logsumexp(log_weights + self._log_hides(points), 0)

    def _log_hides(self, x: tf.Tensor) -> tf.Tensor:
        return tf.math.log_sigmoid(-(self.slope * x + self.offset))

    def _points(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return values of each element and the logarithms of their weights, [K, ..., *event], which sum to one."""
        p = self.distribution
        if isinstance(p, tfd.Bernoulli):
            both = tf.stack([tf.zeros_like(p.mean()), tf.ones_like(p.mean())])
            return both, p.log_prob(both)
        nodes, weights = (tf.constant(values, self.dtype) for values in _HERMITE)
        shape = [-1, *[1] * p.batch_shape.rank]
        return p.loc + p.scale * tf.reshape(nodes, shape), tf.reshape(weights, shape)


class ObservedWhole(tfd.AutoCompositeTensorDistribution):
    """A distribution of a vector that is scored where it was observed, and is NaN in all places where it was not.

        log p(x_o) = log p(x) or 0

    Args:
        distribution: of the vector, with batch shape [...].
        fill: a vector on its support, which takes the place of a missing one, so that no gradient is NaN.
        name: of the distribution.

    Example:
        >>> px = ObservedWhole(tfd.OneHotCategorical(logits=[0.0, 0.0]), [1.0, 0.0])
        >>> float(px.log_prob([float("nan"), float("nan")]))
        0.0
    """

    def __init__(self, distribution: tfd.Distribution, fill: np.ndarray, name: str = "ObservedWhole"):
        self.distribution, self.fill = distribution, fill
        super().__init__(
            dtype=distribution.dtype,
            reparameterization_type=distribution.reparameterization_type,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"distribution": distribution, "fill": fill, "name": name},
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict:
        own = {"fill": util.ParameterProperties(event_ndims=None, is_preferred=False)}
        return {"distribution": util.BatchedComponentProperties(), **own}

    def _batch_shape(self) -> tf.TensorShape:
        return self.distribution.batch_shape

    def _batch_shape_tensor(self) -> tf.Tensor:
        return self.distribution.batch_shape_tensor()

    def _event_shape(self) -> tf.TensorShape:
        return self.distribution.event_shape

    def _event_shape_tensor(self) -> tf.Tensor:
        return self.distribution.event_shape_tensor()

    def missing_mean(self) -> tf.Tensor:
        """Return the mean given z and that it is missing, [..., D]."""
        return self.mean()

    def missing_draw(self, seed: Seed) -> tf.Tensor:
        """Draw the vector given z and that it is missing, [..., D]."""
        return draw(self.distribution, 1, seed)[0]

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        missing = tf.reduce_all(tf.math.is_nan(x), -1)
        known = tf.where(missing[..., None], tf.cast(self.fill, x.dtype), x)
        score = self.distribution.log_prob(known)
        return tf.where(missing, tf.zeros([], score.dtype), score)

    def _mean(self) -> tf.Tensor:
        return self.distribution.mean()

    def _variance(self) -> tf.Tensor:
        return self.distribution.variance()

    def _sample_n(self, n: tf.Tensor, seed: object = None) -> tf.Tensor:
        return self.distribution.sample(n, seed=seed)


def _hermite(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and log-weights of the mean over a standard normal variable."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return nodes, np.log(weights / weights.sum())


_HERMITE = _hermite(40)
_GRID, _STEP = np.linspace(-8.0, 8.0, 321, retstep=True)  # in scales from the mean
