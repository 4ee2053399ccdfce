"""The evidence without sampling, of models that are small or simple enough: what estimates are checked against."""

from tfvae.evaluation.exact.enumeration import Enumeration, enumerate_latents
from tfvae.evaluation.exact.gaps import InferenceGaps, inference_gaps
from tfvae.evaluation.exact.linear import linear_gaussian
from tfvae.evaluation.exact.quadrature import quadrature
from tfvae.evaluation.exact.record import ExactEvidence

__all__ = [
    "Enumeration",
    "ExactEvidence",
    "InferenceGaps",
    "enumerate_latents",
    "inference_gaps",
    "linear_gaussian",
    "quadrature",
]
