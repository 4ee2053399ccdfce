"""Models: what is drawn, and in what order."""

from tfvae.models.base import AbstractModel
from tfvae.models.conditional import ConditionalModel
from tfvae.models.conditional_vae import ConditionalVAE
from tfvae.models.directed import DirectedModel
from tfvae.models.experts import MixtureOfExperts, MixtureOfProducts, ProductOfExperts
from tfvae.models.graph import Given, Variable
from tfvae.models.guided import Guided, LastState
from tfvae.models.hierarchy import BottomUp, Ladder, TopDown
from tfvae.models.ladder import LadderVAE
from tfvae.models.quantized import QuantizedVAE
from tfvae.models.semi_supervised import SemiSupervised
from tfvae.models.sequences import Emission, Filter, Smoother
from tfvae.models.sequential import SequentialVAE
from tfvae.models.vae import VAE
from tfvae.models.variational import AbstractVAE
from tfvae.trace import Trace

__all__ = [
    "VAE",
    "AbstractModel",
    "AbstractVAE",
    "BottomUp",
    "ConditionalModel",
    "ConditionalVAE",
    "DirectedModel",
    "Emission",
    "Filter",
    "Given",
    "Guided",
    "Ladder",
    "LadderVAE",
    "LastState",
    "MixtureOfExperts",
    "MixtureOfProducts",
    "ProductOfExperts",
    "QuantizedVAE",
    "SemiSupervised",
    "SequentialVAE",
    "Smoother",
    "TopDown",
    "Trace",
    "Variable",
]
