"""What the papers share: their default networks, and a citation on the function that builds the model."""

from collections.abc import Callable
from dataclasses import dataclass

from tfvae import heads, networks
from tfvae.conditional import Decoder, Encoder
from tfvae.errors import event_shape
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


def paper(citation: Citation) -> Callable:
    """Attach the citation to a function of the zoo as `.citation`."""

    def attach(build: Callable) -> Callable:
        setattr(build, "citation", citation)  # noqa: B010 (functions have no such attribute for a type checker)
        return build

    return attach


def pair(
    input_shape: tuple[int, ...], latent_dim: int, units: tuple[int, ...], likelihood: heads.Head | None = None
) -> tuple[Encoder, Decoder]:
    """Return an encoder with a diagonal normal posterior and its mirror image, a decoder; Bernoulli by default."""
    shape = event_shape("input_shape", input_shape)
    head = heads.Bernoulli(shape) if likelihood is None else likelihood
    encoder = Encoder(networks.mlp(*units), heads.DiagonalNormal(latent_dim), name="encoder")
    return encoder, Decoder(networks.mlp(*reversed(units)), head, name="decoder")


def warmed_elbo(beta: float | Schedule, steps: int) -> ELBO:
    """Return the ELBO with weight beta, reached on a straight line over the first `steps` steps, at once if 0."""
    return ELBO(Linear(steps, end=beta) if steps else beta)
