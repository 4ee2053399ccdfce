"""The errors that the library raises on purpose, and the argument checks that raise them."""

import difflib
import math
import numbers
from collections.abc import Iterable, Sequence


class IncompatibleParts(ValueError):
    """Two parts of a composition do not fit; the message names both and what to use instead."""


class ExportError(RuntimeError):
    """An export was refused or its formats disagree; no file was left behind.

    `refused` maps the signatures that the model cannot offer, if that is why, to the reasons: pass their names as
    `without=` to export the others.
    """

    def __init__(self, message: str, refused: dict[str, str] | None = None):
        super().__init__(message)
        self.refused = refused or {}


class NonFiniteLoss(ArithmeticError):
    """The loss became NaN or infinite; the message says at which step and in which part."""


def positive_int(name: str, value: object) -> int:
    """Return `value` as an int, or raise ValueError when it is no whole number above zero."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"Expected {name} to be a positive whole number. Received: {name}={value!r}")
    return int(value)


def whole_number_in(name: str, value: object, low: int, high: int) -> int:
    """Return `value` as an int, or raise ValueError when it is no whole number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not low <= int(value) <= high:
        raise ValueError(f"Expected {name} to be a whole number from {low} to {high}. Received: {name}={value!r}")
    return int(value)


def number_in(name: str, value: float, low: float, high: float = math.inf, advice: str = "") -> float:
    """Return `value` as a float, or raise ValueError, with the advice, when it is no finite number in [low, high]."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or not low <= value <= high:
        bounds = f"of at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        raise ValueError(f"Expected {name} to be a finite number {bounds}{advice}. Received: {name}={value!r}")
    return float(value)


def event_shape(name: str, value: object) -> tuple[int, ...]:
    """Return `value` as a tuple of positive ints, or raise ValueError; a single int is a vector's length."""
    sizes = [value] if isinstance(value, numbers.Integral) else value
    if not isinstance(sizes, Sequence) or isinstance(sizes, str) or not sizes:
        raise ValueError(
            f"Expected {name} to be a shape without its batch axis, such as (28, 28, 1). Received: {name}={value!r}"
        )
    return tuple(positive_int(f"every size in {name}", size) for size in sizes)


def did_you_mean(value: object, names: Iterable[str]) -> str:
    """Return a hint at the name that `value` resembles, to stand in a message; empty if it resembles none."""
    close = difflib.get_close_matches(str(value), list(names), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def one_of(name: str, value: str, names: Iterable[str]) -> str:
    """Return `value`, or raise ValueError when it is none of the names."""
    if value not in names:
        hint = did_you_mean(value, names)
        raise ValueError(f"Expected {name} to be one of {', '.join(names)}.{hint} Received: {name}={value!r}")
    return value
