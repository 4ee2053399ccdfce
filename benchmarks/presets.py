"""The table of the presets, from their cards: `python -m benchmarks.presets` writes it into both READMEs."""

import json
import math
import re
from pathlib import Path

from tfvae.evaluation.printing import error_of, plus_minus
from tfvae.files import write_text
from tfvae.presets import PRESETS, Preset
from tfvae.protocols import Published

_ROOT = Path(__file__).parent.parent
FILES = (_ROOT / "README.md", _ROOT / "savedmodels" / "README.md")
_RELIABLE = "share_with_pareto_k_at_most_0.7"
_BEGIN, _END = "<!-- presets -->\n", "<!-- end of presets -->"


def table(folder: Path = _ROOT / "savedmodels") -> str:
    """Return the Markdown table of the presets whose cards lie in a folder, and a line for each pair of twins."""
    cards = {path.parent.name: json.loads(path.read_text()) for path in sorted(folder.glob("*/card.json"))}
    lines = [
        "| preset | networks | published | ours ± standard error | protocol | minutes | command |",
        "|---|---|---|---|---|---|---|",
        *[_row(PRESETS[name], cards[name]) for name in PRESETS if name in cards],
        "",
        *[
            _gain(preset, cards)
            for preset in PRESETS.values()
            if preset.twin and {preset.name, preset.twin} <= set(cards)
        ],
        "",
        _trust(cards),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _row(preset: Preset, card: dict) -> str:
    found = card["test"]["log_evidence"]
    published = "; ".join(_quoted(number) for number in preset.published) or "none"
    return (
        f"| `{preset.name}` | {preset.says} | {published} | {_ours(preset, found)} | "
        f"{preset.protocol.name}, K = {found['samples']} | {card['training']['minutes']:.0f} | "
        f"`tfvae train --preset {preset.name}` |"
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


def _gain(preset: Preset, cards: dict[str, dict]) -> str:
    """Say what a preset gains on its twin, beside what was published; the test examples are the same."""
    ours, theirs = (cards[name]["test"]["log_evidence"] for name in (preset.name, preset.twin))
    twin = PRESETS[preset.twin]
    key, unit = ("bits_per_dim", " bits per dimension") if _in_bits(preset) else ("mean", " nats")
    gain = ours[key] - theirs[key]
    error = math.hypot(ours["monte_carlo_error"], theirs["monte_carlo_error"])
    error = error * abs(ours["bits_per_dim"] / ours["mean"]) if _in_bits(preset) else error
    said = f" (Monte Carlo){_published_gain(preset, twin)}."
    return f"- `{preset.name}` against `{preset.twin}`: {gain:+.3f}{unit} ± {error_of(error)}{said}"


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


def _published_gain(preset: Preset, twin: Preset) -> str:
    if not preset.published:
        return ""
    best, base = preset.published[0], preset.baseline or twin.published[0]
    networks = f" ({best.model} against {base.model})" if preset.baseline else ""
    networks += " (from memory)" * any("not verified" in number.source for number in (best, base))
    return f"; published {best.value - base.value:+.2f}{networks}"


def main() -> None:
    """Write the table between its marks in every file that has them."""
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        write_text(path, re.sub(f"{_BEGIN}.*?{_END}", lambda _: f"{_BEGIN}{table()}{_END}", text, flags=re.DOTALL))


if __name__ == "__main__":
    main()
