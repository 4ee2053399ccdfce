"""What a run measures on its test examples: the bound and the evidence, or the distortion where there is no rate."""

from dataclasses import dataclass

import numpy as np

from tfvae import evaluation
from tfvae.evaluation import Bound, Distortion, LogEvidence
from tfvae.models.base import AbstractVAE


def measure(
    model: AbstractVAE, x: np.ndarray, samples: int, seed: int = 0, *, progress: bool = True
) -> "Evidence | Reconstruction":
    """Measure a model on test examples: what its posterior has is decided by the model.

    Raises:
        ValueError: as `evaluation.log_evidence` does.
    """
    if not model.fits.has_rate:
        return Reconstruction(evaluation.distortion(model, x, seed=seed, progress=progress))
    bound = evaluation.elbo(model, x, seed=seed, progress=False)
    return Evidence(bound, evaluation.log_evidence(model, x, samples, seed, progress=progress))


@dataclass(frozen=True)
class Evidence:
    """ELBO, rate, distortion and log evidence."""

    bound: Bound
    evidence: LogEvidence

    def as_json(self) -> dict:
        """Return the numbers with their errors, in nats per example."""
        bound, evidence = self.bound, self.evidence
        terms = {
            key: {"mean": getattr(bound, key), "standard_error": error} for key, error in bound.standard_errors.items()
        }
        return {
            "unit": "nats per example",
            **terms,
            "log_evidence": {
                "mean": evidence.mean,
                "standard_error": evidence.standard_error,
                "monte_carlo_error": evidence.monte_carlo_error if evidence.samples > 1 else None,
                "samples": evidence.samples,
                "examples": evidence.examples,
                "bits_per_dim": evidence.bits_per_dim if evidence.dimensions else None,
                "median_effective_sample_size": float(np.median(evidence.effective_sample_size)),
                "share_with_pareto_k_at_most_0.7": float(np.mean(evidence.pareto_k <= 0.7)),  # an unknown k is none
            },
        }

    def table(self) -> str:
        """Return a Markdown table, which reads well on a terminal too."""
        errors = self.bound.standard_errors
        terms = (("ELBO", "elbo"), ("rate", "rate"), ("distortion", "distortion"))
        rows = [f"| {title} | {getattr(self.bound, key):.2f} ± {errors[key]:.2f} |" for title, key in terms]
        rows.append(f"| log evidence | {self.evidence} |")
        if self.evidence.dimensions:
            rows.append(f"| bits per dimension | {self.evidence.bits_per_dim:.3f} |")
        return "\n".join([_HEAD, *rows])

    def remarks(self) -> str:
        """Say how far to trust the estimate."""
        found = self.as_json()["log_evidence"]
        return (
            f"The median effective sample size is {found['median_effective_sample_size']:.1f} of {found['samples']}; "
            f"{found['share_with_pareto_k_at_most_0.7']:.0%} of the examples have a Pareto k of at most 0.7. An "
            "estimate by importance sampling is too low rather than too high, and rises with the number of samples."
        )


@dataclass(frozen=True)
class Reconstruction:
    """The distortion alone."""

    distortion: Distortion

    def as_json(self) -> dict:
        """Return the number with its error, in nats per example."""
        found = self.distortion
        return {
            "unit": "nats per example",
            "distortion": {"mean": found.mean, "standard_error": found.standard_error, "examples": found.examples},
        }

    def table(self) -> str:
        """Return a Markdown table, which reads well on a terminal too."""
        return f"{_HEAD}\n| distortion | {self.distortion.mean:.2f} ± {self.distortion.standard_error:.2f} |"

    def remarks(self) -> str:
        """Say what is missing, and why."""
        return "The posterior is a point mass: rate, ELBO and evidence are not defined."


_HEAD = "| test, nats per example | ± standard error |\n|---|---|"


def headline(test: dict) -> str:
    """Return the result of a card in one line."""
    if "log_evidence" not in test:
        found = test["distortion"]
        return (
            f"test distortion: {found['mean']:.2f} ± {found['standard_error']:.2f} nats ({found['examples']} examples)"
        )
    found = test["log_evidence"]
    return (
        f"test log evidence: {found['mean']:.2f} ± {found['standard_error']:.2f} nats "
        f"({found['samples']} importance samples, {found['examples']} examples)"
    )
