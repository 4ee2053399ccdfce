"""What the papers share: their default networks, and what is said of them on the function that builds the model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from tfvae import heads, networks
from tfvae.conditional import Decoder, Encoder
from tfvae.errors import event_shape
from tfvae.heads import Head
from tfvae.objectives import ELBO
from tfvae.objectives.schedules import Linear, Schedule


@dataclass(frozen=True)
class Citation:
    """Where a model was published."""

    title: str
    authors: str
    year: int
    url: str

    def __str__(self) -> str:
        return f"{self.authors}, {self.title!r}, {self.year}, {self.url}"


# Papers of several models each, or with a long name.
GHOSH_2020 = Citation(
    "From Variational to Deterministic Autoencoders", "P. Ghosh et al.", 2020, "https://arxiv.org/abs/1903.12436"
)
KUMAR_2018 = Citation(
    "Variational Inference of Disentangled Latent Concepts", "A. Kumar et al.", 2018, "https://arxiv.org/abs/1711.00848"
)
LEE_2022 = Citation(
    "Autoregressive Image Generation using Residual Quantization", "D. Lee et al.", 2022,
    "https://arxiv.org/abs/2203.01941",
)  # fmt: skip
MENTZER_2023 = Citation(
    "Finite Scalar Quantization: VQ-VAE Made Simple", "F. Mentzer et al.", 2023, "https://arxiv.org/abs/2309.15505"
)
OORD_2017 = Citation(
    "Neural Discrete Representation Learning", "A. van den Oord, O. Vinyals and K. Kavukcuoglu", 2017,
    "https://arxiv.org/abs/1711.00937",
)  # fmt: skip
RAINFORTH_2018 = Citation(
    "Tighter Variational Bounds are Not Necessarily Better", "T. Rainforth et al.", 2018,
    "https://arxiv.org/abs/1802.04537",
)  # fmt: skip
SOHN_2015 = Citation(
    "Learning Structured Output Representation using Deep Conditional Generative Models", "K. Sohn, H. Lee and X. Yan",
    2015, "https://papers.nips.cc/paper_files/paper/2015/hash/8d55a249e6baa5c06772297520da2051-Abstract.html",
)  # fmt: skip
TOMCZAK_2018 = Citation("VAE with a VampPrior", "J. Tomczak and M. Welling", 2018, "https://arxiv.org/abs/1705.07120")


@dataclass(frozen=True)
class Suits:
    """What `tfvae train` takes if it is not told otherwise."""

    data: str = "digits"
    """Name of a data set."""
    binarization: str | None = None
    """How its grey values become binary; None: as the data set says."""
    conditioned: bool = False
    """Whether the labels are the condition."""
    own_likelihood: bool = False
    """Whether the model's default is kept, as that of one step of a sequence is."""


def paper(citation: Citation, suits: Suits = Suits()) -> Callable:
    """Attach to a function of the zoo where it comes from, as `.citation`, and what it suits, as `.suits`."""

    def attach(build: Callable) -> Callable:
        setattr(build, "citation", citation)  # noqa: B010 (functions have no such attribute for a type checker)
        setattr(build, "suits", suits)  # noqa: B010
        return build

    return attach


def pair(
    input_shape: tuple[int, ...],
    posterior: int | Head,
    units: tuple[int, ...],
    likelihood: Head | None = None,
    *,
    activation: str = "relu",
) -> tuple[Encoder, Decoder]:
    """Return an encoder and its mirror image, a decoder, of dense layers.

    Args:
        input_shape: shape of x.
        posterior: the head of the encoder; an int is the length of a diagonal normal posterior.
        units: width of each layer of the encoder.
        likelihood: the head of the decoder; Bernoulli if None.
        activation: of every layer.
    """
    shape = event_shape("input_shape", input_shape)
    above = posterior if isinstance(posterior, Head) else heads.DiagonalNormal(posterior)
    below = heads.Bernoulli(shape) if likelihood is None else likelihood
    encoder = Encoder(networks.mlp(*units, activation=activation), above, name="encoder")
    return encoder, Decoder(networks.mlp(*reversed(units), activation=activation), below, name="decoder")


def columns_of(input_shape: tuple[int, ...], categories: Mapping[int, int], counts: Sequence[int]) -> list[Head]:
    """Return the likelihoods of a record's columns from left to right, neighbours of one kind in one head.

    Raises:
        ValueError: if `input_shape` is not that of a vector, or a column is not there or of two kinds.
    """
    (size,) = shape = event_shape("input_shape", input_shape)[:1]
    named = sorted([*categories, *counts])
    if len(input_shape) != 1 or len(set(named)) != len(named) or (named and not 0 <= named[0] <= named[-1] < size):
        raise ValueError(
            "Expected a vector of columns, each named in categories or in counts at most once. "
            f"Received: input_shape={shape}, categories={dict(categories)}, counts={tuple(counts)}"
        )
    made = []
    for levels, run in groupby(range(size), lambda column: categories.get(column, 0 if column in counts else -1)):
        width = len(list(run))
        if levels > 0:
            made.append(heads.Categorical(width, levels, step=1.0))
        else:
            made.append(heads.NegativeBinomial(width) if levels == 0 else heads.Normal(width, heads.PixelScale()))
    return made


def warmed_elbo(beta: float | Schedule, steps: int) -> ELBO:
    """Return the ELBO with weight beta, reached on a straight line over the first `steps` steps, at once if 0."""
    return ELBO(Linear(steps, end=beta) if steps else beta)
