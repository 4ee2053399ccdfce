"""Variational auto-encoders for TensorFlow, Keras 3 and TensorFlow Probability.

`import tfvae` alone imports none of the three; the first use of a name does. A `.keras` file loads all the same: Keras
finds the library's classes from the moment when both are imported, in either order.
"""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfvae import (
        callbacks,
        data,
        density,
        evaluation,
        export,
        heads,
        models,
        networks,
        objectives,
        presets,
        priors,
        protocols,
        zoo,
    )
    from tfvae.conditional import Conditional, Decoder, Encoder
    from tfvae.errors import ExportError, IncompatibleParts
    from tfvae.models import VAE, AbstractVAE, ConditionalVAE, LadderVAE, QuantizedVAE, SequentialVAE, Trace
    from tfvae.presets import from_preset

if Path(sys.argv[0]).stem == "tfvae":
    # On the command line TensorFlow's talk about missing GPUs would bury the results; it reads this when it loads.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.1.0"

__all__ = [
    "VAE",
    "AbstractVAE",
    "Conditional",
    "ConditionalVAE",
    "Decoder",
    "Encoder",
    "ExportError",
    "IncompatibleParts",
    "LadderVAE",
    "QuantizedVAE",
    "SequentialVAE",
    "Trace",
    "callbacks",
    "data",
    "density",
    "evaluation",
    "export",
    "from_preset",
    "heads",
    "models",
    "networks",
    "objectives",
    "presets",
    "priors",
    "protocols",
    "zoo",
]

_HOMES = {
    "VAE": "models",
    "AbstractVAE": "models",
    "Conditional": "conditional",
    "ConditionalVAE": "models",
    "Decoder": "conditional",
    "Encoder": "conditional",
    "ExportError": "errors",
    "IncompatibleParts": "errors",
    "LadderVAE": "models",
    "QuantizedVAE": "models",
    "SequentialVAE": "models",
    "Trace": "models",
    "from_preset": "presets",
}
# What the library imports and what imports Keras: the outermost of them is finished before the library is loaded.
_BEFORE = {"keras", "tensorflow", "tensorflow_probability", "tf_keras"}


class _AfterKeras(MetaPathFinder):
    """Imports the whole library as soon as Keras has been imported, by whomever.

    A class is registered with Keras when its module is imported. Keras looks a class up in what is registered and
    imports nothing, so the modules have to be there before a file is loaded, and cannot be there before Keras is.
    """

    def __init__(self) -> None:
        self.busy = False  # something is being imported that must be whole before the library is loaded

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if self.busy or not (name in _BEFORE or name.startswith("tfvae.")):
            return None
        found = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, found), None)
        if spec is not None and spec.loader is not None:
            execute = partial(self.execute, spec.loader.exec_module)
            setattr(spec.loader, "exec_module", execute)  # noqa: B010 (no method for a type checker)
        return spec

    def execute(self, execute: Callable[[ModuleType], None], module: ModuleType) -> None:
        if self.busy:
            return execute(module)
        self.busy = True
        try:
            execute(module)
        finally:
            self.busy = False
        if "keras" in sys.modules:
            _load()
        return None


_finder = _AfterKeras()


def _load() -> None:
    """Import every module with a public name, and thereby every registered class."""
    _finder.busy = True
    try:
        for name in __all__:
            home = importlib.import_module(f"tfvae.{_HOMES.get(name, name)}")
            globals()[name] = getattr(home, name) if name in _HOMES else home
    finally:
        _finder.busy = False
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)


def __getattr__(name: str) -> object:
    # While the library imports itself, `from tfvae import heads` means the module alone.
    if _finder.busy or name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _load()
    return globals()[name]


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


if "keras" in sys.modules:
    _load()
else:
    sys.meta_path.insert(0, _finder)
