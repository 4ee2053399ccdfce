"""Which families of TensorFlow Probability can be fitted, and which of their parameters can be given."""

import inspect
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import util

from tfvae.errors import did_you_mean

NATURAL = {"logits": "probs", "log_rate": "rate", "log_scale": "scale"}  # what people read, where TFP prefers another
_FORMS = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

Properties = dict[str, util.ParameterProperties]


def properties(family: type[tfd.Distribution], classes: int | None = 2) -> Properties:
    """Return what TFP knows of each parameter of a family.

    Raises:
        ValueError: if the family needs more than parameters that are arrays of numbers.
    """
    try:
        found = family.parameter_properties(dtype=tf.float64, num_classes=classes)
    except (NotImplementedError, TypeError):
        raise unfit(family) from None
    own = list(inspect.signature(family.__init__).parameters.items())[1:]
    needed = {name for name, each in own if each.default is inspect.Parameter.empty and each.kind not in _FORMS}
    preferred = {name: each for name, each in found.items() if each.is_preferred}
    arrays = all(each.is_tensor and not each.specifies_shape for each in preferred.values())
    if not preferred or not arrays or needed - found.keys():
        raise unfit(family)
    return found


def unfit(family: type[tfd.Distribution]) -> ValueError:
    """Return the error for a family that cannot be fitted."""
    return ValueError(
        "Expected a family of numbers or vectors that arrays of numbers define, such as tfd.Beta, tfd.Gamma, "
        "tfd.Normal, tfd.Poisson, tfd.StudentT, tfd.Dirichlet or tfd.MultivariateNormalTriL; for mixtures there is "
        f"density.NormalMixture. Received: family={family.__name__}"
    )


def of_vectors(family: type[tfd.Distribution]) -> bool:
    """Tell whether a family is one of vectors; a Categorical has a vector of parameters alone."""
    every = properties(family).values()
    return family is not tfd.Categorical and any(callable(each.event_ndims) or each.event_ndims for each in every)


def is_given(name: str, fixed: Mapping[str, object]) -> bool:
    """Tell whether a parameter is given, by any of its names."""
    others = {name, *(other for other, natural in NATURAL.items() if natural == name)}
    return bool(others & fixed.keys())


def learned(family: type[tfd.Distribution], fixed: Mapping[str, object], known: Properties) -> list[str]:
    """Return the parameters that are not given, by the names that people read."""
    names = [name for name, each in known.items() if each.is_preferred]
    names = [NATURAL[name] if NATURAL.get(name) in known else name for name in names]
    return [name for name in names if not is_given(name, fixed)]


def given(family: type[tfd.Distribution], fixed: object) -> dict[str, np.ndarray]:
    """Return the parameters that are given as arrays.

    Raises:
        ValueError: if they are no numbers, none of the family, or leave nothing to learn.
    """
    known = properties(family)
    if not isinstance(fixed, Mapping):
        raise ValueError(
            f"Expected fixed to be a dictionary from parameters of {family.__name__} to their values, such as "
            f"{{{next(iter(known))!r}: 1.0}}. Received: fixed={fixed!r}"
        )
    for name in fixed:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ValueError(
                f"Expected fixed to name parameters of {family.__name__}, which are {', '.join(known)}.{hint} "
                f"Received: fixed={dict(fixed)!r}"
            )
    values = {name: _numbers(name, value) for name, value in fixed.items()}
    if not learned(family, values, known):
        raise ValueError(
            f"Expected a parameter of {family.__name__} that is left to learn. Received: all are given, "
            f"fixed={dict(fixed)!r}"
        )
    return values


def _numbers(name: str, value: object) -> np.ndarray:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):  # such as ragged lists
        array = np.asarray(None)
    if array.dtype.kind not in "biuf" or np.isnan(array).any():
        raise ValueError(f"Expected the value of {name} in fixed to be a number. Received: {name}={value!r}")
    return array.astype(np.float64)
