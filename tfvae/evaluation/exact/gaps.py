"""Amortised inference beside mean-field inference of each example: what the encoder costs, and what its family."""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import math as tfm

from tfvae.errors import number_in, positive_int
from tfvae.evaluation.batches import standard_error
from tfvae.evaluation.exact.record import ExactEvidence
from tfvae.evaluation.printing import error_of, plus_minus
from tfvae.heads.scales import SCALE_FLOOR
from tfvae.models.variational import AbstractVAE, require_vae
from tfvae.random import Seed, another, as_seed, draw

_EVIDENCE = "finite: exact.quadrature(model, x) or its per_example"
_PATIENT = 0.5  # share of the steps after which the rate of learning falls


@dataclass(frozen=True)
class InferenceGaps:
    """Two bounds on log p(x) of each example and log p(x), in nats, [n] each.

    The bounds are estimated from draws, so that a gap of one example can come out below zero by a few of its errors.
    """

    amortised: np.ndarray
    """The ELBO of the encoder's posterior."""
    mean_field: np.ndarray
    """The ELBO of the best normal posterior with a diagonal covariance that was found for each example by itself. It is
    the larger one, unless the encoder's family has a full covariance."""
    evidence: np.ndarray
    """The log p(x) that was given."""
    amortised_error: np.ndarray
    """Monte Carlo error of each `amortised`."""
    mean_field_error: np.ndarray
    """Monte Carlo error of each `mean_field`."""
    amortisation_error: np.ndarray
    """Monte Carlo error of each `amortisation_gap`: both bounds are measured with the same noise."""

    @property
    def amortisation_gap(self) -> np.ndarray:
        """What the encoder loses against a posterior for each example, [n]."""
        return self.mean_field - self.amortised

    @property
    def approximation_gap(self) -> np.ndarray:
        """What the family loses against the true posterior, [n]."""
        return self.evidence - self.mean_field

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        terms = {
            "ELBO, amortised": (self.amortised, self.amortised_error),
            "amortisation gap": (self.amortisation_gap, self.amortisation_error),
            "approximation gap": (self.approximation_gap, self.mean_field_error),
            "log evidence": (self.evidence, None),
        }
        return {title: _shown(*term) for title, term in terms.items()}

    def __str__(self) -> str:
        return ", ".join(f"{title} {value}" for title, value in self.rows().items()) + f", n = {len(self.evidence)}"


def inference_gaps(
    model: AbstractVAE,
    x: object,
    evidence: np.ndarray | ExactEvidence,
    seed: int | tuple[int, int] = 0,
    *,
    steps: int = 2000,
    samples: int = 20,
    learning_rate: float = 0.02,
) -> InferenceGaps:
    """Split what the ELBO lacks into what the encoder loses and what its family loses.

        log p(x) - ELBO = [log p(x) - max_q ELBO(q)] + [max_q ELBO(q) - ELBO(q(z | x))],   q = N(m, diag(s)^2)

    The mean m and the scale s of each example are found by Adam, from where the encoder has them, with new draws in
    every step. Both bounds are then measured with 50 times as many draws, as E_q[log p(x, z) - log q(z)] and not by the
    divergence from the prior: what is averaged is log p(x) at every z where q is the true posterior, so that little
    noise is left. The draws come in pairs, on either side of the mean, and the same noise serves both.

    Args:
        model: a model of the library whose latent vector is any real one.
        x: examples, [n, *event].
        evidence: their log p(x), [n], or what `exact.quadrature(model, x)` gives.
        seed: of the draws.
        steps: of Adam; its rate falls after half of them.
        samples: draws for each example in a step.
        learning_rate: of Adam.

    Raises:
        ValueError: if z is no real vector, an argument is out of range, or there is not one evidence for each example.

    Reference: C. Cremer, X. Li and D. Duvenaud, "Inference Suboptimality in Variational Autoencoders", 2018, Eq. (3),
    https://arxiv.org/abs/1801.03558.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae.evaluation import exact
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=1, seed=0)
        >>> x = np.zeros([2, 8, 8, 1])
        >>> gaps = exact.inference_gaps(model, x, exact.quadrature(model, x), steps=10)
        >>> gaps.amortisation_gap.shape
        (2,)
    """
    require_vae(model)
    steps, samples = positive_int("steps", steps), positive_int("samples", samples)
    checked, start = tf.constant(model.check.array(x), model.variable_dtype), as_seed(seed)
    known = _numbers(evidence, len(checked))
    begin = model.encoder(checked)
    if not isinstance(begin, (tfd.MultivariateNormalDiag, tfd.MultivariateNormalTriL)):
        raise ValueError(f"Expected a normal posterior, to begin with. Received: {model.fits.posterior}")
    loc = keras.Variable(begin.mean(), dtype=model.variable_dtype)
    raw = keras.Variable(tfm.softplus_inverse(begin.stddev() - SCALE_FLOOR), dtype=model.variable_dtype)
    rates = keras.optimizers.schedules.PiecewiseConstantDecay(
        [int(_PATIENT * steps)], [number_in("learning_rate", learning_rate, 1e-9), 0.1 * learning_rate]
    )
    optimizer = keras.optimizers.Adam(rates)
    optimizer.build([loc, raw])

    @tf.function
    def step(number: tf.Tensor) -> None:
        def total(loc: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
            return -tf.reduce_sum(_elbo(model, checked, _normal(loc, raw), samples, another(start, number)))

        _, gradients = tfm.value_and_gradient(total, [loc.value, raw.value])
        optimizer.apply(gradients, [loc, raw])

    for number in range(1, steps + 1):
        step(tf.constant(number))
    amortised, best = (
        _measured(model, checked, q, 25 * samples, start) for q in (begin, _normal(loc.value, raw.value))
    )
    errors = (_error(values) for values in (amortised, best, best - amortised))
    return InferenceGaps(amortised.mean(0), best.mean(0), known, *errors)


def _numbers(evidence: object, examples: int) -> np.ndarray:
    """Return log p(x) of so many examples, or raise ValueError."""
    given = evidence.per_example if isinstance(evidence, ExactEvidence) else evidence
    try:
        values = np.asarray(given, np.float64)
    except (TypeError, ValueError):  # NumPy's words for what is no number
        raise ValueError(
            f"Expected one evidence for each of {examples} examples, {_EVIDENCE}. Received: evidence={evidence!r:.80}"
        ) from None
    wrong = int(np.sum(~np.isfinite(values)))
    if values.shape != (examples,) or wrong:
        raise ValueError(
            f"Expected one evidence for each of {examples} examples, {_EVIDENCE}. Received: evidence.shape="
            f"{values.shape}, of which {wrong} are not finite"
        )
    return values


def _shown(values: np.ndarray, errors: np.ndarray | None) -> str:
    """Return the mean with its error over the data and, if it is estimated, over draws, which are independent."""
    text = f"{plus_minus(float(values.mean()), standard_error(values))} (data)"
    if errors is None:
        return text
    return f"{text} ± {error_of(float(np.sqrt(np.sum(errors**2)) / len(errors)))} (Monte Carlo)"


def _error(values: np.ndarray) -> np.ndarray:
    """Return the standard error of the mean over the first axis, [n], of [pairs, n]."""
    return values.std(0, ddof=1) / np.sqrt(len(values))


def _measured(model: AbstractVAE, x: tf.Tensor, q: tfd.Distribution, pairs: int, seed: Seed) -> np.ndarray:
    """Return estimates of the ELBO of a normal posterior, [pairs, n], each from two draws that mirror each other."""
    z = draw(q, pairs, seed)
    both = (model.decoder(each).log_prob(x) + model.prior().log_prob(each) - q.log_prob(each) for each in
            (z, 2.0 * q.mean() - z))  # fmt: skip
    return np.mean([values.numpy().astype(np.float64) for values in both], 0)


def _normal(loc: tf.Tensor, raw: tf.Tensor) -> tfd.MultivariateNormalDiag:
    return tfd.MultivariateNormalDiag(loc, tf.math.softplus(raw) + SCALE_FLOOR)


def _elbo(model: AbstractVAE, x: tf.Tensor, q: tfd.Distribution, samples: int, seed: Seed) -> tf.Tensor:
    """Return the ELBO of a posterior with `samples` draws, [n]."""
    p, z = model.prior(), draw(q, samples, seed)
    rate = tfd.kl_divergence(q, p) if model.fits.exact_rate else tf.reduce_mean(q.log_prob(z) - p.log_prob(z), 0)
    return tf.reduce_mean(model.decoder(z).log_prob(x), 0) - rate
