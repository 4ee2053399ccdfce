"""Disentanglement: whether each code of a model stands for one known factor of the data, each score with its error.

Every score takes codes [n, D] and factors [n, F] as arrays. None needs all combinations of the values of the factors.
"""

from tfvae.evaluation.disentanglement.dci import DCI, dci
from tfvae.evaluation.disentanglement.fixed import beta_vae_score, factor_vae_score
from tfvae.evaluation.disentanglement.information import mig, modularity
from tfvae.evaluation.disentanglement.learners import boosted_trees, linear_svc, random_forest, straight_line
from tfvae.evaluation.disentanglement.measure import Disentanglement, measure
from tfvae.evaluation.disentanglement.predictability import explicitness, sap
from tfvae.evaluation.disentanglement.ranking import Ranking, lasso, spearman, udr
from tfvae.evaluation.disentanglement.robustness import irs
from tfvae.evaluation.disentanglement.score import Score

__all__ = [
    "DCI",
    "Disentanglement",
    "Ranking",
    "Score",
    "beta_vae_score",
    "boosted_trees",
    "dci",
    "explicitness",
    "factor_vae_score",
    "irs",
    "lasso",
    "linear_svc",
    "measure",
    "mig",
    "modularity",
    "random_forest",
    "sap",
    "spearman",
    "straight_line",
    "udr",
]
