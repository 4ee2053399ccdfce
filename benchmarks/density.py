"""`python -m benchmarks.density`: kernel density estimation against scikit-learn, at equal error."""

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from sklearn.neighbors import KernelDensity as Peer

from benchmarks import machine
from tfvae import density
from tfvae.files import write_text

_ROOT = Path(__file__).parent.parent
_HEAD = """# Kernel density estimation

Written by `python -m benchmarks.density`. Points and queries are standard normal. Both take turns, {rounds} rounds; a
ratio is the time of scikit-learn's `KernelDensity` (rtol = atol = 0) for one query over that of
`tfvae.density.KernelDensity`, the median over the rounds; below 1, scikit-learn is faster. scikit-learn gets fewer
queries where it is slow. The error is the largest difference of log p(x) from scikit-learn's, which is in float64, in
nats, at queries that some kernel reaches: the rows in float32 are not at equal error. The kernels Epanechnikov and
TopHat end at the bandwidth h, and scikit-learn's tree leaves out what they do not reach; tfvae does so along the first
coordinate, up to 16 dimensions, and compares all else. With a Gaussian kernel every point counts, in both.

`log_prob` of 2000 queries to 60,000 points in 784 dimensions, 188 MB in float32, adds {memory} MB to the process.
"""
_LARGE = """
import numpy as np
from benchmarks.density import added_memory
from tfvae import density
rng = np.random.default_rng(0)
found = density.KernelDensity(2.0).fit(rng.random([60_000, 784], np.float32))
found.log_prob(np.zeros([1, 784], np.float32))
x = rng.random([2000, 784], np.float32)
print(added_memory(lambda: found.log_prob(x)) // 2**20)
"""


class _Work(NamedTuple):
    kernel: density.Kernel
    points: int
    size: int
    bandwidth: float
    queries: int
    peers: int
    """Queries for scikit-learn."""


_WORKS = (
    _Work(density.Gaussian(), 10_000, 1, 0.25, 5000, 1000),
    _Work(density.Gaussian(), 10_000, 5, 0.56, 5000, 500),
    _Work(density.Gaussian(), 10_000, 50, 1.77, 5000, 500),
    _Work(density.Gaussian(), 60_000, 784, 7.0, 256, 16),
    _Work(density.Gaussian(), 100_000, 1, 0.02, 2000, 50),
    _Work(density.Epanechnikov(), 100_000, 1, 0.02, 2000, 2000),
    _Work(density.TopHat(), 100_000, 1, 0.02, 2000, 2000),
    _Work(density.Epanechnikov(), 10_000, 5, 0.56, 5000, 2000),
    _Work(density.TopHat(), 10_000, 5, 0.56, 5000, 2000),
)


def run(
    rounds: Annotated[int, typer.Option(help="Turns of each.", min=1)] = 5,
    out: Annotated[Path, typer.Option(help="Table to write.")] = Path(_ROOT, "benchmarks", "DENSITY.md"),
) -> None:
    """Time both on every size, in turns, and write the table."""
    rows = ["| kernel | points | d | h | dtype | times as fast | error, nats |", "|---" * 7 + "|"]
    for work in _WORKS:
        for row in _rows(work, rounds):
            rows.append(row)
            typer.echo(row)
    facts = machine.describe()
    lines = [f"| {key} | {facts[key]} |" for key in ("processor", "system", "date", "load")]
    write_text(
        out,
        "\n".join([_HEAD.format(rounds=rounds, memory=large_memory()), "| | |", "|---|---|", *lines, "", *rows, ""]),
    )


def _rows(work: _Work, rounds: int) -> Iterator[str]:
    """Yield the row of the table for each dtype."""
    rng = np.random.default_rng(0)
    points, x = rng.normal(size=[work.points, work.size]), rng.normal(size=[work.queries, work.size])
    name = type(work.kernel).__name__
    peer = Peer(bandwidth=work.bandwidth, kernel=name.lower(), rtol=0.0, atol=0.0).fit(points)
    truth = peer.score_samples(x[: work.peers])
    for dtype in ("float64", "float32"):
        ours = density.KernelDensity(work.bandwidth, work.kernel, dtype=dtype).fit(points)
        found = ours.log_prob(x).numpy()[: work.peers]  # and the first call compiles
        reached = np.isfinite(found)  # elsewhere scikit-learn's tree leaves a remainder
        error = np.max(np.abs(found - truth)[reached])
        ratio = np.median([_ratio(peer, ours, x, work.peers) for _ in range(rounds)])
        yield f"| {name} | {work.points:,} | {work.size} | {work.bandwidth} | {dtype} | {ratio:.2g} | {error:.1e} |"


def _ratio(peer: Peer, ours: density.KernelDensity, x: np.ndarray, peers: int) -> float:
    """Return the peer's time for one query over ours."""
    theirs = _seconds(lambda: peer.score_samples(x[:peers])) / peers
    return theirs / (_seconds(lambda: ours.log_prob(x).numpy()) / len(x))


def _seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def large_memory() -> int:
    """Return how many MB a large set adds, in a process of its own.

    oneDNN's allocator keeps what is freed, and would give the call what `fit` has left.
    """
    env = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}
    command = [sys.executable, "-c", _LARGE]
    done = subprocess.run(command, cwd=_ROOT, env=env, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def added_memory(call: Callable[[], object]) -> int:
    """Return by how many bytes the process is larger during a call than before it, at most, looked at every 2 ms.

    Raises:
        FileNotFoundError: where there is no /proc.
    """
    before, largest, done = _resident(), 0, threading.Event()

    def watch() -> None:
        nonlocal largest
        while not done.wait(0.002):  # TensorFlow holds no lock of Python while it computes
            largest = max(largest, _resident())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        call()
    finally:
        done.set()
        thread.join()
    return max(largest - before, 0)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    typer.run(run)
