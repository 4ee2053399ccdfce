"""Hostile or damaged artefacts and inputs: an error or a defined result, never a crash, silent garbage or code run."""

import contextlib
import json
import pickle
import shutil
import subprocess
import sys
import textwrap
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tfvae import export, zoo
from tfvae.errors import ExportError
from tfvae.evaluation import anomaly
from tfvae.models.loading import load_model

I32, F32 = np.int32, np.float32
X = (np.random.default_rng(0).random((2, 8, 8, 1)) < 0.4).astype(F32)
SEED = np.array([1, 2], I32)
Z = np.zeros((2, 3), F32)
MASK = np.ones_like(X)
MASK[:, :2] = 0
ADAPTER = np.full((8, 8, 1), 0.1, F32)


def _with(value, of=X, place=(0, 3, 3, 0)):
    spoiled = of.copy()
    spoiled[place] = value
    return spoiled


# What is expected of an answer `got`; an error is an answer that is an exception. `ask` gives the clean answers.


def refused(got, ask):
    assert isinstance(got, Exception), f"Received: {got}"


def first_not_finite(got, ask):
    """The spoiled example gives NaN or infinity in every output, the other one what it gives in clean company."""
    assert not isinstance(got, Exception), got
    for value in got.values():
        assert not np.isfinite(value[0]).any() and np.isfinite(value[1]).all()


def all_nan(got, ask):
    assert not isinstance(got, Exception), got
    assert all(np.isnan(value).all() for value in got.values())


def first_line_nan(got, ask):
    """Of lines between two examples each, [T, B, ...], the first one is NaN and the second one is not."""
    assert not isinstance(got, Exception), got
    assert np.isnan(got["x"][:, 0]).all() and np.isfinite(got["x"][:, 1]).all()


def alarms(*flags):
    def expect(got, ask):
        assert not isinstance(got, Exception), got
        assert got["is_anomaly"].tolist() == list(flags)

    return expect


def all_not_finite(got, ask):
    assert isinstance(got, Exception) or not any(np.isfinite(value).any() for value in got.values())


def empty(got, ask):
    assert not isinstance(got, Exception), got
    assert all(value.shape[0] == 0 for value in got.values())


def same_as(signature, **inputs):
    def expect(got, ask):
        assert not isinstance(got, Exception), got
        _agree(got, ask(signature, inputs))

    return expect


def refused_or_same_as(signature, **inputs):
    def expect(got, ask):
        assert isinstance(got, Exception) or _agree(got, ask(signature, inputs)) is None

    return expect


def _agree(got, expected):
    for key in expected:
        np.testing.assert_allclose(got[key], expected[key], rtol=1e-4, atol=1e-4)


INPUTS = {
    "NaN pixel, encode": ("encode", {"x": _with(np.nan)}, first_not_finite),
    "NaN pixel, reconstruct": ("serving_default", {"x": _with(np.nan)}, first_not_finite),
    "NaN pixel, elbo": ("elbo", {"x": _with(np.nan), "seed": SEED}, first_not_finite),
    "NaN pixel, evidence": ("log_evidence", {"x": _with(np.nan), "samples": I32(3), "seed": SEED}, first_not_finite),
    "infinite pixel, encode": ("encode", {"x": _with(np.inf)}, first_not_finite),
    "infinite pixel, elbo": ("elbo", {"x": _with(-np.inf), "seed": SEED}, first_not_finite),
    "NaN z": ("decode", {"z": np.array([[np.nan, 0, 0], [0, 0, 0]], F32)}, first_not_finite),
    "far z": ("decode", {"z": np.full((1, 3), 1e6, F32)}, same_as("decode", z=np.full((1, 3), 1e6, F32))),
    "grey pixels under bits": ("elbo", {"x": X / 2, "seed": SEED}, all_not_finite),
    "negative pixels under bits": ("elbo", {"x": X - 3, "seed": SEED}, all_not_finite),
    "n = 0": ("generate", {"n": I32(0), "seed": SEED}, empty),
    "n = -1": ("generate", {"n": I32(-1), "seed": SEED}, refused),
    "n = -2^31": ("generate", {"n": I32(-(2**31)), "seed": SEED}, refused),
    "n of rank 1": ("generate", {"n": np.array([2, 3], I32), "seed": SEED}, refused),
    "n float": ("generate", {"n": F32(2), "seed": SEED}, refused),
    "n int64": ("generate", {"n": np.int64(2), "seed": SEED}, refused),
    "negative seed": ("generate", {"n": I32(2), "seed": -SEED}, same_as("generate", n=I32(2), seed=-SEED)),
    "extreme seed": (
        "generate",
        {"n": I32(2), "seed": np.array([-(2**31), 2**31 - 1], I32)},
        same_as("generate", n=I32(2), seed=np.array([-(2**31), 2**31 - 1], I32)),
    ),
    "seed without a word": ("generate", {"n": I32(2), "seed": SEED[:0]}, refused),
    "seed of one word": ("generate", {"n": I32(2), "seed": SEED[:1]}, refused),
    "seed of three words": ("generate", {"n": I32(2), "seed": np.array([1, 2, 3], I32)}, refused),
    "seed of rank 2": ("generate", {"n": I32(2), "seed": np.array([[1, 2], [3, 4]], I32)}, refused),
    "samples = 0": (
        "log_evidence",
        {"x": X, "samples": I32(0), "seed": SEED},
        same_as("log_evidence", x=X, samples=I32(1), seed=SEED),
    ),
    "samples = -5": (
        "log_evidence",
        {"x": X, "samples": I32(-5), "seed": SEED},
        same_as("log_evidence", x=X, samples=I32(1), seed=SEED),
    ),
    "no example, encode": ("encode", {"x": X[:0]}, empty),
    "no example, decode": ("decode", {"z": Z[:0]}, empty),
    "no example, elbo": ("elbo", {"x": X[:0], "seed": SEED}, empty),
    "no example, evidence": ("log_evidence", {"x": X[:0], "samples": I32(3), "seed": SEED}, empty),
    "x cut in halves": ("encode", {"x": X.reshape(4, 4, 8, 1)}, refused),
    "two x as one": ("encode", {"x": X.reshape(1, 16, 8, 1)}, refused),
    "x of one column": ("elbo", {"x": X[:, :, :1], "seed": SEED}, refused),
    "flat x": ("encode", {"x": X.reshape(2, 64)}, refused_or_same_as("encode", x=X)),
    "x with its axes in another order": ("encode", {"x": X.reshape(2, 1, 8, 8)}, refused_or_same_as("encode", x=X)),
    "z of four": ("decode", {"z": np.zeros((2, 4), F32)}, refused),
    "z of rank 1": ("decode", {"z": Z[0]}, refused_or_same_as("decode", z=Z[:1])),
    "x float64": ("encode", {"x": X.astype("float64")}, refused),
    "x uint8": ("encode", {"x": X.astype("uint8")}, refused),
    "x text": ("encode", {"x": np.array(["a"])}, refused),
    "no seed": ("elbo", {"x": X}, refused),
    "an input too many": ("encode", {"x": X, "y": X}, refused),
    "an unknown signature": ("encoder", {"x": X}, refused),
}

# Signatures that are asked for.


def _impute(x=X, mask=MASK):
    return {"x": x, "mask": mask, "seed": SEED}


def _adapt(x=X, adapter=ADAPTER, rate=0.1, steps=2):
    steps, rate = np.asarray(steps, I32), np.asarray(rate, F32)
    return {"x": x, "adapter": adapter, "learning_rate": rate, "steps": steps, "seed": SEED}


def _decide(x=X, level=0.0):
    return {"x": x, "level": np.asarray(level, F32), "seed": SEED}


def _line(x_a=X, x_b=X[::-1], steps=3):
    return {"x_a": x_a, "x_b": x_b, "steps": np.asarray(steps, I32)}


INPUTS |= {
    "NaN pixel, encode_sample": ("encode_sample", {"x": _with(np.nan), "seed": SEED}, first_not_finite),
    "grey pixel, score": ("score", {"x": _with(0.5), "seed": SEED}, first_not_finite),
    "no example, score": ("score", {"x": X[:0], "seed": SEED}, empty),
    "grey pixel observed": ("impute", _impute(_with(0.5)), first_not_finite),
    "negative pixel observed": ("impute", _impute(_with(-3)), first_not_finite),
    "infinite pixel observed": ("impute", _impute(_with(np.inf)), first_not_finite),
    "NaN pixel observed": ("impute", _impute(_with(np.nan)), first_not_finite),
    "NaN in a gap": ("impute", _impute(_with(np.nan, place=(0, 0, 3, 0))), same_as("impute", **_impute())),
    "grey in a gap": ("impute", _impute(_with(0.5, place=(0, 0, 3, 0))), same_as("impute", **_impute())),
    "NaN in the mask": ("impute", _impute(mask=_with(np.nan, MASK)), first_not_finite),
    "one mask for two": ("impute", _impute(mask=MASK[:1]), refused),
    "two masks for one": ("impute", _impute(X[:1]), refused),
    "a mask of one column": ("impute", _impute(mask=MASK[:, :, :1]), refused),
    "no example, impute": ("impute", _impute(X[:0], MASK[:0]), empty),
    "NaN pixel, no alarm allowed": ("is_anomaly", _decide(_with(np.nan)), alarms(1, 0)),
    "grey pixel, no alarm allowed": ("is_anomaly", _decide(_with(0.5)), alarms(1, 0)),
    "NaN level": ("is_anomaly", _decide(level=np.nan), alarms(1, 1)),
    "infinite level": ("is_anomaly", _decide(level=np.inf), alarms(1, 1)),
    "level below 0": ("is_anomaly", _decide(level=-1), alarms(0, 0)),
    "two levels": ("is_anomaly", _decide(level=[0.1, 0.2]), refused),
    "NaN pixel, interpolate": ("interpolate", _line(_with(np.nan)), first_line_nan),
    "lines from one to two": ("interpolate", _line(X[:1]), refused),
    "lines from two to one": ("interpolate", _line(x_b=X[:1]), refused),
    "lines without a step": ("interpolate", _line(steps=-1), same_as("interpolate", **_line(steps=2))),
    "grey pixel, personalise": ("personalise", _adapt(_with(0.5)), all_nan),
    "NaN pixel, personalise": ("personalise", _adapt(_with(np.nan)), all_nan),
    "infinite pixel, personalise": ("personalise", _adapt(_with(np.inf)), all_nan),
    "grey pixel, no step": ("personalise", _adapt(_with(0.5), steps=0), all_nan),
    "NaN rate": ("personalise", _adapt(rate=np.nan), all_nan),
    "NaN adapter": ("personalise", _adapt(adapter=ADAPTER * np.nan), all_nan),
    "steps below 0": ("personalise", _adapt(steps=-3), same_as("personalise", **_adapt(steps=0))),
    "two rates": ("personalise", _adapt(rate=[0.1, 0.2]), refused),
    "two numbers of steps": ("personalise", _adapt(steps=[1, 2]), refused),
    "an adapter of one number": ("personalise", _adapt(adapter=ADAPTER[0, 0]), refused),
    "an adapter of one column": ("personalise", _adapt(adapter=ADAPTER[:, :1]), refused),
    "two adapters": ("personalise", _adapt(adapter=np.stack([ADAPTER, ADAPTER])), refused),
    "an adapter of one column, decode": ("decode_personalised", {"z": Z, "adapter": ADAPTER[:, :1]}, refused),
    "two adapters, decode": ("decode_personalised", {"z": Z, "adapter": np.stack([ADAPTER, ADAPTER])}, refused),
    "NaN z, decode": (
        "decode_personalised", {"z": _with(np.nan, Z, (0, 0)), "adapter": ADAPTER}, first_not_finite,
    ),
    "an adapter of one column, elbo": (
        "elbo_personalised", {"x": X, "adapter": ADAPTER[:, :1], "seed": SEED}, refused,
    ),
    "two adapters, elbo": (
        "elbo_personalised", {"x": X, "adapter": np.stack([ADAPTER, ADAPTER]), "seed": SEED}, refused,
    ),
    "grey pixel, elbo": ("elbo_personalised", {"x": _with(0.5), "adapter": ADAPTER, "seed": SEED}, first_not_finite),
}  # fmt: skip


def _table():
    for kind in ("saved_model", "tflite"):
        for name in INPUTS:
            yield pytest.param(kind, name, id=f"{kind}: {name}")


@pytest.fixture(scope="module")
def model():
    return zoo.vae((8, 8, 1), 3, units=(16,), seed=1)


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    calibration = anomaly.calibrate(anomaly.NegativeELBO(model, samples=2, progress=False), np.tile(X, [10, 1, 1, 1]))
    extras = [
        export.EncodeSample(), export.Score(2), export.IsAnomaly(calibration), export.Interpolate(),
        export.Impute(2, 3), export.Personalise(),
    ]  # fmt: skip
    export.saved_model(model, folder / "1", extras=extras)
    export.tflite(model, folder / "model.tflite", extras=extras, source=folder / "1")
    model.save(folder / "model.keras")
    return folder


@pytest.fixture(scope="module")
def askers(folder):
    """Format to a function from a signature and inputs to outputs or the exception."""
    signatures = tf.saved_model.load(str(folder / "1")).signatures

    def saved_model(name, inputs):
        try:
            outputs = signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})
            return {key: value.numpy() for key, value in outputs.items()}
        except Exception as error:
            return error

    return {"saved_model": saved_model, "tflite": _Elsewhere(folder)}


class _Elsewhere:
    """Asks the TFLite file in another process, so that a crash is seen and not suffered."""

    SCRIPT = textwrap.dedent("""
        import pickle, resource, sys
        resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30,) * 2)
        from ai_edge_litert.interpreter import Interpreter
        answers, interpreter = sys.stdout.buffer, None
        while True:
            try:
                name, inputs = pickle.load(sys.stdin.buffer)
            except EOFError:
                break
            try:
                # A new one for each: a failed call leaves an interpreter in an unknown state.
                interpreter = Interpreter(model_path="model.tflite", num_threads=1)
                answer = {k: v.copy() for k, v in interpreter.get_signature_runner(name)(**inputs).items()}
            except Exception as error:
                answer = RuntimeError(f"{type(error).__name__}: {error}")
            pickle.dump(answer, answers)
            answers.flush()
    """)

    def __init__(self, folder):
        self.folder, self.process = folder, None

    def __call__(self, name, inputs):
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [sys.executable, "-c", self.SCRIPT],
                cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        pickle.dump((name, inputs), self.process.stdin)
        self.process.stdin.flush()
        try:
            return pickle.load(self.process.stdout)  # noqa: S301 - of our own process
        except EOFError:
            pytest.fail(f"the interpreter died with {self.process.wait()} on {name}")

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait(60)
            self.process.stdout.close()


@pytest.fixture(scope="module", autouse=True)
def _closing(askers):
    yield
    askers["tflite"].close()


@pytest.mark.parametrize(("kind", "name"), list(_table()))
def test_an_input_gives_an_error_or_a_defined_result(askers, kind, name):
    signature, inputs, expect = INPUTS[name]
    # The reference for a defined result is always the SavedModel, which agrees with Keras (tests/test_export.py).
    expect(askers[kind](signature, inputs), askers["saved_model"])


def test_more_than_there_is_memory_for_is_an_error_in_tflite(askers):
    refused(askers["tflite"]("generate", {"n": I32(2**31 - 1), "seed": SEED}), None)
    assert len(askers["tflite"]("generate", {"n": I32(10_000), "seed": SEED})["x"]) == 10_000


def test_more_than_there_is_memory_for_is_an_error_in_a_saved_model(folder):
    """In another process, whose memory has a limit: without one, the machine's would be taken first."""
    script = textwrap.dedent("""
        import resource
        import tensorflow as tf
        generate = tf.saved_model.load("1").signatures["generate"]
        generate(n=tf.constant(2), seed=tf.constant([1, 2]))
        with open("/proc/self/statm") as file:
            taken = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + 2**32,) * 2)
        try:
            generate(n=tf.constant(2**31 - 1), seed=tf.constant([1, 2]))
        except tf.errors.ResourceExhaustedError:
            print("refused, and then", len(generate(n=tf.constant(3), seed=tf.constant([1, 2]))["x"]))
    """)
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "refused, and then 3", done.stderr[-2000:]


# Files --------------------------------------------------------------------------------------------------------------


def _cut(path, size):
    data = path.read_bytes()
    path.write_bytes(data[: size if size >= 0 else len(data) + size])


def _without(path, *names):
    for name in names:
        (path / name).unlink()


DATA, INDEX = "variables/variables.data-00000-of-00001", "variables/variables.index"
SAVED_MODELS = {
    "not there": shutil.rmtree,
    "a file": lambda p: (shutil.rmtree(p), p.write_text("no model")),
    "empty folder": lambda p: (shutil.rmtree(p), p.mkdir()),
    "empty graph": lambda p: _cut(p / "saved_model.pb", 0),
    "graph cut by a byte": lambda p: _cut(p / "saved_model.pb", -1),
    "graph cut in half": lambda p: _cut(p / "saved_model.pb", 50_000),
    "graph of noise": lambda p: (p / "saved_model.pb").write_bytes(np.random.default_rng(0).bytes(5000)),
    "weights missing": lambda p: _without(p, DATA),
    "weights and index missing": lambda p: _without(p, DATA, INDEX),
    "weights empty": lambda p: _cut(p / DATA, 0),
    "weights cut in half": lambda p: _cut(p / DATA, 5000),
    "index cut": lambda p: _cut(p / INDEX, 100),
}
TFLITES = {
    "not there": lambda p: p.unlink(),
    "a folder": lambda p: (p.unlink(), p.mkdir()),
    "empty": lambda p: _cut(p, 0),
    "only a header": lambda p: _cut(p, 8),
    "cut early": lambda p: _cut(p, 1000),
    "cut in half": lambda p: _cut(p, 100_000),
    "cut by a byte": lambda p: _cut(p, -1),
    "text": lambda p: p.write_text("no model" * 100),
    "noise": lambda p: p.write_bytes(np.random.default_rng(0).bytes(5000)),
    "noise with a header": lambda p: p.write_bytes(b"\x20\0\0\0TFL3" + np.random.default_rng(0).bytes(5000)),
}


@pytest.mark.parametrize("name", SAVED_MODELS)
def test_a_damaged_saved_model_is_named(model, folder, tmp_path, name):
    damaged = tmp_path / "1"
    shutil.copytree(folder / "1", damaged)
    SAVED_MODELS[name](damaged)
    with pytest.raises(ExportError, match=r"Expected a SavedModel\. Received: .*/1"):
        export.verify(model, saved_model=damaged)


@pytest.mark.parametrize("name", TFLITES)
def test_a_damaged_tflite_file_is_named(model, folder, tmp_path, name):
    damaged = tmp_path / "model.tflite"
    shutil.copyfile(folder / "model.tflite", damaged)
    TFLITES[name](damaged)
    with pytest.raises(ExportError, match=r"Expected a TFLite file\. Received: .*model\.tflite"):
        export.verify(model, tflite=damaged)


def test_flipped_weights_are_seen_by_verify(model, folder, tmp_path):
    """Nothing in the formats says that a weight is wrong; the comparison does."""
    data = (folder / "model.tflite").read_bytes()
    weights = model.trainable_weights[0].numpy().T.tobytes()  # as TFLite lays out a dense layer
    at = data.find(weights[:256])
    assert at > 0
    spoiled = np.frombuffer(data[at : at + 256], F32) + F32(1)
    (tmp_path / "m.tflite").write_bytes(data[:at] + spoiled.tobytes() + data[at + 256 :])
    assert export.verify(model, tflite=tmp_path / "m.tflite").worst > 1e-2


def test_files_of_another_shape_or_with_fewer_signatures_are_named(model, folder, tmp_path):
    other = zoo.vae((4, 4, 1), 2, units=(4,), seed=0)
    with pytest.raises(ExportError, match="to run on the model's inputs"):
        export.verify(other, tflite=folder / "model.tflite")
    with pytest.raises(ExportError, match="to run on the model's inputs"):
        export.verify(other, saved_model=folder / "1")
    export.saved_model(other, tmp_path / "1", without=["decode", "encode", "generate", "elbo", "log_evidence"])
    with pytest.raises(ExportError, match="Expected a signature 'encode'"):
        export.verify(other, saved_model=tmp_path / "1")


# .keras -------------------------------------------------------------------------------------------------------------


def _rewrite(path, change):
    """Change the members of a .keras file: a function from a dictionary of their bytes to nothing."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _edit(change):
    """Change every Dense layer in the configuration of a .keras file."""

    def visit(node):
        if isinstance(node, list):
            return [visit(child) for child in node]
        if not isinstance(node, dict):
            return node
        return change(node) if node.get("class_name") == "Dense" else {key: visit(child) for key, child in node.items()}

    def members(files):
        before = files["config.json"]
        files["config.json"] = json.dumps(visit(json.loads(before))).encode()
        assert files["config.json"] != before

    return lambda path: _rewrite(path, members)


def _as(module, class_name, registered_name=None, **config):
    return _edit(
        lambda node: {
            **node,
            "module": module,
            "class_name": class_name,
            "registered_name": registered_name,
            "config": {**node["config"], **config},
        }
    )


def _lambda(path):
    """A layer whose function writes a file beside the model when it is made or called.

    The name of the file is a constant of its code: JSON would make a list of default values, which Keras refuses.
    """
    mark = str(path.with_name("ran"))
    layer = keras.layers.Lambda(eval(f"lambda x: (open({mark!r}, 'w').close(), x)[1]"))  # noqa: S307 - of this file
    hostile = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    _edit(lambda node: {**hostile, "name": node.get("name")})(path)


def _import(path):
    """A class of a module that writes a file beside the model when it is imported; the folder is on sys.path."""
    path.with_name("hostile_module.py").write_text(
        f"open({str(path.with_name('ran'))!r}, 'w').close()\nclass Dense: pass\n", encoding="utf-8"
    )
    _as("hostile_module", "Dense")(path)


def _weights(change):
    def members(files):
        files["model.weights.h5"] = change(files["model.weights.h5"])

    return lambda path: _rewrite(path, members)


def _other(build):
    def write(path):
        path.unlink()
        build().save(path)

    return write


def _plain():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


def _other_weights(path):
    zoo.vae((8, 8, 1), 3, units=(17,), seed=1).save(path.with_name("other.keras"))
    with zipfile.ZipFile(path.with_name("other.keras")) as archive:
        other = archive.read("model.weights.h5")
    _weights(lambda _: other)(path)


KERAS = {
    "a lambda": _lambda,
    "a module that does something when imported": _import,
    "an unknown class": _as("nowhere.layers", "Nothing"),
    "an unknown registered class": _as(None, "Nothing", registered_name="tfvae>Nothing"),
    "os.system": _as("os", "system"),
    "subprocess.Popen": _as("subprocess", "Popen"),
    "builtins.eval": _as("builtins", "eval"),
    "a function for a layer": _as("keras.utils", "get_file"),
    "widths below zero": _as("keras.layers", "Dense", units=-3),
    "empty": lambda p: _cut(p, 0),
    "cut in half": lambda p: _cut(p, 10_000),
    "cut by a byte": lambda p: _cut(p, -1),
    "text": lambda p: p.write_text("no model"),
    "no configuration": lambda p: _rewrite(p, lambda files: files.pop("config.json")),
    "a configuration that is no JSON": lambda p: _rewrite(p, lambda files: files.update({"config.json": b"{"})),
    "no weights": lambda p: _rewrite(p, lambda files: files.pop("model.weights.h5")),
    "weights cut": _weights(lambda data: data[:3000]),
    "weights of noise": _weights(lambda data: np.random.default_rng(0).bytes(len(data))),
    "weights of another width": _other_weights,
    "another model of Keras": _other(_plain),
}


@pytest.mark.parametrize("name", KERAS)
@pytest.mark.filterwarnings("ignore")  # Keras' words on the way to a refusal
def test_a_hostile_keras_file_is_refused_and_runs_nothing(folder, tmp_path, name, monkeypatch):
    file = tmp_path / "model.keras"
    shutil.copyfile(folder / "model.keras", file)
    monkeypatch.syspath_prepend(tmp_path)
    KERAS[name](file)
    (tmp_path / "ran").unlink(missing_ok=True)
    for load, source in ((load_model, file), (tfvae.from_preset, tmp_path)):
        with pytest.raises(ValueError, match=r"Expected a (\.keras file of a )?tfvae model\. Received: .*model\.keras"):
            load(source)
    assert not (tmp_path / "ran").exists(), "code in the file was run"


@pytest.mark.filterwarnings("ignore")
def test_a_lambda_is_what_is_refused_and_would_have_run(folder, tmp_path):
    """The same file runs its code where Keras is told to trust it, so that the test above can fail."""
    file = tmp_path / "model.keras"
    shutil.copyfile(folder / "model.keras", file)
    _lambda(file)
    with pytest.raises(ValueError, match="Requested the deserialization of a `Lambda` layer"):
        load_model(file)
    assert not (tmp_path / "ran").exists()
    with contextlib.suppress(ValueError):  # the weights of a Dense layer do not fit one without
        keras.models.load_model(file, safe_mode=False)
    assert (tmp_path / "ran").exists()


@pytest.mark.filterwarnings("ignore:Skipping invalid path")
def test_a_file_that_unpacks_outside_its_folder_writes_nothing(folder, tmp_path):
    file = tmp_path / "inside" / "model.keras"
    file.parent.mkdir()
    shutil.copyfile(folder / "model.keras", file)
    outside = tmp_path / "absolute.txt"
    _rewrite(file, lambda files: files.update({"../outside.txt": b"here", str(outside): b"here"}))
    load_model(file)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["inside", "model.keras"]


def test_there_are_enough_cases():
    assert len(list(_table())) + len(SAVED_MODELS) + len(TFLITES) + len(KERAS) >= 100
