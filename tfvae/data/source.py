"""What a row of the table of data sets must offer."""

import abc
import dataclasses
from collections.abc import Mapping

import numpy as np

from tfvae.data.binarization import Binarization
from tfvae.data.stored import Stored

Labels = Mapping[str, np.ndarray | None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source(abc.ABC):
    """One row of the table.

    Attributes:
      binarization: the default one.
      is_binary: whether the values are zeros and ones already.
    """

    binarization: Binarization
    is_binary: bool = False

    @abc.abstractmethod
    def read(self, name: str, data_dir: str | None) -> tuple[dict[str, Stored], Labels]:
        """Return the examples and the labels of the three splits."""
