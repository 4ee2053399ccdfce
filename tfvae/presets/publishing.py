"""From a finished run to the folder of a preset: what users need, and nothing of the training."""

import json
import shutil
from pathlib import Path

from tfvae.files import replacing, write_json
from tfvae.models.loading import load_model

_COPIED = ("model.tflite", "card.md", "run.json", "report.html", "pictures")


def publish(run: str | Path, target: str | Path) -> None:
    """Copy a finished, evaluated run to a folder in the layout of TF Serving: 1/, model.keras, model.tflite, card.

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
    run, target = Path(run), Path(target)
    if not (run / "report.html").is_file():
        raise ValueError(f"Expected a run that was finished and evaluated, with report.html. Received: {run}")
    model = load_model(run / "model.keras", compiled=False)
    with replacing(target) as folder:
        folder.mkdir(parents=True)
        for name in _COPIED:
            copy = shutil.copytree if (run / name).is_dir() else shutil.copyfile
            copy(run / name, folder / name)
        shutil.copytree(run / "saved_model" / "1", folder / "1")
        model.save(folder / "model.keras")
        card = json.loads((run / "card.json").read_text(encoding="utf-8"))
        card["bytes"]["model.keras"] = (folder / "model.keras").stat().st_size
        write_json(folder / "card.json", card)
