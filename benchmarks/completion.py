"""`python -m benchmarks.completion`: digits of MNIST completed from one, two or three of their quarters.

Each row is a result of its own that stays in completion.json, so that an interruption loses one at most; what stands
there already is not trained again.
"""

import json
import time
from pathlib import Path
from typing import Annotated

import keras
import numpy as np
import tensorflow as tf
import typer
from matplotlib.figure import Figure

import tfvae
from benchmarks import machine
from tfvae import data, evaluation, heads, networks, zoo
from tfvae.evaluation.batches import standard_error
from tfvae.evaluation.printing import plus_minus
from tfvae.files import replacing, write_text
from tfvae.models import ConditionalModel

_FOLDER = Path(__file__).parent
_NAMES = {"network": "network alone, p(x given c)", "cvae": "conditional VAE"}
# K. Sohn et al. 2015, Table 1, test: -log p(x | c) of the network, and of the CVAE by importance sampling.
_PUBLISHED = {1: (99.75, 63.91), 2: (62.18, 44.73), 3: (25.99, 20.95)}
_SAMPLES, _TESTED = 100, 10_000


def divided(splits: data.Splits, quadrants: data.Quadrants, *, swap: bool) -> tuple:
    """Return batches of training, dynamically binarised, and arrays of validation and test; (c, x) if `swap`."""

    def pair(images: np.ndarray | tf.Tensor) -> tuple:
        x, c = quadrants.divide(images)
        return (c, x) if swap else (x, c)

    return splits.train.map(pair), pair(splits.array("validation")), pair(splits.array("test"))


def measured(name: str, given: int, epochs: int, seed: int, progress: bool) -> tuple[dict, keras.Model]:
    """Train one model with early stopping, and return the mean of log p(x | c) over the test images, and the model."""
    keras.utils.set_random_seed(seed)
    splits = data.load("mnist", batch_size=100, binarization=data.DynamicBinarization(seed=seed), seed=seed)
    train, validation, test = divided(splits, data.Quadrants(given), swap=name == "network")
    width, height = test[0].shape[1], test[1].shape[1]  # of c and x, or of x and c
    begin = time.monotonic()
    if name == "network":
        px = tfvae.Conditional(networks.mlp(500, 500), heads.Bernoulli(height))
        model = ConditionalModel(px, width, seed=seed)
    else:
        model = zoo.cvae((width,), 50, condition_shape=height, seed=seed)
    model.compile(keras.optimizers.Adam(1e-3), steps_per_execution=20)
    stop = keras.callbacks.EarlyStopping("val_loss", patience=5, restore_best_weights=True)
    model.fit(train, validation_data=validation, epochs=epochs, callbacks=[stop], verbose=2 if progress else 0)
    minutes, trained = (time.monotonic() - begin) / 60, len(stop.model.history.history["loss"])
    if name == "network":
        each = model.log_prob(*test).numpy().astype(np.float64)
        found = {"log_likelihood": float(each.mean()), "standard_error": standard_error(each), "each": each}
    else:
        record = evaluation.log_evidence(model, test, _SAMPLES, progress=progress)
        bound = evaluation.elbo(model, test, progress=progress)
        each = record.per_example
        found = {
            "log_likelihood": record.mean, "standard_error": record.standard_error,
            "monte_carlo_error": record.monte_carlo_error, "elbo": bound.elbo, "rate": bound.rate, "each": each,
        }  # fmt: skip
    return {**found, "epochs": trained, "minutes": minutes}, model


def draw(model: tfvae.ConditionalVAE, given: int, columns: int = 12, rows: int = 6) -> Figure:
    """Draw what is given, what was to be found, and completions E[x | z, c] for z ~ p(z | c), side by side."""
    splits = data.load("mnist", binarization=data.DynamicBinarization(seed=0))
    images, quadrants = splits.array("test")[:columns], data.Quadrants(given)
    x, c = quadrants.divide(images)
    grey = quadrants.join(np.full_like(x, 0.5), c, images.shape[1:])
    drawn = [quadrants.join(model.sample(columns, row, c), c, images.shape[1:]) for row in range(rows - 2)]
    canvas = np.concatenate([np.concatenate(list(row[..., 0]), 1) for row in (grey, images, *drawn)], 0)
    figure = Figure(figsize=(columns * 0.6, rows * 0.6 + 0.4), layout="constrained")
    axis = figure.add_subplot()
    axis.imshow(canvas, cmap="gray", vmin=0, vmax=1)
    axis.set_axis_off()
    axis.set_title("given, the digit, four completions", fontsize=9)
    return figure


def table(found: dict[str, dict]) -> str:
    """Return the rows of the table, from results by `given`."""
    lines = [
        "| quarters given | network alone | conditional VAE, ELBO | conditional VAE | gain | rate | "
        "published: network, CVAE, gain |",
        "|---|---|---|---|---|---|---|",
    ]
    for given, (network, cvae) in _PUBLISHED.items():
        row = found.get(str(given), {})
        if set(row) < set(_NAMES):
            continue
        lines.append(
            f"| {given} | {plus_minus(row['network']['log_likelihood'], row['network']['standard_error'])} | "
            f"{row['cvae']['elbo']:.2f} | {plus_minus(row['cvae']['log_likelihood'], row['cvae']['standard_error'])} | "
            f"{plus_minus(*row['gain'])} | {row['cvae']['rate']:.1f} | "
            f"-{network}, -{cvae}, {network - cvae:.2f} |"
        )
    return "\n".join(lines)


def run(
    given: Annotated[str, typer.Option(help="Quarters that are given, separated by commas.")] = "1,2,3",
    epochs: Annotated[int, typer.Option(help="At most.", min=1)] = 20,
    seed: Annotated[int, typer.Option(help="Of everything that is random.")] = 0,
    progress: Annotated[bool, typer.Option(help="Show epochs.")] = True,
    out: Annotated[Path, typer.Option(help="Table; results and pictures go beside it.")] = _FOLDER / "COMPLETION.md",
) -> None:
    """Train what is missing, and write the table."""
    results = out.with_name("completion.json")
    for count in map(int, given.split(",")):
        every = json.loads(results.read_text()) if results.exists() else {}
        if str(count) in every:
            write_text(
                out, _HEAD.format(system=machine.describe()["processor"], samples=_SAMPLES) + table(every) + "\n"
            )
            continue
        row, each = {}, {}
        for name in _NAMES:
            row[name], model = measured(name, count, epochs, seed, progress)
            each[name] = row[name].pop("each")
            typer.echo(f"{name}, {count} given: {row[name]}")
        gain = each["cvae"] - each["network"]
        row["gain"] = [float(gain.mean()), standard_error(gain)]
        with replacing(out.with_name(f"completion_{count}.png")) as path:
            draw(model, count).savefig(path, dpi=100)
        write_text(results, json.dumps({**every, str(count): row}, indent=1, sort_keys=True) + "\n")
        head = _HEAD.format(system=machine.describe()["processor"], samples=_SAMPLES)
        write_text(out, head + table({**every, str(count): row}) + "\n")


_HEAD = """# Completing digits

Written by `TFDS_DATA_DIR=FOLDER python -m benchmarks.completion`
({system}).
MNIST in zeros and ones: training images drawn anew in every epoch, validation and test images once. Mean of log
p(x | c) in nats over the 10,000 test images, x the quarters that are not given, with its standard error over the
images; that of the gain is paired. The network is a Bernoulli likelihood given c, whose log p(x | c) is exact; of the
conditional VAE it is estimated with {samples} importance samples, and is too low rather than too high. Both have two
layers of 500 units, the VAE in each of its three parts; Adam, rate 0.001, 20 epochs, or five without a better
validation loss; seed 0.

Published: K. Sohn et al. 2015, Table 1, test, the CVAE by importance sampling, quoted from memory; there the images
are scored otherwise and the network's guess goes into the CVAE's prior. The values of the CVAE come within a nat of
those; the network alone is worse here, so that the gain is larger. It falls with the number of quarters as it did
there: what is given says more and more of what is missing.

![One quarter given](completion_1.png)

"""

if __name__ == "__main__":
    typer.run(run)
