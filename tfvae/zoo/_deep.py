"""The grids of a very deep VAE, from the bottom up, and the networks on and between them."""

from math import ceil, prod

import keras

from tfvae import heads, networks
from tfvae.conditional import Conditional, Decoder
from tfvae.errors import event_shape, positive_int
from tfvae.heads import Head
from tfvae.models import Guided, LastState
from tfvae.priors import Descent, StandardNormal

_ACTIVATION = "silu"


class Grids:
    """Each halves the one below it, rounded up, but the last, which is one place.

    Args:
        size: height and width of x.
        units: channels on each grid.
        groups: groups of latents on each grid.
        latent_dim: channels of each group.

    Raises:
        ValueError: if there are not as many numbers of channels as of groups, or one is not positive.
    """

    def __init__(self, size: tuple[int, ...], units: tuple[int, ...], groups: tuple[int, ...], latent_dim: int):
        if len(units) != len(groups) or not units:
            raise ValueError(
                f"Expected channels, units, and a number of groups for each grid. Received: {units=}, {groups=}"
            )
        self.size, self.latent_dim = size, positive_int("latent_dim", latent_dim)
        self.units = [positive_int("every entry of units", count) for count in units]
        counts = [positive_int("every entry of groups", count) for count in groups]
        self.sizes = [tuple(ceil(length / 2**level) for length in size) for level in range(1, len(units))] + [(1, 1)]
        self.levels = [level for level, count in enumerate(counts) for _ in range(count)]
        """Number of the grid of each group."""

    @property
    def downwards(self) -> range:
        """The numbers of all groups from the top down, as they stand in z."""
        return range(len(self.levels))[::-1]

    def block(self, group: int) -> networks.Residual:
        """Return a residual block on the grid of a group; on one or two places a kernel has nothing to see."""
        level = self.levels[group]
        kernel, units = 3 if min(self.sizes[level]) > 2 else 1, self.units[level]
        return networks.bottleneck(
            units, max(1, units // 4), kernel_size=kernel, activation=_ACTIVATION, depth=len(self.levels)
        )

    def rise(self, group: int) -> keras.Sequential:
        """Return the network of the way up that ends at a group: it comes from a larger grid where one begins."""
        level = self.levels[group]
        if group and self.levels[group - 1] == level:
            return keras.Sequential([self.block(group)])
        below = self.sizes[level - 1] if level else self.size
        strides = [ceil(before / after) for before, after in zip(below, self.sizes[level], strict=True)]
        kernel = [max(3, stride) for stride in strides]
        return keras.Sequential(
            [keras.layers.Conv2D(self.units[level], kernel, strides, padding="same"), self.block(group)]
        )

    def fall(self, group: int) -> list[keras.Layer]:
        """Return the layers below a group: they go on to a larger grid where one ends."""
        level = self.levels[group]
        if not group or self.levels[group - 1] == level:
            return [self.block(group)]
        return [self.block(group), *self.grow(level, self.sizes[level - 1], self.units[level - 1])]

    def grow(self, level: int, size: tuple[int, ...], units: int) -> list[keras.Layer]:
        """Return the layers from a grid to a larger one, of so many channels."""
        pairs = [*zip(self.sizes[level], size, strict=True)]
        factors = [ceil(after / before) for before, after in pairs]
        excess = [before * factor - after for (before, after), factor in zip(pairs, factors, strict=True)]
        crop = keras.layers.Cropping2D([(extra // 2, extra - extra // 2) for extra in excess])
        larger = keras.layers.Conv2DTranspose(units, factors, factors)
        return [larger, crop] if any(excess) else [larger]

    def normal(self, group: int, *layers: keras.Layer) -> Conditional:
        """Return a diagonal normal over a group, given what lies on its grid."""
        shape = (*self.sizes[self.levels[group]], self.latent_dim)
        return Conditional(keras.Sequential([*layers, self.block(group)]), heads.GridNormal(shape))

    def inward(self, group: int, *layers: keras.Layer) -> keras.Sequential:
        """Return the network from a group to the state."""
        level = self.levels[group]
        reshape = keras.layers.Reshape((*self.sizes[level], self.latent_dim))
        return keras.Sequential([reshape, self.pointwise(group), *layers])

    def pointwise(self, group: int) -> keras.Layer:
        """Return a linear map at each place of the grid of a group."""
        return keras.layers.Conv2D(self.units[self.levels[group]], 1)


def very_deep_parts(
    input_shape: tuple[int, ...],
    latent_dim: int,
    units: tuple[int, ...],
    groups: tuple[int, ...],
    likelihood: Head | None,
) -> tuple[Guided, Decoder, Descent]:
    """Return q(z | x), p(x | z) and p(z) along one way down; see `zoo.very_deep`.

    Raises:
        ValueError: if x is no image, or as `Grids` does.
    """
    shape = event_shape("input_shape", input_shape)
    if len(shape) != 3:
        raise ValueError(f"Expected images, such as (28, 28, 1). Received: input_shape={input_shape}")
    grids = Grids(shape[:2], units, groups, latent_dim)
    top, *others = grids.downwards
    prior = Descent(
        StandardNormal(prod(grids.sizes[-1]) * latent_dim),
        [grids.normal(group) for group in others],
        [grids.inward(top, *grids.fall(top)), *[grids.inward(group) for group in others]],
        [keras.Sequential(grids.fall(group)) for group in others],
    )
    parts = [grids.normal(top), *[grids.normal(group, grids.pointwise(group)) for group in others]]
    encoder = Guided([grids.rise(group) for group in grids.downwards[::-1]], parts, prior, name="encoder")
    smooth = keras.layers.Conv2D(units[0], 3, padding="same", activation=_ACTIVATION)
    network = keras.Sequential([LastState(prior), *grids.grow(0, shape[:2], units[0]), smooth])
    likelihood = heads.Bernoulli(shape) if likelihood is None else likelihood
    return encoder, Decoder(network, likelihood, name="decoder"), prior
