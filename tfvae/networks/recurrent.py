"""What a sequence leaves behind: memories of the steps before, and features of the steps to come."""

import keras
import tensorflow as tf

from tfvae.errors import positive_int
from tfvae.networks.scan import Seen, scan
from tfvae.reshaping import beside, extents, reshaped


@keras.saving.register_keras_serializable(package="tfvae")
class Latest(keras.layers.Layer):
    """The memory that holds the latest latent vector and no more: the walk is a Markov chain.

        m_t = z_t,   m_0 learned

    Args:
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Example:
        >>> import numpy as np, tfvae
        >>> memory = tfvae.networks.Latest()
        >>> memory.build_for(1)
        >>> memory.all(np.array([[1.0], [2.0], [3.0]], "float32"), []).numpy().ravel()
        array([0., 1., 2.], dtype=float32)
    """

    seen_by_x = False
    """Whether x_t depends on m_{t-1} too, beside z_t."""

    def build_for(self, latent_dim: int, event_shape: tuple[int, ...] = ()) -> None:
        """Make m_0 for latent vectors of this length."""
        if not hasattr(self, "size"):
            self.size = latent_dim
            self.start = self.add_weight(shape=(latent_dim,), initializer="zeros", name="start")
            self.built = True

    def known(self, x: tf.Tensor) -> list[tf.Tensor]:
        """Return what the memory takes of x, [T, B, ...], which is nothing."""
        return []

    def begin(self) -> tf.Tensor:
        """Return m_0, [M]."""
        return tf.convert_to_tensor(self.start)

    def next(self, m: tf.Tensor, z: tf.Tensor, seen: Seen) -> tf.Tensor:
        """Return m_t."""
        return z

    def all(self, z: tf.Tensor, seen: Seen) -> tf.Tensor:
        """Return m_0, ..., m_{T-1} of z, [T, ..., D]."""
        return tf.concat([tf.broadcast_to(self.begin(), tf.shape(z[:1])), z[:-1]], 0)


@keras.saving.register_keras_serializable(package="tfvae")
class Recurrent(keras.layers.Layer):
    """The memory of all that was drawn and observed: the state of a recurrent network.

        m_t = GRU(m_{t-1}, [f(x_t), g(z_t)]),   m_0 learned

    Args:
        units: length of m.
        of_x: f, a Keras network of one step of x; where steps may be missing it begins with `networks.FillMissing`.
        of_z: g, a Keras network of z_t.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `units` is no positive whole number.
        TypeError: if `of_x` or `of_z` is no Keras layer.

    Reference: J. Chung et al., "A Recurrent Latent Variable Model for Sequential Data", 2015, Eq. (7), with a gated
    recurrent unit, https://arxiv.org/abs/1506.02216.

    Example:
        >>> import tensorflow as tf, tfvae
        >>> memory = tfvae.networks.Recurrent(4, tfvae.networks.mlp(8), tfvae.networks.mlp(8))
        >>> memory.build_for(2, (3,))
        >>> seen = memory.known(tf.zeros([6, 5, 3]))
        >>> memory.all(tf.zeros([6, 5, 2]), seen).shape
        TensorShape([6, 5, 4])
    """

    seen_by_x = True
    """Whether x_t depends on m_{t-1} too, beside z_t."""

    def __init__(self, units: int, of_x: keras.Layer, of_z: keras.Layer, **kwargs: object):
        super().__init__(**kwargs)
        self.units = self.size = positive_int("units", units)
        self.of_x, self.of_z = require_network("of_x", of_x), require_network("of_z", of_z)
        self.cell = keras.layers.GRUCell(self.units, dtype=self.dtype_policy, name="cell")

    def build_for(self, latent_dim: int, event_shape: tuple[int, ...] = ()) -> None:
        """Make the weights for latent vectors and steps of x of these shapes."""
        if not hasattr(self, "start"):
            sizes = [built(self.of_x, tuple(event_shape)), built(self.of_z, (latent_dim,))]
            self.cell.build((None, sum(sizes)))
            self.start = self.add_weight(shape=(self.units,), initializer="zeros", name="start")
            self.built = True
        self.event_rank = len(event_shape)

    def known(self, x: tf.Tensor) -> list[tf.Tensor]:
        """Return what the memory takes of steps of x, [..., *event]."""
        return [each_step(self.of_x, x, x.shape.rank - self.event_rank)]

    def begin(self) -> tf.Tensor:
        """Return m_0, [M]."""
        return tf.convert_to_tensor(self.start)

    def next(self, m: tf.Tensor, z: tf.Tensor, seen: Seen) -> tf.Tensor:
        """Return m_t."""
        return advanced(self.cell, m, beside(each_vector(self.of_z, z), seen[0]))

    def all(self, z: tf.Tensor, seen: Seen) -> tf.Tensor:
        """Return m_0, ..., m_{T-1} of z, [T, ..., D]."""
        taken = beside(each_vector(self.of_z, z), seen[0])  # [T, ..., F]
        begin = tf.broadcast_to(self.begin(), [*extents(taken)[1:-1], self.units])
        begin.set_shape([*taken.shape[1:-1], self.units])
        return scan(lambda t, m: (advanced(self.cell, m, taken[t]), m), begin, z.shape[0])[1]

    def get_config(self) -> dict:
        parts = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in ("of_x", "of_z")}
        return {**super().get_config(), "units": self.units, **parts}

    @classmethod
    def from_config(cls, config: dict) -> "Recurrent":
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("of_x", "of_z")}
        return cls(**{**config, **parts})


@keras.saving.register_keras_serializable(package="tfvae")
class Backward(keras.layers.Layer):
    """Features of a step and all that come after it: a recurrent network from the end to the beginning.

        g_t = GRU(g_{t+1}, h_t),   g = 0 beyond the end

    Args:
        units: length of g.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `units` is no positive whole number.

    Reference: R. Krishnan, U. Shalit and D. Sontag, "Structured Inference Networks for Nonlinear State Space Models",
    2017, Sec. 4 and Fig. 2, with a gated recurrent unit, https://arxiv.org/abs/1609.09869.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.networks.Backward(4)(np.zeros([6, 5, 3], "float32"), np.ones([6, 5], bool)).shape
        TensorShape([6, 5, 4])
    """

    def __init__(self, units: int, **kwargs: object):
        super().__init__(**kwargs)
        self.units = positive_int("units", units)
        self.cell = keras.layers.GRUCell(self.units, dtype=self.dtype_policy, name="cell")

    def build(self, input_shape: tuple) -> None:
        """Make the weights for features [T, B, F]."""
        self.cell.build((None, input_shape[-1]))

    def call(self, features: tf.Tensor, alive: tf.Tensor) -> tf.Tensor:
        """Return g, [T, B, G], of features [T, B, F], where `alive`, [T, B], tells the steps up to the end."""
        last = features.shape[0] - 1
        alive = tf.cast(alive, features.dtype)  # TFLite slices no truth values
        begin = tf.zeros(tf.stack([tf.shape(features)[1], self.units]), features.dtype)

        def step(number: tf.Tensor, g: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            here = alive[last - number][:, None] > 0.5
            g = tf.where(here, advanced(self.cell, g, features[last - number]), g)
            return g, g

        return tf.reverse(scan(step, begin, last + 1)[1], [0])

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape that came in, with `units` for the last axis."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units}


def require_network(name: str, network: object) -> keras.Layer:
    """Return a Keras layer or model, or raise TypeError."""
    if not isinstance(network, keras.Layer):
        raise TypeError(
            f"Expected {name} to be a Keras network, such as networks.mlp(32). Received: {name}={network!r}"
        )
    return network


def built(network: keras.Layer, shape: tuple[int, ...]) -> int:
    """Build a network for inputs of this shape, and return the length of its features.

    Raises:
        ValueError: if they are no vector.
    """
    if not network.built:
        network.build((None, *shape))
    features = network.compute_output_shape((None, *shape))
    if len(features) != 2:
        raise ValueError(
            "Expected a network from one step to a vector, such as networks.mlp(32). Received: "
            f"{network.name!r}, which gives features of shape {list(features)}"
        )
    return features[-1]


def each_step(network: keras.Layer, x: tf.Tensor, axes: int = 2, training: bool = False) -> tf.Tensor:
    """Return the features of steps [*, *event] with so many leading axes: [*, F]."""
    flat = tf.reshape(x, [-1, *x.shape[axes:]])
    features = network(flat, training=training)  # [T B, F]
    return reshaped(features, [*extents(x)[:axes], features.shape[-1]])


def each_vector(network: keras.Layer, z: tf.Tensor) -> tf.Tensor:
    """Return the features of vectors [..., D]: [..., F]."""
    return each_step(network, z, z.shape.rank - 1)


def advanced(cell: keras.Layer, state: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
    """Return the next state, [..., M], of a recurrent cell."""
    flat, _ = cell(tf.reshape(inputs, [-1, inputs.shape[-1]]), [tf.reshape(state, [-1, state.shape[-1]])])
    return reshaped(flat, extents(state))
