"""Images whose pixels depend on those before them: scored at once, drawn one after another."""

from collections.abc import Callable, Sequence
from functools import singledispatch

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfvae.distributions.levels import CategoricalLevels
from tfvae.distributions.moments import SEED, shown
from tfvae.distributions.special import softmax
from tfvae.random import Seed, as_seed, draw, uniform

_STREAM = 5  # of the noise of pixels, which may share a seed with the z they are drawn for


class Autoregressive(tfd.Distribution):
    """The distribution of an image, each pixel of which is given by those before it.

        p(x) = prod_i p(x_i | x_1, ..., x_{i-1})

    A density takes one pass. A draw turns one uniform number for each pixel into its value: all at once from a first
    guess, and again until nothing changes. After i rounds the first i pixels are right whatever the guess was, so that
    what stays is the ancestral sample, after as many rounds as there are pixels at most. It has no mean in closed form;
    `distributions.shown` draws instead.

    Args:
        given: from x, [..., *event], to independent elements with batch shape [...], each given by those before it.
        batch_shape: a tensor, and what is known of it.
        event_shape: of x.
        dtype: of x.
        name: of the distribution.

    Reference: A. van den Oord et al., "Conditional Image Generation with PixelCNN Decoders", 2016, Eq. (1),
    https://arxiv.org/abs/1606.05328; the rounds: A. Wiggers and E. Hoogeboom, "Predictive Sampling with Forecasting
    Autoregressive Models", 2020, Sec. 2, https://arxiv.org/abs/2002.09928.

    Example:
        >>> import tensorflow as tf
        >>> from tfvae.distributions import Autoregressive
        >>> def given(x):  # each of three bits is likely that of its neighbour on the left
        ...     before = tf.concat([tf.ones_like(x[..., :1]), x[..., :-1]], -1)
        ...     return tfd.Independent(tfd.Bernoulli(logits=8.0 * before - 4.0, dtype=x.dtype), 1)
        >>> chain = Autoregressive(given, (tf.zeros([0], tf.int32), []), [3], tf.float32)
        >>> round(float(chain.log_prob([1.0, 1.0, 0.0])), 2)
        -4.05
    """

    def __init__(
        self,
        given: Callable[[tf.Tensor], tfd.Distribution],
        batch_shape: tuple[tf.Tensor, Sequence[int | None]],
        event_shape: Sequence[int],
        dtype: tf.DType,
        name: str = "Autoregressive",
    ):
        parameters = dict(locals())
        self.given, self._event = given, tuple(event_shape)
        self._batch, self._static_batch = batch_shape
        super().__init__(
            dtype=dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict:
        return {}

    def _batch_shape(self) -> tf.TensorShape:
        return tf.TensorShape(self._static_batch)

    def _batch_shape_tensor(self) -> tf.Tensor:
        return self._batch

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape(self._event)

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant(self._event)

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        return self.given(x).log_prob(x)

    def _mean(self) -> tf.Tensor:
        raise NotImplementedError(
            "Expected a likelihood with a mean in closed form; pixels that depend on each other have none. Take the "
            "mean of draws, tfvae.random.draw, or one draw, tfvae.distributions.shown."
        )

    def _sample_n(self, n: tf.Tensor, seed: object = None) -> tf.Tensor:
        return draw(self, n, Seed(tf.cast(tfp.random.sanitize_seed(seed), tf.int32)))

    def walk(self, noise: tf.Tensor) -> tf.Tensor:
        """Return the draw for uniform numbers, [..., *event] each; both take the batch shape where they have it."""
        pixels = tf.reduce_prod(self._event)

        def again(number: tf.Tensor, x: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            following = quantile(self.given(x), noise)
            following.set_shape(x.shape)
            return number + 1, following, tf.reduce_any(tf.not_equal(following, x))

        def going(number: tf.Tensor, _: tf.Tensor, moved: tf.Tensor) -> tf.Tensor:
            return tf.logical_and(number < pixels, moved)

        return tf.while_loop(going, again, (tf.constant(0), tf.zeros_like(noise), tf.constant(True)))[1]


@singledispatch
def quantile(elements: tfd.Distribution, unit: tf.Tensor) -> tf.Tensor:
    """Return the values at which the distribution functions of elements reach numbers from (0, 1).

    Raises:
        NotImplementedError: for a family that is not registered.
    """
    raise NotImplementedError(f"Expected pixels of a family with a quantile. Received: {elements.name}")


@quantile.register(tfd.Independent)
def _independent(elements: tfd.Independent, unit: tf.Tensor) -> tf.Tensor:
    return quantile(elements.distribution, unit)


@quantile.register(tfd.Bernoulli)
def _bernoulli(elements: tfd.Bernoulli, unit: tf.Tensor) -> tf.Tensor:
    return tf.cast(unit < tf.sigmoid(elements.logits), unit.dtype)


@quantile.register(CategoricalLevels)
def _levels(elements: CategoricalLevels, unit: tf.Tensor) -> tf.Tensor:
    edges = tf.cumsum(softmax(elements.logits, -1), -1)[..., :-1]  # the last level takes what rounding leaves
    return elements.step * tf.reduce_sum(tf.cast(unit[..., None] >= edges, unit.dtype), -1)


@draw.register(Autoregressive)
def _draw(q: Autoregressive, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    batch, event = q.batch_shape_tensor(), q.event_shape
    rows = tf.unstack(batch, num=q.batch_shape.rank) if q.batch_shape.rank else [1]
    noise = uniform(samples, [*rows, *event], seed, _STREAM)
    noise = tf.reshape(noise, tf.concat([[samples], batch, event], 0))
    noise.set_shape([samples if isinstance(samples, int) else None, *q.batch_shape, *event])
    return q.walk(tf.cast(noise, q.dtype))


@shown.register(Autoregressive)
def _shown(q: Autoregressive, seed: Seed | None = None) -> tf.Tensor:
    if seed is not None:
        return draw(q, 1, seed)[0]
    noise = tf.reshape(uniform(1, [1, *q.event_shape], as_seed(SEED), _STREAM), q.event_shape)
    noise = tf.broadcast_to(tf.cast(noise, q.dtype), tf.concat([q.batch_shape_tensor(), q.event_shape], 0))
    noise.set_shape([*q.batch_shape, *q.event_shape])
    return q.walk(noise)  # the same for every example, so that what is shown of it depends on no other
