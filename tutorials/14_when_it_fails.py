# %% [markdown]
# # What to do when a VAE fails
#
# The model itself is `01_first_vae.py`, and its bound `13_latent_variables.py`. Here it goes wrong in the two usual
# ways, each is diagnosed by a number, and each has a cure whose gain is a number too.

# %%
"""When a VAE fails: a posterior that collapsed, and a prior with holes."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads this when it loads

import keras
import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial import cKDTree

import tfvae
from tfvae import data, density, evaluation, heads, networks, objectives, priors
from tfvae.models import DirectedModel, Variable

EPOCHS = int(os.environ.get("TUTORIAL_EPOCHS", "60"))
OUT = Path(os.environ.get("TUTORIAL_OUT", "tutorial_output"))
OUT.mkdir(parents=True, exist_ok=True)


def trained(splits, likelihood, objective, latent_dim):
    """Return a VAE of the digits that was trained with a likelihood and an objective."""
    keras.utils.set_random_seed(1)
    encoder = tfvae.Encoder(networks.mlp(64), heads.DiagonalNormal(latent_dim))
    decoder = tfvae.Decoder(networks.mlp(64), likelihood)
    model = tfvae.VAE(encoder, decoder, priors.StandardNormal(latent_dim), objective, seed=0)
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(splits.train, epochs=EPOCHS, verbose=0)
    return model


def gain(after, before):
    """Return the mean gain in log evidence, and its standard error over the same images."""
    difference = after.per_example - before.per_example
    return difference.mean(), difference.std(ddof=1) / np.sqrt(len(difference))


# %% [markdown]
# ## The posterior collapses
#
# The usual way to get there is a squared error for grey images: that is a normal likelihood with a scale of 1, many
# times the error of a good reconstruction. Under it a pixel is worth next to nothing, no unit of z earns back
# its rate, and q(z | x) becomes the prior. The sign is the number of active units. Free bits make units active again,
# but the likelihood still does not care; the cure is to learn the scale.

# %%
grey = data.load("digits", batch_size=64, binarization=data.NoBinarization())
images = grey.array("test")
models = {
    "scale 1": trained(grey, heads.Normal(grey.shape, 1.0), objectives.ELBO(), 8),
    "scale 1, free bits": trained(grey, heads.Normal(grey.shape, 1.0), objectives.ELBO(free_bits=0.3), 8),
    "learned scale": trained(grey, heads.Normal(grey.shape, heads.SharedScale(1.0)), objectives.ELBO(), 8),
}
found = {name: evaluation.log_evidence(model, images, 500, progress=False) for name, model in models.items()}
for name, model in models.items():
    gained, error = gain(found[name], found["scale 1"])
    active = evaluation.active_units(model, images, progress=False)
    print(f"{name:19} {active.count} of 8 units active; log evidence {gained:+.2f} ± {error:.2f} against scale 1")

# %%
figure, axes = plt.subplots(len(models) + 1, 10, figsize=(8, 3.6), layout="constrained")
rows = {"x": images, **{name: model.reconstruct(images) for name, model in models.items()}}
for row, (name, pictures) in zip(axes, rows.items(), strict=True):
    for axis, picture in zip(row, pictures, strict=False):
        axis.imshow(picture[..., 0], cmap="gray", vmin=0, vmax=1)
        axis.set_axis_off()
    row[0].set_title(name, fontsize=8, loc="left")
figure.savefig(OUT / "collapse.png", dpi=130)

# %% [markdown]
# ## The prior has holes
#
# A rate that costs too little, as is chosen for sharp pictures, lets the codes go where they like, and they do not
# fill the prior: where no code is, the decoder has learned nothing. Two tests tell codes from draws of the prior. The
# cure: learn the density of the codes after training, and draw from it.

# %%
digits = data.load("digits", batch_size=64, binarization=data.StaticBinarization(seed=0))
test = digits.array("test")
model = trained(digits, heads.Bernoulli(digits.shape), objectives.ELBO(beta=0.02), 2)
codes = model.trace(digits.array("train"), 4, seed=1).z.numpy().reshape(-1, 2)
held_out = model.trace(test, 1, seed=2).z.numpy()[0]
flow = priors.FlowPrior(2, steps=6, units=(64,))
learned = DirectedModel([Variable("z", flow)], seed=0)
learned.compile(keras.optimizers.Adam(2e-3), steps_per_execution=20)
learned.fit({"z": codes}, batch_size=256, epochs=max(1, EPOCHS // 2), verbose=0)
cures = {
    "standard normal": model,
    "mixture of 30 normals": model.with_prior(density.NormalMixture(30).fit(codes).as_prior()),
    "flow": model.with_prior(flow),
}
before = evaluation.log_evidence(model, test, samples=500, progress=False)
for name, cured in cures.items():
    drawn = cured.prior().sample(len(held_out), seed=3).numpy()
    gained, error = gain(evaluation.log_evidence(cured, test, samples=500, progress=False), before)
    print(
        f"{name:21} codes against draws of the prior: p = {evaluation.mmd_test(drawn, held_out).p_value:.3f} (MMD), "
        f"told apart {evaluation.c2st(drawn, held_out).accuracy:.2f}; log evidence {gained:+.3f} ± {error:.3f}"
    )

# %%
figure, axes = plt.subplots(2, 3, figsize=(10, 5), layout="constrained", height_ratios=[2, 1])
for (above, below), (name, cured) in zip(axes.T, cures.items(), strict=True):
    drawn = cured.prior().sample(1500, seed=5).numpy()
    above.scatter(*drawn.T, s=3, color="tab:orange", label="draws of the prior")
    above.scatter(*codes[::4].T, s=2, color="tab:blue", alpha=0.5, label="codes of the data")
    far = drawn[np.argsort(-cKDTree(codes).query(drawn, k=10)[0][:, -1])[:40]]  # draws with the fewest codes around
    above.scatter(*far.T, s=18, facecolors="none", edgecolors="black", label="the 40 loneliest draws")
    above.set(title=name, xlim=(-9, 9), ylim=(-9, 9), aspect="equal")
    tiles = np.pad(model.decoder(far).mean().numpy()[..., 0].reshape(4, 10, 8, 8), ((0, 0), (0, 0), (0, 1), (0, 1)))
    below.imshow(tiles.transpose(0, 2, 1, 3).reshape(36, 90), cmap="gray", vmin=0, vmax=1)
    below.set_axis_off()
    below.set_title("what the decoder makes of the loneliest", fontsize=9)
axes[0, 0].legend(fontsize=7, loc="upper left")
figure.savefig(OUT / "holes.png", dpi=130)
