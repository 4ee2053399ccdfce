# %% [markdown]
# # What to do when a VAE fails
#
# The model itself is `01_first_vae.py`. Here it goes wrong in the two usual ways, each is diagnosed by a number, and
# each has a cure whose gain is a number too.

# %%
"""When a VAE fails: a posterior that collapsed, and a prior with holes."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads this when it loads

import keras
import matplotlib.pyplot as plt
import numpy as np

import tfvae
from tfvae import data, density, evaluation, heads, networks, objectives, priors
from tfvae.models import DirectedModel, Variable

EPOCHS = int(os.environ.get("TUTORIAL_EPOCHS", "60"))
OUT = Path(os.environ.get("TUTORIAL_OUT", "tutorial_output"))
OUT.mkdir(parents=True, exist_ok=True)
digits = data.load("digits", batch_size=64, binarization=data.StaticBinarization(seed=0))
test = digits.array("test")


def trained(objective, latent_dim=8):
    """Return a VAE of the digits that was trained with an objective."""
    keras.utils.set_random_seed(1)
    encoder = tfvae.Encoder(networks.mlp(64), heads.DiagonalNormal(latent_dim))
    decoder = tfvae.Decoder(networks.mlp(64), heads.Bernoulli(digits.shape))
    model = tfvae.VAE(encoder, decoder, priors.StandardNormal(latent_dim), objective, seed=0)
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(digits.train, epochs=EPOCHS, verbose=0)
    return model


# %% [markdown]
# ## The posterior collapses
#
# With a rate that costs too much, early or always, q(z | x) becomes the prior and z says nothing of x. The sign is the
# number of active units. The cures: let the rate's weight rise from 0 (warm-up), or give each unit some nats for free.

# %%
steps = EPOCHS * digits.steps_per_epoch
models = {
    "beta = 6": trained(objectives.ELBO(beta=6.0)),
    "plain": trained(objectives.ELBO()),
    "warm-up": trained(objectives.ELBO(beta=objectives.schedules.Linear(steps // 2))),
    "free bits": trained(objectives.ELBO(free_bits=0.3)),
}
for name, model in models.items():
    units = evaluation.active_units(model, test)
    evidence = evaluation.log_evidence(model, test, samples=500, progress=False)
    print(f"{name:10} {units}; log evidence {evidence}")

# %% [markdown]
# ## The prior has holes
#
# The codes of the data do not fill the prior: where no code is, the decoder has learned nothing. A classifier that
# tells codes from draws of the prior shows it. The cure: learn the density of the codes after training, and draw from
# it.

# %%
model = models["warm-up"]
codes = model.trace(digits.array("train"), 4, seed=1).z.numpy().reshape(-1, 8)
held_out = model.trace(test, 4, seed=2).z.numpy().reshape(-1, 8)
flow = priors.FlowPrior(8, steps=4, units=(64,))
learned = DirectedModel([Variable("z", flow)], seed=0)
learned.compile(keras.optimizers.Adam(2e-3), steps_per_execution=20)
learned.fit({"z": codes}, batch_size=256, epochs=max(1, EPOCHS // 2), verbose=0)
cures = {
    "standard normal": model,
    "mixture of normals": model.with_prior(density.NormalMixture(10).fit(codes).as_prior()),
    "flow": model.with_prior(flow),
}
for name, cured in cures.items():
    drawn = cured.prior().sample(len(held_out), seed=3).numpy()
    told = evaluation.c2st(drawn, held_out)
    evidence = evaluation.log_evidence(cured, test, samples=500, progress=False)
    print(f"{name:19} told apart {told.accuracy:.2f} of the time (1/2: not at all); log evidence {evidence}")

# %%
figure, axes = plt.subplots(1, 3, figsize=(11, 4), layout="constrained")
for axis, (name, cured) in zip(axes, cures.items(), strict=True):
    tiles = np.pad(cured.sample(64, seed=0)[..., 0].reshape(8, 8, 8, 8), ((0, 0), (0, 0), (0, 1), (0, 1)))
    axis.imshow(tiles.transpose(0, 2, 1, 3).reshape(72, 72), cmap="gray", vmin=0, vmax=1)
    axis.set_axis_off()
    axis.set_title(f"draws through the prior: {name}", fontsize=9)
figure.savefig(OUT / "holes.png", dpi=130)
