"""Penalties: what an objective takes off the bound beside the rate, one number for a batch, or for each example."""

from tfvae.objectives.penalties.base import Penalty
from tfvae.objectives.penalties.codes import Codebook, Commitment
from tfvae.objectives.penalties.covariance import LatentCovariance, MeanCovariance
from tfvae.objectives.penalties.discrepancy import MMD
from tfvae.objectives.penalties.smoothness import GradientPenalty, SquaredNorm
from tfvae.objectives.penalties.total_correlation import Stratified, TotalCorrelation, Weighted

__all__ = [
    "MMD",
    "Codebook",
    "Commitment",
    "GradientPenalty",
    "LatentCovariance",
    "MeanCovariance",
    "Penalty",
    "SquaredNorm",
    "Stratified",
    "TotalCorrelation",
    "Weighted",
]
