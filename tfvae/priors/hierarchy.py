"""The prior of latent variables in groups, from the top down."""

from collections.abc import Sequence

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.conditional import Conditional
from tfvae.distributions.chain import Chain
from tfvae.errors import IncompatibleParts
from tfvae.heads.normal import DiagonalNormal, GridNormal
from tfvae.heads.support import REAL
from tfvae.priors.base import Prior


@keras.saving.register_keras_serializable(package="tfvae")
class Hierarchy(Prior):
    """Groups of latents, each a diagonal normal given the one above it, below a prior of the topmost.

        p(z) = p(z_L) prod_l p(z_l | z_{l+1})

    The groups stand in z from the top to the bottom, z = [z_L, ..., z_1].

    Args:
        top: p(z_L), any prior.
        below: p(z_l | z_{l+1}) from the top down, each a `tfvae.Decoder` with `heads.DiagonalNormal`.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        IncompatibleParts: if `top` is no prior, or one below it is no decoder to a diagonal normal or does not take the
            group above it.

    Reference: C. Sonderby et al., "Ladder Variational Autoencoders", 2016, Sec. 2.1,
    https://arxiv.org/abs/1602.02282.

    Example:
        >>> import tfvae
        >>> from tfvae import heads, networks, priors
        >>> below = tfvae.Decoder(networks.mlp(16), heads.DiagonalNormal(4))
        >>> priors.Hierarchy(priors.StandardNormal(2), [below])().event_shape
        TensorShape([6])
    """

    support = REAL

    def __init__(self, top: Prior, below: Sequence[Conditional], **kwargs: object):
        super().__init__(**kwargs)
        require_top(top)
        self.top, self.below = top, list(below)
        self.compiles = top.compiles
        self.sizes = [top().event_shape[0]]
        """Length of each group, from the top down."""
        for number, part in enumerate(self.below):
            self.sizes.append(normal_size(f"below[{number}]", part, self.sizes[-1]))
        self.built = True

    def distribution(self) -> tfd.Distribution:
        given = [lambda drawn, part=part: part(drawn[-1]) for part in self.below]
        return Chain([lambda _: self.top(), *given], self.sizes, range(len(self.sizes)))

    def fixed(self) -> Prior:
        top = self.top.fixed()
        return self if top is self.top else Hierarchy(top, self.below, name=self.name, dtype=self.dtype_policy)

    def get_config(self) -> dict:
        parts = {
            "top": keras.saving.serialize_keras_object(self.top),
            "below": [keras.saving.serialize_keras_object(part) for part in self.below],
        }
        return {**super().get_config(), **parts}

    @classmethod
    def from_config(cls, config: dict) -> "Hierarchy":
        below = [keras.saving.deserialize_keras_object(part) for part in config["below"]]
        return cls(**{**config, "top": keras.saving.deserialize_keras_object(config["top"]), "below": below})


def require_top(top: object) -> None:
    """Raise IncompatibleParts for what is no prior of the topmost group."""
    if not isinstance(top, Prior):
        raise IncompatibleParts(
            f"Expected the top to be a prior, such as priors.StandardNormal(2). Received: top={top!r}"
        )


def normal_size(name: str, part: object, *parents: int) -> int:
    """Build a conditional for parents of this shape, and return the length of its diagonal normal.

    Raises:
        IncompatibleParts: if it is no such conditional, or does not take the parents.
    """
    if not isinstance(part, Conditional) or not isinstance(part.head, (DiagonalNormal, GridNormal)):
        raise IncompatibleParts(
            f"Expected {name} to be a tfvae.Conditional, an Encoder or Decoder, with heads.DiagonalNormal, or "
            f"heads.GridNormal where its features lie on a grid. Received: {name}={part!r}"
        )
    try:
        part(tf.zeros([1, *parents], part.variable_dtype))
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        raise IncompatibleParts(
            f"Expected {name} to take what is above it, of shape {list(parents)}. Received: {name}={part.name!r}, "
            f"which says: {str(error).splitlines()[0]}"
        ) from error
    return part.head.event_shape[0]
