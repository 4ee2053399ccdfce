"""Posteriors of several modalities, any of which may be missing: experts that are multiplied, or mixed."""

from collections.abc import Sequence
from itertools import combinations

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.conditional import Conditional
from tfvae.distributions.experts import EqualMixture, product
from tfvae.errors import IncompatibleParts, positive_int
from tfvae.priors.base import Prior
from tfvae.priors.hierarchy import normal_size


class _Experts(keras.Model):
    """A posterior made of one for each modality, which sees its own columns of x alone (abstract)."""

    def __init__(self, parts: Sequence[Conditional], sizes: Sequence[int], prior: Prior, **kwargs: object):
        super().__init__(**kwargs)
        if not parts or len(parts) != len(sizes) or not all(isinstance(part, Conditional) for part in parts):
            raise IncompatibleParts(
                "Expected a tfvae.Encoder for each modality, and how many columns of x each of them has. Received: "
                f"parts={list(parts)!r}, sizes={list(sizes)!r}"
            )
        if not isinstance(prior, Prior):
            raise IncompatibleParts(
                f"Expected the model's own prior, such as priors.StandardNormal(50). Received: prior={prior!r}"
            )
        self.parts, self.prior = list(parts), prior
        self.sizes = [positive_int(f"sizes[{number}]", size) for number, size in enumerate(sizes)]
        self.modalities = tuple(self.sizes)
        self.compiles = all(getattr(part.head, "compiles", True) for part in parts)

    def check_part(self, name: str, part: Conditional, size: int) -> None:
        """Build a part for its columns, and raise IncompatibleParts if it does not suit."""
        raise NotImplementedError

    def joined(self, experts: list[tfd.Distribution], present: list[tf.Tensor]) -> tfd.Distribution:
        """Return what the experts say together, present [B] telling for each where its modality was observed."""
        raise NotImplementedError

    def build(self, input_shape: tuple) -> None:
        """Build every part for its columns."""
        if len(input_shape) != 2 or input_shape[-1] != sum(self.sizes):
            raise IncompatibleParts(
                f"Expected x of shape [B, {sum(self.sizes)}], the modalities side by side: flatten images, and let the "
                f"network of their part begin with keras.layers.Reshape. Received: x of shape {list(input_shape)}"
            )
        for number, (part, size) in enumerate(zip(self.parts, self.sizes, strict=True)):
            self.check_part(f"parts[{number}]", part, size)
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tfd.Distribution:
        experts, present = [], []
        for part, own in zip(self.parts, tf.split(x, self.sizes, -1), strict=True):
            missing = tf.reduce_all(tf.math.is_nan(own), -1)  # [B]
            experts.append(part(tf.where(missing[:, None], tf.zeros_like(own), own), training=training))
            present.append(tf.logical_not(missing))
        return self.joined(experts, present)

    def mixed(self, components: list[tfd.Distribution], present: list[tf.Tensor]) -> EqualMixture:
        """Return the mixture of components where they are present, and the prior where none of them is."""
        none = tf.logical_not(tf.reduce_any(tf.stack(present, -1), -1))  # [B]
        return EqualMixture([*components, _spread(self.prior(), none)], tf.stack([*present, none], -1))

    def get_config(self) -> dict:
        parts = [keras.saving.serialize_keras_object(part) for part in self.parts]
        prior = keras.saving.serialize_keras_object(self.prior)
        return {**super().get_config(), "parts": parts, "sizes": self.sizes, "prior": prior}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "_Experts":
        def made(part: dict) -> object:
            return keras.saving.deserialize_keras_object(part, custom_objects=custom_objects)

        return cls(**{**config, "parts": [made(part) for part in config["parts"]], "prior": made(config["prior"])})


@keras.saving.register_keras_serializable(package="tfvae")
class ProductOfExperts(_Experts):
    """The posterior of several modalities as a product: the prior, and an expert for each of them that was observed.

        q(z | x) ~ p(z) prod_{m observed} N(z | m_m(x_m), s_m(x_m)^2)

    An expert is sure where its modality tells much, and silent where it tells nothing. Where nothing was observed, the
    posterior is the prior. A modality is missing where all of its columns are NaN; what to make of single ones is the
    matter of its part, whose network may begin with `networks.FillMissing`. Experts of modalities that never were
    missing in training have not learned to speak alone: train on `data.subsets(...)`.

    Args:
        parts: a `tfvae.Encoder` with `heads.DiagonalNormal` for each modality; it takes x_m, [B, size].
        sizes: how many columns of x each modality has, from left to right.
        prior: the model's own prior, a diagonal normal, which is shared.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        IncompatibleParts: if there are not as many sizes as encoders; when called, if a part has another head, does not
            take what it is given, or prior and parts differ in length.

    Reference: M. Wu and N. Goodman, "Multimodal Generative Models for Scalable Weakly-Supervised Learning", 2018,
    Sec. 2.1, https://arxiv.org/abs/1802.05335.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae import heads, networks, priors
        >>> parts = [tfvae.Encoder(networks.mlp(16), heads.DiagonalNormal(2)) for _ in range(2)]
        >>> encoder = tfvae.models.ProductOfExperts(parts, (64, 10), priors.StandardNormal(2))
        >>> encoder(np.full([1, 74], np.nan, "float32")).stddev().numpy()  # nothing was observed
        array([[1., 1.]], dtype=float32)
    """

    def check_part(self, name: str, part: Conditional, size: int) -> None:
        _check_normal(name, part, size, self.prior)
        if not isinstance(self.prior(), tfd.MultivariateNormalDiag):
            raise IncompatibleParts(
                "Expected a prior that is a diagonal normal, such as priors.StandardNormal, to be multiplied by others."
                f" Received: prior {type(self.prior).__name__}"
            )

    def joined(self, experts: list[tfd.Distribution], present: list[tf.Tensor]) -> tfd.Distribution:
        return product([self.prior(), *experts], [None, *present])


@keras.saving.register_keras_serializable(package="tfvae")
class MixtureOfExperts(_Experts):
    """The posterior of several modalities as a mixture, in equal parts, of one for each that was observed.

        q(z | x) = 1/M sum_{m observed} q(z | x_m)

    Every modality alone must explain all of them. Draws take the experts in turn: with a multiple of M of them the
    objective is stratified, as in the reference. Where nothing was observed, the posterior is the prior.

    Args:
        parts: a `tfvae.Encoder` with a reparameterised head for each modality; it takes x_m, [B, size].
        sizes: how many columns of x each modality has, from left to right.
        prior: the model's own prior, which is shared.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        IncompatibleParts: if there are not as many sizes as encoders; when called, if a part does not take what it is
            given, or prior and parts differ in length or support.

    Reference: Y. Shi et al., "Variational Mixture-of-Experts Autoencoders for Multi-Modal Deep Generative Models",
    2019, Sec. 3, https://arxiv.org/abs/1911.03393.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae import heads, networks, priors
        >>> parts = [tfvae.Encoder(networks.mlp(16), heads.Laplace(2)) for _ in range(2)]
        >>> encoder = tfvae.models.MixtureOfExperts(parts, (64, 10), priors.StandardLaplace(2))
        >>> encoder(np.zeros([3, 74], "float32")).event_shape
        TensorShape([2])
    """

    def check_part(self, name: str, part: Conditional, size: int) -> None:
        q, p = part(tf.zeros([1, size], part.variable_dtype)), self.prior()
        if q.event_shape != p.event_shape or part.head.support is not self.prior.support:
            raise IncompatibleParts(
                f"Expected parts with the prior's event shape {list(p.event_shape)} and support. Received: {name} with "
                f"event_shape={list(q.event_shape)}, on {part.head.support.description}"
            )

    def joined(self, experts: list[tfd.Distribution], present: list[tf.Tensor]) -> tfd.Distribution:
        return self.mixed(experts, present)


@keras.saving.register_keras_serializable(package="tfvae")
class MixtureOfProducts(_Experts):
    """The posterior of several modalities as a mixture of products: one for each set of them that was observed.

        q(z | x) = 1/N sum_A prod_{m in A} N(z | m_m(x_m), s_m(x_m)^2) / c_A,   A all non-empty sets of those observed

    c_A makes each product a density; the prior takes no part in them. N = 2^M - 1 grows fast: for a handful of
    modalities. Where nothing was observed, the posterior is the prior.

    Args:
        parts: a `tfvae.Encoder` with `heads.DiagonalNormal` for each modality; it takes x_m, [B, size].
        sizes: how many columns of x each modality has, from left to right.
        prior: the model's own prior, which is shared.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        IncompatibleParts: if there are not as many sizes as encoders; when called, if a part has another head, does not
            take what it is given, or prior and parts differ in length.

    Reference: T. Sutter, I. Daunhawer and J. Vogt, "Generalized Multimodal ELBO", 2021, Sec. 3,
    https://arxiv.org/abs/2105.02470.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae import heads, networks, priors
        >>> parts = [tfvae.Encoder(networks.mlp(16), heads.DiagonalNormal(2)) for _ in range(2)]
        >>> encoder = tfvae.models.MixtureOfProducts(parts, (64, 10), priors.StandardNormal(2))
        >>> int(encoder(np.zeros([1, 74], "float32")).count[0])
        3
    """

    def check_part(self, name: str, part: Conditional, size: int) -> None:
        _check_normal(name, part, size, self.prior)

    def joined(self, experts: list[tfd.Distribution], present: list[tf.Tensor]) -> tfd.Distribution:
        numbers = range(len(experts))
        sets = [chosen for count in range(1, len(experts) + 1) for chosen in combinations(numbers, count)]
        products = [experts[s[0]] if len(s) == 1 else product([experts[i] for i in s]) for s in sets]
        return self.mixed(products, [tf.reduce_all(tf.stack([present[i] for i in s], -1), -1) for s in sets])


def _check_normal(name: str, part: Conditional, size: int, prior: Prior) -> None:
    length, (expected,) = normal_size(name, part, size), prior().event_shape
    if length != expected:
        raise IncompatibleParts(f"Expected parts of the prior's length {expected}. Received: {name} of length {length}")


def _spread(p: tfd.Distribution, where: tf.Tensor) -> tfd.Distribution:
    """Return a prior with a batch axis, [B], so that each example has noise of its own."""
    if not isinstance(p, tfd.Independent):
        return p  # a normal, which is drawn with the noise of all components
    zeros = tf.zeros_like(where, p.dtype)[:, None]  # [B, 1]
    parameters = {
        key: value + zeros for key, value in p.distribution.parameters.items() if isinstance(value, tf.Tensor)
    }
    return tfd.Independent(type(p.distribution)(**parameters), p.reinterpreted_batch_ndims)
