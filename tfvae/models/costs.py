"""What a training step of a model costs, and whether XLA makes it cheaper."""

import math
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from tfvae.models.variational import AbstractVAE


def operations(model: "AbstractVAE", batch: int) -> float:
    """Estimate the floating point operations of one training step: six for each use of a weight."""
    places = max(1, math.prod(model.fits.event_shape[:-1]) // 4)  # where a kernel is applied, on a grid halved once
    uses = sum(math.prod(w.shape) * (places if _convolves(w) else 1) for w in model.trainable_variables)
    return 6.0 * batch * model.objective.samples * max(uses, 1)


def _convolves(weight: keras.Variable) -> bool:
    """Tell a kernel applied all over a grid from other weights of many axes, such as images that are learned."""
    return weight.name.endswith("kernel") and len(weight.shape) > 2


def suits_xla(model: "AbstractVAE") -> bool:
    """Tell whether XLA speeds a model up: not convolutions on a processor, which take it several times as long."""
    convolutions = any(_convolves(weight) for weight in model.weights)
    return (model.fits.compiles and not convolutions) or bool(tf.config.list_physical_devices("GPU"))
