"""The latent space of a trained model: who is active, what z tells of x, whether q(z) is the prior."""

from tfvae.evaluation.latent.activity import ActiveUnits, active_units
from tfvae.evaluation.latent.aggregate import AggregatePosterior, aggregate_posterior
from tfvae.evaluation.latent.decomposition import decompose_rate
from tfvae.evaluation.latent.diagnosis import LatentDiagnosis, diagnose
from tfvae.evaluation.latent.rates import RatePerDimension, rate_per_dimension
from tfvae.evaluation.latent.terms import RateDecomposition
from tfvae.evaluation.latent.two_sample import c2st, mmd_test
from tfvae.evaluation.latent.verdicts import ClassifierTest, MMDTest

__all__ = [
    "ActiveUnits",
    "AggregatePosterior",
    "ClassifierTest",
    "LatentDiagnosis",
    "MMDTest",
    "RateDecomposition",
    "RatePerDimension",
    "active_units",
    "aggregate_posterior",
    "c2st",
    "decompose_rate",
    "diagnose",
    "mmd_test",
    "rate_per_dimension",
]
