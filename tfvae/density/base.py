"""What every density estimator has in common: fit, log_prob, sample, and the distribution that it found."""

import abc
from typing import Self

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.heads.support import REAL, Support
from tfvae.priors.fixed import Fixed
from tfvae.random import Seed, as_seed


class Density(abc.ABC):
    """An estimator of p(x) from examples, without latent variables (abstract).

    `fit` takes the examples, `distribution` is the `tfd.Distribution` that it finds.

    Args:
        dtype: of the distribution; default: that of Keras, float32. What is estimated is computed in float64.
    """

    support: Support = REAL

    def __init__(self, dtype: str | None = None):
        self.dtype = dtype or keras.config.floatx()
        self._distribution: tfd.Distribution | None = None

    @abc.abstractmethod
    def _estimate(self, x: np.ndarray) -> tfd.Distribution:
        """Return the distribution with the largest likelihood, or what the method takes for it, in `self.dtype`."""

    def fit(self, x: object) -> Self:
        """Estimate the distribution of examples.

        Args:
            x: examples, [n, *event].

        Returns:
            The estimator itself.

        Raises:
            ValueError: if there are no examples, a value is not finite, or the method says no to them.
        """
        self._distribution = self._estimate(examples(x))
        return self

    @property
    def distribution(self) -> tfd.Distribution:
        """The distribution that was found, with batch shape [] and event shape [*event].

        Raises:
            RuntimeError: before `fit`.
        """
        if self._distribution is None:
            raise self._unfitted()
        return self._distribution

    def _unfitted(self) -> RuntimeError:
        return RuntimeError(f"Expected {type(self).__name__}.fit(x) first. Received: nothing was fitted yet")

    def log_prob(self, x: object) -> tf.Tensor:
        """Return log p(x) in nats, [n], for x of shape [n, *event]."""
        distribution = self.distribution
        array = tf.convert_to_tensor(np.asarray(x), distribution.dtype)
        if array.shape[1:] != distribution.event_shape:
            shape = ", ".join(map(str, ["n", *distribution.event_shape]))
            raise ValueError(f"Expected x of shape [{shape}]. Received: x.shape={tuple(array.shape)}")
        return distribution.log_prob(array)

    def sample(self, n: int, seed: int | Seed = 0) -> tf.Tensor:
        """Draw n examples, [n, *event]."""
        return self.distribution.sample(n, seed=as_seed(seed).words)

    def as_prior(self) -> Fixed:
        """Return the distribution as a prior, for `model.with_prior`.

        Raises:
            ValueError: if it is none of vectors.
        """
        if self.distribution.event_shape.rank != 1:
            raise ValueError(
                f"Expected a distribution of vectors z. Received: event_shape={self.distribution.event_shape}"
            )
        return Fixed(self.distribution, self.support)


def examples(x: object) -> np.ndarray:
    """Return examples as float64, or raise ValueError if there are none or some are not finite."""
    array = np.asarray(x)
    if array.ndim == 0 or len(array) == 0 or array.dtype.kind not in "biuf":
        raise ValueError(
            f"Expected examples as an array of numbers, [n, *event]. Received: shape {array.shape}, {array.dtype}"
        )
    array = array.astype(np.float64)
    wrong = np.count_nonzero(~np.isfinite(array))
    if wrong:
        raise ValueError(f"Expected finite values. Received: {wrong} of {array.size} are NaN or infinite")
    return array
