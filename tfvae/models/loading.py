"""Loading a model of the library from a file that may hold anything."""

from pathlib import Path

import keras

from tfvae.models.variational import AbstractVAE


def load_model(file: Path, *, compiled: bool = True) -> AbstractVAE:
    """Load a model of the library, with its optimiser or without.

    Raises:
        ValueError: if the file is damaged or holds something else.
    """
    try:
        model = keras.models.load_model(file, compile=compiled)
    except Exception as error:  # a damaged file ends in whatever zipfile, h5py or json raises
        cause = next(iter(str(error).splitlines()), type(error).__name__)
        raise ValueError(
            f"Expected a .keras file of a tfvae model. Received: {file}, which does not load: {cause}"
        ) from error
    if not isinstance(model, AbstractVAE):
        raise ValueError(f"Expected a tfvae model. Received: {file}, which holds a {type(model).__name__}")
    return model
