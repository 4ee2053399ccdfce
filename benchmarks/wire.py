"""`python -m benchmarks.wire`: what a message of latent codes costs, beside the rate that the ELBO promises."""

from pathlib import Path
from typing import Annotated

import typer

import tfvae
from benchmarks import machine
from tfvae import export
from tfvae.cli.splitting import codec
from tfvae.errors import one_of
from tfvae.evaluation.printing import plus_minus
from tfvae.files import write_text
from tfvae.presets import PRESETS

_ROOT = Path(__file__).parent.parent
_HEAD = """# Latent codes on the wire

Written by `python -m benchmarks.wire --frey-dir FOLDER`. The tables of `export.latent_codec` come from the validation
examples; the message holds the codes of the first {examples} test examples, in nats per example. The promise is the
mean rate KL(q(z | x) || p(z)), and what the tables add to it has the standard error of the mean over the examples; the
distortion is -log p(x | z), of draws from q(z | x) and of the codes as decoded.
Codes are centres of q(z | x): of the flows of `iaf_static_mnist` and `conv_static_mnist` that is no typical draw, and
the decoders pay for it. Where the prior is no standard normal the tables are those of the codes of the validation
examples, dimension by dimension.

Measured {date} on {processor}, {system}, with
{versions}.

| preset | promise | tables | added | message | distortion, drawn | distortion, decoded | all, promised | all, sent |
|---|---|---|---|---|---|---|---|---|
"""
_PACKAGES = ("tfvae", "tensorflow", "keras", "tensorflow-probability", "numpy")


def run(
    names: Annotated[str, typer.Option(help="Presets, separated by commas, for a table of these alone.")] = "",
    examples: Annotated[int, typer.Option(help="Test examples in the message.", min=2)] = 2000,
    frey_dir: Annotated[Path | None, typer.Option(help="Folder of the Frey faces.")] = None,
    out: Annotated[Path, typer.Option(help="Table to write.")] = Path(_ROOT, "benchmarks", "WIRE.md"),
) -> None:
    """Send the codes of test examples by every published preset, and write the table."""
    chosen = [one_of("names", name, PRESETS) for name in names.split(",")] if names else PRESETS
    rows = []
    for name in chosen:
        folder, preset = _ROOT / "savedmodels" / name, PRESETS[name]
        frey = preset.protocol.data == "frey_faces"
        if not folder.exists() or (frey and frey_dir is None):
            continue
        model, splits = tfvae.from_preset(folder), preset.load_data(frey_dir if frey else None)
        found = export.measure_wire(model, codec(model, splits), splits.array("test")[:examples])
        rows.append(_row(name, found))
        typer.echo(rows[-1])
    versions = ", ".join(f"{package} {machine.version(package)}" for package in _PACKAGES)
    head = _HEAD.format(**machine.describe() | {"examples": f"{examples:,}", "versions": versions})
    write_text(out, head + "\n".join(rows) + "\n")


def _row(name: str, found: export.WireReport) -> str:
    added = plus_minus(found.code_rate - found.promise, found.standard_error)
    numbers = (found.rate, found.distortion, found.distortion_after, found.promise + found.distortion,
               found.rate + found.distortion_after)  # fmt: skip
    sizes = " | ".join(f"{number:.2f}" for number in numbers)
    return f"| `{name}` | {found.promise:.2f} | {found.code_rate:.2f} | {added} | {sizes} |"


if __name__ == "__main__":
    typer.run(run)
