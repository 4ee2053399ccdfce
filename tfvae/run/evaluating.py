"""`tfvae evaluate`: measure a finished run again, diagnose it, update its card and write its report."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from scipy.stats import betabinom

from tfvae import evaluation
from tfvae.data import NoBinarization, Splits
from tfvae.distributions.decoded import simulated
from tfvae.evaluation import anomaly
from tfvae.evaluation.chains import no_chains
from tfvae.evaluation.printing import error_of, plus_minus
from tfvae.evaluation.samples.classifier import before_binarization
from tfvae.models.base import Batch
from tfvae.models.variational import AbstractVAE
from tfvae.presets.recipe import Recipe
from tfvae.random import Seed, as_seed
from tfvae.run import card, report
from tfvae.run.annealed import annealed_check
from tfvae.run.measurement import Evidence, Reconstruction, measure
from tfvae.run.pictures import chosen

_EXAMPLES = 2000  # that a diagnosis looks at; its time grows as their square
_SAME = 0.01  # nats between two measurements with one seed
_CURVE = 500  # examples of the curve of the estimate against the number of samples
_ANNEALED = 100  # examples of the second opinion on the evidence
_LEVEL = 0.05  # false alarms of the anomaly threshold
_UNLIKELY = 0.01  # chance of so many of them that is worth a warning


class Record(Protocol):
    """What every record of the evaluation offers."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try."""

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""

    def as_json(self) -> dict:
        """Return plain numbers."""


@dataclass(frozen=True)
class Part:
    """One section of a report."""

    title: str
    record: Record
    figures: dict[str, Figure] = field(default_factory=dict)


def evaluate(
    folder: Path,
    model: AbstractVAE,
    recipe: Recipe,
    splits: Splits,
    samples: int | None = None,
    seed: int = 0,
    *,
    say: Callable = print,
    progress: bool = True,
) -> Evidence | Reconstruction:
    """Measure and diagnose the model of a finished run, rewrite card.json and card.md, and write report.html.

    Args:
        folder: of the run.
        model: its model.
        recipe: its recipe.
        splits: its data.
        samples: importance samples of the evidence; those of the recipe if None.
        seed: of the importance samples.
        say: where lines about the progress go.
        progress: show progress bars.

    Returns:
        What was measured on the test examples.

    Raises:
        ValueError: if the card is missing or damaged.
    """
    found = card.read(folder)
    x, count = splits.examples("test"), splits.sizes["test"]
    say(f"measuring {count} test examples")
    drawn = samples or recipe.samples
    measured = measure(model, x, drawn, seed, progress=progress)
    for line in _against(found["test"], measured.as_json()):
        say(line)
    found.update(card.results(recipe, measured, count, drawn, seed))
    _diagnose_and_write(folder, found, model, splits, drawn, seed, say)
    return measured


def renew(folder: Path, model: AbstractVAE, splits: Splits, *, say: Callable = print) -> None:
    """Diagnose the model of a run that was evaluated, and rewrite card and report; the card's test numbers stay.

    Args:
        folder: of the run.
        model: its model.
        splits: its data.
        say: where lines about the progress go.

    Raises:
        ValueError: if the card is missing or damaged.
    """
    found = card.read(folder)
    _diagnose_and_write(folder, found, model, splits, _samples_of(found), 0, say)


def _samples_of(found: dict) -> int:
    return found["test"].get("log_evidence", {}).get("samples", 1)


def _diagnose_and_write(folder: Path, found: dict, model: AbstractVAE, splits: Splits, samples: int, seed: int,
                        say: Callable) -> None:  # fmt: skip
    parts = diagnose(model, splits, chosen(splits.examples("test"), slice(_EXAMPLES)), samples, seed, say=say)
    found["diagnosis"] = {
        part.title: {
            "table": part.record.rows(), "warnings": list(part.record.warnings), "numbers": part.record.as_json()
        }
        for part in parts
    }  # fmt: skip
    report.write(folder, found, {part.title: part.figures for part in parts})
    card.save(folder, found)


def check(folder: Path, model: AbstractVAE, splits: Splits, *, say: Callable = print, progress: bool = True) -> bool:
    """Measure the test numbers of a card again, with its samples and seed, and tell whether they are the same.

    Args:
        folder: of the run, in which nothing is written.
        model: its model.
        splits: its data.
        say: where a line for each number goes.
        progress: show progress bars.

    Returns:
        Whether all differ by at most 0.01 nats and by at most their standard errors: another processor rounds in
        another way.

    Raises:
        ValueError: if the card is missing or damaged.
    """
    found = card.read(folder)
    before, same = found["test"], True
    after = measure(model, splits.examples("test"), _samples_of(found), 0, progress=progress).as_json()
    for name, old in before.items():
        if not isinstance(old, dict):
            continue
        difference, limit = after[name]["mean"] - old["mean"], min(_SAME, old["standard_error"])
        same &= bool(abs(difference) <= limit)
        say(f"{name}: {old['mean']:.4f} on the card, {after[name]['mean']:.4f} now, allowed {limit:.4f}")
    return same


def diagnose(model: AbstractVAE, splits: Splits, x: Batch, samples: int, seed: int, *, say: Callable) -> list[Part]:
    """Return what can be said of a model beyond its evidence by so many samples, on the first test examples x.

    Of a model with a condition that is the evidence's curve, a second opinion on it, and the active units.
    """
    parts = []
    if model.fits.has_rate:
        say(f"drawing the curve of the evidence against the number of samples, at most {_CURVE} examples")
        curve = evaluation.evidence_curve(model, chosen(x, slice(_CURVE)), seed=seed, progress=False)
        parts.append(Part("Evidence against the number of samples", curve, {"curve": curve.figure()}))
        if not no_chains(model):
            say(f"checking the evidence by annealed chains, at most {_ANNEALED} examples")
            parts.append(Part("Annealed check", annealed_check(model, chosen(x, slice(_ANNEALED)), samples, seed)))
    if model.condition.names:
        return [*parts, Part("Active units", evaluation.active_units(model, x, progress=False))]
    say(f"diagnosing the latent space, {len(x)} examples")
    latent = evaluation.diagnose(model, x, seed=seed, progress=False)
    parts.append(Part("Latent space", latent, {"units": latent.figure()}))
    labels = splits.labels["test"]
    if labels is not None and labels.ndim == 2:
        say("measuring disentanglement")
        parts.append(Part("Disentanglement", evaluation.disentanglement.measure(
            model, x, labels[: len(x)], seed, progress=False)))  # fmt: skip
    say("comparing samples with the data")
    parts.append(_samples(model, splits, seed))
    if model.fits.has_rate:
        say(f"calibrating the anomaly threshold, {_LEVEL:.0%} false alarms")
        parts.append(Part("Anomaly threshold", _threshold(model, x, seed)))
    return parts


def _samples(model: AbstractVAE, splits: Splits, seed: int) -> Part:
    """Compare samples with the data: on a classifier's features where there are labels, else by distances alone."""
    count = min(_EXAMPLES, splits.sizes["test"])
    labels = splits.labels["train"]
    if labels is not None and labels.ndim == 1:
        quality = evaluation.samples.measure(model, splits, count, seed, progress=False)
        return Part("Samples", quality, {"neighbours": quality.memorisation.figure()})
    train, test = (before_binarization(splits, split) for split in ("train", "test"))
    nearest = evaluation.samples.memorisation(train, test, _drawn(model, splits, count, seed))
    return Part("Samples", nearest, {"neighbours": nearest.figure()})


def _drawn(model: AbstractVAE, splits: Splits, count: int, seed: int) -> np.ndarray:
    """Draw what the data is drawn from: x ~ p(x | z), or its means where zeros and ones stand for what is grey."""
    if not isinstance(splits.binarization, NoBinarization):
        return model.sample(count, seed)
    noise = as_seed(seed)
    other = Seed(noise.words, sample=tf.constant(1))
    return simulated(model.prior(), model.decoder, count, noise, other)[0].numpy()


def _threshold(model: AbstractVAE, x: np.ndarray, seed: int) -> "Verified":
    """Calibrate on every second test example, because weights may have been chosen on the validation examples."""
    calibration = anomaly.calibrate(anomaly.NegativeELBO(model, seed=seed), x[::2], _LEVEL)
    flagged = calibration.flag(x[1::2])
    return Verified(calibration, float(flagged.mean()), len(flagged))


@dataclass(frozen=True)
class Verified:
    """A threshold, and the false alarms that it raised on examples that it had not seen."""

    calibration: anomaly.Calibration
    flagged: float
    examples: int

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try."""
        n, rank = self.calibration.examples, self.calibration.rank
        found = round(self.flagged * self.examples)
        chance = float(betabinom(self.examples, n + 1 - rank, rank).sf(found - 1))
        if chance >= _UNLIKELY:
            return self.calibration.warnings
        return (
            *self.calibration.warnings,
            f"{self.flagged:.0%} of the {self.examples} other examples were flagged, where at most "
            f"{self.calibration.level:.0%} are expected; so many have a chance of {chance:.1%} if all are alike: the "
            "order of the test examples may matter, as in a film. Calibrate on examples like those to come.",
        )

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        error = np.sqrt(self.flagged * (1 - self.flagged) / self.examples)
        seen = f"{plus_minus(self.flagged, error)}, n = {self.examples}"
        score = {"score": f"negative ELBO in nats, at most {self.calibration.level:.0%} false alarms"}
        return {**score, **self.calibration.rows(), "flagged of the other examples": seen}

    def as_json(self) -> dict:
        """Return plain numbers."""
        return {**self.calibration.as_json(), "flagged": self.flagged, "flagged_of": self.examples}


def _against(before: dict, after: dict) -> list[str]:
    """Say how a new estimate of the evidence lies beside that of the card, on the same examples."""
    first, second = before.get("log_evidence"), after.get("log_evidence")
    if not first or not second or first["examples"] != second["examples"]:
        return []
    errors = [found["monte_carlo_error"] for found in (first, second)]
    joint = error_of(float(np.hypot(*errors))) if None not in errors else "unknown"
    return [
        f"log evidence: {first['mean']:.4f} on the card, {second['mean']:.4f} now, difference "
        f"{second['mean'] - first['mean']:+.4f}, joint Monte Carlo error {joint}"
    ]
