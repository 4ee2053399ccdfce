"""The floor: the matrix products of a step by NumPy's BLAS, and nothing else."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from benchmarks.serve import serve
from benchmarks.works import PIXELS, UNITS, Work

_ROWS = 5000  # decoded at a time when the evidence is estimated


class Product(NamedTuple):
    """A matrix product [rows, inner] [inner, columns], with the operand that BLAS reads transposed, if any."""

    rows: int
    inner: int
    columns: int
    transposed: int | None = None

    @property
    def flops(self) -> int:
        """Multiplications and additions."""
        return 2 * self.rows * self.inner * self.columns


def forward(rows: int, widths: tuple[int, ...]) -> list[Product]:
    """Return X W for each layer."""
    return [Product(rows, before, after) for before, after in pairwise(widths)]


def backward(rows: int, widths: tuple[int, ...], inputs: bool) -> list[Product]:
    """Return X' G for each layer, and G W' for each but the first, for that too where `inputs` need a gradient."""
    layers = list(pairwise(widths))
    weights = [Product(before, rows, after, transposed=0) for before, after in layers]
    return weights + [Product(rows, after, before, transposed=1) for before, after in layers[0 if inputs else 1 :]]


def products(work: Work) -> list[Product]:
    """Return the products of one step on a whole batch; for the evidence, of decoding 5000 samples."""
    encoder, decoder = (PIXELS, UNITS, UNITS, 2 * work.latent), (work.latent, UNITS, UNITS, PIXELS)
    if work.evidence:
        return forward(_ROWS, decoder)
    rows = work.batch * work.samples
    return [
        *forward(work.batch, encoder), *backward(work.batch, encoder, inputs=False),
        *forward(rows, decoder), *backward(rows, decoder, inputs=True),
    ]  # fmt: skip


def _operation(product: Product, random: np.random.Generator) -> Callable[[], object]:
    def operand(rows: int, columns: int, transposed: bool) -> np.ndarray:
        shape = (columns, rows) if transposed else (rows, columns)
        drawn = random.standard_normal(shape, np.float32)
        return drawn.T if transposed else drawn

    left = operand(product.rows, product.inner, product.transposed == 0)
    right = operand(product.inner, product.columns, product.transposed == 1)
    out = np.empty((product.rows, product.columns), np.float32)
    return lambda: np.matmul(left, right, out=out)


def prepare(work: Work, images: np.ndarray) -> Callable[[], int]:
    """Return the products of as many steps as one pass over the images has."""
    random = np.random.default_rng(0)
    operations = [_operation(product, random) for product in products(work)]
    unit = _ROWS if work.evidence else work.batch
    steps = max(1, len(images) * (work.samples if work.evidence else 1) // unit)

    def chunk() -> int:
        for _ in range(steps):
            for operation in operations:
                operation()
        return steps * unit

    return chunk


if __name__ == "__main__":
    serve(prepare)
