# %% [markdown]
# # Scoring many files on many machines
#
# A trained model is exported once; then workers that have neither this library nor TensorFlow Probability score a data
# set, one file (*shard*) after another. Needs `pip install 'tfvae[scoring]'`.

# %%
"""Score a data set in shards with an exported model, on Ray Data: load once a worker, one whole file for each shard."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads this when it loads
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports its use to its makers unless told not to

import keras
import numpy as np
import ray.data

import tfvae
from tfvae import data, evaluation, export

EPOCHS = int(os.environ.get("TUTORIAL_EPOCHS", "20"))
OUT = Path(os.environ.get("TUTORIAL_OUT", "tutorial_output")).resolve()  # workers start in folders of their own
SAMPLES, SEED = 50, 7
keras.utils.set_random_seed(1)

# %% [markdown]
# ## A model and its export
#
# The signature `log_evidence` takes x, the number of importance samples and a seed of two words.

# %%
digits = data.load("digits", batch_size=64, binarization=data.DynamicBinarization(seed=0))
model = tfvae.zoo.vae(digits.shape, latent_dim=8, units=(128,), seed=1)
model.compile(keras.optimizers.Adam(2e-3))
model.fit(digits.train, epochs=EPOCHS, verbose=2)
exported = OUT / "saved_model" / "1"
print(export.saved_model(model, exported))

# %% [markdown]
# ## Shards
#
# Three files stand for as many as there are.

# %%
shards = OUT / "shards"
shards.mkdir(parents=True, exist_ok=True)
x = digits.array("test")
for number, part in enumerate(np.array_split(x, 3)):
    np.save(shards / f"{number:05d}.npy", part)

# %% [markdown]
# ## What a worker does
#
# Ray makes one object of the class for each worker, so the model loads once for many shards. The noise of an example
# depends on the seed and on its row in the call, so a whole shard is scored in one call, with the seed (SEED, number of
# the shard). The number of workers and the order of their work change nothing; other shards of the same examples do
# change the noise, though not what is estimated.
#
# A worker that dies is replaced and its shard is scored again. A result gets its name only when it is whole, and a
# shard that has a result is left alone: stop the program, start it again, and it does what is missing.


# %%
class Score:
    """Scores one shard with the exported model; needs TensorFlow and NumPy alone."""

    def __init__(self, exported: str, out: str, samples: int, seed: int):
        import tensorflow as tf

        self.loaded = tf.saved_model.load(exported)  # kept, because its variables live as long as it does
        self.log_evidence, self.tf = self.loaded.signatures["log_evidence"], tf
        self.out, self.samples, self.seed = Path(out), samples, seed

    def __call__(self, row: dict) -> dict:
        shard = Path(row["path"])
        result = self.out / shard.name
        if not result.exists():
            x, seed = self.tf.constant(np.load(shard)), self.tf.constant([self.seed, int(shard.stem)])
            values = self.log_evidence(x=x, samples=self.tf.constant(self.samples), seed=seed)
            temporary = result.with_suffix(f".{os.getpid()}")
            with temporary.open("wb") as file:
                np.save(file, values["log_evidence"].numpy())
            temporary.replace(result)
        return {"path": str(result)}


# %% [markdown]
# ## Run it
#
# Apache Beam's RunInference would do as well, but holds protobuf and pyarrow at older versions; Ray Data installs
# beside the newest ones. Where a Dataflow or Flink cluster is at hand, take Beam: the class above needs another caller.
#
# Without an address, `ray.init` starts workers on this machine; `ray.init("auto")` finds a cluster that is running,
# whose machines must all see the folder.

# %%
scores = OUT / "scores"
scores.mkdir(exist_ok=True)
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
todo = ray.data.from_items([{"path": str(path)} for path in sorted(shards.glob("*.npy"))])
workers = ray.data.ActorPoolStrategy(size=1)  # on a cluster: as many as there are machines
arguments = (str(exported), str(scores), SAMPLES, SEED)
done = todo.map(Score, fn_constructor_args=arguments, compute=workers).take_all()
ray.shutdown()
print(f"{len(done)} shards scored")

# %% [markdown]
# ## The same numbers
#
# Example by example, the files hold what the Keras model says of the same shard with the same seed.

# %%
for path in sorted(shards.glob("*.npy")):
    scored = np.load(scores / path.name)
    keras_says = evaluation.log_evidence(model, np.load(path), SAMPLES, (SEED, int(path.stem)), progress=False)
    difference = np.abs(scored - keras_says.per_example).max()
    print(f"{path.name}  {len(scored)} examples, mean {scored.mean():.2f} nats, largest difference {difference:.1e}")
    np.testing.assert_allclose(scored, keras_says.per_example, rtol=1e-4)
