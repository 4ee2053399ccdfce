"""THE table: every model of the zoo, with the smallest settings that show its behaviour."""

from collections.abc import Callable
from typing import NamedTuple

from tfvae import zoo

SMALL = {"latent_dim": 3, "units": (16,)}
POINT = {  # what a point mass cannot offer
    "refused": ("elbo", "log_evidence"),
    "refused_extras": ("score", "impute", "personalise"),
}


class Case(NamedTuple):
    """One row."""

    build: Callable
    options: dict
    exact_rate: bool = True
    data: str = "digits"
    refused: tuple[str, ...] = ()
    """Signatures that no format offers."""
    refused_by_tflite: tuple[str, ...] = ()
    """Signatures that need an operator which TFLite has not built in."""
    refused_extras: tuple[str, ...] = ()
    """Signatures beyond those of every export that no format offers."""
    conditioned: bool = False
    """Whether the labels of the data are the condition."""


def case(build: Callable, exact_rate: bool = True, **settings: object) -> Case:
    """Return a row with small settings and those that are given; the fields of `Case` with a default by their names."""
    fields = {name: settings.pop(name) for name in Case._field_defaults if name in settings}
    return Case(build, {**SMALL, **settings}, exact_rate, **fields)


# One for each kind of export: without a rate, with a density of its own for the prior, draws, data, inputs. Those of
# the others take ten minutes, and are marked slow.
EXPORTED_FIRST = {"vae", "wae_mmd", "vamp", "iaf", "gumbel", "mixed_vae", "cvae"}

CASES = {
    "vae": case(zoo.vae),
    "beta_vae": case(zoo.beta_vae, beta=2.0),
    "annealed": case(zoo.annealed, gamma=10.0, capacity=5.0, steps=30),
    "sigma_vae": case(zoo.sigma_vae),
    "iwae": case(zoo.iwae, samples=3),
    "miwae": case(zoo.miwae, groups=2, samples=3),
    "ciwae": case(zoo.ciwae, samples=3),
    "renyi": case(zoo.renyi, samples=3),
    "dreg": case(zoo.dreg, samples=3),
    "stl": case(zoo.stl),
    "full_covariance": case(zoo.full_covariance),
    "laplace": case(zoo.laplace),
    "gm_vae": case(zoo.gm_vae, False, components=3),
    "vamp": case(zoo.vamp, False, components=3),
    "flow_prior": case(zoo.flow_prior, False, hidden=(8,), steps=2),
    "planar": case(zoo.planar, False, steps=2),
    "sylvester": case(zoo.sylvester, False, steps=2, rank=2, reflections=2),
    "iaf": case(zoo.iaf, False, hidden=(8,), steps=2),
    "spline": case(zoo.spline, False, hidden=(8,), steps=2, bins=4),
    "s_vae": case(zoo.s_vae),
    "gumbel": case(zoo.gumbel, False, classes=3),
    "beta_tcvae": case(zoo.beta_tcvae, examples=1257),
    "factor_vae": case(zoo.factor_vae, critic_units=(16,)),
    "dip_vae_i": case(zoo.dip_vae_i),
    "dip_vae_ii": case(zoo.dip_vae_ii),
    "info_vae": case(zoo.info_vae, scale=10.0),
    "wae_mmd": case(zoo.wae_mmd, False, **POINT),
    "aae": case(zoo.aae, False, critic_units=(16,), **POINT),
    "rae_l2": case(zoo.rae_l2, False, **POINT),
    "rae_gp": case(zoo.rae_gp, False, **POINT),
    "count_vae": case(zoo.count_vae, data="digit_counts"),
    "mixed_vae": case(zoo.mixed_vae, data="digit_records", refused_extras=("impute",)),
    "two_stage": case(zoo.two_stage),
    "hvae": case(zoo.hvae, False, units=(16,)),
    "hvae_vamp": case(zoo.hvae_vamp, False, units=(16,), components=3),
    "cvae": case(zoo.cvae, conditioned=True, refused_extras=("impute", "personalise")),
    "ladder": case(zoo.ladder, False, latent_dim=4, units=(16, 8)),
    "vrnn": case(zoo.vrnn, False, units=(16,), data="digit_rows", refused_extras=("impute", "personalise")),
    "deep_markov": case(zoo.deep_markov, False, units=(16,), data="digit_rows", refused_extras=("personalise",)),
}
