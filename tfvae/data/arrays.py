"""A user's own arrays as splits."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from tfvae.data import _checks
from tfvae.data.binarization import NO_BINARIZATION, Binarization, require
from tfvae.data.splits import SPLITS, Splits
from tfvae.data.stored import Stored, fixed_permutation


def _numeric(value: ArrayLike, name: str) -> np.ndarray:
    """Return a non-empty array of real numbers with a batch axis and at least one event axis."""
    try:
        array = np.asarray(value)
    except ValueError:  # NumPy's word for rows of unequal lengths
        raise ValueError(
            f"{name} must be an array of examples of equal shapes. Received: rows of unequal shapes. "
            "Pad or resize the examples to one shape."
        ) from None
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must hold real numbers. Received: {name} with dtype={array.dtype}. "
            "Convert it first, for example with .astype('float32')."
        )
    if array.ndim < 2:
        raise ValueError(
            f"{name} must have shape [n, *event], at least rank 2. Received: {name} with shape={array.shape}. "
            "Use array[:, None] for n scalars, array[None] for one example."
        )
    if array.size == 0:
        raise ValueError(
            f"{name} must hold at least one example. Received: {name} with shape={array.shape}. "
            "Leave the argument out to hold out a tenth of train."
        )
    return array


def _finite(array: np.ndarray, name: str) -> np.ndarray:
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        raise ValueError(
            f"{name} must hold finite float32 numbers. Received: {name} with {len(bad)} that are not, the first "
            f"at index {tuple(bad[0].tolist())}. Remove those examples or impute the values."
        )
    return array


def _stored(value: ArrayLike, name: str) -> Stored:
    """Check and copy one array: uint8 and bool stay one byte a value, all else becomes float32."""
    array = _numeric(value, name)
    if array.dtype == np.uint8:
        return Stored(np.array(array), divisor=255.0)
    if array.dtype == bool:
        return Stored(array.astype(np.uint8))
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf, which is reported
        return Stored(_finite(array.astype(np.float32), name))


def _check_alike(stored: Mapping[str, Stored]) -> None:
    first = stored["train"]
    for split, other in stored.items():
        if other.values.shape[1:] != first.values.shape[1:]:
            raise ValueError(
                f"train and {split} must hold examples of one shape. Received: train with shape="
                f"{first.values.shape}, {split} with shape={other.values.shape}. Reshape one of them."
            )
        if other.divisor != first.divisor:
            raise ValueError(
                f"train and {split} must be scaled alike, and only uint8 arrays are divided by 255. Received: one "
                f"of train and {split} with dtype=uint8, the other without. Convert both to one dtype."
            )


def _checked_labels(labels: Mapping[str, ArrayLike] | None, stored: Mapping[str, Stored]) -> dict[str, np.ndarray]:
    if labels is None:
        return {}
    if not isinstance(labels, Mapping):
        raise ValueError(
            "labels must map names of splits to arrays. "
            f"Received: labels of type {type(labels).__name__}. Use labels={{'train': array}}."
        )
    out = {}
    for split, value in labels.items():
        out[split] = np.array(value)
        n = len(stored[split]) if split in stored else 0
        if out[split].ndim == 0 or len(out[split]) != n or n == 0:
            raise ValueError(
                "labels must hold one label for each example of an array that is passed. "
                f"Received: labels[{split!r}] with shape={out[split].shape} for {n} examples. "
                "Pass as many labels as examples; held out examples take their labels from train's."
            )
    return out


def _hold_out(stored: dict[str, Stored], labels: dict[str, np.ndarray]) -> None:
    """Move a tenth of train to each split that is missing, labels too, in place."""
    missing = [split for split in SPLITS if split not in stored]
    whole, n = stored["train"], len(stored["train"])
    tenth = max(1, n // 10)
    if tenth * len(missing) >= n:
        raise ValueError(
            f"train must hold more than {len(missing)} examples so that {' and '.join(missing)} can be held out. "
            f"Received: train with {n} examples. Pass validation and test."
        )
    chosen = np.split(fixed_permutation(n), [tenth * (i + 1) for i in range(len(missing))])
    chosen[-1].sort()  # what stays in train keeps its order
    train_labels = labels.get("train")
    for split, index in zip((*missing, "train"), chosen, strict=True):
        stored[split] = Stored(whole.values[index], whole.divisor)
        if train_labels is not None:
            labels[split] = train_labels[index]


def from_arrays(
    train: ArrayLike,
    validation: ArrayLike | None = None,
    test: ArrayLike | None = None,
    *,
    labels: Mapping[str, ArrayLike] | None = None,
    name: str = "arrays",
    batch_size: int = 128,
    binarization: Binarization = NO_BINARIZATION,
    seed: int = 0,
) -> Splits:
    """Return a user's own arrays as splits.

    uint8 arrays are taken for pixels and divided by 255; bool and other integers are cast as they are; floats are
    kept, as float32. An array [n, h, w] is taken as it is, with event shape (h, w): convolutional networks want a
    channel axis, `array[..., None]`. The arrays are copied.

    Args:
      train: `[n, *event]`, anything `np.asarray` takes.
      validation: likewise; when missing, a tenth of train (at least one example) is held out, by a permutation that
        is always the same and does not depend on `seed`.
      test: likewise.
      labels: arrays `[n]`, or `[n, F]` of F factors, keyed by the names of the splits passed; held out examples take
        theirs from train's.
      name: of the data set.
      batch_size: examples in a batch.
      binarization: what becomes of grey values; a drawing one needs values in [0, 1] after scaling.
      seed: of the order of the training examples.

    Raises:
      ValueError: for an empty array, one of rank 0 or 1, one of strings, objects or complex numbers, one with a NaN or
        infinity, splits of unequal shapes, labels of another length, or a bad batch size or seed.

    Example:
      >>> import numpy as np
      >>> from tfvae import data
      >>> splits = data.from_arrays(np.random.default_rng(0).random((100, 5)), batch_size=32)
      >>> splits.sizes
      {'train': 80, 'validation': 10, 'test': 10}
    """
    require(binarization)
    _checks.seed(seed)
    _checks.positive(batch_size, "batch_size")
    stored = {"train": _stored(train, "train")}
    held = {"validation": validation, "test": test}
    stored |= {split: _stored(value, split) for split, value in held.items() if value is not None}
    _check_alike(stored)
    kept = _checked_labels(labels, stored)
    if len(stored) < len(SPLITS):
        _hold_out(stored, kept)
    return Splits(name, stored, binarization, seed, batch_size, kept)
