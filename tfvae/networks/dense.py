"""Fully connected networks."""

import keras
import tensorflow as tf

from tfvae.errors import positive_int


def mlp(
    *units: int, activation: str = "relu", kernel_regularizer: keras.regularizers.Regularizer | None = None
) -> keras.Sequential:
    """Return a multilayer perceptron over the flattened input.

        h_0 = flatten(x),   h_i = activation(W_i h_{i-1} + b_i)

    Args:
        units: width of each layer; no width at all gives the flattened input itself.
        activation: a Keras activation.
        kernel_regularizer: what each W_i adds to the loss, in nats per example, such as `keras.regularizers.L2(1e-6)`.

    Returns:
        An unbuilt `keras.Sequential` from [B, ...] to [B, units[-1]].

    Raises:
        ValueError: if a width is no positive whole number or Keras does not know the activation.
        TypeError: if `kernel_regularizer` is no Keras regulariser.

    Example:
        >>> import tfvae
        >>> tfvae.networks.mlp(200, 100).compute_output_shape((None, 8, 8, 1))
        (None, 100)
    """
    if not isinstance(kernel_regularizer, keras.regularizers.Regularizer | None):
        raise TypeError(
            "Expected kernel_regularizer to be a Keras regulariser, such as keras.regularizers.L2(1e-6). "
            f"Received: kernel_regularizer={kernel_regularizer!r}"
        )
    widths = [positive_int("every width in units", width) for width in units]
    options = {"activation": activation, "kernel_regularizer": kernel_regularizer}
    return keras.Sequential([keras.layers.Flatten(), *[keras.layers.Dense(width, **options) for width in widths]])


def simplex_mlp(*units: int, activation: str = "relu") -> keras.Sequential:
    """Return a multilayer perceptron of probabilities that come as their logarithms.

        h_0 = flatten(exp(z)),   h_i = activation(W_i h_{i-1} + b_i)

    Relaxed categorical latents are drawn as logarithms, which keeps their densities finite; a decoder should see the
    points of the simplex themselves, which lie in [0, 1].

    Args:
        units: width of each layer; no width at all gives the flattened probabilities themselves.
        activation: a Keras activation.

    Returns:
        An unbuilt `keras.Sequential` from [B, ...] to [B, units[-1]].

    Raises:
        ValueError: if a width is no positive whole number or Keras does not know the activation.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.networks.simplex_mlp()(np.log([[0.25, 0.75]], dtype="float32")).numpy().round(2)
        array([[0.25, 0.75]], dtype=float32)
    """
    return keras.Sequential([keras.layers.Activation("exponential"), *mlp(*units, activation=activation).layers])


@keras.saving.register_keras_serializable(package="tfvae")
class Last(keras.layers.Layer):
    """The last elements of a vector, such as the lowest group of latents.

        h = [z_{D-n+1}, ..., z_D]

    Args:
        size: n, how many.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `size` is no positive whole number, or when called, larger than the vector.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.networks.Last(2)(np.array([[1.0, 2.0, 3.0]])).numpy()
        array([[2., 3.]], dtype=float32)
    """

    def __init__(self, size: int, **kwargs: object):
        super().__init__(**kwargs)
        self.size = positive_int("size", size)

    def build(self, input_shape: tuple) -> None:
        """Check that there are so many."""
        if input_shape[-1] < self.size:
            raise ValueError(
                f"Expected vectors of length {self.size} or more. Received: input_shape={tuple(input_shape)}"
            )

    def call(self, z: tf.Tensor) -> tf.Tensor:
        return z[..., -self.size :]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape that came in, with as many elements."""
        return (*input_shape[:-1], self.size)

    def get_config(self) -> dict:
        return {**super().get_config(), "size": self.size}
