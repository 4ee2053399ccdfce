"""The likelihood of records whose columns are of several kinds."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions import product
from tfvae.heads.base import Head
from tfvae.heads.support import side_by_side


@keras.saving.register_keras_serializable(package="tfvae")
class Product(Head):
    """Several likelihoods of vectors side by side: the record x is their concatenation.

        log p(x | z) = sum_j log p_j(x_j | z),   x = (x_1, x_2, ...)

    So a table may hold numbers, categories and counts. A value off the support of its column is refused by the
    column's number. Bits per dimension are defined if they are for every part.

    Args:
        *heads: heads over vectors, in the order of the columns; a product among them stands for its parts.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if there is no head, or one of them models no vector, is used already, or has another dtype.
        TypeError: if a part is no head.

    Reference: A. Nazabal et al., "Handling Incomplete Heterogeneous Data using VAEs", 2018,
    Sec. "Handling heterogeneous data", https://arxiv.org/abs/1807.03653.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae import heads
        >>> head = heads.Product(heads.Normal(1, heads.SharedScale()), heads.Categorical(1, 10), heads.Poisson(64))
        >>> head(np.zeros([3, 16], "float32")).event_shape
        TensorShape([66])
    """

    parameter_count = 1
    heads: list[Head]

    def __init__(self, *heads: Head, **kwargs: object):
        for head in heads:
            if not isinstance(head, Head):
                raise TypeError(f"Expected heads from tfvae.heads, such as heads.Poisson(64). Received: {head!r}")
        parts = [part for head in heads for part in (head.heads if isinstance(head, Product) else [head])]
        if not parts:
            raise ValueError("Expected heads over vectors, one for each kind of column. Received: none")
        super().__init__(sum(map(_columns, parts)), **kwargs)
        for head in heads:
            if head.built or head.variable_dtype != self.variable_dtype:
                raise ValueError(
                    f"Expected heads of dtype {self.variable_dtype} that are used nowhere else. Received: {head.name} "
                    f"of dtype {head.variable_dtype}, built={head.built}"
                )
        for part in (*heads, *parts):
            part.built = True  # its parameters come from the linear layer of the product
        self.heads = parts
        self.width = sum(part.width for part in parts)
        self.support = side_by_side([(_columns(part), part.support) for part in parts])
        self.compiles = all(part.compiles for part in parts)

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        slices = tf.split(parameters, [part.width for part in self.heads], axis=-1)
        return product.Product([part.distribution(eta) for part, eta in zip(self.heads, slices, strict=True)])

    def update(self, x: tf.Tensor, px: product.Product, step: tf.Tensor) -> None:
        slices = tf.split(x, [_columns(part) for part in self.heads], axis=-1)
        for part, own, distribution in zip(self.heads, slices, px.distributions, strict=True):
            part.update(own, distribution, step)

    def get_config(self) -> dict:
        config = {key: value for key, value in super().get_config().items() if key != "event_shape"}
        return {**config, "heads": [keras.saving.serialize_keras_object(part) for part in self.heads]}

    @classmethod
    def from_config(cls, config: dict) -> "Product":
        parts = [keras.saving.deserialize_keras_object(part) for part in config["heads"]]
        return cls(*parts, **{key: value for key, value in config.items() if key != "heads"})


def _columns(part: Head) -> int:
    """The length of the vector that a head models."""
    if len(part.event_shape) != 1:
        raise ValueError(
            f"Expected heads over vectors, event_shape=D, to stand side by side. Received: {type(part).__name__} with "
            f"event_shape={part.event_shape}"
        )
    return part.event_shape[0]
