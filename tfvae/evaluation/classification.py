"""Classification by a generative model: p(y | x) from p(x, y)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from scipy.special import logsumexp

from tfvae.errors import positive_int
from tfvae.evaluation.batches import standard_error
from tfvae.heads.support import ONE_HOT
from tfvae.models.directed import DirectedModel
from tfvae.random import Seed, as_seed

_EXAMPLES = 100  # in a batch


@dataclass(frozen=True)
class ClassPosterior:
    """The probabilities of the classes of each example."""

    log_joint: np.ndarray
    """Log p(x, y) of every class y, [n, C], in nats: exact without latent variables, else estimated."""

    @property
    def log_evidence(self) -> np.ndarray:
        """Log p(x) = log sum_y p(x, y), [n], in nats."""
        return logsumexp(self.log_joint, -1)

    @property
    def probabilities(self) -> np.ndarray:
        """The posterior p(y | x) of every class y, [n, C]."""
        return np.exp(self.log_joint - self.log_evidence[:, None])

    def accuracy(self, labels: np.ndarray) -> tuple[float, float]:
        """Return the share of the examples whose most probable class is the true one, and its standard error.

        Raises:
            ValueError: if there is not one number of a class for each example.
        """
        truth = np.asarray(labels)
        n, classes = self.log_joint.shape
        if truth.shape != (n,) or not np.isin(truth, np.arange(classes)).all():
            raise ValueError(
                f"Expected the number of a class, 0 to {classes - 1}, for each of {n} examples. Received: labels of "
                f"shape {list(truth.shape)}, {truth.ravel()[:5]} ..."
            )
        right = (self.log_joint.argmax(-1) == truth).astype(float)
        return float(right.mean()), standard_error(right)


def class_posterior(
    model: DirectedModel, values: Mapping[str, object], label: str, samples: int = 100, seed: int | tuple[int, int] = 0
) -> ClassPosterior:
    """Classify by Bayes' rule with a directed model.

        p(y | x) = p(x, y) / sum_y' p(x, y'),   p(x, y) ~ 1/S sum_s p(x, y, z_s) / q(z_s | x, y),   z_s ~ q(z | x, y)

    All classes share one noise. Log p(x, y) is too low rather than too high, as any estimate by importance sampling.

    Args:
        model: a `models.DirectedModel`; of a `SemiSupervised` one its `model`.
        values: of the observed variables without the label, [n, *event] each.
        label: name of the variable that is the class, `heads.OneHotCategorical`.
        samples: S, draws of the latent variables for each example and class.
        seed: of the draws.

    Raises:
        TypeError: if `model` is no directed model.
        ValueError: if the label is no class, or values are refused.

    Reference: D. Kingma et al., "Semi-supervised Learning with Deep Generative Models", 2014, Sec. 2,
    https://arxiv.org/abs/1406.5298; Y. Burda et al., "Importance Weighted Autoencoders", 2016, Eq. (8),
    https://arxiv.org/abs/1509.00519.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae import evaluation, heads, networks, priors
        >>> from tfvae.models import DirectedModel, Variable
        >>> model = DirectedModel([
        ...     Variable("y", priors.Learned(heads.OneHotCategorical(3))),
        ...     Variable("x", tfvae.Conditional(networks.mlp(), heads.DiagonalNormal(2)), parents=["y"]),
        ... ])
        >>> evaluation.class_posterior(model, {"x": np.zeros([5, 2])}, "y").probabilities.shape
        (5, 3)
    """
    if not isinstance(model, DirectedModel):
        raise TypeError(f"Expected a models.DirectedModel. Received: model={model!r:.60}")
    node = model.graph.nodes.get(label) if isinstance(label, str) else None
    if node is None or node.support is not ONE_HOT or label in model.recognition.nodes:
        classes = [each.name for each in model.graph.scored() if each.support is ONE_HOT]
        raise ValueError(
            f"Expected label to name a class without recognition, one of {', '.join(classes) or 'none here'}. "
            f"Received: {label=}"
        )
    samples, start, count = positive_int("samples", samples), as_seed(seed), node.event_shape[0]
    if not isinstance(values, Mapping) or not set(values) - {label}:
        raise ValueError(f"Expected a dictionary of values by name, without {label!r}. Received: {values!r:.60}")
    others = {name: np.atleast_1d(np.asarray(value)) for name, value in values.items() if name != label}
    n = len(next(iter(others.values())))
    checked = model.arrays({**others, label: np.zeros([n], int)})
    score = tf.function(_log_joint, reduce_retracing=True)
    rows = []
    for first in range(0, n, _EXAMPLES):
        batch = {name: tf.constant(value[first : first + _EXAMPLES]) for name, value in checked.items()}
        own = start._replace(example=tf.constant(first))
        rows.append(np.stack([score(model, batch, label, tf.constant(c), samples, own) for c in range(count)], -1))
    return ClassPosterior(np.concatenate(rows).astype(np.float64))


def _log_joint(
    model: DirectedModel, batch: dict[str, tf.Tensor], label: str, number: tf.Tensor, samples: int, seed: Seed
) -> tf.Tensor:
    """Return log p(x, y = number) of each example, [B]."""
    one = tf.one_hot(number, batch[label].shape[-1], dtype=batch[label].dtype)
    weights = model.score({**batch, label: tf.zeros_like(batch[label]) + one}, samples, seed).log_weights
    return weights if weights.shape.rank == 1 else tf.reduce_logsumexp(weights, 0) - math.log(samples)
