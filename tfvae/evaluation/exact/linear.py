"""The evidence of linear-Gaussian models in closed form."""

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.observed import SelfMaskedElements
from tfvae.evaluation.exact.record import ExactEvidence
from tfvae.models.variational import AbstractVAE, require_vae
from tfvae.random import generator

_TRIES = 5  # points at which a decoder is tried for being affine
_FAR = 3.0  # their scale
_CLOSE = 1e-4  # relative


def linear_gaussian(model: AbstractVAE, x: object) -> ExactEvidence:
    """Compute log p(x) of a model whose decoder is affine in z, with normal noise and a normal prior.

        z ~ N(m, S),  x | z ~ N(W z + b, N):   log p(x) = log N(x | W m + b, W S W^T + N)

    W, b and N are read off the decoder by calling it, whatever its network is made of. Under `heads.Incomplete` it is
    log p(x_o), of what was observed, if values are missing at random.

    Args:
        model: a model of the library with a normal prior and posterior.
        x: examples, [n, *event]; NaN is missing, where the likelihood says so.

    Returns:
        An `ExactEvidence`, with KL(q(z | x) || p(z | x)) in closed form too.

    Raises:
        ValueError: if the decoder is not affine, its scale depends on z, a distribution is not normal, or values are
            missing because of what they are.

    Reference: C. Bishop, "Pattern Recognition and Machine Learning", 2006, Eq. (2.115) and (2.116).

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae import heads, networks, priors
        >>> encoder = tfvae.Encoder(networks.mlp(), heads.DiagonalNormal(1))
        >>> decoder = tfvae.Decoder(networks.mlp(), heads.Normal(3, 0.5))
        >>> model = tfvae.VAE(encoder, decoder, priors.StandardNormal(1), seed=0)
        >>> tfvae.evaluation.exact.linear_gaussian(model, np.zeros([2, 3])).per_example.shape
        (2,)
    """
    require_vae(model)
    checked = model.check.array(x)
    flat = checked.reshape(len(checked), -1).astype(np.float64)
    prior = _normal("prior", model.prior())
    q = _normal("posterior", model.encoder(tf.constant(checked, model.variable_dtype)))
    evidence, posterior = _condition(flat, prior, *_affine(model))
    return ExactEvidence(evidence, tfd.kl_divergence(q, posterior).numpy(), 0.0, 0.0, "closed form")


def _condition(
    x: np.ndarray, prior: tfd.Distribution, weights: np.ndarray, bias: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, tfd.Distribution]:
    """Return log p(x) of each x, [n], and p(z | x), where values that are missing, NaN, say nothing.

    By Bayes' rule log p(x) is log p(x | z) + log p(z) - log p(z | x) at any z: here at the mean of the posterior.
    """
    missing = np.isnan(x)
    seen = ~missing if missing.any() else np.ones([1, x.shape[1]])  # one covariance for all, where nothing is missing
    outer = (weights[:, :, None] * weights[:, None, :]).reshape(len(weights), -1)  # [d, D D]
    start, size = prior.covariance().numpy(), weights.shape[1]
    precision = np.linalg.inv(start) + (seen / noise @ outer).reshape(-1, size, size)
    covariance = np.linalg.inv(precision)  # [n or 1, D, D]
    off = np.where(missing, 0.0, x - bias)
    pull = off / noise @ weights + np.linalg.solve(start, prior.mean().numpy())  # [n, D]
    centre = (covariance @ pull[:, :, None])[:, :, 0]
    posterior = tfd.MultivariateNormalTriL(centre, np.linalg.cholesky(covariance))
    square = np.where(missing, 0.0, (x - bias - centre @ weights.T) ** 2)
    scored = -0.5 * np.sum(square / noise + seen * np.log(2 * np.pi * noise), 1)
    return scored + (prior.log_prob(centre) - posterior.log_prob(centre)).numpy(), posterior


def _normal(role: str, distribution: tfd.Distribution) -> tfd.MultivariateNormalTriL:
    """Return a normal distribution of a vector in float64."""
    if not isinstance(distribution, (tfd.MultivariateNormalDiag, tfd.MultivariateNormalTriL)):
        raise ValueError(f"Expected a normal {role}. Received: {distribution.name}")
    scale = tf.cast(distribution.scale.to_dense(), tf.float64)
    return tfd.MultivariateNormalTriL(tf.cast(distribution.mean(), tf.float64), scale)


def _affine(model: AbstractVAE) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return W [d, D], b [d] and the variances [d] of the noise, read off the decoder."""
    size = model.fits.latent_dim
    tried = _FAR * generator(0).normal(size=[_TRIES, size])
    z = np.concatenate([np.zeros([1, size]), np.eye(size), tried])
    px = model.decoder(tf.constant(z, model.variable_dtype))
    if isinstance(px, SelfMaskedElements):
        raise ValueError(
            "Expected values that are missing at random, heads.AtRandom(): with a mechanism that looks at them the "
            "evidence has no closed form; use exact.quadrature for one or two latent dimensions, or "
            f"evaluation.log_evidence. Received: likelihood {model.fits.likelihood}"
        )
    family = px.distribution if isinstance(px, tfd.Independent) else px
    if not isinstance(family, (tfd.Normal, tfd.MultivariateNormalDiag)):
        raise ValueError(f"Expected a normal likelihood. Received: {model.fits.likelihood}")
    loc, variance = (part.numpy().reshape(len(z), -1).astype(np.float64) for part in (px.mean(), px.variance()))
    weights, bias = (loc[1 : size + 1] - loc[0]).T, loc[0]
    near = np.abs(loc[size + 1 :] - tried @ weights.T - bias) <= _CLOSE * np.abs(loc).max()
    same = np.abs(variance - variance[0]) <= _CLOSE * variance[0]
    if not near.all() or not same.all():
        wrong = "a mean that is not affine in z" if not near.all() else "a scale that depends on z"
        raise ValueError(
            f"Expected a decoder with an affine mean, such as networks.mlp() without hidden layers, and a scale that "
            f"does not depend on z; for one or two latent dimensions use exact.quadrature. Received: {wrong}"
        )
    return weights, bias, variance[0]
