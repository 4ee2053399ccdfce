"""Priors: called with nothing, return a `tfd.Distribution` built from their weights at every call."""

from tfvae.priors.base import Prior
from tfvae.priors.categorical import UniformCategorical
from tfvae.priors.codes import AutoregressiveCodes, UniformCodes
from tfvae.priors.descent import Descent
from tfvae.priors.dynamics import Dynamics
from tfvae.priors.flow import FlowPrior
from tfvae.priors.hierarchy import Hierarchy
from tfvae.priors.laplace import StandardLaplace
from tfvae.priors.learned import Learned
from tfvae.priors.mixture import Mixture
from tfvae.priors.sphere import UniformSphere
from tfvae.priors.standard import StandardNormal
from tfvae.priors.vamp import VampPrior

__all__ = [
    "AutoregressiveCodes",
    "Descent",
    "Dynamics",
    "FlowPrior",
    "Hierarchy",
    "Learned",
    "Mixture",
    "Prior",
    "StandardLaplace",
    "StandardNormal",
    "UniformCategorical",
    "UniformCodes",
    "UniformSphere",
    "VampPrior",
]
