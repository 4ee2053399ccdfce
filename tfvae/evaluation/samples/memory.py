"""Memorisation: whether samples lie nearer to the training examples than new examples do."""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.stats import mannwhitneyu

from tfvae.errors import positive_int
from tfvae.evaluation.anomaly.ranking import auroc
from tfvae.evaluation.printing import plain, plus_minus
from tfvae.evaluation.samples.arrays import examples_of, nearest

_ALARM = 0.01
_SMALLEST = 1e-300  # p-value that is told from none


@dataclass(frozen=True)
class Memorisation:
    """Distances of samples to their nearest training example, against those of held-out examples."""

    nearer: float
    """P(a sample is nearer than a held-out example), ties counted half: 1/2 where nothing is memorised."""
    standard_error: float
    """Standard error of `nearer` over samples and held-out examples."""
    p_value: float
    """Of the one-sided Mann-Whitney test that samples are no nearer than held-out examples."""
    nearest_count: int
    """Number of samples that are nearer than every held-out example."""
    nearest_p_value: float
    """Probability of so many or more of them where nothing is memorised: it sees a few copies among many samples."""
    distances: np.ndarray
    """Distance of each sample to its nearest training example, [m]."""
    held_out_distances: np.ndarray
    """Distance of each held-out example to its nearest training example, [n]."""
    pairs: np.ndarray
    """Index of a sample and of its nearest training example, closest pairs first, [p, 2]."""
    images: np.ndarray
    """The samples and the training examples of these pairs, [2, p, *event]."""
    train: int
    """Number of training examples."""

    def __str__(self) -> str:
        counts = f"n = {len(self.held_out_distances)} held out, {len(self.distances)} sampled, {self.train} in training"
        return (
            f"P(sample nearer to training than held-out example) {plus_minus(self.nearer, self.standard_error)} (data "
            f"and samples), {_p(self.p_value)}; {self.nearest_count} samples nearer than all, "
            f"{_p(self.nearest_p_value)}; {counts}"
        )

    def rows(self) -> dict[str, str]:
        """Return title -> value ± error, as a report's table shows them."""
        return {
            "nearer to training than held-out data": (
                f"{plus_minus(self.nearer, self.standard_error)} ({_p(self.p_value)})"
            ),
            "samples nearer than all held-out data": f"{self.nearest_count} ({_p(self.nearest_p_value)})",
        }

    def as_json(self) -> dict:
        """Return plain numbers with their errors."""
        return {
            "nearer": plain(self.nearer),
            "standard_error": plain(self.standard_error),
            "p_value": plain(self.p_value),
            "nearest_count": self.nearest_count,
            "nearest_p_value": plain(self.nearest_p_value),
            "pairs": self.pairs[:100].tolist(),
            "train": self.train,
            "held_out": len(self.held_out_distances),
            "samples": len(self.distances),
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try; empty when all is well."""
        said = []
        if self.p_value < _ALARM:
            said.append(
                f"Samples lie nearer to training examples than held-out examples do ({_p(self.p_value)}): the "
                "model memorises, or its samples are smoother than the data. Look at figure()."
            )
        if self.nearest_p_value < _ALARM:
            said.append(
                f"{self.nearest_count} samples are nearer to a training example than any held-out example is "
                f"({_p(self.nearest_p_value)}): some may be copies. Look at figure()."
            )
        return tuple(said)

    def figure(self) -> Figure:
        """Draw the closest pairs, samples above their nearest training examples: images, or rows of values."""
        columns = self.pairs.shape[0]
        figure = Figure(figsize=(0.9 * columns + 0.6, 2.4), layout="constrained")
        low, high = float(self.images.min()), float(self.images.max())
        for row, axes in enumerate(figure.subplots(2, columns, squeeze=False)):
            for axis, image in zip(axes, self.images[row], strict=True):
                shown = image if image.ndim == 3 and image.shape[-1] in (3, 4) else _plane(image)
                axis.imshow(shown, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
                axis.set_xticks([])
                axis.set_yticks([])
            axes[0].set_ylabel(("sample", "training")[row], fontsize=8)
        figure.suptitle("the samples nearest to a training example, and that example", fontsize=9)
        return figure


def memorisation(train: ArrayLike, held_out: ArrayLike, sampled: ArrayLike, *, shown: int = 10) -> Memorisation:
    """Test whether samples are nearer to the training examples than examples that the model has not seen.

        d(x) = min_i |x - x_i|,   H0: P(d(sample) < d(held out)) + P(d(sample) = d(held out)) / 2 <= 1/2

    A model that memorises fails; so does one whose samples are smoother than the data, as means of p(x | z) can be: the
    figure tells which. A model whose samples are far from everything hides what it memorised, so a second test counts
    the samples nearer than every held-out example: under H0, `s` or more of them have probability
    C(m, s) / C(n + m, s).

    Args:
        train: the examples that the model was trained on, [N, *event].
        held_out: examples of the same kind that it was not trained on, [n, *event].
        sampled: samples of the model, [m, *event].
        shown: how many of the closest pairs to keep for the figure.

    Returns:
        A `Memorisation`.

    Raises:
        ValueError: if a set has fewer than two examples, a value is not finite, the shapes differ, or `shown` is not
            positive.

    Reference: C. Meehan, K. Chaudhuri and S. Dasgupta, "A Non-Parametric Test to Detect Data-Copying in Generative
    Models", 2020, Sec. 3, in one cell, https://arxiv.org/abs/2004.05675; H. Mann and D. Whitney, "On a Test of Whether
    one of Two Random Variables is Stochastically Larger than the Other", 1947,
    https://doi.org/10.1214/aoms/1177730491.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import samples
        >>> train, test, new = np.random.default_rng(0).normal(size=[3, 100, 4])
        >>> samples.memorisation(train, test, new).p_value > 0.01 > samples.memorisation(train, test, train).p_value
        True
    """
    shapes = {name: np.shape(x)[1:] for name, x in (("train", train), ("held_out", held_out), ("sampled", sampled))}
    flat = [examples_of(name, x, 2) for name, x in (("train", train), ("held_out", held_out), ("sampled", sampled))]
    if len(set(shapes.values())) > 1:
        raise ValueError(f"Expected train, held_out and sampled to have one event shape. Received: {shapes}")
    ours, index = nearest(flat[0], flat[2])
    theirs, _ = nearest(flat[0], flat[1])
    nearer, error = auroc(-theirs, -ours)
    order = np.argsort(ours, kind="stable")[: positive_int("shown", shown)]
    pairs = np.stack([order, index[order]], 1)
    count = int((ours < theirs.min()).sum())
    ranks = np.arange(count)
    m, n = len(ours), len(theirs)
    return Memorisation(
        nearer=nearer,
        standard_error=error,
        p_value=float(mannwhitneyu(ours, theirs, alternative="less").pvalue),
        nearest_count=count,
        nearest_p_value=float(np.prod((m - ranks) / (n + m - ranks))),
        distances=ours,
        held_out_distances=theirs,
        pairs=pairs,
        images=np.stack([np.asarray(sampled)[pairs[:, 0]], np.asarray(train)[pairs[:, 1]]]),
        train=len(flat[0]),
    )


def _p(value: float) -> str:
    """Say a probability, which may be too small for a number."""
    return f"p = {value:.2g}" if value >= _SMALLEST else f"p < {_SMALLEST:g}"


def _plane(values: np.ndarray) -> np.ndarray:
    """Return values as a grey picture: an image without its channel axis, or a column of values."""
    if values.ndim == 3 and values.shape[-1] == 1:
        return values[..., 0]
    return values if values.ndim == 2 else values.reshape(-1, 1)
