"""The table of the presets, from their cards: `python -m benchmarks.presets` writes it into both READMEs.

With `--gains` the errors of the gains are measured first, from the models and their data.
"""

import json
import math
import re
from pathlib import Path
from typing import Annotated

import typer

import tfvae
from tfvae import evaluation
from tfvae.evaluation.batches import standard_error
from tfvae.evaluation.printing import error_of, plus_minus
from tfvae.files import write_text
from tfvae.presets import PRESETS, Preset
from tfvae.protocols import Published

_ROOT = Path(__file__).parent.parent
FILES = (_ROOT / "README.md", _ROOT / "savedmodels" / "README.md")
_RELIABLE = "share_with_pareto_k_at_most_0.7"
_GAINS, _SAMPLES = "gains.json", 200
_BEGIN, _END = "<!-- presets -->\n", "<!-- end of presets -->"


def table(folder: Path = _ROOT / "savedmodels") -> str:
    """Return the Markdown table of the presets whose cards lie in a folder, and a line for each pair of twins."""
    cards = {path.parent.name: json.loads(path.read_text()) for path in sorted(folder.glob("*/card.json"))}
    errors = _known(folder)
    lines = [
        "| preset | networks | published | ours ± standard error | protocol | minutes | command |",
        "|---|---|---|---|---|---|---|",
        *[_row(PRESETS[name], cards[name]) for name in PRESETS if name in cards],
        "",
        *[_gain(preset, cards, errors[preset.name]) for preset in _pairs(set(cards))],
        "",
        _trust(cards),
        "",
        _second_opinion(cards),
    ]
    return "\n".join(lines).rstrip() + "\n"


def measure_gains(folder: Path, frey_dir: str | None) -> None:
    """Write the standard error of every gain over the test examples, which both models of a pair have seen alike."""
    found = {}
    for preset in _pairs({path.parent.name for path in folder.glob("*/card.json")}):
        home = frey_dir if preset.protocol.data == "frey_faces" else None
        x = preset.load_data(home).array("test")
        ours, theirs = (
            evaluation.log_evidence(tfvae.from_preset(folder / name), x, _SAMPLES).per_example
            for name in (preset.name, preset.twin)
        )
        gains = ours - theirs
        found[preset.name] = {
            "twin": preset.twin,
            "samples": _SAMPLES,
            "examples": len(x),
            "gain": float(gains.mean()),
            "standard_error": standard_error(gains),
            "unit": "nats per example",
        }
        typer.echo(f"{preset.name}: {found[preset.name]}")
        write_text(folder / _GAINS, json.dumps({**_known(folder), **found}, indent=1, sort_keys=True) + "\n")


def _known(folder: Path) -> dict:
    path = folder / _GAINS
    return json.loads(path.read_text()) if path.exists() else {}


def _pairs(names: set[str]) -> list[Preset]:
    """Return the presets that can be compared with their twins."""
    return [preset for preset in PRESETS.values() if preset.twin and {preset.name, preset.twin} <= names]


def _row(preset: Preset, card: dict) -> str:
    found = card["test"]["log_evidence"]
    published = "; ".join(_quoted(number) for number in preset.published) or "none"
    return (
        f"| `{preset.name}` | {preset.says} | {published} | {_ours(preset, found)} | "
        f"{preset.protocol.name}, K = {found['samples']} | {card['training']['minutes']:.0f} | "
        f"`{preset.command}` |"
    )


def _quoted(number: Published) -> str:
    return f"{number.value:g}" + " (from memory)" * ("not verified" in number.source)


def _ours(preset: Preset, found: dict) -> str:
    if _in_bits(preset):
        return f"{plus_minus(found['bits_per_dim'], _bits(found, 'standard_error'))} bits per dimension"
    drawn = error_of(found["monte_carlo_error"])
    return f"{plus_minus(found['mean'], found['standard_error'])} (± {drawn} Monte Carlo)"


def _in_bits(preset: Preset) -> bool:
    return any(number.unit == "bits per dimension" for number in preset.published)


def _bits(found: dict, key: str) -> float:
    """Return an error in nats as one in bits per dimension."""
    return abs(found[key] * found["bits_per_dim"] / found["mean"])


def _gain(preset: Preset, cards: dict[str, dict], measured: dict) -> str:
    """Say what a preset gains on its twin, beside what was published.

    The test examples are the same, so that the error over them is that of the differences.
    """
    ours, theirs = (cards[name]["test"]["log_evidence"] for name in (preset.name, preset.twin))
    twin = PRESETS[preset.twin]
    gain = ours["mean"] - theirs["mean"]
    drawn = math.hypot(ours["monte_carlo_error"], theirs["monte_carlo_error"])
    scale, unit = (ours["bits_per_dim"] / ours["mean"], " bits per dimension") if _in_bits(preset) else (1.0, " nats")
    error, drawn = abs(scale) * measured["standard_error"], error_of(abs(scale) * drawn)
    return (
        f"- `{preset.name}` against `{preset.twin}`: {'+' * (scale * gain > 0)}{plus_minus(scale * gain, error)}{unit} "
        f"(± {drawn} Monte Carlo){_published_gain(preset, twin)}."
    )


def _trust(cards: dict[str, dict]) -> str:
    """Say whose Monte Carlo errors are lower bounds: those whose importance weights have long tails."""
    shares = {name: 1 - card["test"]["log_evidence"][_RELIABLE] for name, card in cards.items()}
    doubted = [name for name in PRESETS if shares.get(name, 0) > 0.5]
    if not doubted:
        return ""
    named = ", ".join(f"`{name}`" for name in doubted)
    which = "every model of this table" if len(doubted) == len(cards) else named
    return f"""The Monte Carlo errors are lower bounds for {which}: the importance weights of
most test examples have tails too long (Pareto k above 0.7) for K samples to show their whole variance. Such an estimate
is too low rather than too high, and another seed may differ by several times the error shown."""


def _second_opinion(cards: dict[str, dict]) -> str:
    """Say how much more evidence annealed chains find, of the models whose cards tell of them."""
    found = {name: cards[name].get("diagnosis", {}).get("Annealed check") for name in PRESETS if name in cards}
    lines = [_beyond(name, part["numbers"]) for name, part in found.items() if part]
    if not lines:
        return ""
    return (
        "What annealed importance sampling finds beyond these estimates, on the first 100 test examples of each, in\n"
        "nats per example. Both are too low rather than too high: where it finds less, its chains were too short.\n\n"
        + "\n".join(lines)
    )


def _beyond(name: str, numbers: dict) -> str:
    difference = plus_minus(numbers["difference"], numbers["standard_error"])
    return f"- `{name}`: {'+' * (numbers['difference'] > 0)}{difference}, annealed from {numbers['annealed']['start']}"


def _published_gain(preset: Preset, twin: Preset) -> str:
    if not preset.published:
        return ""
    best, base = preset.published[0], preset.baseline or twin.published[0]
    networks = f" ({best.model} against {base.model})" if preset.baseline else ""
    networks += " (from memory)" * any("not verified" in number.source for number in (best, base))
    return f"; published {best.value - base.value:+.2f}{networks}"


def main(
    gains: Annotated[bool, typer.Option("--gains", help="Measure the gains' errors first: minutes.")] = False,
    frey_dir: Annotated[str | None, typer.Option(help="Folder of frey_faces.npz.")] = None,
) -> None:
    """Write the table between its marks in every file that has them."""
    if gains:
        measure_gains(_ROOT / "savedmodels", frey_dir)
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        write_text(path, re.sub(f"{_BEGIN}.*?{_END}", lambda _: f"{_BEGIN}{table()}{_END}", text, flags=re.DOTALL))


if __name__ == "__main__":
    typer.run(main)
