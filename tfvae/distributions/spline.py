"""Monotone splines of rational-quadratic pieces, as sums over masks: searching is no builtin operator of TFLite."""

from typing import NamedTuple

import tensorflow as tf


class Knots(NamedTuple):
    """The corners of an increasing spline that maps [-bound, bound] to itself and is the identity outside.

    K pieces, K widths and heights that sum to 2 bound, and K + 1 slopes, the first and last of them 1.
    """

    widths: tf.Tensor  # [..., n, K]
    heights: tf.Tensor  # [..., n, K]
    slopes: tf.Tensor  # [..., n, K + 1]
    bound: float

    def forward(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return y and log dy/dx for x of shape [..., n].

        Reference: C. Durkan, A. Bekasov, I. Murray and G. Papamakarios, "Neural Spline Flows", 2019, Eq. (4) and (5),
        https://arxiv.org/abs/1906.04032.
        """
        inside, x_in = self._clip(x)
        piece = self._piece(x_in, self.widths)
        along = (x_in - piece.x) / piece.width
        curve = piece.steep * along**2 + piece.first * along * (1.0 - along)
        y = piece.y + piece.height * curve / piece.denominator(along)
        return tf.where(inside, y, x), tf.where(inside, piece.log_slope(along), tf.zeros_like(x))

    def inverse(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return x and log dy/dx for y of shape [..., n], by the root of a quadratic equation.

        Reference: C. Durkan, A. Bekasov, I. Murray and G. Papamakarios, "Neural Spline Flows", 2019, App. A.3,
        https://arxiv.org/abs/1906.04032.
        """
        inside, y_in = self._clip(y)
        piece = self._piece(y_in, self.heights)
        risen = y_in - piece.y
        a = piece.height * (piece.steep - piece.first) + risen * piece.excess
        b = piece.height * piece.first - risen * piece.excess
        c = -piece.steep * risen
        # The discriminant is positive but for rounding, and its root has no gradient at zero.
        along = -2.0 * c / (b + tf.sqrt(tf.maximum(b**2 - 4.0 * a * c, 1e-20)))
        x = piece.x + along * piece.width
        return tf.where(inside, x, y), tf.where(inside, piece.log_slope(along), tf.zeros_like(y))

    def _clip(self, value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.abs(value) < self.bound, tf.clip_by_value(value, -self.bound, self.bound)

    def _piece(self, value: tf.Tensor, lengths: tf.Tensor) -> "_Piece":
        """Return the piece in which a value on the axis with these lengths lies."""
        starts = tf.cumsum(lengths, -1, exclusive=True) - self.bound  # [..., n, K]
        passed = tf.cast(tf.expand_dims(value, -1) >= starts, value.dtype)
        chosen = passed - tf.concat([passed[..., 1:], tf.zeros_like(passed[..., :1])], -1)  # one 1 in K

        def pick(numbers: tf.Tensor) -> tf.Tensor:
            return tf.reduce_sum(chosen * numbers, -1)  # [..., n]

        width, height = pick(self.widths), pick(self.heights)
        return _Piece(
            x=pick(tf.cumsum(self.widths, -1, exclusive=True)) - self.bound,
            y=pick(tf.cumsum(self.heights, -1, exclusive=True)) - self.bound,
            width=width,
            height=height,
            steep=height / width,
            first=pick(self.slopes[..., :-1]),
            last=pick(self.slopes[..., 1:]),
        )


class _Piece(NamedTuple):
    """One rational-quadratic piece for each number, all of shape [..., n]."""

    x: tf.Tensor  # where it begins
    y: tf.Tensor
    width: tf.Tensor
    height: tf.Tensor
    steep: tf.Tensor  # height / width
    first: tf.Tensor  # slope at its beginning
    last: tf.Tensor  # slope at its end

    @property
    def excess(self) -> tf.Tensor:
        return self.first + self.last - 2.0 * self.steep

    def denominator(self, along: tf.Tensor) -> tf.Tensor:
        """Return the denominator at a place from 0, the beginning, to 1, the end."""
        return self.steep + self.excess * along * (1.0 - along)

    def log_slope(self, along: tf.Tensor) -> tf.Tensor:
        """Return log dy/dx at a place from 0, the beginning, to 1, the end."""
        rest = 1.0 - along
        slope = self.last * along**2 + 2.0 * self.steep * along * rest + self.first * rest**2
        return 2.0 * tf.math.log(self.steep) + tf.math.log(slope) - 2.0 * tf.math.log(self.denominator(along))
