"""What the models with latents in groups share: how their parts are joined."""

from collections.abc import Callable
from functools import partial

import keras

from tfvae import heads, networks
from tfvae.conditional import Conditional, Decoder, Encoder
from tfvae.errors import event_shape
from tfvae.heads import Head
from tfvae.models import Ladder, TopDown
from tfvae.priors import Hierarchy, Prior, StandardNormal


def two_levels(
    input_shape: tuple[int, ...],
    latent_dim: int,
    units: tuple[int, ...],
    likelihood: Head | None,
    top: Callable[[Encoder], Prior],
) -> tuple[TopDown, Decoder, Hierarchy]:
    """Return q(z_2 | x) q(z_1 | x, z_2), p(x | z_1, z_2), and p(z_2) p(z_1 | z_2), of gated layers.

    Args:
        input_shape: shape of x.
        latent_dim: length of either group.
        units: widths of the first half of each conditional's layers, and of its second half.
        likelihood: the head of the decoder; Bernoulli if None.
        top: from q(z_2 | x) to p(z_2).
    """
    shape = event_shape("input_shape", input_shape)
    lower, upper = networks.gated(*units), networks.gated(*units)
    head = heads.DiagonalNormal(latent_dim)
    alone = Encoder(keras.Sequential([lower, upper]), head, name="upper")
    alone.build((None, *shape))
    parts = [Conditional(networks.gated(), head), Conditional(networks.gated(*units), heads.DiagonalNormal(latent_dim))]
    encoder = TopDown([lower, upper], parts, name="encoder")
    below = Decoder(networks.gated(*units, *units), heads.DiagonalNormal(latent_dim), name="below")
    likelihood = heads.Bernoulli(shape) if likelihood is None else likelihood
    decoder = Decoder(networks.gated(*units, *units), likelihood, name="decoder")
    return encoder, decoder, Hierarchy(top(alone), [below])


def halving_ladder(
    input_shape: tuple[int, ...], latent_dim: int, units: tuple[int, ...], likelihood: Head | None
) -> tuple[Ladder, Decoder, Hierarchy]:
    """Return a ladder, p(x | z_1) and the prior, a group for each of `units`, of half the length of the one below.

    Args:
        input_shape: shape of x.
        latent_dim: length of the lowest group.
        units: width of the two layers of each group, from the bottom up.
        likelihood: the head of the decoder; Bernoulli if None.
    """
    sizes = [max(1, latent_dim // 2**level) for level in range(len(units))]
    mlp = partial(networks.mlp, activation="leaky_relu")
    pairs = reversed([*zip(units, sizes, strict=True)][:-1])
    below = [Decoder(mlp(width, width), heads.DiagonalNormal(size)) for width, size in pairs]
    prior = Hierarchy(StandardNormal(sizes[-1]), below)
    parts = [Conditional(mlp(), heads.DiagonalNormal(size)) for size in reversed(sizes)]
    encoder = Ladder([mlp(width, width) for width in units], parts, prior, name="encoder")
    network = keras.Sequential([networks.Last(latent_dim), *mlp(units[0], units[0]).layers])
    likelihood = heads.Bernoulli(input_shape) if likelihood is None else likelihood
    return encoder, Decoder(network, likelihood, name="decoder"), prior
