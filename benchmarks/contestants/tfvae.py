"""The library, used as its README uses it."""

import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from benchmarks.serve import serve
from benchmarks.works import SHAPE, UNITS, Work
from tfvae import VAE, Decoder, Encoder, Trace, data, heads, networks, objectives, priors
from tfvae.evaluation import log_evidence


@keras.saving.register_keras_serializable(package="benchmarks")
class ImportanceWeighted(objectives.Objective):
    """The importance-weighted bound, `log 1/K sum_k p(x, z_k) / q(z_k | x)`.

    Reference: Y. Burda, R. Grosse and R. Salakhutdinov, "Importance Weighted Autoencoders", 2016, Eq. (8),
    https://arxiv.org/abs/1509.00519.
    """

    def __init__(self, samples: int):
        self.samples = samples

    def bound(self, trace: Trace, step: tf.Tensor) -> tf.Tensor:
        return tf.reduce_logsumexp(trace.log_weights, 0) - math.log(self.samples)  # [B]

    def get_config(self) -> dict:
        return {"samples": self.samples}


def model(work: Work) -> VAE:
    """Return the model of a work, not compiled yet."""
    if work.conv:
        inference, generator = networks.conv(32, 64, units=256), networks.deconv(64, 32, size=SHAPE[:2], units=256)
    else:
        inference, generator = (networks.mlp(UNITS, UNITS, activation="tanh") for _ in range(2))
    encoder = Encoder(inference, heads.DiagonalNormal(work.latent))
    decoder = Decoder(generator, heads.Bernoulli(SHAPE))
    objective = ImportanceWeighted(work.samples) if work.iwae else objectives.ELBO()
    return VAE(encoder, decoder, priors.StandardNormal(work.latent), objective, seed=0)


def prepare(work: Work, images: np.ndarray) -> Callable[[], int]:
    """Return one call of `fit` over the images, or one of `log_evidence`."""
    vae = model(work)
    if work.evidence:
        x = images.astype(np.float32)
        return lambda: log_evidence(vae, x, work.samples, progress=False).samples * len(x)
    # Zeros and ones stay bytes in memory, as they do after `load(..., binarization=StaticBinarization())`.
    held_out = images[:1].astype(bool)
    splits = data.from_arrays(images.astype(bool), held_out, held_out, batch_size=work.batch)
    vae.compile(keras.optimizers.Adam(1e-3))

    def epoch() -> int:
        vae.fit(splits.train, epochs=1, verbose=0)
        return len(images)

    return epoch


if __name__ == "__main__":
    serve(prepare)
