"""What a model draws where nothing was observed."""

from collections.abc import Callable
from functools import singledispatch

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.dialogue import Dialogue
from tfvae.distributions.moments import shown
from tfvae.random import Seed, draw, draw_each


@singledispatch
def decoded(p: tfd.Distribution, decoder: Callable, n: tf.Tensor | int, seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw z of n examples from a prior, [n, D], and return what is shown of x given it, [n, *event], and z."""
    z = draw_each(p, n, seed)
    return shown(decoder(z), seed), z


@decoded.register(Dialogue)
def _dialogue(p: Dialogue, decoder: Callable, n: tf.Tensor | int, seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw z and x together: the mean of a step is that given the draws of the steps before it."""
    z, mean, _ = p.together(n, seed)
    return mean, z


@singledispatch
def simulated(
    p: tfd.Distribution, decoder: Callable, n: int, latent: Seed, observed: Seed, size: int = 100
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw z of n examples from a prior, [n, D], and x given it, [n, *event], `size` of them at a time; return x, z.

    The noise of x is that of `observed`, or follows that of z where both are drawn together.
    """
    z = draw(p, n, latent)
    parts = [
        draw(decoder(z[first : first + size]), 1, observed._replace(example=first))[0] for first in range(0, n, size)
    ]
    return tf.cast(tf.concat(parts, 0), p.dtype), z


@simulated.register(Dialogue)
def _simulated_dialogue(
    p: Dialogue, decoder: Callable, n: int, latent: Seed, observed: Seed, size: int = 100
) -> tuple[tf.Tensor, tf.Tensor]:
    z, _, x = p.together(n, latent)
    return x, z
