"""Which latent units are active: whose posterior mean depends on x."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.moments import centre, moments
from tfvae.errors import number_in
from tfvae.evaluation.batches import compiled, per_example
from tfvae.evaluation.latent.plain import numbers
from tfvae.evaluation.printing import about_examples, plain
from tfvae.models.base import Batch
from tfvae.models.variational import AbstractVAE

REMEDY = (
    "let the weight of the rate rise from 0 (KL warm-up: objectives.ELBO(objectives.schedules.Linear(steps))), give "
    "each dimension nats that cost nothing (objectives.ELBO(free_bits=0.25)), or lower beta"
)


@dataclass(frozen=True)
class ActiveUnits:
    """How many elements of z are active: Var_x(E[z_d | x]) above a threshold."""

    count: int
    """Number of active units."""
    variances: np.ndarray
    """Variance over the data of the posterior mean of each unit, [D]."""
    standard_errors: np.ndarray
    """Standard error over the data of each variance, [D]."""
    threshold: float
    """Variance above which a unit counts as active."""
    examples: int
    """Number of examples."""

    @property
    def active(self) -> np.ndarray:
        """Whether each unit is active, [D]."""
        return self.variances > self.threshold

    @property
    def uncertain(self) -> int:
        """Number of units whose variance is within two standard errors of the threshold."""
        return int(np.sum(np.abs(self.variances - self.threshold) < 2 * self.standard_errors))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try."""
        size, found = len(self.variances), list(about_examples(self.examples))
        if self.count == 0:
            found.append(
                f"The posterior has collapsed: none of the {size} units is active, so z tells nothing of x. To use "
                f"them, {REMEDY}."
            )
        elif self.count < size:
            found.append(
                f"{size - self.count} of {size} units are inactive. To use more of them, {REMEDY}; to do without them, "
                "choose a smaller latent_dim."
            )
        return tuple(found)

    def __str__(self) -> str:
        return (
            f"active units {self.count} of {len(self.variances)} ({self.uncertain} within two standard errors of the "
            f"threshold {self.threshold:g}), n = {self.examples}"
        )

    def rows(self) -> dict[str, str]:
        """Return what a table of a report shows."""
        return {"active units": f"{self.count} of {len(self.variances)} ({self.uncertain} uncertain)"}

    def as_json(self) -> dict:
        """Return plain numbers."""
        return {
            "active_units": self.count,
            "latent_dim": len(self.variances),
            "uncertain": self.uncertain,
            "threshold": self.threshold,
            "variances": numbers(self.variances),
            "standard_errors": numbers(self.standard_errors),
            "largest_variance": plain(self.variances.max()),
            "examples": self.examples,
        }


def active_units(model: AbstractVAE, data: object, threshold: float = 0.01, *, progress: bool = True) -> ActiveUnits:
    """Count the units of z whose posterior mean varies over the data.

        A_d = Var_x(E_q(z|x)[z_d]) > 0.01

    The variance divides by n. It is taken over the data that is given, whatever that is: the published counts come
    from code that took the first 500 training images, and are met with `splits.array("train")[:500]`. Of a flow, whose
    mean has no closed form, the image of the base's mean is taken, which is free of noise; a point mass is its own
    mean.

    Args:
        model: a model of the library.
        data: an array of examples [n, *event], or a data set of batches [B, *event].
        threshold: in the squared unit of z, at least 0.
        progress: show a progress bar.

    Returns:
        An `ActiveUnits`.

    Raises:
        ValueError: if `threshold` is negative, or the data is empty, of another shape, or off the support.

    Reference: Y. Burda, R. Grosse and R. Salakhutdinov, "Importance Weighted Autoencoders", 2016, Sec. 5,
    https://arxiv.org/abs/1509.00519.

    Example:
        >>> import numpy as np, tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, seed=0)
        >>> tfvae.evaluation.active_units(model, np.zeros([3, 8, 8, 1]), progress=False).count  # no x differs
        0
    """
    threshold = number_in("threshold", threshold, 0.0)
    means_of = compiled(
        model,
        ("active_units",),
        lambda x: (tf.cast(_moved(model, x), tf.float64),),
        asks_for_rate=False,
        xla=False,
        conditions=True,
    )
    (means,) = per_example(model, data, lambda x, _: means_of(x), progress)  # [n, D]
    squares = np.square(means - means.mean(0))
    variances = squares.mean(0)
    errors = squares.std(0) / np.sqrt(len(means)) if len(means) > 1 else np.full(len(variances), np.nan)
    return ActiveUnits(int(np.sum(variances > threshold)), variances, errors, threshold, len(means))


def _moved(model: AbstractVAE, x: Batch) -> tf.Tensor:
    """Return the posterior's mean, [B, D], from where the prior's is if that depends on the condition."""
    at, own = model.at(x)
    p = at.prior()
    mean = _mean(at.encoder(own))
    return mean - _mean(p) if p.batch_shape.rank else mean


def _mean(q: tfd.Distribution) -> tf.Tensor:
    """Return the mean of a posterior, [B, D], by a rule whose value depends on x alone: noise would look active."""
    ruled = moments.dispatch(type(q)) is not moments.dispatch(object)
    return moments(q)[0] if ruled else centre(q)
