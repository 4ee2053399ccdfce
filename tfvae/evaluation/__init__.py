"""Evaluation: numbers in nats, each with its error."""

from tfvae.evaluation import anomaly, disentanglement, exact, samples
from tfvae.evaluation.annealing import AnnealedEvidence, annealed_importance
from tfvae.evaluation.bidirectional import BidirectionalEvidence, bidirectional
from tfvae.evaluation.bound import Bound, elbo
from tfvae.evaluation.chains import sigmoid_ladder
from tfvae.evaluation.classification import ClassPosterior, class_posterior
from tfvae.evaluation.curve import EvidenceCurve, evidence_curve
from tfvae.evaluation.disentanglement import Disentanglement
from tfvae.evaluation.disentanglement import measure as measure_disentanglement
from tfvae.evaluation.distortion import Distortion, distortion
from tfvae.evaluation.evidence import LogEvidence, log_evidence
from tfvae.evaluation.imputation import Imputation, impute
from tfvae.evaluation.latent import (
    ActiveUnits,
    AggregatePosterior,
    ClassifierTest,
    LatentDiagnosis,
    MMDTest,
    RateDecomposition,
    RatePerDimension,
    active_units,
    aggregate_posterior,
    c2st,
    decompose_rate,
    diagnose,
    mmd_test,
    rate_per_dimension,
)
from tfvae.evaluation.prediction import Prediction, prediction
from tfvae.evaluation.steps import PerStep, per_step

__all__ = [
    "ActiveUnits",
    "AggregatePosterior",
    "AnnealedEvidence",
    "BidirectionalEvidence",
    "Bound",
    "ClassPosterior",
    "ClassifierTest",
    "Disentanglement",
    "Distortion",
    "EvidenceCurve",
    "Imputation",
    "LatentDiagnosis",
    "LogEvidence",
    "MMDTest",
    "PerStep",
    "Prediction",
    "RateDecomposition",
    "RatePerDimension",
    "active_units",
    "aggregate_posterior",
    "annealed_importance",
    "anomaly",
    "bidirectional",
    "c2st",
    "class_posterior",
    "decompose_rate",
    "diagnose",
    "disentanglement",
    "distortion",
    "elbo",
    "evidence_curve",
    "exact",
    "impute",
    "log_evidence",
    "measure_disentanglement",
    "mmd_test",
    "per_step",
    "prediction",
    "rate_per_dimension",
    "samples",
    "sigmoid_ladder",
]
