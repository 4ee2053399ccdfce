"""Distributions over codes, as distributions of the vector of their embeddings."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfvae.distributions.special import log_softmax
from tfvae.random import Seed, draw, draw_and_score, uniform_like

if TYPE_CHECKING:
    from tfvae.heads.quantizers import Quantizer


class OnCodes(tfd.Distribution):
    """A distribution over M codes, each one of K, whose draws are the codes' embeddings, end to end (abstract).

    Its `log_prob` is the logarithm of a probability, not of a density: z stands for the codes that are read from it.

    Args:
        quantizer: a `heads.Quantizer`, which knows the embeddings.
        positions: N, how many vectors were quantised; of M = N L codes those of a vector are neighbours.
        batch: of one distribution for each of these, a tensor whose shape begins with [*B]; a scalar if there is one.
        axes: how many axes of it come after those of the batch.
        reparameterization: of the draws, as TFP calls it.
        name: name of the distribution.
    """

    def __init__(
        self,
        quantizer: "Quantizer",
        positions: int,
        batch: tf.Tensor,
        axes: int,
        reparameterization: tfd.ReparameterizationType,
        name: str,
    ):
        self.quantizer, self.positions = quantizer, positions
        self._batch, self._axes = batch, axes
        super().__init__(
            dtype=tf.as_dtype(quantizer.variable_dtype),
            reparameterization_type=reparameterization,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"quantizer": quantizer, "positions": positions},
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict:
        return {}

    @property
    def length(self) -> int:
        """M, the number of codes."""
        return self.positions * self.quantizer.depth

    def log_mass(self, codes: tf.Tensor) -> tf.Tensor:
        """Return the log-probability of codes [..., *B, M], [..., *B]."""
        raise NotImplementedError

    def pick(self, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
        """Draw codes, int32 [S, *B, M]: those of a draw depend on the seed and its number alone."""
        raise NotImplementedError

    def read(self, z: tf.Tensor) -> tf.Tensor:
        """Return the codes of z [..., D], int32 [..., M]."""
        width = self.quantizer.depth * self.quantizer.width
        return shaped(self.quantizer.read(shaped(z, 1, self.positions, width)), 2, self.length)

    def embed(self, codes: tf.Tensor) -> tf.Tensor:
        """Return z of codes [..., M], [..., D]."""
        split = shaped(tf.convert_to_tensor(codes), 1, self.positions, self.quantizer.depth)
        return shaped(self.quantizer.embed(split), 2, self._event_shape()[0])

    def _log_prob(self, z: tf.Tensor) -> tf.Tensor:
        return self.log_mass(self.read(z))

    def _sample_n(self, n: tf.Tensor, seed: object = None) -> tf.Tensor:
        return draw(self, n, Seed(tfp.random.sanitize_seed(seed)))

    def _batch_shape(self) -> tf.TensorShape:
        return self._batch.shape[: self._batch.shape.rank - self._axes]

    def _batch_shape_tensor(self) -> tf.Tensor:
        return tf.shape(self._batch)[: self._batch.shape.rank - self._axes]

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([self.length * self.quantizer.width])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant(self._event_shape().as_list(), tf.int32)


class CodePoint(OnCodes):
    """All mass at the codes of features: q(z | x) of a model with discrete latents.

        q(k | x) = 1 if k = k(h(x)), else 0;   KL(q(z | x) || p(z)) = -log p(k)

    A draw is the embedding of the codes; its gradient reaches the features by the quantiser's `path`, straight through.

    Args:
        quantizer: a `heads.Quantizer`.
        features: h, [*B, N, features].

    Reference: A. van den Oord, O. Vinyals and K. Kavukcuoglu, "Neural Discrete Representation Learning", 2017,
    Sec. 3.1, https://arxiv.org/abs/1711.00937.
    """

    def __init__(self, quantizer: "Quantizer", features: tf.Tensor):
        self.features = features
        super().__init__(quantizer, features.shape[-2], features, 2, tfd.FULLY_REPARAMETERIZED, "CodePoint")
        self.nearest = quantizer.nearest(features)
        """The codes, int32 [*B, N, L]."""

    @property
    def codes(self) -> tf.Tensor:
        """The codes, int32 [*B, M]."""
        return shaped(self.nearest, 2, self.length)

    def log_mass(self, codes: tf.Tensor) -> tf.Tensor:
        same = tf.reduce_all(tf.equal(codes, self.codes), -1)
        return tf.where(same, tf.zeros([], self.dtype), tf.constant(float("-inf"), self.dtype))

    def pick(self, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
        return _repeated(self.codes, samples)

    def misses(self) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """Return at each depth what the code stands for and its embedding, [*B, N, width] each."""
        targets = self.quantizer.targets(self.features, self.nearest)
        tables = self.quantizer.tables()
        return [
            (h, tf.gather(table, self.nearest[..., i]))
            for i, (h, table) in enumerate(zip(targets, tables, strict=True))
        ]

    def _mean(self) -> tf.Tensor:
        value = tf.stop_gradient(self.quantizer.embed(self.nearest)) + self.quantizer.path(self.features)
        return shaped(value, 2, self._event_shape()[0])

    def _stddev(self) -> tf.Tensor:
        return tf.zeros_like(self._mean())


class IndependentCodes(OnCodes):
    """Codes that know nothing of each other.

        p(k) = prod_m softmax(l_m)_{k_m}

    Args:
        quantizer: a `heads.Quantizer`.
        logits: l, [*B, M, K].

    Reference: A. van den Oord, O. Vinyals and K. Kavukcuoglu, "Neural Discrete Representation Learning", 2017,
    Sec. 3.1, https://arxiv.org/abs/1711.00937.
    """

    def __init__(self, quantizer: "Quantizer", logits: tf.Tensor):
        self.logits = log_softmax(logits, -1)
        positions = logits.shape[-2] // quantizer.depth
        super().__init__(quantizer, positions, self.logits, 2, tfd.NOT_REPARAMETERIZED, "IndependentCodes")

    def log_mass(self, codes: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(_chosen(self.logits, codes), -1)

    def pick(self, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
        return choose(self.logits, uniform_like(samples, self.logits[..., 0], seed))


class AutoregressiveCodes(OnCodes):
    """Codes drawn one after another, each given those before it.

        p(k) = prod_m p(k_m | k_1, ..., k_{m-1})

    Args:
        quantizer: a `heads.Quantizer`.
        positions: N, how many vectors of codes.
        logits: from codes, int32 [B, M], to logits [B, M, K], those of a code depending on the codes before it alone.

    Reference: A. van den Oord, N. Kalchbrenner and K. Kavukcuoglu, "Pixel Recurrent Neural Networks", 2016, Eq. (1),
    https://arxiv.org/abs/1601.06759.
    """

    def __init__(self, quantizer: "Quantizer", positions: int, logits: Callable):
        self.logits = logits
        zero = tf.zeros([], quantizer.variable_dtype)
        super().__init__(quantizer, positions, zero, 0, tfd.NOT_REPARAMETERIZED, "AutoregressiveCodes")

    def log_mass(self, codes: tf.Tensor) -> tf.Tensor:
        flat = tf.reshape(codes, [-1, self.length])
        found = tf.reduce_sum(_chosen(log_softmax(self._scores(flat), -1), flat), -1)
        total = tf.reshape(found, tf.shape(codes)[:-1])
        total.set_shape(codes.shape[:-1])
        return total

    def _scores(self, codes: tf.Tensor) -> tf.Tensor:
        return tf.cast(self.logits(codes), self.dtype)

    def pick(self, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
        noise = uniform_like(samples, tf.zeros([self.length], self.dtype), seed)  # [S, M]

        def one(number: tf.Tensor, codes: tf.Tensor) -> tuple:
            scores = tf.gather(self._scores(codes), number, axis=1)  # [S, K]
            code = choose(scores, tf.gather(noise, number, axis=1)[None])[0]  # [S]
            return number + 1, tf.where(tf.range(self.length) == number, code[:, None], codes)

        begin = (tf.constant(0), tf.zeros_like(noise, tf.int32))
        return tf.while_loop(lambda number, _: number < self.length, one, begin)[1]


def choose(logits: tf.Tensor, unit: tf.Tensor) -> tf.Tensor:
    """Return the classes where distribution functions exceed numbers from 0 to 1, int32 [S, *B].

    For logits [*B, K] and numbers [S, *B], found by bisection: [S, *B, K] would not fit in memory. TFLite has no
    operator that draws a category from given noise.
    """
    size = logits.shape[-1]
    edges = tf.cumsum(tf.exp(log_softmax(logits, -1)), -1)  # [*B, K]
    unit = unit * edges[..., -1]
    flat, rows = tf.reshape(edges, [-1]), _rows(logits)
    found, step = tf.zeros_like(unit, tf.int32), 2 ** (size - 1).bit_length()
    while step:
        further = found + step
        below = tf.gather(flat, rows + tf.minimum(further, size) - 1) <= unit
        found = tf.where(tf.logical_and(further <= size, below), further, found)
        step //= 2
    return tf.minimum(found, size - 1)


def _chosen(logits: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
    """Return the logits [*B, M, K] of codes [..., *B, M], [..., *B, M]."""
    return tf.gather(tf.reshape(logits, [-1]), _rows(logits) + codes)


def _rows(logits: tf.Tensor) -> tf.Tensor:
    """Return where each distribution begins among the logits [*B, K], laid end to end, int32 [*B]."""
    shape = tf.shape(logits)
    rows = tf.reshape(tf.range(tf.reduce_prod(shape[:-1])) * shape[-1], shape[:-1])
    rows.set_shape(logits.shape[:-1])
    return rows


def shaped(value: tf.Tensor, axes: int, *sizes: int) -> tf.Tensor:
    """Return a tensor with other sizes for its last `axes` axes."""
    result = tf.reshape(value, tf.concat([tf.shape(value)[: value.shape.rank - axes], sizes], 0))
    result.set_shape([*value.shape[: value.shape.rank - axes], *sizes])
    return result


def _repeated(value: tf.Tensor, samples: tf.Tensor | int) -> tf.Tensor:
    repeated = tf.broadcast_to(value, tf.concat([[samples], tf.shape(value)], 0))
    repeated.set_shape([samples if isinstance(samples, int) else None, *value.shape])
    return repeated


@draw.register(OnCodes)
def _draw(p: OnCodes, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    return p.embed(p.pick(samples, seed))


@draw.register(CodePoint)
def _draw_point(q: CodePoint, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    return _repeated(q.mean(), samples)


@draw_and_score.register(CodePoint)
def _draw_and_score_point(q: CodePoint, samples: tf.Tensor | int, seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
    z = draw(q, samples, seed)
    return z, tf.zeros_like(z[..., 0])


@draw_and_score.register(OnCodes)
def _draw_and_score(p: OnCodes, samples: tf.Tensor | int, seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
    codes = p.pick(samples, seed)
    return p.embed(codes), p.log_mass(codes)


@tfd.RegisterKL(CodePoint, OnCodes)
def _rate_of_codes(q: CodePoint, p: OnCodes, name: str | None = None) -> tf.Tensor:
    return -p.log_mass(q.codes)
