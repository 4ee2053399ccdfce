"""The command line: `python -m benchmarks`."""

import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import dataset, growth, machine, race, report, starts
from benchmarks.results import Result
from benchmarks.works import OTHERS, RACES, named

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_ALL = (*RACES, *OTHERS)


@app.command()
def run(
    works: Annotated[str, typer.Option(help="Works to run, separated by commas.")] = ",".join(_ALL),
    rounds: Annotated[int, typer.Option(help="Times that each contestant has its turn.", min=1)] = 7,
    quick: Annotated[
        bool, typer.Option(help="A tenth of the work in 2 rounds: whether all runs, not how fast.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Table to write; results.json goes next to it.")] = Path(
        "benchmarks", "RESULTS.md"
    ),
) -> None:
    """Time tfvae against its peers, one contestant at a time, and write the table."""
    chosen = works.split(",")
    if unknown := [name for name in chosen if name not in _ALL]:
        raise typer.BadParameter(f"expected names among {', '.join(_ALL)}. Received: {', '.join(unknown)}")
    before, rounds = machine.describe(), min(rounds, 2) if quick else rounds
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary, "images.npy")
        before["data"] = dataset.prepare(file)
        os.environ[dataset.VARIABLE] = str(file)
        for name in chosen:
            typer.echo(f"{name} ...")
            found = {name: _measure(name, rounds, quick, Path(temporary))}
            report.write(out, found, before, command)  # after each work, so that an interruption loses one at most
            typer.echo(report.render(found, {}, command).split("\n## ", 1)[1])
    typer.echo(f"Written: {out}")


def _measure(name: str, rounds: int, quick: bool, folder: Path) -> Result:
    if name in RACES:
        return race.race(named(name), rounds, quick, folder)
    measure = {"W6": starts.measure, "W7": growth.measure}[name]
    return measure(OTHERS[name], rounds, quick, folder)
