"""RESULTS.md and results.json."""

import json
from dataclasses import asdict
from pathlib import Path

from benchmarks import results
from benchmarks.results import Comparison, Measure, Result

MARKER = "<!-- notes -->"
_NOTES = f"""{MARKER}

## What helped and what did not

Nothing is noted yet. What stands below the marker is kept by hand: the command leaves it alone.
"""
_BUSY = 0.2  # cores; threads that wait for one another suffer from much less than a whole one
_HEADER = "| | median | against | median | ratio | min .. max | target | |\n|---|---|---|---|---|---|---|---|"


def write(path: Path, found: dict[str, Result], machine: dict[str, str], command: str) -> None:
    """Write the tables to `path`, which keeps its notes, and the numbers to results.json next to it.

    Works that were not run keep what results.json held of them.
    """
    record = path.with_name("results.json")
    earlier = json.loads(record.read_text(encoding="utf-8"))["works"] if record.exists() else {}
    works = dict(sorted((earlier | {name: asdict(result) for name, result in found.items()}).items()))
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {"machine": machine, "command": command, "works": works}
    record.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    notes = old[old.index(MARKER) :] if MARKER in old else _NOTES
    tables = render({name: results.from_dict(data) for name, data in works.items()}, machine, command)
    path.write_text(f"{tables}\n{notes}", encoding="utf-8")


def render(works: dict[str, Result], machine: dict[str, str], command: str) -> str:
    """Return the part of RESULTS.md above the notes."""
    lines = [
        "# Benchmarks",
        "",
        f"Written by `{command}`; CONTRIBUTING.md says how it measures. A ratio is the median over the rounds of",
        "what stands first divided by what it is compared with, both in the same round; min .. max are the extremes",
        "over the rounds. `floor` does the matrix products of a step and nothing else.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in machine.items()),
    ]
    for name, result in works.items():
        lines += ["", f"## {name}: {result.title}", "", _circumstances(result)]
        for measure in result.measures:
            lines += ["", f"{measure.unit}:", "", _HEADER]
            lines += [_row(measure, comparison, result.left_out) for comparison in measure.comparisons]
    return "\n".join([*lines, ""])


def _circumstances(result: Result) -> str:
    rounds = max((len(measure.rounds) for measure in result.measures), default=0)
    quick = " **Quick: a tenth of the work, too short to judge by.**" if result.quick else ""
    peaks = ", ".join(
        f"{name} {peak:.0f} (of which imports {result.imports_rss_mb.get(name, float('nan')):.0f})"
        for name, peak in result.peak_rss_mb.items()
    )
    memory = f" Peak memory in MB: {peaks}." if peaks else ""
    others = " **Other programs were at work: not to judge by.**" if result.busy > _BUSY else ""
    busy = f"{result.busy:.1f} cores busy with other programs"
    return f"{result.date}, {rounds} rounds, {busy}.{others}{quick}{memory}"


def _row(measure: Measure, comparison: Comparison, left_out: dict[str, str]) -> str:
    ours, theirs = comparison.ours, comparison.theirs
    for name in (ours, theirs):
        if name in left_out:
            return f"| {ours} | | {theirs or ''} | {name}: {left_out[name]} | | | {_target(comparison)} | |"
    found = results.ratio(measure, comparison)
    own = results.column(measure, ours)
    other = results.column(measure, theirs) if theirs else None
    middle = f"{found.median:.2f} | {found.low:.2f} .. {found.high:.2f}" if found else " | "
    cells = [ours, _number(own), theirs or "", _number(other), middle, _target(comparison)]
    return f"| {' | '.join(cells)} | {results.verdict(found, comparison)} |"


def _target(comparison: Comparison) -> str:
    if comparison.target is None:
        return ""
    return f"{'at most' if comparison.at_most else 'at least'} {comparison.target:g}"


def _number(found: results.Spread | None) -> str:
    if found is None:
        return ""
    return f"{found.median:,.0f}" if found.median >= 100 else f"{found.median:.3g}"
