"""How good the samples of a model are: fidelity, diversity, distances, memorisation, in one record."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import keras
import numpy as np
import tensorflow as tf

from tfvae.data import Splits
from tfvae.errors import positive_int
from tfvae.evaluation.samples.arrays import features_of
from tfvae.evaluation.samples.classifier import FeatureClassifier, before_binarization
from tfvae.evaluation.samples.frechet import FrechetDistance, frechet_distance
from tfvae.evaluation.samples.kernel import KernelDistance, kernel_distance
from tfvae.evaluation.samples.memory import Memorisation, memorisation
from tfvae.evaluation.samples.neighbours import DensityCoverage, PrecisionRecall, density_coverage, precision_recall
from tfvae.models.variational import AbstractVAE, require_vae
from tfvae.random import Seed, as_seed, generator

_ROWS = 500  # samples decoded, or examples whose features are computed, at a time
_LEAST = 20  # test and validation examples, below which nothing is measured


@dataclass(frozen=True)
class Comparison:
    """Four comparisons of one set of features with that of the test examples."""

    precision_recall: PrecisionRecall
    """Fidelity and diversity."""
    density_coverage: DensityCoverage
    """The same, robust to outliers."""
    kernel_distance: KernelDistance
    """A distance whose estimate has no bias."""
    frechet_distance: FrechetDistance
    """A distance whose estimate is biased for few examples."""

    @property
    def parts(self) -> tuple[PrecisionRecall, DensityCoverage, KernelDistance, FrechetDistance]:
        """The four records."""
        return self.precision_recall, self.density_coverage, self.kernel_distance, self.frechet_distance

    def __str__(self) -> str:
        return "\n".join(map(str, self.parts))

    def rows(self) -> dict[str, str]:
        """Return title -> value ± error, as a report's table shows them."""
        return {title: value for part in self.parts for title, value in part.rows().items()}

    def as_json(self) -> dict:
        """Return plain numbers with their errors."""
        return {
            "precision_recall": self.precision_recall.as_json(),
            "density_coverage": self.density_coverage.as_json(),
            "kernel_distance": self.kernel_distance.as_json(),
            "frechet_distance": self.frechet_distance.as_json(),
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try; empty when all is well."""
        return tuple(dict.fromkeys(warning for part in self.parts for warning in part.warnings))


@dataclass(frozen=True)
class SampleQuality:
    """Samples of a model, the means of p(x | z) for z ~ p(z), against test examples before any binarisation."""

    features: str
    """On which features: those of a classifier of the same data are no Inception features, and these numbers no FID."""
    comparison: Comparison
    """The samples against as many test examples."""
    yardstick: Comparison
    """Validation examples in the place of the samples: what a perfect model would be given."""
    memorisation: Memorisation
    """Whether samples are nearer to the training examples than test examples are, in the values of x."""
    samples: int
    """Number of samples, and of test examples."""
    concerns: tuple[str, ...]
    """What is wrong with the features or the samples."""

    def __str__(self) -> str:
        return (
            f"{self.samples} samples E[x | z], z ~ p(z), on {self.features}:\n{self.comparison}\n"
            f"validation examples in their place:\n{self.yardstick}\n{self.memorisation}"
        )

    def rows(self) -> dict[str, str]:
        """Return title -> value ± error, as a report's table shows them, with that of validation examples."""
        other = self.yardstick.rows()
        compared = {title: f"{value} (data: {other[title]})" for title, value in self.comparison.rows().items()}
        about = {"samples": f"{self.samples} means E[x | z], z ~ p(z)", "features": self.features}
        return {**about, **compared, **self.memorisation.rows()}

    def as_json(self) -> dict:
        """Return plain numbers with their errors."""
        return {
            "features": self.features,
            "samples": self.samples,
            "comparison": self.comparison.as_json(),
            "yardstick": self.yardstick.as_json(),
            "memorisation": self.memorisation.as_json(),
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try; empty when all is well."""
        return (*self.concerns, *self.comparison.warnings, *self.memorisation.warnings)


def compare(real: np.ndarray, fake: np.ndarray, *, seed: int = 0) -> Comparison:
    """Compare two sets of features in the four ways that this package has.

    Args:
        real: features of real examples, [n, d].
        fake: features of samples, [m, d].
        seed: of the resampling that the errors come from.

    Returns:
        A `Comparison`.

    Raises:
        ValueError: if there are fewer than 20 examples in a set, a value is not finite, or the lengths differ.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import samples
        >>> x, y = np.random.default_rng(0).normal(size=[2, 100, 3])
        >>> samples.compare(x, y).kernel_distance == samples.kernel_distance(x, y)
        True
    """
    return Comparison(
        precision_recall(real, fake, seed=seed),
        density_coverage(real, fake, seed=seed),
        kernel_distance(real, fake, seed=seed),
        frechet_distance(real, fake, seed=seed),
    )


def measure(
    model: AbstractVAE,
    splits: Splits,
    count: int = 1000,
    seed: int | tuple[int, int] = 0,
    features: Callable[[np.ndarray], np.ndarray] | None = None,
    *,
    progress: bool = True,
) -> SampleQuality:
    """Measure the samples of a model against test examples, and test whether the model memorises.

        y = E[x | z], z ~ p(z)   against   x of the test split

    Samples are means of p(x | z), as `model.sample` gives them, so the data are compared before any binarisation. The
    features are those of a classifier that is trained on the labels, for which the test examples are as new as the
    samples, or any function of images: FID and KID take Inception's, which this package does not bring.

    Args:
        model: a model of the library.
        splits: the data set that it was trained on.
        count: samples, and test examples; as many as there are test examples if that is less.
        seed: one or two 32-bit integers: of the samples, the classifier and the resampling.
        features: from images [n, *shape] to [n, d]; a `FeatureClassifier` of the data if not given.
        progress: show a progress bar of the sampling.

    Returns:
        A `SampleQuality`.

    Raises:
        ValueError: if the model is none of the library or of data of another shape, there are fewer than 20 test or
            validation examples or `count` is less, no features are given and there are no labels, or the features are
            no finite numbers [n, d].

    Reference: the records' own functions.

    Example:
        >>> import tfvae
        >>> from tfvae.evaluation import samples
        >>> model, digits = tfvae.zoo.vae((8, 8, 1), 2, seed=0), tfvae.data.load("digits")
        >>> record = samples.measure(model, digits, count=50, features=samples.Pixels(), progress=False)
        >>> record.features, record.comparison.precision_recall.precision < 0.5
        ('the values of x themselves', True)
    """
    require_vae(model)
    if tuple(splits.shape) != model.fits.event_shape:
        raise ValueError(
            "Expected the data set that the model is of. "
            f"Received: examples of shape {tuple(splits.shape)}, a model of shape {model.fits.event_shape}"
        )
    n = min(positive_int("count", count), splits.sizes["test"])
    if min(n, splits.sizes["validation"]) < _LEAST:
        raise ValueError(
            f"Expected count and the sizes of test and validation to be {_LEAST} or more. "
            f"Received: count={count}, sizes={splits.sizes}"
        )
    start = as_seed(seed)
    number = int(generator(start).integers(2**31 - 1))
    of = FeatureClassifier(splits, seed=number // 2) if features is None else features
    draws = np.random.default_rng(number)
    train, held_out = before_binarization(splits, "train"), before_binarization(splits, "test")
    test = draws.permutation(held_out)[:n]
    fake = _draw(model, n, start, progress)
    real = _features(of, test)
    others = _features(of, draws.permutation(before_binarization(splits, "validation"))[:n])
    return SampleQuality(
        features=getattr(of, "description", None) or f"the features {getattr(of, '__name__', type(of).__name__)}",
        comparison=compare(real, _features(of, fake), seed=number),
        yardstick=compare(real, others, seed=number),
        memorisation=memorisation(train, held_out, fake),
        samples=n,
        concerns=(*getattr(of, "warnings", ()), *_about_means(test)),
    )


def _draw(model: AbstractVAE, n: int, start: Seed, progress: bool) -> np.ndarray:
    """Return model.sample(n), drawn in parts: a sample depends on the seed and its own number alone."""
    bar = keras.utils.Progbar(n, unit_name="sample") if progress else None
    parts = []
    for done in range(0, n, _ROWS):
        place = cast("tuple[int, int]", start._replace(sample=tf.constant(done)))  # `as_seed` takes a Seed too
        parts.append(model.sample(min(_ROWS, n - done), place))
        if bar:
            bar.update(done + len(parts[-1]))
    return np.concatenate(parts)


def _features(of: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> np.ndarray:
    """Return the features of images, computed in parts."""
    parts = [features_of("features(images)", of(images[i : i + _ROWS]), 1) for i in range(0, len(images), _ROWS)]
    rows = np.concatenate(parts)
    if len(rows) != len(images):
        raise ValueError(
            f"Expected features(images) to have one row an image. Received: {len(rows)} rows of {len(images)} images"
        )
    return rows


def _about_means(test: np.ndarray) -> tuple[str, ...]:
    if not np.isin(test, (0.0, 1.0)).all():
        return ()
    return (
        "The data are binary and the samples are means between 0 and 1, which a classifier tells apart whatever the "
        "model: measure on grey values, with the binarisation left to data.load.",
    )
