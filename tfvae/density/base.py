"""What every density estimator has in common: fit, log_prob, sample, and the distribution that it found."""

import abc
from typing import Self

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.errors import positive_int
from tfvae.heads.support import REAL, Support
from tfvae.priors.fixed import Fixed
from tfvae.random import Seed, as_seed


class Density(abc.ABC):
    """An estimator of p(x) from examples, without latent variables (abstract).

    `fit` takes the examples, `distribution` is the `tfd.Distribution` that it finds.

    Args:
        dtype: of the distribution; default: that of Keras, float32. What is estimated is computed in float64.
    """

    def __init__(self, dtype: str | None = None):
        self.dtype = _floating(keras.config.floatx() if dtype is None else dtype)
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
        array = examples(x)
        if max(array.max(initial=0.0), -array.min(initial=0.0)) > tf.as_dtype(self.dtype).max:
            raise ValueError(
                f"Expected values that {self.dtype} can hold; scale them. Received: values from {array.min():.3g} to "
                f"{array.max():.3g}"
            )
        self._distribution = self._estimate(array)
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
        """Return log p(x) in nats, [n], for x of shape [n, *event].

        Raises:
            RuntimeError: before `fit`.
            ValueError: for x of another shape, or with values that are not finite.
        """
        event = self.distribution.event_shape
        array = numbers(x)
        if array.ndim == 0 or array.shape[1:] != event:
            shape = ", ".join(map(str, ["n", *event]))
            raise ValueError(f"Expected x of shape [{shape}]. Received: x.shape={array.shape}")
        return self._score(array)

    def _score(self, x: np.ndarray) -> tf.Tensor:
        """Return log p(x), [n], for numbers x in float64, [n, *event]."""
        distribution = self.distribution
        if distribution.dtype.is_integer and (x != np.round(x)).any():
            raise ValueError(
                f"Expected whole numbers, which is what was fitted. Received: {np.count_nonzero(x != np.round(x))} of "
                f"{x.size} are none"
            )
        return distribution.log_prob(tf.constant(x, distribution.dtype))

    def sample(self, n: int, seed: int | Seed = 0) -> tf.Tensor:
        """Draw n examples, [n, *event].

        Raises:
            RuntimeError: before `fit`.
            ValueError: if `n` is no positive whole number.
        """
        return self.distribution.sample(positive_int("n", n), seed=as_seed(seed).words)

    @property
    def support(self) -> Support:
        """Where the distribution has its mass.

        Raises:
            RuntimeError: before `fit`.
            ValueError: if the distribution is discrete, or its support is not known.
        """
        return REAL

    def as_prior(self) -> Fixed:
        """Return the distribution as a prior, for `model.with_prior`, which asks for the support of the posterior.

        Raises:
            RuntimeError: before `fit`.
            ValueError: if it is none of vectors, discrete, or its support is not known.
        """
        if self.distribution.event_shape.rank != 1:
            raise ValueError(
                f"Expected a distribution of vectors z. Received: event_shape={self.distribution.event_shape}"
            )
        return Fixed(self.distribution, self.support)


def examples(x: object) -> np.ndarray:
    """Return examples as float64, or raise ValueError if there are none or some are not finite."""
    array = numbers(x)
    if array.ndim == 0 or array.size == 0:
        raise _no_numbers(f"shape {array.shape}, {array.dtype}")
    return array


def numbers(x: object) -> np.ndarray:
    """Return an array as float64, or raise ValueError if it is none of numbers or some are not finite."""
    try:
        array = np.asarray(x)
    except (TypeError, ValueError):  # such as lists of different lengths
        raise _no_numbers(f"{type(x).__name__}, which is none") from None
    if array.dtype.kind not in "biuf" and array.size:  # an empty list is an array of no numbers
        raise _no_numbers(f"shape {array.shape}, {array.dtype}")
    array = array.astype(np.float64)
    wrong = np.count_nonzero(~np.isfinite(array))
    if wrong:
        raise ValueError(f"Expected finite values. Received: {wrong} of {array.size} are NaN or infinite")
    return array


def _no_numbers(received: str) -> ValueError:
    return ValueError(f"Expected examples as an array of numbers, [n, *event]. Received: {received}")


def _floating(dtype: object) -> str:
    """Return the name of a floating-point dtype, or raise ValueError."""
    try:
        found = tf.as_dtype(dtype)
    except TypeError:
        found = None
    if found is None or not found.is_floating:
        raise ValueError(
            f"Expected dtype to be one of floating-point numbers, such as 'float32'. Received: dtype={dtype!r}"
        )
    return found.name
