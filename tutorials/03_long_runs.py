# %% [markdown]
# # Runs that are stopped, explode or overflow
#
# Four things that happen to long trainings, and what to do about each. Everything goes through plain `model.fit`.

# %%
"""Resume a stopped run bit for bit, stop at a loss that is not finite, clip gradients, skip steps that overflow."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads this when it loads

import keras
import numpy as np

import tfvae
from tfvae import data, heads, zoo
from tfvae.callbacks import Checkpoint
from tfvae.errors import NonFiniteLoss

EPOCHS = int(os.environ.get("TUTORIAL_EPOCHS", "5")) + 1
OUT = Path(os.environ.get("TUTORIAL_OUT", "tutorial_output")).resolve()
digits = data.load("digits", batch_size=64, binarization=data.DynamicBinarization(seed=0))


def fresh(optimizer: keras.optimizers.Optimizer, likelihood: keras.Layer | None = None) -> tfvae.VAE:
    """Return the same new model each time, as a new process would make it."""
    keras.utils.set_random_seed(1)
    model = zoo.vae(digits.shape, latent_dim=4, units=(64,), likelihood=likelihood or heads.Bernoulli(digits.shape))
    model.compile(optimizer)
    return model


def must(hold: bool) -> None:
    """Stop the tutorial where it would say what is not so."""
    if not hold:
        raise RuntimeError("Not what the text says")


# %% [markdown]
# ## Stopped and begun again
#
# `Checkpoint` keeps weights, optimiser, epoch and step. Here the run is stopped after its first epoch; the second `fit`
# is what a new process would run, the same lines again. It ends with the very weights of a run that nobody stopped:
# the order of the data and all noise are functions of the seed and the step.

# %%
straight = fresh(keras.optimizers.Adam(2e-3))
straight.fit(digits.train, epochs=EPOCHS, verbose=0)


class Stop(keras.callbacks.Callback):
    """Pulls the plug after the first epoch."""

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Stop as Ctrl-C would."""
        if epoch == 1:
            raise KeyboardInterrupt


checkpoint = Checkpoint(OUT / "checkpoint.keras", seconds=30)
OUT.mkdir(parents=True, exist_ok=True)
try:
    fresh(keras.optimizers.Adam(2e-3)).fit(digits.train, epochs=EPOCHS, verbose=0, callbacks=[checkpoint, Stop()])
except KeyboardInterrupt:
    print("stopped")
resumed = fresh(keras.optimizers.Adam(2e-3))
resumed.fit(digits.train, epochs=EPOCHS, verbose=0, callbacks=[checkpoint])
differences = [np.abs(a - b).max() for a, b in zip(straight.get_weights(), resumed.get_weights(), strict=True)]
print(f"largest difference to the undisturbed run: {max(differences)}")
must(max(differences) == 0)

# %% [markdown]
# ## A loss that is not finite
#
# A likelihood far too narrow for the data and a learning rate far too high: the first steps throw the weights away.
# `fit` stops at the step whose loss is not finite, changes no weight, and says which part it was.

# %%
narrow = heads.Normal(digits.shape, scale=1e-3)
try:
    fresh(keras.optimizers.SGD(10.0), narrow).fit(digits.train, epochs=1, verbose=0)
except NonFiniteLoss as error:
    print(error)
else:
    must(False)

# %% [markdown]
# ## Clipped
#
# The same model with gradients clipped by Keras' optimiser: each step is at most 0.01 long, and the loss falls.

# %%
clipped = fresh(keras.optimizers.SGD(1e-2, global_clipnorm=1.0), heads.Normal(digits.shape, scale=1e-3))
losses = clipped.fit(digits.train, epochs=2, verbose=0).history["loss"]
print(f"loss with clipped gradients: {losses[0]:.4g}, then {losses[1]:.4g}")
must(losses[1] < losses[0])

# %% [markdown]
# ## Skipped
#
# In half precision the loss is scaled up before the gradient is taken. Where that overflows, Keras'
# `LossScaleOptimizer` skips the step and halves the scale: training goes on as soon as it fits. Here the scale is so
# high that float32 overflows too.

# %%
scaler = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(2e-3), initial_scale=2.0**126)
skipping = fresh(scaler, heads.Normal(digits.shape, scale=0.1))
loss = skipping.fit(digits.train, epochs=1, verbose=0).history["loss"][-1]
taken, steps = int(scaler.inner_optimizer.iterations), digits.steps_per_epoch
print(f"{taken} of {steps} steps taken, scale now 2^{np.log2(float(scaler.dynamic_scale)):.0f}, loss {loss:.2f}")
must(0 < taken < steps)
