"""Images of which some quarters are given and the others are to be completed."""

import dataclasses

import numpy as np
import tensorflow as tf

# Order in which quarters are given: lower left, upper left, upper right; the last one, lower right, never is.
_ORDER = ((1, 0), (0, 0), (0, 1))


@dataclasses.dataclass(frozen=True)
class Quadrants:
    """Divides images into the quarters that are given, c, and the others, x, and joins them again.

    One is the lower left quarter, two the left half, three all but the lower right quarter.

    Attributes:
      given: how many quarters are given, 1, 2 or 3.

    Raises:
      ValueError: for another number, or for images without two even axes of places.

    Reference: K. Sohn, H. Lee and X. Yan, "Learning Structured Output Representation using Deep Conditional Generative
    Models", 2015, Sec. 5.1.

    Example:
      >>> from tfvae import data
      >>> images = data.load("digits").array("test")
      >>> x, c = data.Quadrants(1).divide(images)
      >>> x.shape, c.shape
      ((270, 48), (270, 16))
      >>> bool((data.Quadrants(1).join(x, c, (8, 8, 1)) == images).all())
      True
    """

    given: int

    def __post_init__(self) -> None:
        """Check the number."""
        if self.given not in (1, 2, 3) or not isinstance(self.given, int):
            raise ValueError(f"Expected 1, 2 or 3 quarters to be given. Received: given={self.given!r}")

    def divide(self, images: np.ndarray | tf.Tensor) -> tuple[np.ndarray, np.ndarray] | tuple[tf.Tensor, tf.Tensor]:
        """Return what is to be completed and what is given of images [n, height, width, ...]: vectors x and c.

        Of batches of a data set too, `splits.train.map(Quadrants(1).divide)`.
        """
        mask = self.mask(tuple(images.shape[1:]))
        if isinstance(images, tf.Tensor):
            return tf.boolean_mask(images, ~mask, axis=1), tf.boolean_mask(images, mask, axis=1)
        return images[:, ~mask], images[:, mask]

    def join(self, x: np.ndarray, c: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return the images, [n, *shape], of completed and given quarters."""
        mask = self.mask(shape)
        images = np.empty([len(x), *shape], np.result_type(x, c))
        images[:, mask], images[:, ~mask] = c, x
        return images

    def mask(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return which values of an image of a shape are given."""
        if len(shape) < 2 or shape[0] % 2 or shape[1] % 2:
            raise ValueError(f"Expected images of even height and width. Received: images of shape {tuple(shape)}")
        height, width = shape[0] // 2, shape[1] // 2
        found = np.zeros(shape, bool)
        for row, column in _ORDER[: self.given]:
            found[row * height : (row + 1) * height, column * width : (column + 1) * width] = True
        return found
