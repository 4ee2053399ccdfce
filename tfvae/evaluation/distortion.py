"""The distortion over a data set, with its standard error: what is left to measure where a posterior has no rate."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfvae.errors import positive_int
from tfvae.evaluation.batches import compiled, per_example, standard_error
from tfvae.evaluation.printing import about_examples, plain, plus_minus
from tfvae.models.variational import AbstractVAE
from tfvae.random import Seed, as_seed


@dataclass(frozen=True)
class Distortion:
    """The mean of -E_q[log p(x | z)] over a data set, in nats per example."""

    mean: float
    """Mean distortion."""
    standard_error: float
    """Standard error of the mean over the data."""
    per_example: np.ndarray
    """The distortion of each example."""
    examples: int
    """Number of examples."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the number, and what to try."""
        return about_examples(self.examples)

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        return {"distortion": plus_minus(self.mean, self.standard_error)}

    def as_json(self) -> dict:
        """Return the number with its error, in nats per example."""
        numbers = {"mean": plain(self.mean), "standard_error": plain(self.standard_error)}
        return {"unit": "nats per example", **numbers, "examples": self.examples}

    def __str__(self) -> str:
        return f"distortion {plus_minus(self.mean, self.standard_error)} (data), n = {self.examples}"


def distortion(
    model: AbstractVAE,
    data: object,
    samples: int = 1,
    seed: int | tuple[int, int] = 0,
    *,
    progress: bool = True,
) -> Distortion:
    """Measure how badly a model reconstructs, with `samples` draws an example: defined for every posterior.

        -E_q(z|x)[log p(x | z)]

    Args:
        model: a model of the library.
        data: an array of examples [n, *event], or a data set of batches [B, *event].
        samples: draws of z for each example; all are the same from a point mass.
        seed: one or two 32-bit integers.
        progress: show a progress bar.

    Returns:
        A `Distortion`, in nats per example.

    Raises:
        ValueError: if `samples` is not positive, or the data is empty, of another shape, or off the support.

    Reference: A. Alemi et al., "Fixing a Broken ELBO", 2018, Sec. 2, https://arxiv.org/abs/1711.00464.

    Example:
        >>> import numpy as np, tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, seed=0)
        >>> tfvae.evaluation.distortion(model, np.zeros([3, 8, 8, 1]), progress=False).mean > 0
        True
    """
    samples, start = positive_int("samples", samples), as_seed(seed)

    def of(x: tf.Tensor, words: tf.Tensor, first: tf.Tensor) -> tuple[tf.Tensor]:
        return (tf.cast(model.trace(x, samples, Seed(words, example=first)).distortion, tf.float64),)

    measure = compiled(model, ("distortion", samples), of, asks_for_rate=False, conditions=True)
    (values,) = per_example(model, data, lambda x, index: measure(x, start.words, start.example + index), progress)
    return Distortion(float(values.mean()), standard_error(values), values, len(values))
