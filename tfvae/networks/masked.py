"""Perceptrons inside the steps of a flow: their weights are masked, their first bias is given from outside."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf


class Perceptron(tf.experimental.ExtensionType):
    """A multilayer perceptron as a function of its weights: h_1 = W_1 z + b_1, h_i = W_i elu(h_{i-1}) + b_i.

    Args:
        kernels: a matrix for each layer, [inputs, outputs].
        biases: a vector for each layer; the first may have batch axes, [*B, units].
    """

    kernels: tuple[tf.Tensor, ...]
    biases: tuple[tf.Tensor, ...]

    def __call__(self, z: tf.Tensor) -> tf.Tensor:
        """Return the last layer, [..., *B, outputs], for z of shape [..., *B, inputs]."""
        hidden = tf.tensordot(z, self.kernels[0], 1) + self.biases[0]
        for kernel, bias in zip(self.kernels[1:], self.biases[1:], strict=True):
            hidden = tf.tensordot(tf.nn.elu(hidden), kernel, 1) + bias
        return hidden


class Mask(NamedTuple):
    """Which weights of a layer there are: those from a unit to one of at least its degree.

        M_ij = 1 if after_j >= before_i

    Kept as degrees, because a matrix of zeros and ones would be written into every exported function.
    """

    before: np.ndarray
    """Degrees of the layer's inputs, [inputs]."""
    after: np.ndarray
    """Degrees of its outputs, [outputs]."""

    def __call__(self, kernel: tf.Tensor) -> tf.Tensor:
        """Return the kernel without the weights that there are not."""
        return kernel * tf.cast(self.after[None, :] >= tf.constant(self.before)[:, None], kernel.dtype)


class Masked(keras.layers.Layer):
    """A layer that owns the weights of a `Perceptron` and makes it, given the bias of its first layer.

    That bias is where a condition enters: it is computed once for each example, and not for each sample of it.

    Args:
        masks: of each layer.
        **kwargs: `name` and `dtype`, as for any Keras layer.
    """

    def __init__(self, masks: Sequence[Mask], **kwargs: object):
        super().__init__(**kwargs)
        self.masks = tuple(masks)
        # The last layer begins small, so that a flow begins close to where its parameters are zero.
        starts = [*["glorot_uniform"] * (len(masks) - 1), keras.initializers.VarianceScaling(0.01)]
        self.kernels = [
            self.add_weight(shape=(mask.before.size, mask.after.size), initializer=start, name=f"kernel_{i}")
            for i, (mask, start) in enumerate(zip(masks, starts, strict=True))
        ]
        self.biases = [
            self.add_weight(shape=mask.after.shape, initializer="zeros", name=f"bias_{i + 1}")
            for i, mask in enumerate(masks[1:])
        ]
        self.built = True

    def call(self, bias: tf.Tensor) -> Perceptron:
        kernels = [mask(tf.convert_to_tensor(kernel)) for kernel, mask in zip(self.kernels, self.masks, strict=True)]
        return Perceptron(tuple(kernels), (bias, *map(tf.convert_to_tensor, self.biases)))


def full(*sizes: int) -> list[Mask]:
    """Return masks that leave every weight, from sizes[0] inputs to sizes[-1] outputs."""
    degrees = [np.zeros(size, np.int32) for size in sizes]
    return [Mask(before, after) for before, after in pairwise(degrees)]


def autoregressive(order: Sequence[int], units: Sequence[int], outputs: int) -> list[Mask]:
    """Return masks with which the outputs of a coordinate depend on those alone that come before it.

        M_ij = 1 if degree(j) >= degree(i),   in the last layer if degree(j) > degree(i)

    Args:
        order: the place of each of the D coordinates, from 0 to D - 1: its degree.
        units: width of each hidden layer. Degrees are spread evenly over its units, from -1, which sees no coordinate
            but the condition, to D - 2.
        outputs: how many outputs a coordinate has; they are laid out [outputs, D].

    Reference: M. Germain et al., "MADE: Masked Autoencoder for Distribution Estimation", 2015, Eq. (8) and (9),
    https://arxiv.org/abs/1502.03509.
    """
    first, size = np.asarray(order, np.int32), len(order)
    hidden = [np.arange(width, dtype=np.int32) * size // width - 1 for width in units]
    last = np.tile(first, outputs) - 1  # greater than, where the others have at least
    return [Mask(before, after) for before, after in pairwise([first, *hidden, last])]
