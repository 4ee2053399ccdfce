"""What `tensorflow_probability.distributions` lacks: families, and the point and moments that stand for one."""

import tfvae.draws  # noqa: F401 (registers the draws)
from tfvae.distributions.chain import Chain
from tfvae.distributions.codes import AutoregressiveCodes, CodePoint, IndependentCodes, OnCodes
from tfvae.distributions.experts import EqualMixture
from tfvae.distributions.flow import Flow, Step
from tfvae.distributions.low_rank_normal import LowRankNormal
from tfvae.distributions.mixture import Mixture
from tfvae.distributions.moments import centre, moments, shown
from tfvae.distributions.pixels import Autoregressive
from tfvae.distributions.power_spherical import PowerSpherical
from tfvae.distributions.proposals import proposal
from tfvae.distributions.relaxed_categorical import RelaxedCategorical
from tfvae.distributions.walk import Walk

__all__ = [
    "Autoregressive",
    "AutoregressiveCodes",
    "Chain",
    "CodePoint",
    "EqualMixture",
    "Flow",
    "IndependentCodes",
    "LowRankNormal",
    "Mixture",
    "OnCodes",
    "PowerSpherical",
    "RelaxedCategorical",
    "Step",
    "Walk",
    "centre",
    "moments",
    "proposal",
    "shown",
]
