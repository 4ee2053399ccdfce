"""Sequences in which each step is drawn given what was drawn and observed before it."""

from collections.abc import Callable

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfvae.distributions.walk import Memory, moved
from tfvae.networks.scan import scan, widened
from tfvae.random import Seed, another, draw, has_rule, normal_like

Emission = Callable[[tf.Tensor, tf.Tensor], tfd.Distribution]


def lifted(px: tfd.Distribution) -> tfd.Distribution:
    """Return the distributions of steps, with batch shape [..., T], as one of sequences, with batch shape [...].

    Example:
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfvae.distributions.dialogue import lifted
        >>> lifted(tfd.Independent(tfd.Normal([[0.0] * 3] * 4, 1.0), 1)).event_shape
        TensorShape([4, 3])
    """
    if isinstance(px, tfd.Independent):
        return px.copy(reinterpreted_batch_ndims=px.event_shape.rank - px.distribution.event_shape.rank + 1)
    return tfd.Independent(px, 1)


def last_axis(parts: tf.Tensor) -> tf.Tensor:
    """Return steps [T, ..., F] as [..., T, F]."""
    rank = parts.shape.rank
    return tf.transpose(parts, [*range(1, rank - 1), 0, rank - 1])


class Dialogue(tfd.Distribution):
    """The distribution of T latent vectors that are drawn together with what they bring forth.

        z_t ~ p(z_t | m_{t-1}),   x_t ~ p(x_t | z_t, m_{t-1}),   m_t = f(m_{t-1}, z_t, x_t)

    x is summed out, which has no closed form: there is no density of z alone.

    Args:
        conditional: from memories, [..., M], and nothing, to the `tfd.MultivariateNormalDiag` of z_t.
        memory: f, a `networks.Recurrent`.
        steps: T.
        emission: from z_t and m_{t-1} to the distribution of x_t.
        name: name of the distribution.

    Reference: J. Chung et al., "A Recurrent Latent Variable Model for Sequential Data", 2015, Sec. 3,
    https://arxiv.org/abs/1506.02216.
    """

    def __init__(self, conditional: Callable, memory: Memory, steps: int, emission: Emission, name: str = "Dialogue"):
        parameters = dict(locals())
        self.conditional, self.memory, self.steps, self.emission = conditional, memory, steps, emission
        self.first = conditional(memory.begin(), [])
        super().__init__(
            dtype=self.first.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict:
        return {}

    def _log_prob(self, z: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError(
            "Expected a sequence x that z_1, ..., z_T are drawn for: without it they have no density that could be "
            "computed; take the model at x, model.at(x). Received: z alone"
        )

    def together(self, samples: tf.Tensor | int, seed: Seed) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Draw z and x, and return z, [S, T D], the means of x_t given what was drawn before it, and x, [S, T, *event].

        The noise of z_t and of x_t depends on the seed, on t and on the number of the draw alone.
        """
        memory = tf.broadcast_to(self.memory.begin(), tf.stack([samples, self.memory.begin().shape[0]]))
        memory.set_shape([samples if isinstance(samples, int) else None, self.memory.begin().shape[0]])

        def step(number: tf.Tensor, m: tf.Tensor) -> tuple[tf.Tensor, tuple]:
            z = moved(self.conditional(m, []), normal_like(samples, self.first.mean(), another(seed, number)))
            px = self.emission(z, m)
            x = observed(px, seed, number)
            return self.memory.next(m, z, self.memory.known(x)), (z, px.mean(), x)

        z, mean, x = scan(step, memory, self.steps)[1]  # [T, S, ...] each
        z, mean, x = (tf.transpose(part, [1, 0, *range(2, part.shape.rank)]) for part in (z, mean, x))
        return tf.reshape(z, [-1, self.event_shape[0]]), mean, x

    def _sample_n(self, n: tf.Tensor, seed: object = None) -> tf.Tensor:
        return draw(self, n, Seed(tf.cast(tfp.random.sanitize_seed(seed), tf.int32)))

    def _batch_shape(self) -> tf.TensorShape:
        return self.first.batch_shape

    def _batch_shape_tensor(self) -> tf.Tensor:
        return self.first.batch_shape_tensor()

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([self.steps * self.first.event_shape[0]])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant([self.steps * self.first.event_shape[0]])


def observed(px: tfd.Distribution, seed: Seed, number: tf.Tensor) -> tf.Tensor:
    """Draw x_t of S sequences, [S, *event], with noise that no z has."""
    place = another(seed, -1 - number)._replace(sample=0, example=seed.sample)
    return tf.cast(draw(px, 1, place)[0], px.dtype)


@draw.register(Dialogue)
def _draw(p: Dialogue, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    return p.together(samples, seed)[0]


def _holds(p: Dialogue) -> bool:
    begin = p.memory.begin()[None]
    return has_rule(p.emission(p.first.mean()[None], begin))


setattr(_draw, "holds", _holds)  # noqa: B010 (a type checker knows no such attribute)


class Replies(tfd.Distribution):
    """The distribution of a sequence given all latent vectors, each step of which depends on those before it.

        p(x | z) = prod_t p(x_t | z_t, m_{t-1}),   m_t = f(m_{t-1}, z_t, x_t)

    It has no mean in closed form: in its place stands the sequence in which the mean of each step is remembered.

    Args:
        z: by steps, [T, ..., D].
        memory: f, a `networks.Recurrent`.
        emission: from z_t and m_{t-1} to the distribution of x_t.
        name: name of the distribution.

    Reference: J. Chung et al., "A Recurrent Latent Variable Model for Sequential Data", 2015, Eq. (6) and (8),
    https://arxiv.org/abs/1506.02216.
    """

    def __init__(self, z: tf.Tensor, memory: Memory, emission: Emission, name: str = "Replies"):
        parameters = dict(locals())
        self.z, self.memory, self.emission = z, memory, emission
        begin = memory.begin()
        self.begin = tf.broadcast_to(begin, tf.concat([tf.shape(z)[1:-1], tf.shape(begin)], 0))
        self.begin.set_shape([*z.shape[1:-1], *begin.shape])
        self.first = emission(z[0], self.begin)
        """The distribution of x_1."""
        super().__init__(
            dtype=self.first.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict:
        return {}

    def at(self, x: tf.Tensor) -> tfd.Distribution:
        """Return the distribution of each step given those of x, [B, T, *event], before it: one of sequences."""
        x, rank = tf.convert_to_tensor(x), self.first.event_shape.rank
        axes = x.shape.rank - rank - 1
        steps = tf.transpose(x, [axes, *range(axes), *range(axes + 1, x.shape.rank)])
        seen = widened(self.memory.known(steps), self.z.shape.rank)
        return lifted(self.emission(last_axis(self.z), last_axis(self.memory.all(self.z, seen))))

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        return self.at(x).log_prob(x)

    def _walk(self, place: Callable) -> tf.Tensor:
        def step(number: tf.Tensor, m: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            z = self.z[number]
            x = place(self.emission(z, m), number)
            return self.memory.next(m, z, self.memory.known(x)), x

        x = scan(step, self.begin, self.z.shape[0])[1]  # [T, ..., *event]
        batch = self.z.shape.rank - 2
        return tf.transpose(x, [*range(1, batch + 1), 0, *range(batch + 1, x.shape.rank)])

    def _mean(self) -> tf.Tensor:
        return self._walk(lambda px, _: px.mean())

    def _sample_n(self, n: tf.Tensor, seed: object = None) -> tf.Tensor:
        z = tf.repeat(self.z[:, None], n, 1)  # [T, n, ..., D]
        words = tf.cast(tfp.random.sanitize_seed(seed), tf.int32)
        return Replies(z, self.memory, self.emission)._walk(
            lambda px, number: tf.cast(draw(px, 1, another(Seed(words), -1 - number))[0], px.dtype)
        )

    def _batch_shape(self) -> tf.TensorShape:
        return self.first.batch_shape

    def _batch_shape_tensor(self) -> tf.Tensor:
        return self.first.batch_shape_tensor()

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([self.z.shape[0], *self.first.event_shape])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant([self.z.shape[0], *self.first.event_shape])
