"""The halves of a model of sequences that look at x: posteriors that filter or smooth, and the likelihood of steps."""

from collections.abc import Sequence

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.conditional import Conditional
from tfvae.distributions.dialogue import Replies, last_axis, lifted
from tfvae.distributions.walk import Walk
from tfvae.errors import IncompatibleParts
from tfvae.heads import Head
from tfvae.networks.recurrent import Backward, built, each_step, require_network
from tfvae.networks.scan import Seen
from tfvae.priors.dynamics import Dynamics, stepwise
from tfvae.priors.hierarchy import normal_size
from tfvae.reshaping import beside, extents, reshaped


class _Walking(keras.Model):
    """A posterior of one step after another, q(z_t | m_{t-1}, g_t), which is the prior's where nothing says more."""

    causal = False
    """Whether z_t depends on no later step of x."""

    def __init__(self, network: keras.Layer, part: Conditional, dynamics: Dynamics, **kwargs: object):
        super().__init__(**kwargs)
        self.network, self.part = require_network("network", network), part
        self.dynamics = _require_dynamics(dynamics)

    def look(self, steps: tf.Tensor, seen: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Return g, [T, B, G], of steps of x, [T, B, *event], some of them seen, and where it says more, [T, B]."""
        raise NotImplementedError

    def build_features(self, size: int) -> int:
        """Make what is between features of a step, of this length, and g, and return the length of g."""
        raise NotImplementedError

    def build(self, input_shape: tuple) -> None:
        """Build all parts for sequences [B, T, *event]."""
        dynamics = self.dynamics
        self._require(input_shape)
        features = self.build_features(built(self.network, dynamics.step_shape))
        size = normal_size("part", self.part, dynamics.memory.size + features)
        if size != dynamics.latent_dim:
            raise IncompatibleParts(
                f"Expected a posterior of the transition's length {dynamics.latent_dim}. Received: part of length "
                f"{size}"
            )

    def _require(self, shape: Sequence[int | None]) -> None:
        """Raise ValueError for sequences of another shape."""
        dynamics = self.dynamics
        if tuple(shape[1:]) != (dynamics.steps, *dynamics.step_shape):
            raise ValueError(
                f"Expected sequences of shape [B, {dynamics.steps}, {', '.join(map(str, dynamics.step_shape))}]. "
                f"Received: input_shape={tuple(shape)}"
            )

    def call(self, x: tf.Tensor, training: bool = False) -> tfd.Distribution:
        self._require(x.shape)
        steps = stepwise(x)
        values = reshaped(steps, [*extents(steps)[:2], steps.shape[2:].num_elements()])
        observed = tf.logical_not(tf.math.is_nan(values))
        g, says = self.look(steps, tf.reduce_any(observed, -1), training)
        memory = self.dynamics.memory
        seen = [*memory.known(steps), g, tf.cast(says, g.dtype)[..., None]]
        return Walk(self.next, memory, seen, self.dynamics.steps)

    def next(self, m: tf.Tensor, seen: Seen) -> tfd.Distribution:
        """Return q(z_t | m_{t-1}, g_t) where it says more than p(z_t | m_{t-1}), and that elsewhere."""
        g, says = seen[-2:]
        q, p = self.part(beside(m, g)), self.dynamics.transition(m)
        says = says > 0.5  # a number outside, because TFLite slices no truth values
        loc, scale = tf.where(says, q.mean(), p.mean()), tf.where(says, q.stddev(), p.stddev())
        return tfd.MultivariateNormalDiag(loc, scale)

    def get_config(self) -> dict:
        return {**super().get_config(), **{n: keras.saving.serialize_keras_object(getattr(self, n)) for n in _PARTS}}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "_Walking":
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects) for name in _PARTS
        }
        return cls(**{**config, **parts})


@keras.saving.register_keras_serializable(package="tfvae")
class Filter(_Walking):
    """The posterior that looks at each step as it comes, and at those before it as far as they are remembered.

        q(z | x) = prod_t q(z_t | m_{t-1}, g(x_t)),   p(z_t | m_{t-1}) where no element of x_t was observed

    It is causal, so that a model can be run step by step, see `export.Stream`.

    Args:
        network: g, a Keras network of one step of x; where values may be missing it begins with `networks.FillMissing`.
        part: q(z_t | m_{t-1}, g_t), side by side in this order, a `tfvae.Encoder` with `heads.DiagonalNormal`.
        dynamics: the model's own `priors.Dynamics`, which is shared.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        TypeError: if `network` is no Keras layer.
        IncompatibleParts: if `dynamics` is none; when called, if `part` does not take what it is given, or has another
            head or length.

    Reference: J. Chung et al., "A Recurrent Latent Variable Model for Sequential Data", 2015, Eq. (9),
    https://arxiv.org/abs/1506.02216.

    Example:
        >>> import numpy as np, tfvae
        >>> model = tfvae.zoo.vrnn((5, 3), latent_dim=2, units=(8,))
        >>> model.encoder(np.zeros([1, 5, 3], "float32")).event_shape
        TensorShape([10])
    """

    causal = True

    def build_features(self, size: int) -> int:
        return size

    def look(self, steps: tf.Tensor, seen: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        return each_step(self.network, steps, training=training), seen


@keras.saving.register_keras_serializable(package="tfvae")
class Smoother(_Walking):
    """The posterior that looks at a step and all that come after it, and remembers those before it.

        q(z | x) = prod_t q(z_t | m_{t-1}, g_t),   g_t = GRU(g_{t+1}, h(x_t)),   p(z_t | m_{t-1}) beyond the end

    The end of a sequence is the last step of which anything was observed.

    Args:
        network: h, a Keras network of one step of x; where values may be missing it begins with `networks.FillMissing`.
        part: q(z_t | m_{t-1}, g_t), side by side in this order, a `tfvae.Encoder` with `heads.DiagonalNormal`.
        dynamics: the model's own `priors.Dynamics`, which is shared.
        units: length of g.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        TypeError: if `network` is no Keras layer.
        ValueError: if `units` is no positive whole number.
        IncompatibleParts: if `dynamics` is none; when called, if `part` does not take what it is given, or has another
            head or length.

    Reference: R. Krishnan, U. Shalit and D. Sontag, "Structured Inference Networks for Nonlinear State Space Models",
    2017, Sec. 4, the deep Kalman smoother, https://arxiv.org/abs/1609.09869.

    Example:
        >>> import numpy as np, tfvae
        >>> model = tfvae.zoo.deep_markov((5, 3), latent_dim=2, units=(8,))
        >>> model.encoder(np.zeros([1, 5, 3], "float32")).event_shape
        TensorShape([10])
    """

    def __init__(self, network: keras.Layer, part: Conditional, dynamics: Dynamics, units: int, **kwargs: object):
        super().__init__(network, part, dynamics, **kwargs)
        self.backward = Backward(units, dtype=self.dtype_policy)

    def build_features(self, size: int) -> int:
        self.backward.build((None, None, size))
        return self.backward.units

    def look(self, steps: tf.Tensor, seen: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        alive = tf.cumsum(tf.cast(seen, tf.int32), 0, reverse=True) > 0
        return self.backward(each_step(self.network, steps, training=training), alive), alive

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.backward.units}


@keras.saving.register_keras_serializable(package="tfvae")
class Emission(keras.Model):
    """The likelihood of a sequence: that of each step given its latent vector and what is remembered.

        p(x | z) = prod_t p(x_t | z_t, m_{t-1})

    Args:
        dynamics: the model's own `priors.Dynamics`, which is shared.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        IncompatibleParts: if `dynamics` is none.

    Reference: J. Chung et al., "A Recurrent Latent Variable Model for Sequential Data", 2015, Eq. (6),
    https://arxiv.org/abs/1506.02216.

    Example:
        >>> import numpy as np, tfvae
        >>> model = tfvae.zoo.deep_markov((5, 3), latent_dim=2, units=(8,))
        >>> model.decoder(np.zeros([4, 1, 10], "float32")).event_shape
        TensorShape([5, 3])
    """

    def __init__(self, dynamics: Dynamics, **kwargs: object):
        super().__init__(**kwargs)
        self.dynamics = _require_dynamics(dynamics)
        self.built = True

    @property
    def head(self) -> Head:
        """What scores a step."""
        return self.dynamics.emission.head

    def call(self, z: tf.Tensor, training: bool = False) -> tfd.Distribution:
        dynamics = self.dynamics
        steps = reshaped(z, [*extents(z)[:-1], dynamics.steps, dynamics.latent_dim])  # [..., T, D]
        if not dynamics.memory.seen_by_x:
            return lifted(dynamics.of_step(steps, steps))
        rank = steps.shape.rank
        first = tf.transpose(steps, [rank - 2, *range(rank - 2), rank - 1])  # [T, ..., D]
        return Replies(first, dynamics.memory, dynamics.of_step)

    def given(self, z: tf.Tensor, memories: tf.Tensor) -> tfd.Distribution:
        """Return p(x | z) for steps of z, [T, ..., D], and what is remembered before each, [T, ..., M]."""
        return lifted(self.dynamics.of_step(last_axis(z), last_axis(memories)))

    def get_config(self) -> dict:
        return {**super().get_config(), "dynamics": keras.saving.serialize_keras_object(self.dynamics)}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "Emission":
        dynamics = keras.saving.deserialize_keras_object(config["dynamics"], custom_objects=custom_objects)
        return cls(**{**config, "dynamics": dynamics})


def _require_dynamics(dynamics: object) -> Dynamics:
    if not isinstance(dynamics, Dynamics):
        raise IncompatibleParts(f"Expected the model's own priors.Dynamics. Received: dynamics={dynamics!r}")
    return dynamics


_PARTS = ("network", "part", "dynamics")
