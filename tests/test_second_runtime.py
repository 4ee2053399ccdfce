"""The artefacts in runtimes that are not TensorFlow: OpenVINO for the SavedModel, LiteRT's C interface for the file."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfvae import export, zoo

NATIVE = Path(__file__).parents[1] / "tutorials" / "native"
SEED = np.array([11, -3], np.int32)
NAMES = ("serving_default", "encode", "decode", "generate", "elbo", "log_evidence")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    model, folder = zoo.vae((8, 8, 1), 3, units=(16,), seed=1), tmp_path_factory.mktemp("export")
    export.saved_model(model, folder / "1")
    export.tflite(model, folder / "model.tflite", source=folder / "1")
    return folder


@pytest.fixture(scope="module")
def expected(folder):
    """Inputs and outputs of TensorFlow for every signature, in files."""
    rng = np.random.default_rng(0)
    x = (rng.random((3, 8, 8, 1)) < 0.4).astype(np.float32)
    z = rng.normal(size=(3, 3)).astype(np.float32)
    values = {"x": x, "z": z, "n": np.int32(4), "samples": np.int32(20), "seed": SEED}
    signatures = tf.saved_model.load(str(folder / "1")).signatures
    outputs = {}
    for name in NAMES:
        inputs = {key: values[key] for key in signatures[name].structured_input_signature[1]}
        np.savez(folder / f"{name}.npz", **inputs)
        outputs[name] = {
            key: value.numpy()
            for key, value in signatures[name](**{key: tf.constant(v) for key, v in inputs.items()}).items()
        }
    return outputs


def _alone(folder, name):
    """Write a SavedModel whose default signature is `name`, on the same weights: OpenVINO reads no other."""
    target = folder / "alone" / name
    target.mkdir(parents=True)
    (target / "variables").symlink_to(folder / "1" / "variables")
    saved = saved_model_pb2.SavedModel.FromString((folder / "1" / "saved_model.pb").read_bytes())
    by_name = saved.meta_graphs[0].signature_def
    by_name["serving_default"].CopyFrom(by_name[name])
    (target / "saved_model.pb").write_bytes(saved.SerializeToString())


def test_openvino_reads_every_signature_and_agrees(folder, expected):
    """In a process of its own, which at the end has not imported TensorFlow; draws and scores as well as means."""
    if find_spec("openvino") is None:
        pytest.skip("the second runtime is OpenVINO, which is not installed")
    for name in NAMES:
        _alone(folder, name)
    script = f"""
import sys
import numpy as np, openvino
core = openvino.Core()
for name in {NAMES!r}:
    model = core.compile_model(core.read_model("alone/" + name), "CPU", {{"INFERENCE_PRECISION_HINT": "f32"}})
    outputs = model(dict(np.load(name + ".npz")))
    np.savez(name + ".out.npz", **{{key: outputs[key] for port in model.outputs for key in port.names}})
taken = [name for name in ("tensorflow", "keras", "tfvae", "tensorflow_probability") if name in sys.modules]
assert not taken, taken
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    for name in NAMES:
        got = np.load(folder / f"{name}.out.npz")
        assert set(expected[name]) <= set(got)
        for key, value in expected[name].items():
            np.testing.assert_allclose(got[key], value, rtol=1e-4, atol=2e-5, err_msg=f"{name}: {key}")


# C ------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The example in C, compiled against the library in the wheel of ai-edge-litert."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    library = Path(find_spec("ai_edge_litert").origin).parent / "libLiteRt.so"
    if compiler is None or not library.is_file():
        pytest.skip(f"needs a C compiler and libLiteRt.so. Received: {compiler=}, {library} there: {library.is_file()}")
    program = tmp_path_factory.mktemp("native") / "digits"
    done = subprocess.run(
        [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", NATIVE / "digits.c", library,
         f"-Wl,-rpath,{library.parent}", "-lm", "-o", program],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return program


def _run(program, *arguments):
    return subprocess.run(
        [program, *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip


@pytest.mark.parametrize("seed", [(11, -3), (-(2**31), 2**31 - 1)])
def test_a_program_in_c_generates_and_scores_with_pythons_numbers(folder, program, seed):
    done = _run(program, folder / "model.tflite", 2, *seed)
    assert done.returncode == 0, done.stderr
    printed = {}
    for name, values in re.findall(r"^(\w+):((?: \S+)+)$", done.stdout, re.MULTILINE):
        printed[name] = np.array(values.split(), np.float64)
    signatures = tf.saved_model.load(str(folder / "1")).signatures
    words = tf.constant(seed, tf.int32)
    drawn = signatures["generate"](n=tf.constant(2), seed=words)
    np.testing.assert_allclose(printed["x"], np.ravel(drawn["x"]), rtol=1e-4, atol=1e-5)
    scored = signatures["elbo"](x=tf.round(drawn["x"]), seed=words)
    for name in ("elbo", "rate", "distortion"):
        np.testing.assert_allclose(printed[name], scored[name], rtol=1e-4)


@pytest.mark.parametrize("arguments", [("none.tflite", 2, 1, 2), ("model.tflite", 0, 1, 2),
                                       ("model.tflite", -1, 1, 2), ("model.tflite", 2**31 - 1, 1, 2),
                                       ("model.tflite",)])  # fmt: skip
def test_the_program_says_what_is_wrong(folder, program, arguments):
    done = _run(program, folder / arguments[0], *arguments[1:])
    assert done.returncode == 1 and done.stderr.strip(), (done.returncode, done.stderr)


@pytest.mark.parametrize("file", ["Digits.kt", "Digits.swift"])
def test_examples_for_phones_name_the_signatures_inputs_and_outputs(folder, file):
    """They are not compiled here, but the names in them are those of the file."""
    from ai_edge_litert.interpreter import Interpreter

    text = (NATIVE / file).read_text(encoding="utf-8")
    assert "not compiled" in text
    interpreter = Interpreter(model_path=str(folder / "model.tflite"))
    for name in ("generate", "elbo"):
        signature = interpreter.get_signature_list()[name]
        assert all(f'"{word}"' in text for word in (name, *signature["inputs"], *signature["outputs"]))
