"""The evidence lower bound and its two terms over a data set, with standard errors."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfvae.errors import positive_int
from tfvae.evaluation.batches import compiled, per_example, standard_error
from tfvae.evaluation.printing import about_examples, plain, plus_minus
from tfvae.models.variational import AbstractVAE
from tfvae.random import Seed, as_seed

_COLLAPSED = 0.01  # nats of a rate that says nothing


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

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the model, and what to try."""
        found = list(about_examples(self.examples))
        if self.rate < _COLLAPSED:
            found.append(
                f"The rate is {self.rate:.2g} nats: z tells nothing of x, the posterior has collapsed to the prior. "
                "Raise beta from 0 during training, give free bits, or weaken the decoder."
            )
        return tuple(found)

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        errors = self.standard_errors
        return {
            title: plus_minus(getattr(self, key), errors[key])
            for title, key in (("ELBO", "elbo"), ("rate", "rate"), ("distortion", "distortion"))
        }

    def as_json(self) -> dict:
        """Return the numbers with their errors, in nats per example."""
        terms = {
            key: {"mean": plain(getattr(self, key)), "standard_error": plain(error)}
            for key, error in self.standard_errors.items()
        }
        return {"unit": "nats per example", **terms, "examples": self.examples}

    def __str__(self) -> str:
        terms = (f"{key} {plus_minus(getattr(self, key), error)}" for key, error in self.standard_errors.items())
        return f"{', '.join(terms)} (data), n = {self.examples}"


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

    measure = compiled(model, ("elbo", samples), terms_of, conditions=True)
    rate, distortion = per_example(
        model, data, lambda x, index: measure(x, start.words, start.example + index), progress
    )
    terms = {"elbo": -(rate + distortion), "rate": rate, "distortion": distortion}
    means = {key: float(values.mean()) for key, values in terms.items()}
    errors = {key: standard_error(values) for key, values in terms.items()}
    return Bound(**means, standard_errors=errors, per_example=terms["elbo"], examples=len(rate))
