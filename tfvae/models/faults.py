"""A loss that is not finite: which part is to blame."""

import math
from typing import TYPE_CHECKING

import numpy as np

from tfvae import replicas

if TYPE_CHECKING:
    from tfvae.models.variational import AbstractVAE


def describe(model: "AbstractVAE", values: dict[str, float]) -> str:
    """Say at which step and in which part the loss stopped being finite.

    Args:
        model: the model, whose weights are those before the step.
        values: `loss`, `rate` and `distortion` of the epoch so far.
    """
    step = int(replicas.host(model.optimizer.iterations)) if model.optimizer is not None else 0
    parts = {
        "rate": ("the posterior", model.encoder, model.fits.posterior),
        "distortion": ("the likelihood", model.decoder, model.fits.likelihood),
    }
    blamed = [
        f"the {name} is {values[name]}: {role}, {_head(part)} ({family})"
        for name, (role, part, family) in parts.items()
        if not math.isfinite(values.get(name, 0.0))
    ]
    weights = [w.path for w in model.weights if not np.isfinite(replicas.host(w)).all()]
    if weights:
        blamed.append(f"weights that are not finite: {', '.join(weights)}")
    return (
        "Expected a finite loss. Lower the learning rate, clip gradients (keras.optimizers.Adam(..., "
        "global_clipnorm=1.0)), or scale the data; the last checkpoint, if there is one, is from before. Received: "
        f"loss={values['loss']} at step {step}; {'; '.join(blamed) or 'the objective or a penalty of the layers'}"
    )


def _head(part: object) -> str:
    return f"head {type(part.head).__name__}" if hasattr(part, "head") else f"model {type(part).__name__}"
