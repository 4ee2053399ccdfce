"""What every head has in common: a linear layer to its parameters, and the distribution they name."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae import errors
from tfvae.heads.support import Support
from tfvae.networks.projection import Projection


class Elements(tfd.Independent):
    """TFP's `Independent` of a family whose elements are all the axes of an event, scored along one axis.

    A sum over several axes, the last of length one, takes XLA twice as long.
    """

    def flat(self, value: tf.Tensor) -> tf.Tensor:
        """Return [..., *event] as [..., D]."""
        shape = self.event_shape
        return tf.reshape(value, tf.concat([tf.shape(value)[: -shape.rank], [shape.num_elements()]], 0))

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        parameters = {
            name: self.flat(value) if isinstance(value, tf.Tensor) and value.shape.rank else value
            for name, value in self.distribution.parameters.items()
        }
        return tf.reduce_sum(type(self.distribution)(**parameters).log_prob(self.flat(x)), -1)


class Head(keras.layers.Layer):
    """From features to a `tfd.Distribution` (abstract).

        eta = W features + b,   p(x | eta)

    A head names its `support` and `parameter_count` (parameters per element of the event), and implements
    `distribution(parameters)`. One whose parameters are not so many per element sets `width`, their number at each
    place of the event's grid, in its constructor, and one whose grid is not in the event's shape `grid`.

    Args:
        event_shape: shape of one draw, without batch axes; an int is the length of a vector.
        **kwargs: `name` and `dtype`, as for any Keras layer; densities are computed in the variable dtype.

    Raises:
        ValueError: if `event_shape` holds anything but positive whole numbers.
    """

    support: Support
    parameter_count: int
    compiles = True
    """Whether XLA can compile the distribution on a processor."""
    kernel_initializer: str | keras.initializers.Initializer = "glorot_uniform"
    """Of the linear layer."""

    def __init__(
        self,
        event_shape: int | tuple[int, ...],
        **kwargs: object,
    ):
        super().__init__(**kwargs)
        self.event_shape = errors.event_shape("event_shape", event_shape)
        self.width = self.parameter_count * self.event_shape[-1]
        self.grid = self.event_shape[:-1]

    def build(self, input_shape: tuple) -> None:
        """Build the linear layer for features of shape [B, ...]."""
        # Made here and in no config of its own, so that a frozen head stays frozen only if it is told.
        self.projection = Projection(
            (*self.grid, 1),
            self.width,
            self.kernel_initializer,
            dtype=self.dtype_policy,
            trainable=self.trainable,
            name="projection",
        )
        self.projection.build(input_shape)

    def parameters(self, features: tf.Tensor) -> tf.Tensor:
        """Return eta of shape [B, *grid, width] in full precision."""
        return tf.cast(self.projection(features), self.variable_dtype)

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Return p(x | eta) for eta with any number of leading axes."""
        raise NotImplementedError

    def update(self, x: tf.Tensor, px: tfd.Distribution, step: tf.Tensor) -> None:
        """Set what is not learned by gradient, after a training step that scored x by px: nothing, for most heads."""

    def call(self, features: tf.Tensor) -> tfd.Distribution:
        return self.distribution(self.parameters(features))

    def get_config(self) -> dict:
        return {**super().get_config(), "event_shape": self.event_shape}
