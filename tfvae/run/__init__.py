"""One training run as one folder: what `tfvae train` does with the parts of the library."""

from tfvae.run.options import Options
from tfvae.run.training import train

__all__ = ["Options", "train"]
