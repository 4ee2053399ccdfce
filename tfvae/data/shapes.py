"""Drawn shapes whose factors are known exactly: every combination of shape, scale, orientation and place, once.

A shape has an area of `scale^2` pixels and its centre of mass at (x, y), so that both can be read off an image. None
of the shapes looks the same after less than a full turn: the orientation is a factor without a second meaning.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from tfvae.data.source import Labels, Source
from tfvae.data.stored import Stored, fixed_permutation

FACTORS: Mapping[str, int] = MappingProxyType({"shape": 3, "scale": 4, "orientation": 8, "x": 8, "y": 8})
"""Name of each factor, in the order of the columns of the labels, and how many values it has."""

SHAPES = ("triangle", "half_disc", "corner")
"""Names of the values of the factor shape."""

SCALES = (4.5, 5.5, 6.5, 7.5)
"""Values of the factor scale: the side of the square of the same area, in pixels."""

PLACES = (9, 11, 13, 15, 17, 19, 21, 23)
"""Values of x (to the right) and y (downwards): the centre of mass, in pixels from the upper left corner."""

SIZE = 32
"""Height and width of an image."""

_FINE = 16  # a pixel is the mean of 16 x 16 points
_HALF_DISC = (math.sqrt(2.0 / math.pi), 4.0 / (3.0 * math.pi) * math.sqrt(2.0 / math.pi))  # radius, flat side to mass
_CORNER = math.sqrt(4.0 / 3.0)  # side of a square that has an area of one without a quarter of itself


def _triangle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """An isosceles triangle of base 6/5 and height 5/3, which points upwards."""
    height, half = 5.0 / 3.0, 0.6
    down = v + height * 2.0 / 3.0  # from the tip, the mass lying at two thirds of the height
    return (down <= height) & (np.abs(u) * height <= down * half)


def _half_disc(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The upper half of a disc."""
    radius, mass = _HALF_DISC
    up = mass - v  # from the flat side
    return (up >= 0) & (u * u + up * up <= radius * radius)


def _corner(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A square without its upper right quarter."""
    right, up = u + _CORNER * 5.0 / 12.0, _CORNER * 5.0 / 12.0 - v
    inside = (right >= 0) & (up >= 0) & (right <= _CORNER) & (up <= _CORNER)
    return inside & ((right <= _CORNER / 2) | (up <= _CORNER / 2))


_INSIDE: tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], ...] = (_triangle, _half_disc, _corner)


def _turned(u: np.ndarray, v: np.ndarray, eighths: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of a shape's own axes, when it is turned clockwise by eighths of a full turn."""
    # From square roots, which are rounded alike on every machine: cosines are not.
    cosines = (1.0, math.sqrt(0.5), 0.0, -math.sqrt(0.5), -1.0, -math.sqrt(0.5), 0.0, math.sqrt(0.5))
    cosine, sine = cosines[eighths], cosines[(eighths - 2) % 8]
    return cosine * u + sine * v, cosine * v - sine * u


def sprite(shape: int, scale: int, orientation: int) -> np.ndarray:
    """Return one shape in the middle of an image, uint8 [32, 32], its edges grey by the share of the pixel they cover.

    Args:
      shape: index into SHAPES.
      scale: index into SCALES.
      orientation: eighths of a full turn clockwise.

    Example:
      >>> from tfvae.data import shapes
      >>> image = shapes.sprite(shape=1, scale=2, orientation=3)
      >>> round(image.sum() / 255), shapes.SCALES[2] ** 2
      (42, 42.25)
    """
    line = (np.arange(SIZE * _FINE) + 0.5) / _FINE - SIZE / 2
    u, v = _turned(line / SCALES[scale], line[:, None] / SCALES[scale], orientation)
    covered = _INSIDE[shape](u, v).reshape(SIZE, _FINE, SIZE, _FINE).mean((1, 3))  # [32, 32]
    return np.rint(255.0 * covered).astype(np.uint8)


@functools.cache
def render() -> tuple[np.ndarray, np.ndarray]:
    """Return all images, uint8 [6144, 32, 32, 1], and their factors, int64 [6144, 5], the last factor varying fastest.

    Example:
      >>> from tfvae.data import shapes
      >>> images, factors = shapes.render()
      >>> images.shape, dict(zip(shapes.FACTORS, factors[-1].tolist()))
      ((6144, 32, 32, 1), {'shape': 2, 'scale': 3, 'orientation': 7, 'x': 7, 'y': 7})
    """
    sizes = tuple(FACTORS.values())
    images = np.empty((*sizes, SIZE, SIZE), np.uint8)
    middle = SIZE // 2
    for form in itertools.product(*map(range, sizes[:3])):
        drawn = sprite(*form)
        for i, j in itertools.product(*map(range, sizes[3:])):  # no shape reaches the edge: nothing comes round
            images[(*form, i, j)] = np.roll(drawn, (PLACES[j] - middle, PLACES[i] - middle), (0, 1))
    factors = np.stack(np.unravel_index(np.arange(math.prod(sizes)), sizes), -1)
    images = images.reshape(-1, SIZE, SIZE, 1)
    for array in (images, factors):
        array.flags.writeable = False  # the arrays are kept for the next call
    return images, factors


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shapes(Source):
    """All shapes in a fixed order that tells nothing, cut into three.

    Attributes:
      held_out: examples of validation, and as many of test.
    """

    held_out: int = 614

    def read(self, name: str, data_dir: str | None) -> tuple[dict[str, Stored], Labels]:
        """Return the examples and their factors [n, 5]; nothing is downloaded and data_dir is not used."""
        images, factors = render()
        order = fixed_permutation(len(images))
        cut = np.split(order, [len(order) - 2 * self.held_out, len(order) - self.held_out])
        index = dict(zip(("train", "validation", "test"), cut, strict=True))
        stored = {split: Stored(images[i], 255.0) for split, i in index.items()}
        return stored, {split: factors[i] for split, i in index.items()}
