"""DEPLOYMENT.md and deployment.json."""

import json
from pathlib import Path

import numpy as np

from benchmarks import machine
from benchmarks.deployment.contestant import FUNCTIONS, Contestant
from benchmarks.deployment.timing import Times
from tfvae.evaluation.printing import plus_minus
from tfvae.files import write_json, write_text

BASE = "TFLite"
"""What the ratios are taken to."""
_PACKAGES = ("tfvae", "tensorflow", "ai-edge-litert", "onnxruntime", "tf2onnx", "torch")
_HEAD = """# Size and speed

Written by `python -m benchmarks.deployment`, with the options that each table names: presets were measured on different
days and machines, so compare times within a table only. One thread, and the formats take turns. Times are medians in
microseconds; in brackets the median over the rounds of the ratio to `TFLite`, the float file, in the same round.
Operators are those of encode, decode and elbo, without constants. The bytes of a SavedModel are those of its folder,
those of ONNX of the file with the ELBO, which holds both networks, and those of PyTorch of its weights. The ELBO lost
by fewer bits is in nats per example, over 500 test examples or all, if there are fewer. What is not quantised was
first compared with the Keras model's numbers, to 1e-3 of their size.
"""


def write(path: Path, name: str, contestants: list[Contestant], times: Times, batch: int, rounds: int) -> None:
    """Write one preset's rows into both files, beside those of the others."""
    record = path.with_name(f"{path.stem.lower()}.json")
    known = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {"presets": {}, "measured": {}}
    known["measured"][name] = _machine() | {"batch": batch, "rounds": rounds}
    known["presets"][name] = [_row(each, times[each.name], times[BASE]) for each in contestants]
    write_json(record, known)
    write_text(path, render(known))


def _machine() -> dict[str, str | int]:
    facts: dict[str, str | int] = {key: machine.describe()[key] for key in ("processor", "system", "date", "load")}
    versions = ", ".join(f"{package} {found}" for package in _PACKAGES if (found := machine.version(package)))
    return facts | {"versions": versions}


def _row(each: Contestant, times: dict[str, np.ndarray], base: dict[str, np.ndarray]) -> dict:
    return {
        "format": each.name,
        "bytes": each.bytes,
        "operators": {name: function.operators for name, function in each.functions.items()},
        "microseconds": {name: float(np.median(column)) for name, column in times.items()},
        "ratio": {name: float(np.median(column / base[name])) for name, column in times.items() if name in base},
        "lost": each.lost,
        "left_out": each.left_out,
    }


def render(known: dict) -> str:
    """Return the tables as Markdown."""
    lines = [_HEAD.rstrip("\n")]
    for name, rows in known["presets"].items():
        lines += ["", f"## {name}", "", *_measured(known["measured"][name])]
        lines += ["", "| format | bytes | operators | encode | decode | elbo | ELBO lost |",
                  "|---|---|---|---|---|---|---|", *[_line(row) for row in rows]]  # fmt: skip
        reasons = {why: [] for row in rows for why in row["left_out"].values()}
        for row in rows:
            for function, why in row["left_out"].items():
                reasons[why].append(f"{row['format']} {function}")
        lines += ["", *[f"- {', '.join(which)}: {why}." for why, which in reasons.items()]] if reasons else []
    return "\n".join(lines) + "\n"


def _measured(facts: dict) -> list[str]:
    """Return when, how and on what a preset was measured."""
    options = f"--batch {facts['batch']} --rounds {facts['rounds']}"
    return [
        f"Measured {facts['date']} with `{options}`, load {facts['load']}, on",
        f"{facts['processor']}, {facts['system']}, with",
        f"{facts['versions']}.",
    ]


def _line(row: dict) -> str:
    operators = " / ".join(str(row["operators"].get(name, "-")) for name in FUNCTIONS)
    cells = [
        f"{row['microseconds'][name]:,.0f} ({row['ratio'][name]:.2f})" if name in row["ratio"] else "-"
        for name in FUNCTIONS
    ]
    size = f"{row['bytes']:,}" if row["bytes"] else "-"
    lost = plus_minus(*row["lost"]) if row["lost"] else ""
    return f"| {row['format']} | {size} | {operators} | {' | '.join(cells)} | {lost} |"
