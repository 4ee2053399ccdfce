"""Networks for records and counts: what is no number by itself is encoded first."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from tfvae.errors import positive_int, whole_number_in
from tfvae.networks.dense import mlp


@keras.saving.register_keras_serializable(package="tfvae")
class Log1p(keras.layers.Layer):
    """Counts on a scale on which large ones do not drown the others: log(1 + x).

    Args:
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.networks.Log1p()(np.array([[0, 1, 999]])).numpy().round(2)
        array([[0.  , 0.69, 6.91]], dtype=float32)
    """

    def call(self, counts: tf.Tensor) -> tf.Tensor:
        return tf.math.log1p(tf.cast(counts, self.compute_dtype))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape that came in."""
        return tuple(input_shape)


@keras.saving.register_keras_serializable(package="tfvae")
class Columns(keras.layers.Layer):
    """The encoding of mixed records: numbers as they are, counts by their logarithms, categories by zeros and ones.

        h = [x_numbers, log(1 + x_counts), (1 if x_c = l else 0 for each category c and each level l)]

    Columns keep their order within each of the three groups. A category that is none of its levels, such as NaN for a
    missing one, gives zeros only.

    Args:
        categories: number of levels of each category column, by its index; the levels are 0, 1, ..., levels - 1.
        counts: indices of the count columns; all columns not named are numbers.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if an index is no column or stands twice, or a number of levels is not positive.
        TypeError: if `categories` is no mapping or `counts` no sequence.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.networks.Columns({0: 3}, counts=[2])(np.array([[1, -0.5, 0]])).numpy()
        array([[-0.5,  0. ,  0. ,  1. ,  0. ]], dtype=float32)
    """

    def __init__(self, categories: Mapping[int, int], counts: Sequence[int] = (), **kwargs: object):
        super().__init__(**kwargs)
        if not isinstance(categories, Mapping) or not isinstance(counts, Sequence):
            raise TypeError(
                "Expected categories to map columns to numbers of levels and counts to list columns, such as "
                f"categories={{0: 3}}, counts=[2]. Received: categories={categories!r}, counts={counts!r}"
            )
        named = [*categories, *counts]
        for column in named:
            whole_number_in("every column in categories and counts", column, 0, 2**31 - 1)
        if len(set(named)) < len(named):
            raise ValueError(f"Expected each column once. Received: categories={categories!r}, counts={counts!r}")
        # Pairs, because a dictionary's keys become text in a file.
        self.categories = tuple(
            (int(column), positive_int(f"the number of levels of column {column}", categories[column]))
            for column in sorted(categories)
        )
        self.counts = tuple(int(column) for column in sorted(counts))

    def build(self, input_shape: tuple) -> None:
        """Find out which of the columns of records [..., columns] are numbers."""
        named = {*self.counts, *(column for column, _ in self.categories)}
        for column in named:
            whole_number_in("every column in categories and counts", column, 0, input_shape[-1] - 1)
        self._numbers = tuple(column for column in range(input_shape[-1]) if column not in named)

    def call(self, records: tf.Tensor) -> tf.Tensor:
        x = tf.cast(records, self.compute_dtype)
        groups = []
        if self._numbers:
            groups.append(tf.gather(x, self._numbers, axis=-1))
        if self.counts:
            groups.append(tf.math.log1p(tf.gather(x, self.counts, axis=-1)))
        if self.categories:
            pairs = [(column, level) for column, levels in self.categories for level in range(levels)]
            of, level = zip(*pairs, strict=True)
            # Compared, not cast to an index: a value between two levels, or NaN, must be neither.
            groups.append(tf.cast(tf.equal(tf.gather(x, of, axis=-1), tf.constant(level, x.dtype)), x.dtype))
        return tf.concat(groups, -1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape of the encoded records."""
        more = sum(levels - 1 for _, levels in self.categories)
        return (*input_shape[:-1], input_shape[-1] + more)

    def get_config(self) -> dict:
        return {**super().get_config(), "categories": self.categories, "counts": self.counts}

    @classmethod
    def from_config(cls, config: dict) -> "Columns":
        return cls(**{**config, "categories": dict(config["categories"])})


def columns(
    *units: int, categories: Mapping[int, int], counts: Sequence[int] = (), activation: str = "relu"
) -> keras.Sequential:
    """Return a multilayer perceptron over encoded records of numbers, counts and categories.

        h_0 = [x_numbers, log(1 + x_counts), (1 if x_c = l else 0 for each category c and each level l)],
        h_i = activation(W_i h_{i-1} + b_i)

    Numbers should be standardised beforehand. A learned record gets no gradient through its categories.

    Args:
        units: width of each layer; no width at all gives the encoded records themselves.
        categories: number of levels of each category column, by its index, e.g. `{0: 3, 4: 12}`; a column holds
            0, 1, ..., levels - 1.
        counts: indices of the count columns; all columns not named are numbers.
        activation: a Keras activation.

    Returns:
        An unbuilt `keras.Sequential` from records [B, columns] to [B, units[-1]].

    Raises:
        ValueError: if an index is no column or stands twice, a size is no positive whole number or Keras does not know
            the activation.
        TypeError: if `categories` is no mapping or `counts` no sequence.

    Example:
        >>> import tfvae
        >>> tfvae.networks.columns(64, 32, categories={0: 3}, counts=[2]).compute_output_shape((None, 5))
        (None, 32)
    """
    return keras.Sequential([Columns(categories, counts), *mlp(*units, activation=activation).layers])


def count_mlp(*units: int, activation: str = "relu") -> keras.Sequential:
    """Return a multilayer perceptron over the logarithms of counts.

        h_0 = flatten(log(1 + x)),   h_i = activation(W_i h_{i-1} + b_i)

    Args:
        units: width of each layer; no width at all gives the flattened logarithms themselves.
        activation: a Keras activation.

    Returns:
        An unbuilt `keras.Sequential` from counts [B, ...] to [B, units[-1]].

    Raises:
        ValueError: if a width is no positive whole number or Keras does not know the activation.

    Example:
        >>> import tfvae
        >>> tfvae.networks.count_mlp(128, 64).compute_output_shape((None, 2000))
        (None, 64)
    """
    return keras.Sequential([Log1p(), *mlp(*units, activation=activation).layers])
