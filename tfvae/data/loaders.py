"""Data sets by name."""

import difflib
import os

from tfvae.data import _checks
from tfvae.data.binarization import Binarization, require
from tfvae.data.source import Source
from tfvae.data.sources import SOURCES
from tfvae.data.splits import Splits


def names() -> tuple[str, ...]:
    """Return the names that `load` knows.

    Example:
      >>> from tfvae import data
      >>> "digits" in data.names()
      True
    """
    return tuple(SOURCES)


def _source(name: str) -> Source:
    if isinstance(name, str) and name in SOURCES:
        return SOURCES[name]
    close = difflib.get_close_matches(str(name), SOURCES, n=1, cutoff=0.0)[0]
    raise ValueError(
        f"name must be one of {', '.join(SOURCES)}. Received: name={name!r}. "
        f"Did you mean {close!r}? For other data use from_arrays or from_directory."
    )


def load(
    name: str,
    *,
    batch_size: int = 128,
    binarization: Binarization | None = None,
    seed: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
) -> Splits:
    """Return a data set as batches `x` of float32, ready for `fit`: pixels in [0, 1], but for counts and records.

    | name | train, validation, test | event shape | binarization unless another is passed |
    |---|---|---|---|
    | digits | 1257, 270, 270, stratified, part of scikit-learn | (8, 8, 1) | dynamic |
    | digit_counts | the same, as whole numbers from 0 to 16 | (8, 8, 1) | none |
    | digit_records | the same, as [standardised mean, label, 64 counts] | (66,) | none |
    | digit_rows | the same, as up to 8 rows of 8 pixels, above half or not | (8, 8) | none: it is binary |
    | digit_labels | the same, as [64 pixels, a 1 in one of ten columns] | (74,) | dynamic, which keeps labels |
    | shapes | 4916, 614, 614, drawn, with five known factors | (32, 32, 1) | dynamic |
    | mnist, fashion_mnist | 50000, 10000 (the last of train), 10000 | (28, 28, 1) | dynamic |
    | binarized_mnist | 50000, 10000, 10000, the last two permuted | (28, 28, 1) | none: it is binary |
    | omniglot | 17935, 1345 (drawn from train), 13180 | (28, 28, 1) | dynamic |
    | cmaterdb | 4500, 500 (drawn from train), 1000, Bangla digits | (32, 32, 3) | none |
    | cifar10 | 45000, 5000 (the last of train), 10000 | (32, 32, 3) | none |
    | celeb_a | 162770, 19867, 19962, central 148 x 148 resized | (64, 64, 3) | none |
    | frey_faces | 1565, 200, 200, permuted, from a file of the user's | (28, 20, 1) | none |
    | jsb_chorales | 229, 76, 77, piano rolls, from a file of the user's | (160, 88) | none: it is binary |

    digit_records is a table of a number, a category and counts, for the likelihood
    `heads.Product(heads.Normal(1), heads.Categorical(1, 10), heads.Poisson(64))`.

    digit_rows and jsb_chorales are sequences, [steps, event of a step], of different lengths: what is beyond the end of
    one is NaN, which `heads.Incomplete` scores as missing. The steps of a chorale are quarter notes, and its columns
    the keys of a piano, 21 to 108 in MIDI's numbers.
    digit_labels holds two modalities side by side, for the likelihood
    `heads.Product(heads.Modality(heads.Bernoulli(64)), heads.Modality(heads.OneHotCategorical(10)))`.

    shapes holds every combination of shape, scale, orientation, x and y once. Its labels are those factors, [n, 5] in
    the order of `data.shapes.FACTORS`, for `evaluation.disentanglement`.

    Which examples are held out is fixed and depends on no seed. "The last of train" are those of the prepared files,
    which `tensorflow_datasets` shuffles: the sizes are those of Larochelle's MNIST split, the members are not.
    binarized_mnist has that split itself; its original test file is sorted by class, so its validation and test are put
    in a fixed permutation whatever the order of the prepared files, while the other sets keep that order. omniglot is
    made from the 105 x 105 drawings by averaging over areas and inverting; its split is not that of the 28 x 28 files
    of Burda et al., so the two give different numbers.

    Args:
      name: one of `names()`.
      batch_size: examples in a batch.
      binarization: what becomes of grey values; None means the default of the data set.
      seed: of the order of the training examples.
      data_dir: folder of `tensorflow_datasets`; without it the environment variable TFDS_DATA_DIR, then its default.

    Raises:
      ValueError: for an unknown name, a binarization of binary data, or a bad batch size, seed or data_dir.
      DatasetNotAvailable: when the set is neither prepared nor downloadable, or its files are damaged.

    Example:
      >>> from tfvae import data
      >>> print(data.load("digits", binarization=data.StaticBinarization(seed=1)))
      Splits('digits', shape (8, 8, 1), train 1257, validation 270, test 270, \
binarization static: every split drawn once, seed 1)
    """
    return load_from(
        name, _source(name), batch_size=batch_size, binarization=binarization, seed=seed, data_dir=data_dir
    )


def load_from(
    name: str,
    source: Source,
    *,
    batch_size: int,
    binarization: Binarization | None,
    seed: int,
    data_dir: str | os.PathLike[str] | None,
) -> Splits:
    """Return the data set of one row of the table, or of a row like it, as `load` does."""
    _checks.seed(seed)
    _checks.positive(batch_size, "batch_size")
    chosen = source.binarization if binarization is None else require(binarization)
    if source.is_binary and chosen.draws:
        raise ValueError(
            f"{name} is binary already and takes no other binarization than NoBinarization(). "
            f"Received: binarization={chosen!r}. Leave it out, or use load('mnist') for grey pixels."
        )
    folder = None if data_dir is None else _checks.path(data_dir, "data_dir")
    stored, labels = source.read(name, folder)
    return Splits(name, stored, chosen, seed, batch_size, labels)
