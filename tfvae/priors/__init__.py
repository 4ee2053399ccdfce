"""Priors: called with nothing, return a `tfd.Distribution` built from their weights at every call."""

from tfvae.priors.base import Prior
from tfvae.priors.standard import StandardNormal

__all__ = ["Prior", "StandardNormal"]
