"""Evaluation: numbers in nats, each with its error."""

from tfvae.evaluation.bound import Bound, elbo
from tfvae.evaluation.evidence import LogEvidence, log_evidence

__all__ = ["Bound", "LogEvidence", "elbo", "log_evidence"]
