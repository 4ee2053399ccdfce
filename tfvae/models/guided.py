"""The posterior of many groups of latents along the prior's way down, and the state that a likelihood sees."""

import math
from collections.abc import Sequence
from functools import partial

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.conditional import Conditional
from tfvae.distributions.chain import Chain
from tfvae.errors import IncompatibleParts
from tfvae.models.hierarchy import Descending, lists_of
from tfvae.priors.descent import Descent


@keras.saving.register_keras_serializable(package="tfvae")
class Guided(Descending):
    """The posterior that goes down with the prior's state, guided by what x says on the way up.

        a_l = e_l(a_{l-1}),  a_0 = x,   q(z | x) = q(z_L | a_L) prod_l q(z_l | h_l, a_l),   z = [z_L, ..., z_1]

    h_l is the state of `priors.Descent` after the groups above. A part below the top sees h_l and a_l, which lie on the
    same grid, joined along the channels in this order.

    Args:
        networks: e_1, ..., e_L, from the bottom up: Keras models.
        parts: q(z_L | a_L), q(z_{L-1} | h_{L-1}, a_{L-1}), ..., each a `tfvae.Conditional` with `heads.DiagonalNormal`,
            or `heads.GridNormal` where its features lie on a grid.
        prior: the model's own `priors.Descent`, which is shared.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        IncompatibleParts: if there are not as many networks as parts, or the prior is no descent of as many groups;
            when called, if a part has another head or does not take what it is given, or the grids of h_l and a_l
            differ.

    Reference: R. Child, "Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images", 2021,
    Sec. 3, https://arxiv.org/abs/2011.10650.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae import heads, networks, priors
        >>> below = [tfvae.Conditional(networks.mlp(8), heads.DiagonalNormal(4))]
        >>> inward, blocks = [networks.mlp(8), networks.mlp(8)], [networks.mlp(8)]
        >>> prior = priors.Descent(priors.StandardNormal(2), below, inward, blocks)
        >>> parts = [tfvae.Conditional(networks.mlp(8), heads.DiagonalNormal(size)) for size in (2, 4)]
        >>> encoder = tfvae.models.Guided([networks.mlp(8), networks.mlp(8)], parts, prior)
        >>> encoder(np.zeros([3, 8, 8, 1], "float32")).event_shape
        TensorShape([6])
    """

    def __init__(self, networks: Sequence[keras.Layer], parts: Sequence[Conditional], prior: Descent, **kwargs: object):
        super().__init__(networks, parts, **kwargs)
        if not isinstance(prior, Descent) or len(prior.sizes) != len(parts):
            raise IncompatibleParts(
                f"Expected a priors.Descent of {len(parts)} groups, the model's own. Received: prior={prior!r}"
            )
        self.prior = prior

    def seen_by(self, number: int, features: tuple[int, ...]) -> tuple[int, ...]:
        if number == 0:
            return features
        state = self.prior.states[number - 1]
        if state[:-1] != features[:-1]:
            raise IncompatibleParts(
                f"Expected networks whose features lie on the grid of the state. Received: of the group {number} below "
                f"the top the features {list(features)}, the state {list(state)}"
            )
        return (*state[:-1], state[-1] + features[-1])

    def call(self, x: tf.Tensor, training: bool = False) -> tfd.Distribution:
        (top, first), *below = zip(self.parts, self.climb(x, training), strict=True)
        conditionals = [
            lambda _: top(first, training=training),
            *[lambda h, part=part, a=a: part(beside(h, a), training=training) for part, a in below],
        ]
        follow = partial(self.prior.follow, training=training)
        return Chain(conditionals, self.sizes, range(len(self.sizes)), state=None, follow=follow)

    def get_config(self) -> dict:
        return {**super().get_config(), "prior": keras.saving.serialize_keras_object(self.prior)}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "Guided":
        prior = keras.saving.deserialize_keras_object(config["prior"], custom_objects=custom_objects)
        return cls(**{**config, **lists_of(config, custom_objects), "prior": prior})


@keras.saving.register_keras_serializable(package="tfvae")
class LastState(keras.layers.Layer):
    """The state below all groups of a `priors.Descent`: how the network of a very deep likelihood begins.

        h_0 = f_1(h_1 + g_1(z_1)),   p(x | z) = p(x | h_0)

    Args:
        prior: the model's own, which is shared.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        IncompatibleParts: if `prior` is no descent.

    Reference: R. Child, "Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images", 2021,
    Sec. 3, https://arxiv.org/abs/2011.10650.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae import models, networks, priors
        >>> prior = priors.Descent(priors.StandardNormal(2), [], [networks.mlp(8)], [])
        >>> models.LastState(prior)(np.zeros([3, 2], "float32")).shape
        TensorShape([3, 8])
    """

    def __init__(self, prior: Descent, **kwargs: object):
        super().__init__(**kwargs)
        if not isinstance(prior, Descent):
            raise IncompatibleParts(f"Expected a priors.Descent, the model's own. Received: prior={prior!r}")
        self.prior = prior

    def build(self, input_shape: tuple) -> None:
        """Do nothing: the prior was built when it was made."""

    def call(self, z: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.prior.last(z, training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape of the state."""
        return (*input_shape[:-1], *self.prior.states[-1])

    def get_config(self) -> dict:
        return {**super().get_config(), "prior": keras.saving.serialize_keras_object(self.prior)}

    @classmethod
    def from_config(cls, config: dict) -> "LastState":
        return cls(**{**config, "prior": keras.saving.deserialize_keras_object(config["prior"])})


def beside(h: tf.Tensor, a: tf.Tensor) -> tf.Tensor:
    """Return [*S, B, *grid, C] and [B, *grid, C'] side by side, along the channels."""
    event, size = a.shape[1:], math.prod(a.shape[1:])
    axes = h.shape.rank - len(event)  # how many stand before the grid
    leading = tf.shape(h)[:axes]
    flat = tf.broadcast_to(tf.reshape(a, [-1, size]), tf.concat([leading, [size]], 0))
    repeated = tf.reshape(flat, tf.concat([leading, event], 0))
    repeated.set_shape([*h.shape[:axes], *event])
    return tf.concat([h, repeated], -1)
