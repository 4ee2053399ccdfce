"""The mixture of posteriors."""

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae import errors
from tfvae.distributions import Mixture
from tfvae.errors import IncompatibleParts, number_in, positive_int
from tfvae.heads.support import REAL
from tfvae.priors.base import Prior
from tfvae.priors.fixed import Fixed

PSEUDO_INPUTS = keras.initializers.RandomNormal(0.5, 0.01)


@keras.saving.register_keras_serializable(package="tfvae")
class WithinRange(keras.constraints.Constraint):
    """Sets weights outside [low, high] to the nearer end after every step."""

    def __init__(self, low: float, high: float):
        self.low, self.high = low, high

    def __call__(self, w: tf.Tensor) -> tf.Tensor:
        return keras.ops.clip(w, self.low, self.high)

    def get_config(self) -> dict:
        return {"low": self.low, "high": self.high}


@keras.saving.register_keras_serializable(package="tfvae")
class VampPrior(Prior):
    """The variational mixture of posteriors: the posteriors of K learned pseudo-inputs u_k, mixed.

        p(z) = 1/K sum_k q(z | u_k)

    The prior shares the encoder with the model. The pseudo-inputs live in the space of x and are kept within its range
    by setting them to the nearer end after a step that leads out of it. The paper clips them on the way into the
    encoder instead, which leaves those outside without a gradient. The rate has no closed form.

    Args:
        encoder: q(z | x), the model's own.
        components: K.
        event_shape: shape of x, e.g. (28, 28, 1).
        initial: the pseudo-inputs before training: an array of K examples, such as training data, or a Keras
            initializer.
        low: the lowest value of x.
        high: the highest value of x.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        IncompatibleParts: if the encoder's posterior has no density at z that it did not draw, or is a point.
        ValueError: if `components` is no positive whole number, `initial` has another shape or lies outside the range,
            or the range is empty.

    Reference: J. Tomczak and M. Welling, "VAE with a VampPrior", 2018, Eq. (9), https://arxiv.org/abs/1705.07120.

    Example:
        >>> import tfvae
        >>> encoder = tfvae.Encoder(tfvae.networks.mlp(16), tfvae.heads.DiagonalNormal(2))
        >>> tfvae.priors.VampPrior(encoder, 5, (8, 8, 1))().event_shape
        TensorShape([2])
    """

    def __init__(
        self,
        encoder: keras.Model,
        components: int,
        event_shape: int | tuple[int, ...],
        initial: np.ndarray | keras.initializers.Initializer = PSEUDO_INPUTS,
        low: float = 0.0,
        high: float = 1.0,
        **kwargs: object,
    ):
        super().__init__(**kwargs)
        self.components = positive_int("components", components)
        self.event_shape = errors.event_shape("event_shape", event_shape)
        self.low = number_in("low", low, -3e38)
        self.high = number_in("high", high, self.low)
        self.encoder = encoder
        self.support = getattr(getattr(encoder, "head", None), "support", REAL)
        self.compiles = getattr(getattr(encoder, "head", None), "compiles", True)
        self.pseudo_inputs = self.add_weight(
            shape=(self.components, *self.event_shape),
            initializer=self._initializer(initial),
            constraint=WithinRange(self.low, self.high),
            name="pseudo_inputs",
        )
        self.built = True
        self._check()

    def _initializer(self, initial: object) -> object:
        """Return what gives the pseudo-inputs their first values."""
        if isinstance(initial, keras.initializers.Initializer):
            return initial.clone()  # an initializer draws its seed when it is made, and gives the same ever after
        values, shape = np.asarray(initial), (self.components, *self.event_shape)
        if values.shape != shape or not (self.low <= values.min() and values.max() <= self.high):
            raise ValueError(
                f"Expected initial to hold {self.components} examples, of shape {list(shape)}, with values from "
                f"{self.low:g} to {self.high:g}. Received: initial.shape={list(values.shape)}"
            )
        return lambda shape, dtype: tf.cast(values, dtype)

    def _check(self) -> None:
        try:
            q = self.encoder(tf.convert_to_tensor(self.pseudo_inputs))
        except ValueError as error:
            raise IncompatibleParts(
                f"Expected an encoder of x alone, of shape {list(self.event_shape)}; a prior that depends on a "
                "condition is a tfvae.Conditional. Received: prior VampPrior, encoder "
                f"{self.encoder.name!r}, which says: {str(error).splitlines()[0]}"
            ) from error
        try:
            scored = not isinstance(q, tfd.VectorDeterministic)
            q.log_prob(tf.zeros([1, self.components, *q.event_shape], q.dtype))
        except (NotImplementedError, IncompatibleParts):
            scored = False
        if not scored:
            raise IncompatibleParts(
                "Expected a posterior whose density is known at any z, as the prior is a mixture of posteriors; use "
                f"heads.DiagonalNormal, or priors.Mixture. Received: prior VampPrior, posterior {type(q).__name__}"
            )

    def distribution(self) -> tfd.Distribution:
        posteriors = self.encoder(tf.convert_to_tensor(self.pseudo_inputs))  # batch shape [K]
        return Mixture(tfd.Categorical(logits=tf.zeros([self.components], posteriors.dtype)), posteriors)

    def fixed(self) -> Prior:
        return Fixed(self.distribution(), self.support)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "components": self.components,
            "event_shape": self.event_shape,
            "low": self.low,
            "high": self.high,
        }

    @classmethod
    def from_config(cls, config: dict) -> "VampPrior":
        return cls(**{**config, "encoder": keras.saving.deserialize_keras_object(config["encoder"])})
