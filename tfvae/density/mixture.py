"""Mixtures of normals by expectation maximisation."""

import warnings
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from tensorflow_probability import distributions as tfd

from tfvae.density.base import Density
from tfvae.distributions.mixture import Mixture
from tfvae.errors import positive_int, whole_number_in

# What scikit-learn calls them, and what makes the last argument of the family of its covariances.
_COVARIANCES: dict[type[tfd.Distribution], tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    tfd.MultivariateNormalTriL: ("full", np.linalg.cholesky),
    tfd.MultivariateNormalDiag: ("diag", np.sqrt),
}


class NormalMixture(Density):
    """A mixture of K normal distributions of vectors, by scikit-learn's expectation maximisation.

        p(x) = sum_k pi_k N(x | m_k, S_k)

    Args:
        components: K.
        family: of the components: `tfd.MultivariateNormalTriL`, or `tfd.MultivariateNormalDiag`.
        restarts: how many starts are tried, the best of which is kept.
        seed: of the starts.
        dtype: of the distribution; default: that of Keras.

    Raises:
        ValueError: if an argument is out of range; by `fit`, if the examples are no vectors, fewer than the components,
            or the steps do not converge.

    Reference: A. Dempster, N. Laird and D. Rubin, "Maximum Likelihood from Incomplete Data via the EM Algorithm", 1977,
    Sec. 4.3.

    Example:
        >>> import numpy as np
        >>> from tfvae import density
        >>> x = np.random.default_rng(0).normal(size=[100, 2]) + 8.0 * (np.arange(100)[:, None] < 50)
        >>> px = density.NormalMixture(2).fit(x)
        >>> sorted(px.distribution.mixture_distribution.probs_parameter().numpy().round(2).tolist())
        [0.5, 0.5]
    """

    def __init__(
        self,
        components: int,
        family: type[tfd.Distribution] = tfd.MultivariateNormalTriL,
        *,
        restarts: int = 1,
        seed: int = 0,
        dtype: str | None = None,
    ):
        super().__init__(dtype)
        self.components = positive_int("components", components)
        if family not in _COVARIANCES:
            names = ", ".join(f"tfd.{each.__name__}" for each in _COVARIANCES)
            raise ValueError(f"Expected a family among {names}. Received: family={family!r}")
        self.family = family
        self.restarts, self.seed = positive_int("restarts", restarts), whole_number_in("seed", seed, 0, 2**32 - 1)

    def _estimate(self, x: np.ndarray) -> tfd.Distribution:
        if x.ndim != 2 or len(x) < max(2, self.components):
            raise ValueError(
                f"Expected vectors, [n, D], and at least {max(2, self.components)}. Received: x.shape={x.shape}"
            )
        options = {"n_init": self.restarts, "random_state": self.seed, "max_iter": 1000}
        fitted = GaussianMixture(self.components, covariance_type=_COVARIANCES[self.family][0], **options)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            try:
                fitted.fit(x)
            except ConvergenceWarning as error:
                raise ValueError(
                    f"Expected examples for which {self.components} components converge; try fewer, another seed or "
                    f"restarts. Received: {error}"
                ) from None
        scale = _COVARIANCES[self.family][1](fitted.covariances_)
        weights, loc, scale = (tf.constant(each, self.dtype) for each in (fitted.weights_, fitted.means_, scale))
        return Mixture(tfd.Categorical(logits=tf.math.log(weights)), self.family(loc, scale))
