"""Heads: features to `tfd.Distribution`. A posterior and a likelihood are the same kind of object."""

from tfvae.heads.autoregressive import InverseAutoregressive
from tfvae.heads.autoregressive_pixels import Autoregressive
from tfvae.heads.base import Head
from tfvae.heads.bernoulli import Bernoulli
from tfvae.heads.beta import Beta
from tfvae.heads.categorical import Categorical
from tfvae.heads.codebooks import ByGradient, CodebookRule, MovingAverage
from tfvae.heads.continuous_bernoulli import ContinuousBernoulli
from tfvae.heads.counts import NegativeBinomial, Poisson, ZeroInflatedNegativeBinomial
from tfvae.heads.coupling import Coupling
from tfvae.heads.full_normal import FullNormal
from tfvae.heads.incomplete import Incomplete
from tfvae.heads.laplace import Laplace
from tfvae.heads.low_rank_normal import LowRankNormal
from tfvae.heads.mechanisms import AtRandom, Mechanism, SelfMasking
from tfvae.heads.modality import Modality
from tfvae.heads.normal import DiagonalNormal, GridNormal, Normal
from tfvae.heads.normal_mixture import NormalMixture
from tfvae.heads.one_hot import OneHotCategorical
from tfvae.heads.planar import Planar
from tfvae.heads.point import Point
from tfvae.heads.product import Product
from tfvae.heads.quantized import Quantized
from tfvae.heads.quantized_logistic import QuantizedLogistic, QuantizedLogisticMixture
from tfvae.heads.quantizers import FiniteScalar, Quantizer, ResidualQuantizer, VectorQuantizer
from tfvae.heads.relaxed import RelaxedCategorical
from tfvae.heads.scales import FixedScale, OptimalScale, PixelScale, Scale, SharedScale
from tfvae.heads.spherical import PowerSpherical
from tfvae.heads.student_t import SharedDegrees, StudentT
from tfvae.heads.support import (
    BINARY,
    CODES,
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
    "CODES",
    "COUNTS",
    "LOG_SIMPLEX",
    "ONE_HOT",
    "OPEN_UNIT_INTERVAL",
    "REAL",
    "SPHERE",
    "UNIT_INTERVAL",
    "Affine",
    "AtRandom",
    "Autoregressive",
    "Bernoulli",
    "Beta",
    "ByGradient",
    "Categorical",
    "CodebookRule",
    "ContinuousBernoulli",
    "Coupling",
    "DiagonalNormal",
    "FiniteScalar",
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
    "Modality",
    "MovingAverage",
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
    "Quantized",
    "QuantizedLogistic",
    "QuantizedLogisticMixture",
    "Quantizer",
    "RelaxedCategorical",
    "ResidualQuantizer",
    "Scale",
    "SelfMasking",
    "SharedDegrees",
    "SharedScale",
    "Spline",
    "StudentT",
    "Support",
    "Sylvester",
    "VectorQuantizer",
    "ZeroInflatedNegativeBinomial",
]
