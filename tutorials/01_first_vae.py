# %% [markdown]
# # A first variational auto-encoder
#
# A VAE is three conditional distributions and an objective. We compose one, train it on small pictures of digits,
# measure it in nats, and write it to files that run without this library.

# %%
"""A first variational auto-encoder: compose, train, look, measure, save, export."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads this when it loads

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow_probability import distributions as tfd

import tfvae
from tfvae import data, evaluation, export, heads, networks, objectives, priors
from tfvae.run import pictures

EPOCHS = int(os.environ.get("TUTORIAL_EPOCHS", "60"))
OUT = Path(os.environ.get("TUTORIAL_OUT", "tutorial_output"))
OUT.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(1)  # the weights, and the seed of the noise in training

# %% [markdown]
# ## Data
#
# The digits are grey; a Bernoulli likelihood scores only 0 and 1. So we state how grey becomes binary: a grey value is
# the probability of a one. Training pictures are drawn anew in every epoch, validation and test pictures once.

# %%
digits = data.load("digits", batch_size=64, binarization=data.DynamicBinarization(seed=0))
print(digits)

# %% [markdown]
# ## Compose
#
# A conditional distribution is a *network* (tensor to features) and a *head* (features to distribution). The prior p(z)
# depends on nothing. The objective is what `fit` maximises: the evidence lower bound, E_q[log p(x|z)] - KL(q || p).

# %%
encoder = tfvae.Encoder(networks.mlp(256), heads.DiagonalNormal(8))  # q(z | x), z of length 8
decoder = tfvae.Decoder(networks.mlp(256), heads.Bernoulli(digits.shape))  # p(x | z)
prior = priors.StandardNormal(8)  # p(z)
model = tfvae.VAE(encoder, decoder, prior, objective=objectives.ELBO())
model.summary()

# %% [markdown]
# ## Every part outputs a distribution
#
# Calling a part gives a `tfd.Distribution`, not a tensor. The *batch shape* counts distributions, here one for each
# picture. The *event shape* is the shape of one draw. `log_prob` sums over the event and keeps the batch.

# %%
x = next(iter(digits.test))[:3]  # [B, 8, 8, 1] with B = 3
q, p = encoder(x), prior()
z = q.sample(1000, seed=1)  # [S, B, D] with S = 1000
px = decoder(z)
print(f"posterior  {q}\nprior      {p}\nlikelihood {px}")
print("shape of log p(x | z):", px.log_prob(x).shape, "a number in nats for each sample and picture")

# %% [markdown]
# The *rate* KL(q || p) is what it costs to state z, the *distortion* -E_q[log p(x|z)] what it costs to state x once z
# is known. The ELBO is minus their sum. TFP knows this KL in closed form; samples agree with it.

# %%
rate = tfd.kl_divergence(q, p)  # [B]
distortion = -tf.reduce_mean(px.log_prob(x), 0)  # [B]
print("rate, closed form:", rate.numpy().round(2))
print("rate, sampled    :", tf.reduce_mean(q.log_prob(z) - p.log_prob(z), 0).numpy().round(2))
print("elbo, untrained  :", -(rate + distortion).numpy().round(1), "a coin for each pixel gives -64 ln 2 = -44.4")

# %% [markdown]
# ## Train
#
# `fit` reports `loss`, `elbo`, `rate` and `distortion` in nats per example. It stops when the validation ELBO has not
# risen for five epochs and goes back to the best weights; the ELBO should rise, hence `mode="max"`.

# %%
model.compile(keras.optimizers.Adam(2e-3))
stop = keras.callbacks.EarlyStopping(monitor="val_elbo", mode="max", patience=5, restore_best_weights=True)
history = model.fit(digits.train, validation_data=digits.validation, epochs=EPOCHS, callbacks=[stop], verbose=2)
print(f"best validation ELBO: {max(history.history['val_elbo']):.2f} nats")

# %% [markdown]
# ## Look
#
# Reconstructions keep most of the digit and lose the noise of the binarisation. Samples come from the prior alone. The
# latent map shows the posterior means on their first two principal components; eight dimensions overlap in two, and
# yet digits gather by their label, which the model never saw.

# %%
test = digits.array("test")
pictures.reconstructions(model, test).savefig(OUT / "reconstructions.png", dpi=150)
pictures.samples(model).savefig(OUT / "samples.png", dpi=150)
pictures.scatter(model, test, digits.labels["test"]).savefig(OUT / "latent.png", dpi=150)

# %% [markdown]
# ## Measure
#
# The evidence log p(x) is what we want to know; the ELBO is only a bound on it. The gap is KL(q(z|x) || p(z|x)), never
# negative, so evidence >= ELBO. Importance sampling estimates the evidence, low on average, less so with more samples.
# It has two errors. *Data*: how much another test set of this size would change the number; more pictures shrink it.
# *Monte Carlo*: how much another seed would change it; more samples shrink it.

# %%
bound = evaluation.elbo(model, test, samples=10)
evidence = evaluation.log_evidence(model, test, samples=1000, progress=False)
print("bound        ", bound)
print("log evidence ", evidence)
print(f"gap           {evidence.mean - bound.elbo:.2f} nats")
print(f"pictures whose estimate is not to be trusted (Pareto k > 0.7): {np.mean(evidence.pareto_k > 0.7):.0%}")

# %% [markdown]
# ## Save and load
#
# A `.keras` file holds the composition, the weights and the optimiser, and loads without custom objects.

# %%
model.save(OUT / "model.keras")
loaded = keras.models.load_model(OUT / "model.keras")
np.testing.assert_allclose(loaded.reconstruct(test), model.reconstruct(test), atol=1e-5)

# %% [markdown]
# ## Export
#
# A SavedModel is for servers, a TFLite file for phones and browsers. Each is compared with the Keras model when it is
# written; the largest differences are returned. The seed is an input: the same seed gives the same pictures everywhere.

# %%
print(export.saved_model(model, OUT / "saved_model" / "1"))
print(export.tflite(model, OUT / "model.tflite"))

n, seed = 16, np.array([7, 0], np.int32)
served = tf.saved_model.load(str(OUT / "saved_model" / "1")).signatures["generate"]
mobile = Interpreter(str(OUT / "model.tflite")).get_signature_runner("generate")
drawn = {
    "Keras": model.sample(n, seed=seed),
    "SavedModel": served(n=tf.constant(n), seed=tf.constant(seed))["x"].numpy(),
    "TFLite": mobile(n=np.int32(n), seed=seed)["x"],
}
for name, pixels in drawn.items():
    print(f"{name:10}  largest difference from Keras: {np.abs(pixels - drawn['Keras']).max():.1e}")
    np.testing.assert_allclose(pixels, drawn["Keras"], atol=1e-3)
