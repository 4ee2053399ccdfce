"""`python -m benchmarks.density`: kernel density estimation against scikit-learn, at equal error."""

import time
from collections.abc import Callable
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

Written by `python -m benchmarks.density`. Points and queries are standard normal, the kernel is Gaussian, the bandwidth
sqrt(d) / 4. Both take turns, {rounds} rounds; a ratio is the time of scikit-learn's `KernelDensity` (rtol = atol = 0)
for one query over that of `tfvae.density.KernelDensity`, the median over the rounds. scikit-learn gets fewer queries
where it is slow. The error is the largest difference of log p(x) from scikit-learn's, in nats.
"""


class _Work(NamedTuple):
    points: int
    size: int
    queries: int
    peers: int
    """Queries for scikit-learn."""


_WORKS = (_Work(10_000, 1, 5000, 1000), _Work(10_000, 5, 5000, 500), _Work(10_000, 50, 5000, 500),
          _Work(60_000, 784, 256, 16))  # fmt: skip


def run(
    rounds: Annotated[int, typer.Option(help="Turns of each.", min=1)] = 5,
    out: Annotated[Path, typer.Option(help="Table to write.")] = Path(_ROOT, "benchmarks", "DENSITY.md"),
) -> None:
    """Time both on every size, in turns, and write the table."""
    rows = ["| points | d | dtype | times as fast | error, nats |", "|---|---|---|---|---|"]
    for work in _WORKS:
        rng = np.random.default_rng(0)
        points, x = rng.normal(size=[work.points, work.size]), rng.normal(size=[work.queries, work.size])
        h = np.sqrt(work.size) / 4
        peer = Peer(bandwidth=h).fit(points)
        truth = peer.score_samples(x[: work.peers])
        for dtype in ("float64", "float32"):
            ours = density.KernelDensity(h, dtype=dtype).fit(points)
            error = np.max(np.abs(ours.log_prob(x).numpy()[: work.peers] - truth))  # and the first call compiles
            ratios = [_ratio(peer, ours, x, work.peers) for _ in range(rounds)]
            rows.append(f"| {work.points:,} | {work.size} | {dtype} | {np.median(ratios):.1f} | {error:.1e} |")
            typer.echo(rows[-1])
    facts = machine.describe()
    lines = [f"| {key} | {facts[key]} |" for key in ("processor", "system", "date", "load")]
    write_text(out, "\n".join([_HEAD.format(rounds=rounds), "| | |", "|---|---|", *lines, "", *rows, ""]))


def _ratio(peer: Peer, ours: density.KernelDensity, x: np.ndarray, peers: int) -> float:
    """Return the peer's time for one query over ours."""
    theirs = _seconds(lambda: peer.score_samples(x[:peers])) / peers
    return theirs / (_seconds(lambda: ours.log_prob(x).numpy()) / len(x))


def _seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


if __name__ == "__main__":
    typer.run(run)
