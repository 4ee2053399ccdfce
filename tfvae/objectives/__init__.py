"""Objectives: from the log-densities of a trace to a bound on log p(x), per example, in nats."""

from tfvae.objectives import schedules
from tfvae.objectives.base import Objective
from tfvae.objectives.elbo import ELBO

__all__ = ["ELBO", "Objective", "schedules"]
