"""Densities without latent variables, with one vocabulary: `fit`, `log_prob`, `sample`, `distribution`."""

from tfvae.density.bandwidth import Bandwidth, LeaveOneOut, Scott, Silverman
from tfvae.density.base import Density
from tfvae.density.kernel import KernelDensity
from tfvae.density.mixture import NormalMixture
from tfvae.density.parametric import Estimate, Parametric
from tfvae.distributions.kernels import Epanechnikov, Gaussian, Kernel, TopHat

__all__ = [
    "Bandwidth",
    "Density",
    "Epanechnikov",
    "Estimate",
    "Gaussian",
    "Kernel",
    "KernelDensity",
    "LeaveOneOut",
    "NormalMixture",
    "Parametric",
    "Scott",
    "Silverman",
    "TopHat",
]
