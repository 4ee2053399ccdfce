"""`tfvae export`."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfvae.cli import splitting
from tfvae.cli.inputs import (
    DataDirOption,
    DataOption,
    ModelArgument,
    RuntimeOption,
    fail,
    load,
    load_model,
    usage,
    write_page,
)
from tfvae.errors import ExportError, one_of

if TYPE_CHECKING:
    from tfvae.data import Splits
    from tfvae.export import Extra
    from tfvae.models.variational import AbstractVAE

EXTRAS = (  # those of run/extras
    "encode_sample", "score", "is_anomaly", "interpolate", "impute", "personalise", "codes", "stream",
)  # fmt: skip
_BESIDE = {"--web": (), "--serving": ("--extra",)}  # what goes with an option that writes something else instead


def export_command(
    path: ModelArgument,
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default: beside the model.")] = None,
    web: Annotated[Path | None, typer.Option(help="Write a page for browsers to this folder instead.")] = None,
    serving: Annotated[
        Path | None, typer.Option(help="Write the next version for TF Serving to this folder instead, with warm-up.")
    ] = None,
    extra: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"One more signature, of {', '.join(EXTRAS)}; as often as wanted."),
    ] = None,
    data: DataOption = None,
    data_dir: DataDirOption = None,
    runtime: RuntimeOption = None,
    quantize: Annotated[
        str | None, typer.Option(help="Write model.SCHEME.tflite too: float16, dynamic or int8; it needs the data.")
    ] = None,
    max_loss_nats: Annotated[float, typer.Option(min=0.0, help="ELBO per example that it may lose.")] = 1.0,
    split: Annotated[
        bool, typer.Option("--split", help="Write model.encoder.tflite, model.decoder.tflite and model.codec.json too.")
    ] = False,
) -> None:
    """Write saved_model/1 and model.tflite of a saved model, and compare both with it.

    Or write a page for browsers, or the next version of a folder that TF Serving watches. Signatures that the model
    cannot offer are left out and named.
    """
    _agree({"--out": out, "--web": web, "--serving": serving, "--quantize": quantize, "--extra": extra,
            "--split": split})  # fmt: skip
    if web is not None:
        write_page(path, web, data, data_dir, runtime)
        typer.echo(f"wrote {web}; look at it: tfvae explore {web}")
        return
    from tfvae.data import DatasetNotAvailable

    try:
        model, splits, extras = _read(path, data, data_dir, quantize, extra or (), split)
        if serving is not None:
            _serve(model, serving, extras)
        else:
            folder = out or (path if path.is_dir() else path.parent)
            _write(model, folder, extras, splits, quantize, max_loss_nats)
            if split and splits is not None:
                splitting.split(model, folder / "model.tflite", splits, typer.echo)
            for file in sorted(folder.glob("model*.tflite")):  # for runtimes that do not check what they load
                typer.echo(f"SHA-256 of {file}: {hashlib.sha256(file.read_bytes()).hexdigest()}")
    except (ValueError, OSError, DatasetNotAvailable, ExportError) as error:
        fail(error)


def _agree(given: Mapping[str, object]) -> None:
    """Refuse options that do not go together."""
    named = [option for option, value in given.items() if value]
    for option, company in _BESIDE.items():
        others = [other for other in named if other not in (option, *company)]
        if option in named and others:
            usage(ValueError(f"Expected {option} alone; run the command once for each. Received: {option} {others[0]}"))


def _read(
    path: Path, data: str | None, data_dir: str | None, quantize: str | None, names: Sequence[str], split: bool
) -> "tuple[AbstractVAE, Splits | None, list[Extra]]":
    """Return the model, its data where something asks for them, and the signatures to add."""
    from tfvae.run import extras, quantising

    if quantize is not None:
        one_of("quantize", quantize, quantising.SCHEMES)
    names = extras.known(names)
    if quantize is None and not split and extras.CALIBRATED not in names:
        model, splits = load_model(path), None
    else:
        model, recipe = load(path, data)
        if quantize is not None:
            _measurable(model)
        splits = recipe.load_data(data_dir)
    return model, splits, extras.chosen(names, model, splits)


def _measurable(model: "AbstractVAE") -> None:
    """Refuse a model whose loss cannot be measured, before anything is written."""
    from tfvae import export
    from tfvae.models.variational import require_vae

    require_vae(model)
    refused = export.refusals(model)
    if "elbo" in refused:
        raise ExportError(
            "Expected a model with an elbo, because --quantize measures what a smaller file loses of it; leave that "
            f"option out. Received: {model.name}, without it, because {refused['elbo']}"
        )


def _serve(model: "AbstractVAE", folder: Path, extras: "Sequence[Extra]") -> None:
    from tfvae import export
    from tfvae.export.serving import next_version
    from tfvae.run.exporting import offered

    target = folder / str(next_version(folder))
    write = partial(export.serving, model, folder, int(target.name), extras=extras)
    typer.echo(offered(write, target, typer.echo)[0])
    typer.echo(f"wrote {target}")


def _write(
    model: "AbstractVAE",
    folder: Path,
    extras: "Sequence[Extra]",
    splits: "Splits | None",
    quantize: str | None,
    max_loss_nats: float,
) -> None:
    from tfvae.run import quantising
    from tfvae.run.exporting import both

    saved, lite = folder / "saved_model" / "1", folder / "model.tflite"
    for parity, _ in both(model, saved, lite, typer.echo, extras):
        typer.echo(parity)
    if quantize is not None and splits is not None:
        typer.echo(quantising.quantise(model, lite, quantize, splits, max_loss_nats))
    typer.echo(f"wrote {saved} and {lite}")
