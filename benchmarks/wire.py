"""`python -m benchmarks.wire`: what a message of latent codes costs, beside the rate that the ELBO promises."""

from pathlib import Path
from typing import Annotated

import typer

import tfvae
from tfvae import export
from tfvae.files import write_text
from tfvae.presets import PRESETS
from tfvae.priors import StandardNormal

_ROOT = Path(__file__).parent.parent
_HEAD = """# Latent codes on the wire

Written by `python -m benchmarks.wire --frey-dir FOLDER`. The tables of `export.latent_codec` come from the validation
examples; the message holds the codes of the first {examples} test examples, in nats per example. The promise is the
mean rate KL(q(z | x) || p(z)); the distortion is -log p(x | z), of draws from q(z | x) and of the codes as decoded.
Codes are centres of q(z | x): of the flows of `iaf_static_mnist` and `conv_static_mnist` that is no typical draw, and
the decoders pay for it. Where the prior is no standard normal the tables are those of the codes of the validation
examples, dimension by dimension.

| preset | promise | tables | message | distortion, drawn | distortion, decoded | all, promised | all, sent |
|---|---|---|---|---|---|---|---|
"""


def run(
    examples: Annotated[int, typer.Option(help="Test examples in the message.", min=2)] = 2000,
    frey_dir: Annotated[Path | None, typer.Option(help="Folder of the Frey faces.")] = None,
    out: Annotated[Path, typer.Option(help="Table to write.")] = Path(_ROOT, "benchmarks", "WIRE.md"),
) -> None:
    """Send the codes of test examples by every published preset, and write the table."""
    rows = []
    for name, preset in PRESETS.items():
        folder = _ROOT / "savedmodels" / name
        frey = preset.protocol.data == "frey_faces"
        if not folder.exists() or (frey and frey_dir is None):
            continue
        model, splits = tfvae.from_preset(folder), preset.load_data(frey_dir if frey else None)
        marginals = export.PriorMarginals() if isinstance(model.prior, StandardNormal) else export.AggregateMarginals()
        codec = export.latent_codec(model, splits.array("validation"), marginals)
        found = export.measure_wire(model, codec, splits.array("test")[:examples])
        numbers = (found.promise, found.code_rate, found.rate, found.distortion, found.distortion_after,
                   found.promise + found.distortion, found.rate + found.distortion_after)  # fmt: skip
        rows.append(f"| `{name}` | " + " | ".join(f"{number:.2f}" for number in numbers) + " |")
        typer.echo(rows[-1])
    write_text(out, _HEAD.format(examples=f"{examples:,}") + "\n".join(rows) + "\n")


if __name__ == "__main__":
    typer.run(run)
