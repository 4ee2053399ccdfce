"""What commands share: a model and its data from a path, a page of them, and how a command ends in an error."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tfvae.errors import ExportError

if TYPE_CHECKING:
    from tfvae.models.variational import AbstractVAE
    from tfvae.presets.recipe import Recipe

ModelArgument = Annotated[Path, typer.Argument(help="A run's folder, or a .keras file.")]
DataOption = Annotated[str | None, typer.Option(help="Data set; default: the run's.")]
DataDirOption = Annotated[str | None, typer.Option(help="Folder of prepared data; default: $TFDS_DATA_DIR.")]
RuntimeOption = Annotated[
    Path | None,
    typer.Option(help="node_modules with @litertjs/core, for the page; default: fetched from npm once, 10 MB."),
]


def load(path: Path, data: str | None) -> "tuple[AbstractVAE, Recipe]":
    """Return a model and the recipe of its run; on other data, that of a command line."""
    from tfvae.run import Options, manifest

    described = (path if path.is_dir() else path.parent) / "run.json"
    ours = manifest.read(described) if described.exists() else None
    if data is not None:
        recipe: Recipe = replace(ours, data=data) if isinstance(ours, Options) else Options.choose(data=data)
    elif ours is not None:
        recipe = ours
    else:
        raise ValueError(f"Expected --data, because there is no run.json beside the model. Received: {path}")
    return load_model(path), recipe


def load_model(path: Path) -> "AbstractVAE":
    """Return the model of a run's folder or a file."""
    from tfvae.models import loading

    file = path / "model.keras" if path.is_dir() else path
    if not file.is_file():
        raise ValueError(f"Expected a run's folder with model.keras, or a .keras file. Received: {path}")
    return loading.load_model(file)


def write_page(path: Path, folder: Path, data: str | None, data_dir: str | None, runtime: Path | None) -> None:
    """Write the page of a saved model, and say what it goes without."""
    from tfvae import export
    from tfvae.data import DatasetNotAvailable

    try:
        model, recipe = load(path, data)
        splits = recipe.load_data(data_dir)
        title = recipe.title if data is None else ""
        refused = export.web_page(model, splits, folder, title=title, runtime_from=runtime)
    except (ValueError, OSError, DatasetNotAvailable, ExportError) as error:
        fail(error)
    for name, why in refused.items():
        typer.echo(f"the page goes without {name}: {why}")


def usage(error: Exception) -> NoReturn:
    """End with what is wrong with the options."""
    raise typer.BadParameter(str(error)) from None


def fail(error: Exception) -> NoReturn:
    """End with what went wrong."""
    typer.secho(f"Error: {error}", fg="red", err=True)
    raise typer.Exit(1) from None
