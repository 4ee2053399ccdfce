"""The evidence log p(x), by importance sampling, with its errors and diagnostics."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfvae.errors import positive_int
from tfvae.evaluation.batches import compiled, per_example, standard_error
from tfvae.evaluation.pareto import pareto_k
from tfvae.evaluation.printing import about_examples, error_of, plain, plus_minus
from tfvae.evaluation.weights import State, added, log_weights, moments, nothing
from tfvae.models.variational import AbstractVAE
from tfvae.random import Seed, as_seed

_TRUSTED = 0.7  # Pareto k up to which an estimate is reliable
_SHARE = 0.1  # of the examples that may lie above it
_EXACT = 1e-3  # Monte Carlo error in nats below which a tail of weights, all nearly equal, is no matter


@dataclass(frozen=True)
class LogEvidence:
    """An estimate of the mean log p(x) over a data set, in nats, with its errors.

    The estimate of each example is biased downwards by about half its Monte Carlo variance, so that the mean is, in
    expectation, a lower bound that rises with the number of samples.
    """

    mean: float
    """Mean of the estimates of log p(x)."""
    standard_error: float
    """Standard error of the mean over the data: another test set of this size would differ by so much."""
    monte_carlo_error: float
    """Standard error of the mean over the importance samples: another seed would differ by so much."""
    effective_sample_size: np.ndarray
    """(sum w)^2 / sum w^2 of each example, from 1 to `samples`."""
    pareto_k: np.ndarray
    """Tail shape of each example's weights: above 0.7 its estimate is not to be trusted."""
    per_example: np.ndarray
    """The estimate of log p(x) of each example."""
    samples: int
    """Importance samples drawn for each example."""
    examples: int
    """Number of examples."""
    dimensions: int
    """Number of elements of x where p(x) is a probability; 0 where it is a density."""

    @property
    def bits_per_dim(self) -> float:
        """Mean of -log p(x) / (d ln 2): bits for each element of a discrete x.

        Raises:
            ValueError: if p(x) is a density, whose value depends on the unit that x is measured in.
        """
        if not self.dimensions:
            raise ValueError(
                "Expected a likelihood of discrete data, such as heads.Bernoulli or heads.QuantizedLogistic: bits per "
                "dimension are not defined for a density. Received: a likelihood of continuous data"
            )
        return -self.mean / (self.dimensions * math.log(2.0))

    @property
    def bias(self) -> float:
        """How far the mean lies below the evidence, in nats, as far as the weights that were drawn can tell.

            log p(x) - E[log 1/K sum_k w_k] ~ Var[w] / (2 K E[w]^2)

        Reference: J. Domke and D. Sheldon, "Importance Weighting and Variational Inference", 2018,
        https://arxiv.org/abs/1808.09034.
        """
        return float(np.mean(_variance(self.effective_sample_size, self.samples)) / 2)

    @property
    def distrusted(self) -> float:
        """Share of the examples whose weights have a Pareto k above 0.7, or one that is unknown."""
        return 1.0 - float(np.mean(self.pareto_k <= _TRUSTED))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the estimate, and what to try."""
        found = list(about_examples(self.examples))
        if self.samples == 1:
            return (*found, "One sample gives the ELBO, and no Monte Carlo error: draw more.")
        if self.distrusted > _SHARE and not self.monte_carlo_error < _EXACT:
            found.append(
                f"{self.distrusted:.0%} of the examples have a Pareto k above 0.7, or an unknown one: the estimate is "
                "too low, by more than its Monte Carlo error says. Draw more samples, or compare with "
                "evaluation.annealed_importance."
            )
        if max(self.monte_carlo_error, self.bias) > self.standard_error:
            found.append(
                f"{self.samples} samples leave a Monte Carlo error of {error_of(self.monte_carlo_error)} and a bias of "
                f"about -{error_of(self.bias)} nats, more than the data's {error_of(self.standard_error)}: draw more."
            )
        return tuple(found)

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        rows = {"log evidence": str(self)}
        if self.dimensions:
            error = self.standard_error / (self.dimensions * math.log(2.0))
            rows["bits per dimension"] = plus_minus(self.bits_per_dim, error)
        return rows

    def as_json(self) -> dict:
        """Return the numbers with their errors, in nats per example."""
        return {
            "unit": "nats per example",
            "mean": plain(self.mean),
            "standard_error": plain(self.standard_error),
            "monte_carlo_error": plain(self.monte_carlo_error),
            "samples": self.samples,
            "examples": self.examples,
            "bits_per_dim": plain(self.bits_per_dim) if self.dimensions else None,
            "median_effective_sample_size": plain(np.median(self.effective_sample_size)),
            "share_with_pareto_k_at_most_0.7": float(np.mean(self.pareto_k <= _TRUSTED)),
        }

    def __str__(self) -> str:
        return (
            f"{plus_minus(self.mean, self.standard_error)} (data) ± {error_of(self.monte_carlo_error)} (Monte Carlo), "
            f"K = {self.samples}, n = {self.examples}"
        )


def log_evidence(
    model: AbstractVAE,
    data: object,
    samples: int = 500,
    seed: int | tuple[int, int] = 0,
    *,
    progress: bool = True,
) -> LogEvidence:
    """Estimate log p(x) for every example by importance sampling from the posterior.

        log p(x) ~ log 1/K sum_k p(x, z_k) / q(z_k | x),   z_k ~ q(z | x)

    The encoder runs once for each example; samples are drawn in chunks, so that memory does not grow with their
    number. The noise of an example depends on the seed and on its place in the data alone.

    Args:
        model: a model of the library.
        data: an array of examples [n, *event], or a data set of batches [B, *event].
        samples: K, importance samples for each example.
        seed: one or two 32-bit integers.
        progress: show a progress bar.

    Returns:
        A `LogEvidence`, in nats per example.

    Raises:
        ValueError: if `samples` is not positive, the posterior is a point mass, or the data is empty, of another shape,
            or off the support.

    Reference: Y. Burda, R. Grosse and R. Salakhutdinov, "Importance Weighted Autoencoders", 2016, Eq. (8),
    https://arxiv.org/abs/1509.00519; the effective sample size: A. Owen, "Monte Carlo theory, methods and
    examples", 2013, Eq. (9.13).

    Example:
        >>> import numpy as np, tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, seed=0)
        >>> x = np.zeros([3, 8, 8, 1], "float32")
        >>> tfvae.evaluation.log_evidence(model, x, samples=10, progress=False).examples
        3
    """
    samples, start = positive_int("samples", samples), as_seed(seed)
    weigh = compiled(
        model,
        ("log_evidence", samples),
        lambda x, words, first: moments(model, x, Seed(words, example=first), samples),
        conditions=True,
    )
    state = per_example(model, data, lambda x, index: weigh(x, start.words, start.example + index), progress)
    return _record(model, samples, State(*state))


def log_evidence_of_prefixes(
    model: AbstractVAE, data: object, points: Sequence[int], seed: int | tuple[int, int] = 0, *, progress: bool = True
) -> list[LogEvidence]:
    """Estimate log p(x) as `log_evidence` does with several numbers of samples, all from the draws of the largest.

    The weights of 100 examples, as many as the largest number for each, are in memory at a time.

    Raises:
        ValueError: as `log_evidence` does.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae.evaluation.evidence import log_evidence_of_prefixes
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, units=(4,), seed=0)
        >>> found = log_evidence_of_prefixes(model, np.zeros([3, 8, 8, 1]), [1, 8], progress=False)
        >>> [point.samples for point in found]
        [1, 8]
    """
    most, start = max(points), as_seed(seed)
    weigh = compiled(
        model, ("log_weights", most), lambda x, words, first: log_weights(model, x, Seed(words, example=first), most),
        conditions=True,
    )  # fmt: skip

    def measure(x: np.ndarray, index: tf.Tensor) -> tuple[tf.Tensor, ...]:
        log_w = weigh(x, start.words, start.example + index)  # [B, K]
        states = (added(nothing(len(log_w), log_w.dtype, number), log_w[:, :number]) for number in points)
        return tuple(part for state in states for part in state)

    columns, width = per_example(model, data, measure, progress), len(State._fields)
    states = (State(*columns[i : i + width]) for i in range(0, len(columns), width))
    return [_record(model, number, state) for number, state in zip(points, states, strict=True)]


def _record(model: AbstractVAE, samples: int, state: State) -> LogEvidence:
    """Return the record of all examples, whose weights' sums are NumPy's."""
    estimate = state.peak + np.log(state.first) - np.log(samples)
    effective = state.first**2 / state.second
    examples = len(estimate)
    return LogEvidence(
        mean=float(estimate.mean()),
        standard_error=standard_error(estimate),
        monte_carlo_error=monte_carlo_error(effective, samples),
        effective_sample_size=effective,
        pareto_k=pareto_k(state.top),
        per_example=estimate,
        samples=samples,
        examples=examples,
        dimensions=math.prod(model.fits.event_shape) if model.fits.support.discrete else 0,
    )


def monte_carlo_error(effective: np.ndarray, samples: int) -> float:
    """Return the error of the mean of log mean w over draws, from the effective sample sizes, unknown for one sample.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation.evidence import monte_carlo_error
        >>> monte_carlo_error(np.array([5.0, 5.0, 5.0, 5.0]), samples=10)  # sqrt(4 / 9) / 4
        0.16666666666666666
    """
    return float(np.sqrt(_variance(effective, samples).sum()) / len(effective))


def _variance(effective: np.ndarray, samples: int) -> np.ndarray:
    """Delta method: Var[log mean w] ~ Var[w] / (K mean(w)^2) = (K / ESS - 1) / (K - 1), unknown for one sample."""
    if samples == 1:
        return np.full(len(effective), np.nan)
    return np.maximum(samples / effective - 1, 0) / (samples - 1)
