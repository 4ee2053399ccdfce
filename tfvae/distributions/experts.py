"""What several distributions of one vector say together: their product, and their mixture in equal parts."""

from collections.abc import Sequence

import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import util

from tfvae.distributions.moments import centre, moments
from tfvae.distributions.special import log_sum_exp
from tfvae.random import Seed, another, draw, has_rule, normal_like, uniform

_STRATUM = 3  # stream of the noise that says which component is the first; 0 and 1 are those of its draws
_NEVER = -1e30  # the logarithm of no probability, whose gradient is 0 and not NaN


def product(
    normals: Sequence[tfd.MultivariateNormalDiag], present: Sequence[tf.Tensor | None] | None = None
) -> tfd.MultivariateNormalDiag:
    """Return the normalised product of diagonal normals: precisions add up, means are weighted by them.

        prod_m N(z | m_m, s_m^2) ~ N(z | sum_m m_m / s_m^2 / sum_m 1 / s_m^2, 1 / sum_m 1 / s_m^2)

    Args:
        normals: with batch shape [B] or none.
        present: for each, a boolean [B] that tells where it takes part, or None for everywhere.

    Reference: M. Wu and N. Goodman, "Multimodal Generative Models for Scalable Weakly-Supervised Learning", 2018,
    Sec. 2.1, https://arxiv.org/abs/1802.05335.
    """
    present = [None] * len(normals) if present is None else present
    precisions = []
    for normal, here in zip(normals, present, strict=True):
        precision = 1.0 / tf.square(normal.stddev())  # [B, D]
        precisions.append(precision if here is None else tf.where(here[:, None], precision, tf.zeros_like(precision)))
    total = _sum(precisions)
    weighted = _sum([normal.mean() * precision for normal, precision in zip(normals, precisions, strict=True)])
    return tfd.MultivariateNormalDiag(weighted / total, tf.math.rsqrt(total))


def _sum(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    first, *others = tensors  # add_n would not broadcast
    for other in others:
        first += other
    return first


class EqualMixture(tfd.AutoCompositeTensorDistribution):
    """The mixture in equal parts of those components that are present, which may differ between examples.

        q(z) = 1/n sum_{k present} q_k(z)

    Its weights are no parameters, so that the choice of a component is noise, and a draw is a differentiable function
    of noise and parameters: it is reparameterised. Draws come from the components in turn, the first from one that is
    drawn by lot. So each draw alone is one of the mixture, and any n in a row hold one of each component: the mean of a
    function over them is stratified. They are not independent of each other.

    Args:
        components: distributions of one vector, with batch shape [B] or none.
        present: which take part, boolean [B, K]; at least one for each example.
        name: of the distribution.

    Reference: Y. Shi et al., "Variational Mixture-of-Experts Autoencoders for Multi-Modal Deep Generative Models",
    2019, Sec. 3, https://arxiv.org/abs/1911.03393.

    Example:
        >>> import tensorflow as tf
        >>> from tfvae.distributions import EqualMixture
        >>> parts = [tfd.MultivariateNormalDiag([[loc]], [[1.0]]) for loc in (0.0, 4.0, 9.0)]
        >>> EqualMixture(parts, tf.constant([[True, True, False]])).mean().numpy().tolist()
        [[2.0]]
    """

    def __init__(self, components: Sequence[tfd.Distribution], present: tf.Tensor, name: str = "EqualMixture"):
        self.components, self.present = list(components), present
        super().__init__(
            dtype=self.components[0].dtype,
            reparameterization_type=_reparameterisation(self.components),
            validate_args=False,
            allow_nan_stats=True,
            parameters={"components": self.components, "present": present, "name": name},
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict:
        return {
            "components": util.BatchedComponentProperties(event_ndims=lambda self: [0] * len(self.components)),
            "present": util.ParameterProperties(event_ndims=1, is_preferred=False),
        }

    def _batch_shape(self) -> tf.TensorShape:
        return self.present.shape[:-1]

    def _batch_shape_tensor(self) -> tf.Tensor:
        return tf.shape(self.present)[:-1]

    def _event_shape(self) -> tf.TensorShape:
        return self.components[0].event_shape

    def _event_shape_tensor(self) -> tf.Tensor:
        return self.components[0].event_shape_tensor()

    @property
    def count(self) -> tf.Tensor:
        """How many components are present, [B], in the dtype of z."""
        return tf.reduce_sum(tf.cast(self.present, self.dtype), -1)

    def mixed(self, values: Sequence[tf.Tensor]) -> tf.Tensor:
        """Return the mean of a value of each component, [B, D] or [D] each, over those that are present, [B, D]."""
        shares = tf.unstack(tf.cast(self.present, self.dtype) / self.count[..., None], axis=-1)  # [B] each
        return _sum([value * share[..., None] for value, share in zip(values, shares, strict=True)])

    def chosen(self, samples: tf.Tensor | int, seed: Seed) -> list[tf.Tensor]:
        """Return for each component 1 where a draw is its own, else 0, [S, B] each."""
        count, here = self.count, tf.cast(self.present, self.dtype)
        unit = tf.cast(uniform(1, [tf.shape(here)[0]], seed._replace(sample=0), _STRATUM)[0], self.dtype)  # [B]
        numbers = tf.cast(tf.range(samples) + seed.sample, self.dtype)[:, None]  # [S, 1]
        turn = tf.math.floormod(numbers + tf.floor(unit * count), count)  # [S, B]
        places = tf.unstack(tf.cumsum(here, -1) - 1.0, axis=-1)  # of each component among those present
        return [
            tf.cast(tf.abs(turn - place) < 0.5, self.dtype) * own
            for place, own in zip(places, tf.unstack(here, axis=-1), strict=True)
        ]

    def _log_prob(self, z: tf.Tensor) -> tf.Tensor:
        never = tf.cast(_NEVER, self.dtype)
        scores = [
            tf.where(here, component.log_prob(z), never)
            for component, here in zip(self.components, tf.unstack(self.present, axis=-1), strict=True)
        ]
        return log_sum_exp(tf.stack(scores, -1), -1) - tf.math.log(self.count)

    def _mean(self) -> tf.Tensor:
        return self.mixed([centre(component) for component in self.components])

    def _variance(self) -> tf.Tensor:
        mean, stddev = zip(*map(moments, self.components), strict=True)
        loc = self.mixed(mean)  # of which each is the distance: a difference of squares would cancel
        return self.mixed([
            tf.square(s) + tf.math.squared_difference(m, loc) for m, s in zip(mean, stddev, strict=True)
        ])  # fmt: skip

    def _sample_n(self, n: tf.Tensor, seed: object = None) -> tf.Tensor:
        raise NotImplementedError("Expected draws by tfvae.random.draw, in turn from every component.")


def _reparameterisation(components: Sequence[tfd.Distribution]) -> object:
    every = all(component.reparameterization_type == tfd.FULLY_REPARAMETERIZED for component in components)
    return tfd.FULLY_REPARAMETERIZED if every else tfd.NOT_REPARAMETERIZED


@draw.register(EqualMixture)
def _draw(q: EqualMixture, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    chosen = [each[..., None] for each in q.chosen(samples, seed)]  # [S, B, 1] each
    if all(isinstance(component, tfd.MultivariateNormalDiag) for component in q.components):
        loc = _sum([each * c.mean() for each, c in zip(chosen, q.components, strict=True)])  # [S, B, D]
        scale = _sum([each * c.stddev() for each, c in zip(chosen, q.components, strict=True)])
        return loc + scale * normal_like(samples, loc[0], seed)  # one noise for all of them
    pairs = enumerate(zip(chosen, q.components, strict=True))
    draws = [each * draw(component, samples, another(seed, k)) for k, (each, component) in pairs]  # one of K draws
    return _sum([z if z.shape.rank == 3 else z[:, None] for z in draws])


setattr(_draw, "holds", lambda q: all(map(has_rule, q.components)))  # noqa: B010 (no attribute for a type checker)
