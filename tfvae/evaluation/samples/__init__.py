"""Samples: fidelity and diversity, distances to the data, memorisation."""

from tfvae.evaluation.samples.classifier import FeatureClassifier, Pixels
from tfvae.evaluation.samples.frechet import FrechetDistance, frechet_distance
from tfvae.evaluation.samples.kernel import KernelDistance, kernel_distance
from tfvae.evaluation.samples.measurement import Comparison, SampleQuality, compare, measure
from tfvae.evaluation.samples.memory import Memorisation, memorisation
from tfvae.evaluation.samples.neighbours import DensityCoverage, PrecisionRecall, density_coverage, precision_recall

__all__ = [
    "Comparison",
    "DensityCoverage",
    "FeatureClassifier",
    "FrechetDistance",
    "KernelDistance",
    "Memorisation",
    "Pixels",
    "PrecisionRecall",
    "SampleQuality",
    "compare",
    "density_coverage",
    "frechet_distance",
    "kernel_distance",
    "measure",
    "memorisation",
    "precision_recall",
]
