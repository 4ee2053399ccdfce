"""THE table: every model of the zoo, with the smallest settings that show its behaviour."""

from collections.abc import Callable
from typing import NamedTuple

from tfvae import zoo


class Case(NamedTuple):
    """One row."""

    build: Callable
    options: dict
    shape: tuple[int, ...] = (8, 8, 1)
    exact_rate: bool = True


CASES = {
    "vae": Case(zoo.vae, {"latent_dim": 3, "units": (16,)}),
    "beta_vae": Case(zoo.beta_vae, {"latent_dim": 3, "units": (16,), "beta": 2.0}),
}
