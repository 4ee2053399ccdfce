"""Normalising flows: a simple distribution pushed through invertible steps."""

from collections.abc import Sequence

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.moments import centre
from tfvae.random import Seed, draw, draw_and_score, has_rule


class Step(tf.experimental.ExtensionType):
    """One step of a flow: an invertible map of the last axis, with its log-determinant (abstract).

    A step holds tensors only, weights of networks included, so that a flow goes through `tf.function`, loops and
    `tf.nest` as its base does. Its parameters have the batch axes [*B] of the base, or none.
    """

    def forward(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return z' [..., *B, D] and log |det dz'/dz| [..., *B] for z of shape [..., *B, D]."""
        raise NotImplementedError

    def inverse(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return what `forward` maps to z, and the log-determinant of `forward` there."""
        raise NotImplementedError(
            f"Expected steps with an inverse, to score a point that the flow did not draw: {type(self).__name__} has "
            "none. Use tfvae.random.draw_and_score for its own draws, or heads.Planar, heads.Sylvester or "
            f"heads.Coupling. Received: step={type(self).__name__}"
        )


class Flow(tfd.AutoCompositeTensorDistribution):
    """A distribution of vectors pushed through invertible steps.

        z_0 ~ q_0,   z_k = f_k(z_{k-1}),   log q(z_K) = log q_0(z_0) - sum_k log |det dz_k / dz_{k-1}|

    Draws are scored on their way forward, by `tfvae.random.draw_and_score`; `log_prob` goes backward and needs the
    inverse of every step. The mean has no closed form; `tfvae.distributions.centre` is the image of the base's.

    Args:
        base: q_0, a distribution with batch shape [*B] and event shape [D].
        steps: the maps f_1, ..., f_K, each a `Step`; with none the flow is its base.
        name: name of the distribution.

    Raises:
        ValueError: if the base is no distribution of vectors.
        TypeError: if a step is no `Step`.

    Reference: D. Rezende and S. Mohamed, "Variational Inference with Normalizing Flows", 2015, Eq. (6) and (7),
    https://arxiv.org/abs/1505.05770.

    Example:
        >>> import tensorflow as tf
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfvae.distributions import Flow
        >>> from tfvae.distributions.sylvester import Reflection
        >>> flow = Flow(tfd.MultivariateNormalDiag([1.0, 0.0]), [Reflection(tf.constant([1.0, -1.0]))])
        >>> bool(flow.log_prob([0.0, 1.0]) == flow.base.log_prob([1.0, 0.0]))
        True
    """

    def __init__(self, base: tfd.Distribution, steps: Sequence[Step], name: str = "Flow"):
        steps = tuple(steps)
        parameters = dict(locals())
        if base.event_shape.rank != 1:
            raise ValueError(f"Expected a base whose draws are vectors. Received: base={base}")
        for step in steps:
            if not isinstance(step, Step):
                raise TypeError(f"Expected every step to be a tfvae.distributions.Step. Received: step={step!r}")
        self._base = base
        self._steps = self._no_dependency(steps)
        super().__init__(
            dtype=base.dtype,
            reparameterization_type=base.reparameterization_type,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict:
        return {}  # nothing that TFP could slice: the event axes of a step's tensors are its own affair

    def __getitem__(self, slices: object) -> None:
        raise NotImplementedError(
            f"Expected a whole flow: its steps cannot be sliced, so slice what it is made from. Received: {slices=!r}"
        )

    @property
    def base(self) -> tfd.Distribution:
        """The distribution q_0."""
        return self._base

    @property
    def steps(self) -> tuple[Step, ...]:
        """The maps f_1, ..., f_K."""
        return self._steps

    def forward(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Push z_0 [..., *B, D] through all steps: z_K, and the sum of the log-determinants [..., *B]."""
        total = tf.zeros_like(z[..., 0])
        for step in self.steps:
            z, log_det = step.forward(z)
            total += log_det
        return z, total

    def inverse(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Pull z_K back through all steps: z_0, and the sum of the log-determinants of `forward` there."""
        total = tf.zeros_like(z[..., 0])
        for step in reversed(self.steps):
            z, log_det = step.inverse(z)
            total += log_det
        return z, total

    def _log_prob(self, z: tf.Tensor) -> tf.Tensor:
        # Every step may split, join and reshape z, so its batch axes are made whole here: [D] meets [B, D].
        z += tf.zeros(tf.concat([self.batch_shape_tensor(), [1]], 0), z.dtype)
        z, log_det = self.inverse(z)
        return self.base.log_prob(z) - log_det

    def _sample_n(self, n: tf.Tensor, seed: object = None) -> tf.Tensor:
        return self.forward(self.base.sample(n, seed))[0]

    def _sample_and_log_prob(self, sample_shape: tf.Tensor, seed: object) -> tuple[tf.Tensor, tf.Tensor]:
        return self._scored(*self.base.experimental_sample_and_log_prob(sample_shape, seed))

    def _scored(self, z: tf.Tensor, log_base: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        z, log_det = self.forward(z)
        return z, log_base - log_det

    def _batch_shape(self) -> tf.TensorShape:
        return self.base.batch_shape

    def _batch_shape_tensor(self) -> tf.Tensor:
        return self.base.batch_shape_tensor()

    def _event_shape(self) -> tf.TensorShape:
        return self.base.event_shape

    def _event_shape_tensor(self) -> tf.Tensor:
        return self.base.event_shape_tensor()


@draw.register(Flow)
def _draw(flow: Flow, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    return flow.forward(draw(flow.base, samples, seed))[0]  # [S, *B, D]


setattr(_draw, "holds", lambda flow: has_rule(flow.base))  # noqa: B010 (a type checker knows no such attribute)


@draw_and_score.register(Flow)
def _draw_and_score(flow: Flow, samples: tf.Tensor | int, seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
    return flow._scored(*draw_and_score(flow.base, samples, seed))


@centre.register(Flow)
def _centre(flow: Flow) -> tf.Tensor:
    return flow.forward(centre(flow.base))[0]  # [*B, D]
