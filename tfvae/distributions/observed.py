"""Independent elements of which some were not observed."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import util


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

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        missing = tf.math.is_nan(x)
        each = self.distribution.log_prob(tf.where(missing, tf.cast(self.fill, x.dtype), x))  # [..., *event]
        axes = list(range(-self.event_shape.rank, 0))
        return tf.reduce_sum(tf.where(missing, tf.zeros([], each.dtype), each), axes)
