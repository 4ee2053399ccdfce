"""Writes the page: sources, model, facts and runtime into one folder."""

import shutil
from pathlib import Path

import numpy as np

from tfvae.browser import is_page
from tfvae.data import Splits
from tfvae.evaluation import anomaly
from tfvae.export import formats
from tfvae.export.web import facts, fixed, runtime
from tfvae.files import replacing, write_json
from tfvae.models.variational import AbstractVAE, require_vae

_SOURCES = Path(__file__).parent / "page"


def web_page(
    model: AbstractVAE,
    splits: Splits,
    folder: str | Path,
    *,
    title: str = "",
    runtime_from: str | Path | None = None,
) -> dict[str, str]:
    """Write a static page that runs the model in the browser; it loads nothing from elsewhere.

    A point on the latent map, or sliders, drive `decode`. A drawing, or a test example, is encoded, reconstructed and
    scored: its ELBO is the mean over 10 draws, and its anomaly level the conformal p-value of it, calibrated on every
    second one of the first 2000 test examples, p = (1 + #{s_i >= s}) / (n + 1). A seed generates the samples of
    `model.sample(12, seed)`. Data that are no images with one channel get a page without the canvas to draw on.

    LiteRT.js runs the model. Its files, 9.6 MB, are fetched from the npm registry the first time, checked against
    pinned digests, and kept in the user's cache; see `tfvae.export.web.runtime`.

    Args:
        model: a model of the library.
        splits: its data: the test examples are shown and calibrated on.
        folder: where to write; an older page there is replaced.
        title: heading of the page; the names of model and data if empty.
        runtime_from: a folder with `@litertjs/core` 2.5.3, such as a `node_modules`, instead of the npm registry.

    Returns:
        What the page goes without, among generate, elbo and the anomaly level, with the reasons.

    Raises:
        ValueError: if the model is none of the library, or the data do not fit it.
        ExportError: if the model cannot encode, decode or reconstruct in TFLite, its numbers there differ by more than
            1e-3 of their size, the folder holds other files, or the runtime cannot be had; nothing is left behind.

    Example:
        >>> import tempfile, tfvae
        >>> from tfvae.export.web import runtime
        >>> digits = tfvae.data.load("digits")
        >>> model = tfvae.zoo.vae(digits.shape, latent_dim=2, units=(16,))
        >>> tfvae.export.web_page(model, digits, tempfile.mkdtemp() + "/page")  # doctest: +SKIP
        {}
    """
    require_vae(model)
    folder = Path(folder)
    formats.refuse_other_files(folder, is_page, "page", "page", folder / "page")
    brought = runtime.files(runtime_from)
    x = model.check.array(splits.array("test")[: facts.EXAMPLES])
    calibration, refused = _calibration(model, x)
    with replacing(folder) as page:
        shutil.copytree(_SOURCES, page)
        shown = facts.examples(x) if len(x) > 1 else x
        refused |= fixed.write(model, page / "model.tflite", calibration.examples if calibration else 0, x[:1])
        heading = title or f"{model.name} on {splits.name}"
        write_json(page / "page.json", facts.describe(model, splits, x, calibration, refused, heading))
        (page / "examples.bin").write_bytes(np.ascontiguousarray(shown, "<f4").tobytes())
        for name, content in brought.items():
            (page / "runtime" / name).parent.mkdir(parents=True, exist_ok=True)
            (page / "runtime" / name).write_bytes(content)
    return refused


def _calibration(model: AbstractVAE, x: np.ndarray) -> tuple[anomaly.Calibration | None, dict[str, str]]:
    """Return the calibration; or why there is none."""
    if not model.fits.has_rate:
        return None, {}  # the refusal of the ELBO says why
    try:
        return facts.calibrated(model, x), {}
    except ValueError as error:
        return None, {"anomaly level": str(error)}
