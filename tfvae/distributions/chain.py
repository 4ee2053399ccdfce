"""Groups of latent variables that are drawn one after another."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfvae.distributions.moments import centre
from tfvae.errors import IncompatibleParts
from tfvae.random import Seed, another, draw, draw_and_score, has_rule, normal_like

T = TypeVar("T")
State: TypeAlias = Any  # what a chain remembers of the groups drawn so far
Conditional: TypeAlias = Callable[[State], tfd.Distribution]


def remember(drawn: Sequence[tf.Tensor], z: tf.Tensor, number: int) -> Sequence[tf.Tensor]:
    """Return all groups drawn so far, the last one being z: the state of a chain that is told no other."""
    return (*drawn, z)


class Chain(tfd.Distribution):
    """The distribution of a vector in groups, each of which depends on those drawn before it.

        q(z) = prod_i q(z_i | z_1, ..., z_{i-1}) = prod_i q(z_i | h_{i-1}),   h_i = follow(h_{i-1}, z_i, i)

    The groups stand in z in the order `places`, which lets two chains that draw the same groups in opposite orders be
    compared. All but the first to be drawn are diagonal normals, so that a draw depends on its seed and on its number
    alone. Mean and deviation have no closed form; `tfvae.distributions.centre` goes down the chain by centres.

    Args:
        conditionals: in the order of drawing, each from the state to the distribution of the next group.
        sizes: how long each group is, in the order of drawing.
        places: where each group stands in z, in the order of drawing: 0 is the left.
        state: h_0, what the first conditional is given; nothing drawn yet.
        follow: from a state, the group that is drawn then and its number from 0 upwards to the next state; all that
            was drawn, in order, if not given. One of a fixed size makes the work linear in the number of groups.
        name: name of the distribution.

    Raises:
        ValueError: if `sizes` and `places` are not one for each conditional, or `places` is no permutation.
        IncompatibleParts: when drawn from, if a later group is no diagonal normal.

    Reference: C. Sonderby et al., "Ladder Variational Autoencoders", 2016, Sec. 2.1,
    https://arxiv.org/abs/1602.02282.

    Example:
        >>> import tensorflow as tf
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfvae.distributions import Chain
        >>> walk = Chain([lambda _: tfd.MultivariateNormalDiag([0.0]),
        ...               lambda drawn: tfd.MultivariateNormalDiag(drawn[-1], [1.0])], [1, 1], [0, 1])
        >>> alone = tfd.Normal(0.0, 1.0)
        >>> bool(tf.abs(walk.log_prob([2.0, 3.0]) - alone.log_prob(2.0) - alone.log_prob(1.0)) < 1e-6)
        True
    """

    def __init__(
        self,
        conditionals: Sequence[Conditional],
        sizes: Sequence[int],
        places: Sequence[int],
        state: State = (),
        follow: Callable[[State, tf.Tensor, int], State] = remember,
        name: str = "Chain",
    ):
        parameters = dict(locals())
        if not len(conditionals) == len(sizes) == len(places) or sorted(places) != list(range(len(sizes))):
            raise ValueError(
                "Expected a size and a place for each of the conditionals, the places from 0 upwards. Received: "
                f"{len(conditionals)} conditionals, sizes={list(sizes)}, places={list(places)}"
            )
        self.conditionals, self.places = tuple(conditionals), tuple(places)
        self.state, self.follow = state, follow
        self.lengths = tuple(self.in_place(sizes))
        """How long each group is, as they stand in z."""
        self.first = conditionals[0](state)
        """The distribution of the group that is drawn first."""
        super().__init__(
            dtype=self.first.dtype,
            reparameterization_type=self.first.reparameterization_type,
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
            f"Expected a whole chain: slice what its conditionals are made from instead. Received: {slices=!r}"
        )

    def split(self, z: tf.Tensor) -> list[tf.Tensor]:
        """Return the groups of z, [..., D], as they stand in it."""
        return tf.split(z, list(self.lengths), -1)

    def join(self, drawn: Sequence[tf.Tensor]) -> tf.Tensor:
        """Return z, [..., D], of groups in the order of drawing."""
        return tf.concat(self.in_place(drawn), -1)

    def in_place(self, found: Sequence[T]) -> list[T]:
        """Return what was found of each group in the order of drawing, as the groups stand in z."""
        by_place = dict(zip(self.places, found, strict=True))
        return [by_place[place] for place in range(len(by_place))]

    def each(self, z: tf.Tensor) -> list[tfd.Distribution]:
        """Return the distribution of each group, as they stand in z, given those of z that are drawn before it."""
        parts, found = self.split(z), [self.first]
        order = iter([parts[place] for place in self.places])

        def go_on(q: tfd.Distribution, number: int) -> tf.Tensor:
            found.append(q)
            return next(order)

        self.walk(lambda _: next(order), go_on)
        return self.in_place(found)

    def log_probs(self, z: tf.Tensor) -> list[tf.Tensor]:
        """Return the log-density of each group, as they stand in z, given those drawn before it, [...] each."""
        return [q.log_prob(part) for q, part in zip(self.each(z), self.split(z), strict=True)]

    def _log_prob(self, z: tf.Tensor) -> tf.Tensor:
        return tf.add_n(self.log_probs(z))

    def walk(self, begin: Callable, go_on: Callable) -> list[tf.Tensor]:
        """Return the groups in the order of drawing: the first by `begin`, the others by `go_on` and their number."""
        drawn, state = [begin(self.first)], self.state
        for number, conditional in enumerate(self.conditionals[1:], 1):
            state = self.follow(state, drawn[-1], number - 1)
            drawn.append(go_on(conditional(state), number))
        return drawn

    def _sample_n(self, n: tf.Tensor, seed: object = None) -> tf.Tensor:
        seeds = tf.unstack(tfp.random.split_seed(seed, len(self.lengths)))
        return self.join(self.walk(lambda q: q.sample(n, seed=seeds[0]), lambda q, i: q.sample(seed=seeds[i])))

    def _batch_shape(self) -> tf.TensorShape:
        return self.first.batch_shape

    def _batch_shape_tensor(self) -> tf.Tensor:
        return self.first.batch_shape_tensor()

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([sum(self.lengths)])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant([sum(self.lengths)])


def _moved(q: tfd.Distribution, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    """Draw one z from each of the distributions [S, *B], the noise of which is that of S draws."""
    if not isinstance(q, tfd.MultivariateNormalDiag):
        raise IncompatibleParts(
            "Expected every group but the first to be drawn to be a diagonal normal, heads.DiagonalNormal. "
            f"Received: {type(q).__name__}"
        )
    loc, scale = q.mean(), q.stddev()  # [S, *B, D]
    return loc + scale * normal_like(samples, loc[0], seed)


class Drawn(NamedTuple):
    """A draw of a chain, and what each group was drawn from; groups as they stand in z."""

    z: tf.Tensor
    """[S, *B, D]."""
    each: list[tfd.Distribution]
    """Of each group given those drawn before it."""
    scores: list[tf.Tensor]
    """The log-density of each, [S, *B]."""


def draw_groups(q: Chain, samples: tf.Tensor | int, seed: Seed) -> Drawn:
    """Draw and score z as `draw_and_score` does, going down once, and keep the groups apart.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae.distributions.chain import draw_groups
        >>> q = tfvae.zoo.ladder((8, 8, 1), 4, units=(8, 8)).encoder(np.zeros([3, 8, 8, 1], "float32"))
        >>> [score.shape for score in draw_groups(q, 5, tfvae.random.as_seed(0)).scores]
        [TensorShape([5, 3]), TensorShape([5, 3])]
    """
    found, scores = [q.first], []

    def begin(first: tfd.Distribution) -> tf.Tensor:
        z, log_q = draw_and_score(first, samples, seed)
        scores.append(log_q)
        return z

    def go_on(each: tfd.Distribution, number: int) -> tf.Tensor:
        z = _moved(each, samples, another(seed, number))
        found.append(each)
        scores.append(each.log_prob(z))
        return z

    z = q.join(q.walk(begin, go_on))
    return Drawn(z, q.in_place(found), q.in_place(scores))


@draw.register(Chain)
def _draw(q: Chain, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    return draw_groups(q, samples, seed).z


setattr(_draw, "holds", lambda q: has_rule(q.first))  # noqa: B010 (a type checker knows no such attribute)


@draw_and_score.register(Chain)
def _draw_and_score(q: Chain, samples: tf.Tensor | int, seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
    drawn = draw_groups(q, samples, seed)
    return drawn.z, tf.add_n(drawn.scores)


@centre.register(Chain)
def _centre(q: Chain) -> tf.Tensor:
    return q.join(q.walk(centre, lambda each, _: centre(each)))
