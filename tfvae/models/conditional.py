"""Conditional models: p(y | x) by a network and a head, trained by maximum likelihood."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.errors import event_shape
from tfvae.heads.support import ONE_HOT, REAL
from tfvae.models import checks
from tfvae.models.base import weights_of
from tfvae.models.graph import Given, Graph, Variable
from tfvae.models.observed import Observed, Values
from tfvae.random import Seed


class Scored(NamedTuple):
    """What was predicted for a batch, and how likely it was."""

    y: tf.Tensor
    py: tfd.Distribution
    log_py: tf.Tensor
    """log p(y | x) in nats, [B]."""


@keras.saving.register_keras_serializable(package="tfvae")
class ConditionalModel(Observed):
    """A distribution of y for each x: classification, regression, counts, by the choice of the head.

        theta^ = argmax sum_i log p(y_i | x_i),   p(y | x) = p(y | eta(x))

    | y | head |
    |---|---|
    | a class | `heads.OneHotCategorical(classes)`; y may be the numbers of the classes |
    | several binary labels | `heads.Bernoulli(labels)` |
    | a vector, with a scale that depends on x | `heads.Normal(D, heads.PixelScale())` |
    | a vector with several likely values | `heads.NormalMixture(D, components)` |
    | counts | `heads.Poisson(D)`, `heads.NegativeBinomial(D)` |

    `fit(x, y)` reports `loss` and `log_prob`, its mean in nats per example, and of classes the `accuracy`. Calling the
    model, and `predict`, give the mean of p(y | x): of a class the probabilities. `evaluation.prediction` measures it
    with errors, calibration included.

    Args:
        conditional: p(y | x), a `tfvae.Conditional` or any Keras model whose call returns a `tfd.Distribution`.
        input_shape: shape of x, without the batch axis.
        seed: as for any model; nothing is drawn in training.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        IncompatibleParts: if the conditional does not take x, or gives no distribution for each.

    Reference: C. Bishop, "Pattern Recognition and Machine Learning", 2006, Eq. (5.12), (5.24) and Sec. 5.6,
    https://www.microsoft.com/en-us/research/publication/pattern-recognition-machine-learning/.

    Example:
        >>> import keras, numpy as np, tfvae
        >>> from tfvae import heads, networks
        >>> py = tfvae.Conditional(networks.mlp(32), heads.OneHotCategorical(3))
        >>> model = tfvae.models.ConditionalModel(py, input_shape=4)
        >>> model.compile(keras.optimizers.Adam(1e-2))
        >>> history = model.fit(np.eye(4)[[0, 1, 2]], [0, 1, 2], epochs=2, verbose=0)
        >>> model.predict_distribution(np.eye(4)).event_shape
        TensorShape([3])
    """

    def __init__(
        self, conditional: keras.layers.Layer, input_shape: int | Sequence[int], *, seed: int | None = None,
        **kwargs: object,
    ):  # fmt: skip
        super().__init__(seed=seed, **kwargs)
        self.shape = event_shape("input_shape", input_shape)
        self.conditional = conditional
        node = Graph(
            [Given("x", self.shape), Variable("y", conditional, ["x"])], {}, self.variable_dtype
        ).nodes["y"]  # fmt: skip
        self.event_shape, self.support = node.event_shape, node.support
        self.x_values = Values("x", self.shape, REAL, self.variable_dtype)
        self.y_values = Values("y", node.event_shape, node.support, self.variable_dtype)
        self.log_prob_tracker = keras.metrics.Mean(name="log_prob")
        self._reported = "loss and log_prob"
        if self.of_classes:
            self.accuracy_tracker = keras.metrics.Mean(name="accuracy")
            self._reported = "loss, log_prob and accuracy"
        self.built = True

    @property
    def of_classes(self) -> bool:
        """Whether y is a class, so that there is an accuracy."""
        return self.support is ONE_HOT

    def predict_distribution(self, x: object) -> tfd.Distribution:
        """Return p(y | x) for each x of an array, with batch shape [B].

        Raises:
            ValueError: for x of another shape or dtype, or with NaN.
        """
        return self.conditional(tf.constant(self.x_values.array(x)))

    def log_prob(self, x: object, y: object) -> tf.Tensor:
        """Return log p(y | x) in nats, [B].

        Raises:
            ValueError: for values of another shape or dtype, off the support, or not as many y as x.
        """
        inputs, truth = self.checked(x, y)
        return self.conditional(tf.constant(inputs)).log_prob(truth)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.conditional(x).mean()

    def predict(self, x: object, *args: object, **options: object) -> np.ndarray:
        """Return the mean of p(y | x), of a class the probabilities, as `keras.Model.predict` does, also of a data set.

        Raises:
            ValueError: for x of another shape or dtype, or with NaN.
        """
        if isinstance(x, tf.data.Dataset):
            return checks.clearly(super().predict, self._inputs_of(x), *args, **options)
        return super().predict(self.x_values.array(x), *args, **options)

    def _inputs_of(self, data: tf.data.Dataset) -> tf.data.Dataset:
        """Return the x of batches x, or (x, ...), checked as they are read."""
        several = isinstance(data.element_spec, tuple)
        self.x_values.spec(data.element_spec[0] if several else data.element_spec)
        return data.map(lambda x, *rest: self.x_values.tensor(x))

    # Training ------------------------------------------------------------------------------------------------------

    def checked(self, x: object, y: object) -> tuple:
        if isinstance(x, tf.data.Dataset):
            if not isinstance(x.element_spec, tuple) or len(x.element_spec) < 2 or y is not None:
                raise ValueError(f"Expected batches (x, y). Received: element_spec={x.element_spec}, y={y!r:.40}")
            self.x_values.spec(x.element_spec[0])
            self.y_values.spec(x.element_spec[1])
            return x.map(lambda x, y, *rest: (self.x_values.tensor(x), self.y_values.tensor(y), *rest)), None
        if y is None:
            raise ValueError("Expected y beside x, fit(x, y), or a data set of batches (x, y). Received: y=None")
        x, y = self.x_values.array(x), self.y_values.array(y)
        if len(x) != len(y):
            raise ValueError(f"Expected one y for each x. Received: {len(x)} x and {len(y)} y")
        return x, y

    def _unpack(self, data: object) -> tuple[tuple[tf.Tensor, tf.Tensor], tf.Tensor]:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        return (x, y), weights_of(weight, tf.shape(x)[0], self.variable_dtype)

    def _bound(self, batch: tuple, seed: Seed, step: tf.Tensor, training: bool) -> tuple[tf.Tensor, Scored]:
        x, y = batch
        py = self.conditional(x, training=training)
        log_py = py.log_prob(y)
        return log_py, Scored(y, py, log_py)

    def _update_others(self, drawn: Scored, step: tf.Tensor) -> None:
        """Set what the head does not learn by gradient."""
        if hasattr(self.conditional, "head"):
            self.conditional.head.update(drawn.y, drawn.py, step)

    def _watch(self, drawn: Scored, weight: tf.Tensor) -> dict:
        self.log_prob_tracker.update_state(drawn.log_py, weight)
        if self.of_classes:
            right = tf.equal(tf.argmax(drawn.py.mean(), -1), tf.argmax(drawn.y, -1))
            self.accuracy_tracker.update_state(tf.cast(right, weight.dtype), weight)
        return self.get_metrics_result()

    def get_config(self) -> dict:
        conditional = keras.saving.serialize_keras_object(self.conditional)
        return {**super().get_config(), "conditional": conditional, "input_shape": self.shape, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "ConditionalModel":
        part = keras.saving.deserialize_keras_object(config["conditional"], custom_objects=custom_objects)
        return cls(**{**config, "conditional": part})
