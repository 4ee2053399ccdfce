"""The card of a run: what was trained on what, what it reached, with errors, and what was written."""

import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np

from tfvae import zoo
from tfvae.data import Splits
from tfvae.evaluation import Bound, LogEvidence
from tfvae.files import write_json, write_text
from tfvae.models import summary
from tfvae.models.base import AbstractVAE
from tfvae.run.options import Options

_PACKAGES = ("tfvae", "tensorflow", "keras", "tensorflow-probability", "numpy")


def write(
    folder: Path,
    model: AbstractVAE,
    options: Options,
    splits: Splits,
    bound: Bound,
    evidence: LogEvidence,
    parity: dict[str, dict[str, float]],
) -> dict:
    """Write card.md and card.json into the run's folder and return the card."""
    card = {
        "model": options.model,
        "citation": str(getattr(zoo, options.model).citation),
        "composition": summary.composition(model).splitlines(),
        "data": {
            "name": splits.name,
            "shape": list(splits.shape),
            "sizes": splits.sizes,
            "binarization": splits.binarization.describe(),
            "sha256": splits.fingerprint,
        },
        "protocol": {
            "selection": f"weights after the last of {options.epochs} epochs",
            "optimizer": f"Adam, learning rate {options.learning_rate:g} with cosine decay to 0",
            "warm_up": f"weight of the rate from 0 over {options.warm_up} epochs" if options.warm_up else "none",
            "batch_size": options.batch_size,
            "steps": int(model.optimizer.iterations),
            "evaluated_on": f"all {splits.sizes['test']} test examples",
            "evidence": f"importance sampling from q(z | x), {options.samples} samples an example, seed 0",
        },
        "seed": options.seed,
        "options": options.as_json(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        "test": measured(bound, evidence),
        "bytes": {name: _size(folder / name) for name in ("model.keras", "saved_model", "model.tflite")},
        "parity": parity,
    }
    write_text(folder / "card.md", _markdown(card, table(bound, evidence)))
    write_json(folder / "card.json", card)
    return card


def measured(bound: Bound, evidence: LogEvidence) -> dict:
    """Return the measured numbers with their errors, in nats per example."""
    return {
        "unit": "nats per example",
        **{key: {"mean": getattr(bound, key), "standard_error": error} for key, error in bound.standard_errors.items()},
        "log_evidence": {
            "mean": evidence.mean,
            "standard_error": evidence.standard_error,
            "monte_carlo_error": evidence.monte_carlo_error if evidence.samples > 1 else None,
            "samples": evidence.samples,
            "examples": evidence.examples,
            "median_effective_sample_size": float(np.median(evidence.effective_sample_size)),
            "share_with_pareto_k_at_most_0.7": float(np.mean(evidence.pareto_k <= 0.7)),  # an unknown k is none
        },
    }


def table(bound: Bound, evidence: LogEvidence) -> str:
    """Return the measured numbers as a Markdown table, which reads well on a terminal too."""
    rows = [("ELBO", "elbo"), ("rate", "rate"), ("distortion", "distortion")]
    lines = [f"| {title} | {getattr(bound, key):.2f} ± {bound.standard_errors[key]:.2f} |" for title, key in rows]
    return "\n".join(["| test, nats per example | ± standard error |", "|---|---|", *lines,
                      f"| log evidence | {evidence} |"])  # fmt: skip


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _markdown(card: dict, results: str) -> str:
    evidence, data, protocol = card["test"]["log_evidence"], card["data"], card["protocol"]
    reliable = evidence["share_with_pareto_k_at_most_0.7"]
    lines = [
        f"# {card['model']} on {data['name']}",
        card["citation"],
        "```\n" + "\n".join(card["composition"]) + "\n```",
        "## Measured",
        results,
        f"The median effective sample size is {evidence['median_effective_sample_size']:.1f} of {evidence['samples']}; "
        f"{reliable:.0%} of the examples have a Pareto k of at most 0.7. An estimate by importance sampling is too low "
        "rather than too high, and rises with the number of samples.",
        "## Data and protocol",
        _bullets({**{key: data[key] for key in ("name", "shape", "sizes", "binarization", "sha256")}, **protocol,
                  "seed": card["seed"]}),
        "## Files",
        "| file | bytes |\n|---|---|\n" + "\n".join(f"| {name} | {size:,} |" for name, size in card["bytes"].items()),
        "Largest difference from the Keras model, relative to the value's size:",
        _parity(card["parity"]),
        "![reconstructions](pictures/reconstructions.png) ![samples](pictures/samples.png) "
        "![latent map](pictures/latent.png)",
        "## Versions",
        _bullets(card["versions"]),
    ]  # fmt: skip
    return "\n\n".join(lines) + "\n"


def _bullets(values: dict) -> str:
    return "\n".join(f"- {key.replace('_', ' ')}: {value}" for key, value in values.items())


def _parity(parity: dict[str, dict[str, float]]) -> str:
    formats = list(parity)
    head = f"| signature | {' | '.join(formats)} |\n|---|{'---|' * len(formats)}\n"
    return head + "\n".join(
        f"| {name} | {' | '.join(f'{parity[kind][name]:.1e}' for kind in formats)} |" for name in parity[formats[0]]
    )
