"""What every VAE has in common: the methods a user calls."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.decoded import decoded
from tfvae.distributions.moments import centre, shown
from tfvae.errors import IncompatibleParts, positive_int
from tfvae.models import checks, compatibility, execution, fitting, sharing, summary
from tfvae.models.at import UNCONDITIONAL, Conditionals, Conditioning
from tfvae.models.base import AbstractModel, Batch, descend, weights_of
from tfvae.objectives.base import Objective
from tfvae.objectives.elbo import ELBO
from tfvae.priors.base import Prior
from tfvae.random import Seed, as_seed
from tfvae.trace import Trace


class AbstractVAE(AbstractModel):
    """A model with latent variables, trained by maximising an objective (abstract).

    A model says what is drawn in what order, in `trace_from`; `VAE` documents the arguments.
    """

    group_sizes: tuple[int, ...] = ()
    """Of latents in groups the length of each, from the top down."""
    exact_rates: Sequence[bool] = ()
    """Of latents in groups whether the rate of each is exact, given the draws of the groups above it."""

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        prior: keras.layers.Layer,
        objective: Objective = ELBO(),
        *,
        condition: Conditioning = UNCONDITIONAL,
        seed: int | None = None,
        **kwargs: object,
    ):
        super().__init__(seed=seed, **kwargs)
        if not isinstance(objective, Objective):
            raise IncompatibleParts(
                f"Expected an objective from tfvae.objectives, such as objectives.ELBO(). Received: {objective=!r}"
            )
        self.fits = compatibility.check(encoder, decoder, prior, objective, self.variable_dtype, condition)
        self.condition = condition
        self.encoder = encoder
        self.decoder = decoder
        self.prior = prior
        self.objective = objective
        self.critic = objective.critic
        if self.fits.has_rate:
            self.elbo_tracker = keras.metrics.Mean(name="elbo")
            self.rate_tracker = keras.metrics.Mean(name="rate")
        self.distortion_tracker = keras.metrics.Mean(name="distortion")
        self.group_trackers: list[keras.metrics.Mean] = []
        self.trackers: list[keras.metrics.Metric] = []
        self.origin: int | None = None
        self.chooses_jit, self.functions = False, execution.Functions()
        self.check = condition.checker(self.fits.event_shape, self.fits.support, self.variable_dtype)
        self.built = True

    # What is drawn -------------------------------------------------------------------------------------------------

    def at(self, batch: Batch) -> tuple[Conditionals, tf.Tensor]:
        """Return encoder, decoder and prior for a batch, and its x: the model's own, unless there is a condition."""
        return self.condition.at(self, batch)

    def given(self, *condition: tf.Tensor) -> Conditionals:
        """Return encoder, decoder and prior at a condition, [B, *c]; without one, where the model has none, its own.

        Raises:
            ValueError: if the model has no condition and one is given, or the other way round.
        """
        return self.condition.given(self, *condition)

    def posterior(self, x: Batch, training: bool = False) -> tfd.Distribution:
        """Return q(z | x), batch shape [B]."""
        at, own = self.at(x)
        return at.encoder(own, training=training)

    def trial(self) -> Batch:
        """Return a batch of one example, all zeros."""
        return self.condition.trial(tf.zeros([1, *self.fits.event_shape], self.variable_dtype))

    def trace(
        self, x: Batch, samples: tf.Tensor | int = 1, seed: int | tf.Tensor | Seed = 0, training: bool = False
    ) -> Trace:
        """Draw `samples` z for each x and return the draws with their log-densities."""
        return self.trace_from(self.posterior(x, training), x, samples, seed, training)

    def trace_from(
        self,
        q: tfd.Distribution,
        x: Batch,
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
        own = compatibility.describe(q) == self.fits.posterior  # and no proposal in its place
        return tfd.kl_divergence(q, p) if own and self.fits.exact_rate else tf.reduce_mean(log_ratio, 0)

    def with_prior(self, prior: Prior) -> "AbstractVAE":
        """Return a model of the same encoder, decoder and objective, which are shared, with another prior.

        Raises:
            IncompatibleParts: if the prior does not fit the posterior.
        """
        return type(self)(
            self.encoder, self.decoder, prior, objective=self.objective, **self.condition.settings(), seed=self.seed,
            name=self.name, dtype=self.dtype_policy,
        )  # fmt: skip

    # Training ------------------------------------------------------------------------------------------------------

    def _unpack(self, data: object) -> tuple[Batch, tf.Tensor]:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        x = self.check.cast(self.check.with_second(x, y)[0], self.variable_dtype)
        return x, weights_of(weight, tf.shape(tf.nest.flatten(x)[0])[0], self.variable_dtype)

    def _bound(self, batch: Batch, seed: Seed, step: tf.Tensor, training: bool) -> tuple[tf.Tensor, Trace]:
        trace = self.trace(batch, self.objective.samples, seed, training)
        return self.objective.bound(trace, step), trace

    def _watch(self, drawn: Trace, weight: tf.Tensor) -> dict:
        self.distortion_tracker.update_state(drawn.distortion, weight)
        if self.fits.has_rate:
            self.elbo_tracker.update_state(drawn.elbo, weight)
            self.rate_tracker.update_state(drawn.rate, weight)
        for tracker, rate in zip(self.group_trackers, drawn.rates, strict=True):
            tracker.update_state(rate, weight)
        for metric, value in zip(self.trackers, drawn.watched, strict=True):
            metric.update_state(value, weight)
        return self.get_metrics_result()

    def _update_others(self, drawn: Trace, step: tf.Tensor) -> None:
        """Train the critic, and set what the heads do not learn by gradient."""
        critics = self.critic.trainable_variables
        if critics:
            descend(lambda: self.critic.loss(drawn, step), critics, self.critic.optimizer)
        for part, value, distribution in ((self.encoder, drawn.z, drawn.q), (self.decoder, drawn.x, drawn.px)):
            if hasattr(part, "head"):
                part.head.update(value, distribution, step)

    @property
    def trained_variables(self) -> list:
        """The weights of encoder, decoder and prior, which the objective trains: not those of its critic."""
        critics = {id(variable) for variable in self.critic.trainable_variables}
        return [variable for variable in self.trainable_variables if id(variable) not in critics]

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

    def fit(self, x: object = None, *args: object, **options: object) -> keras.callbacks.History:
        """Train as `keras.Model.fit` does, with the same arguments, on data that is checked first.

        Callbacks that watch the ELBO need its direction, e.g. `EarlyStopping(monitor="val_elbo", mode="max")`.
        `tfvae.callbacks.Checkpoint` makes a run resume where it was stopped.

        Raises:
            ValueError: for data outside the likelihood's support, of another shape or dtype, or with NaN.
            NonFiniteLoss: at the first step whose loss is NaN or infinite.
        """
        self._refuse_keras_losses(_REPORTED)
        return checks.clearly(fitting.fit, self, super().fit, x, args, options)

    def evaluate(self, x: object = None, *args: object, **options: object) -> dict | list:
        """Measure `loss`, `elbo`, `rate` and `distortion` as `keras.Model.evaluate` does, on checked data.

        Raises:
            ValueError: as `fit` does.
        """
        self._refuse_keras_losses(_REPORTED)
        return checks.clearly(fitting.evaluate, self, super().evaluate, x, args, options)

    def predict(self, x: object, *args: object, **options: object) -> np.ndarray:
        """Return mean reconstructions as `keras.Model.predict` does; any finite x of the right shape is taken.

        Raises:
            ValueError: for x of another shape or dtype, or with NaN.
        """
        checked = self.check.encodable()(x)
        alone = checked[0] if isinstance(checked, tuple) else checked
        return checks.clearly(super().predict, alone, *args, **options)

    # Using ---------------------------------------------------------------------------------------------------------

    def call(self, x: Batch) -> tf.Tensor:
        at, own = self.at(x)
        return shown(at.decoder(centre(at.encoder(own))))

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
        checker = self.check.encodable()
        return centre(self.posterior(checker.cast(checker.array(x), self.variable_dtype))).numpy()

    def sample(self, n: int, seed: int | tuple[int, int] = 0, c: object = None) -> np.ndarray:
        """Return the means of p(x | z) at n draws z ~ p(z), [n, *event]; the exported `generate` gives the same.

        Args:
            n: how many.
            seed: one or two 32-bit integers.
            c: of a model with a condition, one for each, [n, *c], or numbers of classes, [n]; one alone is for all.

        Raises:
            ValueError: if `n` is no positive whole number, `seed` is not one or two 32-bit integers, or `c` is not what
                the model is conditioned on.
        """
        n = positive_int("n", n)
        at = self.given(*self.condition.values(c, n))
        return decoded(at.prior(), at.decoder, n, as_seed(seed))[0].numpy()

    def summary(self, *args: object, **options: object) -> None:
        """Print Keras' summary and the composition: parts, distributions, shapes, how the rate is computed."""
        super().summary(*args, **options)
        say = options.get("print_fn")
        (say if callable(say) else print)(summary.composition(self))

    # Saving --------------------------------------------------------------------------------------------------------

    def build(self, input_shape: tuple | None = None) -> None:
        """Do nothing: the parts were built when the model was made."""

    def get_config(self) -> dict:
        parts = sharing.configs({key: getattr(self, key) for key in _PARTS})
        return {**super().get_config(), **parts, **self.condition.settings(), "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "AbstractVAE":
        parts = {
            key: keras.saving.deserialize_keras_object(config[key], custom_objects=custom_objects) for key in _PARTS
        }
        return cls(**{**config, **parts})


def require_vae(model: object, conditions: bool = False) -> None:
    """Raise ValueError if `model` is no model of the library, or has a condition where none is taken."""
    if not isinstance(model, AbstractVAE):
        raise ValueError(f"Expected a model of tfvae, such as tfvae.VAE or tfvae.zoo.vae(...). Received: {model=!r}")
    if model.condition.names and not conditions:
        raise ValueError(
            "Expected a model without a condition: for one with, there are evaluation.log_evidence, elbo, distortion, "
            "rate_per_dimension, active_units, annealed_importance, export.saved_model and export.tflite. Received: "
            f"{type(model).__name__} {model.name!r}, conditioned on {', '.join(model.condition.names)}"
        )


_REPORTED = "loss, elbo, rate and distortion"
_PARTS = ("encoder", "decoder", "prior", "objective")
