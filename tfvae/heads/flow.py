"""What the heads of flows have in common: a normal base, and the numbers that each step takes."""

from collections.abc import Sequence

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.flow import Flow, Step
from tfvae.errors import positive_int, whole_number_in
from tfvae.heads.base import Head
from tfvae.heads.scales import positive
from tfvae.heads.support import REAL


class FlowHead(Head):
    """A posterior that pushes a diagonal normal through invertible steps (abstract).

    A flow says in its constructor, by `take`, how many numbers each step takes from the features, in pieces, and makes
    a step of them in `step`.

    Args:
        event_shape: length D of z.
        steps: how many steps; with none the posterior is the diagonal normal.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` is no positive whole number or `steps` is negative.
    """

    support = REAL
    parameter_count = 2  # of the base

    def __init__(self, event_shape: int | tuple[int], steps: int, **kwargs: object):
        super().__init__(event_shape, **kwargs)
        if len(self.event_shape) != 1:
            raise ValueError(
                f"Expected {type(self).__name__} to model a vector, event_shape=D. "
                f"Received: event_shape={event_shape!r}"
            )
        self.steps = whole_number_in("steps", steps, 0, 1000)

    def take(self, *sizes: int) -> None:
        """Ask for pieces of these sizes for each step."""
        self.sizes = sizes
        self.width = 2 * self.event_shape[0] + self.steps * sum(sizes)

    def step(self, number: int, *pieces: tf.Tensor) -> Step:
        """Return a step, the first being number 0, from its pieces of the features."""
        raise NotImplementedError

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        size, count = self.event_shape[0], len(self.sizes)
        loc, raw, *pieces = tf.split(parameters, [size, size, *self.sizes * self.steps], axis=-1)
        steps = [self.step(k, *pieces[k * count : (k + 1) * count]) for k in range(self.steps)]
        return Flow(tfd.MultivariateNormalDiag(loc, positive(raw)), steps)


def hidden_units(units: Sequence[int]) -> tuple[int, ...]:
    """Return the widths of hidden layers, of which a step needs one at least, or raise ValueError."""
    if isinstance(units, int) or not units:
        raise ValueError(f"Expected units to be the widths of the hidden layers, such as (64,). Received: {units=!r}")
    return tuple(positive_int("every width in units", width) for width in units)
