"""The card of a run: what was trained on what, what it reached, with errors, and what was written."""

import json
import platform
from importlib.metadata import version
from pathlib import Path

from tfvae.data import Splits
from tfvae.files import write_json, write_text
from tfvae.models import summary
from tfvae.models.variational import AbstractVAE
from tfvae.presets.recipe import Recipe
from tfvae.run.clock import training_seconds
from tfvae.run.measurement import Evidence, Reconstruction, table

_PACKAGES = ("tfvae", "tensorflow", "keras", "tensorflow-probability", "numpy")


def write(
    folder: Path,
    model: AbstractVAE,
    recipe: Recipe,
    splits: Splits,
    measured: Evidence | Reconstruction,
    parity: dict[str, dict[str, float]],
    refused: dict[str, dict[str, str]],
) -> dict:
    """Write card.md and card.json into the run's folder and return the card.

    Args:
        folder: of the run.
        model: trained.
        recipe: of the run.
        splits: the data.
        measured: on the test examples.
        parity: format to signature to the largest difference from the Keras model.
        refused: format to signatures that it does not hold, with the reasons.
    """
    card = {
        "title": recipe.title,
        "citation": recipe.citation,
        "composition": summary.composition(model).splitlines(),
        "data": {
            "name": splits.name,
            "shape": list(splits.shape),
            "sizes": splits.sizes,
            "binarization": splits.binarization.describe(),
            "sha256": splits.fingerprint,
        },
        "training": {
            "selection": recipe.selection.describe(recipe.epochs),
            **recipe.describe(),
            "steps of the weights kept": int(model.optimizer.iterations),
            "minutes": round(training_seconds(folder / "logs") / 60, 1),
        },
        "seed": recipe.seed,
        "recipe": recipe.as_json(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        **results(recipe, measured, splits.sizes["test"], recipe.samples, 0),
        "bytes": {name: size(folder / name) for name in ("model.keras", "saved_model", "model.tflite")},
        "parity": parity,
        "refused": refused,
        "pictures": sorted(path.stem for path in (folder / "pictures").glob("[!.]*.png")),
    }
    save(folder, card)
    return card


def results(recipe: Recipe, measured: Evidence | Reconstruction, examples: int, samples: int, seed: int) -> dict:
    """Return what a card says of a measurement: by what protocol, `test`, the table, and what to think of it."""
    return {
        "protocol": str(recipe.protocol),
        "published": [str(number) for number in recipe.published],
        "evaluation": {
            "examples": f"all {examples} test examples",
            "evidence": f"importance sampling from q(z | x), {samples} samples an example, seed {seed}",
        },
        "test": measured.as_json(),
        "table": measured.rows(),
        "remarks": measured.remarks(),
        "warnings": list(measured.warnings),
    }


def read(folder: Path) -> dict:
    """Read the card of a finished run.

    Raises:
        ValueError: if it is missing or damaged.
    """
    path = folder / "card.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Expected the card of a finished run. Delete the file and run again to make it anew. Received: {path}, "
            f"which is damaged: {error}"
        ) from error


def save(folder: Path, card: dict) -> None:
    """Write card.md, then card.json, whose presence says that the run is whole."""
    write_text(folder / "card.md", markdown(card))
    write_json(folder / "card.json", card)


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def markdown(card: dict) -> str:
    """Return a card as a text for people."""
    data = card["data"]
    lines = [
        f"# {card['title']}",
        card["citation"],
        "```\n" + "\n".join(card["composition"]) + "\n```",
        "## Measured",
        table(card["table"]),
        card["remarks"],
        *[f"**Warning.** {text}" for text in card["warnings"]],
        *_diagnosis(card.get("diagnosis", {})),
        "## Protocol",
        card["protocol"],
        *[f"Published: {number}." for number in card["published"]],
        "## Data",
        _bullets({key: data[key] for key in ("name", "shape", "sizes", "binarization", "sha256")}),
        "## Training and evaluation",
        _bullets({**card["training"], "seed": card["seed"], **card["evaluation"]}),
        "## Files",
        "| file | bytes |\n|---|---|\n" + "\n".join(f"| {name} | {size:,} |" for name, size in card["bytes"].items()),
        *_quantised(card.get("quantised", {})),
        "Largest difference from the Keras model, relative to the value's size:",
        _parity(card["parity"]),
        *[f"{kind} does not offer {name}: {why}." for kind, names in card["refused"].items()
          for name, why in names.items()],
        " ".join(f"![{name}](pictures/{name}.png)" for name in card["pictures"]),
        "## Versions",
        _bullets(card["versions"]),
    ]  # fmt: skip
    return "\n\n".join(lines) + "\n"


def _quantised(found: dict) -> list[str]:
    """Return what is said of the quantised file of a published preset."""
    said = {key: value for key, value in found.items() if key != "report"}
    return ["Quantised to int8, against model.tflite with the same noise:", _bullets(said)] if said else []


def _diagnosis(parts: dict[str, dict]) -> list[str]:
    """Return the sections that `tfvae evaluate` adds."""
    lines = []
    for title, part in parts.items():
        lines += [f"## {title}", _bullets(part["table"]), *[f"**Warning.** {text}" for text in part["warnings"]]]
    return lines


def _bullets(values: dict) -> str:
    return "\n".join(f"- {key.replace('_', ' ')}: {value}" for key, value in values.items())


def _parity(parity: dict[str, dict[str, float]]) -> str:
    formats = list(parity)
    head = f"| signature | {' | '.join(formats)} |\n|---|{'---|' * len(formats)}\n"
    names = dict.fromkeys(name for kind in formats for name in parity[kind])
    cells = {name: [f"{parity[kind][name]:.1e}" if name in parity[kind] else "" for kind in formats] for name in names}
    return head + "\n".join(f"| {name} | {' | '.join(row)} |" for name, row in cells.items())
