# %% [markdown]
# # Few labels
#
# Labels are dear, examples are cheap. A classifier learns from the labelled ones alone; a generative model with a class
# in it learns from all of them, and the class, where it is missing, is one more latent variable.

# %%
"""Semi-supervised learning: codes of a VAE, a directed model of them with a class, and what they save in labels."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads this when it loads

import keras
import matplotlib.pyplot as plt
import numpy as np

import tfvae
from tfvae import data, evaluation, heads, networks, priors
from tfvae.models import ConditionalModel, DirectedModel, SemiSupervised, Variable

EPOCHS = int(os.environ.get("TUTORIAL_EPOCHS", "100"))
OUT = Path(os.environ.get("TUTORIAL_OUT", "tutorial_output"))
OUT.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(0)
digits = data.load("digits", batch_size=64, binarization=data.StaticBinarization(seed=0))
x, y = digits.array("train"), np.asarray(digits.labels["train"])
x_test, y_test = digits.array("test"), np.asarray(digits.labels["test"])

# %% [markdown]
# ## Codes that have seen no label
#
# A VAE of the images: q(z | x) says in 10 numbers what tells one digit from another.

# %%
encoder = tfvae.Encoder(networks.mlp(128), heads.DiagonalNormal(10))
decoder = tfvae.Decoder(networks.mlp(128), heads.Bernoulli(digits.shape))
vae = tfvae.VAE(encoder, decoder, priors.StandardNormal(10), seed=0)
vae.compile(keras.optimizers.Adam(3e-3))
vae.fit(digits.train, epochs=EPOCHS, verbose=0)
codes, codes_test = vae.embed(x), vae.embed(x_test)

# %% [markdown]
# ## A model of the codes with a class and a style
#
# p(y) p(s) p(z | y, s). Where y is missing, a classifier q(y | z) stands in for it, and the bound is summed over
# the classes. Labelled examples are given several times, with as many times smaller a weight, so that every batch has
# some.
#
# What y stands for is settled early. So the classifier learns first, from the labels; then all the rest, with it held;
# then everything. Trained all at once, the ten values of y would be taken for something else than the digit.

# %%
SHOWN = (1, 3, 10)[:EPOCHS]  # labels of each class; one of them on the smallest budget


def classifier():
    """Return q(y | z)."""
    return tfvae.Conditional(networks.mlp(64), heads.OneHotCategorical(10))


def shown(per_class):
    """Return the labels with all but some of each class missing, -1."""
    labels, rng = np.full(len(y), -1), np.random.default_rng(0)
    for c in range(10):
        chosen = rng.choice(np.flatnonzero(y == c), per_class, replace=False)
        labels[chosen] = c
    return labels


def semi_supervised(guess, labels):
    """Return the model of the codes, trained with these labels from a classifier that was."""
    joint = DirectedModel(
        [
            Variable("y", priors.Learned(heads.OneHotCategorical(10))),
            Variable("s", priors.StandardNormal(3)),
            Variable("z", tfvae.Conditional(networks.mlp(64), heads.DiagonalNormal(10)), ["y", "s"]),
        ],
        recognition=[Variable("s", tfvae.Conditional(networks.mlp(64), heads.DiagonalNormal(3)), ["z", "y"])],
    )
    known = labels >= 0
    model = SemiSupervised(joint, Variable("y", guess, ["z"]), alpha=0.1 * len(y) / known.sum(), seed=0)
    times = max(1, len(y) // 10 // known.sum())
    rows = np.concatenate([np.flatnonzero(~known), np.repeat(np.flatnonzero(known), times)])
    weight = np.where(labels[rows] < 0, 1.0, 1.0 / times)
    for trainable in (False, True):
        guess.trainable = trainable
        model.compile(keras.optimizers.Adam(3e-3), steps_per_execution=20)
        values = {"z": codes[rows], "y": labels[rows]}
        model.fit(values, sample_weight=weight, batch_size=64, epochs=max(1, EPOCHS // 2), verbose=0)
    return model


errors = {"labels alone": [], "all codes": [], "all codes, Bayes' rule": []}
for per_class in SHOWN:
    labels = shown(per_class)
    guess = classifier()
    alone = ConditionalModel(guess, input_shape=10, seed=0)
    alone.compile(keras.optimizers.Adam(3e-3), steps_per_execution=20)
    few = labels >= 0
    alone.fit(codes[few], labels[few], batch_size=20, epochs=EPOCHS, verbose=0)
    errors["labels alone"].append(np.mean(guess(codes_test).mean().numpy().argmax(-1) != y_test))
    model = semi_supervised(guess, labels)
    errors["all codes"].append(np.mean(guess(codes_test).mean().numpy().argmax(-1) != y_test))
    posterior = evaluation.class_posterior(model.model, {"z": codes_test}, "y", samples=50)
    errors["all codes, Bayes' rule"].append(1 - posterior.accuracy(y_test)[0])
    print(f"{10 * per_class:3} labels: " + ", ".join(f"{name} {100 * e[-1]:.1f} %" for name, e in errors.items()))

# %%
figure, axis = plt.subplots(figsize=(5, 4), layout="constrained")
for name, values in errors.items():
    axis.plot([10 * each for each in SHOWN], [100 * value for value in values], "o-", label=name)
axis.set(xlabel="labels of 1257 examples", ylabel="error on 270 test digits, %", xscale="log", ylim=(0, None))
axis.legend()
figure.savefig(OUT / "labels.png", dpi=130)

# %% [markdown]
# ## Class and style
#
# The class is held along a column, the style along a row: what a digit of another class looks like in the same hand.

# %%
styles = model.model.sample(6, seed=3)["s"]
grid = [[model.model.sample(1, seed=0, given={"y": [c], "s": style[None]})["z"] for c in range(10)] for style in styles]
images = vae.decoder(np.concatenate([np.concatenate(row) for row in grid])).mean().numpy().reshape(6, 10, 8, 8)
images = np.pad(images, [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=0.5)
figure, axis = plt.subplots(figsize=(7, 4.2), layout="constrained")
axis.imshow(images.transpose(0, 2, 1, 3).reshape(60, 100), cmap="gray")
axis.set(title="one style a row, one class a column", xticks=[], yticks=[])
figure.savefig(OUT / "class_and_style.png", dpi=130)
