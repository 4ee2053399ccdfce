"""Evaluation: numbers in nats, each with its error."""

from tfvae.evaluation.bound import Bound, elbo
from tfvae.evaluation.distortion import Distortion, distortion
from tfvae.evaluation.evidence import LogEvidence, log_evidence

__all__ = ["Bound", "Distortion", "LogEvidence", "distortion", "elbo", "log_evidence"]
