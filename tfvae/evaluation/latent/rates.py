"""The rate of each dimension of z."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfvae.distributions.factors import factors
from tfvae.distributions.factors import rate_per_dimension as closed_rates
from tfvae.errors import positive_int
from tfvae.evaluation.batches import compiled, per_example, standard_error
from tfvae.evaluation.latent import ability
from tfvae.evaluation.latent.plain import measured, numbers
from tfvae.evaluation.printing import about_examples, plus_minus
from tfvae.models.variational import AbstractVAE
from tfvae.random import Seed, as_seed, draw


@dataclass(frozen=True)
class RatePerDimension:
    """The mean of KL(q(z_d | x) || p(z_d)) over a data set, in nats per example, for each d."""

    means: np.ndarray
    """Mean rate of each dimension, [D]."""
    standard_errors: np.ndarray
    """Standard error over the data, and over the draws where there are any, of each, [D]."""
    total: float
    """Mean rate: their sum."""
    total_standard_error: float
    """Standard error of the sum."""
    samples: int
    """Draws for each example; 0 where the rate is exact."""
    examples: int
    """Number of examples."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong; `ActiveUnits` tells of a collapse."""
        return about_examples(self.examples)

    def __str__(self) -> str:
        largest = int(np.argmax(self.means))
        how = f"K = {self.samples}" if self.samples else "exact"
        return (
            f"rate {plus_minus(self.total, self.total_standard_error)} nats over {len(self.means)} dimensions, most in "
            f"dimension {largest}: {plus_minus(self.means[largest], self.standard_errors[largest])} ({how}), "
            f"n = {self.examples}"
        )

    def rows(self) -> dict[str, str]:
        """Return what a table of a report shows."""
        largest = int(np.argmax(self.means))
        return {
            "rate": plus_minus(self.total, self.total_standard_error),
            "largest rate of a dimension": plus_minus(self.means[largest], self.standard_errors[largest]),
        }

    def as_json(self) -> dict:
        """Return plain numbers, in nats per example."""
        return {
            "unit": "nats per example",
            "rate": measured(self.total, self.total_standard_error),
            "per_dimension": numbers(self.means),
            "standard_errors": numbers(self.standard_errors),
            "samples": self.samples,
            "examples": self.examples,
        }


def rate_per_dimension(
    model: AbstractVAE,
    data: object,
    samples: int = 16,
    seed: int | tuple[int, int] = 0,
    *,
    progress: bool = True,
) -> RatePerDimension:
    """Measure what each dimension of z costs: exactly where TFP has a closed form, else by draws.

        R_d = E_x[KL(q(z_d | x) || p(z_d))],   sum_d R_d = rate

    It is defined where the elements of z are independent under the posterior and under the prior.

    Args:
        model: a model of the library.
        data: an array of examples [n, *event], or a data set of batches [B, *event].
        samples: draws for each example where the divergence has no closed form.
        seed: one or two 32-bit integers.
        progress: show a progress bar.

    Returns:
        A `RatePerDimension`, in nats per example.

    Raises:
        ValueError: if `samples` is not positive, the elements of posterior or prior are not independent, the posterior
            is a point mass, or the data is empty, of another shape, or off the support.

    Reference: D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2014, App. B,
    https://arxiv.org/abs/1312.6114.

    Example:
        >>> import numpy as np, tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, seed=0)
        >>> tfvae.evaluation.rate_per_dimension(model, np.zeros([3, 8, 8, 1]), progress=False).means.shape
        (2,)
    """
    samples, start = positive_int("samples", samples), as_seed(seed)
    if refused := ability.no_rate_per_dimension(model):
        raise ValueError(refused)
    samples = 0 if ability.closed(model) else samples
    measure = compiled(model, ("rate_per_dimension", samples), _rates(model, samples), xla=False, conditions=True)
    (rates,) = per_example(model, data, lambda x, index: measure(x, start.words, start.example + index), progress)
    total = rates.sum(1)  # [n, D] to [n]
    errors = np.array([standard_error(column) for column in rates.T])
    return RatePerDimension(rates.mean(0), errors, float(total.mean()), standard_error(total), samples, len(rates))


def _rates(model: AbstractVAE, samples: int) -> Callable:
    def of(x: tf.Tensor, words: tf.Tensor, first: tf.Tensor) -> tuple[tf.Tensor]:
        at, own = model.at(x)
        q, p = at.encoder(own), at.prior()
        if samples == 0:
            return (tf.cast(closed_rates(q, p), tf.float64),)
        z = draw(q, samples, Seed(words, example=first))  # [S, B, D]
        return (tf.cast(tf.reduce_mean(factors(q).log_prob(z) - factors(p).log_prob(z), 0), tf.float64),)

    return of
