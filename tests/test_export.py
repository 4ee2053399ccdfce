"""The artefacts: loaded where nothing of ours is installed, of builtin operators, random only through their seed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfvae import data, evaluation, export, zoo
from tfvae.export.verification import is_builtin, operators


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    model = zoo.vae((8, 8, 1), 3, units=(16,), seed=1)
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(data.load("digits").train, epochs=3, verbose=0)
    return model


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    export.saved_model(model, folder / "1")
    export.tflite(model, folder / "m.tflite")
    return folder


@pytest.fixture(scope="module")
def runner(folder):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(folder / "m.tflite"))
    return interpreter.get_signature_runner


X = (np.random.default_rng(0).random([6, 8, 8, 1]) < 0.4).astype("float32")
SEED = np.array([11, -3], np.int32)


@pytest.fixture(scope="module")
def bare_site(tmp_path_factory):
    """The installed packages without tfvae, Keras and TFP."""
    folder, absent = tmp_path_factory.mktemp("site"), {"tfvae", "keras", "tf_keras", "tensorflow_probability"}
    absent |= sys.stdlib_module_names  # a backport, such as pythae brings, would take the place of the real one
    for entry in Path(np.__file__).parent.parent.iterdir():
        if entry.suffix != ".pth" and entry.name.split("-")[0].split(".")[0] not in absent:
            (folder / entry.name).symlink_to(entry)
    return folder


def test_saved_model_answers_without_tfvae_keras_or_tfp(model, folder, bare_site):
    script = f"""
import importlib.util
for name in ("tfvae", "keras", "tf_keras", "tensorflow_probability"):
    assert importlib.util.find_spec(name) is None, name
import numpy as np, tensorflow as tf
f = tf.saved_model.load({str(folder / "1")!r}).signatures
seed = tf.constant({SEED.tolist()})
x = tf.constant(np.load({str(folder / "x.npy")!r}))
np.savez({str(folder / "answers.npz")!r}, mean=f["serving_default"](x=x)["mean"],
         z=f["generate"](n=tf.constant(4), seed=seed)["z"], stddev=f["encode"](x=x)["stddev"],
         elbo=f["elbo"](x=x, seed=seed)["elbo"],
         log_evidence=f["log_evidence"](x=x, samples=tf.constant(20), seed=seed)["log_evidence"])
"""
    np.save(folder / "x.npy", X)
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(bare_site)}, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    answers = np.load(folder / "answers.npz")
    np.testing.assert_allclose(answers["mean"], model.predict(X, verbose=0), atol=1e-6)
    np.testing.assert_allclose(answers["elbo"], model.trace(X, 1, tuple(SEED.tolist())).elbo, rtol=1e-5)
    assert answers["z"].shape == (4, 3) and np.isfinite(answers["log_evidence"]).all()


def test_outputs_are_those_of_the_contract(folder):
    loaded = tf.saved_model.load(str(folder / "1")).signatures
    expected = {
        "serving_default": {"mean"}, "encode": {"mean", "stddev"}, "decode": {"mean"}, "generate": {"x", "z"},
        "elbo": {"elbo", "rate", "distortion"}, "log_evidence": {"log_evidence"},
    }  # fmt: skip
    assert {name: set(f.structured_outputs) for name, f in loaded.items()} == expected
    assert {name: {i for i in f.structured_input_signature[1]} for name, f in loaded.items()} == {
        "serving_default": {"x"}, "encode": {"x"}, "decode": {"z"}, "generate": {"n", "seed"},
        "elbo": {"x", "seed"}, "log_evidence": {"x", "samples", "seed"},
    }  # fmt: skip


def test_the_flatbuffer_holds_builtin_operators_only(folder):
    found = operators(folder / "m.tflite")
    assert {"FULLY_CONNECTED", "BITWISE_XOR", "WHILE"} <= found
    assert all(is_builtin(name) for name in found)
    assert not any("Flex" in name or "RANDOM" in name or "VAR_HANDLE" in name for name in found)
    assert b"Flex" not in (folder / "m.tflite").read_bytes()
    assert not is_builtin("CUSTOM:FlexErf") and not is_builtin("RANDOM_STANDARD_NORMAL")


def test_the_same_seed_gives_the_same_z_everywhere(model, folder, runner):
    loaded = tf.saved_model.load(str(folder / "1")).signatures["generate"]
    for words in ((0, 0), (5, 7), (-1, 2**31 - 1)):
        seed = np.array(words, np.int32)
        served = loaded(n=tf.constant(9), seed=tf.constant(seed))
        mobile = runner("generate")(n=np.int32(9), seed=seed)
        np.testing.assert_allclose(mobile["z"], served["z"], atol=2e-6)
        np.testing.assert_allclose(mobile["x"], model.sample(9, words), atol=1e-5)
        np.testing.assert_allclose(runner("generate")(n=np.int32(2), seed=seed)["z"], mobile["z"][:2], atol=1e-6)


def test_tflite_draws_are_normal_within_and_across_seeds(runner):
    """Kolmogorov-Smirnov, each failing by chance at 1e-5."""
    generate = runner("generate")
    within = generate(n=np.int32(5000), seed=SEED)["z"]
    assert min(stats.kstest(column, "norm").pvalue for column in within.T) > 1e-5
    across = np.stack([generate(n=np.int32(1), seed=np.array([s, 0], np.int32))["z"][0] for s in range(1500)])
    assert min(stats.kstest(column, "norm").pvalue for column in across.T) > 1e-5
    assert abs(np.corrcoef(across[:-1, 0], across[1:, 0])[0, 1]) < 4.5 / np.sqrt(1500)


def test_the_exported_evidence_is_the_librarys(model, runner):
    ours = evaluation.log_evidence(model, X, samples=50, seed=tuple(SEED.tolist()), progress=False).per_example
    mobile = runner("log_evidence")(x=X, samples=np.int32(50), seed=SEED)["log_evidence"]
    np.testing.assert_allclose(mobile, ours, rtol=1e-4)
    elbo = runner("elbo")(x=X, seed=SEED)
    np.testing.assert_allclose(elbo["elbo"], -(elbo["rate"] + elbo["distortion"]), rtol=1e-5)


@pytest.mark.parametrize("batch", [1, 2, 33])
def test_the_batch_is_dynamic(model, runner, batch):
    x = np.repeat(X, 6, 0)[:batch]
    np.testing.assert_allclose(runner("serving_default")(x=x)["mean"], model.predict(x, verbose=0), atol=1e-5)


def test_exporting_again_replaces(model, folder, tmp_path):
    shutil.copytree(folder / "1", tmp_path / "1")
    (tmp_path / "1" / "older").write_text("")
    (tmp_path / "m.tflite").write_text("older")
    export.saved_model(model, tmp_path / "1")
    export.tflite(model, tmp_path / "m.tflite", source=tmp_path / "1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "m.tflite"]
    assert not (tmp_path / "1" / "older").exists()


def test_verify_sees_a_difference(model, folder, tmp_path):
    """Another model's files do not agree, in every signature."""
    other = zoo.vae((8, 8, 1), 3, units=(16,), seed=2)
    parity = export.verify(other, saved_model=folder / "1", tflite=folder / "m.tflite", x=X)
    assert min(value for by_name in parity.differences.values() for value in by_name.values()) > 1e-3


@pytest.mark.slow
def test_an_mnist_model_agrees_in_three_formats(tfds_dir, tmp_path):
    splits = data.load("mnist", data_dir=tfds_dir)
    model = zoo.vae(splits.shape, 10, units=(50,), seed=0)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(splits.train.take(50), epochs=1, verbose=0)
    export.saved_model(model, tmp_path / "1")
    export.tflite(model, tmp_path / "m.tflite", source=tmp_path / "1")
    x = next(iter(splits.test)).numpy()
    parity = export.verify(model, saved_model=tmp_path / "1", tflite=tmp_path / "m.tflite", x=x)
    assert max(parity.differences["SavedModel"].values()) < 1e-4
    assert max(parity.differences["TFLite"].values()) < 1e-3
    assert all(is_builtin(name) for name in operators(tmp_path / "m.tflite"))
