# %% [markdown]
# # Probabilistic and conditional models
#
# The second step: p(y | x). A network turns x into parameters, a head turns parameters into a distribution of y, and
# maximum likelihood is all there is to training. The head says what kind of question it is.

# %%
"""Conditional models: regression with one answer and with several, classification, and whether to believe them."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads this when it loads

import keras
import matplotlib.pyplot as plt
import numpy as np

import tfvae
from tfvae import data, evaluation, heads, networks
from tfvae.models import ConditionalModel

EPOCHS = int(os.environ.get("TUTORIAL_EPOCHS", "200"))
OUT = Path(os.environ.get("TUTORIAL_OUT", "tutorial_output"))
OUT.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(1)

# %% [markdown]
# ## A question with two answers
#
# Where is an arm whose hand is at x? Elbow up or elbow down. Squared error, which is a normal distribution of fixed
# scale, answers with the mean of both, where the arm never is.

# %%
rng = np.random.default_rng(0)
x = rng.uniform(-1, 1, [3000, 1])
y = rng.choice([-1.0, 1.0], [3000, 1]) * np.sqrt(1.1 - x**2) + 0.08 * rng.normal(size=[3000, 1])
found = {}
for name, head in (
    ("a normal of one scale", heads.Normal(1, heads.SharedScale(1.0))),
    ("a normal whose scale depends on x", heads.Normal(1, heads.PixelScale())),
    ("a mixture of two", heads.NormalMixture(1, 2)),
):
    model = ConditionalModel(tfvae.Conditional(networks.mlp(32, activation="tanh"), head), input_shape=1)
    model.compile(keras.optimizers.Adam(1e-2), steps_per_execution=10)
    model.fit(x[:2000], y[:2000], batch_size=200, epochs=EPOCHS, verbose=0)
    found[name] = model
    print(f"{name:34} {evaluation.prediction(model, x[2000:], y[2000:])}")

# %%
scores = {name: model.log_prob(x[2000:], y[2000:]).numpy() for name, model in found.items()}
gain = scores["a mixture of two"] - scores["a normal whose scale depends on x"]  # of the same unseen examples
away = [(y[2000:, 0] - sign * np.sqrt(1.1 - x[2000:, 0] ** 2)) / 0.08 for sign in (-1, 1)]
truth = np.logaddexp(*(-0.5 * each**2 for each in away)) - np.log(2 * 0.08 * np.sqrt(2 * np.pi))
for name, nats in (("gain of the mixture", gain), ("still missing to the truth", truth - scores["a mixture of two"])):
    print(f"{name:34} {nats.mean():.3f} ± {nats.std(ddof=1) / np.sqrt(len(nats)):.3f} nats per example")
if EPOCHS >= 200 and gain.mean() < 1.0:  # fewer epochs are a trial run
    raise RuntimeError(f"Expected the mixture to find both branches. Received: gain={gain.mean():.3f} nats")

# %% [markdown]
# Either normal distribution spreads over the gap between the branches, where no example lies. The mixture finds both,
# and gains 1.59 ± 0.03 nats per example; 0.028 ± 0.007 are missing to the density that the examples were drawn from.
# Its components begin apart, about one unit from 0, which is why y should be of that order, as it is here.

# %%
line, levels = np.linspace(-1, 1, 120), np.linspace(-1.6, 1.6, 160)
figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), sharey=True, layout="constrained")
for axis, (name, model) in zip(axes, found.items(), strict=True):
    py = model.predict_distribution(line[:, None])
    shown = np.stack([np.exp(py.log_prob(np.full([120, 1], level, "float32"))) for level in levels])
    axis.imshow(shown, origin="lower", extent=(-1, 1, -1.6, 1.6), aspect="auto", cmap="Blues", vmax=3)
    axis.plot(x[2000:2200], y[2000:2200], ".", color="black", markersize=2)
    axis.set(title=name, xlabel="x", xticks=[-1, 0, 1])
axes[0].set_ylabel("p(y | x), and unseen examples")
figure.savefig(OUT / "two_answers.png", dpi=90)

# %% [markdown]
# ## Classes
#
# y ~ Categorical(softmax(network(x))). An accuracy is not enough: whoever acts on a probability of 0.9 wants to be
# right nine times in ten. The calibration error measures it, beside what a perfectly calibrated model would show on as
# many examples, which is not zero.

# %%
digits = data.load("digits")
classifiers = {}
for name, epochs in (("stopped early", max(1, EPOCHS // 40)), ("trained on", EPOCHS)):
    model = ConditionalModel(tfvae.Conditional(networks.mlp(128), heads.OneHotCategorical(10)), digits.shape)
    model.compile(keras.optimizers.Adam(3e-3), steps_per_execution=10)
    model.fit(digits.array("train"), digits.labels["train"], batch_size=64, epochs=epochs, verbose=0)
    classifiers[name] = evaluation.prediction(model, digits.array("test"), digits.labels["test"])
    print(f"{name:14} {classifiers[name]}")

# %%
figure, axis = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
axis.plot([0, 1], [0, 1], color="0.7", label="calibrated")
for name, measured in classifiers.items():
    confidence, frequency, count = measured.curve.T
    axis.scatter(confidence, frequency, s=8 + 80 * count / count.sum(), label=name)
axis.set(xlabel="confidence of the prediction", ylabel="share that is right", title="reliability on test digits")
axis.legend()
figure.savefig(OUT / "reliability.png", dpi=130)
