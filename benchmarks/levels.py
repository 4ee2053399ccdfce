"""`python -m benchmarks.levels`: latents in levels against one level, with as many weights and as much time.

Each row is a result of its own that stays in levels.json; what stands there already is not trained again, and a
training that was interrupted goes on from its last epoch.
"""

import functools
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import keras
import numpy as np
import typer

import tfvae
from benchmarks import machine
from tfvae import callbacks, data, evaluation, heads, networks, objectives, priors, zoo
from tfvae.evaluation.printing import plus_minus
from tfvae.files import write_text
from tfvae.models import VAE
from tfvae.presets.selection import BestValidation

_FOLDER = Path(__file__).parent
_BATCH, _WARM_UP, _RATE = 100, 0.3, 5e-4


def _one(latent_dim: int, shape: tuple[int, ...], warm_up: int, width: int = 391) -> VAE:
    """One level: gated layers, as of `zoo.hvae`, as wide as takes as many weights."""
    encoder = tfvae.Encoder(networks.gated(width, width), heads.DiagonalNormal(latent_dim), name="encoder")
    decoder = tfvae.Decoder(networks.gated(width, width), heads.Bernoulli(shape), name="decoder")
    objective = objectives.ELBO(objectives.schedules.Linear(warm_up))
    return VAE(encoder, decoder, priors.StandardNormal(latent_dim), objective)


def _ladder(shape: tuple[int, ...], warm_up: int) -> VAE:
    return zoo.ladder(shape, units=(416, 208, 104, 52, 52), warm_up=warm_up)


class Contestant(NamedTuple):
    """A model whose number of weights is that of the others."""

    says: str
    make: Callable[[tuple[int, ...], int], VAE]
    """From the shape of x and the steps of warm-up."""
    published: str


CONTESTANTS = {
    "one": Contestant("one level, [40]", functools.partial(_one, 40), "-88.56 (VAE)"),
    "one_80": Contestant("one level, [80]", functools.partial(_one, 80, width=380), ""),
    "hvae": Contestant(
        "two levels, [40, 40]", lambda shape, warm_up: zoo.hvae(shape, warm_up=warm_up), "-86.05 (HVAE)"
    ),
    "ladder": Contestant("five levels, [4, 8, 16, 32, 64], ladder", _ladder, ""),
}


def paces(names: list[str], splits: data.Splits, rounds: int = 3) -> dict[str, float]:
    """Return the processor's seconds that a step of each model takes: the median of epochs in which they take turns."""
    models = {name: CONTESTANTS[name].make(splits.shape, 1) for name in names}
    for model in models.values():
        model.compile(keras.optimizers.Adam(_RATE))
        model.fit(splits.train, verbose=0)  # compiles
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, model in models.items():
            begin = time.process_time()
            model.fit(splits.train, verbose=0)
            taken[name].append((time.process_time() - begin) / splits.steps_per_epoch)
    return {name: float(np.median(each)) for name, each in taken.items()}


def train(name: str, seed: int, epochs: int, splits: data.Splits, work: Path, progress: bool) -> VAE:
    """Return the model after the epoch with the highest validation ELBO; the rate of learning falls once."""
    work.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(seed)
    steps = epochs * splits.steps_per_epoch
    model = CONTESTANTS[name].make(splits.shape, max(1, int(_WARM_UP * steps)))
    decay = keras.optimizers.schedules.PiecewiseConstantDecay([2 * steps // 3], [_RATE, _RATE / 5])
    model.compile(keras.optimizers.Adam(decay))
    selection = BestValidation()
    model.fit(
        splits.train,
        validation_data=splits.validation,
        epochs=epochs,
        verbose=2 if progress else 0,
        callbacks=[*selection.callbacks(work), callbacks.Checkpoint(work / "checkpoint.keras")],
    )
    return keras.models.load_model(selection.chosen(work))


def measured(name: str, seed: int, epochs: int, samples: int, work: Path, progress: bool) -> tuple[dict, np.ndarray]:
    """Train and measure one model, and return its row and log p(x) of every test image."""
    splits = data.load("binarized_mnist", batch_size=_BATCH, seed=seed)
    model = train(name, seed, epochs, splits, work, progress)
    bound = model.evaluate(splits.test, verbose=0, return_dict=True)
    found = evaluation.log_evidence(model, splits.array("test"), samples, progress=False)
    row = {
        "seed": seed,
        "epochs": epochs,
        "best": int(model.optimizer.iterations) // splits.steps_per_epoch,
        "weights": sum(math.prod(weight.shape) for weight in model.trainable_variables),
        "elbo": bound["elbo"],
        "rates": [bound[f"rate_{level}"] for level in range(len(model.group_sizes), 0, -1)] or [bound["rate"]],
        **{key: getattr(found, key) for key in ("mean", "standard_error", "monte_carlo_error", "bias", "samples")},
    }
    return row, found.per_example


def paired(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Return by how much log p(x) is higher under the other model, with the error of the mean of the differences."""
    difference = other - one
    return {"gain": float(difference.mean()), "error": float(difference.std(ddof=1) / math.sqrt(len(difference)))}


def table(found: dict) -> str:
    """Return the rows of the table, one for each model and seed."""
    rows = [
        "| model | weights | CPU ms a step | epochs (best) | seed | log p(x) | ELBO | rates | gain, paired "
        "| published |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, contestant in CONTESTANTS.items():
        for row in sorted(found["runs"].get(name, []), key=lambda row: row["seed"]):
            gain = found["gains"].get(f"{name} {row['seed']}")
            rows.append(
                f"| {contestant.says} | {row['weights']:,} | {1000 * found['paces'][name]:.1f} | {row['epochs']} "
                f"({row['best']}) | {row['seed']} | {plus_minus(row['mean'], row['standard_error'])} "
                f"± {row['monte_carlo_error']:.3f} | {row['elbo']:.2f} | "
                f"{', '.join(f'{rate:.1f}' for rate in row['rates'])} | "
                f"{plus_minus(gain['gain'], gain['error']) if gain else ''} | {contestant.published} |"
            )
    return "\n".join(rows)


def run(
    models: Annotated[str, typer.Option(help="Names, separated by commas.")] = "one,hvae,one_80,ladder",
    seeds: Annotated[str, typer.Option(help="Seeds of weights, order and noise, separated by commas.")] = "0,1",
    epochs: Annotated[int, typer.Option(help="Of hvae; the others train for as long a time.", min=1)] = 80,
    samples: Annotated[int, typer.Option(help="Importance samples for each test image.", min=2)] = 500,
    progress: Annotated[bool, typer.Option(help="Show epochs.")] = True,
    work: Annotated[Path, typer.Option(help="Folder of checkpoints.")] = _FOLDER.parent / "runs" / "levels",
    out: Annotated[Path, typer.Option(help="Table; the results go beside it.")] = _FOLDER / "LEVELS.md",
) -> None:
    """Train what is missing, and write the table."""
    results, names = out.with_name("levels.json"), models.split(",")
    if not set(names) <= CONTESTANTS.keys():
        raise typer.BadParameter(f"expected names among {', '.join(CONTESTANTS)}. Received: {models}")
    found = json.loads(results.read_text()) if results.exists() else {"paces": {}, "runs": {}, "gains": {}}
    if not CONTESTANTS.keys() <= found["paces"].keys():
        found["paces"] = paces([*CONTESTANTS], data.load("binarized_mnist", batch_size=_BATCH))
    for seed in map(int, seeds.split(",")):
        for name in names:
            if any(row["seed"] == seed for row in found["runs"].get(name, [])):
                continue
            turns = round(epochs * found["paces"]["hvae"] / found["paces"][name])
            row, per_example = measured(name, seed, turns, samples, work / f"{name}-{seed}", progress)
            np.save(work / f"{name}-{seed}" / "per_example.npy", per_example)
            found["runs"].setdefault(name, []).append(row)
            base = work / f"one-{seed}" / "per_example.npy"
            if name != "one" and base.exists():
                found["gains"][f"{name} {seed}"] = paired(np.load(base), per_example)
            write_text(results, json.dumps(found, indent=1, sort_keys=True) + "\n")
            write_text(out, _HEAD.format(system=machine.describe()["processor"]) + table(found) + "\n")
            typer.echo(f"{name}, seed {seed}: {row}")


_HEAD = """# Latents in levels

Written by `python -m benchmarks.levels`
({system}, one of them, beside other work).
Static MNIST, 50,000 images for training, 10,000 that choose the epoch, and all 10,000 test images. All models have as
many weights, within 1 %, gated layers or, the ladder, leaky ones, Adam at 5e-4 and at a fifth of it in the last third,
batches of 100, a warm-up over the first 30 % of the steps, and the weights of the epoch with the highest validation
ELBO. `hvae` trains for 80 epochs, and the others for as many as take the same time of the processor; the time of a step
was measured in turns, one epoch each, in one run.

log p(x) in nats, by importance sampling with K = 500, with the standard error over the images and then that of the
sampling; it is too low by about half a sampling variance, 0.1 nats. The gain is that over one level of 40, on the same
images and under the same seed, with the standard error of the mean difference: it speaks for these two trainings, and
only the spread over seeds speaks for another. Rates of the groups from the top down, in nats.

Training is short, some minutes. Published: J. Tomczak and M. Welling, "VAE with a VampPrior", 2018, Table 1,
https://arxiv.org/abs/1705.07120, K = 5000, up to 2000 epochs, layers of 300 everywhere, so that the two-level model has
more weights than the one-level one; quoted from memory, not verified. C. Sonderby et al., "Ladder Variational
Autoencoders", 2016, https://arxiv.org/abs/1602.02282, measured on dynamically binarised images, do not compare.

"""

if __name__ == "__main__":
    typer.run(run)
