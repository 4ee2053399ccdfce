"""From vectors to integer codes, and from codes to the vectors that stand for them."""

import math
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tfvae.errors import IncompatibleParts, positive_int, whole_number_in
from tfvae.heads.codebooks import CodebookRule, MovingAverage

_MOST = 2**24  # codes that float32 counts


class Quantizer(keras.layers.Layer):
    """What turns a vector of features into one or several codes, numbers from 0 to K - 1 (abstract).

    One vector h of `features` numbers becomes `depth` codes. Each has an embedding of `width` numbers, and z holds the
    embeddings of all, end to end, so that the codes can be read from z. An encoder and its prior share one quantizer.
    """

    features: int
    """Numbers in h."""
    codes: int
    """K, the values of a code."""
    depth: int = 1
    """L, codes of one vector."""
    width: int
    """Numbers in the embedding of one code."""

    def tables(self) -> list[tf.Tensor]:
        """Return the embeddings of all codes at each depth, L times [K, width]."""
        raise NotImplementedError

    def nearest(self, h: tf.Tensor) -> tf.Tensor:
        """Return the codes of features [..., features], int32 [..., L]."""
        raise NotImplementedError

    def read(self, z: tf.Tensor) -> tf.Tensor:
        """Return the codes of embeddings [..., L * width], int32 [..., L]."""
        raise NotImplementedError

    def path(self, h: tf.Tensor) -> tf.Tensor:
        """Return zeros by value, [..., L * width], through which the gradient with respect to z reaches h."""
        raise NotImplementedError

    def targets(self, h: tf.Tensor, codes: tf.Tensor) -> list[tf.Tensor]:
        """Return what the code at each depth stands for, L times [..., width]."""
        raise NotImplementedError

    def update(self, h: tf.Tensor, codes: tf.Tensor, step: tf.Tensor) -> None:
        """Set what is not learned by gradient, after a training step with features [B, N, features]."""
        raise NotImplementedError

    def embed(self, codes: tf.Tensor) -> tf.Tensor:
        """Return the embeddings of codes [..., L], end to end, [..., L * width]."""
        each = [tf.gather(table, codes[..., level]) for level, table in enumerate(self.tables())]
        return each[0] if self.depth == 1 else tf.concat(each, -1)

    def closeness(self, h: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
        """Return minus the squared distance from what a code stands for to every embedding, [..., L, K].

        It is measured in units of its mean over the K embeddings.
        """
        each = []
        for target, table in zip(self.targets(h, codes), self.tables(), strict=True):
            square = tf.reduce_sum(tf.square(target), -1, keepdims=True) + _to_rows(target, table)  # [..., K]
            square = tf.maximum(square, 0.0)
            each.append(-square / (tf.reduce_mean(square, -1, keepdims=True) + 1e-12))
        return tf.stack(each, -2)


def _to_rows(h: tf.Tensor, table: tf.Tensor) -> tf.Tensor:
    """Return |e_k|^2 - 2 h e_k, the squared distance to each row less |h|^2, for h [..., d], [..., K]."""
    flat = tf.reshape(h, [-1, table.shape[1]])
    found = tf.reduce_sum(tf.square(table), -1) - 2.0 * tf.matmul(flat, table, transpose_b=True)
    shaped = tf.reshape(found, tf.concat([tf.shape(h)[:-1], [table.shape[0]]], 0))
    shaped.set_shape([*h.shape[:-1], table.shape[0]])
    return shaped


def _nearest(h: tf.Tensor, table: tf.Tensor) -> tf.Tensor:
    return tf.argmin(_to_rows(h, table), -1, output_type=tf.int32)


class _Codebooks(Quantizer):
    """One codebook after another, each for what those before it left (abstract)."""

    def __init__(self, depth: int, codes: int, features: int, rule: CodebookRule, **kwargs: object):
        super().__init__(**kwargs)
        self.depth, self.features = positive_int("depth", depth), positive_int("features", features)
        self.codes, self.width = whole_number_in("codes", codes, 2, _MOST), self.features
        if not isinstance(rule, CodebookRule):
            raise IncompatibleParts(
                f"Expected a rule for codebooks, heads.MovingAverage or heads.ByGradient. Received: rule={rule!r}"
            )
        self.rule = rule
        scale = keras.initializers.RandomNormal(stddev=1.0 / math.sqrt(self.features))
        self.codebook = self.add_weight(
            shape=(self.depth, self.codes, self.features),
            initializer=scale,
            trainable=rule.by_gradient,
            aggregation="only_first_replica",  # every replica sets the same
            name="codebook",
        )
        self.use = self.add_weight(
            shape=(self.depth, self.codes),
            initializer="ones",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
            name="use",
        )
        self.built = True

    def tables(self) -> list[tf.Tensor]:
        return tf.unstack(tf.convert_to_tensor(self.codebook))

    def nearest(self, h: tf.Tensor) -> tf.Tensor:
        left, found = tf.stop_gradient(h), []
        for table in self.tables():
            found.append(_nearest(left, table))
            left -= tf.stop_gradient(tf.gather(table, found[-1]))
        return tf.stack(found, -1)

    def read(self, z: tf.Tensor) -> tf.Tensor:
        parts = tf.split(tf.stop_gradient(z), self.depth, -1)
        pairs = zip(parts, self.tables(), strict=True)
        return tf.stack([_nearest(part, table) for part, table in pairs], -1)

    def path(self, h: tf.Tensor) -> tf.Tensor:
        each = (h - tf.stop_gradient(h)) / self.depth  # so that h's own gradient is that of the embeddings' sum
        return tf.concat([each] * self.depth, -1)

    def targets(self, h: tf.Tensor, codes: tf.Tensor) -> list[tf.Tensor]:
        left = [h]
        for level, table in enumerate(self.tables()[:-1]):
            left.append(left[-1] - tf.stop_gradient(tf.gather(table, codes[..., level])))
        return left

    def update(self, h: tf.Tensor, codes: tf.Tensor, step: tf.Tensor) -> None:
        if self.trainable:
            targets = [tf.stop_gradient(target) for target in self.targets(h, codes)]
            self.rule.update(self.codebook, self.use, targets, tf.unstack(codes, axis=-1), step)

    def get_config(self) -> dict:
        sizes = {"codes": self.codes, "features": self.features}
        return {**super().get_config(), **sizes, "rule": keras.saving.serialize_keras_object(self.rule)}

    @classmethod
    def from_config(cls, config: dict) -> "_Codebooks":
        return cls(**{**config, "rule": keras.saving.deserialize_keras_object(config["rule"])})


@keras.saving.register_keras_serializable(package="tfvae")
class VectorQuantizer(_Codebooks):
    """The nearest of K vectors, in a codebook that is learned.

        k = argmin_j |h - e_j|^2,   z = e_k,   d z / d h = I

    Args:
        codes: K, from 2 to 2^24.
        features: length of h and of each vector of the codebook.
        rule: how the codebook is learned: `heads.MovingAverage`, or `heads.ByGradient`, which needs the penalty
            `objectives.penalties.Codebook`.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if a size is out of range.
        IncompatibleParts: if `rule` is no such rule.

    Reference: A. van den Oord, O. Vinyals and K. Kavukcuoglu, "Neural Discrete Representation Learning", 2017,
    Eq. (1) and (2), https://arxiv.org/abs/1711.00937.

    Example:
        >>> import numpy as np, tfvae
        >>> quantizer = tfvae.heads.VectorQuantizer(16, 4)
        >>> z = quantizer.embed(np.array([[3]]))
        >>> int(quantizer.nearest(z)[0, 0]), int(quantizer.read(z)[0, 0])
        (3, 3)
    """

    def __init__(self, codes: int, features: int, rule: CodebookRule = MovingAverage(), **kwargs: object):
        super().__init__(1, codes, features, rule, **kwargs)


@keras.saving.register_keras_serializable(package="tfvae")
class ResidualQuantizer(_Codebooks):
    """The nearest vector, then the nearest to what is left, and so on: L codes, whose embeddings add up to about h.

        r_1 = h,   k_l = argmin_j |r_l - e_lj|^2,   r_{l+1} = r_l - e_{l k_l},   z = [e_{1 k_1}, ..., e_{L k_L}]

    z holds all L embeddings, from which every code can be read; `networks.CodeGrid` gives a decoder their sum, whose
    gradient with respect to h is the identity.

    Args:
        depth: L.
        codes: K, vectors in each of the L codebooks, from 2 to 2^24.
        features: length of h and of each vector.
        rule: how the codebooks are learned, as in `VectorQuantizer`.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if a size is out of range.
        IncompatibleParts: if `rule` is no such rule.

    Reference: N. Zeghidour et al., "SoundStream: An End-to-End Neural Audio Codec", 2021, Sec. III-C,
    https://arxiv.org/abs/2107.03312.

    Example:
        >>> import tfvae
        >>> tfvae.heads.ResidualQuantizer(depth=3, codes=16, features=4).tables()[2].shape
        TensorShape([16, 4])
    """

    def __init__(self, depth: int, codes: int, features: int, rule: CodebookRule = MovingAverage(), **kwargs: object):
        super().__init__(depth, codes, features, rule, **kwargs)

    def get_config(self) -> dict:
        return {**super().get_config(), "depth": self.depth}


@keras.saving.register_keras_serializable(package="tfvae")
class FiniteScalar(Quantizer):
    """Each number of a vector rounded to one of a few levels: nothing to learn, and no code that dies.

        z_i = round(f_i(h_i)) / floor(L_i / 2),   f_i(h) = a_i tanh(h + tan(o_i / a_i)) - o_i
        a_i = (L_i - 1) (1 - 0.001) / 2,   o_i = 1/2 if L_i is even, else 0

    The codes are the points of the grid, K = L_1 L_2 ... L_d, numbered with the first digit running fastest. The
    gradient passes through the rounding as if it were not there.

    Args:
        levels: L_1, ..., L_d, at least 2 each.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if there are no levels, one is out of range, or the grid has more than 2^24 points.

    Reference: F. Mentzer et al., "Finite Scalar Quantization: VQ-VAE Made Simple", 2023, Sec. 3.1 and App. A.1,
    https://arxiv.org/abs/2309.15505.

    Example:
        >>> import tfvae
        >>> tfvae.heads.FiniteScalar((8, 5, 5, 5)).codes
        1000
    """

    def __init__(self, levels: Sequence[int] = (8, 5, 5, 5), **kwargs: object):
        super().__init__(**kwargs)
        self.levels = tuple(whole_number_in("every number of levels", level, 2, _MOST) for level in levels)
        self.features = self.width = positive_int("the number of levels", len(self.levels))
        self.codes = whole_number_in("the product of the levels", math.prod(self.levels), 2, _MOST)
        self.built = True
        each = np.array(self.levels)
        self._half = each // 2
        self._base = np.cumprod([1, *self.levels[:-1]])
        self._amplitude = (each - 1) * (1 - 1e-3) / 2
        self._offset = np.where(each % 2 == 0, 0.5, 0.0)

    def bounded(self, h: tf.Tensor) -> tf.Tensor:
        """Return f(h), [..., d], which rounds to the levels, whole numbers from -floor(L / 2) upwards."""
        amplitude, offset = (tf.constant(value, h.dtype) for value in (self._amplitude, self._offset))
        shift = tf.constant(np.tan(self._offset / self._amplitude), h.dtype)
        return amplitude * tf.tanh(h + shift) - offset

    def tables(self) -> list[tf.Tensor]:
        digits = np.arange(self.codes)[:, None] // self._base % np.array(self.levels)
        return [tf.constant((digits - self._half) / self._half, self.variable_dtype)]

    def _number(self, digits: tf.Tensor) -> tf.Tensor:
        """Return the code, int32 [..., 1], of digits that are whole numbers from -floor(L / 2) upwards."""
        whole = tf.cast(digits, tf.int32) + tf.constant(self._half, tf.int32)
        whole = tf.clip_by_value(whole, 0, tf.constant(np.array(self.levels) - 1, tf.int32))
        return tf.reduce_sum(whole * tf.constant(self._base, tf.int32), -1, keepdims=True)

    def nearest(self, h: tf.Tensor) -> tf.Tensor:
        return self._number(tf.round(self.bounded(h)))

    def read(self, z: tf.Tensor) -> tf.Tensor:
        return self._number(tf.round(z * tf.constant(self._half, z.dtype)))

    def path(self, h: tf.Tensor) -> tf.Tensor:
        value = self.bounded(h) / tf.constant(self._half, h.dtype)
        return value - tf.stop_gradient(value)

    def targets(self, h: tf.Tensor, codes: tf.Tensor) -> list[tf.Tensor]:
        return [self.bounded(h) / tf.constant(self._half, h.dtype)]

    def update(self, h: tf.Tensor, codes: tf.Tensor, step: tf.Tensor) -> None:
        """Do nothing: there is nothing to learn."""

    def get_config(self) -> dict:
        return {**super().get_config(), "levels": self.levels}
