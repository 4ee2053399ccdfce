"""Latencies of contestants that take turns, so that what else the machine does meets all of them alike."""

import time
from collections.abc import Callable

import numpy as np

from benchmarks.deployment.contestant import FUNCTIONS, Contestant

_SECONDS = 0.02  # of one turn
Times = dict[str, dict[str, np.ndarray]]


def take_turns(contestants: list[Contestant], rounds: int) -> Times:
    """Return the mean time of a call in every round, in microseconds, by contestant and function."""
    found: Times = {each.name: {} for each in contestants}
    for name in FUNCTIONS:
        entries = [each for each in contestants if name in each.functions]
        calls = {each.name: _calls(each.functions[name].call) for each in entries}
        rows = [[_turn(each.functions[name].call, calls[each.name]) for each in entries] for _ in range(rounds)]
        for each, column in zip(entries, np.array(rows).T, strict=True):
            found[each.name][name] = column
    return found


def _calls(call: Callable) -> int:
    """Return how many calls make a turn; they warm up besides."""
    count = 1
    while _turn(call, count) * count < 1e6 * _SECONDS:
        count *= 2
    return count


def _turn(call: Callable, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    return 1e6 * (time.perf_counter() - start) / count
