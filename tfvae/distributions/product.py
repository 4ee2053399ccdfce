"""Distributions of vectors side by side."""

from collections.abc import Sequence

import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import util

from tfvae.random import Seed, another, draw


class Product(tfd.AutoCompositeTensorDistribution):
    """Independent distributions of vectors, of which one draw is the concatenation.

        log p(x) = sum_j log p_j(x_j),   x = (x_1, x_2, ...)

    TFP's `Blockwise` is the same, but so slow to make that a model, which makes one at every call, would be held up.

    Args:
        distributions: of vectors, of one batch shape and one dtype.
        name: of the distribution.
    """

    def __init__(self, distributions: Sequence[tfd.Distribution], name: str = "Product"):
        self.distributions = list(distributions)
        continuous = all(d.reparameterization_type == tfd.FULLY_REPARAMETERIZED for d in self.distributions)
        super().__init__(
            dtype=self.distributions[0].dtype,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED if continuous else tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"distributions": self.distributions, "name": name},
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType, num_classes: int | None = None) -> dict:
        return {
            "distributions": util.BatchedComponentProperties(event_ndims=lambda self: [0] * len(self.distributions))
        }

    def _batch_shape(self) -> tf.TensorShape:
        return self.distributions[0].batch_shape

    def _batch_shape_tensor(self) -> tf.Tensor:
        return self.distributions[0].batch_shape_tensor()

    @property
    def sizes(self) -> list[int]:
        """The lengths of the vectors."""
        return [d.event_shape[0] for d in self.distributions]

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([sum(self.sizes)])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant([sum(self.sizes)])

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        parts = zip(self.distributions, tf.split(x, self.sizes, -1), strict=True)
        return tf.add_n([d.log_prob(value) for d, value in parts])

    def _mean(self) -> tf.Tensor:
        return tf.concat([d.mean() for d in self.distributions], -1)

    def missing_mean(self) -> tf.Tensor:
        """Return the mean of each vector given that it is missing, side by side."""
        return tf.concat([d.missing_mean() if hasattr(d, "missing_mean") else d.mean() for d in self.distributions], -1)

    def missing_draw(self, seed: Seed) -> tf.Tensor:
        """Draw each vector given that it is missing, side by side."""
        seeds = [another(seed, number) for number in range(len(self.distributions))]
        return tf.concat([
            d.missing_draw(own) if hasattr(d, "missing_draw") else draw(d, 1, own)[0]
            for d, own in zip(self.distributions, seeds, strict=True)
        ], -1)  # fmt: skip

    def _variance(self) -> tf.Tensor:
        return tf.concat([d.variance() for d in self.distributions], -1)

    def _sample_n(self, n: tf.Tensor, seed: object = None) -> tf.Tensor:
        return tfd.Blockwise(list(self.distributions)).sample(n, seed=seed)  # with a seed for each part
