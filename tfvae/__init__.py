"""Variational auto-encoders for TensorFlow, Keras 3 and TensorFlow Probability."""

import os
import sys
from pathlib import Path

if Path(sys.argv[0]).stem == "tfvae":
    # On the command line TensorFlow's talk about missing GPUs would bury the results; it reads this when it loads.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tfvae import callbacks, data, evaluation, export, heads, networks, objectives, priors, zoo
from tfvae.conditional import Conditional, Decoder, Encoder
from tfvae.errors import ExportError, IncompatibleParts
from tfvae.models import VAE, AbstractVAE, Trace

__version__ = "0.1.0"

__all__ = [
    "VAE",
    "AbstractVAE",
    "Conditional",
    "Decoder",
    "Encoder",
    "ExportError",
    "IncompatibleParts",
    "Trace",
    "callbacks",
    "data",
    "evaluation",
    "export",
    "heads",
    "networks",
    "objectives",
    "priors",
    "zoo",
]
