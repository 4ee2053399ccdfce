"""A second opinion on the evidence: annealed chains beside importance sampling, on some of the same examples."""

from dataclasses import dataclass

from tfvae import evaluation
from tfvae.evaluation import AnnealedEvidence, LogEvidence
from tfvae.evaluation.batches import standard_error
from tfvae.evaluation.latent import ability
from tfvae.evaluation.printing import plain, plus_minus
from tfvae.models.variational import AbstractVAE

_STEPS, _CHAINS = 200, 8
_NOTICED = 0.1  # nats between the two that are worth a warning


@dataclass(frozen=True)
class AnnealedCheck:
    """Two estimates of log p(x) of the same examples, both too low rather than too high."""

    annealed: AnnealedEvidence
    sampled: LogEvidence

    @property
    def difference(self) -> float:
        """Nats per example that the annealed chains find beyond importance sampling."""
        return self.annealed.mean - self.sampled.mean

    @property
    def standard_error(self) -> float:
        """Standard error of the difference over the examples, with the noise of both estimates in it."""
        return standard_error(self.annealed.per_example - self.sampled.per_example)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try."""
        if self.difference < max(_NOTICED, 3 * self.standard_error):
            return ()
        return (
            f"Annealed chains find {plus_minus(self.difference, self.standard_error)} nats more than importance "
            f"sampling with {self.sampled.samples} samples, on the first {self.annealed.examples} test examples: the "
            "evidence is higher than its estimate, by at least about as much. Take more samples, or quote "
            "evaluation.annealed_importance.",
        )

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        return {
            "annealed importance sampling": str(self.annealed),
            "importance sampling, same examples": str(self.sampled),
            "difference": f"{plus_minus(self.difference, self.standard_error)} (over the examples)",
        }

    def as_json(self) -> dict:
        """Return plain numbers, in nats per example."""
        return {
            "annealed": self.annealed.as_json(),
            "sampled": self.sampled.as_json(),
            "difference": plain(self.difference),
            "standard_error": plain(self.standard_error),
        }


def annealed_check(model: AbstractVAE, x: object, samples: int, seed: int) -> AnnealedCheck:
    """Estimate the evidence of x both ways, from q(z | x) where its density is known at any z, else from p(z)."""
    from_prior = not ability.known_anywhere(model)
    annealed = evaluation.annealed_importance(model, x, _STEPS, _CHAINS, seed, from_prior=from_prior, progress=False)
    return AnnealedCheck(annealed, evaluation.log_evidence(model, x, samples, seed, progress=False))
