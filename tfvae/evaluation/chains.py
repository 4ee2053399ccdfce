"""Annealed chains: from a density that can be sampled to p(x, z), through many in between, with Hamiltonian steps."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from scipy.special import expit

from tfvae.evaluation.batches import compiled
from tfvae.evaluation.latent import ability
from tfvae.heads.support import REAL
from tfvae.models.base import Batch
from tfvae.models.variational import AbstractVAE
from tfvae.random import Seed, draw, draw_and_score

_ACCEPTANCE = 0.65  # what step sizes are tuned to
_LEARNING = 0.5  # change of the log step size, in the pilot run, for each rung and unit of acceptance
_STRETCH = 25  # rungs in one compiled call
_PILOT = 25  # rungs of the pilot run at least; else a quarter of the ladder's
_SPREAD = 64  # draws of q(z | x) whose deviations scale the steps in each dimension


def sigmoid_ladder(steps: int) -> np.ndarray:
    """Return inverse temperatures from 0 to 1 that lie closest together at both ends.

        b_t = (s(t) - s(0)) / (s(T) - s(0)),   s(t) = 1 / (1 + exp(-4 (2 t / T - 1)))

    Args:
        steps: T, at least 1.

    Returns:
        T + 1 numbers, rising from 0 to 1.

    Reference: Y. Wu et al., "On the Quantitative Analysis of Decoder-Based Generative Models", 2017,
    https://arxiv.org/abs/1611.04273.

    Example:
        >>> from tfvae.evaluation import sigmoid_ladder
        >>> sigmoid_ladder(4).round(2).tolist()
        [0.0, 0.1, 0.5, 0.9, 1.0]
    """
    rungs = expit(4.0 * (2.0 * np.arange(steps + 1) / steps - 1.0))
    return (rungs - rungs[0]) / (rungs[-1] - rungs[0])


def checked_ladder(ladder: Callable[[int], np.ndarray], steps: int) -> np.ndarray:
    """Return the rungs of a ladder, [T + 1] in float64.

    Raises:
        ValueError: if they do not rise from 0 to 1.
    """
    rungs = np.asarray(ladder(steps), np.float64)
    if rungs.shape != (steps + 1,) or rungs[0] != 0 or rungs[-1] != 1 or not (np.diff(rungs) >= 0).all():
        raise ValueError(
            f"Expected ladder(steps) to be {steps + 1} numbers rising from 0 to 1, as evaluation.sigmoid_ladder gives. "
            f"Received: ladder({steps})={rungs!r:.80}"
        )
    return rungs


def no_chains(model: AbstractVAE) -> str:
    """Return why Hamiltonian steps cannot go through the z of a model, nothing if they can.

    They need a z that is any real vector, and a log p(x | z) with a gradient.
    """
    if model.fits.latent_support is not REAL:
        return (
            "Expected a model whose z is any real vector, in which Hamiltonian steps can go anywhere; measure "
            f"evaluation.log_evidence. Received: prior {type(model.prior).__name__} on "
            f"{model.fits.latent_support.description}"
        )
    at, x = model.at(model.trial())
    z = tf.zeros([1, 1, model.fits.latent_dim], model.variable_dtype)
    if tfp.math.value_and_gradient(lambda z: at.decoder(z).log_prob(x), z)[1] is None:
        return (
            "Expected a decoder that can be differentiated with respect to z, as Hamiltonian steps need; measure "
            f"evaluation.log_evidence. Received: decoder {model.decoder.name!r}, whose log p(x | z) has no gradient"
        )
    return ""


class Run(NamedTuple):
    """What chains gave."""

    log_weights: np.ndarray
    """Log importance weights, [C, B]."""
    acceptance: np.ndarray
    """Mean chance of acceptance over the chains, at every rung, [T, B]."""
    widths: np.ndarray
    """Step sizes at every rung, in units of the scale, [T, B]."""


class Chains:
    """Annealed chains of a model, compiled once, whatever the ladder.

        log w = sum_t (b_(t+1) - b_t) (log p(x, z_t) - log start(z_t)),   z_(t+1) ~ HMC at b_(t+1) from z_t

    Args:
        model: the model.
        chains: C, chains of each example.
        leapfrogs: steps between two decisions to accept.
        from_prior: whether b = 0 is p(z), instead of q(z | x).

    Raises:
        ValueError: if the model is none of the library, its posterior is a point mass, or has no density at any z where
            chains begin there, its z is no real vector, or its decoder has no gradient.
    """

    def __init__(self, model: AbstractVAE, chains: int, leapfrogs: int, from_prior: bool):
        self.model, self.chains, self.leapfrogs, self.from_prior = model, chains, leapfrogs, from_prior
        self._stretch = compiled(model, ("annealed chains", chains, leapfrogs, from_prior), self._run, conditions=True)
        if refused := no_chains(model):
            raise ValueError(refused)
        if not from_prior and not ability.known_anywhere(model):
            raise ValueError(
                "Expected a posterior whose density is known at any z, as chains from q(z | x) need; begin at p(z), "
                f"from_prior=True. Received: posterior {model.fits.posterior}, which scores its own draws only"
            )

    def __call__(self, x: Batch, rungs: np.ndarray, seed: Seed, origin: np.ndarray | None = None) -> list[Run]:
        """Run chains up a ladder [T + 1] for a batch of x, and down where the z it came from is given, [B, D].

        Step sizes are tuned, for each example and rung, in a pilot run whose noise the others do not share: that keeps
        the weights exact. The chains down take those of the chains up, because a pilot from z would know z.
        """
        steps = len(rungs) - 1
        words = [fold(fold(seed.words, number), seed.example) for number in range(4)]
        spread = draw_and_score(self.model.posterior(x), _SPREAD, Seed(words[3]))[0]  # [S, B, D]
        scale = tf.math.reduce_std(spread, 0) + 1e-6  # [B, D]
        places = np.linspace(0, steps, max(_PILOT, -(-steps // 4)) + 1)
        guess = np.full([len(places) - 1, scale.shape[0]], 0.5 * self.model.fits.latent_dim**-0.25)
        pilot_rungs = np.interp(places, np.arange(steps + 1), rungs)
        pilot = self._anneal(x, self._begin(x, words[0]), pilot_rungs, guess, scale, words[0], _LEARNING)
        widths = pilot.widths[np.arange(steps) * len(guess) // steps]  # [T, B]
        runs = [self._anneal(x, self._begin(x, words[1]), rungs, widths, scale, words[1])]
        if origin is not None:
            z = np.repeat(origin[None], self.chains, 0)  # [C, B, D]
            back = np.concatenate([widths[: steps - 1][::-1], widths[:1]])
            runs.append(self._anneal(x, tf.constant(z), rungs[::-1], back, scale, words[2]))
        return runs

    def _begin(self, x: Batch, words: tf.Tensor) -> tf.Tensor:
        """Draw where chains up begin, [C, B, D]."""
        at, own = self.model.at(x)
        if not self.from_prior:
            return draw_and_score(at.encoder(own), self.chains, Seed(words))[0]
        p = at.prior()
        if p.batch_shape.rank:
            return draw(p, self.chains, Seed(words))
        z = draw(p, self.chains * len(own), Seed(words))  # [C B, D]
        return tf.reshape(z, [self.chains, len(own), self.model.fits.latent_dim])

    def _anneal(self, x: Batch, z: tf.Tensor, ladder: np.ndarray, widths: np.ndarray, scale: tf.Tensor,
                words: tf.Tensor, learning: float = 0.0) -> Run:  # fmt: skip
        """Lead chains along a ladder; `learning` says how fast step sizes follow the acceptance, in a pilot run."""
        steps, dtype = len(widths), scale.dtype
        missing = -steps % _STRETCH  # rungs that are filled up change no weight
        ladder, widths = np.pad(ladder, [0, missing], "edge"), np.pad(widths, [[0, missing], [0, 0]], "edge")
        state = (z, tf.zeros(z.shape[:2], tf.float64), tf.zeros(z.shape[1], dtype))
        taken, used = [], []
        for first in range(0, len(widths), _STRETCH):
            *state, chance, width = self._stretch(
                x, *state, tf.constant(ladder[first : first + _STRETCH + 1]),
                tf.constant(widths[first : first + _STRETCH], dtype), scale, words, tf.constant(first),
                tf.constant(learning, dtype),
            )  # fmt: skip
            taken.append(chance.numpy())
            used.append(width.numpy())
        return Run(state[1].numpy(), np.concatenate(taken)[:steps], np.concatenate(used)[:steps])

    def _run(self, x: Batch, z: tf.Tensor, log_w: tf.Tensor, drift: tf.Tensor, ladder: tf.Tensor,
             widths: tf.Tensor, scale: tf.Tensor, words: tf.Tensor, first: tf.Tensor,
             learning: tf.Tensor) -> tuple:  # fmt: skip
        """Lead chains along a stretch of a ladder: the new z, log w and drift of the step sizes; what `Run` holds."""
        at, own = self.model.at(x)
        q, p = at.encoder(own), at.prior()
        start = p.log_prob if self.from_prior else q.log_prob
        target = lambda z: at.decoder(z).log_prob(own) + p.log_prob(z)  # noqa: E731

        def rung(number: tf.Tensor, z: tf.Tensor, log_w: tf.Tensor, drift: tf.Tensor, taken: tf.TensorArray,
                 used: tf.TensorArray) -> tuple:  # fmt: skip
            ratio = tf.cast(target(z) - start(z), tf.float64)  # [C, B]
            log_w += (ladder[number + 1] - ladder[number]) * ratio
            b = tf.cast(ladder[number + 1], z.dtype)
            width = widths[number] * tf.exp(drift)  # [B]
            kernel = tfp.mcmc.HamiltonianMonteCarlo(
                lambda z: b * target(z) + (1.0 - b) * start(z), width[:, None] * scale, self.leapfrogs
            )
            # The results begin anew at every rung: those of the last hold the density of another temperature, with
            # which a step would leave neither of the two invariant.
            z, results = kernel.one_step(z, kernel.bootstrap_results(z), seed=fold(words, first + number))
            chance = tf.reduce_mean(tf.exp(tf.minimum(results.log_accept_ratio, 0.0)), 0)  # [B]
            drift += learning * (chance - _ACCEPTANCE)
            return number + 1, z, log_w, drift, taken.write(number, chance), used.write(number, width)

        empty = [tf.TensorArray(z.dtype, _STRETCH, element_shape=drift.shape) for _ in range(2)]
        state = (tf.constant(0), z, log_w, drift, *empty)
        _, z, log_w, drift, taken, used = tf.while_loop(lambda number, *_: number < _STRETCH, rung, state)
        return z, log_w, drift, taken.stack(), used.stack()


def fold(words: tf.Tensor, number: tf.Tensor | int) -> tf.Tensor:
    """Return the words of other noise, for each number.

    Example:
        >>> import tensorflow as tf
        >>> from tfvae.evaluation.chains import fold
        >>> bool(tf.reduce_any(fold(tf.constant([0, 0]), 1) != fold(tf.constant([0, 0]), 2)))
        True
    """
    return tf.random.fold_in(words, number)
