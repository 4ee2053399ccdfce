"""What is timed: the works, their sizes and their targets."""

from dataclasses import dataclass, field, replace

UNITS = 200  # width of each of the two hidden layers of the dense network
PIXELS = 784
SHAPE = (28, 28, 1)


@dataclass(frozen=True)
class Work:
    """One thing that every contestant does.

    Training runs over `examples` images once in a timed chunk; with `evidence` the chunk draws `samples` importance
    samples for each of them instead, and what is counted is decoded samples.
    """

    name: str
    title: str
    examples: int
    """Images of one timed chunk."""
    batch: int = 128
    latent: int = 50
    samples: int = 1
    """Samples of z for each image."""
    iwae: bool = False
    """Whether the objective is the importance-weighted bound rather than the ELBO."""
    conv: bool = False
    """Whether the networks are convolutional."""
    evidence: bool = False
    """Whether log p(x) is estimated rather than a model trained."""
    peers: dict[str, float | None] = field(default_factory=dict)
    """Other contestants, each with the ratio of rates that tfvae should reach against it, if any."""
    memory: dict[str, float] = field(default_factory=dict)
    """Other contestants, each with the ratio of peak memory that tfvae should not exceed."""

    @property
    def unit(self) -> str:
        """What a rate is measured in."""
        return "decodes/s" if self.evidence else "images/s"


_NET = "784-200-200-[50]-200-200-784, tanh"
_RACES = (
    Work("W1", f"one epoch of `fit`, {_NET}, batch 128", 50000,
         peers={"torch_loop": 1.5, "pythae": 1.5, "jax_loop": 1.0, "floor": 0.6, "bare": 0.9, "keras_plain": None}),
    Work("W2", f"one epoch of `fit`, {_NET}, batch 20", 20000, batch=20,
         peers={"torch_loop": 2.0, "pythae": 2.0, "jax_loop": 1.1, "floor": None, "bare": 0.9, "keras_plain": None}),
    Work("W3", f"importance-weighted bound, K = 50, {_NET}, batch 20", 2000, batch=20, samples=50, iwae=True,
         peers={"pythae": 2.5, "jax_loop": 1.0, "floor": 0.6, "torch_loop": None}),
    Work("W4", f"log evidence, 5000 samples an image, {_NET}", 200, samples=5000, evidence=True,
         peers={"pythae": 3.0, "floor": 0.6}),
    Work("W5", "one epoch of `fit`, convolutions (32, 64, dense 256) and their mirror image, batch 128", 5000,
         conv=True, peers={"torch_loop": 1.2, "keras_plain": None}, memory={"torch_loop": 1.0}),
)  # fmt: skip
RACES = {work.name: work for work in _RACES}
OTHERS = {"W6": "cold start", "W7": "how cost grows"}

# One list for each axis, the first entry being what the others are compared with.
GROWTH = {
    "K": [Work(f"K={k}", "", n, samples=k, iwae=True) for k, n in ((1, 20000), (5, 10000), (50, 2000))],
    "D": [Work(f"D={latent}", "", 30000, latent=latent) for latent in (2, 50, 200)],
    "batch": [Work(f"batch={batch}", "", 20000, batch=batch) for batch in (20, 128, 512)],
    "n": [Work(f"n={n}", "", n) for n in (5000, 50000)],
}


def named(name: str, quick: bool = False) -> Work:
    """Return the work of that name, about a tenth of it with `quick`.

    Raises:
        KeyError: if there is none.
    """
    works = RACES | {work.name: work for axis in GROWTH.values() for work in axis}
    work = works[name]
    if not quick:
        return work
    if work.evidence:
        return replace(work, examples=work.examples // 2, samples=work.samples // 10)
    return replace(work, examples=work.examples // 10)
