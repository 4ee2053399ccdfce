"""The evidence lower bound and its two terms over a data set, with standard errors."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfvae.errors import positive_int
from tfvae.evaluation.batches import compiled, per_example, standard_error
from tfvae.models.base import AbstractVAE
from tfvae.random import Seed, as_seed


@dataclass(frozen=True)
class Bound:
    """The ELBO at beta = 1, its rate and its distortion, in nats per example: elbo = -(rate + distortion)."""

    elbo: float
    """Mean evidence lower bound."""
    rate: float
    """Mean KL(q(z | x) || p(z))."""
    distortion: float
    """Mean -E_q[log p(x | z)]."""
    standard_errors: dict[str, float]
    """Standard error over the data of each of the three."""
    per_example: np.ndarray
    """The ELBO of each example."""
    examples: int
    """Number of examples."""

    def __str__(self) -> str:
        errors = self.standard_errors.items()
        terms = ", ".join(f"{key} {getattr(self, key):.2f} ± {error:.2f}" for key, error in errors)
        return f"{terms} (data), n = {self.examples}"


def elbo(
    model: AbstractVAE,
    data: object,
    samples: int = 1,
    seed: int | tuple[int, int] = 0,
    *,
    progress: bool = True,
) -> Bound:
    """Measure the evidence lower bound with `samples` draws an example, whatever the objective in training.

        E_q(z|x)[log p(x | z)] - KL(q(z | x) || p(z))

    Args:
        model: a model of the library.
        data: an array of examples [n, *event], or a data set of batches [B, *event].
        samples: draws of z for each example.
        seed: one or two 32-bit integers.
        progress: show a progress bar.

    Returns:
        A `Bound`, in nats per example.

    Raises:
        ValueError: if `samples` is not positive, the posterior is a point mass, or the data is empty, of another shape,
            or off the support.

    Reference: D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2014, Eq. (3),
    https://arxiv.org/abs/1312.6114.

    Example:
        >>> import numpy as np, tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, seed=0)
        >>> bound = tfvae.evaluation.elbo(model, np.zeros([3, 8, 8, 1]), progress=False)
        >>> abs(bound.elbo + bound.rate + bound.distortion) < 1e-3
        True
    """
    samples, start = positive_int("samples", samples), as_seed(seed)

    def terms_of(x: tf.Tensor, words: tf.Tensor, first: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        trace = model.trace(x, samples, Seed(words, example=first))
        return tf.cast(trace.rate, tf.float64), tf.cast(trace.distortion, tf.float64)

    measure = compiled(model, ("elbo", samples), terms_of)
    rate, distortion = per_example(
        model, data, lambda x, index: measure(x, start.words, start.example + index), progress
    )
    terms = {"elbo": -(rate + distortion), "rate": rate, "distortion": distortion}
    means = {key: float(values.mean()) for key, values in terms.items()}
    errors = {key: standard_error(values) for key, values in terms.items()}
    return Bound(**means, standard_errors=errors, per_example=terms["elbo"], examples=len(rate))
