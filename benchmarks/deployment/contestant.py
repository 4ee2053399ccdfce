"""One preset in one format: how large it is, and its three functions."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

FUNCTIONS = ("encode", "decode", "elbo")
TOLERANCE = 1e-3  # relative to the size of a value, of formats that hold the model's own numbers

Outputs = dict[str, np.ndarray]
Inputs = dict[str, dict[str, np.ndarray]]


class Unlike(ValueError):
    """A format gives other numbers than the Keras model."""


@dataclass
class Function:
    """One of the three functions, bound to its inputs."""

    call: Callable[[], object]
    """What is timed."""
    operators: int
    """Operators that it executes, without constants."""
    outputs: Outputs | None = None
    """What it gives, if that is to be the Keras model's; None where fewer bits give something else."""


@dataclass
class Contestant:
    """One preset in one format."""

    name: str
    bytes: int
    functions: dict[str, Function] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    """Functions that the format lacks, with the reasons."""
    lost: tuple[float, float] | None = None
    """ELBO lost by quantisation, nats per example, with its standard error."""


def compare(contestant: Contestant, expected: dict[str, Outputs]) -> None:
    """Refuse a contestant that computes something else.

    Raises:
        Unlike: naming the function, the output and the difference.
    """
    for name, function in contestant.functions.items():
        for key, value in (function.outputs or {}).items():
            size = max(1.0, float(np.max(np.abs(expected[name][key]))))
            difference = float(np.max(np.abs(value - expected[name][key]))) / size
            if not difference < TOLERANCE:
                raise Unlike(f"Expected the Keras model's {key} from {contestant.name}'s {name}, within {TOLERANCE:g}. "
                             f"Received: a difference of {difference:.2g}")  # fmt: skip
