"""`python -m benchmarks.deployment`: size and speed of the presets, in every format."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # read when PyTorch is imported; every runtime gets one thread, as on a phone

import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import tensorflow as tf
import torch
import typer

import tfvae
from benchmarks.deployment import onnx_runtime, ours, pytorch, table, timing
from benchmarks.deployment.contestant import FUNCTIONS, Contestant, Inputs, Unlike, compare
from tfvae import export, presets
from tfvae.presets import PRESETS
from tfvae.random import as_seed, normal_like

_ROOT = Path(__file__).parent.parent.parent
_SEED = (1, 2)


def run(
    names: Annotated[str, typer.Option(help="Presets, separated by commas; default: all that are published.")] = "",
    batch: Annotated[int, typer.Option(help="Examples in a call.", min=1)] = 1,
    rounds: Annotated[int, typer.Option(help="Turns of each format.", min=1)] = 15,
    data_dir: Annotated[str | None, typer.Option(help="Folder of prepared data; default: $TFDS_DATA_DIR.")] = None,
    frey_dir: Annotated[str | None, typer.Option(help="Folder of the Frey faces, if it is another one.")] = None,
    out: Annotated[Path, typer.Option(help="Table to write; deployment.json goes next to it.")] = Path(
        _ROOT, "benchmarks", "DEPLOYMENT.md"
    ),
) -> None:
    """Time encode, decode and elbo of every preset in every format, in turns, and write the table."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    torch.set_num_threads(1)
    published = [name for name in PRESETS if (_ROOT / "savedmodels" / name / "card.json").exists()]
    chosen = names.split(",") if names else published
    for name in chosen:
        typer.echo(f"{name} ...")
        home = frey_dir if "frey" in name and frey_dir else data_dir
        with tempfile.TemporaryDirectory() as temporary:
            contestants = _contestants(name, Path(temporary), batch, home)
            times = timing.take_turns(contestants, rounds)
        table.write(out, name, contestants, times, batch, rounds)  # after each, so that an interruption loses one
    typer.echo(f"Written: {out}")


def _contestants(name: str, temporary: Path, batch: int, data_dir: str | None) -> list[Contestant]:
    folder, preset = _ROOT / "savedmodels" / name, presets.find(name)
    model, splits = tfvae.from_preset(folder), preset.load_data(data_dir)
    inputs, noise = _inputs(model, splits.array("test")[:batch])
    known = export.signatures(model)
    expected = {each: {key: value.numpy() for key, value in known[each].function(**inputs[each]).items()}
                for each in FUNCTIONS}  # fmt: skip
    source = folder / "model.tflite"
    found = [
        ours.tflite(table.BASE, source, inputs),
        *ours.quantised(model, source, temporary, splits, inputs),
        ours.saved_model(folder / "1", inputs),
        onnx_runtime.contestant(model, temporary, inputs),
        pytorch.contestant(model, inputs, noise),
    ]
    for each in found:
        try:
            compare(each, expected)
        except Unlike as error:
            each.left_out, each.functions = dict.fromkeys(each.functions, str(error)), {}
    return found


def _inputs(model: tfvae.VAE, x: np.ndarray) -> tuple[Inputs, np.ndarray]:
    """Return the inputs of each function, and the standard normal noise of the posterior's draw, [B, D]."""
    z = model.trace(x, 1, _SEED).z[0]
    inputs = {"encode": {"x": x}, "decode": {"z": z.numpy()}, "elbo": {"x": x, "seed": np.array(_SEED, np.int32)}}
    return inputs, normal_like(1, z, as_seed(_SEED))[0].numpy()


if __name__ == "__main__":
    typer.run(run)
