"""A small convolutional model for phones: as much evidence as two megabytes and two hours allow."""

from dataclasses import replace

import keras

from tfvae import heads, networks, priors
from tfvae.conditional import Decoder, Encoder
from tfvae.data import Splits
from tfvae.models import VAE
from tfvae.objectives import ELBO
from tfvae.objectives.schedules import Linear
from tfvae.presets.preset import Preset
from tfvae.presets.selection import BestValidation
from tfvae.protocols import larochelle_static

_EPOCHS, _WARM_UP, _LATENT = 120, 10, 32

# Ten times the work of the dense models for a sample; the mean of the estimate rises with the samples, so fewer of them
# flatter nobody.
_PROTOCOL = replace(
    larochelle_static,
    samples=500,
    departures=larochelle_static.departures.rstrip(".") + "; 500 samples instead of 5000.",
)


def _model(splits: Splits) -> VAE:
    layers = keras.layers
    down = keras.Sequential(
        [
            layers.Conv2D(16, 5, strides=2, padding="same", activation="relu"),
            layers.Conv2D(32, 5, strides=2, padding="same"),
            networks.ResidualBlock(),
            networks.ResidualBlock(),
            layers.Activation("relu"),
            layers.Conv2D(12, 1, activation="relu"),
            layers.Flatten(),
        ]
    )
    up = keras.Sequential(
        [
            layers.Dense(7 * 7 * 12),
            layers.Reshape((7, 7, 12)),
            layers.Conv2D(32, 1),
            networks.ResidualBlock(),
            networks.ResidualBlock(),
            layers.Activation("relu"),
            layers.Conv2DTranspose(24, 4, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(16, 4, strides=2, padding="same", activation="relu"),
        ]
    )
    posterior = heads.InverseAutoregressive(_LATENT, steps=2, units=(128,))
    prior = priors.Mixture(_LATENT, 200)
    objective = ELBO(Linear(_WARM_UP * splits.steps_per_epoch))
    encoder, decoder = Encoder(down, posterior, name="encoder"), Decoder(up, heads.Bernoulli(splits.shape))
    return VAE(encoder, decoder, prior, objective, seed=0, name="conv")


conv_static_mnist = Preset(
    name="conv_static_mnist",
    says="residual convolutions on 7 x 7, [32], two inverse autoregressive steps, prior a mixture of 200 normals",
    citation="A composition of this library's own",
    protocol=_PROTOCOL,
    model=_model,
    optimizing=lambda steps: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, _EPOCHS * steps)),
    environment="TF_ENABLE_ONEDNN_OPTS=1",
    trained=f"Adam, learning rate 2e-3 with cosine decay to 0, weight of the rate from 0 over {_WARM_UP} epochs",
    epochs=_EPOCHS,
    selection=BestValidation(),
)
