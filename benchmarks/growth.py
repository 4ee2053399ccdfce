"""W7: how the cost grows with K, D, the batch and the data, and that memory does not."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks import machine
from benchmarks.race import OURS, ROOT, enter, environment, take_turns
from benchmarks.results import Comparison, Measure, Result
from benchmarks.works import GROWTH, Work, named

FLAT = 1.1  # the ratio of peak memories that still counts as flat
BY_SAMPLES = [(100, 100), (1000, 100), (5000, 100)]  # samples, examples
BY_EXAMPLES = [(100, 1000), (100, 10000)]


def measure(title: str, rounds: int, quick: bool, folder: Path) -> Result:
    """Race tfvae against itself along each axis, then measure the peak memory of fresh processes."""
    date, busy = machine.now(), machine.busy()
    measures = [_along(axis, works, rounds, quick, folder) for axis, works in GROWTH.items()]
    measures += [_memory("samples", BY_SAMPLES, 0), _memory("examples", BY_EXAMPLES, 1)]
    return Result(title, date, max(busy, machine.busy()), quick, measures)


def _along(axis: str, works: list[Work], rounds: int, quick: bool, folder: Path) -> Measure:
    left_out: dict[str, str] = {}
    entries = {}
    try:
        for work in works:
            entries[work.name] = enter(OURS, named(work.name), quick, folder)
        rates, _ = take_turns(entries, rounds, left_out)
    finally:
        for entry in entries.values():
            entry.stop()
    if left_out:
        raise RuntimeError(f"tfvae failed: {left_out}")
    first, *others = (work.name for work in works)
    return Measure(f"images/s against {axis}", rates, [Comparison(name, first) for name in others])


def _memory(axis: str, settings: list[tuple[int, int]], which: int) -> Measure:
    peaks = {f"{setting[which]} {axis}": _peak(*setting) for setting in settings}
    first, *others = peaks
    comparisons = [Comparison(name, first, FLAT, at_most=True) for name in others]
    return Measure(f"peak memory of `log_evidence` against {axis}, MB", [peaks], comparisons)


def _peak(samples: int, examples: int) -> float:
    command = [sys.executable, "-m", "benchmarks.memory", str(samples), str(examples)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])["peak_rss_mb"]
