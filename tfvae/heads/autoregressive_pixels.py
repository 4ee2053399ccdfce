"""Likelihoods of images whose pixels depend on those before them."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.pixels import Autoregressive as Pixelwise
from tfvae.distributions.pixels import quantile
from tfvae.errors import IncompatibleParts
from tfvae.heads.base import Head
from tfvae.networks.pixels import GatedPixelCNN


@keras.saving.register_keras_serializable(package="tfvae")
class Autoregressive(Head):
    """A likelihood of images that draws them pixel by pixel: each is given z and all pixels before it.

        p(x | z) = prod_i p(x_i | x_1, ..., x_{i-1}, z),   eta_i = W f_i(x_1, ..., x_{i-1}, h(z)) + b

    h(z), the linear layer's output, is the condition at every pixel. The density takes one pass through `network`, a
    draw as many as there are pixels at most. A strong network needs no z, and the posterior collapses to the prior:
    give z free bits (`objectives.FreeBits`), or the network fewer layers, so that it sees a neighbourhood only.

    The mean of x given z has no closed form, and `mean` raises NotImplementedError. `reconstruct`, `predict` and the
    exported `decode` give a draw of p(x | z) in its place, with the same noise for every z; `sample` and the exported
    `generate` give ancestral samples, with noise from their seed.

    Args:
        head: the family of a pixel, `heads.Bernoulli` or `heads.Categorical`, with event shape (height, width, 1).
        network: a `networks.GatedPixelCNN`, used nowhere else.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        TypeError: if `head` is no head or `network` is no GatedPixelCNN.
        IncompatibleParts: if the head models no images of one channel, or pixels of another family.

    Reference: I. Gulrajani et al., "PixelVAE: A Latent Variable Model for Natural Images", 2017, Sec. 3.1,
    https://arxiv.org/abs/1611.05013.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae import heads, networks
        >>> head = heads.Autoregressive(heads.Bernoulli((8, 8, 1)), networks.GatedPixelCNN(8, layers=2))
        >>> head(np.zeros([3, 16], "float32")).event_shape
        TensorShape([8, 8, 1])
    """

    parameter_count = 1  # of the head within, in fact; the width is that of the condition

    def __init__(self, head: Head, network: GatedPixelCNN, **kwargs: object):
        if not isinstance(head, Head) or not isinstance(network, GatedPixelCNN):
            raise TypeError(
                "Expected a head from tfvae.heads, such as heads.Bernoulli((28, 28, 1)), and a networks.GatedPixelCNN. "
                f"Received: head={head!r}, network={network!r}"
            )
        super().__init__(head.event_shape, **kwargs)
        if len(self.event_shape) != 3 or self.event_shape[-1] != 1:
            raise IncompatibleParts(
                "Expected a head over images of one channel, event_shape=(height, width, 1). Received: "
                f"{type(head).__name__} with event_shape={self.event_shape}"
            )
        self.head, self.network, self.support = head, network, head.support
        self.width = network.filters
        head.built = True  # its parameters come from the layer of the output
        try:
            zeros = tf.zeros([1, *self.event_shape[:-1], head.width], self.variable_dtype)
            quantile(head.distribution(zeros), tf.zeros([1, *self.event_shape], self.variable_dtype))
        except NotImplementedError as error:
            raise IncompatibleParts(
                "Expected pixels that are binary or categorical, heads.Bernoulli or heads.Categorical. "
                f"Received: {error}"
            ) from error
        # Built here, as all shapes are known before the features are.
        image, condition = (None, *self.event_shape), (None, *self.event_shape[:-1], self.width)
        if not network.built:
            network.build(image, condition)
            network.built = True
        self.output_layer = keras.layers.Dense(head.width, dtype=self.dtype_policy, name="output")
        self.output_layer.build(condition)

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        batch = tf.shape(parameters)[:-3], parameters.shape[:-3]
        return Pixelwise(lambda x: self.given(x, parameters), batch, self.event_shape, parameters.dtype)

    def given(self, x: tf.Tensor, condition: tf.Tensor) -> tfd.Distribution:
        """Return the distribution of every pixel given those before it, for x and conditions of any batch axes."""
        batch = tf.broadcast_dynamic_shape(tf.shape(x)[:-3], tf.shape(condition)[:-3])
        known = tf.broadcast_static_shape(x.shape[:-3], condition.shape[:-3])
        image, channels = self._flat(tf.cast(x, condition.dtype), batch), self._flat(condition, batch)
        eta = tf.cast(self.output_layer(self.network(image, channels)), condition.dtype)
        eta = tf.reshape(eta, tf.concat([batch, tf.shape(eta)[1:]], 0))
        eta.set_shape([*known, *self.event_shape[:-1], self.head.width])
        return self.head.distribution(eta)

    def _flat(self, value: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
        """Return [..., height, width, channels] as [B, height, width, channels], for all batch axes."""
        grid = [*self.event_shape[:-1], value.shape[-1]]
        return tf.reshape(tf.broadcast_to(value, tf.concat([batch, grid], 0)), [-1, *grid])

    def get_config(self) -> dict:
        config = {key: value for key, value in super().get_config().items() if key != "event_shape"}
        return {**config, **{name: keras.saving.serialize_keras_object(getattr(self, name)) for name in _PARTS}}

    @classmethod
    def from_config(cls, config: dict) -> "Autoregressive":
        return cls(**{**config, **{name: keras.saving.deserialize_keras_object(config[name]) for name in _PARTS}})


_PARTS = ("head", "network")
