# %% [markdown]
# # Several modalities
#
# An image and its label are two views of one thing. A model of both, p(x_1, x_2) = E_p(z)[p(x_1 | z) p(x_2 | z)], is
# classifier and painter at once: it answers with p(label | image) and with p(image | label). For that its posterior has
# to make do with whichever of the two was observed.

# %%
"""Multimodal VAEs: experts that are multiplied or mixed, what each says of a missing label and of a missing image."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads this when it loads

import keras
import matplotlib.pyplot as plt
import numpy as np

import tfvae
from tfvae import data, evaluation, heads, networks, zoo
from tfvae.models import ConditionalModel

EPOCHS = int(os.environ.get("TUTORIAL_EPOCHS", "150"))
OUT = Path(os.environ.get("TUTORIAL_OUT", "tutorial_output"))
OUT.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(0)
digits = data.load("digit_labels", batch_size=64)  # 64 pixels, then a 1 in one of ten columns
x, label = digits.array("test"), np.asarray(digits.labels["test"])
image_only, label_only = x.copy(), x.copy()
image_only[:, 64:] = np.nan  # NaN is what was not observed
label_only[:, :64] = np.nan

# %% [markdown]
# ## Four models
#
# `mvae` multiplies the prior by an expert for each modality, `mmvae` mixes them, `mopoe` mixes the products of all
# subsets. Experts that are multiplied learn to speak alone only where the other is missing: `data.subsets` gives every
# example three times, whole and with either half. The first model does without, which shows what that is for.

# %%
settings = {"latent_dim": 8, "units": (256,), "seed": 0}
models = {
    "product, whole pairs only": (zoo.mvae, digits.train, EPOCHS),
    "product": (zoo.mvae, data.subsets(digits.train, (64, 10)), EPOCHS),
    "mixture": (zoo.mmvae, digits.train, EPOCHS),
    "mixture of products": (zoo.mopoe, digits.train, EPOCHS),
}
for name, (build, batches, epochs) in models.items():
    model = build(digits.shape, **settings)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(batches, epochs=epochs, verbose=0)
    models[name] = model

# %% [markdown]
# ## Log-likelihoods and classes
#
# With missing values the evidence is that of what was observed, so that log p(label | image) is the difference of two.
# `evaluation.impute` gives the mean of what is missing, here the probabilities of the classes, and draws of it: images
# of a class. Whether they show it is judged by a classifier that was trained on the images alone.

# %%
judge = ConditionalModel(tfvae.Conditional(networks.mlp(256), heads.OneHotCategorical(10)), input_shape=64, seed=0)
judge.compile(keras.optimizers.Adam(1e-3))
judge.fit(digits.array("train")[:, :64], np.asarray(digits.labels["train"]), epochs=min(EPOCHS, 40), verbose=0)


def share(hits):
    """Return a share in percent with its standard error."""
    return f"{100 * np.mean(hits):5.1f} ± {100 * np.std(hits) / np.sqrt(len(hits)):.1f} %"


seen = judge.conditional(x[:, :64]).mean().numpy().argmax(1)
print(f"the judge is right about real images in {share(seen == label)}")
drawn = {}
for name, model in models.items():
    both, image = (
        evaluation.log_evidence(model, rows, samples=1000, progress=False).per_example for rows in (x, image_only)
    )
    told = both - image
    named = evaluation.impute(model, image_only).mean[:, 64:].argmax(1) == label
    at_once = model.reconstruct(image_only)[:, 64:].argmax(1) == label
    drawn[name] = evaluation.impute(model, label_only, draws=4).draws[..., :64]  # [4, n, 64]
    shown = (judge.conditional(drawn[name].reshape(-1, 64)).mean().numpy().argmax(1).reshape(4, -1) == label).mean(0)
    error = told.std() / np.sqrt(len(told))
    print(
        f"{name:25} log p(x) {both.mean():6.2f} ± {both.std() / np.sqrt(len(both)):.2f}, "
        f"log p(label | image) {told.mean():5.2f} ± {error:.2f}, "
        f"label by weights {share(named)}, at once {share(at_once)}, image of the label {share(shown)}"
    )

# %% [markdown]
# ## Images of each label

# %%
places = [np.flatnonzero(label == c) for c in range(10)]
rows = {"test images": np.stack([x[place[:3], :64] for place in places], 1)}  # [3, 10, 64]
rows |= {name: images[:3, [place[0] for place in places]] for name, images in drawn.items()}
figure, axes = plt.subplots(len(rows), 1, figsize=(5, 9), layout="constrained")
for axis, (name, images) in zip(axes, rows.items(), strict=True):
    tiles = np.pad(images.reshape(3, 10, 8, 8), [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=0.5)
    axis.imshow(tiles.transpose(0, 2, 1, 3).reshape(30, 100), cmap="gray")
    axis.set(xticks=np.arange(10) * 10 + 4.5, xticklabels=range(10), yticks=[], title=name)
figure.savefig(OUT / "images_of_labels.png", dpi=130)
