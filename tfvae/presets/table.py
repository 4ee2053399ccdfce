"""The table of presets."""

from tfvae.errors import did_you_mean
from tfvae.presets.burda_mnist import iwae_mnist_k1, iwae_mnist_k5
from tfvae.presets.conv import conv_static_mnist
from tfvae.presets.frey import vae_frey_faces, vamp_frey_faces
from tfvae.presets.preset import Preset
from tfvae.presets.static_mnist import (
    iaf_static_mnist,
    mean_field_static_mnist,
    vae_static_mnist,
    vamp_static_mnist,
)

PRESETS = {
    preset.name: preset
    for preset in (
        vae_static_mnist,
        vamp_static_mnist,
        mean_field_static_mnist,
        iaf_static_mnist,
        conv_static_mnist,
        iwae_mnist_k1,
        iwae_mnist_k5,
        vae_frey_faces,
        vamp_frey_faces,
    )
}
"""The table of presets, by name."""


def find(name: str) -> Preset:
    """Return a preset by its name.

    Raises:
        ValueError: if there is none of this name.

    Example:
        >>> from tfvae import presets
        >>> presets.find("vae_static_mnist").epochs
        500
    """
    if name in PRESETS:
        return PRESETS[name]
    hint = did_you_mean(name, PRESETS)
    raise ValueError(f"Expected a preset among {', '.join(PRESETS)}.{hint} Received: {name=}")
