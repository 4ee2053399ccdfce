"""Planar steps of a flow, and the equation in one unknown that inverts them."""

import tensorflow as tf

from tfvae.distributions.flow import Step

_HALVINGS = 45  # from a bracket of twice the slope down to 6e-14 of it


def root(y: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """Solve a + slope tanh(a) = y for a, where slope > -1 makes the left side rise; the shapes broadcast.

    The root lies within |slope| of y. It is bracketed by halving, and one Newton step then makes it exact and gives it
    the gradient of the implicit function.
    """
    held_y, held = tf.stop_gradient(y), tf.stop_gradient(slope)
    low, high = held_y - tf.abs(held), held_y + tf.abs(held)

    def halve(number: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tuple:
        middle = 0.5 * (low + high)
        below = middle + held * tf.tanh(middle) < held_y
        return number + 1, tf.where(below, middle, low), tf.where(below, high, middle)

    _, low, high = tf.while_loop(lambda number, *_: number < _HALVINGS, halve, (tf.constant(0), low, high))
    near = tf.stop_gradient(0.5 * (low + high))
    bend = tf.tanh(near)
    return near - (near + slope * bend - y) / (1.0 + held * (1.0 - bend**2))


class PlanarStep(Step):
    """A ridge along one direction: z' = z + u tanh(w . z + b).

        log |det dz'/dz| = log(1 + (1 - tanh^2(w . z + b)) w . u),   w . u > -1

    Args:
        u: where the ridge pushes, [*B, D].
        w: across the ridge, [*B, D].
        b: where the ridge lies, [*B, 1].
        dot: w . u, above -1, [*B, 1]; given, because rounding of the sum could break the bound.

    Reference: D. Rezende and S. Mohamed, "Variational Inference with Normalizing Flows", 2015, Eq. (10)-(12),
    https://arxiv.org/abs/1505.05770.
    """

    u: tf.Tensor
    w: tf.Tensor
    b: tf.Tensor
    dot: tf.Tensor

    def forward(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Step`."""
        bend = tf.tanh(self._across(z))  # [..., *B, 1]
        return z + self.u * bend, self._log_det(bend)

    def inverse(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Step`; by halving, as the inverse has no closed form."""
        bend = tf.tanh(root(self._across(z), self.dot))
        return z - self.u * bend, self._log_det(bend)

    def _across(self, z: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(self.w * z, -1, keepdims=True) + self.b

    def _log_det(self, bend: tf.Tensor) -> tf.Tensor:
        return tf.math.log(1.0 + (1.0 - bend**2) * self.dot)[..., 0]
