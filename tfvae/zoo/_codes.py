"""What the models with discrete latents share: their convolutions, and the prior over codes."""

import keras

from tfvae import heads, networks
from tfvae.conditional import Decoder, Encoder
from tfvae.errors import event_shape
from tfvae.heads import Head, Quantizer
from tfvae.networks.convolutional import growth
from tfvae.priors import AutoregressiveCodes


def coded(
    input_shape: tuple[int, ...], quantizer: Quantizer, units: tuple[int, ...], likelihood: Head | None, width: int
) -> tuple[Encoder, Decoder, AutoregressiveCodes]:
    """Return q(k | x), p(x | k) and p(k) of images, with a code at every position of a grid.

    Each convolution halves the grid; two residual blocks of 3x3 convolutions stand before the codes and after them, and
    a layer normalisation before the codes, which the papers do without.

    Args:
        input_shape: height, width and channels of x.
        quantizer: of the features at each position.
        units: channels of each convolution of the encoder.
        likelihood: the head of the decoder; Bernoulli if None.
        width: of the prior's transformer.

    Raises:
        ValueError: if x is no image.
    """
    shape = event_shape("input_shape", input_shape)
    if len(shape) != 3:
        raise ValueError(f"Expected images [height, width, channels]. Received: input_shape={shape}")
    grid, cropping = growth(shape[:2], len(units))
    options = {"strides": 2, "padding": "same", "activation": "relu"}
    down = [keras.layers.Conv2D(channels, 4, **options) for channels in units]
    up = [keras.layers.Conv2DTranspose(channels, 4, **options) for channels in reversed(units)]
    # Features that begin small, as those of convolutions do, would all have one code, and most runs would stay there.
    encoder = keras.Sequential([*down, *_blocks(), keras.layers.LayerNormalization()])
    first = keras.layers.Conv2D(units[-1], 3, padding="same")
    decoder = keras.Sequential([networks.CodeGrid(grid, quantizer.depth), first, *_blocks(), *up, *cropping])
    length = grid[0] * grid[1] * quantizer.depth
    network = networks.CausalTransformer(quantizer.codes, length, depth=quantizer.depth, width=width)
    return (
        Encoder(encoder, heads.Quantized(quantizer, grid), name="encoder"),
        Decoder(decoder, heads.Bernoulli(shape) if likelihood is None else likelihood, name="decoder"),
        AutoregressiveCodes(quantizer, grid, network),
    )


def _blocks() -> list[keras.Layer]:
    return [networks.ResidualBlock() for _ in range(2)]
