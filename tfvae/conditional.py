"""Conditional distributions given by a network: eta = network(parents), p(x | parents) = p(x | eta).

The only place that folds sample axes into the batch: networks see [S*B, ...], distributions have batch shape [S, B].
"""

from collections.abc import Callable

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.heads.base import Head


def folded(function: Callable[[tf.Tensor], tf.Tensor], values: tf.Tensor, event_rank: int) -> tf.Tensor:
    """Return what a function that knows one batch axis makes of values with any axes before those of their event.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae.conditional import folded
        >>> folded(tfvae.networks.mlp(4), np.zeros([5, 3, 2], "float32"), event_rank=1).shape
        TensorShape([5, 3, 4])
    """
    values = tf.convert_to_tensor(values)
    shape, axes = tf.shape(values), values.shape.rank - event_rank  # how many axes stand before the event
    if axes == 1:
        return function(values)
    flat = tf.reshape(values, tf.concat([[-1], shape[axes:]], 0))  # [S*B, ...]
    found = function(tf.ensure_shape(flat, [None, *values.shape[axes:]]))
    unfolded = tf.reshape(found, tf.concat([shape[:axes], tf.shape(found)[1:]], 0))  # [S, B, ...]
    unfolded.set_shape([*values.shape[:axes], *found.shape[1:]])
    return unfolded


@keras.saving.register_keras_serializable(package="tfvae")
class Conditional(keras.Model):
    """A network and a head: a Keras model whose call returns a `tfd.Distribution`.

        eta = network(parents),   p(x | parents) = p(x | eta)

    Args:
        network: any Keras layer or model from the parents' tensor to features.
        head: the `tfvae.heads.Head` that turns features into a distribution.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        TypeError: if `network` is no Keras layer or `head` is no Head.

    Shapes: parents [B, *event], of any shape that the network takes, to a distribution with batch shape [B].

    Reference: C. Bishop, "Pattern Recognition and Machine Learning", 2006, Eq. (8.5),
    https://www.microsoft.com/en-us/research/publication/pattern-recognition-machine-learning/.

    Example:
        >>> import numpy as np, tfvae
        >>> py = tfvae.Conditional(tfvae.networks.mlp(16), tfvae.heads.OneHotCategorical(10))
        >>> py(np.zeros([3, 8, 8, 1], "float32")).event_shape
        TensorShape([10])
    """

    event_rank: int | None = None  # axes of the parents' event; None: all but the first axis of what is first seen

    def __init__(
        self,
        network: keras.Layer,
        head: Head,
        **kwargs: object,
    ):
        super().__init__(**kwargs)
        if not isinstance(network, keras.Layer):
            raise TypeError(
                "Expected a Keras layer or model from parents to features, such as networks.mlp(200, 200). "
                f"Received: network={network!r}"
            )
        if not isinstance(head, Head):
            raise TypeError(
                f"Expected a head from tfvae.heads, such as heads.DiagonalNormal(50). Received: head={head!r}"
            )
        self.network = network
        self.head = head
        self._event_axes = 0  # those of the parents' event, when it is known

    def build(self, input_shape: tuple) -> None:
        """Build network and head for parents of shape [B, *event]: one batch axis."""
        event = input_shape[1:] if self.event_rank is None else input_shape[-self.event_rank :]
        input_shape = (None, *event)  # a network built for one batch size would refuse others
        self._event_axes = len(event)
        if not self.network.built:
            self.network.build(input_shape)
        if not self.head.built:
            self.head.build(self.network.compute_output_shape(input_shape))

    def call(self, parents: tf.Tensor, training: bool = False) -> tfd.Distribution:
        def parameters(flat: tf.Tensor) -> tf.Tensor:
            return self.head.parameters(self.network(flat, training=training))

        return self.head.distribution(folded(parameters, parents, self._event_axes))

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "head": keras.saving.serialize_keras_object(self.head),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "Conditional":
        parts = {
            key: keras.saving.deserialize_keras_object(config[key], custom_objects=custom_objects)
            for key in ("network", "head")
        }
        return cls(**{**config, **parts})


@keras.saving.register_keras_serializable(package="tfvae")
class Encoder(Conditional):
    """The approximate posterior q(z | x): a network and a head.

    Shapes: x [B, *event] to a distribution with batch shape [B] and event shape [D].

    Reference: D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2014, Eq. (9),
    https://arxiv.org/abs/1312.6114.

    Example:
        >>> import numpy as np, tfvae
        >>> encoder = tfvae.Encoder(tfvae.networks.mlp(16), tfvae.heads.DiagonalNormal(2))
        >>> encoder(np.zeros([3, 8, 8, 1], "float32")).event_shape
        TensorShape([2])
    """


@keras.saving.register_keras_serializable(package="tfvae")
class Decoder(Conditional):
    """The likelihood p(x | z): a network and a head; z may carry leading sample axes.

    Shapes: z [S, B, D] to a distribution with batch shape [S, B] and the event shape of x.

    Reference: D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2014, App. C,
    https://arxiv.org/abs/1312.6114.

    Example:
        >>> import numpy as np, tfvae
        >>> decoder = tfvae.Decoder(tfvae.networks.mlp(16), tfvae.heads.Bernoulli((8, 8, 1)))
        >>> decoder(np.zeros([5, 3, 2], "float32")).batch_shape
        TensorShape([5, 3])
    """

    event_rank = 1
