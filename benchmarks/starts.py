"""W6: what a newcomer waits for: the import, the command line's help, the first step."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import machine
from benchmarks.race import PAUSE, ROOT, environment
from benchmarks.results import Comparison, Measure, Result

_SCRIPT = shutil.which("tfvae", path=str(Path(sys.executable).parent))
COLD = {
    "import tensorflow": [sys.executable, "-c", "import tensorflow"],
    "import tfvae": [sys.executable, "-c", "import tfvae"],
    "tfvae.VAE": [sys.executable, "-c", "import tfvae; tfvae.VAE"],  # what an import that is put off costs in the end
    "tfvae --help": [*([_SCRIPT] if _SCRIPT else [sys.executable, "-m", "tfvae"]), "--help"],
}
FIRST = ("tfvae", "keras_plain")


def measure(title: str, rounds: int, quick: bool, folder: Path) -> Result:
    """Time fresh processes, in turns, after one of each that is not counted."""
    date, busy = machine.now(), machine.busy()
    cold, first = [], []
    for number in range(rounds + 1):  # the first round fills the disk's cache and writes Python's bytecode
        waited = {name: _seconds(command) for name, command in COLD.items()}
        stepped = {name: _first_step(name) for name in FIRST}
        if number:
            cold.append(waited)
            first.append(stepped)
    start = [
        Comparison("import tfvae", "import tensorflow", 1.2, at_most=True),
        Comparison("tfvae.VAE", "import tensorflow", 1.2, at_most=True),
        Comparison("tfvae --help", None, 1.0, at_most=True),
    ]
    measures = [
        Measure("seconds until the process has ended", cold, start),
        Measure("seconds of `compile` and the first `fit` on one batch", first, [Comparison(*FIRST)]),
    ]
    return Result(title, date, max(busy, machine.busy()), quick, measures)


def _fresh(command: list[str]) -> str:
    # Bytecode is written as for any user; without it, compiling Python would be all that is measured.
    environ = {key: value for key, value in environment().items() if key != "PYTHONDONTWRITEBYTECODE"}
    time.sleep(PAUSE)
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    _fresh(command)
    return time.perf_counter() - start - PAUSE


def _first_step(name: str) -> float:
    said = _fresh([sys.executable, "-m", "benchmarks.first_step", name])
    return json.loads(said.splitlines()[-1])["seconds"]
