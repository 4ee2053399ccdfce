"""What a run measures on its test examples: the bound and the evidence, or the distortion where there is no rate."""

from dataclasses import dataclass

from tfvae import evaluation
from tfvae.evaluation import Bound, Distortion, LogEvidence
from tfvae.evaluation.printing import plus_minus
from tfvae.models.variational import AbstractVAE


def measure(
    model: AbstractVAE, x: object, samples: int, seed: int = 0, *, progress: bool = True
) -> "Evidence | Reconstruction":
    """Measure a model on test examples, with conditions if it has some: what its posterior has is decided by it.

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

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try."""
        return self.bound.warnings + self.evidence.warnings

    def as_json(self) -> dict:
        """Return the numbers with their errors, in nats per example."""
        return {**self.bound.as_json(), "log_evidence": self.evidence.as_json()}

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        return {**self.bound.rows(), **self.evidence.rows()}

    def remarks(self) -> str:
        """Say how far to trust the estimate."""
        found = self.evidence.as_json()
        return (
            f"The median effective sample size is {found['median_effective_sample_size']:.1f} of {found['samples']}; "
            f"{found['share_with_pareto_k_at_most_0.7']:.0%} of the examples have a Pareto k of at most 0.7. An "
            "estimate by importance sampling is too low rather than too high, and rises with the number of samples."
        )


@dataclass(frozen=True)
class Reconstruction:
    """The distortion alone."""

    distortion: Distortion

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try."""
        return self.distortion.warnings

    def as_json(self) -> dict:
        """Return the number with its error, in nats per example."""
        found = self.distortion.as_json()
        return {"unit": found.pop("unit"), "distortion": found}

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        return self.distortion.rows()

    def remarks(self) -> str:
        """Say what is missing, and why."""
        return "The posterior is a point mass: rate, ELBO and evidence are not defined."


def table(rows: dict[str, str]) -> str:
    """Return a Markdown table, which reads well on a terminal too."""
    head = "| test, nats per example | ± standard error |\n|---|---|\n"
    return head + "\n".join(f"| {title} | {text} |" for title, text in rows.items())


def headline(test: dict) -> str:
    """Return the result of a card in one line."""
    kind, name = ("log_evidence", "log evidence") if "log_evidence" in test else ("distortion", "distortion")
    found = test[kind]
    drawn = f"{found['samples']} importance samples, " if "samples" in found else ""
    value = plus_minus(found["mean"], found["standard_error"])
    return f"test {name}: {value} nats ({drawn}{found['examples']} examples)"
