"""Draws of more families from noise that every exported format repeats: see `tfvae.random`.

Importing this module makes `tfvae.random.draw` know them.
"""

import math

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.full_normal import factor, log_determinant
from tfvae.distributions.low_rank_normal import LowRankNormal
from tfvae.distributions.mixture import Mixture
from tfvae.distributions.power_spherical import PowerSpherical
from tfvae.distributions.relaxed_categorical import RelaxedCategorical
from tfvae.random import Seed, draw, draw_and_score, has_rule, normal_like, uniform, uniform_like

_CHOICE = 2  # stream of the noise that chooses a component; a draw of the component itself takes 0 and 1


@draw.register(tfd.Normal)
def _normal(q: tfd.Distribution, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    return q.loc + q.scale * normal_like(samples, q.mean(), seed)


@draw.register(tfd.Laplace)
def _laplace(q: tfd.Distribution, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    unit = uniform_like(samples, q.mean(), seed)
    return q.loc + q.scale * tf.sign(0.5 - unit) * tf.math.log(2.0 * tf.minimum(unit, 1.0 - unit))


@draw.register(tfd.Bernoulli)
def _bernoulli(q: tfd.Distribution, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    probabilities = q.probs_parameter()
    return tf.cast(uniform_like(samples, probabilities, seed) < probabilities, q.dtype)


@draw.register(tfd.Independent)
def _independent(q: tfd.Distribution, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    return draw(q.distribution, samples, seed)


setattr(_independent, "holds", lambda q: has_rule(q.distribution))  # noqa: B010 (no attribute for a type checker)


@draw.register(tfd.VectorDeterministic)
def _point(q: tfd.Distribution, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    z = tf.broadcast_to(q.loc, tf.concat([[samples], tf.shape(q.loc)], 0))
    z.set_shape([samples if isinstance(samples, int) else None, *q.loc.shape])
    return z


@draw.register(tfd.MultivariateNormalTriL)
def _full_normal(q: tfd.Distribution, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    return q.loc + tf.linalg.matvec(factor(q), normal_like(samples, q.loc, seed))  # [S, *B, D]


@draw_and_score.register(tfd.MultivariateNormalTriL)
def _full_normal_scored(q: tfd.Distribution, samples: tf.Tensor | int, seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
    lower, noise = factor(q), normal_like(samples, q.loc, seed)
    volume = log_determinant(lower) + 0.5 * q.event_shape[-1] * math.log(2.0 * math.pi)
    return q.loc + tf.linalg.matvec(lower, noise), -0.5 * tf.reduce_sum(tf.square(noise), -1) - volume


@draw.register(LowRankNormal)
def _low_rank_normal(q: LowRankNormal, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    size, rank = q.cov_perturb_factor.shape[-2:]
    own, shared = tf.split(normal_like(samples, q.loc, seed, rank), [size, rank], -1)
    return q.loc + q.deviations() * own + tf.linalg.matvec(q.cov_perturb_factor, shared)  # [S, *B, D]


@draw.register(PowerSpherical)
def _power_spherical(q: PowerSpherical, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    return q.place(normal_like(samples, q.mean_direction, seed, q.noise_size() - q.event_shape[-1]))


@draw.register(tfd.SphericalUniform)
def _spherical_uniform(q: tfd.Distribution, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    noise = normal_like(samples, q.mean(), seed)
    return noise * tf.math.rsqrt(tf.reduce_sum(tf.square(noise), -1, keepdims=True) + 1e-30)


@draw.register(RelaxedCategorical)
def _relaxed_categorical(q: RelaxedCategorical, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    return q.place(uniform_like(samples, q.noise_free(), seed))


@draw.register(Mixture)
def _mixture(q: Mixture, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    components = q.components_distribution
    chosen = tf.expand_dims(_choose(q.mixture_distribution.logits, samples, seed), -2)  # [S, *B, 1, K]
    if isinstance(components, tfd.MultivariateNormalDiag):
        loc, scale = components.mean(), components.stddev()  # [*B, K, D]
        noise = normal_like(samples, loc[..., 0, :], seed)
        return tf.matmul(chosen, loc)[..., 0, :] + tf.matmul(chosen, scale)[..., 0, :] * noise
    return tf.matmul(chosen, draw(components, samples, seed))[..., 0, :]  # one of K draws


setattr(_mixture, "holds", lambda q: has_rule(q.components_distribution))  # noqa: B010


def _choose(logits: tf.Tensor, samples: tf.Tensor | int, seed: Seed) -> tf.Tensor:
    """Draw one of K classes as ones and zeros, [S, *B, K], where the distribution function exceeds a uniform number.

    TFLite has no operator that draws a category from given noise.
    """
    shape = tf.shape(logits)
    rows = tf.unstack(shape[:-1]) if logits.shape.rank > 1 else [1]
    unit = tf.reshape(uniform(samples, [*rows, 1], seed, _CHOICE), tf.concat([[samples], shape[:-1], [1]], 0))
    edges = tf.cumsum(tf.nn.softmax(logits), -1)
    above = tf.cast(tf.cast(unit, logits.dtype) * edges[..., -1:] < edges, logits.dtype)  # 0 ... 0 1 ... 1
    return above - tf.concat([tf.zeros_like(above[..., :1]), above[..., :-1]], -1)
