"""The table of data sets: where each comes from, how it is split, and what is done to its images."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfvae.data.archives import FREY_FACES
from tfvae.data.binarization import DynamicBinarization, NoBinarization
from tfvae.data.chorales import JSB_CHORALES
from tfvae.data.prepared import DatasetNotAvailable, prepared_builder, read
from tfvae.data.shapes import Shapes
from tfvae.data.source import Labels, Source
from tfvae.data.stored import Stored, fixed_permutation


def _images(images: np.ndarray, labels: np.ndarray, train: np.ndarray) -> np.ndarray:
    return images


def digit_records(images: np.ndarray, labels: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return float32 records [n, 66]: the mean of the pixels, standardised by the training split; label; pixels."""
    pixels = images.reshape(len(images), -1).astype(np.float64)
    ink = pixels.mean(1)
    standard = (ink - ink[train].mean()) / ink[train].std()
    return np.column_stack([standard, labels, pixels]).astype(np.float32)


def digit_rows(images: np.ndarray, labels: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return float32 sequences [n, 8, 8] of rows, 1 where there is half the ink or more, the last rows of some NaN.

    Where it ends, after 4 to 8 rows, is decided by a permutation that is always the same.
    """
    rows = (images[..., 0] >= 8).astype(np.float32)
    lengths = 4 + fixed_permutation(len(rows)) % 5
    return np.where(np.arange(8)[:, None] < lengths[:, None, None], rows, np.float32(np.nan))


def digit_labels(images: np.ndarray, labels: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return uint8 pairs [n, 74] of an image and its label: 64 pixels from 0 to 16; ten columns, 16 in the label's."""
    return np.concatenate([images.reshape(len(images), -1), 16 * np.eye(10, dtype=np.uint8)[labels]], 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Digits(Source):
    """scikit-learn's 1797 digits of 8 x 8 pixels in 0..16, split by class in parts of about 70, 15 and 15 %.

    Attributes:
      divisor: what a stored value is divided by.
      examples: from images, uint8 [n, 8, 8, 1], labels [n] and the index of the training examples to what is stored.
    """

    divisor: float = 16.0
    examples: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray] = _images

    def read(self, name: str, data_dir: str | None) -> tuple[dict[str, Stored], Labels]:
        """Return the examples and the labels; nothing is downloaded and data_dir is not used."""
        try:
            from sklearn.datasets import load_digits  # takes a second, so only when it is needed
            from sklearn.model_selection import train_test_split
        except ImportError as error:
            raise DatasetNotAvailable(
                f"{name} is part of scikit-learn, which cannot be imported: {error}. Run pip install scikit-learn."
            ) from error
        images, labels = load_digits(return_X_y=True)
        rest, test = train_test_split(np.arange(len(labels)), test_size=270, stratify=labels, random_state=0)
        train, validation = train_test_split(rest, test_size=270, stratify=labels[rest], random_state=0)
        index = {"train": train, "validation": validation, "test": test}
        values = self.examples(images.astype(np.uint8).reshape(-1, 8, 8, 1), labels, train)
        stored = {split: Stored(values[i], self.divisor) for split, i in index.items()}
        return stored, {split: labels[i] for split, i in index.items()}


def _unchanged(image: tf.Tensor) -> tf.Tensor:
    return image


def celeb_a_image(image: tf.Tensor) -> tf.Tensor:
    """Crop the central 148 x 148 of a 218 x 178 photograph and resize it to 64 x 64, bilinear with antialiasing."""
    crop = image[35:183, 15:163]
    return tf.saturate_cast(tf.round(tf.image.resize(crop, (64, 64), antialias=True)), tf.uint8)


def omniglot_image(image: tf.Tensor) -> tf.Tensor:
    """Average a 105 x 105 x 3 drawing over areas to 28 x 28 x 1 and invert it, so that a stroke is 255."""
    grey = tf.image.resize(image[..., :1], (28, 28), method="area")  # the three channels are equal
    return tf.saturate_cast(tf.round(255.0 - grey), tf.uint8)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared(Source):
    """A data set of `tensorflow_datasets`.

    Attributes:
      tfds_name: its name there, with its configuration.
      label: key of its labels, or None.
      validation: its validation split, or None to hold out examples of train.
      held_out: how many.
      order: n -> order of the training examples, whose last `held_out` are held out.
      evaluation_order: n -> order of validation and test.
      image: function of one image.
      divisor: the largest value of a pixel.
    """

    tfds_name: str
    label: str | None = "label"
    validation: str | None = None
    held_out: int = 0
    order: Callable[[int], np.ndarray] = np.arange
    evaluation_order: Callable[[int], np.ndarray] = np.arange
    image: Callable[[tf.Tensor], tf.Tensor] = _unchanged
    divisor: float = 255.0

    def _select(self, example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        image = self.image(example["image"])
        return (image,) if self.label is None else (image, example[self.label])

    def read(self, name: str, data_dir: str | None) -> tuple[dict[str, Stored], Labels]:
        """Return the examples and the labels of the three splits."""
        builder = prepared_builder(name, self.tfds_name, data_dir)
        train, test = (read(builder, split, self._select) for split in ("train", "test"))
        if self.validation is None:
            order = self.order(len(train[0]))
            kept, held_out = np.sort(order[: -self.held_out]), order[-self.held_out :]
            train, validation = [a[kept] for a in train], [a[held_out] for a in train]
        else:
            validation = read(builder, self.validation, self._select)
        arrays = {"train": train}
        for split, values in {"validation": validation, "test": test}.items():
            index = self.evaluation_order(len(values[0]))
            arrays[split] = [a[index] for a in values]
        stored = {split: Stored(values[0], self.divisor) for split, values in arrays.items()}
        return stored, {split: None if self.label is None else values[1] for split, values in arrays.items()}


SOURCES: dict[str, Source] = {
    "digits": Digits(binarization=DynamicBinarization()),
    "digit_counts": Digits(binarization=NoBinarization(), divisor=1.0),
    "digit_records": Digits(binarization=NoBinarization(), divisor=1.0, examples=digit_records),
    "digit_rows": Digits(binarization=NoBinarization(), divisor=1.0, is_binary=True, examples=digit_rows),
    "digit_labels": Digits(binarization=DynamicBinarization(), examples=digit_labels),
    "shapes": Shapes(binarization=DynamicBinarization()),
    # The sizes of Larochelle's split; its members cannot be told, because the prepared files are shuffled.
    "mnist": Prepared(tfds_name="mnist", binarization=DynamicBinarization(), held_out=10000),
    "fashion_mnist": Prepared(tfds_name="fashion_mnist", binarization=DynamicBinarization(), held_out=10000),
    # Its values are 0 and 1, not 0 and 255. The original test file is sorted by class, so that a prefix would be a
    # biased sample; today's builder shuffles it, which the permutation does not rely on.
    "binarized_mnist": Prepared(
        tfds_name="binarized_mnist",
        binarization=NoBinarization(),
        is_binary=True,
        label=None,
        validation="validation",
        evaluation_order=fixed_permutation,
        divisor=1.0,
    ),
    "omniglot": Prepared(
        tfds_name="omniglot",
        binarization=DynamicBinarization(),
        held_out=1345,
        order=fixed_permutation,
        image=omniglot_image,
    ),
    "cmaterdb": Prepared(
        tfds_name="cmaterdb/bangla", binarization=NoBinarization(), held_out=500, order=fixed_permutation
    ),
    "cifar10": Prepared(tfds_name="cifar10", binarization=NoBinarization(), held_out=5000),
    "celeb_a": Prepared(
        tfds_name="celeb_a", binarization=NoBinarization(), label=None, validation="validation", image=celeb_a_image
    ),
    "frey_faces": FREY_FACES,
    "jsb_chorales": JSB_CHORALES,
}
