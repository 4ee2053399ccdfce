"""Posteriors of latent variables in groups: from the bottom up, from the top down, and sharing the prior's way down."""

import math
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.conditional import Conditional
from tfvae.distributions.chain import Chain
from tfvae.distributions.experts import product
from tfvae.errors import IncompatibleParts
from tfvae.models.graph import joined
from tfvae.priors.hierarchy import Hierarchy, normal_size


@keras.saving.register_keras_serializable(package="tfvae")
class BottomUp(keras.Model):
    """The posterior that climbs: each group is drawn given the one below it, the lowest given x.

        q(z | x) = q(z_1 | x) prod_l q(z_l | z_{l-1}),   z = [z_L, ..., z_1]

    Args:
        parts: q(z_1 | x), q(z_2 | z_1), ..., each a `tfvae.Encoder` with `heads.DiagonalNormal`.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        IncompatibleParts: when called, if a part is no such encoder or does not take what it is given.

    Reference: C. Sonderby et al., "Ladder Variational Autoencoders", 2016, Sec. 2.1,
    https://arxiv.org/abs/1602.02282.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae import heads, networks
        >>> parts = [tfvae.Encoder(networks.mlp(16), heads.DiagonalNormal(size)) for size in (4, 2)]
        >>> tfvae.models.BottomUp(parts)(np.zeros([3, 8, 8, 1], "float32")).event_shape
        TensorShape([6])
    """

    def __init__(self, parts: Sequence[Conditional], **kwargs: object):
        super().__init__(**kwargs)
        self.parts = list(parts)
        self.sizes: list[int] = []

    def build(self, input_shape: tuple) -> None:
        """Build every part for what it is given."""
        shape, self.sizes = tuple(input_shape[1:]), []
        for number, part in enumerate(self.parts):
            shape = (normal_size(f"parts[{number}]", part, *shape),)
            self.sizes.append(shape[0])

    def call(self, x: tf.Tensor, training: bool = False) -> tfd.Distribution:
        first, *others = self.parts
        climb = [lambda drawn, part=part: part(drawn[-1], training=training) for part in others]
        return Chain([lambda _: first(x, training=training), *climb], self.sizes, range(len(self.sizes))[::-1])

    def get_config(self) -> dict:
        return {**super().get_config(), "parts": [keras.saving.serialize_keras_object(part) for part in self.parts]}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "BottomUp":
        return cls(**{**config, "parts": _parts(config["parts"], custom_objects)})


class Descending(keras.Model):
    """A deterministic way up, h_l = f_l(h_{l-1}) with h_0 = x, and draws on the way down (abstract)."""

    def __init__(self, networks: Sequence[keras.Layer], parts: Sequence[Conditional], **kwargs: object):
        super().__init__(**kwargs)
        if len(networks) != len(parts) or not all(isinstance(network, keras.Layer) for network in networks):
            raise IncompatibleParts(
                "Expected a Keras network for each group, from the bottom up, and as many parts. Received: "
                f"networks={list(networks)!r}, {len(parts)} parts"
            )
        self.networks, self.parts = list(networks), list(parts)
        self.sizes: list[int] = []

    def seen_by(self, number: int, features: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of what the part of a group is given, the topmost being 0."""
        raise NotImplementedError

    def build(self, input_shape: tuple) -> None:
        """Build networks and parts for what they are given."""
        shape, features, self.sizes = (None, *input_shape[1:]), [], []
        for network in self.networks:
            if not network.built:
                network.build(shape)
            shape = network.compute_output_shape(shape)
            features.append(tuple(shape[1:]))
        for number, (part, seen) in enumerate(zip(self.parts, features[::-1], strict=True)):
            self.sizes.append(normal_size(f"parts[{number}]", part, *self.seen_by(number, seen)))

    def climb(self, x: tf.Tensor, training: bool) -> list[tf.Tensor]:
        """Return h_L, ..., h_1."""
        features = []
        for network in self.networks:
            x = network(x, training=training)
            features.append(x)
        return features[::-1]

    def chain(self, conditionals: Sequence[Callable]) -> Chain:
        """Return the distribution of all groups, drawn from the top down."""
        return Chain(conditionals, self.sizes, range(len(self.sizes)))

    def get_config(self) -> dict:
        parts = {name: [keras.saving.serialize_keras_object(part) for part in getattr(self, name)] for name in _LISTS}
        return {**super().get_config(), **parts}


@keras.saving.register_keras_serializable(package="tfvae")
class TopDown(Descending):
    """The posterior that comes down a way of its own: each group is drawn given the one above it and x.

        h_l = f_l(h_{l-1}),  h_0 = x,   q(z | x) = q(z_L | h_L) prod_l q(z_l | z_{l+1}, h_l),   z = [z_L, ..., z_1]

    A part below the top sees z_{l+1} and h_l, flattened, joined in this order.

    Args:
        networks: f_1, ..., f_L, from the bottom up: Keras models.
        parts: q(z_L | h_L), q(z_{L-1} | z_L, h_{L-1}), ..., each a `tfvae.Conditional` with `heads.DiagonalNormal`.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        IncompatibleParts: if there are not as many networks as parts; when called, if a part has another head or does
            not take what it is given.

    Reference: J. Tomczak and M. Welling, "VAE with a VampPrior", 2018, Sec. 4,
    https://arxiv.org/abs/1705.07120.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae import heads, networks
        >>> parts = [tfvae.Conditional(networks.mlp(16), heads.DiagonalNormal(size)) for size in (2, 4)]
        >>> encoder = tfvae.models.TopDown([networks.mlp(16), networks.mlp(16)], parts)
        >>> encoder(np.zeros([3, 8, 8, 1], "float32")).event_shape
        TensorShape([6])
    """

    def seen_by(self, number: int, features: tuple[int, ...]) -> tuple[int, ...]:
        return features if number == 0 else (self.sizes[number - 1] + math.prod(features),)

    def call(self, x: tf.Tensor, training: bool = False) -> tfd.Distribution:
        (top, first), *below = zip(self.parts, self.climb(x, training), strict=True)
        return self.chain([
            lambda _: top(first, training=training),
            *[
                lambda drawn, part=part, h=h: part(
                    joined([drawn[-1], h], [drawn[-1].shape[-1:], h.shape[1:]]), training=training
                )
                for part, h in below
            ],
        ])  # fmt: skip

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "TopDown":
        return cls(**{**config, **lists_of(config, custom_objects)})


@keras.saving.register_keras_serializable(package="tfvae")
class Ladder(Descending):
    """The posterior that comes down the prior's way, and weighs what the prior says against what x says.

        q(z_l | z_{l+1}, x) ~ N(z_l | m_l(h_l), s_l(h_l)^2) p(z_l | z_{l+1}),   q(z_L | x) = N(m_L(h_L), s_L(h_L)^2)

    The product of two normals is the normal whose precision is their sum, and whose mean is weighted by precisions.

    Args:
        networks: f_1, ..., f_L, from the bottom up: Keras models, h_l = f_l(h_{l-1}) with h_0 = x.
        parts: N(m_L(h_L), s_L(h_L)^2), ... from the top down, each a `tfvae.Conditional` with `heads.DiagonalNormal`.
        prior: the model's own `priors.Hierarchy`, which is shared.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        IncompatibleParts: if there are not as many networks as parts, or the prior is no hierarchy of as many groups;
            when called, if a part has another head, does not take what it is given, or another length than its group.

    Reference: C. Sonderby et al., "Ladder Variational Autoencoders", 2016, Sec. 2.2,
    https://arxiv.org/abs/1602.02282.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae import heads, networks, priors
        >>> below = tfvae.Decoder(networks.mlp(16), heads.DiagonalNormal(4))
        >>> prior = priors.Hierarchy(priors.StandardNormal(2), [below])
        >>> parts = [tfvae.Conditional(networks.mlp(), heads.DiagonalNormal(size)) for size in (2, 4)]
        >>> encoder = tfvae.models.Ladder([networks.mlp(16), networks.mlp(16)], parts, prior)
        >>> encoder(np.zeros([3, 8, 8, 1], "float32")).event_shape
        TensorShape([6])
    """

    def __init__(
        self, networks: Sequence[keras.Layer], parts: Sequence[Conditional], prior: Hierarchy, **kwargs: object
    ):
        super().__init__(networks, parts, **kwargs)
        if not isinstance(prior, Hierarchy) or len(prior.sizes) != len(parts):
            raise IncompatibleParts(
                f"Expected a priors.Hierarchy of {len(parts)} groups, the model's own. Received: prior={prior!r}"
            )
        self.prior = prior

    def seen_by(self, number: int, features: tuple[int, ...]) -> tuple[int, ...]:
        own = self.parts[number].head.event_shape[0]
        if own != self.prior.sizes[number]:
            raise IncompatibleParts(
                f"Expected parts of the prior's lengths {self.prior.sizes}, from the top down. Received: "
                f"parts[{number}] of length {own}"
            )
        return features

    def call(self, x: tf.Tensor, training: bool = False) -> tfd.Distribution:
        seen = [part(h, training=training) for part, h in zip(self.parts, self.climb(x, training), strict=True)]
        pairs = zip(self.prior.below, seen[1:], strict=True)
        down = [lambda drawn, p=p, own=own: product([own, p(drawn[-1], training=training)]) for p, own in pairs]
        return self.chain([lambda _: seen[0], *down])

    def get_config(self) -> dict:
        return {**super().get_config(), "prior": keras.saving.serialize_keras_object(self.prior)}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "Ladder":
        prior = keras.saving.deserialize_keras_object(config["prior"], custom_objects=custom_objects)
        return cls(**{**config, **lists_of(config, custom_objects), "prior": prior})


def _parts(configs: list, custom_objects: dict | None) -> list:
    return [keras.saving.deserialize_keras_object(config, custom_objects=custom_objects) for config in configs]


def lists_of(config: dict, custom_objects: dict | None) -> dict[str, list]:
    """Return the networks and parts of a `Descending` from its config."""
    return {name: _parts(config[name], custom_objects) for name in _LISTS}


_LISTS = ("networks", "parts")
