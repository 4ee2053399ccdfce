"""Priors of codes."""

import math

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae import errors
from tfvae.distributions.codes import AutoregressiveCodes as Autoregressive
from tfvae.distributions.codes import IndependentCodes
from tfvae.errors import IncompatibleParts
from tfvae.heads.quantizers import Quantizer
from tfvae.heads.support import CODES
from tfvae.priors.base import Prior


class _OfCodes(Prior):
    """A prior of the codes of a quantiser, which it shares with the encoder (abstract)."""

    support = CODES

    def __init__(self, quantizer: Quantizer, positions: int | tuple[int, ...], **kwargs: object):
        super().__init__(**kwargs)
        if not isinstance(quantizer, Quantizer):
            raise IncompatibleParts(f"Expected the quantizer of the encoder's head. Received: {quantizer=!r}")
        self.quantizer, self.grid = quantizer, errors.event_shape("positions", positions)
        self.length = math.prod(self.grid) * quantizer.depth
        """M, the number of codes."""
        self.built = True

    def get_config(self) -> dict:
        quantizer = keras.saving.serialize_keras_object(self.quantizer)
        return {**super().get_config(), "quantizer": quantizer, "positions": self.grid}


@keras.saving.register_keras_serializable(package="tfvae")
class UniformCodes(_OfCodes):
    """Every code is as likely as every other: the rate is M log K, whatever x is.

        p(k) = K^-M

    Args:
        quantizer: that of the encoder's head, which is shared.
        positions: N, or a grid of them, as in `heads.Quantized`; of depth L there are M = N L codes.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        IncompatibleParts: if `quantizer` is none.
        ValueError: if `positions` holds anything but positive whole numbers.

    Reference: A. van den Oord, O. Vinyals and K. Kavukcuoglu, "Neural Discrete Representation Learning", 2017,
    Sec. 3.1, https://arxiv.org/abs/1711.00937.

    Example:
        >>> import numpy as np, tfvae
        >>> prior = tfvae.priors.UniformCodes(tfvae.heads.FiniteScalar((2, 5)), positions=3)
        >>> bool(np.isclose(prior().log_prob(np.zeros([6], "float32")), -3 * np.log(10)))
        True
    """

    def distribution(self) -> tfd.Distribution:
        return IndependentCodes(self.quantizer, tf.zeros([self.length, self.quantizer.codes], self.variable_dtype))

    @classmethod
    def from_config(cls, config: dict) -> "UniformCodes":
        return cls(**{**config, "quantizer": keras.saving.deserialize_keras_object(config["quantizer"])})


@keras.saving.register_keras_serializable(package="tfvae")
class AutoregressiveCodes(_OfCodes):
    """Codes in raster order, each given those before it, by a network.

        p(k) = prod_m p(k_m | k_1, ..., k_{m-1})

    The codes are all that it knows of z: the gradient of the rate reaches the network, and neither the encoder nor the
    codebook. Trained with the rest by `fit` it follows the codes as they change; trained afterwards, it is given to
    `model.with_prior(prior)`, whose encoder and decoder have been set to `trainable = False`.

    Args:
        quantizer: that of the encoder's head, which is shared.
        positions: N, or a grid of them, as in `heads.Quantized`; of depth L there are M = N L codes, those of a
            position one after another.
        network: from codes, int32 [B, M], to logits [B, M, K], those of a code depending on the codes before it alone:
            `networks.CausalTransformer(K, M)`.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        IncompatibleParts: if `quantizer` is none, or the network is none, does not take the codes, gives something
            else, or sees what comes later.
        ValueError: if `positions` holds anything but positive whole numbers.

    Reference: A. van den Oord, O. Vinyals and K. Kavukcuoglu, "Neural Discrete Representation Learning", 2017,
    Sec. 3.3, https://arxiv.org/abs/1711.00937.

    Example:
        >>> import tfvae
        >>> quantizer = tfvae.heads.VectorQuantizer(16, 4)
        >>> network = tfvae.networks.CausalTransformer(codes=16, length=6, width=8, blocks=1, heads=2)
        >>> tfvae.priors.AutoregressiveCodes(quantizer, (2, 3), network)().event_shape
        TensorShape([24])
    """

    def __init__(self, quantizer: Quantizer, positions: int | tuple[int, ...], network: keras.Layer, **kwargs: object):
        super().__init__(quantizer, positions, **kwargs)
        if not isinstance(network, keras.Layer):
            raise IncompatibleParts(
                "Expected a Keras network from codes to logits, such as networks.CausalTransformer. Received: "
                f"{network=!r}"
            )
        self.network = network
        self._check()

    def _check(self) -> None:
        """Change one code after another, and look at the logits up to it."""
        places = sorted({0, self.length // 2, self.length - 1})
        codes = tf.one_hot([-1, *places], self.length, dtype=tf.int32)  # [1 + places, M]
        try:
            logits = self.network(codes)
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            raise IncompatibleParts(
                f"Expected a network that takes {self.length} codes. Received: network={self.network.name!r}, which "
                f"says: {str(error).splitlines()[0]}"
            ) from error
        shape = [len(places) + 1, self.length, self.quantizer.codes]
        if list(logits.shape) != shape or logits.dtype != self.variable_dtype:
            raise IncompatibleParts(
                f"Expected a network to logits {shape[1:]} of dtype {self.variable_dtype}, for each of "
                f"{self.length} codes one of {self.quantizer.codes} values. Received: network={self.network.name!r}, "
                f"which gives {list(logits.shape[1:])} of dtype {logits.dtype.name}"
            )
        seen = [
            place for i, place in enumerate(places, 1) if not _alike(logits[0, : place + 1], logits[i, : place + 1])
        ]
        if seen:
            raise IncompatibleParts(
                "Expected logits that depend on earlier codes alone, as the probabilities would not add up to one; use "
                f"networks.CausalTransformer. Received: network={self.network.name!r}, whose logits up to code "
                f"{seen[0]} change with it"
            )

    def distribution(self) -> tfd.Distribution:
        return Autoregressive(self.quantizer, math.prod(self.grid), self.network)

    def get_config(self) -> dict:
        return {**super().get_config(), "network": keras.saving.serialize_keras_object(self.network)}

    @classmethod
    def from_config(cls, config: dict) -> "AutoregressiveCodes":
        parts = {key: keras.saving.deserialize_keras_object(config[key]) for key in ("quantizer", "network")}
        return cls(**{**config, **parts})


def _alike(a: tf.Tensor, b: tf.Tensor) -> bool:
    return bool(tf.reduce_all(tf.abs(a - b) <= 1e-5 * (1.0 + tf.abs(a))))
