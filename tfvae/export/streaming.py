"""Signatures that run a model of sequences step by step: what it remembers goes in and comes out."""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.dialogue import observed
from tfvae.distributions.walk import moved
from tfvae.errors import ExportError
from tfvae.export.extras import Extra, require_rate
from tfvae.export.inputs import finite, noise, or_nan, supported
from tfvae.export.signature import Inputs, Signature
from tfvae.models.sequences import Filter
from tfvae.models.sequential import SequentialVAE
from tfvae.models.variational import AbstractVAE
from tfvae.random import another, has_rule, normal_like


class Stream(Extra):
    """Signatures `start`, `step` and `generate_step`: a sequence as it comes, of any length.

        z_t ~ q(z_t | m_{t-1}, x_t),   m_t = f(m_{t-1}, z_t, x_t)
        elbo_t = log p(x_t | z_t, m_{t-1}) - KL(q(z_t | m_{t-1}, x_t) || p(z_t | m_{t-1}))

    Nothing is kept inside. `start` takes `n`, how many sequences, and returns their `state`, [n, M], and the `time`, 0.
    `step` takes `x`, one step of each, [B, *event of a step], `state`, `time` and a `seed`, and returns the `elbo` and
    the `log_weight` of the step in nats, [B], the `mean` of z_t, [B, D], the next `state` and the next `time`. Over a
    whole sequence and with one seed, they add up to the `elbo` of the whole and to its log importance weight.
    `generate_step` takes `state`, `time` and a `seed`, and returns a draw `x`, its `mean` given what went before, the
    next `state` and the next `time`: from the start the draws of `generate`, after steps of data what may follow them.

    A step off the likelihood's support gives NaN, and so do all that follow; one of which nothing was observed is NaN
    itself, and costs nothing.

    Raises:
        ExportError: if the model is none of sequences, its posterior looks ahead, or the likelihood of a step is drawn
            by TFP alone.

    Reference: J. Chung et al., "A Recurrent Latent Variable Model for Sequential Data", 2015, Sec. 3,
    https://arxiv.org/abs/1506.02216.

    Example:
        >>> import tfvae
        >>> sorted(tfvae.export.Stream().signatures(tfvae.zoo.vrnn((8, 8), 2, units=(8,))))
        ['generate_step', 'start', 'step']
    """

    def signatures(self, model: AbstractVAE) -> dict[str, Signature]:
        if not isinstance(model, SequentialVAE):
            raise ExportError(f"Expected a tfvae.SequentialVAE, to offer step. Received: {type(model).__name__}")
        require_rate(model, "step")
        if not isinstance(model.encoder, Filter):
            raise ExportError(
                "Expected a posterior that looks at no later step, models.Filter, to offer step. Received: "
                f"{type(model.encoder).__name__}"
            )
        stream = _Stream(model)
        if not has_rule(stream.likelihood()):
            raise ExportError(
                "Expected a likelihood with a rule for tfvae.random.draw, to offer generate_step with the same draws "
                f"in every format. Received: {stream.likelihood().name}"
            )
        return {
            "start": stream.signature(stream.start, "n"),
            "step": stream.signature(stream.step, "x", "state", "time", "seed"),
            "generate_step": stream.signature(stream.generate, "state", "time", "seed"),
        }


class _Stream:
    """A model whose steps are functions."""

    def __init__(self, model: SequentialVAE):
        self.dynamics, self.encoder, self.model = model.prior, model.encoder, model
        self.memory = model.prior.memory

    def likelihood(self) -> tfd.Distribution:
        """Return p(x_1 | z_1), for one sequence."""
        begin = self.memory.begin()[None]
        return self.dynamics.of_step(self.dynamics.transition(begin).mean(), begin)

    def start(self, n: tf.Tensor) -> dict:
        begin = self.memory.begin()
        return {"state": tf.repeat(begin[None], n, 0), "time": tf.zeros_like(n)}

    def step(self, x: tf.Tensor, state: tf.Tensor, time: tf.Tensor, seed: tf.Tensor) -> dict:
        known = self.memory.known(x)
        g, says = self.encoder.look(x[None], _seen(x)[None], False)  # as a sequence of one step
        m = tf.reshape(state, [tf.shape(x)[0], self.memory.size])  # refused if there are not as many
        q, p = self.encoder.next(m, [*known, g[0], tf.cast(says[0], x.dtype)[:, None]]), self.dynamics.transition(m)
        z = moved(q, normal_like(1, q.mean(), another(noise(seed), tf.ensure_shape(time, [])))[0])
        log_px = self.dynamics.of_step(z, m).log_prob(x)
        found = {
            "elbo": log_px - tfd.kl_divergence(q, p),
            "log_weight": log_px + p.log_prob(z) - q.log_prob(z),
            "mean": q.mean(),
            "state": self.memory.next(m, z, known),
        }
        return {**or_nan(tf.logical_and(supported(self.model, x), finite(state)), found), "time": time + 1}

    def generate(self, state: tf.Tensor, time: tf.Tensor, seed: tf.Tensor) -> dict:
        p, start = self.dynamics.transition(state), noise(seed)
        place = another(start, tf.ensure_shape(time, []))
        like = tf.zeros([self.dynamics.latent_dim], state.dtype)
        z = moved(p, normal_like(tf.shape(state)[0], like, place))
        px = self.dynamics.of_step(z, state)
        x = observed(px, start, time)
        found = {"x": x, "mean": px.mean(), "state": self.memory.next(state, z, self.memory.known(x))}
        return {**or_nan(finite(state), found), "time": time + 1}

    def signature(self, function: Callable, *names: str) -> Signature:
        """Return a function as a signature, tried on the first steps of what is given."""
        real = tf.as_dtype(self.model.variable_dtype)
        known = {
            "x": tf.TensorSpec([None, *self.dynamics.step_shape], real, "x"),
            "state": tf.TensorSpec([None, self.memory.size], real, "state"),
            "n": tf.TensorSpec([], tf.int32, "n"),
            "time": tf.TensorSpec([], tf.int32, "time"),
            "seed": tf.TensorSpec([2], tf.int32, "seed"),
        }
        return Signature(function, {name: known[name] for name in names}, functools.partial(self.tried, names))

    def tried(self, names: tuple[str, ...], x: np.ndarray, seed: int) -> Inputs:
        """Return the inputs that a file is tried on."""
        for some, words, time in ((x[:1], (seed, 0), 0), (x, (-7, 2**31 - 1), min(3, x.shape[1] - 1))):
            state = np.repeat(self.memory.begin().numpy()[None], len(some), 0) + 0.1 * time
            given = {
                "x": some[:, time], "state": state, "n": np.array(len(some), np.int32),
                "time": np.array(time, np.int32), "seed": np.array(words, np.int32),
            }  # fmt: skip
            yield {name: given[name] for name in names}


def _seen(x: tf.Tensor) -> tf.Tensor:
    """Tell of which steps [B, *event] anything was observed, [B]."""
    return tf.reduce_any(tf.logical_not(tf.math.is_nan(tf.reshape(x, [tf.shape(x)[0], -1]))), -1)
