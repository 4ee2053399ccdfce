"""The card of a run: what was trained on what, what it reached, with errors, and what was written."""

import platform
from importlib.metadata import version
from pathlib import Path

from tfvae import zoo
from tfvae.data import Splits
from tfvae.files import write_json, write_text
from tfvae.models import summary
from tfvae.models.base import AbstractVAE
from tfvae.run.measurement import Evidence, Reconstruction
from tfvae.run.options import Options

_PACKAGES = ("tfvae", "tensorflow", "keras", "tensorflow-probability", "numpy")


def write(
    folder: Path,
    model: AbstractVAE,
    options: Options,
    splits: Splits,
    measured: Evidence | Reconstruction,
    parity: dict[str, dict[str, float]],
    refused: dict[str, dict[str, str]],
) -> dict:
    """Write card.md and card.json into the run's folder and return the card.

    Args:
        folder: of the run.
        model: trained.
        options: of the run.
        splits: the data.
        measured: on the test examples.
        parity: format to signature to the largest difference from the Keras model.
        refused: format to signatures that it does not hold, with the reasons.
    """
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
        "test": measured.as_json(),
        "bytes": {name: _size(folder / name) for name in ("model.keras", "saved_model", "model.tflite")},
        "parity": parity,
        "refused": refused,
        "pictures": sorted(path.stem for path in (folder / "pictures").glob("[!.]*.png")),
    }
    write_text(folder / "card.md", _markdown(card, measured))
    write_json(folder / "card.json", card)
    return card


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _markdown(card: dict, measured: Evidence | Reconstruction) -> str:
    data, protocol = card["data"], card["protocol"]
    lines = [
        f"# {card['model']} on {data['name']}",
        card["citation"],
        "```\n" + "\n".join(card["composition"]) + "\n```",
        "## Measured",
        measured.table(),
        measured.remarks(),
        "## Data and protocol",
        _bullets({**{key: data[key] for key in ("name", "shape", "sizes", "binarization", "sha256")}, **protocol,
                  "seed": card["seed"]}),
        "## Files",
        "| file | bytes |\n|---|---|\n" + "\n".join(f"| {name} | {size:,} |" for name, size in card["bytes"].items()),
        "Largest difference from the Keras model, relative to the value's size:",
        _parity(card["parity"]),
        *[f"{kind} does not offer {name}: {why}." for kind, names in card["refused"].items()
          for name, why in names.items()],
        " ".join(f"![{name}](pictures/{name}.png)" for name in card["pictures"]),
        "## Versions",
        _bullets(card["versions"]),
    ]  # fmt: skip
    return "\n\n".join(lines) + "\n"


def _bullets(values: dict) -> str:
    return "\n".join(f"- {key.replace('_', ' ')}: {value}" for key, value in values.items())


def _parity(parity: dict[str, dict[str, float]]) -> str:
    formats = list(parity)
    head = f"| signature | {' | '.join(formats)} |\n|---|{'---|' * len(formats)}\n"
    names = dict.fromkeys(name for kind in formats for name in parity[kind])
    cells = {name: [f"{parity[kind][name]:.1e}" if name in parity[kind] else "" for kind in formats] for name in names}
    return head + "\n".join(f"| {name} | {' | '.join(row)} |" for name, row in cells.items())
