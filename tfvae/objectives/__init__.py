"""Objectives: from the log-densities of a trace to a bound on log p(x), per example, in nats."""

from tfvae.objectives import kernels, penalties, schedules
from tfvae.objectives.base import Critic, Objective
from tfvae.objectives.capacity import Capacity
from tfvae.objectives.critic import MarginalsCritic, PriorCritic
from tfvae.objectives.distortion import Distortion
from tfvae.objectives.elbo import ELBO
from tfvae.objectives.estimators import STL, DReG
from tfvae.objectives.free_bits import FreeBits
from tfvae.objectives.groups import BalancedGroups, FreeGroups, GroupBetas
from tfvae.objectives.importance import CIWAE, IWAE, MIWAE, Renyi

__all__ = [
    "CIWAE",
    "ELBO",
    "IWAE",
    "MIWAE",
    "STL",
    "BalancedGroups",
    "Capacity",
    "Critic",
    "DReG",
    "Distortion",
    "FreeBits",
    "FreeGroups",
    "GroupBetas",
    "MarginalsCritic",
    "Objective",
    "PriorCritic",
    "Renyi",
    "kernels",
    "penalties",
    "schedules",
]
