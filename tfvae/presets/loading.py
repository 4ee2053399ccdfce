"""Loading trained models by name, from a folder, or from the Hugging Face Hub."""

import os
from pathlib import Path

from tfvae.models.loading import load_model
from tfvae.models.variational import AbstractVAE
from tfvae.presets.table import find

_HUB = "hf://"
_PACKAGE = Path(__file__).parent.parent
_ENVIRONMENT = "TFVAE_PRESETS"


def folder_of(name: str) -> Path:
    """Return the folder of a preset's files.

    Raises:
        ValueError: if there is no preset of that name, or its files are not on this machine.

    Example:
        >>> from tfvae import presets
        >>> presets.folder_of("vae_static_mnist").name
        'vae_static_mnist'
    """
    find(name)
    # What the user says; beside the package in a checkout; within an installed package.
    places = [os.environ.get(_ENVIRONMENT), _PACKAGE.parent / "savedmodels", _PACKAGE / "savedmodels"]
    folders = [Path(place, name) for place in places if place]
    for folder in folders:
        if (folder / "model.keras").is_file():
            return folder
    raise ValueError(
        f"Expected the files of preset {name} in one of {', '.join(map(str, folders))}. Train it with "
        f"`tfvae train --preset {name}` and load its folder. Received: {name=}"
    )


def from_preset(source: str | Path) -> AbstractVAE:
    """Load a trained model: a preset by its name, a folder, or a repository of the Hugging Face Hub.

    Args:
        source: a name such as "vae_static_mnist"; a folder with a model.keras, such as that of a run; or
            "hf://OWNER/NAME", for which `pip install tfvae[hub]` is needed. Only model.keras is downloaded, and no code
            in it is run.

    Returns:
        The model, ready for `sample`, `reconstruct`, `embed`, `evaluation` and `export`.

    Raises:
        ValueError: if there is no such preset, folder or repository, or the file in it does not load.

    Example:
        >>> import tfvae
        >>> tfvae.from_preset("vae_static_mnist").sample(2, seed=0).shape
        (2, 28, 28, 1)
    """
    if str(source).startswith(_HUB):
        return load_model(_downloaded(str(source)))
    folder = Path(source) if Path(source).is_dir() else None
    if folder is None and os.sep in str(source):
        raise ValueError(f"Expected a folder with model.keras. Received: {str(source)!r}, which is not there")
    file = (folder or folder_of(str(source))) / "model.keras"
    if not file.is_file():
        raise ValueError(f"Expected a folder with model.keras. Received: {str(source)!r}, which has none")
    return load_model(file)


def _downloaded(address: str) -> Path:
    """Return the model file of a repository of the Hub, from its cache where it is there."""
    repository = address.removeprefix(_HUB)
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise ValueError(
            f"Expected the package huggingface_hub for {address}: pip install tfvae[hub]. Received: {error}"
        ) from error
    try:
        return Path(hf_hub_download(repository, "model.keras"))
    except (OSError, ValueError) as error:  # its errors are of these two kinds, the network's too
        cause = next(iter(str(error).splitlines()), type(error).__name__)
        raise ValueError(
            f"Expected a repository OWNER/NAME with a model.keras. Received: {address}: {cause}"
        ) from error
