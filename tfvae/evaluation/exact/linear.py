"""The evidence of linear-Gaussian models in closed form."""

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.evaluation.exact.record import ExactEvidence
from tfvae.models.variational import AbstractVAE, require_vae
from tfvae.random import generator

_TRIES = 5  # points at which a decoder is tried for being affine
_FAR = 3.0  # their scale
_CLOSE = 1e-4  # relative


def linear_gaussian(model: AbstractVAE, x: object) -> ExactEvidence:
    """Compute log p(x) of a model whose decoder is affine in z, with normal noise and a normal prior.

        z ~ N(m, S),  x | z ~ N(W z + b, N):   log p(x) = log N(x | W m + b, W S W^T + N)

    W, b and N are read off the decoder by calling it, whatever its network is made of.

    Args:
        model: a model of the library with a normal prior and posterior.
        x: examples, [n, *event].

    Returns:
        An `ExactEvidence`, with KL(q(z | x) || p(z | x)) in closed form too.

    Raises:
        ValueError: if the decoder is not affine, its scale depends on z, or a distribution is not normal.

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
    weights, bias, noise = _affine(model)
    seen = tfd.MultivariateNormalFullCovariance(
        weights @ prior.mean().numpy() + bias, weights @ prior.covariance().numpy() @ weights.T + np.diag(noise)
    )
    precision = np.linalg.inv(prior.covariance().numpy()) + weights.T / noise @ weights
    covariance = np.linalg.inv(precision)
    shift = np.linalg.solve(prior.covariance().numpy(), prior.mean().numpy())
    centre = ((flat - bias) / noise @ weights + shift) @ covariance  # [n, D]
    posterior = tfd.MultivariateNormalTriL(centre, np.linalg.cholesky(covariance))
    q = _normal("posterior", model.encoder(tf.constant(checked, model.variable_dtype)))
    divergence = tfd.kl_divergence(q, posterior).numpy()
    return ExactEvidence(seen.log_prob(flat).numpy(), divergence, 0.0, 0.0, "closed form")


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
