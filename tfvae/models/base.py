"""What every VAE has in common: the package's only training step, and the methods a user calls."""

import random

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.moments import centre
from tfvae.errors import IncompatibleParts, positive_int, whole_number_in
from tfvae.models import checks, compatibility, execution, fitting, replicas, summary
from tfvae.objectives.base import Objective
from tfvae.objectives.elbo import ELBO
from tfvae.priors.base import Prior
from tfvae.random import Seed, as_seed, draw
from tfvae.trace import Trace


class AbstractVAE(keras.Model):
    """A model with latent variables, trained by maximising an objective (abstract).

    A model says what is drawn in what order, in `trace` and `trace_from`; `VAE` documents the arguments.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        prior: Prior,
        objective: Objective = ELBO(),
        *,
        seed: int | None = None,
        **kwargs: object,
    ):
        super().__init__(**kwargs)
        if not isinstance(objective, Objective):
            raise IncompatibleParts(
                f"Expected an objective from tfvae.objectives, such as objectives.ELBO(). Received: {objective=!r}"
            )
        self.fits = compatibility.check(encoder, decoder, prior, objective, self.variable_dtype)
        self.encoder = encoder
        self.decoder = decoder
        self.prior = prior
        self.objective = objective
        self.critic = objective.critic
        self.seed = random.randint(0, 2**31 - 1) if seed is None else whole_number_in("seed", seed, 0, 2**31 - 1)  # noqa: S311
        if self.fits.has_rate:
            self.elbo_tracker = keras.metrics.Mean(name="elbo")
            self.rate_tracker = keras.metrics.Mean(name="rate")
        self.distortion_tracker = keras.metrics.Mean(name="distortion")
        self.origin: int | None = None
        self.chooses_jit, self.functions = False, execution.Functions()
        self.check = checks.Checker(self.fits.event_shape, self.fits.support)
        self.built = True

    # What is drawn -------------------------------------------------------------------------------------------------

    def trace(
        self, x: tf.Tensor, samples: tf.Tensor | int = 1, seed: int | tf.Tensor | Seed = 0, training: bool = False
    ) -> Trace:
        """Draw `samples` z for each x and return the draws with their log-densities."""
        raise NotImplementedError

    def trace_from(
        self,
        q: tfd.Distribution,
        x: tf.Tensor,
        samples: tf.Tensor | int = 1,
        seed: int | tf.Tensor | Seed = 0,
        training: bool = False,
    ) -> Trace:
        """Do as `trace` for a posterior that is known already, so that the encoder runs once for many samples."""
        raise NotImplementedError

    def rate(self, q: tfd.Distribution, p: tfd.Distribution, log_ratio: tf.Tensor) -> tf.Tensor:
        """Return KL(q || p) of shape [B], exact or the mean of log q - log p, as decided when the model was made."""
        if not self.fits.has_rate:
            return tf.fill(tf.shape(log_ratio)[1:], tf.constant(float("nan"), log_ratio.dtype))  # never to be used
        return tfd.kl_divergence(q, p) if self.fits.exact_rate else tf.reduce_mean(log_ratio, 0)

    def with_prior(self, prior: Prior) -> "AbstractVAE":
        """Return a model of the same encoder, decoder and objective, which are shared, with another prior.

        Raises:
            IncompatibleParts: if the prior does not fit the posterior.
        """
        return type(self)(self.encoder, self.decoder, prior, self.objective, seed=self.seed, name=self.name)

    # Training ------------------------------------------------------------------------------------------------------

    def train_step(self, data: object) -> dict:
        """Take one step up the objective's gradient; the noise is a function of the seed and the step alone.

        A loss that is not finite changes no weight.
        """
        x, weight = self._unpack(data)
        first, total = replicas.place(tf.shape(x)[0])
        step = self.optimizer.iterations
        seed = Seed(tf.stack([tf.constant(self.seed), tf.cast(step, tf.int32)]), example=first)
        with tf.GradientTape() as tape:
            trace = self.trace(x, self.objective.samples, seed, training=True)
            losses = -weight * self.objective.bound(trace, step)  # [B]
            penalty = self._penalty(losses.dtype)
            loss = tf.reduce_sum(losses) / tf.cast(total, losses.dtype) + replicas.share(penalty)
            scaled = self.optimizer.scale_loss(loss)
        weights = self.trained_variables
        gradients = tape.gradient(scaled, [w.value for w in weights])

        def update() -> None:
            self.optimizer.apply(gradients, weights)
            self._update_others(trace, step)

        replicas.apply_if(tf.math.is_finite(loss), update)
        return self._track(losses + penalty, trace, weight)

    def _update_others(self, trace: Trace, step: tf.Tensor) -> None:
        """Train the critic, and set what the heads do not learn by gradient."""
        critics = self.critic.trainable_variables
        if critics:
            with tf.GradientTape() as tape:
                loss = self.critic.loss(trace, step)
            self.critic.optimizer.apply(tape.gradient(loss, [w.value for w in critics]), critics)
        for part in (self.encoder, self.decoder):
            if hasattr(part, "head"):
                part.head.update(trace, step)

    @property
    def trained_variables(self) -> list:
        """The weights of encoder, decoder and prior, which the objective trains: not those of its critic."""
        critics = {id(variable) for variable in self.critic.trainable_variables}
        return [variable for variable in self.trainable_variables if id(variable) not in critics]

    def test_step(self, data: object) -> dict:
        """Measure one batch; the noise of an example is a function of the seed and its place in the data."""
        x, weight = self._unpack(data)
        first, _ = replicas.place(tf.shape(x)[0])
        seen = tf.cast(replicas.total(self._loss_tracker.count), tf.int32)
        seed = Seed(tf.constant([self.seed, -1]), example=seen + first)  # no training step has the number -1
        trace = self.trace(x, self.objective.samples, seed)
        step = self.optimizer.iterations if self.optimizer is not None else tf.constant(0)
        losses = -weight * self.objective.bound(trace, step)  # [B]
        return self._track(losses + self._penalty(losses.dtype), trace, weight)

    def _unpack(self, data: object) -> tuple[tf.Tensor, tf.Tensor]:
        x, _, weight = keras.utils.unpack_x_y_sample_weight(data)
        x = tf.cast(x, self.variable_dtype)
        x.set_shape([None, *self.fits.event_shape])
        return x, tf.ones(tf.shape(x)[0], x.dtype) if weight is None else tf.reshape(tf.cast(weight, x.dtype), [-1])

    def _penalty(self, dtype: tf.DType) -> tf.Tensor:
        """What layers add to the loss, such as weight decay, a scalar."""
        return tf.add_n(self.losses) if self.losses else tf.zeros([], dtype)

    def _track(self, losses: tf.Tensor, trace: Trace, weight: tf.Tensor) -> dict:
        self._loss_tracker.update_state(losses)
        self.distortion_tracker.update_state(trace.distortion, weight)
        if self.fits.has_rate:
            self.elbo_tracker.update_state(trace.elbo, weight)
            self.rate_tracker.update_state(trace.rate, weight)
        return replicas.reducible(self.get_metrics_result())

    @property
    def running_loss(self) -> keras.metrics.Mean:
        """The mean loss since the epoch or the evaluation began."""
        return self._loss_tracker

    def compile(self, optimizer: object = "rmsprop", *args: object, **options: object) -> None:
        """Prepare for training as `keras.Model.compile` does; the objective is the loss.

        With `jit_compile="auto"`, the default, `fit` and `evaluate` compile with XLA where the work is long enough to
        earn the compilation back, and never convolutions on a processor. `steps_per_execution=1`, the default, lets
        them run many steps in one call as long as no callback wants to see every batch.
        """
        super().compile(optimizer, *args, **options)
        self.chooses_jit = options.get("jit_compile", "auto") == "auto" and not self.run_eagerly
        self.functions = execution.Functions()

    def get_compile_config(self) -> dict:
        config = super().get_compile_config()
        return {**config, "jit_compile": "auto"} if config and self.chooses_jit else config

    def compile_from_config(self, config: dict) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None:
            self.optimizer.build(self.trained_variables)  # so that its state finds its place when a file is loaded

    def fit(self, x: object = None, *args: object, **options: object) -> keras.callbacks.History:
        """Train as `keras.Model.fit` does, with the same arguments, on data that is checked first.

        Callbacks that watch the ELBO need its direction, e.g. `EarlyStopping(monitor="val_elbo", mode="max")`.
        `tfvae.callbacks.Checkpoint` makes a run resume where it was stopped.

        Raises:
            ValueError: for data outside the likelihood's support, of another shape or dtype, or with NaN.
            NonFiniteLoss: at the first step whose loss is NaN or infinite.
        """
        self._refuse_keras_losses()
        return checks.clearly(fitting.fit, self, super().fit, x, args, options)

    def evaluate(self, x: object = None, *args: object, **options: object) -> dict | list:
        """Measure `loss`, `elbo`, `rate` and `distortion` as `keras.Model.evaluate` does, on checked data.

        Raises:
            ValueError: as `fit` does.
        """
        self._refuse_keras_losses()
        return checks.clearly(fitting.evaluate, self, super().evaluate, x, args, options)

    def predict(self, x: object, *args: object, **options: object) -> np.ndarray:
        """Return mean reconstructions as `keras.Model.predict` does; any finite x of the right shape is taken.

        Raises:
            ValueError: for x of another shape or dtype, or with NaN.
        """
        return checks.clearly(super().predict, checks.finite(self.fits.event_shape)(x), *args, **options)

    def _refuse_keras_losses(self) -> None:
        if self.compiled and (self._compile_loss is not None or self._compile_metrics is not None):
            raise ValueError(
                "Expected compile(optimizer) without loss and metrics: the objective is the loss, and loss, elbo, rate "
                f"and distortion are reported. Received: loss={self._compile_loss}, metrics={self._compile_metrics}"
            )

    # Using ---------------------------------------------------------------------------------------------------------

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.decoder(centre(self.encoder(x))).mean()

    def reconstruct(self, x: object) -> np.ndarray:
        """Return the mean of p(x | z) at the centre of q(z | x), of the shape of x: an array or a data set.

        The centre is the mean, where it lies on the support and has a closed form: see `tfvae.distributions.centre`.
        """
        return self.predict(x, verbose=0)

    def embed(self, x: object) -> np.ndarray:
        """Return the centre of q(z | x), [B, D]: the mean of a normal posterior, see `reconstruct`.

        Raises:
            ValueError: for x of another shape or dtype, or with NaN.
        """
        checked = tf.cast(checks.finite(self.fits.event_shape).array(x), self.variable_dtype)
        return centre(self.encoder(checked)).numpy()

    def sample(self, n: int, seed: int | tuple[int, int] = 0) -> np.ndarray:
        """Return the means of p(x | z) at n draws z ~ p(z), [n, *event]; the exported `generate` gives the same.

        Raises:
            ValueError: if `n` is no positive whole number or `seed` is not one or two 32-bit integers.
        """
        return self.decoder(draw(self.prior(), positive_int("n", n), as_seed(seed))).mean().numpy()

    def summary(self, *args: object, **options: object) -> None:
        """Print Keras' summary and the composition: parts, distributions, shapes, how the rate is computed."""
        super().summary(*args, **options)
        say = options.get("print_fn")
        (say if callable(say) else print)(summary.composition(self))

    # Saving --------------------------------------------------------------------------------------------------------

    def build(self, input_shape: tuple | None = None) -> None:
        """Do nothing: the parts were built when the model was made."""

    def get_config(self) -> dict:
        parts = {key: keras.saving.serialize_keras_object(getattr(self, key)) for key in _PARTS}
        return {**super().get_config(), **parts, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "AbstractVAE":
        parts = {
            key: keras.saving.deserialize_keras_object(config[key], custom_objects=custom_objects) for key in _PARTS
        }
        return cls(**{**config, **parts})


def require_vae(model: object) -> None:
    """Raise ValueError if `model` is no model of the library."""
    if not isinstance(model, AbstractVAE):
        raise ValueError(f"Expected a model of tfvae, such as tfvae.VAE or tfvae.zoo.vae(...). Received: {model=!r}")


_PARTS = ("encoder", "decoder", "prior", "objective")
