"""Protocols of published numbers: what data, which split, how many samples. Only numbers of one protocol compare."""

import hashlib
import os
from dataclasses import dataclass

import numpy as np

from tfvae.data import Binarization, DynamicBinarization, NoBinarization, Splits
from tfvae.data.loaders import load_from
from tfvae.data.source import Source
from tfvae.data.sources import SOURCES, Prepared

__all__ = ["UNLABELLED", "Protocol", "Published", "burda2015_mnist", "contents", "larochelle_static",
           "tomczak2018_frey_faces"]  # fmt: skip


@dataclass(frozen=True)
class Published:
    """A number that somebody published under a protocol, in its unit: the higher the better for log evidence."""

    model: str
    """What was measured."""
    value: float
    """The number."""
    unit: str
    """"nats" (log p(x) of an example) or "bits per dimension"."""
    source: str
    """Where it was published, or who quotes it."""

    def __str__(self) -> str:
        return f"{self.value:g} {self.unit} ({self.model}; {self.source})"


@dataclass(frozen=True)
class Protocol:
    """What has to be the same for two numbers to be compared.

    Example:
        >>> import tfvae
        >>> tfvae.protocols.larochelle_static.samples
        5000
    """

    name: str
    """Its name in this module."""
    data: str
    """Name of the data set, as in `data.names()`."""
    source: Source | None
    """The data set's split; None if the protocol is none."""
    binarization: Binarization | None
    """What becomes of grey values."""
    sha256: str
    """`contents` of the data."""
    samples: int
    """Importance samples for the evidence of an example, all test examples."""
    seed: int
    """Of the importance samples."""
    departures: str
    """In what it differs from the publication, in one sentence."""
    reference: str
    """The publication."""
    published: tuple[Published, ...] = ()
    """Numbers that may stand beside one measured by this protocol."""

    def load(self, *, batch_size: int = 100, seed: int = 0, data_dir: str | os.PathLike[str] | None = None) -> Splits:
        """Load the protocol's data set: its version, split and binarisation.

        Args:
            batch_size: examples in a batch.
            seed: of the order of the training examples.
            data_dir: folder of the data.

        Raises:
            ValueError: if the files hold another version of the data, or there is no protocol.
            DatasetNotAvailable: as `data.load` does.
        """
        if self.source is None:
            raise ValueError("Expected a protocol with a data set, such as protocols.larochelle_static. Received: none")
        splits = load_from(
            self.data, self.source, batch_size=batch_size, binarization=self.binarization, seed=seed, data_dir=data_dir
        )
        found = contents(splits)
        if found != self.sha256:
            raise ValueError(
                f"Expected the version of {self.data} whose examples have the SHA-256 {self.sha256}, because numbers "
                f"of different data do not compare. Prepare the set anew. Received: {found}"
            )
        return splits

    def of(self, *models: str) -> tuple[Published, ...]:
        """Return the published numbers of some models, in that order.

        Raises:
            ValueError: if one has none.
        """
        known = {number.model: number for number in self.published}
        if unknown := [model for model in models if model not in known]:
            raise ValueError(f"Expected models among {', '.join(map(repr, known))}. Received: {unknown}")
        return tuple(known[model] for model in models)

    def __str__(self) -> str:
        if self.source is None:
            return "unlabelled: no published number may be compared with this one"
        binarization = self.binarization.describe() if self.binarization else "none"
        return (
            f"{self.name}: {self.data}, binarization {binarization}, all test examples, {self.samples} importance "
            f"samples, seed {self.seed}; {self.departures} {self.reference}"
        )


def contents(splits: Splits) -> str:
    """Return a SHA-256 of the examples of each split before any binarisation, in whatever order they are stored.

    Example:
        >>> import tfvae
        >>> len(tfvae.protocols.contents(tfvae.data.load("digits")))
        64
    """
    digest = hashlib.sha256()
    for split, stored in splits.stored.items():
        digest.update(split.encode())
        for example in sorted(hashlib.sha256(row).digest() for row in np.ascontiguousarray(stored.values)):
            digest.update(example)
    return digest.hexdigest()


UNLABELLED = Protocol(
    name="unlabelled", data="", source=None, binarization=None, sha256="", samples=0, seed=0, departures="",
    reference="",
)  # fmt: skip
"""The protocol of a number that has none."""

_PYTHAE = "pythae's table of reproductions, examples/scripts/reproducibility/README.md"
_ALTOSAAR = "README of github.com/altosaar/variational-autoencoder, whose script draws 1000 samples an image"
_TOMCZAK = "Tomczak and Welling 2018, as quoted from memory: not verified"

larochelle_static = Protocol(
    name="larochelle_static",
    data="binarized_mnist",
    source=SOURCES["binarized_mnist"],
    binarization=NoBinarization(),
    sha256="23750d97c6238c5f61a754c935a0b6d4a25dc5663b00e38f5d5dea2ffb9d8088",
    samples=5000,
    seed=0,
    departures="Larochelle's files and split, 50000, 10000 and 10000 images.",
    reference="Larochelle and Murray 2011; evidence as in Burda et al. 2016, Eq. (8), https://arxiv.org/abs/1509.00519",
    published=(
        Published("VAE, 784-400-[40]-400-784", -89.9, "nats", f"Rezende and Mohamed 2015, as quoted in {_PYTHAE}"),
        Published("VAE, 784-400-[40]-400-784, pythae", -89.78, "nats", f"{_PYTHAE}, 200 samples"),
        Published("VAE, one stochastic layer", -88.71, "nats", "Burda et al. 2016, App. D"),
        Published("IWAE, K = 5", -87.63, "nats", "Burda et al. 2016, App. D"),
        Published(
            "VampPrior, gated 300-300-[40], K = 500",
            -85.57,
            "nats",
            f"Tomczak and Welling 2018, as quoted in {_PYTHAE}",
        ),
        Published("VAE, gated 300-300-[40]", -88.56, "nats", _TOMCZAK),
        Published("VAE, [128], mean field", -97.10, "nats", _ALTOSAAR),
        Published("VAE, [128], inverse autoregressive flow", -95.33, "nats", _ALTOSAAR),
    ),
)
"""MNIST binarised once, by Larochelle: the same zeros and ones for everybody."""

burda2015_mnist = Protocol(
    name="burda2015_mnist",
    data="mnist",
    source=Prepared(tfds_name="mnist", binarization=DynamicBinarization(), held_out=400),
    binarization=DynamicBinarization(),
    sha256="780841ee910e291bb6fbc8f9de7289fb9727bee55c9ccc605266cdba4d0c8887",
    samples=5000,
    seed=0,
    departures=(
        "59600 images drawn again in every epoch and test images drawn once, as in the authors' code, but with the "
        "generator of this library, and the 400 held out are the last of the prepared files."
    ),
    reference="Burda et al. 2016, Sec. 5, https://arxiv.org/abs/1509.00519",
    published=(
        Published("VAE, one stochastic layer, k = 1", -86.76, "nats", "Burda et al. 2016, Table 1"),
        Published("IWAE, one stochastic layer, k = 5", -85.54, "nats", "Burda et al. 2016, Table 1"),
        Published("IWAE, one stochastic layer, k = 50", -84.78, "nats", "Burda et al. 2016, Table 1"),
    ),
)
"""MNIST binarised anew whenever a training image is seen."""

tomczak2018_frey_faces = Protocol(
    name="tomczak2018_frey_faces",
    data="frey_faces",
    source=SOURCES["frey_faces"],
    binarization=NoBinarization(),
    sha256="417812d084c041e1fb8a5a74a3db77da8984d1613b049bdcb295ee47c3ac5d0f",
    samples=5000,
    seed=0,
    departures=(
        "1565, 200 and 200 images with 256 levels as in the authors' code; which images are which is decided by a "
        "permutation of this library."
    ),
    reference="Tomczak and Welling 2018, App. C, https://arxiv.org/abs/1705.07120",
    published=(
        Published("VAE, standard prior", 4.63, "bits per dimension", _TOMCZAK),
        Published("VAE, VampPrior", 4.57, "bits per dimension", _TOMCZAK),
    ),
)
"""Frey faces: 1965 frames of one face, 28 x 20 grey pixels."""
