"""Contestants in processes of their own, told to work one at a time, in turns."""

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine
from benchmarks.results import Comparison, Measure, Result
from benchmarks.works import Work

ROOT = Path(__file__).parent.parent
OURS = "tfvae"
NEEDS = {
    "tfvae": (), "keras_plain": (), "floor": (), "bare": (),
    "torch_loop": ("torch",), "pythae": ("torch", "pythae"), "jax_loop": ("jax", "optax"),
}  # fmt: skip
PAUSE = 0.3  # seconds until the threads of the one before no longer spin


class Failed(RuntimeError):
    """A contestant ended before it was told to."""


@dataclass
class Entry:
    """A contestant that runs."""

    name: str
    process: subprocess.Popen
    log: Path
    imports_rss_mb: float = 0.0

    def answer(self) -> dict:
        """Return the next reply.

        Raises:
            Failed: if the process has ended instead, with the last line that it wrote.
        """
        line = self.process.stdout.readline()
        if not line:
            said = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise Failed(f"failed: {said[-1][:200] if said else 'without a word'}")
        return json.loads(line)

    def go(self) -> dict:
        """Have one chunk done and return the reply."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.answer()

    def stop(self) -> None:
        """Let the process end."""
        with contextlib.suppress(OSError):  # what is still to be written has no reader, if the process has ended
            self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def missing(name: str) -> str | None:
    """Return why a contestant cannot run, naming what is not installed; None if it can."""
    absent = [package for package in NEEDS[name] if machine.version(package) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


def environment() -> dict[str, str]:
    """Return the environment of a contestant: processors alone, no talk about missing GPUs."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow", "JAX_PLATFORMS": "cpu"}
    return {**os.environ, **quiet, "CUDA_VISIBLE_DEVICES": ""}


def enter(name: str, work: Work, quick: bool, folder: Path) -> Entry:
    """Start a contestant and wait until it is warm.

    Raises:
        Failed: if it does not get that far.
    """
    command = [sys.executable, "-m", f"benchmarks.contestants.{name}", work.name, *(["--quick"] if quick else [])]
    log = folder / f"{work.name}-{name}.log"
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**environment(), "TMPDIR": str(folder)}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
        )  # fmt: skip
    entry = Entry(name, process, log)
    try:
        entry.imports_rss_mb = entry.answer()["imports_rss_mb"]
    except BaseException:
        entry.stop()
        raise
    return entry


def take_turns(entries: dict[str, Entry], rounds: int, left_out: dict[str, str]) -> tuple[list[dict], dict]:
    """Return the rates of each round and the peak memory; who fails on the way goes to `left_out`."""
    rates, peaks = [], {}
    for number in range(rounds):
        rates.append({})
        names = list(entries)
        first = number % max(len(names), 1)  # nobody always comes after the same one
        for name in names[first:] + names[:first]:
            time.sleep(PAUSE)
            try:
                reply = entries[name].go()
            except (Failed, OSError) as error:
                left_out[name] = str(error)
                entries.pop(name).stop()
                continue
            rates[-1][name] = reply["count"] / reply["seconds"]
            peaks[name] = reply["peak_rss_mb"]
    return rates, peaks


def race(work: Work, rounds: int, quick: bool, folder: Path) -> Result:
    """Race tfvae against the peers of a work that are installed."""
    date = machine.now()
    wanted = [OURS, *work.peers]
    left_out = {name: reason for name in wanted if (reason := missing(name))}
    entries: dict[str, Entry] = {}
    try:
        for name in wanted:
            if name in left_out:
                continue
            try:
                entries[name] = enter(name, work, quick, folder)
            except Failed as error:
                left_out[name] = str(error)
        imports = {name: entry.imports_rss_mb for name, entry in entries.items()}
        time.sleep(PAUSE)
        busy = machine.busy()
        rates, peaks = take_turns(entries, rounds, left_out)
        time.sleep(PAUSE)
        busy = max(busy, machine.busy())
    finally:
        for entry in entries.values():
            entry.stop()
    rate = Measure(work.unit, rates, [Comparison(OURS, peer, target) for peer, target in work.peers.items()])
    measures = [rate, *_memory(work, peaks, imports)]
    return Result(work.title, date, busy, quick, measures, left_out, peaks, imports)


def _memory(work: Work, peaks: dict, imports: dict) -> list[Measure]:
    """Compare peak memory, whole and without what a framework takes before it is used."""
    if not work.memory:
        return []
    whole = [Comparison(OURS, peer, target, at_most=True) for peer, target in work.memory.items()]
    above = {name: peak - imports[name] for name, peak in peaks.items()}
    own = [Comparison(OURS, peer) for peer in work.memory]
    return [Measure("peak memory, MB", [peaks], whole), Measure("of which after the imports, MB", [above], own)]
