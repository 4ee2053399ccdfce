"""The images that every contestant gets: MNIST binarised once where it is prepared, else noise of its shape.

They lie in one file of uint8 zeros and ones, so that no peer has to import the library to read them.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.works import SHAPE

VARIABLE = "BENCHMARK_IMAGES"  # names the file, for the processes of the contestants
_COUNT = 50000
_FAINT = 0.13  # mean of MNIST's pixels


def images(count: int) -> np.ndarray:
    """Return the first images, uint8 [count, 28, 28, 1]."""
    return np.load(os.environ[VARIABLE])[:count]


def prepare(path: Path) -> str:
    """Write the file in a process of its own, which takes TensorFlow with it when it ends; say what is in it."""
    command = [sys.executable, "-m", "benchmarks.dataset", str(path)]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"The data set could not be prepared:\n{done.stderr[-2000:]}")
    return done.stdout.strip().splitlines()[-1]


def _draw() -> tuple[np.ndarray, str]:
    from tfvae import data

    try:
        splits = data.load("mnist", binarization=data.StaticBinarization(seed=0))
    except (data.DatasetNotAvailable, OSError):
        drawn = np.random.default_rng(0).random((_COUNT, *SHAPE), np.float32) < _FAINT
        return drawn.astype(np.uint8), "noise of MNIST's shape (MNIST is not prepared)"
    return splits.array("train").astype(np.uint8), f"MNIST's training images, {splits.binarization.describe()}"


if __name__ == "__main__":
    pixels, what = _draw()
    np.save(sys.argv[1], pixels)
    print(what)
