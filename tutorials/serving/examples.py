"""Write the requests and responses of this folder again, from the SavedModel itself: python examples.py."""

import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads this when it loads

import numpy as np
import tensorflow as tf

HERE = Path(__file__).parent
MODEL = HERE.parents[1] / "savedmodels" / "vae_static_mnist" / "1"


def examples(model: Path = MODEL) -> dict[str, dict]:
    """Return file names and their contents: what a client posts to /v1/models/NAME:predict, and what comes back."""
    signatures = tf.saved_model.load(str(model)).signatures
    seed = np.array([0, 0], np.int32)
    drawn = _answer(signatures["generate"], n=np.int32(1), seed=seed)
    x = np.round(drawn["x"])
    encoded = _answer(signatures["encode"], x=x)
    scored = _answer(signatures["elbo"], x=x, seed=seed)
    rows = [{key: _plain(value[row]) for key, value in encoded.items()} for row in range(len(x))]
    return {
        # By columns: every input under its name. The way for inputs without an axis of examples, such as n and seed.
        "generate.request.json": {"signature_name": "generate", "inputs": {"n": 1, "seed": seed.tolist()}},
        "generate.response.json": {"outputs": {key: _plain(value) for key, value in drawn.items()}},
        "elbo.request.json": {
            "signature_name": "elbo",
            "inputs": {"x": x.astype(int).tolist(), "seed": seed.tolist()},
        },
        "elbo.response.json": {"outputs": {key: _plain(value) for key, value in scored.items()}},
        # By rows: one entry an example, without names if there is but one input.
        "encode.request.json": {"signature_name": "encode", "instances": x.astype(int).tolist()},
        "encode.response.json": {"predictions": rows},
    }


def _answer(signature: tf.types.experimental.ConcreteFunction, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    outputs = signature(**{name: tf.constant(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def _plain(value: np.ndarray) -> list:
    """Numbers in the six digits that float32 has for sure."""
    return np.vectorize(lambda number: float(f"{number:.6g}"))(value).tolist()


if __name__ == "__main__":
    for name, content in examples().items():
        (HERE / name).write_text(json.dumps(content) + "\n", encoding="utf-8")
        print("wrote", name)
