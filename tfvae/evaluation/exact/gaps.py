"""Amortised inference beside mean-field inference of each example: what the encoder costs, and what its family."""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import math as tfm

from tfvae.errors import number_in, positive_int
from tfvae.evaluation.batches import standard_error
from tfvae.evaluation.printing import plus_minus
from tfvae.heads.scales import SCALE_FLOOR
from tfvae.models.variational import AbstractVAE, require_vae
from tfvae.random import Seed, another, as_seed, draw

_PATIENT = 0.5  # share of the steps after which the rate of learning falls


@dataclass(frozen=True)
class InferenceGaps:
    """Bounds on log p(x) of each example, in nats, [n] each, from the loosest to the tightest."""

    amortised: np.ndarray
    """The ELBO of the encoder's posterior."""
    mean_field: np.ndarray
    """The ELBO of the best normal posterior with a diagonal covariance that was found for each example by itself."""
    evidence: np.ndarray
    """The log p(x) that was given."""

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
        terms = {"ELBO, amortised": self.amortised, "amortisation gap": self.amortisation_gap,
                 "approximation gap": self.approximation_gap, "log evidence": self.evidence}  # fmt: skip
        return {title: plus_minus(float(values.mean()), standard_error(values)) for title, values in terms.items()}

    def __str__(self) -> str:
        return ", ".join(f"{title} {value}" for title, value in self.rows().items())


def inference_gaps(
    model: AbstractVAE,
    x: object,
    evidence: np.ndarray,
    seed: int | tuple[int, int] = 0,
    *,
    steps: int = 2000,
    samples: int = 20,
    learning_rate: float = 0.02,
) -> InferenceGaps:
    """Split what the ELBO lacks into what the encoder loses and what its family loses.

        log p(x) - ELBO = [log p(x) - max_q ELBO(q)] + [max_q ELBO(q) - ELBO(q(z | x))],   q = N(m, diag(s)^2)

    The mean m and the scale s of each example are found by Adam, from where the encoder has them, with new draws in
    every step; both bounds are then measured with the same 50 times as many draws.

    Args:
        model: a model of the library whose latent vector is any real one.
        x: examples, [n, *event].
        evidence: their log p(x), [n], such as `exact.quadrature(model, x).per_example`.
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
        >>> gaps = exact.inference_gaps(model, x, exact.quadrature(model, x).per_example, steps=10)
        >>> gaps.amortisation_gap.shape
        (2,)
    """
    require_vae(model)
    steps, samples = positive_int("steps", steps), positive_int("samples", samples)
    checked, start = tf.constant(model.check.array(x), model.variable_dtype), as_seed(seed)
    evidence = np.asarray(evidence, np.float64)
    if evidence.shape != (len(checked),):
        raise ValueError(f"Expected one evidence for each of {len(checked)} examples. Received: {evidence.shape}")
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
        _elbo(model, checked, q, 50 * samples, start).numpy().astype(np.float64)
        for q in (begin, _normal(loc.value, raw.value))
    )
    return InferenceGaps(amortised, best, evidence)


def _normal(loc: tf.Tensor, raw: tf.Tensor) -> tfd.MultivariateNormalDiag:
    return tfd.MultivariateNormalDiag(loc, tf.math.softplus(raw) + SCALE_FLOOR)


def _elbo(model: AbstractVAE, x: tf.Tensor, q: tfd.Distribution, samples: int, seed: Seed) -> tf.Tensor:
    """Return the ELBO of a posterior with `samples` draws, [n]."""
    p, z = model.prior(), draw(q, samples, seed)
    rate = tfd.kl_divergence(q, p) if model.fits.exact_rate else tf.reduce_mean(q.log_prob(z) - p.log_prob(z), 0)
    return tf.reduce_mean(model.decoder(z).log_prob(x), 0) - rate
