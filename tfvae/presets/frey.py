"""Presets on the Frey faces: a standard normal prior against a VampPrior, in bits per dimension."""

from dataclasses import replace

import keras

from tfvae import heads, networks, priors, zoo
from tfvae.conditional import Decoder, Encoder
from tfvae.data import Splits
from tfvae.models import VAE
from tfvae.objectives import ELBO
from tfvae.objectives.schedules import Linear
from tfvae.presets.preset import Preset
from tfvae.presets.selection import BestValidation
from tfvae.protocols import tomczak2018_frey_faces

_WARM_UP = 100


def _model(splits: Splits, *, vamp: bool) -> VAE:
    encoder = Encoder(networks.gated(300, 300), heads.DiagonalNormal(40), name="encoder")
    decoder = Decoder(networks.gated(300, 300), heads.QuantizedLogistic(splits.shape), name="decoder")
    initial = keras.initializers.RandomNormal(0.5, 0.02)
    prior = priors.VampPrior(encoder, 500, splits.shape, initial) if vamp else priors.StandardNormal(40)
    objective = ELBO(Linear(_WARM_UP * splits.steps_per_epoch))
    return VAE(encoder, decoder, prior, objective, seed=0, name="frey_faces")


vae_frey_faces = Preset(
    name="vae_frey_faces",
    says="560-300-300-[40]-300-300-560, gated, quantised logistic likelihood of 256 levels",
    citation=str(zoo.vae.citation),
    protocol=tomczak2018_frey_faces,
    model=lambda splits: _model(splits, vamp=False),
    optimizing=lambda steps: keras.optimizers.Adam(5e-4),
    trained=f"Adam, learning rate 5e-4, weight of the rate from 0 over {_WARM_UP} epochs",
    epochs=1000,
    selection=BestValidation(),
    published=tomczak2018_frey_faces.of("VAE, standard prior"),
)
vamp_frey_faces = replace(
    vae_frey_faces,
    name="vamp_frey_faces",
    citation=str(zoo.vamp.citation),
    model=lambda splits: _model(splits, vamp=True),
    published=tomczak2018_frey_faces.of("VAE, VampPrior"),
    twin="vae_frey_faces",
)
