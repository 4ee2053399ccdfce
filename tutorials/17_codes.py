# %% [markdown]
# # Codes: latents that are whole numbers
#
# An encoder may end in integers: the number of the nearest vector of a codebook, or numbers rounded to a grid. The
# posterior then has all its mass at one value k(x), and
#
#     log p(x) = log sum_k p(k) p(x | k)  >=  log p(x | k(x)) + log p(k(x))
#
# is a bound like every ELBO: the rate is -log p(k), in nats, and what it comes to depends on the prior.

# %%
"""Codes: what a prior over them is worth in nats, and what it draws."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads this when it loads

import keras
import matplotlib.pyplot as plt
import numpy as np

from tfvae import data, evaluation, export, priors, zoo

EPOCHS = int(os.environ.get("TUTORIAL_EPOCHS", "60"))
OUT = Path(os.environ.get("TUTORIAL_OUT", "tutorial_output"))
OUT.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(1)

# %% [markdown]
# ## Rounding
#
# Finite scalar quantisation rounds three numbers to four levels each at every position of a 2 x 2 grid: four codes of
# 64 values. Nothing of it is learned. A causal transformer learns p(k) meanwhile; its gradient ends at the codes.

# %%
digits = data.load("digits", batch_size=64, binarization=data.StaticBinarization(seed=0))
model = zoo.fsq(digits.shape, 3, levels=(4, 4, 4), units=(32, 32), width=32, seed=0)
model.compile(keras.optimizers.Adam(2e-3))
history = model.fit(digits.train, epochs=EPOCHS, verbose=0).history
print(f"codes in use: {history['perplexity'][-1]:.1f} of 64")

# %% [markdown]
# ## What the prior is worth
#
# With a uniform prior the rate is 4 log 64 = 16.64 nats, whatever x is. The transformer knows which codes go together:
# of four codes so little that it is worth half a nat, of the 49 codes of an MNIST image more than half of what they
# cost (`benchmarks/CODES.md`). The evidence is above the ELBO, because other codes than k(x) explain x too: it is
# estimated with draws around k(x) that leave out no code.

# %%
x = digits.array("test")
uniform = model.with_prior(priors.UniformCodes(model.prior.quantizer, model.prior.grid))
for name, each in (("uniform", uniform), ("transformer", model)):
    print(f"{name:12}", evaluation.elbo(each, x, progress=False))
print("evidence    ", evaluation.log_evidence(model, x, samples=500, progress=False))

# %% [markdown]
# ## What it draws

# %%
figure, axes = plt.subplots(4, 1, figsize=(8, 4))
rows = {
    "data": x[:12],
    "from codes": model.decode_codes(model.encode_codes(x[:12])),
    "transformer": model.sample(12, seed=1),
    "uniform": uniform.sample(12, seed=1),
}
for axis, (name, images) in zip(axes, rows.items(), strict=True):
    axis.imshow(np.concatenate(list(images[..., 0]), 1), cmap="gray", vmin=0, vmax=1)
    axis.set_ylabel(name, rotation=0, ha="right", va="center")
    axis.set_xticks([])
    axis.set_yticks([])
figure.savefig(OUT / "codes.png", bbox_inches="tight")

# %% [markdown]
# ## Whole numbers leave the model
#
# `encode_codes` and `decode_codes` are signatures of the exported file: int32, four numbers an image. All other
# signatures are there too; the draws of `generate` are those of `model.sample`.

# %%
parity = export.saved_model(model, OUT / "codes" / "1", extras=[export.Codes()])
print(parity)
