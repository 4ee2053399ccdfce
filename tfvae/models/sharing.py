"""Configs of parts that share parts with each other."""

from collections import Counter
from collections.abc import Iterator

import keras

_ID = "shared_object_id"


def configs(parts: dict[str, object]) -> dict[str, dict]:
    """Return Keras' configs of parts by name, such that what they share is shared again when they are loaded.

    Keras marks an object when it meets it again, in the config that it made the first time; inside another config that
    one has been copied already, and stays unmarked. So all are made twice, and marks of what is met once are taken off.
    """
    for _ in range(2):
        made = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
    count = Counter(config[_ID] for config in _marked(made))
    for config in list(_marked(made)):
        if count[config[_ID]] == 1:
            del config[_ID]
    return made


def _marked(config: object) -> Iterator[dict]:
    """Yield every config inside another that has a mark."""
    if isinstance(config, dict):
        if _ID in config:
            yield config
        for value in config.values():
            yield from _marked(value)
    elif isinstance(config, (list, tuple)):
        for value in config:
            yield from _marked(value)
