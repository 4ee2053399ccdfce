# %% [markdown]
# # Pixel by pixel
#
# A decoder with independent pixels leaves everything that pixels have in common to z. One that draws each pixel given
# those before it can model the images alone, and then has no use for z: the rate costs nats and buys nothing. What
# makes z speak again is a decoder that sees less, or nats that cost nothing.

# %%
"""Autoregressive decoders: how z falls silent under a strong one, what gives it back, and what it then says."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads this when it loads

import keras
import matplotlib.pyplot as plt
import numpy as np

import tfvae
from tfvae import callbacks, data, evaluation, heads, networks, objectives, priors
from tfvae.random import as_seed, draw

EPOCHS = int(os.environ.get("TUTORIAL_EPOCHS", "32"))
OUT = Path(os.environ.get("TUTORIAL_OUT", "tutorial_output"))
OUT.mkdir(parents=True, exist_ok=True)
LATENT = 8
digits = data.load("digits", batch_size=64)
x = digits.array("test")


def pixels(filters, layers, kernel_size):
    """Return a likelihood whose pixels see `layers` half kernels far: four of 5 x 5 cover the image."""
    return heads.Autoregressive(heads.Bernoulli(digits.shape), networks.GatedPixelCNN(filters, layers, kernel_size))


def trained(likelihood, objective):
    """Return a VAE of the digits with a likelihood and an objective, and the units active in each epoch."""
    keras.utils.set_random_seed(0)
    encoder = tfvae.Encoder(networks.mlp(128), heads.DiagonalNormal(LATENT))
    decoder = tfvae.Decoder(networks.mlp(128), likelihood)
    model = tfvae.VAE(encoder, decoder, priors.StandardNormal(LATENT), objective, seed=0)
    model.compile(keras.optimizers.Adam(3e-3))
    monitor = callbacks.CollapseMonitor(digits.array("validation"), patience=EPOCHS + 1)
    active = model.fit(digits.train, epochs=EPOCHS, verbose=0, callbacks=[monitor]).history["active_units"]
    return model, active


# %% [markdown]
# ## Four decoders
#
# Rate and evidence are in nats per test image, the evidence by importance sampling. A gain is that over independent
# pixels on the same images, with its standard error.

# %%
made = {
    "independent pixels": trained(heads.Bernoulli(digits.shape), objectives.ELBO()),
    "strong": trained(pixels(64, 4, 5), objectives.ELBO()),
    "strong, free bits": trained(pixels(64, 4, 5), objectives.ELBO(free_bits=0.5)),
    "neighbours only": trained(pixels(64, 1, 3), objectives.ELBO()),
}
models = {name: model for name, (model, _) in made.items()}
first = None
for name, model in models.items():
    bound = evaluation.elbo(model, x, samples=5, progress=False)
    found = evaluation.log_evidence(model, x, samples=100, progress=False)
    first = found if first is None else first
    gain = found.per_example - first.per_example
    active = evaluation.active_units(model, x, progress=False)
    rate = model.evaluate(x, verbose=0, return_dict=True)["rate"]
    print(
        f"{name:19} rate {rate:6.3f}, {active.count} of {LATENT} units active, elbo {bound.per_example.mean():6.2f}, "
        f"log evidence {found.mean:6.2f} ± {found.standard_error:.2f}, "
        f"gain {gain.mean():+.2f} ± {gain.std() / np.sqrt(len(gain)):.2f}"
    )

# %% [markdown]
# ## What z says
#
# Left, test images; then four draws of p(x | z), each with z from the posterior of the image. Where z is silent they
# have nothing to do with it.

# %%
figure, axes = plt.subplots(1, len(models) + 1, figsize=(11, 3.4), layout="constrained", width_ratios=[1, 4, 4, 4, 4])
columns = {"x": x[:8, None]}
for name, model in models.items():
    z = draw(model.encoder(x[:8]), 4, as_seed(1))  # [4, 8, D]
    columns[name] = model.decoder(z).sample(seed=2).numpy().swapaxes(0, 1)  # [8, 4, 8, 8, 1]
for axis, (name, images) in zip(axes, columns.items(), strict=True):
    tiles = np.pad(images[..., 0], [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=0.5)
    axis.imshow(tiles.transpose(0, 2, 1, 3).reshape(80, -1), cmap="gray", vmin=0, vmax=1)
    axis.set(title=name, xticks=[], yticks=[])
figure.savefig(OUT / "what_z_says.png", dpi=130)

# %%
figure, axis = plt.subplots(figsize=(5, 3), layout="constrained")
for name, (_, active) in made.items():
    axis.plot(1 + np.arange(len(active)), active, label=name)
axis.set(xlabel="epoch", ylabel=f"active units of {LATENT}", ylim=(-0.3, LATENT + 0.3))
axis.legend(fontsize=8)
figure.savefig(OUT / "active_units.png", dpi=130)
