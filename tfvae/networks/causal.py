"""A transformer whose outputs know only what came before."""

import math

import keras
import tensorflow as tf

from tfvae.errors import event_shape, positive_int


@keras.saving.register_keras_serializable(package="tfvae")
class CausalTransformer(keras.layers.Layer):
    """From M codes to logits of each, which depend on the codes before it alone.

        h_m = E[k_{m-1}] + P_m,   h <- h + attention(norm(h)),   h <- h + mlp(norm(h)),   l_m = W norm(h_m) + b

    In front of the first code stands a learned vector. Attention looks back; its queries see keys at their own place
    and before. Where several codes stand for one position, `depth` of them, each depth has an embedding E of its own.

    Args:
        codes: K, the values of a code.
        length: M, how many codes.
        depth: L, codes of one position, which follow each other.
        width: of h.
        blocks: pairs of attention and mlp.
        heads: of the attention; a divisor of the width.
        activation: of the mlp, whose hidden layer is four times as wide: a Keras activation.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if a size is no positive whole number, heads do not divide the width, or depth the length.

    Reference: A. Vaswani et al., "Attention Is All You Need", 2017, Eq. (1) and Sec. 3.2,
    https://arxiv.org/abs/1706.03762; norms first: R. Xiong et al., "On Layer Normalization in the Transformer
    Architecture", 2020, Sec. 3, https://arxiv.org/abs/2002.04745.

    Example:
        >>> import numpy as np, tfvae
        >>> network = tfvae.networks.CausalTransformer(codes=10, length=4, width=8, blocks=1, heads=2)
        >>> network(np.zeros([2, 4], "int32")).shape
        TensorShape([2, 4, 10])
    """

    def __init__(
        self,
        codes: int,
        length: int,
        *,
        depth: int = 1,
        width: int = 64,
        blocks: int = 2,
        heads: int = 4,
        activation: str = "silu",
        **kwargs: object,
    ):
        super().__init__(**kwargs)
        self.codes, self.length = positive_int("codes", codes), positive_int("length", length)
        self.depth, self.width = positive_int("depth", depth), positive_int("width", width)
        self.blocks, self.heads = positive_int("blocks", blocks), positive_int("heads", heads)
        if self.width % self.heads or self.length % self.depth:
            raise ValueError(
                "Expected heads to divide the width, and depth the length. Received: "
                f"{heads=}, {width=}, {depth=}, {length=}"
            )
        self.activation = activation
        small = keras.initializers.RandomNormal(stddev=0.02)
        shapes = {"start": (1, width), "embedding": (depth, codes, width), "place": (length, width)}
        for name, shape in shapes.items():
            setattr(self, name, self.add_weight(shape=shape, initializer=small, name=name))
        options = {"dtype": self.dtype_policy}
        self.layers = [CausalBlock(self.width, self.heads, activation, **options) for _ in range(self.blocks)]
        for layer in self.layers:
            layer.build((None, self.length, self.width))
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5, **options)
        first = keras.initializers.VarianceScaling(0.01)  # so that all codes begin about as likely
        self.logits = keras.layers.Dense(self.codes, kernel_initializer=first, **options)
        self.norm.build((None, self.length, self.width))
        self.logits.build((None, self.length, self.width))
        self.built = True

    def call(self, codes: tf.Tensor) -> tf.Tensor:
        codes = tf.ensure_shape(codes, [None, self.length])
        level = tf.range(self.length) % self.depth
        table = tf.reshape(tf.convert_to_tensor(self.embedding), [-1, self.width])  # [L K, width]
        own = tf.gather(table, codes + level * self.codes)  # [B, M, width]
        start = tf.broadcast_to(tf.convert_to_tensor(self.start), tf.stack([tf.shape(codes)[0], 1, self.width]))
        h = tf.concat([start, own[:, :-1]], 1) + tf.convert_to_tensor(self.place)
        for layer in self.layers:
            h = layer(h)
        return self.logits(self.norm(h))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return [B, M, K]."""
        return (*input_shape, self.codes)

    def get_config(self) -> dict:
        names = ("codes", "length", "depth", "width", "blocks", "heads", "activation")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class CausalBlock(keras.layers.Layer):
    """Attention to what came before, and an mlp, both added to what comes in."""

    def __init__(self, width: int, heads: int, activation: str, **kwargs: object):
        super().__init__(**kwargs)
        self.heads = heads
        options = {"dtype": self.dtype_policy}
        self.norms = [keras.layers.LayerNormalization(epsilon=1e-5, **options) for _ in range(2)]
        self.mixing = keras.layers.Dense(3 * width, use_bias=False, **options)
        self.mixed = keras.layers.Dense(width, **options)
        self.hidden = keras.layers.Dense(4 * width, activation=activation, **options)
        self.shown = keras.layers.Dense(width, **options)

    def build(self, input_shape: tuple) -> None:
        """Build every layer."""
        for layer in (*self.norms, self.mixing, self.mixed, self.hidden):
            layer.build(input_shape)
        self.shown.build((*input_shape[:-1], 4 * input_shape[-1]))

    def call(self, h: tf.Tensor) -> tf.Tensor:
        h += self.mixed(self._attention(self.mixing(self.norms[0](h))))
        return h + self.shown(self.hidden(self.norms[1](h)))

    def _attention(self, mixed: tf.Tensor) -> tf.Tensor:
        """Return softmax(Q K^T / sqrt(d)) V over the places up to a query's, for [Q, K, V] side by side."""
        length, width = mixed.shape[1], mixed.shape[2] // 3
        size = width // self.heads
        split = tf.transpose(tf.reshape(mixed, [-1, length, 3 * self.heads, size]), [0, 2, 1, 3])  # [B, 3 H, M, d]
        query, key, value = tf.split(split, 3, 1)
        scores = tf.matmul(query, key, transpose_b=True) * size**-0.5  # [B, H, M, M]
        back = tf.range(length)[:, None] >= tf.range(length)
        weights = tf.nn.softmax(tf.where(back, scores, tf.constant(-1e9, scores.dtype)))
        return tf.reshape(tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3]), [-1, length, width])


@keras.saving.register_keras_serializable(package="tfvae")
class CodeGrid(keras.layers.Layer):
    """The embeddings of codes on their grid, those of one position added up: where a decoder of codes begins.

        h_n = sum_l z_{nl}

    Args:
        grid: the positions, an int or a tuple such as (7, 7).
        depth: L, codes of one position.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if a size is no positive whole number, or when called, z is not of so many embeddings.

    Reference: N. Zeghidour et al., "SoundStream: An End-to-End Neural Audio Codec", 2021, Sec. III-C,
    https://arxiv.org/abs/2107.03312.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.networks.CodeGrid((7, 7), depth=2)(np.zeros([3, 7 * 7 * 2 * 4], "float32")).shape
        TensorShape([3, 7, 7, 4])
    """

    def __init__(self, grid: int | tuple[int, ...], depth: int = 1, **kwargs: object):
        super().__init__(**kwargs)
        self.grid, self.depth = event_shape("grid", grid), positive_int("depth", depth)

    def build(self, input_shape: tuple) -> None:
        """Check that z is made of embeddings."""
        self.compute_output_shape(input_shape)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return [B, *grid, width]."""
        count = math.prod(self.grid) * self.depth
        if len(input_shape) != 2 or input_shape[1] % count:
            raise ValueError(
                f"Expected z of {count} embeddings, [B, {count} * width]. Received: input_shape={tuple(input_shape)}"
            )
        return (input_shape[0], *self.grid, input_shape[1] // count)

    def call(self, z: tf.Tensor) -> tf.Tensor:
        *_, width = shape = self.compute_output_shape(tuple(z.shape))
        each = tf.reshape(z, [-1, math.prod(self.grid), self.depth, width])
        return tf.reshape(tf.reduce_sum(each, 2), [-1, *shape[1:]])

    def get_config(self) -> dict:
        return {**super().get_config(), "grid": self.grid, "depth": self.depth}
