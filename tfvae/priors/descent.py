"""The prior of many groups of latents along one deterministic way down."""

from collections.abc import Sequence

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.conditional import Conditional, folded
from tfvae.distributions.chain import Chain
from tfvae.errors import IncompatibleParts
from tfvae.heads.support import REAL
from tfvae.priors.base import Prior
from tfvae.priors.hierarchy import normal_size, require_top


@keras.saving.register_keras_serializable(package="tfvae")
class Descent(Prior):
    """Groups of latents, each a diagonal normal given a state that all groups above it have changed.

        p(z) = p(z_L) prod_l p(z_l | h_l),   h_{L-1} = g_L(z_L),   h_{l-1} = f_l(h_l + g_l(z_l))

    The groups stand in z from the top to the bottom, z = [z_L, ..., z_1], and h_0 is what the likelihood sees. The
    state is carried down, so that the work grows with the number of groups and not with its square.

    Args:
        top: p(z_L), any prior.
        below: p(z_l | h_l) from the top down, each a `tfvae.Conditional` with `heads.DiagonalNormal`, or
            `heads.GridNormal` where the state lies on a grid.
        inward: g_L, ..., g_1: Keras networks from a group to the shape of the state, one more than `below`.
        blocks: f_{L-1}, ..., f_1: Keras networks from a state to the next, which may be of another shape.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        IncompatibleParts: if `top` is no prior, there are not as many networks as groups, or a part does not fit what
            it is given.

    Reference: R. Child, "Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images", 2021,
    Sec. 3, https://arxiv.org/abs/2011.10650.

    Example:
        >>> import tfvae
        >>> from tfvae import heads, networks, priors
        >>> below = [tfvae.Conditional(networks.mlp(16), heads.DiagonalNormal(4)) for _ in range(3)]
        >>> inward, blocks = [networks.mlp(16) for _ in range(4)], [networks.mlp(16) for _ in range(3)]
        >>> priors.Descent(priors.StandardNormal(2), below, inward, blocks)().event_shape
        TensorShape([14])
    """

    support = REAL

    def __init__(
        self,
        top: Prior,
        below: Sequence[Conditional],
        inward: Sequence[keras.Layer],
        blocks: Sequence[keras.Layer],
        **kwargs: object,
    ):
        super().__init__(**kwargs)
        require_top(top)
        networks = [*inward, *blocks]
        if len(inward) != len(below) + 1 or len(blocks) != len(below):
            raise IncompatibleParts(
                "Expected a network from each group, the topmost too, and a block for each group below the topmost. "
                f"Received: {len(below)} below, {len(inward)} inward, {len(blocks)} blocks"
            )
        if not all(isinstance(network, keras.Layer) for network in networks):
            raise IncompatibleParts(f"Expected Keras networks. Received: {inward=!r}, {blocks=!r}")
        self.top, self.below, self.inward, self.blocks = top, list(below), list(inward), list(blocks)
        self.compiles = top.compiles
        self.sizes: list[int] = [top().event_shape[0]]
        """Length of each group, from the top down."""
        self.states: list[tuple[int, ...]] = []
        """Shape of the state below each group."""
        self._try()
        self.built = True

    def _try(self) -> None:
        """Build all by walking down once."""
        h = self.inward[0](tf.zeros([1, self.sizes[0]], self.variable_dtype))
        for number, (part, inward, block) in enumerate(zip(self.below, self.inward[1:], self.blocks, strict=True)):
            self.states.append(tuple(h.shape[1:]))
            self.sizes.append(normal_size(f"below[{number}]", part, *h.shape[1:]))
            added = inward(tf.zeros([1, self.sizes[-1]], self.variable_dtype))
            if added.shape != h.shape:
                raise IncompatibleParts(
                    f"Expected inward[{number + 1}] to have the shape of the state, {list(h.shape[1:])}. Received: "
                    f"{list(added.shape[1:])}"
                )
            h = block(h)
        self.states.append(tuple(h.shape[1:]))

    def follow(self, state: tf.Tensor | None, z: tf.Tensor, number: int, training: bool = False) -> tf.Tensor:
        """Return the state below a group, [..., *states[number]], of that above it and the group, [..., D]."""

        def inward(z: tf.Tensor) -> tf.Tensor:
            return self.inward[number](z, training=training)

        def block(h: tf.Tensor) -> tf.Tensor:
            return self.blocks[number - 1](h, training=training)

        added = folded(inward, z, 1)
        return added if number == 0 else folded(block, state + added, len(self.states[number - 1]))

    def last(self, z: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the state below the lowest group, [..., *states[-1]], of all groups, [..., D]."""
        state = None
        for number, group in enumerate(tf.split(z, self.sizes, -1)):
            state = self.follow(state, group, number, training)
        return state

    def distribution(self) -> tfd.Distribution:
        return Chain(
            [lambda _: self.top(), *self.below], self.sizes, range(len(self.sizes)), state=None, follow=self.follow
        )

    def fixed(self) -> Prior:
        top = self.top.fixed()
        if top is self.top:
            return self
        return Descent(top, self.below, self.inward, self.blocks, name=self.name, dtype=self.dtype_policy)

    def get_config(self) -> dict:
        lists = {name: [keras.saving.serialize_keras_object(part) for part in getattr(self, name)] for name in _LISTS}
        return {**super().get_config(), "top": keras.saving.serialize_keras_object(self.top), **lists}

    @classmethod
    def from_config(cls, config: dict) -> "Descent":
        lists = {name: [keras.saving.deserialize_keras_object(part) for part in config[name]] for name in _LISTS}
        return cls(**{**config, "top": keras.saving.deserialize_keras_object(config["top"]), **lists})


_LISTS = ("below", "inward", "blocks")
