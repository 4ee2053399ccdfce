"""Checks of arguments that every function of this package shares."""

import operator
import os
from typing import SupportsIndex

# TensorFlow's stateless generators take int32 seeds everywhere; a larger one would be truncated without a word.
LARGEST_SEED = 2**31 - 1


def _integer(value: SupportsIndex) -> int | None:
    """Return the value as an int, or None for what is no integer (a bool is none either)."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def seed(value: SupportsIndex, name: str = "seed") -> int:
    """Return a seed as an int in 0..2**31 - 1, or raise ValueError."""
    number = _integer(value)
    if number is None or not 0 <= number <= LARGEST_SEED:
        raise ValueError(
            f"{name} must be an int in 0..2**31 - 1. Received: {name}={value!r}. Use for example {name}=0."
        )
    return number


def positive(value: SupportsIndex, name: str) -> int:
    """Return a count as an int of at least 1, or raise ValueError."""
    number = _integer(value)
    if number is None or number < 1:
        raise ValueError(
            f"{name} must be an int of at least 1. Received: {name}={value!r}. Use for example {name}=128."
        )
    return number


def step(value: SupportsIndex) -> int:
    """Return a training step as an int of at least 0, or raise ValueError."""
    number = _integer(value)
    if number is None or number < 0:
        raise ValueError(
            f"step must be an int of at least 0. Received: step={value!r}. Use the optimizer's iterations, as an int."
        )
    return number


def path(value: str | os.PathLike[str], name: str) -> str:
    """Return a path as a str, or raise ValueError."""
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)
    raise ValueError(f"{name} must be a path. Received: {name}={value!r}. Use a str or a pathlib.Path.")


def size(value: tuple[int, int]) -> tuple[int, int]:
    """Return a (height, width) pair of positive ints, or raise ValueError."""
    pair = value if isinstance(value, (tuple, list)) else ()
    numbers = [number for side in pair if (number := _integer(side)) is not None and number >= 1]
    if len(pair) != 2 or len(numbers) != 2:
        raise ValueError(
            "size must be two ints of at least 1, (height, width). "
            f"Received: size={value!r}. Use for example size=(64, 64)."
        )
    return numbers[0], numbers[1]


def channels(value: int) -> int:
    """Return 1 or 3, or raise ValueError."""
    if isinstance(value, bool) or value not in (1, 3):
        raise ValueError(f"channels must be 1 (grey) or 3 (colour). Received: channels={value!r}. Use channels=3.")
    return value
