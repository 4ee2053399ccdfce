"""A VAE in JAX: one compiled step with donated buffers, the data on the device, permuted in every epoch."""

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.serve import serve
from benchmarks.works import PIXELS, UNITS, Work


def _network(key: jax.Array, *widths: int) -> list[tuple[jax.Array, jax.Array]]:
    draw = jax.nn.initializers.glorot_uniform()
    pairs = zip(jax.random.split(key, len(widths) - 1), widths[:-1], widths[1:], strict=True)
    return [(draw(k, (before, after)), jnp.zeros(after)) for k, before, after in pairs]


def _apply(layers: list[tuple[jax.Array, jax.Array]], x: jax.Array) -> jax.Array:
    for weights, bias in layers[:-1]:
        x = jnp.tanh(x @ weights + bias)
    weights, bias = layers[-1]
    return x @ weights + bias


def _loss(work: Work, parameters: tuple, x: jax.Array, key: jax.Array) -> jax.Array:
    encoder, decoder = parameters
    mean, log_var = jnp.split(_apply(encoder, x), 2, axis=1)
    noise = jax.random.normal(key, (work.samples, *mean.shape))
    z = mean + jnp.exp(0.5 * log_var) * noise  # [S, B, D]
    logits = _apply(decoder, z)
    log_px = (x * logits - jax.nn.softplus(logits)).sum(2)  # [S, B]
    if work.iwae:
        log_ratio = 0.5 * (log_var + noise**2 - z**2).sum(2)  # log p(z) - log q(z | x), [S, B]
        return (math.log(work.samples) - jax.nn.logsumexp(log_px + log_ratio, 0)).mean()
    rate = -0.5 * (1 + log_var - mean**2 - jnp.exp(log_var)).sum(1)
    return (rate - log_px.mean(0)).mean()


def prepare(work: Work, images: np.ndarray) -> Callable[[], int]:
    """Return one pass over the images."""
    data = jax.device_put(images.reshape(len(images), PIXELS).astype(np.float32))
    first, second, key = jax.random.split(jax.random.key(0), 3)
    decoder = _network(second, work.latent, UNITS, UNITS, PIXELS)
    parameters = (_network(first, PIXELS, UNITS, UNITS, 2 * work.latent), decoder)
    optimizer = optax.adam(1e-3)

    @partial(jax.jit, static_argnames="size", donate_argnums=0)
    def step(state: tuple, shuffled: jax.Array, start: int, size: int) -> tuple:
        parameters, moments, key, total = state
        key, now = jax.random.split(key)
        x = jax.lax.dynamic_slice_in_dim(shuffled, start, size)
        value, gradient = jax.value_and_grad(partial(_loss, work))(parameters, x, now)
        updates, moments = optimizer.update(gradient, moments)
        return optax.apply_updates(parameters, updates), moments, key, total + value

    permute = jax.jit(lambda key, data: data[jax.random.permutation(key, len(data))])
    state, epochs = (parameters, optimizer.init(parameters), key, jnp.zeros(())), 0

    def epoch() -> int:
        nonlocal state, epochs
        epochs += 1
        shuffled = permute(jax.random.key(epochs), data)
        for start in range(0, len(data), work.batch):
            state = step(state, shuffled, start, min(work.batch, len(data) - start))
        if not math.isfinite(float(state[-1])):  # waits for the device, too
            raise ArithmeticError("The loss is not finite")
        return len(data)

    return epoch


if __name__ == "__main__":
    serve(prepare)
