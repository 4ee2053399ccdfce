"""What the models of several modalities share: an encoder, and a likelihood, for each of them."""

from collections.abc import Callable, Sequence

from tfvae import heads, networks
from tfvae.conditional import Decoder, Encoder
from tfvae.errors import IncompatibleParts, event_shape
from tfvae.heads import Head


def image_and_label(
    input_shape: tuple[int, ...],
    likelihoods: Sequence[Head] | None,
    units: tuple[int, ...],
    posterior: Callable[[], Head],
) -> tuple[list[Encoder], tuple[int, ...], Decoder]:
    """Return an encoder for each modality, their lengths, and one decoder for all of them.

    Args:
        input_shape: shape of x, a vector.
        likelihoods: the head of each modality, from left to right; None stands for binary pixels and one of ten labels.
        units: width of each layer of the encoders.
        posterior: makes the head of an encoder.
    """
    (columns,) = event_shape("input_shape", input_shape)
    likelihoods = (heads.Bernoulli(columns - 10), heads.OneHotCategorical(10)) if likelihoods is None else likelihoods
    parts = [heads.Modality(head) for head in likelihoods]
    sizes = tuple(part.event_shape[0] for part in parts)
    if sum(sizes) != columns:
        raise IncompatibleParts(f"Expected likelihoods of {columns} columns in all. Received: lengths {sizes}")
    encoders = [Encoder(networks.mlp(*units), posterior(), name=f"expert_{number}") for number in range(len(parts))]
    return encoders, sizes, Decoder(networks.mlp(*reversed(units)), heads.Product(*parts), name="decoder")
