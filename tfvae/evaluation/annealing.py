"""The evidence log p(x), by annealed importance sampling: slower than plain importance sampling, and closer."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from scipy.special import logsumexp

from tfvae.errors import positive_int
from tfvae.evaluation.batches import per_example, standard_error
from tfvae.evaluation.chains import Chains, checked_ladder, sigmoid_ladder
from tfvae.evaluation.evidence import monte_carlo_error
from tfvae.evaluation.printing import about_examples, error_of, plain, plus_minus
from tfvae.models.variational import AbstractVAE
from tfvae.random import Seed, as_seed

LOWEST, HIGHEST = 0.4, 0.95  # acceptance between which chains move well
FEW = 2.0  # median effective number of chains, below which one chain decides
STARTS = {False: "q(z | x)", True: "p(z)"}


@dataclass(frozen=True)
class AnnealedEvidence:
    """An estimate of the mean log p(x) over a data set by annealed importance sampling, in nats, with its errors.

    The mean is, in expectation, a lower bound that rises with the number of steps and of chains.
    """

    mean: float
    """Mean of the estimates of log p(x)."""
    standard_error: float
    """Standard error of the mean over the data."""
    monte_carlo_error: float
    """Standard error of the mean over the chains: another seed would differ by so much."""
    acceptance: float
    """Mean acceptance rate of the Hamiltonian steps, which are tuned to 0.65."""
    acceptance_by_rung: np.ndarray
    """Mean acceptance rate at each rung of the ladder, [T]."""
    effective_chains: np.ndarray
    """(sum w)^2 / sum w^2 of each example, from 1 to `chains`."""
    per_example: np.ndarray
    """The estimate of log p(x) of each example."""
    start: str
    """The density that the chains begin with: q(z | x) or p(z)."""
    ladder: str
    """Name of the ladder."""
    steps: int
    """T, rungs of the ladder."""
    chains: int
    """Chains run for each example."""
    examples: int
    """Number of examples."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the estimate, and what to try."""
        found = [*about_examples(self.examples), *about_acceptance(self.acceptance)]
        if self.chains == 1:
            return (*found, "One chain has no Monte Carlo error: run more.")
        if np.median(self.effective_chains) < min(FEW, 0.75 * self.chains):
            found.append(
                f"Of {self.chains} chains {np.median(self.effective_chains):.1f} count, in the median: the estimate is "
                "too low, by more than its Monte Carlo error says. Take more steps."
            )
        if self.monte_carlo_error > self.standard_error:
            found.append(
                f"The Monte Carlo error of {error_of(self.monte_carlo_error)} exceeds the data's "
                f"{error_of(self.standard_error)}: take more steps or chains."
            )
        return tuple(found)

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        return {"log evidence, annealed": str(self)}

    def as_json(self) -> dict:
        """Return the numbers with their errors, in nats per example."""
        numbers = ("mean", "standard_error", "monte_carlo_error", "acceptance")
        return {
            "unit": "nats per example",
            **{key: plain(getattr(self, key)) for key in numbers},
            "median_effective_chains": plain(np.median(self.effective_chains)),
            **{key: getattr(self, key) for key in ("start", "ladder", "steps", "chains", "examples")},
        }

    def __str__(self) -> str:
        return (
            f"{plus_minus(self.mean, self.standard_error)} (data) ± {error_of(self.monte_carlo_error)} (Monte Carlo), "
            f"annealed from {self.start}, T = {self.steps}, {self.chains} chains, acceptance {self.acceptance:.2f}, "
            f"n = {self.examples}"
        )


def about_acceptance(acceptance: float) -> tuple[str, ...]:
    """Return a warning if chains hardly move.

    Example:
        >>> from tfvae.evaluation.annealing import about_acceptance
        >>> about_acceptance(0.65), len(about_acceptance(0.1))
        ((), 1)
    """
    if LOWEST <= acceptance <= HIGHEST:
        return ()
    return (
        f"The acceptance rate is {acceptance:.2f}, outside {LOWEST} to {HIGHEST}, so that chains hardly move: take "
        "more steps, in which step sizes are tuned for longer.",
    )


def annealed_importance(
    model: AbstractVAE,
    data: object,
    steps: int = 500,
    chains: int = 16,
    seed: int | tuple[int, int] = 0,
    *,
    leapfrogs: int = 5,
    ladder: Callable[[int], np.ndarray] = sigmoid_ladder,
    from_prior: bool = False,
    progress: bool = True,
) -> AnnealedEvidence:
    """Estimate log p(x) for every example by annealed importance sampling from the posterior.

        log p(x) ~ log 1/C sum_c w_c,   log w = sum_t (b_(t+1) - b_t) log(p(x, z_t) / q(z_t | x))

    z_0 ~ q(z | x), and z_t is led through the densities q(z | x)^(1 - b_t) p(x, z)^b_t by Hamiltonian Monte Carlo, so
    that z need not be found in one draw. TFP's `sample_annealed_importance_chain` does the same, but carries a step's
    density over to the next temperature, where it is another; here every rung begins anew. Step sizes are tuned for
    each example and rung in a pilot run of a quarter of the steps, whose noise the chains do not share: exp(estimate)
    has the mean p(x). The work is 1.25 x steps x leapfrogs x chains gradients of the decoder an example, 50,000 as it
    stands, each worth three samples of `log_evidence`. Examples are worked on by the hundred: take some hundred of
    them.

    Args:
        model: a model of the library, whose z is any real vector.
        data: an array of examples [n, *event], or a data set of batches [B, *event].
        steps: T, rungs of the ladder.
        chains: C, run for each example.
        seed: one or two 32-bit integers.
        leapfrogs: steps of Hamiltonian dynamics at each rung.
        ladder: from T to b_0 = 0, ..., b_T = 1.
        from_prior: begin at p(z), as is usual, instead of q(z | x), which is closer: a check of the encoder.
        progress: show a progress bar.

    Returns:
        An `AnnealedEvidence`, in nats per example.

    Raises:
        ValueError: if a number is not positive, the ladder does not rise from 0 to 1, the posterior is a point mass, or
            scores its own draws only and chains begin there, z is no real vector, the decoder has no gradient, or the
            data is empty, of another shape, or off the support.

    Reference: R. Neal, "Annealed importance sampling", 2001, Sec. 2, https://arxiv.org/abs/physics/9803008; for
    decoders: Y. Wu et al., "On the Quantitative Analysis of Decoder-Based Generative Models", 2017,
    https://arxiv.org/abs/1611.04273.

    Example:
        >>> import numpy as np, tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, units=(4,), seed=0)
        >>> x = np.zeros([3, 8, 8, 1], "float32")
        >>> tfvae.evaluation.annealed_importance(model, x, steps=5, chains=2, progress=False).examples
        3
    """
    chains, leapfrogs, start = positive_int("chains", chains), positive_int("leapfrogs", leapfrogs), as_seed(seed)
    rungs = checked_ladder(ladder, positive_int("steps", steps))

    run = Chains(model, chains, leapfrogs, bool(from_prior))

    def of(x: np.ndarray, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        (up,) = run(x, rungs, Seed(start.words, example=start.example + index))
        return tf.constant(up.log_weights.T), tf.constant(up.acceptance.T)  # [B, C], [B, T]

    log_w, acceptance = per_example(model, data, of, progress)
    estimate, effective = mean_weight(log_w)
    return AnnealedEvidence(
        mean=float(estimate.mean()),
        standard_error=standard_error(estimate),
        monte_carlo_error=monte_carlo_error(effective, chains),
        acceptance=float(acceptance.mean()),
        acceptance_by_rung=acceptance.mean(0),
        effective_chains=effective,
        per_example=estimate,
        start=STARTS[bool(from_prior)],
        ladder=getattr(ladder, "__name__", type(ladder).__name__),
        steps=len(rungs) - 1,
        chains=chains,
        examples=len(estimate),
    )


def mean_weight(log_weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log mean w and (sum w)^2 / sum w^2 of each row of log-weights, [n, C].

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation.annealing import mean_weight
        >>> [part.round(3).tolist() for part in mean_weight(np.log([[1.0, 1.0], [1.0, 3.0]]))]
        [[0.0, 0.693], [2.0, 1.6]]
    """
    total = logsumexp(log_weights, 1)
    return total - np.log(log_weights.shape[1]), np.exp(2 * total - logsumexp(2 * log_weights, 1))
