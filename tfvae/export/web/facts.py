"""What the page has to know of the model and its data beside the weights: `page.json` and `examples.bin`."""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA

from tfvae.data import Splits
from tfvae.evaluation import anomaly
from tfvae.export.web.fixed import DRAWS, GENERATED
from tfvae.models.variational import AbstractVAE

EXAMPLES = 2000  # test examples that are looked at: points of the map; every second one calibrates the anomaly level
_CHOICE = 100  # of them to choose from in the page
_LEVEL = 0.05  # false alarms
_CLASSES = 10  # labels that can be told apart by colour
_LEVELS = 256  # values of discrete data that a drawing can take
SEED = (0, 0)


@dataclass(frozen=True)
class LatentMap:
    """A plane through the latent space: z = origin + a axis_1 + b axis_2."""

    origin: np.ndarray  # [D]
    axes: np.ndarray  # [1 or 2, D], orthonormal
    titles: tuple[str, ...]
    points: np.ndarray  # [n, 2]
    caption: str

    @property
    def middle(self) -> np.ndarray:
        """The middle of the points, [2]: the origin, but for one or two coordinates that are axes themselves."""
        return (self.points.min(0) + self.points.max(0)) / 2 * (len(self.origin) <= 2)

    @property
    def half(self) -> float:
        """Half of the width that shows every point, with a margin."""
        return float(max(1.08 * np.abs(self.points - self.middle).max(), 1e-3))


def latent_map(z: np.ndarray) -> LatentMap:
    """Return the plane that shows most of z, [n, D]: its first two principal components, or its coordinates if few.

    Example:
        >>> import numpy as np
        >>> from tfvae.export.web.facts import latent_map
        >>> latent_map(np.eye(3)[:, :2]).titles
        ('z 1', 'z 2')
    """
    z = z.astype(np.float64)
    what = "Posterior means of test examples"
    if z.shape[1] <= 2:
        size = z.shape[1]
        points = np.pad(z, ((0, 0), (0, 2 - size)))
        where = ("z 1 (right)", "z 2 (up)")[:size]
        return LatentMap(
            np.zeros(size), np.eye(size), ("z 1", "z 2")[:size], points, f"{what} on {' and '.join(where)}"
        )
    pca = PCA(2, random_state=0).fit(z)
    shares = [f"{share:.0%}" for share in pca.explained_variance_ratio_]
    return LatentMap(
        z.mean(0), pca.components_, ("Component 1", "Component 2"), pca.transform(z),
        f"{what}; component 1 (right) has {shares[0]} and component 2 (up) {shares[1]} of their variance",
    )  # fmt: skip


def calibrated(model: AbstractVAE, x: np.ndarray) -> anomaly.Calibration:
    """Calibrate the negative ELBO on every second example of x, as `tfvae evaluate` does.

    Raises:
        ValueError: if the examples are too few, or the model has no ELBO.
    """
    return anomaly.calibrate(anomaly.NegativeELBO(model, DRAWS, SEED, progress=False), x[::2], _LEVEL)


def examples(x: np.ndarray) -> np.ndarray:
    """Return those to choose from: every second one, none of which calibrates."""
    return x[1::2][:_CHOICE]


def describe(
    model: AbstractVAE,
    splits: Splits,
    x: np.ndarray,
    calibration: anomaly.Calibration | None,
    refused: dict[str, str],
    title: str,
) -> dict:
    """Return what `page.json` holds."""
    shape, z = list(x.shape[1:]), model.embed(x)
    image = len(shape) == 2 or (len(shape) == 3 and shape[-1] in (1, 3))
    low, high = _ends(x)
    ranks, classes = _classes(splits.labels["test"], len(x))
    plane = latent_map(z)
    return {
        "title": title,
        "shape": shape,
        "image": image,
        "drawable": image and shape[2:] in ([], [1]),
        "range": [low, high],
        "levels": _levels(model, x),
        "centre": _centre_of_mass(x, low) if image else None,
        "generated": GENERATED,
        "seed": list(SEED),
        "draws": DRAWS,
        "refused": refused,
        "labels": None if ranks is None else [f"label {classes[rank]}" for rank in examples(ranks)],
        "calibration": calibration
        and {"level": calibration.level, "scores": [float(score) for score in calibration.scores]},
        "map": {
            "origin": plane.origin.tolist(),
            "axes": plane.axes.tolist(),
            "titles": plane.titles,
            "caption": plane.caption,
            "points": np.round(plane.points, 3).tolist(),
            "middle": plane.middle.tolist(),
            "half": plane.half,
            "labels": None if ranks is None else ranks.tolist(),
            "classes": None if ranks is None else classes,
            "coordinates": _coordinates(z),
        },
    }


def _ends(x: np.ndarray) -> tuple[float, float]:
    """Return what is shown black and white: [0, 1] for data within, else their smallest and largest value."""
    low, high = float(x.min()), float(x.max())
    if low >= 0.0 and high <= 1.0:
        return 0.0, 1.0
    return min(low, 0.0), high if high > min(low, 0.0) else 1.0


def _levels(model: AbstractVAE, x: np.ndarray) -> list[float] | None:
    """Return the values of discrete data that was met, in order: what a drawing may hold."""
    values = np.unique(x)
    return values.tolist() if model.fits.support.discrete and len(values) <= _LEVELS else None


def _centre_of_mass(x: np.ndarray, low: float) -> list[float]:
    """Return row and column of the centre of mass of the mean image."""
    mass = (x - low).mean(0).reshape(*x.shape[1:3], -1).sum(-1)
    total = max(float(mass.sum()), 1e-9)
    return [float((mass.sum(1 - axis) * np.arange(mass.shape[axis])).sum() / total) for axis in (0, 1)]


def _classes(labels: np.ndarray | None, count: int) -> tuple[np.ndarray | None, list[str]]:
    """Return the rank of each label and the labels by rank; None where there are none, or too many for colours."""
    if labels is None:
        return None, []
    first = labels[:count] if labels.ndim == 1 else labels[:count, 0]  # of several factors, the first one
    classes, ranks = np.unique(first, return_inverse=True)
    return (ranks, [f"{value:g}" for value in classes]) if len(classes) <= _CLASSES else (None, [])


def _coordinates(z: np.ndarray) -> list[dict]:
    """Return the range of a slider for each coordinate, those that vary most first."""
    reach = np.maximum(np.abs(z).max(0) * 1.25, 3.0)
    order = np.argsort(-z.var(0), kind="stable")
    return [{"index": int(i), "low": -float(reach[i]), "high": float(reach[i])} for i in order]
