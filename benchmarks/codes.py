"""`python -m benchmarks.codes`: discrete latents on static MNIST, and what an autoregressive prior over codes is worth.

Each row is a result of its own that stays in codes.json; what stands there already is not trained again.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import keras
import matplotlib.image
import numpy as np
import typer

from benchmarks import machine
from tfvae import data, evaluation, priors, zoo
from tfvae.evaluation.batches import standard_error
from tfvae.evaluation.printing import plus_minus
from tfvae.files import replacing, write_text
from tfvae.models import QuantizedVAE

_FOLDER = Path(__file__).parent
_OPTIONS = {"units": (32, 32), "width": 64, "seed": 0}
_MODELS: dict[str, Callable[[tuple[int, ...]], QuantizedVAE]] = {
    "fsq": lambda shape: zoo.fsq(shape, 3, levels=(4, 4, 4), **_OPTIONS),
    "vq_vae": lambda shape: zoo.vq_vae(shape, 16, codes=64, **_OPTIONS),
    "rq_vae": lambda shape: zoo.rq_vae(shape, 16, codes=16, depth=2, **_OPTIONS),
}
_SAMPLES, _WEIGHED = 200, 100


def measured(model: QuantizedVAE, test: np.ndarray) -> dict:
    """Return the ELBO under the model's prior and under a uniform one, their difference, the evidence of some."""
    uniform = model.with_prior(priors.UniformCodes(model.prior.quantizer, model.prior.grid))
    found = {name: evaluation.elbo(each, test, progress=False) for name, each in (("own", model), ("same", uniform))}
    gain = found["own"].per_example - found["same"].per_example
    evidence = evaluation.log_evidence(model, test[:: len(test) // _WEIGHED], _SAMPLES, progress=False)
    return {
        **{name: [bound.elbo, bound.standard_errors["elbo"], bound.rate] for name, bound in found.items()},
        "gain": [float(gain.mean()), standard_error(gain)],
        "evidence": [evidence.mean, evidence.standard_error, evidence.monte_carlo_error],
        "perplexity": model.evaluate(test, verbose=0, return_dict=True)["perplexity"],
    }


def draw(model: QuantizedVAE, test: np.ndarray, path: Path, columns: int = 20) -> None:
    """Draw images, their reconstructions, two rows of samples, and two under a uniform prior."""
    uniform = model.with_prior(priors.UniformCodes(model.prior.quantizer, model.prior.grid))
    seen = test[:: len(test) // columns][:columns]
    rows = [seen, model.reconstruct(seen), model.sample(2 * columns, 1), uniform.sample(2 * columns, 1)]
    images = np.concatenate(rows)[..., 0].reshape(6, columns, 28, 28)
    with replacing(path) as temporary:
        matplotlib.image.imsave(temporary, images.transpose(0, 2, 1, 3).reshape(6 * 28, -1), cmap="gray")


def table(found: dict[str, dict]) -> str:
    """Return the rows of the table, from results by model."""
    lines = [
        "| model | perplexity | ELBO, uniform prior | ELBO, transformer | gain | rate | log p(x) of 100 | minutes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in found.items():
        evidence = f"{plus_minus(*row['evidence'][:2])} ± {row['evidence'][2]:.2f}"
        lines.append(
            f"| `{name}` | {row['perplexity']:.1f} | {plus_minus(*row['same'][:2])} | {plus_minus(*row['own'][:2])} | "
            f"{plus_minus(*row['gain'])} | {row['own'][2]:.1f} | {evidence} | {row['minutes']:.0f} |"
        )
    return "\n".join(lines)


def run(
    models: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(_MODELS),
    epochs: Annotated[int, typer.Option(help="Passes over 50,000 images.", min=1)] = 3,
    progress: Annotated[bool, typer.Option(help="Show epochs.")] = True,
    out: Annotated[Path, typer.Option(help="Table; results and pictures go beside it.")] = _FOLDER / "CODES.md",
) -> None:
    """Train what is missing, and write the table."""
    results = out.with_name("codes.json")
    splits = data.load("binarized_mnist", batch_size=128)
    for name in models.split(","):
        every = json.loads(results.read_text()) if results.exists() else {}
        if name in every:
            continue
        keras.utils.set_random_seed(0)
        model, begin = _MODELS[name](splits.shape), time.monotonic()
        model.compile(keras.optimizers.Adam(2e-3))
        model.fit(splits.train, epochs=epochs, verbose=2 if progress else 0)
        minutes, test = (time.monotonic() - begin) / 60, splits.array("test")[::10]  # which is sorted by class
        every[name] = {**measured(model, test), "minutes": minutes}
        draw(model, test, out.with_name(f"codes_{name}.png"))
        write_text(results, json.dumps(every, indent=1) + "\n")
        write_text(out, _HEAD.format(system=machine.describe()["processor"], epochs=epochs) + table(every) + "\n")


_HEAD = """# Codes

Written by `TFDS_DATA_DIR=FOLDER python -m benchmarks.codes`
({system}).
Static MNIST, {epochs} epochs of 50,000 images, seed 0, every tenth test image: nats with the standard error over the
images, of the evidence with that of 200 samples behind it. An image has 49 codes of 64 values, or 98 of 16; under a
uniform prior they cost 203.8 or 271.7 nats, whatever they are. The transformer is trained with the rest, by the ELBO;
its gain is of the same model on the same images. The evidence is of 100 other images, and does not compare with the
ELBOs. Training is short, and says nothing of what such models reach.

![Images, reconstructions, samples, samples under a uniform prior](codes_fsq.png)

"""

if __name__ == "__main__":
    typer.run(run)
