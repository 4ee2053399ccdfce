# %% [markdown]
# # Density estimation
#
# The first step of the road to a VAE has no latent variable and no network: given examples x_1, ..., x_n, find p(x). We
# fit three densities to one number, judge them by examples that they have not seen, and see why a bandwidth matters.

# %%
"""Density estimation: a family by maximum likelihood, a kernel at each example, and how to choose between them."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads this when it loads

import matplotlib.pyplot as plt
import numpy as np
from tensorflow_probability import distributions as tfd

from tfvae import data, density

OUT = Path(os.environ.get("TUTORIAL_OUT", "tutorial_output"))
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## The number
#
# How much ink has a picture of a digit? One number for each picture, positive, with no law that we know. The pixels
# are multiples of 1/16, and a density could put spikes there; noise as wide as the steps makes the number continuous.

# %%
digits = data.load("digits", binarization=data.NoBinarization())
rng = np.random.default_rng(0)
ink = {}
for split in ("train", "test"):
    counted = digits.array(split).sum((1, 2, 3)).astype("float64")
    ink[split] = counted + rng.uniform(-1 / 32, 1 / 32, counted.shape)
print(f"{len(ink['train'])} numbers to learn from, {len(ink['test'])} to judge by, mean {ink['train'].mean():.2f}")

# %% [markdown]
# ## Maximum likelihood
#
# Of a family p(x | theta), take the member under which the examples are most likely. The curvature of the likelihood at
# its maximum (the Fisher information) says how far to trust each parameter: its standard error.

# %%
normal = density.Parametric(tfd.Normal).fit(ink["train"])
gamma = density.Parametric(tfd.Gamma).fit(ink["train"])
for name, found in (("normal", normal), ("gamma", gamma)):
    for parameter, (value, error) in found.estimates().items():
        print(f"{name:7} {parameter:14} {value:.3f} ± {error:.3f}")

# %% [markdown]
# ## A kernel at each example
#
# Without a family: p(x) = 1/(n h) sum_i K((x - x_i) / h). The bandwidth h is what is left to choose. The likelihood of
# the examples themselves cannot choose it, since h = 0 makes it infinite; the likelihood of each example under the
# kernels of the *others* can.

# %%
kernels = density.KernelDensity(density.LeaveOneOut()).fit(ink["train"])
print(f"bandwidth {kernels.bandwidth:.3f}")

# %% [markdown]
# ## Which one?
#
# The mean log-density of unseen examples, in nats, with its standard error over them. Only differences count, since the
# examples are the same: the error of a difference is that of the pairs.

# %%
scores = {name: found.log_prob(ink["test"]).numpy() for name, found in
          (("normal", normal), ("gamma", gamma), ("kernels", kernels))}  # fmt: skip
for name, score in scores.items():
    gain = score - scores["normal"]
    print(f"{name:8} {score.mean():.3f} nats, {gain.mean():+.3f} ± {gain.std() / np.sqrt(len(gain)):.3f} to the normal")

# %%
line = np.linspace(ink["train"].min() - 2, ink["train"].max() + 2, 400)
widths = kernels.bandwidth * np.geomspace(0.1, 10.0, 15)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.hist(ink["train"], 40, density=True, color="0.85", label="training examples")
for name, found in (("normal", normal), ("gamma", gamma), ("kernels", kernels)):
    left.plot(line, np.exp(found.log_prob(line)), label=name)
left.set(title="three densities of the ink of a digit", xlabel="sum of the pixels", ylabel="p(x)")
left.legend(loc="upper right", fontsize=8)
for split, style in (("train", "--"), ("test", "-")):
    curve = [density.KernelDensity(h).fit(ink["train"]).log_prob(ink[split]).numpy().mean() for h in widths]
    right.plot(widths, curve, style, label=f"{split} examples")
right.axvline(kernels.bandwidth, color="0.6", label="leave-one-out")
right.set(xscale="log", xlabel="bandwidth h", ylabel="mean log p(x), nats", title="too narrow learns by heart")
right.legend()
figure.savefig(OUT / "densities.png", dpi=130)
