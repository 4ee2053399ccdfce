"""Nats per quarter note on Bach's chorales, beside those that were published.

    python -m benchmarks.sequences --data-dir FOLDER

trains what is missing from `sequences.json`, one run for each model and seed, and writes the table. A run that was
stopped goes on where it was.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import keras
import typer

import tfvae
from benchmarks import machine
from tfvae import data, evaluation, zoo
from tfvae.files import write_text

_FOLDER = Path(__file__).parent
_BATCH = 20
_SAMPLES = 100
_MODELS: dict[str, tuple[Callable, dict, int, int]] = {  # what is built, epochs, and steps of a rising rate
    "vrnn": (zoo.vrnn, {"latent_dim": 32, "units": (100,)}, 150, 500),
    "deep_markov": (zoo.deep_markov, {"latent_dim": 50, "units": (100,)}, 400, 3000),
}


def train(name: str, splits: data.Splits, seed: int, epochs: int | None, work: Path, progress: bool) -> tfvae.VAE:
    """Return a model with the weights whose bound of the validation chorales was highest."""
    build, options, most, warm_up = _MODELS[name]
    keras.utils.set_random_seed(seed)
    model = build(splits.shape, **options, warm_up=warm_up, seed=seed)
    total = (epochs or most) * splits.steps_per_epoch
    rate = keras.optimizers.schedules.CosineDecay(2e-3, total, alpha=0.02)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-2, clipnorm=50.0), jit_compile=True)
    best = work / f"{name}_{seed}.weights.h5"
    callbacks = [
        tfvae.callbacks.Checkpoint(work / f"{name}_{seed}.keras", every=10),
        keras.callbacks.ModelCheckpoint(best, "val_elbo", mode="max", save_best_only=True, save_weights_only=True),
    ]
    verbose = 2 if progress else 0
    model.fit(splits.train, validation_data=splits.validation, epochs=epochs or most, callbacks=callbacks,
              verbose=verbose)  # fmt: skip
    model.load_weights(best)
    return model


def measured(model: tfvae.VAE, splits: data.Splits) -> dict[str, dict]:
    """Return the bound and the evidence by importance sampling, in nats per step, of what is held out."""
    found = {}
    for split in ("validation", "test"):
        x = splits.array(split)
        bound = evaluation.elbo(model, x, samples=5, seed=0, progress=False)
        elbo = evaluation.per_step(bound, x, model)
        found[split] = {"elbo": elbo.as_json(), "rate": bound.rate * bound.examples / elbo.steps}
    weighted = evaluation.log_evidence(model, x, samples=_SAMPLES, seed=0, progress=False)
    found["test"]["evidence"] = evaluation.per_step(weighted, x, model).as_json()
    found["test"]["monte_carlo_error"] = weighted.monte_carlo_error * weighted.examples / elbo.steps
    return found


def run(
    models: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(_MODELS),
    seeds: Annotated[int, typer.Option(help="Trainings of each.", min=1)] = 1,
    epochs: Annotated[int, typer.Option(help="Instead of the model's own, if not 0.")] = 0,
    data_dir: Annotated[str, typer.Option(help="Folder of the chorales; else TFDS_DATA_DIR.")] = "",
    work: Annotated[Path, typer.Option(help="Folder of what is not finished.")] = Path("sequences"),
    progress: Annotated[bool, typer.Option(help="Show epochs.")] = True,
    out: Annotated[Path, typer.Option(help="Table; the results go beside it.")] = _FOLDER / "SEQUENCES.md",
) -> None:
    """Train what is missing, and write the table."""
    results, names = out.with_name("sequences.json"), models.split(",")
    if not set(names) <= set(_MODELS):
        raise typer.BadParameter(f"expected names among {', '.join(_MODELS)}. Received: {models}")
    work.mkdir(parents=True, exist_ok=True)
    splits = data.load("jsb_chorales", batch_size=_BATCH, data_dir=data_dir or None)
    for name in names:
        for seed in range(seeds):
            every = json.loads(results.read_text()) if results.exists() else {}
            if any(each["seed"] == seed for each in every.get(name, [])):
                continue
            begin = time.monotonic()
            model = train(name, splits, seed, epochs or None, work, progress)
            minutes = (time.monotonic() - begin) / 60
            found = {"seed": seed, "minutes": minutes, **measured(model, splits)}
            every = json.loads(results.read_text()) if results.exists() else {}  # another process may have written
            every.setdefault(name, []).append(found)
            write_text(results, json.dumps(every, indent=1, sort_keys=True) + "\n")
            typer.echo(f"{name}, seed {seed}: {found}")
    if results.exists():
        write_text(
            out,
            _HEAD.format(system=machine.describe()["processor"]) + table(json.loads(results.read_text())) + _PUBLISHED,
        )


def table(found: dict[str, list[dict]]) -> str:
    """Return the rows of the table, from a list of runs by model."""
    rows = [
        f"| model | seed | minutes | -ELBO | -log p(x), K = {_SAMPLES} | rate | validation, -ELBO |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in _MODELS:
        for each in found.get(name, []):
            test = each["test"]
            rows.append(
                f"| `{name}` | {each['seed']} | {each['minutes']:.0f} | {_plus_minus(test['elbo'])} | "
                f"{_plus_minus(test['evidence'])} | {test['rate']:.2f} | {_plus_minus(each['validation']['elbo'])} |"
            )
    return "\n".join(rows) + "\n"


def _plus_minus(found: dict) -> str:
    return f"{-found['mean']:.3f} ± {found['standard_error']:.3f}"


_HEAD = """# Chorales

Written by `python -m benchmarks.sequences --data-dir FOLDER`
({system}):
nats per time step, lower is better, with the standard error of the ratio over the 77 test chorales. The protocol is the
field's: Bach's chorales at quarter notes in the split of N. Boulanger-Lewandowski et al. 2012, 229, 76 and 77 pieces,
piano rolls of 88 keys, independent given z and the past; the sum of -ELBO, or of -log p(x), over the test pieces
divided by their 4725 time steps, of models whose weights were chosen by the ELBO of the validation pieces. K importance
samples of whole sequences leave a bias, so that the second column is an upper bound too. Minutes are of one process
beside other work on two cores.

"""

_PUBLISHED = """
Published, as quoted from memory: not verified.

| model | nats per time step | what is counted | source |
|---|---|---|---|
| RNN | 8.71 | -log p(x) | N. Boulanger-Lewandowski et al. 2012, Table 1 |
| RNN-NADE | 5.56 | -log p(x) | the same |
| STORN | 6.91 | a bound | J. Bayer and C. Osendorfer 2014, https://arxiv.org/abs/1411.7610 |
| TSBN | 7.48 | a bound | Z. Gan et al. 2015, https://arxiv.org/abs/1509.07087 |
| SRNN | 4.74 | a bound | M. Fraccaro et al. 2016, https://arxiv.org/abs/1605.07571 |
| deep Markov model | 6.388 | a bound | R. Krishnan et al. 2017, https://arxiv.org/abs/1609.09869 |

The published models are larger and were trained for longer: these runs have 100 units, and as many epochs as the script
says. A model that knows the chord, such as RNN-NADE, does not take the keys of one step as independent.
"""

if __name__ == "__main__":
    typer.run(run)
