"""Networks of several inputs: what a conditional is given beside its first parent."""

import math

import keras
import tensorflow as tf


class _Several(keras.layers.Layer):
    """Several tensors made one, and a network of it (abstract)."""

    def __init__(self, network: keras.Layer, **kwargs: object):
        super().__init__(**kwargs)
        if not isinstance(network, keras.Layer):
            raise TypeError(f"Expected a Keras layer or model, such as networks.mlp(200). Received: {network=!r}")
        self.network = network

    def join(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        """Return the one tensor that the network is given."""
        raise NotImplementedError

    def joined_shape(self, shapes: list[tuple]) -> tuple:
        """Return its shape, or raise ValueError for inputs that cannot be joined."""
        raise NotImplementedError

    def build(self, input_shape: list[tuple]) -> None:
        """Build the network for what the inputs become."""
        if not self.network.built:
            self.network.build(self.joined_shape(_several(input_shape)))

    def call(self, inputs: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        if not isinstance(inputs, (list, tuple)):
            _several(inputs.shape)
        return self.network(self.join(inputs), training=training)

    def compute_output_shape(self, input_shape: list[tuple]) -> tuple:
        """Return the shape of the network's features."""
        return self.network.compute_output_shape(self.joined_shape(_several(input_shape)))

    def get_config(self) -> dict:
        return {**super().get_config(), "network": keras.saving.serialize_keras_object(self.network)}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "_Several":
        network = keras.saving.deserialize_keras_object(config["network"], custom_objects=custom_objects)
        return cls(**{**config, "network": network})


@keras.saving.register_keras_serializable(package="tfvae")
class Concatenated(_Several):
    """A network of several inputs, each flattened, side by side in one vector.

        h = network([flat(x), flat(c)])

    Args:
        network: any Keras layer or model that takes a vector, such as `networks.mlp(200)`.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        TypeError: if `network` is no Keras layer.
        ValueError: when built, if there is one input instead of a list.

    Example:
        >>> import numpy as np, tfvae
        >>> network = tfvae.networks.Concatenated(tfvae.networks.mlp(16))
        >>> network([np.zeros([3, 8, 8, 1], "float32"), np.zeros([3, 10], "float32")]).shape
        TensorShape([3, 16])
    """

    def join(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        """Return all inputs as one vector, [B, sum of the sizes]."""
        return tf.concat([tf.reshape(part, [-1, math.prod(part.shape[1:])]) for part in inputs], -1)

    def joined_shape(self, shapes: list[tuple]) -> tuple:
        """Return [B, sum of the sizes]."""
        return (None, sum(math.prod(shape[1:]) for shape in shapes))


@keras.saving.register_keras_serializable(package="tfvae")
class AsChannels(_Several):
    """A network of an image and of what else is given, as further channels of that image.

        h = network([x, c repeated at every place])

    Args:
        network: any Keras layer or model that takes images, such as `networks.conv(32, 64)`.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        TypeError: if `network` is no Keras layer.
        ValueError: when built, if there is one input instead of a list, the first is no image, or another is neither a
            vector nor an image of the same height and width.

    Reference: A. van den Oord et al., "Conditional Image Generation with PixelCNN Decoders", 2016, Sec. 2.3 (a
    condition that is the same everywhere, or a map), https://arxiv.org/abs/1606.05328.

    Example:
        >>> import numpy as np, tfvae
        >>> network = tfvae.networks.AsChannels(tfvae.networks.conv(4, 8))
        >>> network([np.zeros([3, 8, 8, 1], "float32"), np.zeros([3, 10], "float32")]).shape[0]
        3
    """

    def join(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        """Return the image with the others as channels, [B, height, width, sum of the channels]."""
        image, grid = inputs[0], tf.ones_like(inputs[0][..., :1])
        maps = [part if part.shape.rank == 4 else part[:, None, None, :] * grid for part in inputs[1:]]
        return tf.concat([image, *maps], -1)

    def joined_shape(self, shapes: list[tuple]) -> tuple:
        """Return [B, height, width, sum of the channels]."""
        image = shapes[0]
        fits = (len(shape) == 2 or (len(shape) == 4 and shape[1:3] == image[1:3]) for shape in shapes[1:])
        if len(image) != 4 or not all(fits):
            raise ValueError(
                "Expected an image [height, width, channels] first, then vectors or images of its height and width; "
                f"use networks.Concatenated for others. Received: shapes {[shape[1:] for shape in shapes]}"
            )
        return (*image[:3], image[3] + sum(shape[-1] for shape in shapes[1:]))


def _several(shapes: list[tuple]) -> list[tuple]:
    if not isinstance(shapes, (list, tuple)) or not shapes or not isinstance(shapes[0], (list, tuple)):
        raise ValueError(f"Expected a list of inputs, such as [x, c]. Received: one of shape {tuple(shapes)}")
    return [tuple(shape) for shape in shapes]
