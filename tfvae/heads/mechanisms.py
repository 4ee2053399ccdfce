"""Why values are missing: for no reason that depends on them, or because of what they are."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.observed import ObservedElements, SelfMaskedElements
from tfvae.errors import IncompatibleParts


class Mechanism(keras.layers.Layer):
    """How values come to be missing given what they are, p(s | x) (abstract)."""

    def elements(self, px: tfd.Independent, fill: float) -> ObservedElements:
        """Return the distribution of what was observed, s included, given z.

        Args:
            px: independent elements.
            fill: a value on their support.

        Raises:
            IncompatibleParts: if the mechanism does not apply to the family.
        """
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="tfvae")
class AtRandom(Mechanism):
    """Missing at random: p(s | x) does not depend on what is missing, and is left out.

    Args:
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Reference: D. Rubin, "Inference and Missing Data", 1976, Sec. 3, https://doi.org/10.1093/biomet/63.3.581.

    Example:
        >>> import numpy as np
        >>> from tfvae import heads
        >>> px = heads.Incomplete(heads.Normal(2), heads.AtRandom())(np.zeros([1, 16], "float32"))
        >>> px.log_prob(np.array([np.nan, np.nan], "float32")).numpy()
        array([0.], dtype=float32)
    """

    def build(self, input_shape: tuple) -> None:
        """Make no weights."""
        self.built = True

    def elements(self, px: tfd.Independent, fill: float) -> ObservedElements:
        return ObservedElements(px.distribution, px.event_shape.rank, fill)


@keras.saving.register_keras_serializable(package="tfvae")
class SelfMasking(Mechanism):
    """Missing because of its own value: large ones, or small ones, of each element by weights that are learned.

        p(x_i observed | x_i) = sigmoid(w_i x_i + c_i)

    w and c begin at 0, where nothing is known. Elements must be normal or binary given z. A missing x_i is integrated
    out exactly, if it is binary, or by Gauss-Hermite quadrature, where the reference draws it; the error is below 1e-3
    nats for |w_i| times the scale up to 3. Such a model is identified by its assumptions: see that it is right.

    Args:
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        IncompatibleParts: when a head is made with it whose elements are of another family.

    Reference: N. Ipsen, P.-A. Mattei and J. Frellsen, "not-MIWAE: Deep Generative Modelling with Missing not at Random
    Data", 2021, Eq. (5) and (6), https://arxiv.org/abs/2006.12871.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae import heads
        >>> px = heads.Incomplete(heads.Normal(2), heads.SelfMasking())(np.zeros([1, 16], "float32"))
        >>> px.log_prob(np.array([np.nan, np.nan], "float32")).numpy().round(3)  # 2 log 1/2
        array([-1.386], dtype=float32)
    """

    def build(self, input_shape: tuple) -> None:
        """Make the weights for x of shape [*event]."""
        self.slope = self.add_weight(shape=input_shape, initializer="zeros", name="slope")
        self.offset = self.add_weight(shape=input_shape, initializer="zeros", name="offset")
        self.built = True

    def elements(self, px: tfd.Independent, fill: float) -> ObservedElements:
        if not isinstance(px.distribution, (tfd.Normal, tfd.Bernoulli)):
            raise IncompatibleParts(
                "Expected elements that are normal or binary given z, heads.Normal or heads.Bernoulli, so that those "
                f"which hide themselves can be integrated out. Received: {px.distribution.name}"
            )
        if self.slope.shape != tuple(px.event_shape):
            raise IncompatibleParts(
                f"Expected a mechanism of its own for every head, of shape {list(px.event_shape)} here. Received: one "
                f"of shape {list(self.slope.shape)}"
            )
        slope, offset = (tf.cast(weight, px.dtype) for weight in (self.slope, self.offset))
        return SelfMaskedElements(px.distribution, px.event_shape.rank, fill, slope, offset)
