"""Conditional distributions given by a network: eta = network(parents), p(x | parents) = p(x | eta).

The only place that folds sample axes into the batch: networks see [S*B, ...], distributions have batch shape [S, B].
"""

from collections.abc import Callable, Iterable

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.heads.base import Head
from tfvae.reshaping import extents, reshaped


def folded(
    function: Callable[..., tf.Tensor], values: tf.Tensor, event_rank: int,
    others: Iterable[tuple[tf.Tensor, int]] = (),
) -> tf.Tensor:  # fmt: skip
    """Return what a function that knows one batch axis makes of values with any axes before those of their event.

    The function may take others too, each with the axes of its event, which are repeated along axes that they lack.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae.conditional import folded
        >>> folded(tfvae.networks.mlp(4), np.zeros([5, 3, 2], "float32"), event_rank=1).shape
        TensorShape([5, 3, 4])
    """
    values = tf.convert_to_tensor(values)
    shape, axes = tf.shape(values), values.shape.rank - event_rank  # how many axes stand before the event
    if axes == 1:
        return function(values, *[other for other, _ in others])
    flat = [_flat(values, axes)]  # [S*B, ...]
    for other, rank in others:
        other = tf.convert_to_tensor(other)
        wide = tf.concat([shape[:axes], tf.shape(other)[other.shape.rank - rank :]], 0)
        flat.append(_flat(tf.broadcast_to(other, wide), axes))
    found = function(*flat)
    return reshaped(found, [*extents(values)[:axes], *extents(found)[1:]])  # [S, B, ...]


def _flat(values: tf.Tensor, axes: int) -> tf.Tensor:
    """Return values with all axes before their event in one, [S*B, ...]."""
    flat = tf.reshape(values, tf.concat([[-1], tf.shape(values)[axes:]], 0))
    return tf.ensure_shape(flat, [None, *values.shape[axes:]])


@keras.saving.register_keras_serializable(package="tfvae")
class Conditional(keras.Model):
    """A network and a head: a Keras model whose call returns a `tfd.Distribution`.

        eta = network(parents),   p(x | parents) = p(x | eta)

    Args:
        network: any Keras layer or model from the parents' tensor to features; of several parents, from their list.
        head: the `tfvae.heads.Head` that turns features into a distribution.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        TypeError: if `network` is no Keras layer or `head` is no Head.

    Shapes: parents [B, *event], of any shape that the network takes, to a distribution with batch shape [B]. Several
    parents are given in a list; the first may have sample axes, [S, B, *event], beside which the others are repeated.

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
        self._event_axes: list[int] = []  # of each parent, when it is known

    def build(self, input_shape: tuple | list) -> None:
        """Build network and head for parents of shape [B, *event]: one batch axis."""
        first, *others = input_shape if isinstance(input_shape[0], (list, tuple)) else [input_shape]
        event = first[1:] if self.event_rank is None else first[-self.event_rank :]
        # A network built for one batch size would refuse others.
        shapes = [(None, *event), *[(None, *shape[1:]) for shape in others]]
        self._event_axes = [len(shape) - 1 for shape in shapes]
        own = shapes if others else shapes[0]
        if not self.network.built:
            self.network.build(own)
        if not self.head.built:
            self.head.build(self.network.compute_output_shape(own))

    def call(self, parents: tf.Tensor | list[tf.Tensor], training: bool = False) -> tfd.Distribution:
        first, *others = parents if isinstance(parents, (list, tuple)) else [parents]
        axes, *others_axes = self._event_axes

        def parameters(*flat: tf.Tensor) -> tf.Tensor:
            return self.head.parameters(self.network(list(flat) if others else flat[0], training=training))

        return self.head.distribution(folded(parameters, first, axes, zip(others, others_axes, strict=True)))

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
