"""A data set that is one NumPy archive, which nobody serves: the user puts the file into the data folder."""

import dataclasses
import os
import zipfile
from pathlib import Path

import numpy as np

from tfvae.data.binarization import NO_BINARIZATION
from tfvae.data.prepared import DatasetNotAvailable
from tfvae.data.source import Labels, Source
from tfvae.data.stored import Stored, fixed_permutation


@dataclasses.dataclass(frozen=True, kw_only=True)
class Archive(Source):
    """uint8 images `[n, h, w]` in one `.npz` file of the data folder, put in a fixed order and cut into three.

    Attributes:
      file: its name.
      key: of the images in it.
      shape: of one image, h and w.
      validation: how many examples it holds.
      test: likewise; the rest is for training.
      origin: where the images come from, for the message when the file is missing.
    """

    file: str
    key: str
    shape: tuple[int, int]
    validation: int
    test: int
    origin: str

    def read(self, name: str, data_dir: str | None) -> tuple[dict[str, Stored], Labels]:
        """Return the examples of the three splits; there are no labels."""
        folder = data_dir or os.environ.get("TFDS_DATA_DIR", ".")
        path = Path(folder, self.file)
        wanted = f"an .npz file with an array {self.key!r}, uint8 [n, {self.shape[0]}, {self.shape[1]}]"
        advice = f"Put {wanted} there, made from {self.origin}, or pass another data_dir. Received: data_dir={folder!r}"
        if not path.is_file():
            raise DatasetNotAvailable(f"Expected {name} as the file {path}. {advice}")
        try:
            with np.load(path) as archive:
                images = archive[self.key]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DatasetNotAvailable(f"Expected {wanted}: {path} is damaged: {error}. {advice}") from error
        if images.dtype != np.uint8 or images.shape[1:] != self.shape or len(images) <= self.validation + self.test:
            raise DatasetNotAvailable(f"Expected {wanted}: {path} holds {images.dtype} {list(images.shape)}. {advice}")
        images = images[fixed_permutation(len(images))][..., None]
        train = len(images) - self.validation - self.test
        cut = np.split(images, [train, train + self.validation])
        splits = dict(zip(("train", "validation", "test"), cut, strict=True))
        return {split: Stored(values, 255.0) for split, values in splits.items()}, dict.fromkeys(splits)


FREY_FACES = Archive(
    binarization=NO_BINARIZATION,
    file="frey_faces.npz",
    key="images",
    shape=(28, 20),
    validation=200,
    test=200,
    origin="https://github.com/jmtomczak/vae_vampprior (datasets/freyfaces)",
)
