"""How good the distributions p(y | x) of a conditional model are: likelihood, accuracy, calibration."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfvae.errors import whole_number_in
from tfvae.evaluation.batches import standard_error
from tfvae.evaluation.printing import about_examples, error_of, plain, plus_minus
from tfvae.heads.support import BINARY
from tfvae.models.conditional import ConditionalModel
from tfvae.random import Seed, as_seed, draw, generator

_EXAMPLES = 100  # in a batch
_BINS = 15  # of confidences, as in the reference
_LEVELS = 20  # of the predictive distribution function
_LEAST = 0.01  # p-value below which the calibration is doubted


@dataclass(frozen=True)
class Prediction:
    """The quality of p(y | x) over a data set, with errors.

    The calibration error is never 0 on a finite data set: `calibrated` is what a perfectly calibrated model with these
    predictions would show, and `p_value` how often it would show as much as was measured.
    """

    log_prob: float
    """Mean of log p(y | x), in nats per example."""
    standard_error: float
    """Its standard error over the data."""
    accuracy: float
    """Share of the examples, or of their labels, whose most probable value is the true one; NaN where y is no class."""
    accuracy_error: float
    """Its standard error over the data."""
    calibration_error: float
    """Mean distance of what was predicted from what was seen: of confidences from accuracies, for classes; of the
    levels of the predictive distribution function from the share of y below them, for numbers."""
    calibrated: float
    """Its mean if y were drawn from the model's own predictions."""
    p_value: float
    """Probability that it would then be as large as it is."""
    curve: np.ndarray
    """Predicted and seen frequencies, and how many values each row stands for, [rows, 3]."""
    per_example: np.ndarray
    """The log p(y | x) of each example."""
    examples: int
    """Number of examples."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the predictions, and what to try."""
        found = list(about_examples(self.examples))
        if self.p_value < _LEAST:
            found.append(
                f"The predictions are not calibrated: an error of {self.calibration_error:.3f}, and of a calibrated "
                f"model {self.calibrated:.3f}. Stop training earlier, or use a head that can be less sure, such as "
                "heads.Normal(D, heads.PixelScale()) or heads.NormalMixture."
            )
        return tuple(found)

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        rows = {"log p(y | x)": plus_minus(self.log_prob, self.standard_error)}
        if np.isfinite(self.accuracy):
            rows["accuracy"] = plus_minus(self.accuracy, self.accuracy_error)
        rows["calibration error"] = f"{self.calibration_error:.3f} ({self.calibrated:.3f} if calibrated)"
        return rows

    def as_json(self) -> dict:
        """Return the numbers with their errors."""
        return {
            "log_prob": {"unit": "nats per example", "mean": plain(self.log_prob),
                         "standard_error": plain(self.standard_error)},
            "accuracy": {"mean": plain(self.accuracy), "standard_error": plain(self.accuracy_error)},
            "calibration": {"error": plain(self.calibration_error), "if_calibrated": plain(self.calibrated),
                            "p_value": plain(self.p_value)},
            "examples": self.examples,
        }  # fmt: skip

    def __str__(self) -> str:
        accuracy = f"accuracy {plus_minus(self.accuracy, self.accuracy_error)}, " * bool(np.isfinite(self.accuracy))
        return (
            f"log p(y | x) {plus_minus(self.log_prob, self.standard_error)}, {accuracy}calibration error "
            f"{self.calibration_error:.3f} ({self.calibrated:.3f} if calibrated, p = {error_of(self.p_value)}), "
            f"n = {self.examples}"
        )


def prediction(
    model: ConditionalModel, x: object, y: object, seed: int | tuple[int, int] = 0, *, draws: int = 199
) -> Prediction:
    """Measure p(y | x) on examples.

        sum_b n_b / n |accuracy_b - confidence_b|,  over 15 bins of equal width, of classes
        mean_q |1/n sum_i 1[F(y_i | x_i) <= q] - q|,  q = 1/20, ..., 19/20, of each coordinate of numbers and counts

    F, the predictive distribution function, is the rank of y among draws from p(y | x), with ties broken at random:
    uniform for a calibrated model whatever the family, discrete or not.

    Args:
        model: a `models.ConditionalModel`.
        x: inputs, [n, *event].
        y: what is predicted, [n, *event], or the numbers of classes [n].
        seed: of the draws.
        draws: how many are made of each prediction, at least 19; the p-value is at least 1 / (draws + 1).

    Raises:
        TypeError: if `model` is no conditional model.
        ValueError: for values that the model refuses, or too few draws.

    Reference: of classes, C. Guo et al., "On Calibration of Modern Neural Networks", 2017, Eq. (3),
    https://arxiv.org/abs/1706.04599; of numbers, T. Gneiting, F. Balabdaoui and A. Raftery, "Probabilistic Forecasts,
    Calibration and Sharpness", 2007, Sec. 3.1; what a calibrated model would show, J. Broecker and L. Smith,
    "Increasing the Reliability of Reliability Diagrams", 2007, Sec. 3.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae import evaluation, heads, networks
        >>> py = tfvae.Conditional(networks.mlp(8), heads.OneHotCategorical(3))
        >>> model = tfvae.models.ConditionalModel(py, input_shape=2)
        >>> evaluation.prediction(model, np.zeros([30, 2]), np.arange(30) % 3).examples
        30
    """
    if not isinstance(model, ConditionalModel):
        raise TypeError(f"Expected a models.ConditionalModel. Received: model={model!r}")
    if isinstance(x, tf.data.Dataset):
        raise ValueError(
            "Expected arrays x and y, as calibration looks at all examples at once; np.concatenate the batches. "
            "Received: x, a tf.data.Dataset"
        )
    draws, start = whole_number_in("draws", draws, 19, 10**6), as_seed(seed)
    inputs, truth = model.checked(x, y)
    scores, means, levels = [], [], _Levels(draws, start)
    for first in range(0, len(inputs), _EXAMPLES):
        py, own = model.predict_distribution(inputs[first : first + _EXAMPLES]), truth[first : first + _EXAMPLES]
        scores.append(py.log_prob(own).numpy())
        if _of_labels(model):
            means.append(py.mean().numpy())
        else:
            levels.add(own, draw(py, draws, start._replace(example=first)).numpy())
    per_example = np.concatenate(scores)
    right, errors, curve = np.full(2, np.nan), levels.errors, levels.curve
    if means:
        probabilities, outcomes, right = _labels(model, np.concatenate(means), truth)
        errors, curve = _frequencies(probabilities, outcomes, draws, start)
    return Prediction(
        log_prob=float(per_example.mean()),
        standard_error=standard_error(per_example),
        accuracy=float(right.mean()),
        accuracy_error=standard_error(right),
        calibration_error=float(errors[0]),
        calibrated=float(errors[1:].mean()),
        p_value=float(np.mean(errors > errors[0] - 1e-12)),
        curve=curve,
        per_example=per_example,
        examples=len(per_example),
    )


def _of_labels(model: ConditionalModel) -> bool:
    return model.of_classes or model.support is BINARY


def _labels(model: ConditionalModel, means: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return probabilities, whether they came true, and the share of right labels of each example.

    Of a class there is one probability, that of the most probable class; of binary labels one for each.
    """
    if model.of_classes:
        right = (means.argmax(-1) == y.argmax(-1)).astype(float)
        return means.max(-1), right, right
    flat = means.reshape(len(means), -1), y.reshape(len(y), -1)
    return flat[0].ravel(), flat[1].ravel(), np.mean((flat[0] > 0.5) == (flat[1] > 0.5), -1)


def _frequencies(
    probabilities: np.ndarray, outcomes: np.ndarray, draws: int, seed: Seed
) -> tuple[np.ndarray, np.ndarray]:
    """Return the calibration error, followed by those of outcomes drawn from the probabilities, and the curve."""
    rng = generator(seed.words)
    bins = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    count, confidence = (np.bincount(bins, weights, _BINS) for weights in (np.ones(len(bins)), probabilities))
    seen = [np.bincount(bins, outcomes, _BINS)]
    for _ in range(draws):
        seen.append(np.bincount(bins, rng.random(len(bins)) < probabilities, _BINS))
    errors = np.abs(np.stack(seen) - confidence).sum(1) / len(bins)
    filled = count > 0
    return errors, np.stack([confidence / count.clip(1), seen[0] / count.clip(1), count], 1)[filled]


class _Levels:
    """Shares of y below the levels of its predictive distribution, and of draws in the place of y."""

    def __init__(self, draws: int, seed: Seed):
        self.rng = generator(seed.words)
        self.below = np.zeros([draws + 1, _LEVELS - 1])
        self.values = 0

    def add(self, y: np.ndarray, drawn: np.ndarray) -> None:
        """Count a batch: y is one of `draws` + 1 equals if the predictions are right, and its rank uniform."""
        pool = np.concatenate([y[None], drawn]).reshape(len(drawn) + 1, -1)  # [draws + 1, B d]
        order = np.lexsort((self.rng.random(pool.shape), pool), axis=0)
        rank = np.argsort(order, axis=0)
        level = (rank + 0.5) / len(pool)
        self.values += pool.shape[1]
        self.below += np.stack([np.sum(level <= q, 1) for q in _GRID], 1)

    @property
    def errors(self) -> np.ndarray:
        """The calibration error, followed by those of draws."""
        return np.abs(self.below / max(self.values, 1) - _GRID).mean(1)

    @property
    def curve(self) -> np.ndarray:
        """Levels, the share of y below them, and how many values there are."""
        return np.stack([_GRID, self.below[0] / max(self.values, 1), np.full(len(_GRID), self.values)], 1)


_GRID = np.arange(1, _LEVELS) / _LEVELS
