"""A contestant's side of a race: prepare, warm up, say so, and do one chunk whenever told to."""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import numpy as np

from benchmarks.dataset import images
from benchmarks.works import Work, named

WARM_UP = 2
Prepare = Callable[[Work, np.ndarray], Callable[[], int]]


def serve(prepare: Prepare) -> None:
    """Run a contestant: `python -m benchmarks.contestants.NAME WORK [--quick]`, until its input ends.

    Args:
        prepare: from the work and its images, uint8 [n, 28, 28, 1], to a function that does one chunk and returns how
            many images, or decoded samples, that was.
    """
    work, replies = named(sys.argv[1], quick="--quick" in sys.argv), _claim_output()
    imports = _resident()
    chunk = prepare(work, images(work.examples))
    for _ in range(WARM_UP):
        chunk()
    _say(replies, ready=True, imports_rss_mb=imports)
    for line in sys.stdin:
        if line.strip() != "go":
            break
        start = time.perf_counter()
        count = chunk()
        _say(replies, seconds=time.perf_counter() - start, count=count, peak_rss_mb=peak_rss())


def peak_rss() -> float:
    """Return the most memory that this process has had resident, in MB of 10^6 bytes."""
    found = _status("VmHWM")
    if found is None:  # no /proc: macOS counts bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return found


def _resident() -> float:
    return _status("VmRSS") or peak_rss()


def _status(key: str) -> float | None:
    path = Path("/proc/self/status")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(key)), None)


def _claim_output() -> TextIO:
    """Keep standard output for the replies; what libraries print there goes to standard error."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return replies


def _say(replies: TextIO, **message: float) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()
