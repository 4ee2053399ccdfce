"""Heads: features to `tfd.Distribution`. A posterior and a likelihood are the same kind of object."""

from tfvae.heads.autoregressive import InverseAutoregressive
from tfvae.heads.base import Head
from tfvae.heads.bernoulli import Bernoulli
from tfvae.heads.beta import Beta
from tfvae.heads.categorical import Categorical
from tfvae.heads.continuous_bernoulli import ContinuousBernoulli
from tfvae.heads.counts import NegativeBinomial, Poisson, ZeroInflatedNegativeBinomial
from tfvae.heads.coupling import Coupling
from tfvae.heads.full_normal import FullNormal
from tfvae.heads.incomplete import Incomplete
from tfvae.heads.laplace import Laplace
from tfvae.heads.low_rank_normal import LowRankNormal
from tfvae.heads.mechanisms import AtRandom, Mechanism, SelfMasking
from tfvae.heads.normal import DiagonalNormal, GridNormal, Normal
from tfvae.heads.normal_mixture import NormalMixture
from tfvae.heads.one_hot import OneHotCategorical
from tfvae.heads.planar import Planar
from tfvae.heads.point import Point
from tfvae.heads.product import Product
from tfvae.heads.quantized_logistic import QuantizedLogistic, QuantizedLogisticMixture
from tfvae.heads.relaxed import RelaxedCategorical
from tfvae.heads.scales import FixedScale, OptimalScale, PixelScale, Scale, SharedScale
from tfvae.heads.spherical import PowerSpherical
from tfvae.heads.student_t import SharedDegrees, StudentT
from tfvae.heads.support import (
    BINARY,
    COUNTS,
    LOG_SIMPLEX,
    ONE_HOT,
    OPEN_UNIT_INTERVAL,
    REAL,
    SPHERE,
    UNIT_INTERVAL,
    Support,
)
from tfvae.heads.sylvester import Householder, Sylvester
from tfvae.heads.transforms import Affine, Spline

__all__ = [
    "BINARY",
    "COUNTS",
    "LOG_SIMPLEX",
    "ONE_HOT",
    "OPEN_UNIT_INTERVAL",
    "REAL",
    "SPHERE",
    "UNIT_INTERVAL",
    "Affine",
    "AtRandom",
    "Bernoulli",
    "Beta",
    "Categorical",
    "ContinuousBernoulli",
    "Coupling",
    "DiagonalNormal",
    "FixedScale",
    "FullNormal",
    "GridNormal",
    "Head",
    "Householder",
    "Incomplete",
    "InverseAutoregressive",
    "Laplace",
    "LowRankNormal",
    "Mechanism",
    "NegativeBinomial",
    "Normal",
    "NormalMixture",
    "OneHotCategorical",
    "OptimalScale",
    "PixelScale",
    "Planar",
    "Point",
    "Poisson",
    "PowerSpherical",
    "Product",
    "QuantizedLogistic",
    "QuantizedLogisticMixture",
    "RelaxedCategorical",
    "Scale",
    "SelfMasking",
    "SharedDegrees",
    "SharedScale",
    "Spline",
    "StudentT",
    "Support",
    "Sylvester",
    "ZeroInflatedNegativeBinomial",
]
