"""Bach's chorales as piano rolls, which nobody serves: the user puts the file into the data folder."""

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfvae.data.binarization import NO_BINARIZATION
from tfvae.data.prepared import DatasetNotAvailable
from tfvae.data.source import Labels, Source
from tfvae.data.stored import Stored

_LOWEST, _KEYS = 21, 88  # of a piano, in MIDI's numbers
_SPLITS = {"train": "train", "validation": "valid", "test": "test"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PianoRolls(Source):
    """Pieces as lists of chords, each a list of MIDI's numbers of the notes that sound, in one JSON file.

    Its keys are train, valid and test. A piece becomes float32 zeros and ones `[steps, 88]`, followed by NaN up to the
    length of the longest of all splits.

    Attributes:
      file: its name.
      origin: where the pieces come from, for the message when the file is missing.
    """

    file: str
    origin: str

    def read(self, name: str, data_dir: str | None) -> tuple[dict[str, Stored], Labels]:
        """Return the pieces of the three splits; there are no labels."""
        folder = data_dir or os.environ.get("TFDS_DATA_DIR", ".")
        path = Path(folder, self.file)
        wanted = "a .json file of lists train, valid and test of pieces, lists of chords, lists of MIDI numbers"
        advice = f"Put {wanted} there, from {self.origin}, or pass another data_dir. Received: data_dir={folder!r}"
        if not path.is_file():
            raise DatasetNotAvailable(f"Expected {name} as the file {path}. {advice}")
        try:
            pieces = json.loads(path.read_text(encoding="utf-8"))
            longest = max(len(piece) for key in _SPLITS.values() for piece in pieces[key])
            rolls = {split: piano_rolls(pieces[key], longest) for split, key in _SPLITS.items()}
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise DatasetNotAvailable(f"Expected {wanted}: {path} is damaged: {error!r}. {advice}") from error
        return {split: Stored(values) for split, values in rolls.items()}, dict.fromkeys(_SPLITS)


def piano_rolls(pieces: Sequence[Sequence[Sequence[int]]], steps: int) -> np.ndarray:
    """Return float32 [n, steps, 88]: 1 for a note that sounds, 0 for others, NaN beyond the end of a piece.

    Raises:
      ValueError: for a note that no piano has.

    Example:
      >>> from tfvae.data.chorales import piano_rolls
      >>> piano_rolls([[[60, 64], [62]]], 3).sum(-1)
      array([[ 2.,  1., nan]], dtype=float32)
    """
    rolls = np.full([len(pieces), steps, _KEYS], np.nan, np.float32)
    for roll, piece in zip(rolls, pieces, strict=True):
        roll[: len(piece)] = 0.0
        for step, chord in zip(roll, piece, strict=False):
            keys = np.asarray(chord, int) - _LOWEST
            if not ((keys >= 0) & (keys < _KEYS)).all():
                raise ValueError(f"a note outside 21..108: {chord}")
            step[keys] = 1.0
    return rolls


JSB_CHORALES = PianoRolls(
    binarization=NO_BINARIZATION,
    is_binary=True,
    file="jsb-chorales-quarter.json",
    origin="https://github.com/czhuang/JSB-Chorales-dataset, the split of N. Boulanger-Lewandowski et al. 2012",
)
