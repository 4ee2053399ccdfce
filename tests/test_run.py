"""`tfvae train` from beginning to end, killed and resumed, and the other commands on what it leaves."""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from cases import CASES
from PIL import Image
from typer.testing import CliRunner

import tfvae
from tfvae.cli import app
from tfvae.evaluation.printing import plus_minus
from tfvae.files import replacing
from tfvae.run import Options

COMMAND = [sys.executable, "-m", "tfvae", "train", "--units", "24", "--latent-dim", "2", "--samples", "20"]
REFUSED = ("elbo", "log_evidence")
FILES = {"card.json", "card.md", "logs", "model.keras", "model.tflite", "pictures", "run.json", "saved_model"}


def _check_whole(folder):
    """Everything that is there under its own name is whole."""
    for path in folder.glob("[!.]*.keras"):
        assert zipfile.ZipFile(path).testzip() is None
        assert isinstance(keras.models.load_model(path), tfvae.AbstractVAE)
    if (folder / "saved_model" / "1").exists():
        assert "decode" in tf.saved_model.load(str(folder / "saved_model" / "1")).signatures
    if (folder / "model.tflite").exists():
        assert "decode" in Interpreter(model_path=str(folder / "model.tflite")).get_signature_list()
    for path in folder.glob("pictures/[!.]*.png"):
        with Image.open(path) as picture:
            picture.verify()
    for path in folder.glob("[!.]*.json"):
        json.loads(path.read_text())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    done = subprocess.run(
        [*COMMAND, "--epochs", "4", "--out", str(folder)], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(folder) in done.stdout and f"tfvae evaluate {folder}" in done.stdout
    return folder


def test_a_run_leaves_everything_and_nothing_else(finished):
    assert {path.name for path in finished.iterdir()} == FILES
    _check_whole(finished)
    names = {path.name for path in (finished / "pictures").iterdir()}
    assert names == {"reconstructions.png", "samples.png", "latent.png"}
    assert list((finished / "logs").rglob("events.*"))


def test_the_card_says_what_was_measured(finished):
    card = json.loads((finished / "card.json").read_text())
    test = card["test"]
    assert test["elbo"]["mean"] == pytest.approx(-test["rate"]["mean"] - test["distortion"]["mean"], rel=1e-5)
    assert test["log_evidence"]["mean"] > test["elbo"]["mean"] and test["log_evidence"]["examples"] == 270
    assert 0 < test["log_evidence"]["standard_error"] < 2 and 0 < test["log_evidence"]["monte_carlo_error"] < 1
    assert card["data"]["binarization"].startswith("dynamic") and len(card["data"]["sha256"]) == 64
    assert card["versions"]["keras"] == keras.__version__ and card["seed"] == 0
    assert card["bytes"]["model.tflite"] == (finished / "model.tflite").stat().st_size
    for kind, tolerance in (("SavedModel", 1e-4), ("TFLite", 1e-3)):
        assert set(card["parity"][kind]) >= {"serving_default", "elbo", "generate", "log_evidence"}
        assert max(card["parity"][kind].values()) < tolerance
    text = (finished / "card.md").read_text()
    assert plus_minus(test["log_evidence"]["mean"], test["log_evidence"]["standard_error"]) in text
    assert "latent.png" in text and "unlabelled: no published number may be compared" in text


def test_running_again_says_that_it_is_done(finished):
    before = (finished / "model.keras").stat().st_mtime_ns
    done = CliRunner().invoke(app, [*COMMAND[3:], "--epochs", "4", "--out", str(finished)])
    assert done.exit_code == 0 and "finished" in done.output
    assert (finished / "model.keras").stat().st_mtime_ns == before


def test_evaluate_and_export_work_on_a_run(finished, tmp_path):
    done = CliRunner().invoke(app, ["evaluate", str(finished), "--samples", "20"])
    assert done.exit_code == 0, done.output
    card = json.loads((finished / "card.json").read_text())
    evidence = card["test"]["log_evidence"]
    assert plus_minus(evidence["mean"], evidence["standard_error"]) in done.output
    done = CliRunner().invoke(app, ["export", str(finished / "model.keras"), "--out", str(tmp_path / "ship")])
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "ship").iterdir()} == {"saved_model", "model.tflite"}
    _check_digests(done.output, tmp_path / "ship" / "model.tflite")


def _check_digests(output, *files):
    """What is said of the files that were written is what they hold."""
    said = [f"SHA-256 of {file}: {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in sorted(files)]
    assert [line for line in output.splitlines() if line.startswith("SHA-256")] == said


def test_a_smaller_file_is_written_beside_the_float_one(finished, tmp_path):
    ship, command = tmp_path / "ship", ["export", str(finished), "--out", str(tmp_path / "ship"), "--quantize"]
    done = CliRunner().invoke(app, [*command, "int4"])
    assert done.exit_code == 1 and "float16, dynamic, int8. Did you mean 'int8'?" in done.output
    assert not ship.exists()
    done = CliRunner().invoke(app, [*command, "int8", "--max-loss-nats", "5"])
    assert done.exit_code == 0 and "change of the ELBO" in done.output, done.output
    assert {path.name for path in ship.iterdir()} == {"saved_model", "model.tflite", "model.int8.tflite"}
    _check_digests(done.output, ship / "model.tflite", ship / "model.int8.tflite")


def test_signatures_are_added_by_their_names(finished, tmp_path):
    ship, command = tmp_path / "ship", ["export", str(finished), "--out", str(tmp_path / "ship")]
    extras = ["encode_sample", "score", "is_anomaly", "interpolate", "impute", "personalise"]
    done = CliRunner().invoke(app, [*command, *(part for name in extras for part in ("--extra", name))])
    assert done.exit_code == 0, done.output
    for offered in (
        tf.saved_model.load(str(ship / "saved_model" / "1")).signatures,
        Interpreter(str(ship / "model.tflite")).get_signature_list(),
    ):
        assert set(extras) < set(offered)
    x = Options.choose(data="digits").load_data().array("test")
    decide = Interpreter(str(ship / "model.tflite")).get_signature_runner("is_anomaly")
    seed = np.array([0, 1], "int32")
    flagged = decide(x=x, level=np.float32(0.1), seed=seed)["is_anomaly"]
    assert 0.02 < flagged.mean() < 0.25  # exchangeable with the validation examples that it is calibrated on
    assert decide(x=1 - x, level=np.float32(0.1), seed=seed)["is_anomaly"].mean() > 0.9


def test_what_a_point_mass_cannot_offer_is_left_out_and_said(tmp_path):
    """It has no density, and so no elbo, whatever is written."""
    model = str(tmp_path / "model.keras")
    tfvae.zoo.wae_mmd((8, 8, 1), 2, units=(4,), seed=0).save(model)
    for options, targets in (
        (["--out", str(tmp_path / "ship")], ["ship/saved_model/1", "ship/model.tflite"]),
        (["--serving", str(tmp_path / "digits")], ["digits/1"]),
    ):
        done = CliRunner().invoke(app, ["export", model, *options])
        assert done.exit_code == 0, done.output
        said = [f"{tmp_path / target} goes without {name}: a point mass" for target in targets for name in REFUSED]
        assert all(line in done.output for line in said), done.output
        assert done.output.count("goes without") == len(said)
        for target in targets:
            loaded = (
                Interpreter(str(tmp_path / target)).get_signature_list()
                if target.endswith(".tflite")
                else tf.saved_model.load(str(tmp_path / target)).signatures
            )
            assert {"serving_default", "encode", "decode", "generate"} == set(loaded)
    done = CliRunner().invoke(app, ["export", model, "--data", "digits", "--quantize", "int8", "--out", str(tmp_path)])
    assert done.exit_code == 1 and "Expected a model with an elbo, because --quantize" in done.output, done.output
    assert not (tmp_path / "model.tflite").exists()


def test_versions_for_a_server_follow_each_other(finished, tmp_path):
    command = ["export", str(finished), "--serving", str(tmp_path / "digits"), "--extra", "score"]
    for version in ("1", "2"):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0 and done.output.endswith(f"digits/{version}\n"), done.output
        folder = tmp_path / "digits" / version
        assert "score" in tf.saved_model.load(str(folder)).signatures
        assert (folder / "assets.extra" / "tf_serving_warmup_requests").stat().st_size > 0
    assert {path.name for path in (tmp_path / "digits").iterdir()} == {"1", "2"}


def test_zoo_lists_every_model():
    done = CliRunner().invoke(app, ["zoo"])
    assert done.exit_code == 0
    for name in tfvae.zoo.__all__:
        citation = getattr(tfvae.zoo, name).citation
        assert any(line.startswith(name) and str(citation.year) in line and citation.url in line
                   for line in done.output.splitlines())  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n == "wae_mmd" else pytest.mark.slow) for n in tfvae.zoo.__all__]
)
def test_every_model_trains_without_further_options(name, tmp_path):
    folder = tmp_path / "run"
    command = ["train", name, "--epochs", "1", "--units", "16", "--latent-dim", "4", "--samples", "5"]
    done = CliRunner().invoke(app, [*command, "--out", str(folder)])
    assert done.exit_code == 0, done.output
    card = json.loads((folder / "card.json").read_text())
    case = CASES[name]
    assert card["data"]["name"] == case.data and set(card["refused"]["SavedModel"]) == set(case.refused)
    assert set(card["refused"]["TFLite"]) == set(case.refused) | set(case.refused_by_tflite)
    headline = card["test"]["log_evidence" if "elbo" not in case.refused else "distortion"]
    assert plus_minus(headline["mean"], headline["standard_error"]) in done.output
    assert {path.name for path in folder.iterdir()} == FILES
    _check_whole(folder)


def _kill_when(folder, moment, epochs=4):
    """Start the run and kill -9 it as soon as `moment(folder)` holds; return whether it was killed in time."""
    process = subprocess.Popen(
        [*COMMAND, "--epochs", str(epochs), "--out", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):  # a folder that was renamed while it was looked through
            if moment(folder):
                os.kill(process.pid, signal.SIGKILL)
                break
        time.sleep(0.0005)
    process.wait()
    return process.returncode == -signal.SIGKILL


def _writing(name):
    return lambda folder: any(folder.rglob(f".writing-*-{name}"))


def _finish(folder, epochs):
    command = [*COMMAND, "--epochs", str(epochs), "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _assert_same_end(folder, other):
    models = [keras.models.load_model(f / "model.keras") for f in (folder, other)]
    states = [model.weights + model.optimizer.variables for model in models]
    for mine, theirs in zip(*states, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    cards = [json.loads((f / "card.json").read_text()) for f in (folder, other)]
    assert cards[0]["test"] == cards[1]["test"]


def test_killed_at_any_moment_and_resumed_it_ends_as_if_undisturbed(finished, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".writing-99-run.json").write_text("{")  # all that a run killed in its first instant leaves
    moments = {
        "in a checkpoint": _writing("checkpoint.keras"),
        "in the SavedModel": _writing("1"),
        "in the pictures": _writing("*.png"),
    }
    for name, moment in moments.items():
        assert _kill_when(folder, moment), name
        _check_whole(folder)
    trained = (folder / "model.keras").stat().st_mtime_ns
    _finish(folder, epochs=4)
    assert {path.name for path in folder.iterdir()} == FILES
    assert (folder / "model.keras").stat().st_mtime_ns == trained  # what was trained is not trained again
    _check_whole(folder)
    _assert_same_end(folder, finished)


def _after_training_began(begun, wait):
    """Return a moment: so many seconds after the first checkpoint that was written since then."""
    first = []

    def moment(folder):
        saved = folder / "checkpoint.keras"
        if not first and saved.exists() and saved.stat().st_mtime > begun:
            first.append(time.time())
        return bool(first) and time.time() >= first[0] + wait

    return moment


@pytest.mark.slow
def test_killed_at_ten_random_moments_and_resumed_it_ends_as_if_undisturbed(tmp_path, seed):
    folder, undisturbed, random = tmp_path / "run", tmp_path / "undisturbed", np.random.default_rng(seed)
    stood, epochs = [], 400
    for _ in range(10):
        moment = _after_training_began(time.time(), random.uniform(0, 3))
        assert _kill_when(folder, moment, epochs=epochs), "it ended before it was killed"
        _check_whole(folder)
        stood.append(json.loads(zipfile.ZipFile(folder / "checkpoint.keras").read("position.json"))["epoch"])
    assert stood == sorted(stood) and stood[-1] > stood[0] > 0
    _finish(folder, epochs)
    _finish(undisturbed, epochs)
    _assert_same_end(folder, undisturbed)


def test_ctrl_c_keeps_the_checkpoint_and_says_how_to_go_on(tmp_path):
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [*COMMAND, "--epochs", "5000", "--out", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored where tests run in the background
    )  # fmt: skip
    while process.poll() is None and not (folder / "checkpoint.keras").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Run the same command again" in errors and "checkpoint.keras" in errors and "Traceback" not in errors
    _check_whole(folder)


def test_replacing_leaves_the_old_file_when_the_block_fails(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), replacing(target) as path:
        path.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_pictures_of_every_kind(tmp_path):
    from tfvae import data, zoo
    from tfvae.run import pictures

    images = np.random.default_rng(0).random([60, 6, 5, 3]).astype("float32")
    splits = data.from_arrays(images)
    for latent in (1, 2, 4):
        likelihood = tfvae.heads.Normal((6, 5, 3), 0.5)
        model = zoo.vae((6, 5, 3), latent, units=(8,), likelihood=likelihood, seed=0)
        pictures.draw_all(model, splits, tmp_path / str(latent))
        shown = np.asarray(Image.open(tmp_path / str(latent) / "latent.png").convert("L"))
        assert shown.std() > 5 and sorted(os.listdir(tmp_path / str(latent))) == [
            "latent.png", "reconstructions.png", "samples.png"]  # fmt: skip


def test_drawn_reconstructions_stand_below_their_inputs(finished):
    """The picture itself: in the first pair, the row below is the reconstruction of the row above."""
    from tfvae import data
    from tfvae.run import pictures

    model = keras.models.load_model(finished / "model.keras")
    x = data.load("digits").array("test")
    shown = pictures.reconstructions(model, x).axes[0].images[0].get_array()

    def cell(row, column):
        return np.asarray(shown[row * 10 + 1 : row * 10 + 9, column * 10 + 1 : column * 10 + 9])

    chosen = np.linspace(0, len(x) - 1, 40).astype(int)
    np.testing.assert_array_equal(cell(0, 3), x[chosen[3], ..., 0])
    np.testing.assert_allclose(cell(1, 3), model.reconstruct(x[chosen[3:4]])[0, ..., 0], atol=1e-6)
    np.testing.assert_array_equal(cell(2, 0), x[chosen[10], ..., 0])
    assert Path(finished / "pictures" / "samples.png").stat().st_size > 5000
