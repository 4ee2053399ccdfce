"""A mixture with one kernel at each point of a sample, scored in bounded memory."""

import math

import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import util
from tensorflow_probability.python.internal import samplers

from tfvae.distributions.kernels import Gaussian, Kernel

_QUERIES, _POINTS = 256, 4096  # of one tile, whose distances are in memory at a time
_DIFFERENCES = 16  # up to so many dimensions distances are sums of squared differences, beyond of products


class KernelDensity(tfd.AutoCompositeTensorDistribution):
    """A kernel at each of n points, with equal weights.

        p(x) = 1 / (n h^d) sum_i K((x - x_i) / h)

    `log_prob` takes x in tiles against the points in tiles, so that its memory does not grow with either.

    Args:
        points: the sample, [n, *event], relative to the centre.
        bandwidth: h above 0, in the units of x, [].
        kernel: K, of `tfvae.density`.
        centre: [*event]; in float64, so that points far from 0 keep their digits in the dtype of `points`; None: 0.
        name: of the distribution.

    Reference: E. Parzen, "On Estimation of a Probability Density Function and Mode", 1962, Eq. (1.2); in d dimensions
    B. Silverman, "Density Estimation for Statistics and Data Analysis", 1986, Eq. (4.1) to (4.4).

    Example:
        >>> px = KernelDensity([[0.0], [1.0]], 0.5)
        >>> px.mean().numpy().tolist()
        [0.5]
    """

    def __init__(
        self,
        points: tf.Tensor,
        bandwidth: tf.Tensor,
        kernel: Kernel = Gaussian(),
        centre: tf.Tensor | None = None,
        name: str = "KernelDensity",
    ):
        self.points = tf.convert_to_tensor(points)
        self.bandwidth = tf.convert_to_tensor(bandwidth, self.points.dtype)
        self.kernel = kernel
        self.centre = tf.zeros(self.points.shape[1:], tf.float64) if centre is None else centre
        super().__init__(
            dtype=self.points.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={
                "points": self.points,
                "bandwidth": self.bandwidth,
                "kernel": kernel,
                "centre": self.centre,
                "name": name,
            },
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict:
        return {
            "points": util.ParameterProperties(event_ndims=2),
            "bandwidth": util.ParameterProperties(),
            "centre": util.ParameterProperties(event_ndims=1),
        }

    def _batch_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _batch_shape_tensor(self) -> tf.Tensor:
        return tf.zeros([0], tf.int32)

    def _event_shape(self) -> tf.TensorShape:
        return self.points.shape[1:]

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.shape(self.points)[1:]

    @property
    def _size(self) -> int:
        return math.prod(self.points.shape[1:])

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        x = tf.cast(tf.cast(x, tf.float64) - self.centre, self.dtype)
        points = tf.reshape(self.points, [-1, self._size])
        lead = tf.shape(x)[: x.shape.rank - (self.points.shape.rank - 1)]
        sums = log_sums(tf.reshape(x, [-1, self._size]), points, self.bandwidth[None], self.kernel)[:, 0]
        count = tf.cast(tf.shape(points)[0], self.dtype)
        return tf.reshape(sums, lead) + log_scale(self.kernel, self._size, self.bandwidth, count)

    def _mean(self) -> tf.Tensor:
        return tf.cast(self.centre, self.dtype) + tf.reduce_mean(self.points, 0)

    def _variance(self) -> tf.Tensor:
        return tf.math.reduce_variance(self.points, 0) + self.kernel.variance(self._size) * self.bandwidth**2

    def _sample_n(self, n: tf.Tensor, seed: object = None) -> tf.Tensor:
        which, direction, length = samplers.split_seed(seed, 3)
        chosen = tf.random.stateless_uniform([n], which, maxval=tf.shape(self.points)[0], dtype=tf.int32)
        towards = tf.random.stateless_normal([n, self._size], direction, dtype=self.dtype)
        towards /= tf.norm(towards, axis=-1, keepdims=True)
        squared = self.kernel.squared_radius(self._size, self.dtype).sample(n, seed=length)
        moved = self.bandwidth * tf.sqrt(squared)[:, None] * towards  # [n, d]
        off = tf.gather(self.points, chosen) + tf.reshape(moved, tf.concat([[n], self.points.shape[1:]], 0))
        return tf.cast(self.centre + tf.cast(off, tf.float64), self.dtype)


def log_scale(kernel: Kernel, size: int, bandwidth: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Return log(c / (n h^d)), which makes a mean of the sum of n kernels."""
    return kernel.log_constant(size) - tf.math.log(count) - size * tf.math.log(bandwidth)


def log_sums(
    x: tf.Tensor, points: tf.Tensor, bandwidths: tf.Tensor, kernel: Kernel, own: tf.Tensor | None = None
) -> tf.Tensor:
    """Return log sum_i K((x - x_i) / h) up to the kernel's constant, [m, H], for H bandwidths at once.

    Args:
        x: [m, d].
        points: x_i, [n, d].
        bandwidths: [H].
        kernel: K.
        own: the number of the point that each x is, which is left out of its sum, [m]; None: nothing is left out.
    """
    return _log_sums(x, points, bandwidths, own, kernel, points.shape[1], bandwidths.shape[0])


@tf.function(autograph=False, reduce_retracing=True)  # once for all numbers of examples and points
def _log_sums(
    x: tf.Tensor, points: tf.Tensor, bandwidths: tf.Tensor, own: tf.Tensor | None, kernel: Kernel, size: int, count: int
) -> tf.Tensor:
    x, points = (tf.ensure_shape(each, [None, size]) for each in (x, points))
    bandwidths = tf.ensure_shape(bandwidths, [count])
    nearby = kernel.reach < math.inf and own is None and size <= _DIFFERENCES  # else the copy would be large
    order = tf.argsort(x[:, 0]) if nearby else None
    if nearby:  # so that the points that a tile reaches stand side by side
        x, points = tf.gather(x, order), tf.gather(points, tf.argsort(points[:, 0]))
    centre = tf.reduce_mean(points, 0)  # products lose the fewest digits about it
    rows = tf.TensorArray(x.dtype, size=0, dynamic_size=True, infer_shape=False, element_shape=[None, None])

    def one(begin: tf.Tensor, rows: tf.TensorArray) -> tuple:
        end = tf.minimum(begin + _QUERIES, tf.shape(x)[0])
        left, tile = None if own is None else own[begin:end], x[begin:end]
        first, last = _within(tile, points, bandwidths, kernel) if nearby else (tf.constant(0), tf.shape(points)[0])
        return end, rows.write(rows.size(), _row(tile, points, centre, bandwidths, kernel, left, first, last))

    _, rows = tf.while_loop(lambda begin, _: begin < tf.shape(x)[0], one, (tf.constant(0), rows), parallel_iterations=1)
    sums = tf.ensure_shape(rows.concat(), [None, count])
    return tf.gather(sums, tf.argsort(order)) if nearby else sums


def _within(x: tf.Tensor, points: tf.Tensor, bandwidths: tf.Tensor, kernel: Kernel) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the first and one past the last of the points, in order of their first coordinate, that x may reach."""
    reach = tf.reduce_max(bandwidths) * kernel.reach * 1.01  # no rounding of a square may exclude a point
    first = tf.searchsorted(points[:, 0], x[:1, 0] - reach)
    return first[0], tf.searchsorted(points[:, 0], x[-1:, 0] + reach, side="right")[0]


def _row(
    x: tf.Tensor, points: tf.Tensor, centre: tf.Tensor, bandwidths: tf.Tensor, kernel: Kernel, own: tf.Tensor | None,
    first: tf.Tensor, last: tf.Tensor,
) -> tf.Tensor:  # fmt: skip
    """Go through the points for one tile of x, with the largest term and the sum relative to it so far, [m, H] each."""
    start = tf.zeros([tf.shape(x)[0], tf.shape(bandwidths)[0]], x.dtype)

    def step(begin: tf.Tensor, largest: tf.Tensor, total: tf.Tensor) -> tuple:
        end = tf.minimum(begin + _POINTS, last)
        squares = _squared_distances(x - centre, points[begin:end] - centre)  # [m, p]
        if own is not None:
            itself = own[:, None] == tf.range(begin, end)[None]
            squares = tf.where(itself, tf.constant(math.inf, x.dtype), squares)
        terms = [kernel.log_shape(squares / tf.square(h)) for h in tf.unstack(bandwidths)]  # [m, p] each
        peak = tf.maximum(largest, tf.stack([tf.reduce_max(term, 1) for term in terms], 1))
        base = tf.where(tf.math.is_finite(peak), peak, tf.zeros_like(peak))
        added = [tf.reduce_sum(tf.exp(term - base[:, i : i + 1]), 1) for i, term in enumerate(terms)]
        return end, peak, total * tf.exp(largest - base) + tf.stack(added, 1)

    initial = (first, tf.fill(tf.shape(start), tf.constant(-math.inf, x.dtype)), start)
    _, largest, total = tf.while_loop(lambda begin, *_: begin < last, step, initial, parallel_iterations=1)
    return tf.math.log(total) + tf.where(tf.math.is_finite(largest), largest, tf.zeros_like(largest))


def _squared_distances(x: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """Return |x - x_i|^2, [m, p]."""
    if x.shape[1] <= _DIFFERENCES:
        return tf.add_n([tf.square(x[:, k, None] - points[None, :, k]) for k in range(x.shape[1])])
    x, points, dtype = tf.cast(x, tf.float64), tf.cast(points, tf.float64), x.dtype
    squares = tf.reduce_sum(tf.square(x), 1)[:, None] + tf.reduce_sum(tf.square(points), 1)
    return tf.cast(tf.maximum(squares - 2.0 * tf.matmul(x, points, transpose_b=True), 0.0), dtype)
