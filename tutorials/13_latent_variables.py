# %% [markdown]
# # Latent variables, and the bound derived and checked
#
# The fourth step: a variable z that nobody observed. Its density is summed out, log p(x) = log of the integral of
# p(x | z) p(z) over z, which in general cannot be done. For any density q(z),
#
#     log p(x) = E_q[log p(x, z) / q(z)] + E_q[log q(z) / p(z | x)]
#              = ELBO + KL(q(z) || p(z | x))
#
# because p(x, z) = p(z | x) p(x): the logarithms of p(z | x) cancel. The second term is not negative, so the first one
# is a bound, and it is tight where q is the true posterior. With one latent dimension the integral *can* be done, on a
# grid; so we check all of it.

# %%
"""Latent variables: log p(x) = ELBO + KL to rounding, and what the encoder and its family cost."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads this when it loads

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import tfvae
from tfvae import data, evaluation, heads, networks, priors
from tfvae.evaluation import exact

EPOCHS = int(os.environ.get("TUTORIAL_EPOCHS", "60"))
OUT = Path(os.environ.get("TUTORIAL_OUT", "tutorial_output"))
OUT.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(1)

# %% [markdown]
# ## A model with one latent dimension
#
# The networks have no corners (tanh, not ReLU), for which the grid converges at once.

# %%
digits = data.load("digits", batch_size=64, binarization=data.StaticBinarization(seed=0))
encoder = tfvae.Encoder(networks.mlp(64, activation="tanh"), heads.DiagonalNormal(1))
decoder = tfvae.Decoder(networks.mlp(64, activation="tanh"), heads.Bernoulli(digits.shape))
model = tfvae.VAE(encoder, decoder, priors.StandardNormal(1), seed=0)
model.compile(keras.optimizers.Adam(3e-3))
model.fit(digits.train, epochs=EPOCHS, verbose=0)

# %% [markdown]
# ## The three terms, each computed by itself
#
# log p(x) and the divergence come from the grid, the ELBO from draws of q. They must fit together.

# %%
x = digits.array("test")[:100]
known = exact.quadrature(model, x, tolerance=1e-5)
print(known)
draws = evaluation.elbo(model, x, samples=2000, seed=1, progress=False)
print(f"ELBO from draws {draws.elbo:.4f}, log p(x) - KL from the grid {known.elbo.mean():.4f} nats")
estimate = evaluation.log_evidence(model, x, samples=5000, progress=False)
print(f"importance sampling says log p(x) = {estimate}; the grid says {known.mean:.4f}")
if known.warnings:  # the grid misses a posterior, or is too coarse
    raise RuntimeError(known.warnings)

# %% [markdown]
# ## Two ways to find q
#
# *Amortised*: a network gives q(z | x) for every x at once. *Mean-field by itself*: find the best normal q for each x.
# The difference is what amortisation costs; what remains to log p(x) is what the normal family costs. Both bounds are
# measured from draws of q, as the mean of log p(x, z) - log q(z), whose noise dies out as q nears the true posterior;
# the encoder's must be the one that the grid gave, within its Monte Carlo error.

# %%
gaps = exact.inference_gaps(model, x, known, steps=30 * EPOCHS)
print(gaps)
off = gaps.amortised - known.elbo
print(f"ELBO of each digit, draws against the grid: at most {np.abs(off).max():.4f} nats apart")
np.testing.assert_array_less(np.abs(off), 6 * gaps.amortised_error + 1e-4)

# %%
chosen = int(np.argmax(known.divergence))  # where the encoder does worst
q = encoder(tf.constant(x[[chosen]]))
z = q.mean().numpy() + q.stddev().numpy() * np.linspace(-6, 6, 801, dtype="float32")[:, None]
joint = decoder(z[:, None]).log_prob(x[[chosen]]).numpy()[:, 0] + model.prior().log_prob(z).numpy()
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
left.plot(z[:, 0], np.exp(joint - known.per_example[chosen]), color="black", label="true posterior p(z | x)")
left.plot(z[:, 0], np.exp(q.log_prob(z)), label=f"encoder's q(z | x), KL {known.divergence[chosen]:.2f} nats")
left.set(title="the test digit whose posterior is worst", xlabel="z", ylabel="density")
left.set_ylim(0.0, 1.35 * left.get_ylim()[1])  # the legend stands above the curves
left.legend(loc="upper center")
order = np.argsort(known.divergence)
gap, best = known.per_example - gaps.amortised, known.per_example - gaps.mean_field
right.plot(known.divergence[order], color="black", linewidth=1, label="KL(q || p(z | x)) of the encoder, grid")
right.errorbar(
    np.arange(len(x)), gap[order], gaps.amortised_error[order], fmt=".", markersize=4, linewidth=1,
    label="log p(x) - ELBO of the encoder, draws",
)  # fmt: skip
right.plot(best[order], ".", markersize=4, label="log p(x) - ELBO of the best normal q for each x, draws")
right.axhline(0.0, color="grey", linewidth=0.5)
right.set(title="log p(x) - ELBO = KL, for 100 test digits", xlabel="test digit, sorted by KL", ylabel="nats")
right.legend(loc="upper left")
figure.savefig(OUT / "bound.png", dpi=130)
