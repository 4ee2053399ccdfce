"""Likelihoods of modalities, each of which may be missing."""

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.observed import ObservedWhole
from tfvae.heads.base import Head
from tfvae.heads.scales import refuse_optimal_scale
from tfvae.heads.support import or_missing
from tfvae.heads.vector import vector_length


@keras.saving.register_keras_serializable(package="tfvae")
class Modality(Head):
    """A likelihood of a vector that was observed, or is missing as a whole, NaN: then it is not scored.

        log p(x_o | z) = sum over observed m of log p(x_m | z),   x = (x_1, x_2, ...)

    Several stand side by side in `heads.Product`: an image, flattened, and its label, say. The evidence of such a model
    is that of what was observed, and log p(x_1 | x_2) = log p(x_1, x_2) - log p(x_2) is the difference of two of them.
    Its encoder is a `models.ProductOfExperts`, `MixtureOfExperts` or `MixtureOfProducts`. `evaluation.impute` draws
    what is missing given what is not. Where single values are missing, `heads.Incomplete` takes its place.

    Args:
        head: the likelihood of a vector, such as `heads.Bernoulli(64)` or `heads.OneHotCategorical(10)`.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        TypeError: if `head` is none.
        ValueError: if it models no vector.
        IncompatibleParts: if its scale is set from what was observed.

    Reference: M. Wu and N. Goodman, "Multimodal Generative Models for Scalable Weakly-Supervised Learning", 2018,
    Sec. 2.2, https://arxiv.org/abs/1802.05335.

    Example:
        >>> import numpy as np
        >>> from tfvae import heads
        >>> head = heads.Product(heads.Modality(heads.Bernoulli(2)), heads.Modality(heads.OneHotCategorical(4)))
        >>> px = head(np.zeros([1, 16], "float32"))
        >>> px.log_prob(np.array([np.nan, np.nan, 0.0, 1.0, 0.0, 0.0], "float32")).numpy().round(3)  # log 1/4
        array([-1.386], dtype=float32)
    """

    parameter_count = 1  # of the head within, in fact, whose width counts

    def __init__(self, head: Head, **kwargs: object):
        if not isinstance(head, Head):
            raise TypeError(f"Expected a head from tfvae.heads, such as heads.Bernoulli(64). Received: head={head!r}")
        super().__init__(vector_length(head), **kwargs)
        refuse_optimal_scale(head)
        self.head, self.width, self.compiles = head, head.width, head.compiles
        self.support = or_missing(head.support, whole=True)
        rows = [*(np.full(self.event_shape, value) for value in (0.0, 0.5, 1.0)), np.eye(self.event_shape[0])[0]]
        self._fill = next(row for row in rows if np.all(head.support.contains(row)))
        head.built = True  # its linear layer is this one's

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        return ObservedWhole(self.head.distribution(parameters), self._fill)

    def get_config(self) -> dict:
        config = {key: value for key, value in super().get_config().items() if key != "event_shape"}
        return {**config, "head": keras.saving.serialize_keras_object(self.head)}

    @classmethod
    def from_config(cls, config: dict) -> "Modality":
        return cls(**{**config, "head": keras.saving.deserialize_keras_object(config["head"])})
