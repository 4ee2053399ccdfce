"""Latent vectors that are drawn one after another, each given a memory of those before it."""

from collections.abc import Callable, Sequence
from typing import Protocol

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfvae.distributions.moments import centre
from tfvae.networks.scan import Seen, at, scan, widened
from tfvae.random import Seed, another, draw, draw_and_score, normal_like
from tfvae.reshaping import extents, reshaped


class Memory(Protocol):
    """What a step leaves behind for the next: m_t = f(m_{t-1}, z_t, x_t)."""

    def known(self, x: tf.Tensor) -> list[tf.Tensor]:
        """Return what the memory takes of steps of x, [..., *event]."""

    def begin(self) -> tf.Tensor:
        """Return m_0, [M]."""

    def next(self, m: tf.Tensor, z: tf.Tensor, seen: Seen) -> tf.Tensor:
        """Return m_t, [..., M], of m_{t-1}, z_t and what is known at that step."""

    def all(self, z: tf.Tensor, seen: Seen) -> tf.Tensor:
        """Return m_0, ..., m_{T-1}, [T, ..., M], of z_1, ..., z_T, [T, ..., D]."""


class Walk(tfd.Distribution):
    """The distribution of T vectors, each a diagonal normal given a memory of those before it.

        q(z) = prod_t q(z_t | m_{t-1}),   m_t = f(m_{t-1}, z_t)

    z is one vector of length T D, from the first step to the last. A draw of z_t depends on its seed, on t and on its
    number alone, not on T. Mean and deviation have no closed form; `tfvae.distributions.centre` walks from centre to
    centre.

    Args:
        conditional: from memories [..., M] and what is known, [..., *], to a `tfd.MultivariateNormalDiag`.
        memory: f, with its beginning, a `networks.Latest` or `networks.Recurrent`.
        seen: what is known at each step, tensors [T, *B, ...] whose axes B are the batch shape.
        steps: T.
        name: name of the distribution.

    Reference: R. Krishnan, U. Shalit and D. Sontag, "Structured Inference Networks for Nonlinear State Space Models",
    2017, Sec. 2, https://arxiv.org/abs/1609.09869.

    Example:
        >>> import tensorflow as tf, tfvae
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfvae.distributions import Walk
        >>> memory = tfvae.networks.Latest()
        >>> memory.build_for(1)
        >>> walk = Walk(lambda m, _: tfd.MultivariateNormalDiag(m, tf.ones_like(m)), memory, [], 2)
        >>> alone = tfd.Normal(0.0, 1.0)
        >>> bool(tf.abs(walk.log_prob([2.0, 3.0]) - alone.log_prob(2.0) - alone.log_prob(1.0)) < 1e-6)
        True
    """

    def __init__(
        self,
        conditional: Callable[[tf.Tensor, Seen], tfd.Distribution],
        memory: Memory,
        seen: Seen,
        steps: int,
        name: str = "Walk",
    ):
        parameters = dict(locals())
        self.conditional, self.memory, self.seen, self.steps = conditional, memory, tuple(seen), steps
        self.first = conditional(memory.begin(), at(self.seen, 0))
        """The distribution of z_1."""
        self.size = self.first.event_shape[0]
        """D."""
        super().__init__(
            dtype=self.first.dtype,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict:
        return {}

    def __getitem__(self, slices: object) -> None:
        raise NotImplementedError(
            f"Expected a whole walk: slice what its conditional is made from instead. Received: {slices=!r}"
        )

    def split(self, z: tf.Tensor) -> tf.Tensor:
        """Return z, [..., T D], by steps: [T, ..., D]."""
        z = tf.convert_to_tensor(z)
        parts, rank = reshaped(z, [*extents(z)[:-1], self.steps, self.size]), z.shape.rank
        return tf.transpose(parts, [rank - 1, *range(rank - 1), rank])

    def join(self, parts: tf.Tensor) -> tf.Tensor:
        """Return z, [..., T D], of its steps, [T, ..., D]."""
        rank = parts.shape.rank
        side = tf.transpose(parts, [*range(1, rank - 1), 0, rank - 1])
        return reshaped(side, [*extents(side)[:-2], self.steps * self.size])

    def memories(self, z: tf.Tensor) -> tf.Tensor:
        """Return m_0, ..., m_{T-1} of the steps of z, [T, ..., D]: [T, ..., M]."""
        return self.memory.all(z, widened(self.seen, z.shape.rank))

    def given(self, memories: tf.Tensor) -> tfd.Distribution:
        """Return the distribution of every step given its memory, with batch shape [T, ...]."""
        return self.conditional(memories, widened(self.seen, memories.shape.rank))

    def _log_prob(self, z: tf.Tensor) -> tf.Tensor:
        parts = self.split(z)
        return tf.reduce_sum(self.given(self.memories(parts)).log_prob(parts), 0)

    def walk(self, draws: Sequence[tf.Tensor | int], place: Callable) -> tf.Tensor:
        """Return the steps of z, [T, *draws, *B, D]: each by `place`, of its distribution and its number."""
        begin = self.memory.begin()
        shape = tf.concat([[*draws], self.batch_shape_tensor(), tf.shape(begin)], 0)
        memory = tf.broadcast_to(begin, shape)
        known = [each if isinstance(each, int) else None for each in draws]
        memory.set_shape([*known, *self.batch_shape, *begin.shape])

        def step(number: tf.Tensor, memory: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            seen = at(self.seen, number)
            z = place(self.conditional(memory, seen), number)
            return self.memory.next(memory, z, seen), z

        # A converter has lost by now how many draws there are, and refuses two sizes that it does not know.
        rows = scan(step, memory, self.steps)[1]
        return reshaped(rows, [self.steps, *draws, *extents(self.first.mean())])

    def _sample_n(self, n: tf.Tensor, seed: object = None) -> tf.Tensor:
        words = tfp.random.sanitize_seed(seed)
        return draw(self, n, Seed(tf.cast(words, tf.int32)))

    def _batch_shape(self) -> tf.TensorShape:
        return self.first.batch_shape

    def _batch_shape_tensor(self) -> tf.Tensor:
        return self.first.batch_shape_tensor()

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([self.steps * self.size])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant([self.steps * self.size])


def moved(q: tfd.Distribution, noise: tf.Tensor) -> tf.Tensor:
    """Return the points of diagonal normals at standard normal noise."""
    return q.mean() + q.stddev() * noise


@draw.register(Walk)
def _draw(q: Walk, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    like = q.first.mean()  # [*B, D]
    return q.join(
        q.walk([samples], lambda each, number: moved(each, normal_like(samples, like, another(seed, number))))
    )


@draw_and_score.register(Walk)
def _draw_and_score(q: Walk, samples: tf.Tensor | int, seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
    z = draw(q, samples, seed)
    return z, q.log_prob(z)


@centre.register(Walk)
def _centre(q: Walk) -> tf.Tensor:
    return q.join(q.walk([], lambda each, _: each.mean()))
