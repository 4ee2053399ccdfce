"""From a finished run to the folder of a preset: what users need, and nothing of the training."""

import shutil
from pathlib import Path

from tfvae import export
from tfvae.data import Splits
from tfvae.errors import ExportError
from tfvae.evaluation.printing import plus_minus
from tfvae.files import replacing
from tfvae.models.loading import load_model
from tfvae.models.variational import AbstractVAE

_COPIED = ("run.json", "report.html", "pictures")
_INT8 = "model.int8.tflite"


def publish(run: str | Path, target: str | Path, *, data_dir: str | None = None, max_loss_nats: float = 1.0) -> None:
    """Bring a finished, evaluated run to a folder in the layout of TF Serving: 1/, model.keras, model.tflite, card.

    The exports are written anew, 1/ with the requests by which a server warms up, and model.int8.tflite beside them if
    it loses little; the card says how much.

    The optimiser's state, two thirds of the run's model.keras, stays behind.

    Args:
        run: folder of `tfvae train` and `tfvae evaluate`.
        target: the folder; replaced whole if it is there.
        data_dir: folder of prepared data, to calibrate the int8 file and to measure its loss.
        max_loss_nats: ELBO per example that the int8 file may lose; the card says what it would have lost otherwise.

    Raises:
        DatasetNotAvailable: if the run's data is not there.
        ValueError: if the run has not been evaluated, or its report is another card's.

    Example:
        >>> from tfvae import presets
        >>> presets.publish("runs/none", "savedmodels/none")
        Traceback (most recent call last):
        ...
        ValueError: Expected a run that was finished and evaluated, with report.html. Received: runs/none
    """
    from tfvae.run import card, manifest, report  # which import the recipes of this room

    run, target = Path(run), Path(target)
    if not (run / "report.html").is_file():
        raise ValueError(f"Expected a run that was finished and evaluated, with report.html. Received: {run}")
    splits = manifest.read(run / "run.json").load_data(data_dir)
    model = load_model(run / "model.keras", compiled=False)
    with replacing(target) as folder:
        folder.mkdir(parents=True)
        for name in _COPIED:
            copy = shutil.copytree if (run / name).is_dir() else shutil.copyfile
            copy(run / name, folder / name)
        model.save(folder / "model.keras")
        before, known = card.read(run), card.read(run)
        served = export.serving(model, folder, without=tuple(known["refused"].get("SavedModel", ())))
        mobile = export.tflite(
            model, folder / "model.tflite", tuple(known["refused"].get("TFLite", ())), source=folder / "1"
        )
        known["parity"] = served.differences | mobile.differences
        known["quantised"] = _int8(model, folder, splits, max_loss_nats)
        names = [name for name in ("model.keras", "1", "model.tflite", _INT8) if (folder / name).exists()]
        known["bytes"] = {name: card.size(folder / name) for name in names}
        report.carry_over(folder, before, known)
        card.save(folder, known)


def _int8(model: AbstractVAE, folder: Path, splits: Splits, limit: float) -> dict[str, str | dict]:
    """Write the int8 file, if it passes the gate, and return what the card says of it, with the report's numbers."""
    from tfvae.run.quantising import quantise

    try:
        report = quantise(model, folder / "model.tflite", "int8", splits, limit)
    except ExportError as error:
        return {"file": "none", "why": str(error).splitlines()[0].replace(f"{folder}/", "")}
    return {
        "file": _INT8,
        "change of the ELBO": plus_minus(report.elbo.change, report.elbo.standard_error),
        "change of the evidence": plus_minus(report.evidence.change, report.evidence.standard_error),
        report.posterior_measure: plus_minus(report.posterior.change, report.posterior.standard_error),
        "measured on": f"the first {report.examples} test examples, nats per example",
        "kept in float": ", ".join(report.kept) or "no weights",
        "report": report.as_json(),
    }
