"""What stands where values are missing: their mean, and draws that keep what is not known."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.distributions.dialogue import Replies
from tfvae.distributions.proposals import proposal
from tfvae.errors import positive_int
from tfvae.models.variational import AbstractVAE, require_vae
from tfvae.random import Seed, another, as_seed, generator

_EXAMPLES = 100  # in a batch


class Imputation(NamedTuple):
    """Examples whose missing values were filled; observed ones are as they came."""

    mean: np.ndarray
    """With E[x_m | x_o], [n, *event]: the best guess of each value by squared error."""
    draws: np.ndarray
    """With draws of p(x_m | x_o), [draws, n, *event]: what is computed from each of them differs by what is not
    known."""
    effective_sample_size: np.ndarray
    """Of the importance weights of each example, from 1 to `samples`: where it is small, draw more."""


def impute(
    model: AbstractVAE, x: object, draws: int = 1, samples: int = 1000, seed: int | tuple[int, int] = 0
) -> Imputation:
    """Fill missing values, NaN or under a mask of NumPy's, by importance sampling and resampling.

        E[x_m | x_o] ~ sum_k w_k E[x_m | z_k],   w_k ~ p(x_o | z_k) p(z_k) / q(z_k | x_o),   z_k ~ q(z | x_o)
        x_m ~ p(x_m | z_k) with k drawn by its weight

    Args:
        model: a model whose likelihood is `heads.Incomplete`, or `heads.Modality` for blocks of columns.
        x: examples with NaN, or a masked array, [n, *event].
        draws: how many imputations are drawn.
        samples: K, importance samples for each example.
        seed: one or two 32-bit integers.

    Raises:
        ValueError: if the model scores no missing values, a number is not positive, or x is off the support.

    Reference: P.-A. Mattei and J. Frellsen, "MIWAE: Deep Generative Modelling and Imputation of Incomplete Data Sets",
    2019, Eq. (9) to (12), https://arxiv.org/abs/1812.02633.

    Example:
        >>> import keras, numpy as np, tfvae
        >>> from tfvae import evaluation, heads, networks, objectives, priors
        >>> encoder = tfvae.Encoder(keras.Sequential([networks.FillMissing(), *networks.mlp(8).layers]),
        ...                         heads.DiagonalNormal(1))
        >>> decoder = tfvae.Decoder(networks.mlp(8), heads.Incomplete(heads.Normal(2)))
        >>> model = tfvae.VAE(encoder, decoder, priors.StandardNormal(1), objectives.IWAE(5))
        >>> evaluation.impute(model, [[1.5, np.nan]], draws=3).draws[:, 0, 0]
        array([1.5, 1.5, 1.5], dtype=float32)
    """
    require_vae(model)
    if not model.fits.support.missing or not model.fits.has_rate:
        raise ValueError(
            "Expected a likelihood of incomplete data, heads.Incomplete(head), and a posterior with a density. "
            f"Received: likelihood {model.fits.likelihood}, posterior {model.fits.posterior}"
        )
    if isinstance(model.decoder(tf.zeros([1, model.fits.latent_dim], model.variable_dtype)), Replies):
        raise ValueError(
            "Expected a likelihood that z alone decides, such as that of a deep Markov model. Received: one that is "
            f"given what was observed before, of {type(model).__name__} {model.name!r}"
        )
    draws, samples, start = positive_int("draws", draws), positive_int("samples", samples), as_seed(seed)
    checked = model.check.array(x).astype(model.variable_dtype)
    parts = [
        _filled(model, checked[first : first + _EXAMPLES], draws, samples, start._replace(example=first))
        for first in range(0, len(checked), _EXAMPLES)
    ]
    mean, drawn, size = zip(*parts, strict=True)
    return Imputation(np.concatenate(mean), np.concatenate(drawn, 1), np.concatenate(size))


def _filled(
    model: AbstractVAE, x: np.ndarray, draws: int, samples: int, seed: Seed
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    trace = model.trace_from(proposal(model.encoder(tf.constant(x))), tf.constant(x), samples, seed)
    weights = tf.nn.softmax(trace.log_weights, 0).numpy()  # [K, B]
    mean = np.einsum("kb,kb...->b...", weights, trace.px.missing_mean().numpy())
    rng = generator([int(word) for word in another(seed, seed.example + 1).words.numpy()])
    edges = np.cumsum(weights, 0, dtype=np.float64)
    chosen = np.sum(rng.random([draws, 1, len(x)]) * edges[-1] > edges, 1).clip(0, samples - 1)  # [draws, B]
    picked = tf.gather(tf.transpose(trace.z, [1, 0, 2]), tf.constant(chosen.T), batch_dims=1)  # [B, draws, D]
    drawn = model.decoder(picked).missing_draw(another(seed, 1)).numpy().swapaxes(0, 1)  # noise by example
    missing = np.isnan(x)
    return np.where(missing, mean, x), np.where(missing, drawn, x), 1.0 / np.sum(weights**2, 0)
