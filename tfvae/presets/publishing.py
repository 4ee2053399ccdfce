"""From a finished run to the folder of a preset: what users need, and nothing of the training."""

import shutil
from pathlib import Path

from tfvae import export
from tfvae.files import replacing
from tfvae.models.loading import load_model

_COPIED = ("run.json", "report.html", "pictures")


def publish(run: str | Path, target: str | Path) -> None:
    """Bring a finished, evaluated run to a folder in the layout of TF Serving: 1/, model.keras, model.tflite, card.

    The exports are written anew, 1/ with the requests by which a server warms up.

    The optimiser's state, two thirds of the run's model.keras, stays behind.

    Args:
        run: folder of `tfvae train` and `tfvae evaluate`.
        target: the folder; replaced whole if it is there.

    Raises:
        ValueError: if the run has not been evaluated.

    Example:
        >>> from tfvae import presets
        >>> presets.publish("runs/none", "savedmodels/none")
        Traceback (most recent call last):
        ...
        ValueError: Expected a run that was finished and evaluated, with report.html. Received: runs/none
    """
    from tfvae.run import card  # which imports the recipes of this room

    run, target = Path(run), Path(target)
    if not (run / "report.html").is_file():
        raise ValueError(f"Expected a run that was finished and evaluated, with report.html. Received: {run}")
    model = load_model(run / "model.keras", compiled=False)
    with replacing(target) as folder:
        folder.mkdir(parents=True)
        for name in _COPIED:
            copy = shutil.copytree if (run / name).is_dir() else shutil.copyfile
            copy(run / name, folder / name)
        model.save(folder / "model.keras")
        known = card.read(run)
        served = export.serving(model, folder, without=tuple(known["refused"].get("SavedModel", ())))
        mobile = export.tflite(
            model, folder / "model.tflite", tuple(known["refused"].get("TFLite", ())), source=folder / "1"
        )
        known["parity"] = served.differences | mobile.differences
        known["bytes"] = {name: card.size(folder / name) for name in ("model.keras", "1", "model.tflite")}
        card.save(folder, known)
