"""Published models: functions that return a composition, built, with the paper's defaults."""

from tfvae.zoo.aae import aae
from tfvae.zoo.annealed import annealed
from tfvae.zoo.beta_tcvae import beta_tcvae
from tfvae.zoo.beta_vae import beta_vae
from tfvae.zoo.ciwae import ciwae
from tfvae.zoo.count_vae import count_vae
from tfvae.zoo.cvae import cvae
from tfvae.zoo.deep_markov import deep_markov
from tfvae.zoo.dip_vae_i import dip_vae_i
from tfvae.zoo.dip_vae_ii import dip_vae_ii
from tfvae.zoo.dreg import dreg
from tfvae.zoo.factor_vae import factor_vae
from tfvae.zoo.flow_prior import flow_prior
from tfvae.zoo.full_covariance import full_covariance
from tfvae.zoo.gm_vae import gm_vae
from tfvae.zoo.gumbel import gumbel
from tfvae.zoo.hvae import hvae
from tfvae.zoo.hvae_vamp import hvae_vamp
from tfvae.zoo.iaf import iaf
from tfvae.zoo.info_vae import info_vae
from tfvae.zoo.iwae import iwae
from tfvae.zoo.ladder import ladder
from tfvae.zoo.laplace import laplace
from tfvae.zoo.miwae import miwae
from tfvae.zoo.mixed_vae import mixed_vae
from tfvae.zoo.planar import planar
from tfvae.zoo.rae_gp import rae_gp
from tfvae.zoo.rae_l2 import rae_l2
from tfvae.zoo.renyi import renyi
from tfvae.zoo.s_vae import s_vae
from tfvae.zoo.sigma_vae import sigma_vae
from tfvae.zoo.spline import spline
from tfvae.zoo.stl import stl
from tfvae.zoo.sylvester import sylvester
from tfvae.zoo.two_stage import two_stage
from tfvae.zoo.vae import vae
from tfvae.zoo.vamp import vamp
from tfvae.zoo.vrnn import vrnn
from tfvae.zoo.wae_mmd import wae_mmd

__all__ = [
    "aae",
    "annealed",
    "beta_tcvae",
    "beta_vae",
    "ciwae",
    "count_vae",
    "cvae",
    "deep_markov",
    "dip_vae_i",
    "dip_vae_ii",
    "dreg",
    "factor_vae",
    "flow_prior",
    "full_covariance",
    "gm_vae",
    "gumbel",
    "hvae",
    "hvae_vamp",
    "iaf",
    "info_vae",
    "iwae",
    "ladder",
    "laplace",
    "miwae",
    "mixed_vae",
    "planar",
    "rae_gp",
    "rae_l2",
    "renyi",
    "s_vae",
    "sigma_vae",
    "spline",
    "stl",
    "sylvester",
    "two_stage",
    "vae",
    "vamp",
    "vrnn",
    "wae_mmd",
]
