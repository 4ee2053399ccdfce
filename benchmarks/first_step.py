"""`python -m benchmarks.first_step CONTESTANT`: seconds from `compile` to the end of the first step, as JSON."""

import importlib
import json
import sys
import time

from benchmarks.dataset import images
from benchmarks.works import named


def main(name: str) -> None:
    """Print how long the first step of a model takes; what was imported and built before is not counted."""
    import keras

    contestant = importlib.import_module(f"benchmarks.contestants.{name}")
    work = named("W1")
    model, x = contestant.model(work), images(work.batch).astype("float32")
    start = time.perf_counter()
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(x, batch_size=work.batch, epochs=1, verbose=0)
    print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main(sys.argv[1])
