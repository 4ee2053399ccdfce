"""`tfvae evaluate`."""

from typing import Annotated

import typer

from tfvae.cli.inputs import DataDirOption, DataOption, ModelArgument, fail, load


def evaluate_command(
    path: ModelArgument,
    data: DataOption = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Importance samples for each example; default: the run's.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the importance samples.")] = 0,
    data_dir: DataDirOption = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only measure the card's test numbers again, and compare."),
    ] = False,
    diagnose: Annotated[
        bool, typer.Option("--diagnose", help="Only diagnose again; the card keeps its test numbers.")
    ] = False,
) -> None:
    """Measure a saved model on the test examples, with errors; of a run, diagnose it, update its card, write a report.

    On other data than the run's, or of a .keras file, the numbers are printed and nothing is written.
    """
    from tfvae.data import DatasetNotAvailable
    from tfvae.run import evaluating, measurement

    try:
        model, recipe = load(path, data)
        splits = recipe.load_data(data_dir)
        typer.echo(f"data: {splits}")
        finished = data is None and (path / "card.json").exists()
        if (check or diagnose) and (check == diagnose or not finished or samples is not None or seed != 0):
            raise ValueError(
                "Expected --check or --diagnose alone, on the folder of a run with its card.json: data, samples and "
                f"seed are the card's. Received: {path}, {check=}, {diagnose=}, {data=}, {samples=}, {seed=}"
            )
        if check:
            same = evaluating.check(path, model, splits, say=typer.echo)
            typer.echo("the card's numbers are reproduced" if same else "the card's numbers are NOT reproduced")
            raise typer.Exit(0 if same else 1)
        if diagnose:
            evaluating.renew(path, model, splits, say=typer.echo)
            typer.echo(f"wrote {path}/report.html, card.md, card.json")
            return
        if finished:
            measured = evaluating.evaluate(path, model, recipe, splits, samples, seed, say=typer.echo)
        else:
            measured = measurement.measure(model, splits.examples("test"), samples or recipe.samples, seed)
    except (ValueError, OSError, DatasetNotAvailable) as error:
        fail(error)
    typer.echo(measurement.table(measured.rows()))
    for warning in measured.warnings:
        typer.echo(f"Warning: {warning}")
    if finished:
        typer.echo(f"wrote {path}/report.html, card.md, card.json")
