"""Objects that are saved by their constructor's arguments."""

import inspect
from typing import Self

import keras


class Configured:
    """An object that keeps its constructor's arguments under their own names, and is saved by them (abstract)."""

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        names = inspect.signature(type(self)).parameters
        return {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in names}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Make the object again."""
        return cls(**{name: keras.saving.deserialize_keras_object(value) for name, value in config.items()})
