"""Likelihoods of data with parts missing."""

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.errors import IncompatibleParts
from tfvae.heads.base import Head
from tfvae.heads.mechanisms import AtRandom, Mechanism
from tfvae.heads.scales import refuse_optimal_scale
from tfvae.heads.support import or_missing


@keras.saving.register_keras_serializable(package="tfvae")
class Incomplete(Head):
    """A likelihood under which NaN is a missing value: only what was observed is scored.

        log p(x_o | z) = sum over observed i of log p(x_i | z)

    With it the evidence of a model is that of the observed part, log p(x_o), and a model with the objective
    `objectives.IWAE(K)` and an encoder that begins with `networks.FillMissing` is the MIWAE of the reference; one whose
    posterior is NaN where a value is missing is refused. What a NumPy array masks is missing too, whatever lies there.
    Values must be missing for no reason that depends on them (at random), or else the mechanism has to say so: then
    what is scored is log p(x_o, s | z), s telling which were observed, as in not-MIWAE. `evaluation.impute` fills them.

    Args:
        head: a likelihood whose elements are independent given z, such as `heads.Bernoulli` or `heads.Normal`.
        mechanism: why values are missing, `heads.AtRandom()` or `heads.SelfMasking()`.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        TypeError: if `head` is none.
        IncompatibleParts: if its elements are not independent, or its scale is set from what was observed.

    Reference: P.-A. Mattei and J. Frellsen, "MIWAE: Deep Generative Modelling and Imputation of Incomplete Data Sets",
    2019, Eq. (4) and (5), https://arxiv.org/abs/1812.02633.

    Example:
        >>> import numpy as np, tfvae
        >>> px = tfvae.heads.Incomplete(tfvae.heads.Bernoulli(3))(np.zeros([1, 16], "float32"))
        >>> px.log_prob(np.array([1.0, np.nan, 0.0], "float32")).numpy().round(3)  # 2 log 1/2
        array([-1.386], dtype=float32)
    """

    parameter_count = 1  # of the head within, in fact, whose width counts

    def __init__(self, head: Head, mechanism: Mechanism = AtRandom(), **kwargs: object):
        if not isinstance(head, Head):
            raise TypeError(
                f"Expected a head from tfvae.heads, such as heads.Bernoulli((28, 28, 1)). Received: head={head!r}"
            )
        super().__init__(head.event_shape, **kwargs)
        self.head, self.width, self.compiles = head, head.width, head.compiles
        self.support = or_missing(head.support)
        self._fill = next(value for value in (0.0, 0.5, 1.0) if np.all(head.support.contains(np.array([value]))))
        head.built = True  # its linear layer is this one's
        zeros = tf.zeros([1, *head.grid, head.width], self.variable_dtype)
        px = head.distribution(zeros)
        if not isinstance(px, tfd.Independent) or px.distribution.event_shape.rank:
            raise IncompatibleParts(
                "Expected a head whose elements are independent given z, so that missing ones can be left out; use "
                f"heads.Normal or heads.Bernoulli. Received: {type(head).__name__}"
            )
        refuse_optimal_scale(head)

        if not isinstance(mechanism, Mechanism):
            raise TypeError(
                f"Expected a mechanism, heads.AtRandom() or heads.SelfMasking(). Received: mechanism={mechanism!r}"
            )
        self.mechanism = mechanism
        if not mechanism.built:
            mechanism.build(self.event_shape)
        mechanism.elements(px, self._fill)  # refuses here, not on the first call

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        return self.mechanism.elements(self.head.distribution(parameters), self._fill)

    def get_config(self) -> dict:
        config = {key: value for key, value in super().get_config().items() if key != "event_shape"}
        return {**config, **{name: keras.saving.serialize_keras_object(getattr(self, name)) for name in _PARTS}}

    @classmethod
    def from_config(cls, config: dict) -> "Incomplete":
        return cls(**{**config, **{name: keras.saving.deserialize_keras_object(config[name]) for name in _PARTS}})


_PARTS = ("head", "mechanism")
