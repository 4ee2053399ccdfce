"""Pictures of a trained model: reconstructions beside their inputs, samples, the latent map."""

from pathlib import Path

import matplotlib
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from scipy.stats import norm
from sklearn.decomposition import PCA

from tfvae.data import Splits
from tfvae.files import replacing
from tfvae.models.base import Batch
from tfvae.models.variational import AbstractVAE
from tfvae.priors import StandardNormal

_SHOWN = 5000  # points on the latent map


def draw_all(model: AbstractVAE, splits: Splits, folder: str | Path) -> None:
    """Draw reconstructions.png and latent.png into a folder, and of images [height, width(, 1 or 3)] samples.png.

    What is no image is drawn as a row of its values.
    """
    batch, x, labels = splits.examples("test"), splits.array("test"), splits.labels["test"]
    images = x.ndim == 3 or (x.ndim == 4 and x.shape[-1] in (1, 3))
    _save((reconstructions if images else records)(model, batch), Path(folder, "reconstructions.png"))
    if images:
        classes = splits.condition_shape[0] if splits.conditions else 0
        _save(samples(model, largest=float(x.max()), classes=classes), Path(folder, "samples.png"))
    flat = images and model.fits.latent_dim == 2 and isinstance(model.prior, StandardNormal)
    shown = manifold(model) if flat and not splits.conditions else scatter(model, chosen(batch, slice(_SHOWN)), labels)
    _save(shown, Path(folder, "latent.png"))


def chosen(batch: Batch, places: slice | np.ndarray) -> Batch:
    """Return some of the examples, with their conditions if they have some."""
    return tf.nest.map_structure(lambda part: part[places], batch)


def _x(batch: Batch) -> np.ndarray:
    return batch["x"] if isinstance(batch, dict) else batch


def reconstructions(model: AbstractVAE, batch: object, columns: int = 10, rows: int = 4) -> Figure:
    """Draw inputs spread over x, or over x with conditions, each with its mean reconstruction below it."""
    x = _x(batch)
    places = np.linspace(0, len(x) - 1, columns * rows).astype(int)
    shown, means = x[places], model.reconstruct(chosen(batch, places))
    pairs = np.stack([shown.reshape(rows, columns, *x.shape[1:]), means.reshape(rows, columns, *x.shape[1:])], 1)
    title = "inputs (upper row of each pair) and reconstructions E[x | z] (lower)"
    return _grid(pairs.reshape(2 * rows, columns, *x.shape[1:]) / max(1.0, float(x.max())), title)


def records(model: AbstractVAE, batch: object, rows: int = 60) -> Figure:
    """Draw inputs spread over x as rows of their values, each column scaled by its range, beside their means."""
    x = _x(batch)
    places = np.linspace(0, len(x) - 1, rows).astype(int)
    means = model.reconstruct(chosen(batch, places))
    low, high = x.min(0), x.max(0)
    figure = Figure(figsize=(9, 5), layout="constrained")
    for axis, values, title in zip(
        figure.subplots(1, 2, sharey=True), (x[places], means), ("inputs", "reconstructions E[x | z]"),
        strict=True,
    ):  # fmt: skip
        scaled = ((values - low) / np.maximum(high - low, 1e-12)).reshape(rows, -1)
        axis.imshow(scaled, cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        axis.set(title=title, xlabel="value of the record", ylabel="example")
        axis.label_outer()
    return figure


def samples(model: AbstractVAE, size: int = 10, largest: float = 1.0, classes: int = 0) -> Figure:
    """Draw E[x | z] for z drawn from the prior with seed 0; white is `largest`, or 1 if that is less.

    Where the condition is one of some classes, each row has one.
    """
    given, title = None, "samples: E[x | z] for z ~ p(z), seed 0"
    if classes:
        given = np.repeat(np.arange(size) % classes, size)
        title = "samples: E[x | z, c] for z ~ p(z | c), seed 0, one class a row"
    means = model.sample(size * size, seed=0, c=given) / max(1.0, largest)
    return _grid(means.reshape(size, size, *means.shape[1:]), title)


def manifold(model: AbstractVAE, size: int = 20) -> Figure:
    """Draw E[x | z] on a grid of z = (z_1, z_2), equally spaced in prior probability."""
    line = norm.ppf((np.arange(size) + 0.5) / size)
    z = np.stack(np.meshgrid(line, line[::-1]), -1).reshape(-1, 2).astype(model.variable_dtype)
    means = model.decoder(z).mean().numpy()
    return _grid(
        means.reshape(size, size, *means.shape[1:]),
        "latent map: E[x | z], z_1 to the right, z_2 upwards, equal steps of prior probability",
    )


def scatter(model: AbstractVAE, x: object, labels: np.ndarray | None) -> Figure:
    """Draw the posterior means of x on their first two principal components (or along the only latent axis)."""
    means = model.embed(x)
    if means.shape[1] == 1:
        points, axes = np.concatenate([means, np.zeros_like(means)], 1), ["z", ""]
    else:
        pca = PCA(2).fit(means)
        points = pca.transform(means)
        axes = [
            f"component {i} ({share:.0%} of the variance)" for i, share in enumerate(pca.explained_variance_ratio_, 1)
        ]
    figure = Figure(figsize=(6, 5), layout="constrained")
    axis = figure.add_subplot()
    # Of several factors, the first one is the colour.
    colours = None if labels is None else labels[: len(means)] if labels.ndim == 1 else labels[: len(means), 0]
    marks = axis.scatter(
        points[:, 0], points[:, 1], c=colours, s=5, cmap=None if colours is None else "tab10", linewidths=0
    )
    if colours is not None and len(np.unique(colours)) <= 10:
        axis.legend(*marks.legend_elements(), title="label", loc="center left", bbox_to_anchor=(1.0, 0.5))
    axis.set(xlabel=axes[0], ylabel=axes[1], title="latent map: posterior means of test examples")
    return figure


def _grid(images: np.ndarray, title: str) -> Figure:
    """Draw images [rows, columns, height, width(, channels)] side by side on one canvas."""
    if images.ndim == 4:
        images = images[..., None]
    rows, columns, height, width, channels = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)), constant_values=0.5)
    canvas = padded.transpose(0, 2, 1, 3, 4).reshape(rows * (height + 2), columns * (width + 2), channels)
    size = 0.6 * columns, 0.6 * rows * height / width + 0.4
    figure = Figure(figsize=size, layout="constrained")
    axis = figure.add_subplot()
    shown = np.clip(canvas[..., 0] if channels == 1 else canvas, 0, 1)
    axis.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axis.set_axis_off()
    axis.set_title(title, fontsize=9)
    return figure


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary, matplotlib.rc_context({"font.family": "DejaVu Sans"}):
        figure.savefig(temporary, dpi=150)
