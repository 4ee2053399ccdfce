"""One worker of a cluster, or one process with the global batch: `worker.py FOLDER`, with TF_CONFIG for a cluster."""

import os
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

clustered = "TF_CONFIG" in os.environ
strategy = tf.distribute.MultiWorkerMirroredStrategy() if clustered else tf.distribute.get_strategy()
folder = Path(sys.argv[1])

import keras  # noqa: E402 (collectives must be set up before TensorFlow is used)

import tfvae  # noqa: E402

keras.utils.set_random_seed(0)
digits = tfvae.data.load("digits", batch_size=100)
with strategy.scope():
    model = tfvae.zoo.vae(digits.shape, 2, units=(16,), seed=0)
    model.compile(keras.optimizers.Adam(1e-3))
history = model.fit(
    digits.train,
    epochs=2,
    validation_data=digits.validation,
    verbose=0,
    callbacks=[tfvae.callbacks.Checkpoint(folder / "checkpoint.keras")],
).history
task = strategy.cluster_resolver.task_id if clustered else 0
np.savez(folder / f"worker{task}.npz", *model.get_weights(), **{k: np.array(v) for k, v in history.items()})
