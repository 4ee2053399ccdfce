"""Presets of the protocol of Burda et al., with their schedule cut short."""

from dataclasses import replace

import keras
import numpy as np

from tfvae import zoo
from tfvae.data import Splits
from tfvae.models import VAE
from tfvae.presets.preset import Preset
from tfvae.presets.selection import LastEpoch
from tfvae.protocols import burda2015_mnist

_STAGES = 5  # of the paper's 8: 3^i epochs each
_EPOCHS = [3**i for i in range(_STAGES)]
_RATES = [1e-4 * round(10 ** (1 - i / 7), 1) for i in range(_STAGES)]


def _staged(steps: int) -> keras.optimizers.Optimizer:
    ends = [int(end) * steps for end in np.cumsum(_EPOCHS)[:-1]]
    rate = keras.optimizers.schedules.PiecewiseConstantDecay(ends, _RATES)
    return keras.optimizers.Adam(rate, beta_1=0.99, epsilon=1e-4)


def _model(splits: Splits, samples: int) -> VAE:
    """Return the model, whose decoder begins at the mean training image, as in the authors' code."""
    model = zoo.iwae(splits.shape, 50, samples=samples, seed=0)
    stored = splits.stored["train"]
    mean = np.clip(stored.values.mean(0) / stored.divisor, 1e-3, 1 - 1e-3).ravel()
    model.decoder.head.projection.linear.bias.assign(np.log(mean / (1 - mean)))
    return model


iwae_mnist_k1 = Preset(
    name="iwae_mnist_k1",
    says="784-200-200-[50]-200-200-784, tanh, the decoder begins at the mean training image",
    citation=str(zoo.iwae.citation),
    protocol=burda2015_mnist,
    model=lambda splits: _model(splits, 1),
    optimizing=_staged,
    trained=f"Adam(0.99, 0.999, 1e-4), learning rates {', '.join(f'{rate:.1e}' for rate in _RATES)} for "
    f"{', '.join(map(str, _EPOCHS))} epochs: {_STAGES} of the 8 stages of the paper, {sum(_EPOCHS)} of its 3280 epochs",
    epochs=sum(_EPOCHS),
    batch_size=20,
    selection=LastEpoch(),
    published=burda2015_mnist.of("VAE, one stochastic layer, k = 1"),
)
iwae_mnist_k5 = replace(
    iwae_mnist_k1,
    name="iwae_mnist_k5",
    model=lambda splits: _model(splits, 5),
    published=burda2015_mnist.of("IWAE, one stochastic layer, k = 5"),
    twin="iwae_mnist_k1",
)
