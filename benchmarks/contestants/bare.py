"""The library's training step alone: compiled, in a loop on one batch that stays in memory, without `fit` around it."""

import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from benchmarks.contestants.tfvae import model
from benchmarks.serve import serve
from benchmarks.works import Work

_STEPS = 32  # in one call


def prepare(work: Work, images: np.ndarray) -> Callable[[], int]:
    """Return as many steps as one pass over the images takes."""
    vae = model(work)
    vae.compile(keras.optimizers.Adam(1e-3))
    vae.optimizer.build(vae.trainable_variables)
    x = tf.constant(images[: work.batch], tf.float32)

    @tf.function(jit_compile=True, autograph=False)
    def run(x: tf.Tensor) -> dict:
        def body(number: tf.Tensor) -> tf.Tensor:
            vae.train_step(x)
            return number + 1

        tf.while_loop(lambda number: number < _STEPS, body, [tf.constant(0)])
        return vae.get_metrics_result()

    calls = max(1, len(images) // (work.batch * _STEPS))

    def epoch() -> int:
        for _ in range(calls):
            logs = run(x)
        if not math.isfinite(float(logs["loss"])):  # waits for the last step, too
            raise ArithmeticError("The loss is not finite")
        return calls * _STEPS * work.batch

    return epoch


if __name__ == "__main__":
    serve(prepare)
