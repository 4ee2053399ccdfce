"""The posterior that is one point."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfvae.distributions  # noqa: F401 (registers draws)
from tfvae.heads.base import Head
from tfvae.heads.support import REAL
from tfvae.heads.vector import vector_length


@keras.saving.register_keras_serializable(package="tfvae")
class Point(Head):
    """Point mass at a vector: the encoder of an auto-encoder that is not variational.

        q(z | x) = delta(z - loc(x))

    It has no density and so no rate, no elbo and no evidence; an objective that asks for one of them refuses it.

    Args:
        event_shape: length D of z.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` is no positive whole number.

    Reference: I. Tolstikhin et al., "Wasserstein Auto-Encoders", 2018, Sec. 2.2, https://arxiv.org/abs/1711.01558.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.Point(2)(np.zeros([3, 16], "float32")).stddev().numpy().max()
        np.float32(0.0)
    """

    support = REAL
    parameter_count = 1

    def __init__(self, event_shape: int | tuple[int], **kwargs: object):
        super().__init__(event_shape, **kwargs)
        vector_length(self)

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        return tfd.VectorDeterministic(parameters)
