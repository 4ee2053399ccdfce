"""Callbacks for `fit`, beside Keras' own."""

from pathlib import Path

import keras

from tfvae.errors import positive_int
from tfvae.files import replacing


class Checkpoint(keras.callbacks.Callback):
    """Save the whole model, optimiser included, after every few epochs, in one step.

    The file is written under a temporary name and renamed: a process killed at any moment leaves the last whole
    checkpoint, or none. `keras.models.load_model` reads it, and `fit(initial_epoch=...)` goes on.

    Args:
        path: the file, ending in .keras.
        every: epochs between two checkpoints.

    Raises:
        ValueError: if `path` does not end in .keras or `every` is no positive whole number.

    Example:
        >>> import tfvae
        >>> tfvae.callbacks.Checkpoint("checkpoint.keras").every
        1
    """

    def __init__(self, path: str | Path, every: int = 1):
        super().__init__()
        if Path(path).suffix != ".keras":
            raise ValueError(f"Expected a path that ends in .keras. Received: path={str(path)!r}")
        self.path = Path(path)
        self.every = positive_int("every", every)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Save, if this epoch is one of those."""
        if (epoch + 1) % self.every == 0:
            with replacing(self.path) as temporary:
                self.model.save(temporary)
