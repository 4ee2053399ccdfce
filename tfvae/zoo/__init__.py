"""Published models: functions that return a composition, built, with the paper's defaults."""

from tfvae.zoo.beta_vae import beta_vae
from tfvae.zoo.vae import vae

__all__ = ["beta_vae", "vae"]
