"""A VAE in Keras alone: a layer that samples and a training step of its own."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.serve import serve
from benchmarks.works import PIXELS, SHAPE, UNITS, Work


class Sampling(layers.Layer):
    """Draws z = mean + exp(log_var / 2) noise."""

    def __init__(self, **kwargs: object):
        super().__init__(**kwargs)
        self.generator = keras.random.SeedGenerator(0)

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        mean, log_var = inputs
        return mean + tf.exp(0.5 * log_var) * keras.random.normal(tf.shape(mean), seed=self.generator)


class PlainVAE(keras.Model):
    """An encoder and a decoder that train together on the negative ELBO."""

    def __init__(self, encoder: keras.Model, decoder: keras.Model, **kwargs: object):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.distortion_tracker = keras.metrics.Mean(name="distortion")
        self.rate_tracker = keras.metrics.Mean(name="rate")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """What `fit` resets in every epoch."""
        return [self.loss_tracker, self.distortion_tracker, self.rate_tracker]

    def train_step(self, data: tf.Tensor) -> dict:
        """Take one step down the gradient."""
        with tf.GradientTape() as tape:
            mean, log_var, z = self.encoder(data, training=True)
            pixels = keras.losses.binary_crossentropy(data, self.decoder(z, training=True))
            distortion = tf.reduce_mean(tf.reduce_sum(pixels, axis=(1, 2)))
            divergence = -0.5 * tf.reduce_sum(1 + log_var - tf.square(mean) - tf.exp(log_var), axis=1)
            rate = tf.reduce_mean(divergence)
            loss = distortion + rate
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights, strict=True)
        )
        for tracker, value in zip(self.metrics, (loss, distortion, rate), strict=True):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.metrics}


def _features(work: Work, x: tf.Tensor) -> tf.Tensor:
    if not work.conv:
        return _dense(layers.Flatten()(x))
    for filters in (32, 64):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    return layers.Dense(256, activation="relu")(layers.Flatten()(x))


def _dense(x: tf.Tensor) -> tf.Tensor:
    for _ in range(2):
        x = layers.Dense(UNITS, activation="tanh")(x)
    return x


def _pixels(work: Work, z: tf.Tensor) -> tf.Tensor:
    if not work.conv:
        return layers.Reshape(SHAPE)(layers.Dense(PIXELS, activation="sigmoid")(_dense(z)))
    z = layers.Dense(7 * 7 * 64, activation="relu")(layers.Dense(256, activation="relu")(z))
    z = layers.Reshape((7, 7, 64))(z)
    for filters in (64, 32):
        z = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", activation="relu")(z)
    return layers.Conv2D(1, 1, activation="sigmoid")(z)


def model(work: Work) -> PlainVAE:
    """Return the model of a work, not compiled yet."""
    x = keras.Input(SHAPE)
    features = _features(work, x)
    mean, log_var = (layers.Dense(work.latent)(features) for _ in range(2))
    z = keras.Input((work.latent,))
    return PlainVAE(keras.Model(x, [mean, log_var, Sampling()((mean, log_var))]), keras.Model(z, _pixels(work, z)))


def prepare(work: Work, images: np.ndarray) -> Callable[[], int]:
    """Return one call of `fit` over the images."""
    x, vae = images.astype(np.float32), model(work)
    vae.compile(keras.optimizers.Adam(1e-3))

    def epoch() -> int:
        vae.fit(x, batch_size=work.batch, epochs=1, verbose=0)
        return len(x)

    return epoch


if __name__ == "__main__":
    serve(prepare)
