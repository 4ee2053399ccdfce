# %% [markdown]
# # A gallery of the zoo
#
# Every published VAE with one latent vector is a composition of a posterior, a likelihood, a prior and an objective. We
# train a dozen of them on the same pictures with the same networks, and look at samples and numbers side by side.

# %%
"""A gallery of the zoo: a dozen models on one data set, their samples and the rate-distortion plane."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads this when it loads

import keras
import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from tfvae import data, evaluation, zoo

EPOCHS = int(os.environ.get("TUTORIAL_EPOCHS", "150"))
OUT = Path(os.environ.get("TUTORIAL_OUT", "tutorial_output"))
OUT.mkdir(parents=True, exist_ok=True)
digits = data.load("digits", batch_size=64, binarization=data.DynamicBinarization(seed=0))
print(digits)

# %% [markdown]
# ## One latent size, one pair of networks
#
# What differs is what each paper changed: the posterior (full covariance, Laplace, flows, the sphere), the prior (a
# mixture, pseudo-inputs, a flow), or the objective (a weighted rate, importance weights, a penalty).

# %%
COMMON = {"latent_dim": 8, "units": (128,), "seed": 0}
MODELS = {
    "vae": {},
    "beta_vae": {"beta": 1.5},
    "full_covariance": {},
    "laplace": {},
    "iaf": {"hidden": (32,), "steps": 2},
    "spline": {"hidden": (32,), "steps": 2},
    "s_vae": {},
    "gm_vae": {"components": 20},
    "vamp": {"components": 50},
    "flow_prior": {"hidden": (32,)},
    "iwae": {"samples": 10},
    "info_vae": {"alpha": 0.5, "scale": 10.0},
}
if "TUTORIAL_EPOCHS" in os.environ:  # a trial run: whether it works, not what it reaches
    MODELS = {name: MODELS[name] for name in ("vae", "iaf", "vamp")}

# %% [markdown]
# ## Train and measure
#
# Log evidence is comparable between all of them, whatever each one maximised.

# %%
test = digits.array("test")
results, images = {}, {}
for name, options in MODELS.items():
    keras.utils.set_random_seed(0)
    model = getattr(zoo, name)(digits.shape, **COMMON, **options)
    steps = EPOCHS * digits.steps_per_epoch
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)))
    model.fit(digits.train, epochs=EPOCHS, verbose=0)
    bound = evaluation.elbo(model, test, samples=20, progress=False)
    evidence = evaluation.log_evidence(model, test, samples=500, progress=False)
    results[name], images[name] = (bound, evidence), model.sample(24, seed=0)
    print(f"{name:16} log evidence {evidence}, rate {bound.rate:.2f}, distortion {bound.distortion:.2f}")

# %% [markdown]
# ## Samples
#
# E[x | z] for 24 draws from each prior.

# %%
columns = 4
rows = -(-len(images) // columns)
figure, axes = plt.subplots(rows, columns, figsize=(2.3 * columns, 1.8 * rows), squeeze=False, layout="constrained")
for axis in axes.flat:
    axis.set_axis_off()
for axis, (name, means) in zip(axes.flat, images.items(), strict=False):
    tiles = np.pad(means[..., 0].reshape(4, 6, 8, 8), ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=0.5)
    axis.imshow(tiles.transpose(0, 2, 1, 3).reshape(36, 54), cmap="gray", vmin=0, vmax=1)
    evidence = results[name][1]
    axis.set_title(f"{name}\n{evidence.mean:.2f} ± {evidence.standard_error:.2f} nats", fontsize=8)
figure.suptitle("samples from the prior, and log evidence on test digits", fontsize=10)
figure.savefig(OUT / "gallery.png", dpi=130)

# %% [markdown]
# ## The rate-distortion plane
#
# A model sits at (rate, distortion); its ELBO is minus their sum, so the dashed lines join models of equal ELBO, the
# better ones towards the lower left. Beta moves a model along the plane; a better posterior or prior moves it inwards.

# %%
figure, axis = plt.subplots(figsize=(6.5, 5), layout="constrained")
for number, (name, (bound, _)) in enumerate(results.items()):
    errors = bound.standard_errors
    axis.errorbar(
        bound.rate, bound.distortion, yerr=errors["distortion"], xerr=errors["rate"], fmt="osD^"[number % 4],
        label=name, color=plt.get_cmap("tab20")(number), capsize=2, markersize=5, linewidth=0.8,
    )  # fmt: skip
low, high = axis.get_xlim()
for bound in {round(bound.rate + bound.distortion) for bound, _ in results.values()}:
    axis.plot([low, high], [bound - low, bound - high], color="0.8", linewidth=0.6, linestyle="--", zorder=0)
axis.set(xlim=(low, high), xlabel="rate KL(q(z | x) || p(z)), nats", ylabel="distortion -E[log p(x | z)], nats")
axis.set_title("rate and distortion on test digits, ± standard error over the data", fontsize=10)
axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
figure.savefig(OUT / "rate_distortion.png", dpi=130)
