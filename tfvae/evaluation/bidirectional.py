"""How far an estimate of the evidence can be off: bounds from both sides, on data that the model simulates."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfvae.distributions.decoded import simulated
from tfvae.errors import positive_int
from tfvae.evaluation.annealing import STARTS, about_acceptance, mean_weight
from tfvae.evaluation.batches import per_example, standard_error
from tfvae.evaluation.chains import Chains, checked_ladder, fold, sigmoid_ladder
from tfvae.evaluation.evidence import LogEvidence, log_evidence
from tfvae.evaluation.printing import about_examples, error_of, plain, plus_minus
from tfvae.models.variational import AbstractVAE
from tfvae.random import Seed, as_seed

_LATENT, _OBSERVED = 4, 5  # noise of the simulation; the chains' is numbered from 0 to 3
_WIDE = 1.0  # nats of a gap that leaves the evidence open
_SIGMA = 4.0  # standard errors from which on an order is wrong and not bad luck


@dataclass(frozen=True)
class BidirectionalEvidence:
    """Bounds on the mean log p(x) of data simulated by the model, in nats, lower <= log p(x) <= upper in expectation.

    They hold for the model's own data. What they say of other data is by analogy: a posterior that is as easy to find.
    """

    lower: float
    """Mean over the examples of the estimate by chains that lead to p(z | x)."""
    lower_error: float
    """Standard error of the lower bound over the examples, chains included."""
    upper: float
    """Mean over the examples of the estimate by chains that begin at a draw of p(z | x)."""
    upper_error: float
    """Standard error of the upper bound over the examples, chains included."""
    gap: float
    """upper - lower: neither is off by more, in expectation."""
    gap_error: float
    """Standard error of the gap over pairs."""
    importance: LogEvidence
    """`log_evidence` on the same x."""
    importance_gap: float
    """upper - importance.mean: how far plain importance sampling is off, at most."""
    importance_gap_error: float
    """Standard error of that over pairs."""
    acceptance: float
    """Mean acceptance rate of the Hamiltonian steps of both directions, which are tuned to 0.65."""
    x: np.ndarray
    """The simulated data, [n, *event]."""
    lower_per_example: np.ndarray
    """Lower bound of each example."""
    upper_per_example: np.ndarray
    """Upper bound of each example."""
    start: str
    """The density at the other end of the chains: q(z | x) or p(z)."""
    steps: int
    """T, rungs of the ladder."""
    chains: int
    """Chains run for each example and direction."""
    examples: int
    """Number of examples."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the bounds, and what to try."""
        found = [*about_examples(self.examples), *about_acceptance(self.acceptance)]
        if self.gap > _WIDE:
            found.append(
                f"The bounds are {plus_minus(self.gap, self.gap_error)} nats apart: they do not say what the evidence "
                "is. Take more steps."
            )
        if self.importance_gap - _SIGMA * self.importance_gap_error > _WIDE:
            found.append(
                f"Importance sampling with {self.importance.samples} samples lies "
                f"{plus_minus(self.importance_gap, self.importance_gap_error)} nats below the upper bound: draw more, "
                "or trust evaluation.annealed_importance."
            )
        for name, gap, error in (
            ("lower bound", self.gap, self.gap_error),
            ("estimate by importance sampling", self.importance_gap, self.importance_gap_error),
        ):
            if gap < -_SIGMA * error:
                found.append(
                    f"The {name} lies {plus_minus(-gap, error)} nats above the upper bound, which rounding or a "
                    "density that is none can cause: check the decoder and the prior in float64."
                )
        return tuple(found)

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        return {
            "lower bound": plus_minus(self.lower, self.lower_error),
            "upper bound": plus_minus(self.upper, self.upper_error),
            "gap of the bounds": plus_minus(self.gap, self.gap_error),
            "importance sampling": str(self.importance),
            "importance sampling below the upper bound by": plus_minus(self.importance_gap, self.importance_gap_error),
        }

    def as_json(self) -> dict:
        """Return the numbers with their errors, in nats per example."""
        names = ("lower", "upper", "gap", "importance_gap")
        terms = {key: {"mean": plain(getattr(self, key)), "standard_error": plain(getattr(self, f"{key}_error"))}
                 for key in names}  # fmt: skip
        return {
            "unit": "nats per example",
            **terms,
            "importance": self.importance.as_json(),
            "acceptance": plain(self.acceptance),
            **{key: getattr(self, key) for key in ("start", "steps", "chains", "examples")},
        }

    def __str__(self) -> str:
        return (
            f"simulated data: {plus_minus(self.lower, self.lower_error)} <= log p(x) <= "
            f"{plus_minus(self.upper, self.upper_error)} nats, gap {plus_minus(self.gap, self.gap_error)}, "
            f"T = {self.steps}, {self.chains} chains, n = {self.examples}; importance sampling "
            f"{plus_minus(self.importance.mean, self.importance.standard_error)} (data) ± "
            f"{error_of(self.importance.monte_carlo_error)} (Monte Carlo), K = {self.importance.samples}"
        )


def bidirectional(
    model: AbstractVAE,
    count: int = 100,
    steps: int = 500,
    chains: int = 16,
    samples: int = 1000,
    seed: int | tuple[int, int] = 0,
    *,
    leapfrogs: int = 5,
    ladder: Callable[[int], np.ndarray] = sigmoid_ladder,
    from_prior: bool = False,
    progress: bool = True,
) -> BidirectionalEvidence:
    """Enclose log p(x) by bidirectional Monte Carlo on data that the model simulates.

        E[log 1/C sum_c w_c] <= log p(x) <= E[-log 1/C sum_c v_c]

    z ~ p(z), x ~ p(x | z): such a z is a draw of the true posterior p(z | x). The weights w are those of
    `annealed_importance`, whose chains end near p(z | x). The weights v are those of chains that begin at z and lead
    back, and whose mean is 1 / p(x). The work is twice that of `annealed_importance`.

    Args:
        model: a model of the library, whose z is any real vector.
        count: n, examples to simulate.
        steps: T, rungs of the ladder.
        chains: C, run for each example and direction.
        samples: K, importance samples for each example of the estimate that is compared.
        seed: one or two 32-bit integers.
        leapfrogs: steps of Hamiltonian dynamics at each rung.
        ladder: from T to b_0 = 0, ..., b_T = 1.
        from_prior: p(z) is at the other end of the chains, as is usual, instead of q(z | x), which is closer.
        progress: show a progress bar.

    Returns:
        A `BidirectionalEvidence`, in nats per example.

    Raises:
        ValueError: if a number is not positive, the ladder does not rise from 0 to 1, the posterior is a point mass, or
            scores its own draws only and chains begin there, z is no real vector, or the decoder has no gradient.

    Reference: R. Grosse, S. Ancha and D. Roy, "Measuring the reliability of MCMC inference with bidirectional Monte
    Carlo", 2016, https://arxiv.org/abs/1606.02275; Y. Wu et al., "On the Quantitative Analysis of Decoder-Based
    Generative Models", 2017, https://arxiv.org/abs/1611.04273.

    Example:
        >>> import tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, units=(4,), seed=0)
        >>> found = tfvae.evaluation.bidirectional(model, 10, steps=5, chains=2, samples=10, progress=False)
        >>> found.lower < found.upper + 1
        True
    """
    count, chains = positive_int("count", count), positive_int("chains", chains)
    samples, leapfrogs, start = positive_int("samples", samples), positive_int("leapfrogs", leapfrogs), as_seed(seed)
    rungs = checked_ladder(ladder, positive_int("steps", steps))

    run = Chains(model, chains, leapfrogs, bool(from_prior))
    x, z = _simulated(model, count, start)

    def of(x: np.ndarray, index: tf.Tensor) -> tuple[tf.Tensor, ...]:
        places = np.minimum(int(index) + np.arange(len(x)), count - 1)  # x is filled up to one shape, and so is z
        up, down = run(x, rungs, Seed(start.words, example=start.example + index), z[places])
        acceptance = (up.acceptance.mean(0) + down.acceptance.mean(0)) / 2
        return tf.constant(up.log_weights.T), tf.constant(down.log_weights.T), tf.constant(acceptance)  # [B, C], [B]

    up, down, acceptance = per_example(model, x, of, progress)
    lower, upper = mean_weight(up)[0], -mean_weight(down)[0]
    importance = log_evidence(model, x, samples, seed, progress=False)
    return BidirectionalEvidence(
        **_mean("lower", lower), **_mean("upper", upper), **_mean("gap", upper - lower), importance=importance,
        **_mean("importance_gap", upper - importance.per_example), acceptance=float(acceptance.mean()), x=x,
        lower_per_example=lower, upper_per_example=upper, start=STARTS[bool(from_prior)], steps=len(rungs) - 1,
        chains=chains, examples=count,
    )  # fmt: skip


def _mean(name: str, values: np.ndarray) -> dict[str, float]:
    return {name: float(values.mean()), f"{name}_error": standard_error(values)}


def _simulated(model: AbstractVAE, count: int, seed: Seed) -> tuple[np.ndarray, np.ndarray]:
    """Draw x [n, *event] and the z [n, D] that it came from."""
    latent, observed = (Seed(fold(seed.words, number)) for number in (_LATENT, _OBSERVED))
    x, z = simulated(model.prior(), model.decoder, count, latent, observed)
    return x.numpy(), z.numpy()
