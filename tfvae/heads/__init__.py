"""Heads: features to `tfd.Distribution`. A posterior and a likelihood are the same kind of object."""

from tfvae.heads.base import Head
from tfvae.heads.bernoulli import Bernoulli
from tfvae.heads.normal import DiagonalNormal, Normal
from tfvae.heads.scales import FixedScale, SharedScale
from tfvae.heads.support import BINARY, REAL, Support

__all__ = ["BINARY", "REAL", "Bernoulli", "DiagonalNormal", "FixedScale", "Head", "Normal", "SharedScale", "Support"]
