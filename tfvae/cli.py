"""The command line: `tfvae train`, `evaluate`, `export`, `explore`, `zoo`. Strings become objects here and in options.

Each command imports what it needs when it runs, so that `--help` does not wait for TensorFlow.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tfvae.errors import ExportError

if TYPE_CHECKING:
    from tfvae.models.base import AbstractVAE
    from tfvae.presets.recipe import Recipe

# Plain help comes in half the time of boxes.
app = typer.Typer(help="Variational auto-encoders: train, measure in nats, export.", no_args_is_help=True,
                  pretty_exceptions_enable=False, rich_markup_mode=None)  # fmt: skip

_BINARIZATIONS = ("none", "static", "dynamic")  # those of run/options, whose objects need TensorFlow
_DEFAULT = "default: what suits the data"
ModelArgument = Annotated[Path, typer.Argument(help="A run's folder, or a .keras file.")]
DataOption = Annotated[str | None, typer.Option(help="Data set; default: the run's.")]
DataDirOption = Annotated[str | None, typer.Option(help="Folder of prepared data; default: $TFDS_DATA_DIR.")]
RuntimeOption = Annotated[
    Path | None,
    typer.Option(help="node_modules with @litertjs/core, for the page; default: fetched from npm once, 10 MB."),
]


@app.command("train")
def train_command(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Model of the zoo; `tfvae zoo` lists them.")] = "vae",
    data: Annotated[
        str | None, typer.Option(help="Data set, e.g. mnist; default: what the model is for, without download.")
    ] = None,
    binarization: Annotated[str | None, typer.Option(help=f"{', '.join(_BINARIZATIONS)}; {_DEFAULT}.")] = None,
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
        _usage(error)
    keras.utils.set_random_seed(recipe.seed)
    try:
        result = train(recipe, folder, data_dir=data_dir, overwrite=overwrite, verbose=_verbosity())
    except KeyboardInterrupt:
        _interrupted(folder)
    except (ValueError, OSError, DatasetNotAvailable, ExportError) as error:
        _fail(error)
    if result is not None:
        _report(folder, result)


@app.command("evaluate")
def evaluate_command(
    path: ModelArgument,
    data: DataOption = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Importance samples for each example; default: the run's.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the importance samples.")] = 0,
    data_dir: DataDirOption = None,
) -> None:
    """Measure a saved model on the test examples, with errors; of a run, diagnose it, update its card, write a report.

    On other data than the run's, or of a .keras file, the numbers are printed and nothing is written.
    """
    from tfvae.data import DatasetNotAvailable
    from tfvae.run import evaluating, measurement

    try:
        model, recipe = _load(path, data)
        splits = recipe.load_data(data_dir)
        typer.echo(f"data: {splits}")
        finished = data is None and (path / "card.json").exists()
        if finished:
            measured = evaluating.evaluate(path, model, recipe, splits, samples, seed, say=typer.echo)
        else:
            measured = measurement.measure(model, splits.array("test"), samples or recipe.samples, seed)
    except (ValueError, OSError, DatasetNotAvailable) as error:
        _fail(error)
    typer.echo(measurement.table(measured.rows()))
    for warning in measured.warnings:
        typer.echo(f"Warning: {warning}")
    if finished:
        typer.echo(f"wrote {path}/report.html, card.md, card.json")


@app.command("export")
def export_command(
    path: ModelArgument,
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default: beside the model.")] = None,
    web: Annotated[Path | None, typer.Option(help="Write a page for browsers to this folder instead.")] = None,
    data: DataOption = None,
    data_dir: DataDirOption = None,
    runtime: RuntimeOption = None,
    quantize: Annotated[
        str | None, typer.Option(help="Write model.SCHEME.tflite too: float16, dynamic or int8; it needs the data.")
    ] = None,
    max_loss_nats: Annotated[float, typer.Option(min=0.0, help="ELBO per example that it may lose.")] = 1.0,
) -> None:
    """Write saved_model/1 and model.tflite of a saved model, and compare both with it; or a page for browsers."""
    from tfvae import export
    from tfvae.data import DatasetNotAvailable
    from tfvae.run import quantising

    if web is not None:
        _write_page(path, web, data, data_dir, runtime)
        typer.echo(f"wrote {web}; look at it: tfvae explore {web}")
        return
    try:
        if quantize is None:
            model, splits = _load_model(path), None
        else:
            scheme, (model, recipe) = quantising.known(quantize), _load(path, data)
            splits = recipe.load_data(data_dir)
        folder = out or (path if path.is_dir() else path.parent)
        typer.echo(export.saved_model(model, folder / "saved_model" / "1"))
        typer.echo(export.tflite(model, folder / "model.tflite"))
        if splits is not None:
            typer.echo(quantising.quantise(model, folder / "model.tflite", scheme, splits, max_loss_nats))
    except (ValueError, OSError, DatasetNotAvailable, ExportError) as error:
        _fail(error)
    typer.echo(f"wrote {folder / 'saved_model' / '1'} and {folder / 'model.tflite'}")


@app.command("explore")
def explore_command(
    path: Annotated[Path, typer.Argument(help="A run's folder, a .keras file, or a page that was written already.")],
    data: DataOption = None,
    data_dir: DataDirOption = None,
    runtime: RuntimeOption = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to serve; default: a free port.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Show a model in the browser: its latent space, drawings, samples. Serves on this machine alone until Ctrl-C."""
    import tempfile
    import webbrowser

    from tfvae.browser import is_page, serve

    def ready(address: str) -> None:
        typer.echo(f"{address}  (Ctrl-C ends)")
        if browser:
            webbrowser.open(address)

    with tempfile.TemporaryDirectory() as scratch:
        page = path if is_page(path) else Path(scratch, "page")
        if page != path:
            _write_page(path, page, data, data_dir, runtime)
        try:
            serve(page, port, ready)
        except OSError as error:
            _fail(error)


@app.command("zoo")
def zoo_command() -> None:
    """List the models, with year, authors and link."""
    from tfvae import zoo

    for name in zoo.__all__:
        citation = getattr(zoo, name).citation
        typer.echo(f"{name:16} {citation.year}  {citation.authors}, {citation.title}  {citation.url}")


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


def _load(path: Path, data: str | None) -> "tuple[AbstractVAE, Recipe]":
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
    return _load_model(path), recipe


def _write_page(path: Path, folder: Path, data: str | None, data_dir: str | None, runtime: Path | None) -> None:
    """Write the page of a saved model, and say what it goes without."""
    from tfvae import export
    from tfvae.data import DatasetNotAvailable

    try:
        model, recipe = _load(path, data)
        splits = recipe.load_data(data_dir)
        title = recipe.title if data is None else ""
        refused = export.web_page(model, splits, folder, title=title, runtime_from=runtime)
    except (ValueError, OSError, DatasetNotAvailable, ExportError) as error:
        _fail(error)
    for name, why in refused.items():
        typer.echo(f"the page goes without {name}: {why}")


def _load_model(path: Path) -> "AbstractVAE":
    from tfvae.models.loading import load_model

    file = path / "model.keras" if path.is_dir() else path
    if not file.is_file():
        raise ValueError(f"Expected a run's folder with model.keras, or a .keras file. Received: {path}")
    return load_model(file)


def _verbosity() -> int:
    return 1 if os.isatty(1) else 2


def _usage(error: Exception) -> NoReturn:
    raise typer.BadParameter(str(error)) from None


def _fail(error: Exception) -> NoReturn:
    typer.secho(f"Error: {error}", fg="red", err=True)
    raise typer.Exit(1) from None


def _interrupted(folder: Path) -> NoReturn:
    kept = folder / "checkpoint.keras"
    state = f"The last checkpoint is {kept}." if kept.exists() else "There was no checkpoint yet."
    typer.secho(f"\nInterrupted. {state} Run the same command again to go on.", err=True)
    raise typer.Exit(130)


def _report(folder: Path, result: dict) -> None:
    from tfvae.run.measurement import headline

    typer.echo(
        f"\n{headline(result['test'])}\n\n"
        f"{folder}/\n"
        "  card.md, card.json    what it reached, with errors\n"
        "  pictures/             reconstructions, samples, latent map\n"
        "  model.keras           keras.models.load_model\n"
        "  saved_model/1/        TF Serving\n"
        "  model.tflite          phones and browsers\n\n"
        "Next:\n"
        f"  tfvae explore {folder}\n"
        f"  tfvae evaluate {folder} --samples 5000\n"
        f"  tensorboard --logdir {folder}/logs\n"
        f"  tfvae train --data mnist\n"
        "  tfvae zoo"
    )
