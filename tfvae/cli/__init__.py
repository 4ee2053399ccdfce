"""The command line: `tfvae train`, `evaluate`, `export`, `explore`, `zoo`. Strings become objects here and in options.

Each command imports what it needs when it runs, so that `--help` does not wait for TensorFlow.
"""

import typer

from tfvae.cli.evaluating import evaluate_command
from tfvae.cli.exploring import explore_command
from tfvae.cli.exporting import export_command
from tfvae.cli.listing import zoo_command
from tfvae.cli.training import train_command

# Plain help comes in half the time of boxes.
app = typer.Typer(help="Variational auto-encoders: train, measure in nats, export.", no_args_is_help=True,
                  pretty_exceptions_enable=False, rich_markup_mode=None)  # fmt: skip
app.command("train")(train_command)
app.command("evaluate")(evaluate_command)
app.command("export")(export_command)
app.command("explore")(explore_command)
app.command("zoo")(zoo_command)
