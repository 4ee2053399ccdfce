"""One worker of a cluster, or one process with the global batch: `worker.py FOLDER KIND`, with TF_CONFIG for a cluster.

KIND is `memory`, `mirrored` (two processors in one process) or `stream` (each worker reads its own part of the files).
"""

import os
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

folder, kind = Path(sys.argv[1]), sys.argv[2]
clustered = "TF_CONFIG" in os.environ
if kind == "mirrored":
    processor = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [processor] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
else:
    strategy = tf.distribute.MultiWorkerMirroredStrategy() if clustered else tf.distribute.get_strategy()

import keras  # noqa: E402 (collectives must be set up before TensorFlow is used)

import tfvae  # noqa: E402

keras.utils.set_random_seed(0)
digits = tfvae.data.load("digits", batch_size=100)
with strategy.scope():
    model = tfvae.zoo.vae(digits.shape, 2, units=(16,), seed=0)
    model.compile(keras.optimizers.Adam(1e-3))
options = {"validation_data": digits.validation}
train = digits.train
if kind == "stream":
    files = [sorted(map(str, folder.parent.glob(f"{split}*.tfrecord"))) for split in ("train", "validation", "test")]
    stream = tfvae.data.stream_tfrecords(
        *files,
        parse=lambda record: tf.reshape(tf.io.decode_raw(record, tf.uint8), digits.shape),
        shape=digits.shape,
        batch_size=100,
        buffer=50,
    )
    options = {"steps_per_epoch": stream.steps_per_epoch}
    if clustered:
        train = strategy.distribute_datasets_from_function(
            lambda worker: stream.shard(worker.input_pipeline_id, worker.num_input_pipelines).train_from(0)
        )
    else:
        shards = tf.data.Dataset.zip(tuple(stream.shard(i, 2).train_from(0) for i in range(2)))
        train = shards.map(lambda *parts: tf.concat(parts, 0))
history = model.fit(
    train, epochs=2, verbose=0, callbacks=[tfvae.callbacks.Checkpoint(folder / "checkpoint.keras")], **options
).history
task = strategy.cluster_resolver.task_id if clustered else 0
np.savez(folder / f"worker{task}.npz", *model.get_weights(), **{k: np.array(v) for k, v in history.items()})
