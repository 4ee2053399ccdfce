"""Maximum likelihood for the families of TensorFlow Probability."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfvae.density.base import Density
from tfvae.density.closed_forms import CLOSED_FORMS, SMOOTHED, UNSMOOTH, Parameters, categorical
from tfvae.density.families import given, of_vectors, properties
from tfvae.density.likelihood import Likelihood, positive_definite, slopes
from tfvae.density.range import support_of
from tfvae.errors import number_in, positive_int
from tfvae.heads.support import Support

_LARGEST = 2**26  # probabilities of a Categorical, 512 MB; class numbers that large are no numbers of classes


class Estimate(NamedTuple):
    """A number that was estimated, or an array of them."""

    value: np.ndarray
    standard_error: np.ndarray


class Parametric(Density):
    """The member of a family under which the examples are most likely.

        theta^ = argmax sum_i log p(x_i | theta),   Cov(theta^) ~ [-sum_i d^2 log p(x_i | theta^) / d theta^2]^-1

    A family of numbers, such as `tfd.Gamma`, is fitted to each coordinate of x by itself; one of vectors, such as
    `tfd.MultivariateNormalTriL`, to the last axis. The maximum is found in closed form for Bernoulli, Categorical,
    Exponential, Laplace, LogNormal, MultivariateNormalDiag, MultivariateNormalTriL, Normal, OneHotCategorical,
    Pareto and Poisson, and by L-BFGS and Newton's steps on all examples for others.

    Args:
        family: a class of `tfp.distributions`.
        fixed: parameters that are given, such as `{"df": 4.0}` or `{"total_count": 10.0}`; for x of shape [n, C] also
            with a value for each coordinate.
        prior_count: observations of each value that are added to those of Bernoulli, Categorical and OneHotCategorical,
            so that what never occurred does not get probability 0; 0 is maximum likelihood.
        num_classes: of a Categorical; default: one more than the largest value.
        dtype: of the distribution; default: that of Keras.

    Raises:
        TypeError: if `family` is no class of distributions.
        ValueError: if the family needs more than arrays of numbers, `fixed` names none of its parameters or all of
            them, or `prior_count` or `num_classes` is out of range or not for this family; by `fit`, if a parameter
            that cannot be learned is not given, a value is off the family's support, or the likelihood has no largest
            value.

    Reference: R. Fisher, "On the Mathematical Foundations of Theoretical Statistics", 1922, Sec. 6 and 7; observed
    rather than expected information: B. Efron and D. Hinkley, "Assessing the Accuracy of the Maximum Likelihood
    Estimator: Observed Versus Expected Fisher Information", 1978.

    Example:
        >>> import numpy as np
        >>> from tensorflow_probability import distributions as tfd
        >>> from tfvae import density
        >>> x = np.random.default_rng(0).gamma(3.0, 2.0, size=1000)
        >>> gamma = density.Parametric(tfd.Gamma).fit(x)
        >>> gamma.estimates()["concentration"]
        Estimate(value=array(2.988...), standard_error=array(0.126...))
    """

    def __init__(
        self,
        family: type[tfd.Distribution],
        fixed: Mapping[str, float] = MappingProxyType({}),
        *,
        prior_count: float = 0.0,
        num_classes: int | None = None,
        dtype: str | None = None,
    ):
        super().__init__(dtype)
        if not (isinstance(family, type) and issubclass(family, tfd.Distribution)):
            raise TypeError(f"Expected a class of tfp.distributions, such as tfd.Gamma. Received: family={family!r}")
        self.family, self.fixed = family, given(family, fixed)
        self._fitted: _Fitted | None = None
        self.prior_count = number_in("prior_count", prior_count, 0.0)
        if prior_count and family not in SMOOTHED:
            raise ValueError(
                f"Expected prior_count=0 but for {', '.join(each.__name__ for each in SMOOTHED)}. "
                f"Received: prior_count={prior_count} for {family.__name__}"
            )
        if num_classes is not None and family is not tfd.Categorical:
            raise ValueError(
                f"Expected num_classes for Categorical only. Received: num_classes={num_classes!r} for "
                f"{family.__name__}"
            )
        self.num_classes = None if num_classes is None else positive_int("num_classes", num_classes)

    def _estimate(self, x: np.ndarray) -> tfd.Distribution:
        core = x.shape[-1:] if of_vectors(self.family) else ()
        if core and x.ndim < 2:
            raise ValueError(f"Expected vectors, [n, D], for {self.family.__name__}. Received: x.shape={x.shape}")
        axes = x.shape[1 : x.ndim - len(core)]
        self._check_fixed(axes)
        data = x.reshape(len(x), math.prod(axes), *core)  # [n, C, *core]
        likelihood = Likelihood(self.family, self.fixed, core, data.shape[1], self._classes(x))
        found, theta = self._maximum(likelihood, data)
        self._fitted = _Fitted(likelihood, data, axes, found, theta)
        return self._fitted.distribution(found, self.dtype)

    def _check_fixed(self, axes: tuple[int, ...]) -> None:
        """Raise ValueError for a value for each coordinate, unless the coordinates have one axis."""
        known = properties(self.family)
        for name, value in self.fixed.items():
            if len(axes) != 1 and value.ndim > known[name].event_ndims:
                raise ValueError(
                    f"Expected one {name} for all coordinates of x, unless x has the shape [n, C]. Received: {name} of "
                    f"shape {value.shape}, for x of shape {['n', *axes]}"
                )

    def _classes(self, x: np.ndarray) -> int | None:
        if self.family is not tfd.Categorical:
            return None
        classes = int(x.max()) + 1 if self.num_classes is None else self.num_classes
        wrong = np.count_nonzero((x != np.round(x)) | (x < 0) | (x >= classes))
        if wrong:
            raise ValueError(f"Expected classes from 0 to {classes - 1}. Received: {wrong} of {x.size} are none")
        if classes * math.prod(x.shape[1:]) > _LARGEST:
            raise ValueError(
                f"Expected classes that are numbered from 0, one after the other; np.unique(x, return_inverse=True) "
                f"numbers them so. Received: {classes} classes, for {math.prod(x.shape[1:])} coordinates"
            )
        return classes

    def _maximum(self, likelihood: Likelihood, data: np.ndarray) -> tuple[Parameters, tf.Tensor]:
        """Return the parameters, [C, ...] each, and theta, [C, P]."""
        if self.fixed or self.family not in (*CLOSED_FORMS, tfd.Categorical):
            theta = likelihood.maximise(tf.constant(data))
            return {name: value.numpy() for name, value in likelihood.parameters(theta).items()}, theta
        if self.family is tfd.Categorical:
            found = categorical(data, likelihood.free[0].shape[0], self.prior_count)
        else:
            found = CLOSED_FORMS[self.family](data, self.prior_count)
        return found, likelihood.theta(found)

    @property
    def support(self) -> Support:
        """The support of the family, with the parameters that were found."""
        return support_of(self.distribution)

    def _require_fitted(self) -> "_Fitted":
        if self._fitted is None:
            raise self._unfitted()
        return self._fitted

    def estimates(self) -> dict[str, Estimate]:
        """Return every parameter with its standard error, from the observed Fisher information.

        Raises:
            RuntimeError: before `fit`.
            ValueError: if a parameter lies at the end of its range, or the likelihood is flat there.
        """
        fitted = self._require_fitted()
        covariance = fitted.covariance()
        found = {}
        for name, value in fitted.parameters.items():
            slope = slopes(partial(fitted.flat, name), fitted.theta)  # [C, k, P]
            variance = tf.einsum("ckp,cpq,ckq->ck", slope, covariance, slope)
            shape = [*fitted.axes, *value.shape[1:]]
            found[name] = Estimate(value.reshape(shape), np.sqrt(variance.numpy()).reshape(shape))
        return found

    def estimate(self, statistic: Callable[[tfd.Distribution], tf.Tensor]) -> Estimate:
        """Return a function of the distribution with its standard error, by the delta method.

        Args:
            statistic: differentiable, such as `lambda px: px.mean()`.

        Raises:
            RuntimeError: before `fit`.
            ValueError: as `estimates` does.
        """
        fitted = self._require_fitted()
        covariance = fitted.covariance()

        def value(theta: tf.Tensor) -> tf.Tensor:
            return statistic(fitted.distribution(fitted.likelihood.parameters(theta), "float64"))

        now = value(fitted.theta)
        errors = []
        for k in range(tf.size(now)):
            slope = tfp.math.value_and_gradient(lambda t, k=k: tf.reshape(value(t), [-1])[k], fitted.theta)[1]  # [C, P]
            errors.append(0.0 if slope is None else math.sqrt(tf.einsum("cp,cpq,cq->", slope, covariance, slope)))
        return Estimate(now.numpy(), np.reshape(errors, now.shape))


class _Fitted(NamedTuple):
    """What the errors of a fit are computed from."""

    likelihood: Likelihood
    data: np.ndarray
    """[n, C, *core]."""
    axes: tuple[int, ...]
    """Of the event, before those of the family."""
    parameters: Parameters
    """[C, ...] each."""
    theta: tf.Tensor
    """[C, P]."""

    def distribution(self, parameters: Parameters, dtype: str) -> tfd.Distribution:
        """Return the distribution over whole events."""
        shaped = {name: tf.reshape(value, [*self.axes, *value.shape[1:]]) for name, value in parameters.items()}
        found = self.likelihood.distribution(shaped, dtype, strict=True)
        return tfd.Independent(found, len(self.axes)) if self.axes else found

    def flat(self, name: str, theta: tf.Tensor) -> tf.Tensor:
        """Return a parameter as a vector for each coordinate, [C, k]."""
        return tf.reshape(self.likelihood.parameters(theta)[name], [len(theta), -1])

    def covariance(self) -> tf.Tensor:
        """Return the covariance of theta, [C, P, P]."""
        if not np.isfinite(self.theta).all():
            raise ValueError(
                "Expected parameters inside their range, to give them a standard error; a probability is 0 or 1 where "
                "a value never or always occurred (see prior_count). Received: a parameter at the end of its range"
            )
        if self.likelihood.family in UNSMOOTH and not self.likelihood.fixed:
            raise ValueError(
                "Expected a family whose likelihood is smooth at its maximum, to give a standard error; draw bootstrap "
                f"samples instead. Received: {self.likelihood.family.__name__}, whose range ends at a parameter"
            )
        hessian = self.likelihood.hessian(self.theta, tf.constant(self.data))
        if not positive_definite(hessian):
            raise ValueError(
                "Expected a likelihood that is curved at its maximum, to give a standard error; draw bootstrap samples "
                "instead. Received: a Fisher information that is not positive definite"
            )
        return tf.linalg.inv(hessian) / len(self.data)
