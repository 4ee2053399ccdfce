# %% [markdown]
# # Directed graphs, fully observed
#
# The third step: several variables, each with a conditional given its parents. The joint density is the product of the
# conditionals, drawing goes parents first, and with all variables observed learning falls apart into one maximum
# likelihood problem for each conditional.

# %%
"""Directed graphs: a joint density from conditionals, learned by counting and by gradients, and turned round."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads this when it loads

import keras
import matplotlib.pyplot as plt
import numpy as np

import tfvae
from tfvae import data, heads, networks, priors
from tfvae.evaluation import exact
from tfvae.models import DirectedModel, Variable

EPOCHS = int(os.environ.get("TUTORIAL_EPOCHS", "200"))
OUT = Path(os.environ.get("TUTORIAL_OUT", "tutorial_output"))
OUT.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(1)

# %% [markdown]
# ## The graph
#
# A class y has probabilities; given the class, the pixels x are independent coins. This is naive Bayes.

# %%
digits = data.load("digits", binarization=data.StaticBinarization(seed=0))
x, y = digits.array("train"), digits.labels["train"]
pixels = tfvae.Conditional(networks.mlp(), heads.Bernoulli(digits.shape))  # no hidden layer: a table of ten rows
graph = DirectedModel([
    Variable("y", priors.Learned(heads.OneHotCategorical(10))),
    Variable("x", pixels, parents=["y"]),
], seed=0)  # fmt: skip
print(graph.describe())
graph.draw().savefig(OUT / "graph.png", dpi=130)

# %% [markdown]
# ## Learning is counting
#
# Gradient ascent on minibatches finds what counting finds: the share of each class, and of each pixel in each class.

# %%
graph.compile(keras.optimizers.Adam(0.05), steps_per_execution=10)
graph.fit({"y": y, "x": x}, batch_size=128, epochs=EPOCHS, verbose=0)
learned = pixels(np.eye(10, dtype="float32")).mean().numpy()
counted = np.stack([x[y == k].mean(0) for k in range(10)])
print(f"largest difference of a learned pixel from the counted share: {np.abs(learned - counted).max():.3f}")
unseen = graph.log_prob({"x": digits.array("test"), "y": digits.labels["test"]}).numpy()
print(f"log p(x, y) of test digits: {unseen.mean():.2f} ± {unseen.std() / np.sqrt(len(unseen)):.2f} nats")

# %% [markdown]
# ## Turned round
#
# The graph says how x comes from y. Bayes' rule says what y was: p(y | x) = p(x, y) / sum_y p(x, y), a sum over ten
# classes that can be written out.

# %%
turned = exact.enumerate_latents(graph, {"x": digits.array("test")})
right = turned.posterior_mean("y").argmax(-1) == digits.labels["test"]
print(f"classes right without ever training a classifier: {right.mean():.3f}")
print(f"log p(x) with the class summed out: {turned.per_example.mean():.2f} nats")

# %%
drawn = graph.sample(10, seed=0, given={"y": np.arange(10)})["x"]
figure, axes = plt.subplots(2, 10, figsize=(10, 2.4), layout="constrained")
for k in range(10):
    for axis, image in ((axes[0, k], learned[k]), (axes[1, k], drawn[k])):
        axis.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
        axis.set_axis_off()
figure.suptitle("p(x_i = 1 | y) for each class, and a draw of each: given y, pixels are independent", fontsize=10)
figure.savefig(OUT / "classes.png", dpi=130)

# %% [markdown]
# The draws are noisy, because given the class the pixels know nothing of each other. What they have in common beside
# the class, such as slant and thickness, was observed by nobody. That is what a latent variable is for.
