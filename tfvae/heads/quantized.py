"""The posterior over codes."""

import math

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae import errors
from tfvae.distributions.codes import CodePoint
from tfvae.errors import IncompatibleParts
from tfvae.heads.base import Head
from tfvae.heads.quantizers import Quantizer
from tfvae.heads.support import CODES


@keras.saving.register_keras_serializable(package="tfvae")
class Quantized(Head):
    """Codes of features at several positions: the encoder of a model with discrete latents.

        h_n = W features_n + b,   q(k | x) = 1 if k_n = k(h_n) for all n, else 0,   z = [e(k_1), ..., e(k_N)]

    A point mass, but one over discrete values: it has a rate, -log p(k), an elbo and, through `distributions.proposal`,
    an evidence. The gradient with respect to z reaches h as if nothing were rounded. Its priors are
    `priors.UniformCodes` and `priors.AutoregressiveCodes`, which share the quantiser.

    Args:
        quantizer: `heads.VectorQuantizer`, `heads.ResidualQuantizer` or `heads.FiniteScalar`.
        positions: N, or a grid of them such as (7, 7); a network that ends on the same grid is mapped pointwise.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        IncompatibleParts: if `quantizer` is none, or of another dtype.
        ValueError: if `positions` holds anything but positive whole numbers.

    Reference: A. van den Oord, O. Vinyals and K. Kavukcuoglu, "Neural Discrete Representation Learning", 2017,
    Sec. 3.1, https://arxiv.org/abs/1711.00937.

    Example:
        >>> import numpy as np, tfvae
        >>> head = tfvae.heads.Quantized(tfvae.heads.FiniteScalar((8, 5, 5)), positions=6)
        >>> head(np.zeros([3, 16], "float32")).codes.shape
        TensorShape([3, 6])
    """

    support = CODES
    parameter_count = 1

    def __init__(self, quantizer: Quantizer, positions: int | tuple[int, ...], **kwargs: object):
        grid = errors.event_shape("positions", positions)
        if not isinstance(quantizer, Quantizer):
            raise IncompatibleParts(
                f"Expected a quantizer of tfvae.heads, such as heads.VectorQuantizer(512, 16). Received: {quantizer=!r}"
            )
        super().__init__(math.prod(grid) * quantizer.depth * quantizer.width, **kwargs)
        if quantizer.variable_dtype != self.variable_dtype:
            raise IncompatibleParts(
                f"Expected a quantizer of dtype {self.variable_dtype}, as the head. Received: {quantizer.name} of "
                f"dtype {quantizer.variable_dtype}"
            )
        self.quantizer, self.grid = quantizer, grid
        self.width = quantizer.features

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        axes = parameters.shape.rank - len(self.grid) - 1
        places = [math.prod(self.grid), self.width]
        h = tf.reshape(parameters, tf.concat([tf.shape(parameters)[:axes], places], 0))  # [..., N, features]
        h.set_shape([*parameters.shape[:axes], *places])
        return CodePoint(self.quantizer, h)

    def update(self, x: tf.Tensor, px: CodePoint, step: tf.Tensor) -> None:
        self.quantizer.update(px.features, px.nearest, step)

    def get_config(self) -> dict:
        config = {key: value for key, value in super().get_config().items() if key != "event_shape"}
        return {**config, "quantizer": keras.saving.serialize_keras_object(self.quantizer), "positions": self.grid}

    @classmethod
    def from_config(cls, config: dict) -> "Quantized":
        return cls(**{**config, "quantizer": keras.saving.deserialize_keras_object(config["quantizer"])})
