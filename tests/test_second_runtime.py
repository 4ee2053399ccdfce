"""The artefacts in runtimes that are not TensorFlow: OpenVINO for the SavedModel, LiteRT's C interface for the file."""

import hashlib
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
from tfvae.models.loading import load_model

ROOT = Path(__file__).parents[1]
NATIVE = ROOT / "tutorials" / "native"
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


def _alone(source, target, name):
    """Write a SavedModel whose default signature is `name`, on the weights of another: OpenVINO reads no other."""
    target.mkdir(parents=True)
    (target / "variables").symlink_to(source / "variables")
    saved = saved_model_pb2.SavedModel.FromString((source / "saved_model.pb").read_bytes())
    by_name = saved.meta_graphs[0].signature_def
    by_name["serving_default"].CopyFrom(by_name[name])
    (target / "saved_model.pb").write_bytes(saved.SerializeToString())


def _check_openvino(folder, models, expected):
    """Run SavedModels by the names of their default signatures, on inputs in files, without TensorFlow; compare."""
    if find_spec("openvino") is None:
        pytest.skip("the second runtime is OpenVINO, which is not installed")
    paths = {name: str(model) for name, model in models.items()}
    script = f"""
import sys
import numpy as np, openvino
core = openvino.Core()
for name, model in {paths!r}.items():
    model = core.compile_model(core.read_model(model), "CPU", {{"INFERENCE_PRECISION_HINT": "f32"}})
    outputs = model(dict(np.load(name + ".npz")))
    np.savez(name + ".out.npz", **{{key: outputs[key] for port in model.outputs for key in port.names}})
taken = [name for name in ("tensorflow", "keras", "tfvae", "tensorflow_probability") if name in sys.modules]
assert not taken, taken
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    for name in models:
        got = np.load(folder / f"{name}.out.npz")
        assert set(expected[name]) <= set(got)
        for key, value in expected[name].items():
            np.testing.assert_allclose(got[key], value, rtol=1e-4, atol=2e-5, err_msg=f"{name}: {key}")


def test_openvino_reads_every_signature_and_agrees(folder, expected):
    """In a process of its own, which at the end has not imported TensorFlow; draws and scores as well as means."""
    for name in NAMES:
        _alone(folder / "1", folder / "alone" / name, name)
    _check_openvino(folder, {name: folder / "alone" / name for name in NAMES}, expected)


def test_openvino_reads_a_trained_model_as_it_lies_and_agrees_with_keras(tmp_path):
    """The default signature from the folder itself; the bound, which holds the encoder and the decoder, by a copy."""
    preset = ROOT / "savedmodels" / "vae_static_mnist"
    model = load_model(preset / "model.keras")
    x = tf.round(model.decoder(model.prior().sample(4, seed=[0, 1])).mean())
    trace = model.trace(x, 1, tuple(SEED.tolist()))
    expected = {
        "serving_default": {"mean": model(x)},
        "elbo": {"elbo": trace.elbo, "rate": trace.rate, "distortion": trace.distortion},
    }
    np.savez(tmp_path / "serving_default.npz", x=x)
    np.savez(tmp_path / "elbo.npz", x=x, seed=SEED)
    _alone(preset / "1", tmp_path / "elbo", "elbo")
    _check_openvino(tmp_path, {"serving_default": preset / "1", "elbo": tmp_path / "elbo"}, expected)


# C ------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[("cc", "c", "c11"), ("c++", "c++", "c++17")], ids=["C", "C++"])
def program(request, tmp_path_factory):
    """The example in C, which is C++ too, compiled against the library in the wheel of ai-edge-litert."""
    name, language, standard = request.param
    compiler = shutil.which(name)
    library = Path(find_spec("ai_edge_litert").origin).parent / "libLiteRt.so"
    if compiler is None or not library.is_file():
        pytest.skip(f"needs {name} and libLiteRt.so. Received: {compiler=}, {library} there: {library.is_file()}")
    program = tmp_path_factory.mktemp("native") / "digits"
    done = subprocess.run(
        [compiler, f"-std={standard}", "-O2", "-Wall", "-Wextra", "-Werror", "-x", language, NATIVE / "digits.c",
         "-x", "none", library, f"-Wl,-rpath,{library.parent}", "-lm", "-o", program],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return program


def _digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _run(program, *arguments):
    return subprocess.run(
        [program, *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip


@pytest.mark.parametrize("seed", [(11, -3), (-(2**31), 2**31 - 1)])
def test_a_program_in_c_generates_and_scores_with_pythons_numbers(folder, program, seed):
    file = folder / "model.tflite"
    done = _run(program, file, _digest(file), 2, *seed)
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


@pytest.mark.parametrize(("n", "words"), [(0, (1, 2)), (-1, (1, 2)), (2**31 - 1, (1, 2)), (2, (1,))])
def test_the_program_says_what_is_wrong(folder, program, n, words):
    file = folder / "model.tflite"
    expected = "N from 1 to 10000" if len(words) == 2 else "arguments FILE SHA256 N SEED SEED"
    _refused(_run(program, file, _digest(file), n, *words), expected)


# The SHA-256 pads the last 64 bytes, with or without room for eight more: 0, 55, 56, 63, 64 and 65 are its cases.
@pytest.mark.parametrize("size", [0, 8, 55, 56, 63, 64, 65, 0.5, -1])
def test_the_program_does_not_load_a_damaged_file(folder, program, tmp_path, size):
    """It says the SHA-256 of what it was given, without which LiteRT may end the process."""
    data, cut = (folder / "model.tflite").read_bytes(), tmp_path / "cut.tflite"
    cut.write_bytes(data[: len(data) // 2 if size == 0.5 else size])
    done = _run(program, cut, _digest(folder / "model.tflite"), 2, 1, 2)
    _refused(done, f"a file with this SHA-256; fetch it again. Received: {_digest(cut)}")


def test_the_program_does_not_load_a_flipped_file_or_none(folder, program, tmp_path):
    data = bytearray((folder / "model.tflite").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "flipped.tflite").write_bytes(data)
    digest = _digest(folder / "model.tflite")
    _refused(_run(program, tmp_path / "flipped.tflite", digest, 2, 1, 2), "a file with this SHA-256")
    _refused(_run(program, tmp_path / "none.tflite", digest, 2, 1, 2), "a file. Received: ")
    _refused(_run(program, tmp_path, digest, 2, 1, 2), "a file with this SHA-256")


def _refused(done, expected):
    assert done.returncode == 1 and done.stderr.startswith(f"Expected {expected}"), (done.returncode, done.stderr)


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
