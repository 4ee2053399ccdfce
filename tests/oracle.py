"""Linear-Gaussian models, whose evidence and posterior are known in closed form.

z ~ N(0, I), x | z ~ N(W z + b, s^2 I): log p(x) = log N(x | b, W W^T + s^2 I), and p(z | x) is normal with covariance
(I + W^T W / s^2)^-1, which is diagonal when the columns of W are orthogonal.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.stats import multivariate_normal

import tfvae
from tfvae import heads, networks, priors
from tfvae.heads.scales import SCALE_FLOOR


class LinearGaussian(NamedTuple):
    """A model, data drawn from it, and the truth."""

    model: tfvae.VAE
    x: np.ndarray
    log_px: np.ndarray
    w: np.ndarray
    b: np.ndarray
    sigma: float


def linear_gaussian(latent, size, *, seed=0, sigma=0.7, widen=1.0, shift=0.0, orthogonal=False, n=200, dtype="float32"):
    """Return a model whose posterior has the true mean plus `shift` and the true marginal scales times `widen`."""
    rng = np.random.default_rng(seed)
    w, b = rng.normal(size=[size, latent]), rng.normal(size=size)
    if orthogonal:
        w = np.linalg.qr(w)[0] * rng.uniform(0.5, 2.0, latent)
    x = rng.normal(size=[n, latent]) @ w.T + b + sigma * rng.normal(size=[n, size])
    x = x.astype(dtype)
    covariance = np.linalg.inv(np.eye(latent) + w.T @ w / sigma**2)
    gain = covariance @ w.T / sigma**2  # [D, X]
    scale = widen / np.sqrt(np.diag(np.linalg.inv(covariance)))  # of z_d given the others: what a mean field has
    raw = np.log(np.expm1(scale - SCALE_FLOOR)) - math.log(math.e - 1)
    encoder = tfvae.Encoder(networks.mlp(), heads.DiagonalNormal(latent, dtype=dtype), dtype=dtype)
    decoder = tfvae.Decoder(networks.mlp(), heads.Normal(size, sigma, dtype=dtype), dtype=dtype)
    model = tfvae.VAE(encoder, decoder, priors.StandardNormal(latent, dtype=dtype), seed=seed, dtype=dtype)
    zeros = np.zeros([size, latent])
    encoder.head.projection.linear.set_weights(
        [np.concatenate([gain.T, zeros], 1), np.concatenate([shift - gain @ b, raw])]
    )
    decoder.head.projection.linear.set_weights([w.T, b])
    truth = multivariate_normal(b, w @ w.T + sigma**2 * np.eye(size)).logpdf(x)
    return LinearGaussian(model, x, truth, w, b, sigma)
