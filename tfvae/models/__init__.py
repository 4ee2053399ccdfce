"""Models: what is drawn, and in what order."""

from tfvae.models.base import AbstractVAE
from tfvae.models.vae import VAE
from tfvae.trace import Trace

__all__ = ["VAE", "AbstractVAE", "Trace"]
