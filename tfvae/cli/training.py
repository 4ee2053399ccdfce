"""`tfvae train`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tfvae.cli.inputs import DataDirOption, fail, usage
from tfvae.errors import ExportError

if TYPE_CHECKING:
    from tfvae.presets.recipe import Recipe

BINARIZATIONS = ("none", "static", "dynamic")  # those of run/options, whose objects need TensorFlow
_DEFAULT = "default: what suits the data"


def train_command(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Model of the zoo; `tfvae zoo` lists them.")] = "vae",
    data: Annotated[
        str | None, typer.Option(help="Data set, e.g. mnist; default: what the model is for, without download.")
    ] = None,
    binarization: Annotated[str | None, typer.Option(help=f"{', '.join(BINARIZATIONS)}; {_DEFAULT}.")] = None,
    latent_dim: Annotated[int | None, typer.Option(help=f"Length of z; {_DEFAULT}.")] = None,
    units: Annotated[str | None, typer.Option(help=f"Widths of the layers, e.g. 512,256; {_DEFAULT}.")] = None,
    epochs: Annotated[int | None, typer.Option(help=f"Passes over the data; {_DEFAULT}.")] = None,
    batch_size: Annotated[int | None, typer.Option(help=f"Examples in a step; {_DEFAULT}.")] = None,
    warm_up: Annotated[int | None, typer.Option(help=f"Epochs over which the rate's weight rises; {_DEFAULT}.")] = None,
    learning_rate: Annotated[float, typer.Option(help="Adam's first rate; decays to 0 by a cosine.")] = 1e-3,
    samples: Annotated[int, typer.Option(help="Importance samples for the evidence.")] = 500,
    seed: Annotated[int, typer.Option(help="Seed of weights, noise and order of the data.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; default: runs/MODEL-DATA-SEED.")] = None,
    data_dir: DataDirOption = None,
    overwrite: Annotated[bool, typer.Option(help="Begin anew in a folder that holds a run.")] = False,
    preset: Annotated[
        str | None, typer.Option(help="Recipe of a published number; it leaves no other option to choose.")
    ] = None,
) -> None:
    """Train a model, measure it, export it and draw it, into one folder. Run again, it goes on where it stopped."""
    import keras

    from tfvae import presets
    from tfvae.data import DatasetNotAvailable
    from tfvae.run import Options, train

    try:
        if preset is not None:
            _nothing_else(context)
            recipe: Recipe = presets.find(preset)
            folder = out or Path("runs", preset)
        else:
            recipe = options = Options.choose(
                model, data, binarization, latent_dim, _widths(units), epochs, batch_size, warm_up,
                learning_rate, samples, seed,
            )  # fmt: skip
            folder = out or Path("runs", f"{model}-{options.data}-{seed}")
    except ValueError as error:
        usage(error)
    keras.utils.set_random_seed(recipe.seed)
    try:
        result = train(recipe, folder, data_dir=data_dir, overwrite=overwrite, verbose=_verbosity())
    except KeyboardInterrupt:
        _interrupted(folder)
    except (ValueError, OSError, DatasetNotAvailable, ExportError) as error:
        fail(error)
    if result is not None:
        _report(folder, result)


def _nothing_else(context: typer.Context) -> None:
    """Refuse options that a preset decides."""
    free = {"preset", "out", "data_dir", "overwrite"}
    sources = {name: context.get_parameter_source(name) for name in context.params if name not in free}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if given:
        raise ValueError(
            f"Expected no {', '.join(given)} beside --preset, which decides them; leave out --preset to choose. "
            f"Received: {', '.join(f'{name}={context.params[name]!r}' for name in given)}"
        )


def _widths(units: str | None) -> tuple[int, ...] | None:
    try:
        return None if units is None else tuple(int(width) for width in units.split(","))
    except ValueError:
        raise ValueError(f"Expected units as whole numbers with commas, e.g. 512,256. Received: {units=}") from None


def _verbosity() -> int:
    return 1 if os.isatty(1) else 2


def _interrupted(folder: Path) -> NoReturn:
    kept = folder / "checkpoint.keras"
    state = f"The last checkpoint is {kept}." if kept.exists() else "There was no checkpoint yet."
    typer.secho(f"\nInterrupted. {state} Run the same command again to go on.", err=True)
    raise typer.Exit(130)


def _report(folder: Path, result: dict) -> None:
    from tfvae import zoo
    from tfvae.run.measurement import headline

    # The page for browsers has no place for a condition.
    model = result["recipe"].get("options", {}).get("model", "vae")  # a preset has none with a condition
    explore = "" if getattr(zoo, model).suits.conditioned else f"  tfvae explore {folder}\n"
    typer.echo(
        f"\n{headline(result['test'])}\n\n"
        f"{folder}/\n"
        "  card.md, card.json    what it reached, with errors\n"
        "  pictures/             reconstructions, samples, latent map\n"
        "  model.keras           keras.models.load_model\n"
        "  saved_model/1/        TF Serving\n"
        "  model.tflite          phones and browsers\n\n"
        "Next:\n"
        f"{explore}"
        f"  tfvae evaluate {folder} --samples 5000\n"
        f"  tensorboard --logdir {folder}/logs\n"
        f"  tfvae train --data mnist\n"
        "  tfvae zoo"
    )
