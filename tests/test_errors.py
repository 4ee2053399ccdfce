"""Bad input: every row of one table is a mistake, the error it ends in, and what the message must tell.

A message says what was expected, what was received and what to do instead. No mistake may end in an error of
TensorFlow or Keras from deep inside, print a stack trace, or change a file: the test compares the whole folder before
and after.
"""

import io
import json
import re
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd
from typer.testing import CliRunner

import tfvae
from tfvae import callbacks, evaluation, export, heads, networks, objectives, priors, zoo
from tfvae.cli import app
from tfvae.errors import ExportError, IncompatibleParts
from tfvae.objectives import schedules
from tfvae.run import Options

SHAPE = (8, 8, 1)
BINARY = np.zeros((4, *SHAPE), "float32")
GREY = np.full((4, *SHAPE), 0.5, "float32")
BYTES = np.full((4, *SHAPE), 255, "uint8")
NAN = np.full((4, *SHAPE), np.nan, "float32")
FLAT = np.zeros((4, 64), "float32")


class Row(NamedTuple):
    """One mistake."""

    id: str
    error: type[Exception]
    message: str
    """A regular expression that the message, its white space collapsed, must contain."""
    run: Callable[[Path], object]
    """Makes the mistake, in an empty folder or the one that `given` filled."""
    given: Callable[[Path], object] = lambda folder: None


# What the rows are made of -------------------------------------------------------------------------------------------


def encoder(latent=2, network=None, head=None, **options):
    return tfvae.Encoder(network or networks.mlp(8), head or heads.DiagonalNormal(latent, **options), **options)


def decoder(head=None, network=None, **options):
    return tfvae.Decoder(network or networks.mlp(8), head or heads.Bernoulli(SHAPE, **options), **options)


def compose(q=None, px=None, prior=None, objective=None, **options):
    return tfvae.VAE(
        encoder() if q is None else q,
        decoder() if px is None else px,
        priors.StandardNormal(2) if prior is None else prior,
        objectives.ELBO() if objective is None else objective,
        seed=0,
        **options,
    )


@cache
def binary():
    """A small model of binary images, ready to fit."""
    model = compose()
    model.compile("adam")
    return model


@cache
def real():
    """A small model of real images, ready to fit."""
    model = compose(px=decoder(heads.Normal(SHAPE)))
    model.compile("adam")
    return model


class User(keras.Model):
    """A user's own part: any function of the features of a dense layer."""

    def __init__(self, size, function):
        super().__init__()
        self.flatten, self.dense, self.function = keras.layers.Flatten(), keras.layers.Dense(size), function

    def build(self, input_shape):
        self.dense.build((None, np.prod([size for size in input_shape[1:] if size])))

    def call(self, inputs):
        return self.function(self.dense(inputs))


@keras.saving.register_keras_serializable(package="test_errors")
class Posterior(heads.Head):
    """A head over a vector that returns whatever distribution it is told to."""

    support = heads.REAL
    parameter_count = 1

    def __init__(self, size, family, **kwargs):
        super().__init__(size, **kwargs)
        self.family = family

    def distribution(self, parameters):
        return self.family(parameters)


class Relaxed(heads.Bernoulli):
    """A reparameterised head that names another support than a normal prior."""

    def distribution(self, parameters):
        return tfd.MultivariateNormalDiag(parameters, tf.ones_like(parameters))


@keras.saving.register_keras_serializable(package="test_errors")
class Apply(keras.layers.Layer):
    """A layer without weights."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, inputs):
        return self.function(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape


def applying(function):
    """A model of binary images with a function between the decoder's layers."""
    return compose(px=decoder(network=keras.Sequential([keras.layers.Dense(8), Apply(function)])))


def noisy():
    return applying(lambda h: h + tf.random.normal(tf.shape(h)))


def ruleless():
    """A model whose posterior has no rule of its own in tfvae.random.draw."""
    return compose(q=encoder(head=Posterior(2, lambda eta: tfd.Independent(tfd.Logistic(eta, 1.0), 1))))


def double():
    return compose(
        encoder(dtype="float64"),
        decoder(dtype="float64"),
        priors.StandardNormal(2, dtype="float64"),
        dtype="float64",
    )


def poisoned():
    model = compose()
    for weight in model.decoder.weights:
        weight.assign(np.full(weight.shape, np.nan))
    return model


def batches(*arrays):
    """A tf.data.Dataset with these batches, whose shapes it does not promise."""
    spec = tf.TensorSpec(None, arrays[0].dtype)
    return tf.data.Dataset.from_generator(lambda: iter(arrays), output_signature=spec)


def generator(*arrays):
    yield from arrays


class Batches(keras.utils.PyDataset):
    def __init__(self, *arrays):
        super().__init__()
        self.arrays = arrays

    def __len__(self):
        return len(self.arrays)

    def __getitem__(self, index):
        return (self.arrays[index],)


def compiled(**options):
    model = compose()
    model.compile("adam", **options)
    return model


def fit(model, x, **options):
    """Make a function of the folder that fits; a stream is made only when the row runs."""
    return lambda folder: model().fit(x() if callable(x) else x, **{"epochs": 1, "verbose": 0, **options})


def evaluate(model, x):
    return lambda folder: model().evaluate(x() if callable(x) else x, verbose=0)


def evidence(x, **options):
    return lambda folder: evaluation.log_evidence(
        binary(), x() if callable(x) else x, **{"samples": 2, "progress": False, **options}
    )


def bound(x, **options):
    return lambda folder: evaluation.elbo(binary(), x() if callable(x) else x, **options)


# The command line ----------------------------------------------------------------------------------------------------


class UsageRefused(Exception):
    """The command line ended with the exit code 2."""


class RunRefused(Exception):
    """The command line ended with the exit code 1."""


def command(*arguments):
    """Make a function of the folder that runs `tfvae`; {folder} in an argument stands for the folder."""

    def run(folder):
        result = CliRunner().invoke(app, [argument.format(folder=folder) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.output
        if result.exit_code:
            said = result.stderr.replace("│", " ")
            raise {1: RunRefused, 2: UsageRefused}[result.exit_code](said)

    return run


train = partial(command, "train", "--out", "{folder}/run", "--epochs", "1", "--units", "8", "--samples", "2")
evaluate_on_digits = partial(command, "evaluate", "--data", "digits", "--samples", "2")


def holding(name, content):
    """Make a function of the folder that writes a file there."""

    def write(folder):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content() if callable(content) else content)

    return write


def holding_all(*writers):
    return lambda folder: [write(folder) for write in writers]


def manifest(**changes):
    """The bytes of a run.json."""
    options = Options.choose(epochs=1, units=(8,), samples=2).as_json()["options"]
    return json.dumps({"options": {**options, **changes}}).encode()


@cache
def saved(build):
    """The bytes of a .keras file."""
    with tempfile.TemporaryDirectory() as folder:
        build().save(Path(folder, "model.keras"))
        return Path(folder, "model.keras").read_bytes()


def dense_model():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


def smaller():
    return compose(px=decoder(heads.Bernoulli((4, 4, 1))))


def truncated():
    return saved(compose)[: len(saved(compose)) // 2]


def without_weights():
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(compose))) as whole, zipfile.ZipFile(out, "w") as part:
        for name in whole.namelist():
            if not name.endswith(".h5"):
                part.writestr(name, whole.read(name))
    return out.getvalue()


# Exports -------------------------------------------------------------------------------------------------------------


@cache
def exported():
    """The bytes of a good TFLite file."""
    with tempfile.TemporaryDirectory() as folder:
        export.tflite(binary(), Path(folder, "model.tflite"))
        return Path(folder, "model.tflite").read_bytes()


def saved_model(name, shape):
    """Make a function of the folder that writes a SavedModel with one signature."""

    def write(folder):
        module = tf.Module()
        x = tf.TensorSpec([None, *shape], name="x")
        module.same = tf.function(lambda x: {"mean": tf.ensure_shape(x, [None, *shape])}, [x])
        tf.saved_model.save(module, str(folder / "1"), {name: module.same})

    return write


# The table -----------------------------------------------------------------------------------------------------------

U, R, V, T, P, E = UsageRefused, RunRefused, ValueError, TypeError, IncompatibleParts, ExportError

TABLE = [
    # Options of the command line
    Row("model-unknown", U, r"Expected model to be one of .*vae.* Did you mean 'beta_vae'\? .*model='beta_va'",
        train("beta_va")),
    Row("model-unlike-any", U, r"Expected model to be one of .*Received: model='xyz'", train("xyz")),
    Row("data-unknown", U, r"Expected data to be one of digits, .*Did you mean 'mnist'\? Received: data='mnst'",
        train("--data", "mnst")),
    Row("binarization-unknown", U, r"Expected binarization to be one of none, .*Received: binarization='grey'",
        train("--binarization", "grey")),
    Row("epochs-negative", U, r"Expected epochs to be a positive whole number\. Received: epochs=-1",
        train("--epochs", "-1")),
    Row("epochs-zero", U, r"Expected epochs .*positive.*Received: epochs=0", train("--epochs", "0")),
    Row("epochs-no-number", U, r"Invalid value for '--epochs': .* valid integer", train("--epochs", "ten")),
    Row("latent-dim-zero", U, r"Expected latent_dim .*positive.*Received: latent_dim=0", train("--latent-dim", "0")),
    Row("batch-size-zero", U, r"Expected batch_size .*positive.*Received: batch_size=0", train("--batch-size", "0")),
    Row("units-letters", U, r"Expected units as whole numbers with commas, e\.g\. 512,256\. Received: units='a,b'",
        train("--units", "a,b")),
    Row("units-zero", U, r"Expected every width in units to be a positive .*=0", train("--units", "8,0")),
    Row("units-empty", U, r"Expected units as whole numbers .*Received: units=''", train("--units", "")),
    Row("warm-up-too-long", U, r"Expected warm_up to be a whole number from 0 to 1\. Received: warm_up=2",
        train("--warm-up", "2")),
    Row("learning-rate-zero", U, r"Expected learning_rate .* from 1e-08 to 1\. Received: learning_rate=0\.0",
        train("--learning-rate", "0")),
    Row("warm-up-of-a-model-without", U, r"Expected no warm_up, which iwae does not take\. Received: warm_up=1",
        train("iwae", "--warm-up", "1")),
    Row("learning-rate-nan", U, r"Expected learning_rate .*finite.*learning_rate=nan", train("--learning-rate", "nan")),
    Row("learning-rate-inf", U, r"Expected learning_rate .*finite.*learning_rate=inf", train("--learning-rate", "inf")),
    Row("samples-zero", U, r"Expected samples .*positive.*Received: samples=0", train("--samples", "0")),
    Row("seed-negative", U, r"Expected seed .*from 0 to 2147483647\. Received: seed=-1", train("--seed", "-1")),
    Row("seed-too-large", U, r"Expected seed .*from 0 to 2147483647\. Received: seed=2147483648",
        train("--seed", str(2**31))),
    Row("option-unknown", U, r"No such option: --epoch.*--epochs", command("train", "--epoch", "3")),
    Row("binarized-twice", R, r"binarized_mnist is binary already .*Received: binarization=.*Dynamic.*Leave it out",
        train("--data", "binarized_mnist", "--binarization", "dynamic")),
    Row("data-missing", R, r"mnist must be prepared or downloadable.*no prepared data in .*/tfds/mnist.*TFDS_DATA_DIR",
        train("--data", "mnist", "--data-dir", "{folder}/tfds"), lambda folder: (folder / "tfds").mkdir()),
    Row("overwrite-without-data", R, r"mnist must be prepared or downloadable",
        train("--data", "mnist", "--data-dir", "{folder}/tfds", "--overwrite"),
        holding_all(holding("run/run.json", manifest), holding("run/model.keras", b"weeks of work"))),
    Row("out-is-a-file", R, r"Expected an empty folder; choose another --out\. Received: .*/run, which is a file",
        train(), holding("run", b"text")),
    Row("out-below-a-file", R, r"Not a directory: .*/file", command("train", "--out", "{folder}/file/run"),
        holding("file", b"text")),
    Row("out-holds-files", R, r"Expected an empty folder; choose another.*Received: .*holds other files",
        train(), holding("run/thesis.tex", b"text")),
    Row("out-holds-other-run", R, r"same options;.* --overwrite .*Received: .*latent_dim=3 instead of 8$",
        train(), holding("run/run.json", partial(manifest, latent_dim=3))),
    Row("out-with-damaged-manifest", R,
        r"Expected the options of a run in .*json\. .*--overwrite\. Received: Expecting",
        train(), holding("run/run.json", b"{")),
    Row("out-with-damaged-checkpoint", R, r"Expected a whole checkpoint.*Received: .*checkpoint\.keras",
        train(), holding_all(holding("run/run.json", manifest), holding("run/checkpoint.keras", truncated))),
    Row("out-with-damaged-card", R, r"Expected the card of a finished run\. .*Received: .*card\.json",
        train(), holding_all(holding("run/run.json", manifest), holding("run/card.json", b"{"))),
    Row("evaluate-nothing", R, r"Expected a run's folder with model\.keras, or a \.keras file\. Received: .*/none",
        evaluate_on_digits("{folder}/none")),
    Row("evaluate-empty-folder", R, r"Expected a run's folder with model\.keras, .*Received: ",
        evaluate_on_digits("{folder}")),
    Row("evaluate-text", R, r"Expected a \.keras file of a tfvae model\. Received: .*m\.keras, which does not load",
        evaluate_on_digits("{folder}/m.keras"), holding("m.keras", b"not a zip file")),
    Row("evaluate-empty-file", R, r"Expected a \.keras file of a tfvae model\. Received: .*m\.keras",
        evaluate_on_digits("{folder}/m.keras"), holding("m.keras", b"")),
    Row("evaluate-truncated", R, r"Expected a \.keras file of a tfvae model\. Received: .*m\.keras",
        evaluate_on_digits("{folder}/m.keras"), holding("m.keras", truncated)),
    Row("evaluate-without-weights", R, r"Expected a \.keras file of a tfvae model\. Received: .*m\.keras",
        evaluate_on_digits("{folder}/m.keras"), holding("m.keras", without_weights)),
    Row("evaluate-other-model", R, r"Expected a tfvae model\. Received: .*m\.keras, which holds a Sequential",
        evaluate_on_digits("{folder}/m.keras"), holding("m.keras", partial(saved, dense_model))),
    Row("evaluate-without-data", R, r"Expected --data, because there is no run\.json beside the model",
        command("evaluate", "{folder}/m.keras"), holding("m.keras", partial(saved, compose))),
    Row("evaluate-unknown-data", R, r"Expected data to be one of .*Did you mean 'digits'\? Received: data='digit'",
        command("evaluate", "{folder}/m.keras", "--data", "digit"), holding("m.keras", partial(saved, compose))),
    Row("evaluate-other-shape", R, r"Expected x of shape \[B, 4, 4, 1\].*Received: x\.shape=\(270, 8, 8, 1\)",
        evaluate_on_digits("{folder}/m.keras"), holding("m.keras", partial(saved, smaller))),
    Row("evaluate-samples-zero", U, r"'--samples': .*(greater than or equal to 1|range x>=1)",
        command("evaluate", "x", "--samples", "0")),
    Row("evaluate-seed-negative", U, r"'--seed': .*(greater than or equal to 0|range 0<=x)",
        command("evaluate", "x", "--seed", "-1")),
    Row("manifest-damaged", R, r"Expected the options of a run in .*run\.json\. Restore.*Received: 'utf-8' codec",
        command("evaluate", "{folder}/run"),
        holding_all(holding("run/run.json", b"\x00\xff"), holding("run/model.keras", partial(saved, compose)))),
    Row("manifest-of-another-kind", R, r"Expected the options of a run in .*Received: no 'options'",
        command("evaluate", "{folder}/run"),
        holding_all(holding("run/run.json", b"{}"), holding("run/model.keras", partial(saved, compose)))),
    Row("manifest-bad-value", R, r"Expected the options of a run in .*seed=-1", command("evaluate", "{folder}/run"),
        holding_all(holding("run/run.json", partial(manifest, seed=-1)),
                    holding("run/model.keras", partial(saved, compose)))),
    Row("export-nothing", R, r"Expected a run's folder with model\.keras, or a \.keras file\. Received: .*/none",
        command("export", "{folder}/none")),
    Row("export-truncated", R, r"Expected a \.keras file of a tfvae model\. Received: .*m\.keras",
        command("export", "{folder}/m.keras"), holding("m.keras", truncated)),
    Row("export-other-model", R, r"Expected a tfvae model\. Received: .*, which holds a Sequential",
        command("export", "{folder}/m.keras"), holding("m.keras", partial(saved, dense_model))),
    Row("export-extra-unknown", R, r"Expected extra to be one of .*Did you mean 'score'\? Received: extra='scores'",
        command("export", "{folder}/m.keras", "--extra", "scores"), holding("m.keras", partial(saved, compose))),
    Row("export-extra-without-data", R, r"Expected --data, because there is no run\.json",
        command("export", "{folder}/m.keras", "--extra", "is_anomaly"), holding("m.keras", partial(saved, compose))),
    Row("export-web-and-out", U, r"Expected --web alone; .*Received: --web --out",
        command("export", "x", "--web", "page", "--out", "y")),
    Row("export-serving-and-quantize", U, r"Expected --serving alone; .*Received: --serving --quantize",
        command("export", "x", "--serving", "y", "--quantize", "int8")),
    Row("export-below-a-file", R, r"Not a directory: .*/file",
        command("export", "{folder}/m.keras", "--out", "{folder}/file"),
        holding_all(holding("file", b"text"), holding("m.keras", partial(saved, compose)))),
    # Tensors: to fit
    Row("fit-grey", V, r"Expected the values 0 and 1 only.*Binarise grey images.*256 of 256 values outside, from 0\.5",
        fit(binary, GREY)),
    Row("fit-bytes", V, r"Expected the values 0 and 1 only.*Received: 256 of 256 values outside, from 255 to 255",
        fit(binary, BYTES)),
    Row("fit-nan", V, r"Expected finite float32 numbers.*Remove or impute.*256 of 256 .*x\[0, 0, 0, 0\]=nan",
        fit(real, NAN)),
    Row("fit-inf", V, r"Expected finite float32 numbers.*=inf", fit(real, np.full_like(NAN, np.inf))),
    Row("fit-beyond-float32", V, r"Expected finite float32 numbers.*=1e\+300", fit(real, np.full((4, *SHAPE), 1e300))),
    Row("fit-nan-binary", V, r"Expected the values 0 and 1 only.*=nan", fit(binary, NAN)),
    Row("fit-shape", V, r"Expected x of shape \[B, 8, 8, 1\].*Reshape.*Received: x\.shape=\(4, 4, 4, 1\)",
        fit(binary, np.zeros((4, 4, 4, 1)))),
    Row("fit-rank", V, r"Expected x of shape \[B, 8, 8, 1\].*Received: x\.shape=\(4, 64\)", fit(binary, FLAT)),
    Row("fit-one-example", V, r"Expected x of shape \[B, 8, 8, 1\].*Received: x\.shape=\(8, 8, 1\)",
        fit(binary, BINARY[0])),
    Row("fit-scalar", V, r"Expected x of shape \[B, 8, 8, 1\].*Received: x\.shape=\(\)", fit(binary, 3.0)),
    Row("fit-empty", V, r"at least one example.*Received: x\.shape=\(0, 8, 8, 1\)", fit(binary, BINARY[:0])),
    Row("fit-strings", V, r"Expected x of a numeric dtype; convert it.*Received: x\.dtype=str",
        fit(binary, np.full((4, *SHAPE), "1"))),
    Row("fit-complex", V, r"Expected x of a numeric dtype.*Received: x\.dtype=complex64",
        fit(binary, BINARY.astype("complex64"))),
    Row("fit-ragged", V, r"Expected x .*\[B, 8, 8, 1\].*Received: .*unequal", fit(binary, [[1.0], [1.0, 0.0]])),
    Row("fit-nothing", V, r"Expected x to be an array.*tf\.data\.Dataset.*Received: x=None$", fit(binary, None)),
    Row("fit-path", V, r"Expected x of a numeric dtype.*Received: x\.dtype=str", fit(binary, "train.npy")),
    Row("fit-dataset-grey", V, r"Expected the values 0 and 1 only.*a batch with 256 of 256 values outside, from 0\.5",
        fit(binary, lambda: tf.data.Dataset.from_tensors(GREY))),
    Row("fit-dataset-bytes", V, r"Expected the values 0 and 1 only.*from 255 to 255",
        fit(binary, lambda: tf.data.Dataset.from_tensors((BYTES, np.arange(4))))),
    Row("fit-dataset-nan", V, r"Expected finite float32 numbers.*a batch with 256 of 256",
        fit(real, lambda: tf.data.Dataset.from_tensors(NAN))),
    Row("fit-dataset-later", V, r"^Expected the values 0 and 1 only.*a batch with 256 of 256 values outside",
        fit(binary, lambda: batches(BINARY, BINARY, GREY))),
    Row("fit-dataset-later-shape", V, r"^Expected x of shape \[B, 8, 8, 1\].*Received: x\.shape=\[4 64\]",
        fit(binary, lambda: batches(BINARY, FLAT))),
    Row("fit-dataset-unbatched", V, r"Expected x of shape \[B, 8, 8, 1\].*Received: x\.shape=\(8, 8, 1\)",
        fit(binary, lambda: tf.data.Dataset.from_tensor_slices(BINARY))),
    Row("fit-dataset-strings", V, r"Expected x of a numeric dtype.*Received: x\.dtype=string",
        fit(binary, lambda: tf.data.Dataset.from_tensors(np.full((4, *SHAPE), "1")))),
    Row("fit-dataset-complex", V, r"Expected x of a numeric dtype.*complex64",
        fit(binary, lambda: tf.data.Dataset.from_tensors(BINARY.astype("complex64")))),
    Row("fit-dataset-dictionary", V, r"Expected batches of x, or tuples that begin with x.*Received: .*'image'",
        fit(binary, lambda: tf.data.Dataset.from_tensors({"image": BINARY}))),
    Row("fit-dataset-empty", V, r"Expected at least one example.*Received: an empty data set",
        fit(compiled, lambda: tf.data.Dataset.from_tensors(BINARY).take(0))),
    Row("fit-generator-grey", V, r"^Expected the values 0 and 1 only.*256 of 256",
        fit(binary, lambda: generator(GREY))),
    Row("fit-generator-later", V, r"^Expected the values 0 and 1 only.*256 of 256 .*=0\.5$",
        fit(binary, lambda: generator(BINARY, BINARY, GREY), steps_per_epoch=3)),
    Row("fit-generator-later-shape", V, r"^Expected x of shape \[B, 8, 8, 1\].*Received: x\.shape=\(4, 64\)$",
        fit(binary, lambda: generator(BINARY, FLAT), steps_per_epoch=2)),
    Row("fit-pydataset-grey", V, r"^Expected the values 0 and 1 only.*256 of 256", fit(binary, lambda: Batches(GREY))),
    Row("fit-pydataset-later", V, r"^Expected the values 0 and 1 only.*256 of 256 .*=0\.5$",
        fit(binary, lambda: Batches(BINARY, BINARY, GREY), shuffle=False)),
    Row("fit-validation-grey", V, r"Expected the values 0 and 1 only", fit(binary, BINARY, validation_data=GREY)),
    Row("fit-validation-labels", V, r"Expected the values 0 and 1 only",
        fit(binary, BINARY, validation_data=(GREY, np.arange(4)))),
    Row("fit-validation-dataset", V, r"^Expected the values 0 and 1 only",
        fit(binary, BINARY, validation_data=tf.data.Dataset.from_tensors(GREY))),
    Row("fit-validation-shape", V, r"Received: x\.shape=\(4, 64\)", fit(binary, BINARY, validation_data=FLAT)),
    # Tensors: to everything else
    Row("evaluate-grey", V, r"Expected the values 0 and 1 only", evaluate(binary, GREY)),
    Row("evaluate-dataset-later", V, r"^Expected the values 0 and 1 only",
        evaluate(binary, lambda: batches(BINARY, GREY))),
    Row("evaluate-generator-later", V, r"^Expected the values 0 and 1 only.*=0\.5$",
        evaluate(binary, lambda: generator(BINARY, GREY))),
    Row("evaluate-pydataset-later", V, r"^Expected the values 0 and 1 only.*=0\.5$",
        evaluate(binary, lambda: Batches(BINARY, GREY))),
    Row("evaluate-nan", V, r"Expected finite float32 numbers", evaluate(real, NAN)),
    Row("evaluate-rank", V, r"Received: x\.shape=\(4, 64\)", evaluate(binary, FLAT)),
    Row("evaluate-nothing-given", V, r"Expected x .*Received: x=None$", evaluate(binary, None)),
    Row("predict-nan", V, r"Expected finite float32 numbers.*=nan", lambda f: binary().predict(NAN, verbose=0)),
    Row("predict-dataset-nan", V, r"^Expected finite float32 numbers",
        lambda f: binary().predict(tf.data.Dataset.from_tensors(NAN), verbose=0)),
    Row("predict-generator-later", V, r"^Expected finite float32 numbers.*=nan$",
        lambda f: binary().predict(generator(BINARY, NAN), verbose=0)),
    Row("predict-strings", V, r"Expected x of a numeric dtype", lambda f: binary().predict([["a"]], verbose=0)),
    Row("predict-nothing", V, r"Expected x .*Received: x=None$", lambda f: binary().predict(None)),
    Row("reconstruct-shape", V, r"Received: x\.shape=\(4, 4, 4, 1\)",
        lambda f: binary().reconstruct(np.zeros((4, 4, 4, 1)))),
    Row("reconstruct-inf", V, r"Expected finite float32 numbers.*=-inf",
        lambda f: binary().reconstruct(np.full((4, *SHAPE), -np.inf))),
    Row("embed-nan", V, r"Expected finite float32 numbers.*=nan", lambda f: binary().embed(NAN)),
    Row("embed-empty", V, r"at least one example.*\(0, 8, 8, 1\)", lambda f: binary().embed(BINARY[:0])),
    Row("embed-complex", V, r"numeric dtype.*complex64", lambda f: binary().embed(BINARY * 1j)),
    Row("embed-dataset", V, r"Expected x to be an array.*Received: x=<_TensorDataset",
        lambda f: binary().embed(tf.data.Dataset.from_tensors(BINARY))),
    Row("evidence-grey", V, r"Expected the values 0 and 1 only", evidence(GREY)),
    Row("evidence-bytes", V, r"Expected the values 0 and 1 only.*from 255 to 255", evidence(BYTES)),
    Row("evidence-nan", V, r"Expected the values 0 and 1 only.*=nan", evidence(NAN)),
    Row("evidence-empty", V, r"at least one example", evidence(BINARY[:0])),
    Row("evidence-dataset-later", V, r"^Expected the values 0 and 1 only", evidence(lambda: batches(BINARY, GREY))),
    Row("evidence-dataset-empty", V, r"Expected at least one example\. Received: an empty data set",
        evidence(lambda: tf.data.Dataset.from_tensors(BINARY).take(0))),
    Row("evidence-generator", V, r"Expected an array or a tf\.data\.Dataset of batches\. Received: data=generator",
        evidence(lambda: generator(BINARY))),
    Row("evidence-samples-zero", V, r"Expected samples .*positive.*samples=0", evidence(BINARY, samples=0)),
    Row("evidence-samples-bool", V, r"Expected samples .*positive.*samples=True", evidence(BINARY, samples=True)),
    Row("evidence-seed-too-large", V, r"one or two whole numbers in \[-2\^31, 2\^31\)\. Received: seed=2147483648",
        evidence(BINARY, seed=2**31)),
    Row("evidence-seed-of-three", V, r"one or two whole numbers .*seed=\(1, 2, 3\)", evidence(BINARY, seed=(1, 2, 3))),
    Row("evidence-of-another-model", V, r"Expected a model of tfvae.*Received: model=.*Sequential",
        lambda f: evaluation.log_evidence(dense_model(), BINARY)),
    Row("elbo-shape", V, r"Received: x\.shape=\(4, 64\)", bound(FLAT)),
    Row("elbo-samples", V, r"Expected samples .*positive.*samples=-3", bound(BINARY, samples=-3)),
    Row("elbo-seed-none", V, r"one or two whole numbers .*seed=None", bound(BINARY, seed=None)),
    Row("elbo-seed-fraction", V, r"one or two whole numbers .*seed=1\.5", bound(BINARY, seed=1.5)),
    Row("elbo-nothing", V, r"Expected x .*Received: x=None$", bound(None)),
    Row("sample-zero", V, r"Expected n to be a positive whole number\. Received: n=0", lambda f: binary().sample(0)),
    Row("sample-fraction", V, r"Expected n .*positive.*n=2\.5", lambda f: binary().sample(2.5)),
    Row("sample-bool", V, r"Expected n .*positive.*n=True", lambda f: binary().sample(True)),
    Row("sample-text", V, r"Expected n .*positive.*n='3'", lambda f: binary().sample("3")),
    Row("sample-seed-negative", V, r"one or two whole numbers .*-2147483649",
        lambda f: binary().sample(1, -(2**31) - 1)),
    Row("sample-seed-of-three", V, r"one or two whole numbers .*\[1, 2, 3\]", lambda f: binary().sample(1, [1, 2, 3])),
    Row("sample-seed-bool", V, r"one or two whole numbers .*seed=True", lambda f: binary().sample(1, True)),
    Row("sample-seed-of-bools", V, r"one or two whole numbers .*seed=\(True, 0\)",
        lambda f: binary().sample(1, (True, 0))),
    Row("sample-seed-text", V, r"one or two whole numbers .*seed='ab'", lambda f: binary().sample(1, "ab")),
    Row("sample-seed-tensor", V, r"Expected an int32 seed of shape \[2\]\. Received: ",
        lambda f: binary().sample(1, tf.constant([1.0, 2.0]))),
    # Compositions
    Row("encoder-no-model", P, r"Expected the encoder to be a tfvae\.Encoder or a keras\.Model .*encoder='mlp'",
        lambda f: compose(q="mlp")),
    Row("encoder-is-a-network", P, r"Expected the encoder to return a tfd\.Distribution; give its network a head",
        lambda f: compose(q=networks.mlp(8))),
    Row("parts-swapped", P, r"Expected the decoder to .*\[1, 2\], as prior StandardNormal .*requires",
        lambda f: tfvae.VAE(encoder(network=networks.conv(4)), encoder(network=networks.conv(4)),
                            priors.StandardNormal(2))),
    Row("network-no-layer", T, r"Expected a Keras layer or model .*such as networks\.mlp.*Received: network=\[8\]",
        lambda f: tfvae.Encoder([8], heads.DiagonalNormal(2))),
    Row("head-no-head", T, r"Expected a head from tfvae\.heads, such as .*Received: head=<Dense",
        lambda f: tfvae.Encoder(networks.mlp(8), keras.layers.Dense(2))),
    Row("prior-no-prior", P, r"Expected a prior from tfvae\.priors, such as .*Received: prior=<?tfp",
        lambda f: compose(prior=tfd.MultivariateNormalDiag([0.0, 0.0]))),
    Row("objective-no-objective", P, r"Expected an objective from tfvae\.objectives, such as .*objective='mse'",
        lambda f: compose(objective="mse")),
    Row("latent-dims-differ", P, r"the prior's event shape \[2\].*give both the same latent_dim.*event_shape=\[3\]",
        lambda f: compose(q=encoder(3))),
    Row("conv-of-a-vector", P, r"Expected the encoder to accept inputs of shape \[1, 64\], as likelihood .*expected",
        lambda f: compose(encoder(network=networks.conv(4)), decoder(heads.Normal(64)))),
    Row("decoder-conv-of-z", P, r"Expected the decoder to accept inputs of shape \[1, 2\], as prior StandardNormal",
        lambda f: compose(px=decoder(network=networks.conv(4)))),
    Row("decoder-returns-tensor", P, r"Expected the decoder to return a tfd\.Distribution; .*decoder\(.*=.*Tensor",
        lambda f: compose(px=User(64, lambda h: h))),
    Row("decoder-not-independent", P, r"batch shape \[S, B\], all axes of x in the event.*batch_shape=\[2, 3, 64\]",
        lambda f: compose(px=User(64, lambda h: tfd.Normal(h, 1.0)))),
    Row("posterior-not-reparameterised", P, r"Expected a reparameterised posterior.*heads\.DiagonalNormal.*Received: ",
        lambda f: compose(q=encoder(head=Posterior(2, lambda eta: tfd.Independent(tfd.Poisson(log_rate=eta), 1))))),
    Row("posterior-a-point", P, r"Expected a posterior with a density.*Use heads\.DiagonalNormal",
        lambda f: compose(q=encoder(head=Posterior(2, tfd.VectorDeterministic)))),
    Row("posterior-independent-points", P, r"Expected a posterior with a density.*Use heads\.DiagonalNormal",
        lambda f: compose(q=encoder(head=Posterior(2, lambda eta: tfd.Independent(tfd.Deterministic(eta), 1))))),
    Row("posterior-binary", P, r"on the same support.*Relaxed on the values 0 and 1.*StandardNormal on finite",
        lambda f: compose(q=encoder(head=Relaxed(2)))),
    Row("sphere-and-normal", P, r"on the same support.*PowerSpherical on unit vectors.*StandardNormal on finite",
        lambda f: compose(q=encoder(head=heads.PowerSpherical(2)))),
    Row("normal-and-sphere", P, r"on the same support.*DiagonalNormal on finite.*UniformSphere on unit vectors",
        lambda f: compose(prior=priors.UniformSphere(2))),
    Row("categories-and-normal", P, r"on the same support.*RelaxedCategorical on logarithms.*StandardNormal on finite",
        lambda f: compose(q=encoder(head=heads.RelaxedCategorical(1, 2)))),
    Row("latent-dims-differ-laplace", P, r"the prior's event shape \[3\].*latent_dim.*event_shape=\[2\].*StandardL",
        lambda f: compose(q=encoder(head=heads.Laplace(2)), prior=priors.StandardLaplace(3))),
    Row("point-and-elbo", P, r"Expected a posterior with a density.*objectives\.Distortion.*objective ELBO",
        lambda f: compose(q=encoder(head=heads.Point(2)))),
    Row("point-and-iwae", P, r"Expected a posterior with a density.*objectives\.Distortion.*objective IWAE",
        lambda f: compose(q=encoder(head=heads.Point(2)), objective=objectives.IWAE(5))),
    Row("free-bits-of-a-full-covariance", P, r"independent elements with a KL in closed form.*leave out free bits",
        lambda f: compose(q=encoder(head=heads.FullNormal(2)), objective=objectives.ELBO(free_bits=0.5))),
    Row("free-bits-of-a-mixture", P, r"independent elements with a KL in closed form.*prior Mixture",
        lambda f: compose(prior=priors.Mixture(2, 3), objective=objectives.ELBO(free_bits=0.5))),
    Row("total-correlation-of-a-full-covariance", P, r"Expected a distribution of independent elements.*Received: ",
        lambda f: compose(q=encoder(head=heads.FullNormal(2)), objective=objectives.ELBO(penalties=(
            objectives.penalties.TotalCorrelation(5.0, objectives.penalties.Stratified(1000)),)))),
    Row("pseudo-inputs-under-a-flow", P, r"Expected a posterior whose density is known at any z.*VampPrior, posterior",
        lambda f: priors.VampPrior(encoder(head=heads.InverseAutoregressive(2, 1, (4,))), 3, SHAPE)),
    Row("pseudo-inputs-under-points", P, r"Expected a posterior whose density is known at any z.*VampPrior, posterior",
        lambda f: priors.VampPrior(encoder(head=heads.Point(2)), 3, SHAPE)),
    Row("path-derivative-of-a-flow", P, r"has a density at any point.*posterior Flow.*objective STL",
        lambda f: compose(q=encoder(head=heads.InverseAutoregressive(2, 1, (4,))), objective=objectives.STL())),
    Row("evidence-of-points", V, r"a model whose posterior has a density.*evaluation\.distortion.*Deterministic",
        lambda f: evaluation.log_evidence(zoo.rae_gp(SHAPE, 2, units=(8,)), BINARY, 2)),
    Row("elbo-of-points", V, r"Expected a model whose posterior has a density.*evaluation\.distortion.*Deterministic",
        lambda f: evaluation.elbo(zoo.rae_gp(SHAPE, 2, units=(8,)), BINARY)),
    Row("dtypes-differ", P, r"Expected all parts to have the same dtype.*Received: model float32, posterior float64",
        lambda f: compose(q=encoder(dtype="float64"))),
    Row("dtypes-differ-decoder", P, r"Expected all parts .*same dtype.*Received: model float32.*likelihood float64$",
        lambda f: compose(px=decoder(dtype="float64"))),
    Row("dtypes-differ-model", P, r"Expected all parts to have the same dtype.*Received: model float64.*prior float32",
        lambda f: compose(dtype="float64")),
    Row("model-seed-negative", V, r"Expected seed .*from 0 to 2147483647\. Received: seed=-1",
        lambda f: zoo.vae(SHAPE, 2, seed=-1)),
    Row("model-seed-fraction", V, r"Expected seed .*whole.*Received: seed=1\.5", lambda f: zoo.vae(SHAPE, 2, seed=1.5)),
    Row("beta-negative", V, r"Expected beta .*at least 0.*schedule.*Received: beta=-1", lambda f: objectives.ELBO(-1)),
    Row("beta-text", V, r"Expected beta .*schedule.*Received: beta='high'", lambda f: objectives.ELBO("high")),
    Row("beta-nan", V, r"Expected beta .*finite.*Received: beta=nan", lambda f: objectives.ELBO(float("nan"))),
    Row("elbo-objective-samples", V, r"Expected samples .*positive.*=0", lambda f: objectives.ELBO(samples=0)),
    Row("linear-without-steps", V, r"Expected steps .*positive.*steps=0", lambda f: schedules.Linear(0)),
    Row("linear-negative", V, r"Expected end .*at least 0\. Received: end=-1", lambda f: schedules.Linear(9, end=-1)),
    Row("cyclical-rise", V, r"Expected rise .*to 1\. Received: rise=2", lambda f: schedules.Cyclical(9, rise=2)),
    Row("cyclical-period", V, r"Expected period .*positive.*period=2\.5", lambda f: schedules.Cyclical(2.5)),
    Row("constant-inf", V, r"Expected value .*finite.*value=inf", lambda f: schedules.Constant(float("inf"))),
    Row("mlp-zero", V, r"Expected every width in units .*positive whole number.*=0", lambda f: networks.mlp(0)),
    Row("mlp-activation", V, r"activation.*swisch", lambda f: networks.mlp(8, activation="swisch")),
    Row("conv-kernel", V, r"Expected kernel_size .*positive.*=0", lambda f: networks.conv(4, kernel_size=0)),
    Row("deconv-without-filters", V, r"at least one entry in filters.*Received: filters=\(\), size=\(8, 8\)",
        lambda f: networks.deconv(size=(8, 8))),
    Row("deconv-size-of-three", V, r"size=\(height, width\)\. Received: filters=\(4,\), size=\(8, 8, 1\)",
        lambda f: networks.deconv(4, size=SHAPE)),
    Row("event-shape-zero", V, r"Expected every size in event_shape .*positive.*=0", lambda f: heads.Normal((8, 0))),
    Row("event-shape-text", V, r"Expected event_shape to be a shape .*such as \(28, 28, 1\).*event_shape='8'",
        lambda f: heads.Normal("8")),
    Row("event-shape-empty", V, r"Expected event_shape .*Received: event_shape=\(\)", lambda f: heads.Bernoulli(())),
    Row("event-shape-none", V, r"Expected every size in event_shape .*=None", lambda f: heads.Normal((None, 8))),
    Row("posterior-of-an-image", V, r"Expected DiagonalNormal to model a vector.*heads\.Normal.*=\(8, 8, 1\)",
        lambda f: heads.DiagonalNormal(SHAPE)),
    Row("latent-dim-fraction", V, r"Expected latent_dim .*positive.*=2\.0", lambda f: priors.StandardNormal(2.0)),
    Row("scale-zero", V, r"Expected scale .*at least 1e-05\. Received: scale=0", lambda f: heads.Normal(8, scale=0)),
    Row("scale-negative", V, r"Expected scale .*at least 1e-05\. Received: scale=-1", lambda f: heads.FixedScale(-1)),
    Row("scale-text", T, r"Expected scale to be a number, heads\.FixedScale or .*Received: scale='learned'",
        lambda f: heads.Normal(8, scale="learned")),
    Row("shared-scale-nan", V, r"Expected initial .*finite.*=nan", lambda f: heads.SharedScale(float("nan"))),
    Row("compile-loss", V, r"Expected compile\(optimizer\) without loss and metrics.*loss=",
        fit(partial(compiled, loss="mse"), BINARY)),
    Row("compile-metrics", V, r"Expected compile\(optimizer\) without loss and metrics.*metrics=",
        fit(partial(compiled, metrics=["mae"]), BINARY)),
    Row("compile-forgotten", V, r"call `compile\(\)`", fit(compose, BINARY)),
    # Files and exports
    Row("checkpoint-ending", V, r"Expected a path that ends in \.keras\. Received: path='weights\.h5'",
        lambda f: callbacks.Checkpoint("weights.h5")),
    Row("checkpoint-never", V, r"Expected every .*positive.*every=0",
        lambda f: callbacks.Checkpoint("a.keras", every=0)),
    Row("verify-nothing", V, r"Expected saved_model=, tflite= or both\. Received: neither",
        lambda f: export.verify(binary())),
    Row("verify-grey", V, r"Expected the values 0 and 1 only",
        lambda f: export.verify(binary(), tflite=f / "m.tflite", x=GREY), holding("m.tflite", exported)),
    Row("verify-seed", V, r"Expected seed .*Received: seed=2147483648",
        lambda f: export.verify(binary(), tflite=f / "m.tflite", seed=2**31), holding("m.tflite", exported)),
    Row("verify-tflite-missing", E, r"Expected a TFLite file\. Received: .*/m\.tflite, which does not load",
        lambda f: export.verify(binary(), tflite=f / "m.tflite")),
    Row("verify-tflite-text", E, r"Expected a TFLite file\. Received: .*/m\.tflite, which does not load",
        lambda f: export.verify(binary(), tflite=f / "m.tflite"), holding("m.tflite", b"text")),
    Row("verify-tflite-truncated", E, r"Expected a TFLite file\. Received: .*/m\.tflite, which does not load",
        lambda f: export.verify(binary(), tflite=f / "m.tflite"),
        holding("m.tflite", lambda: exported()[: len(exported()) // 2])),
    Row("verify-tflite-of-another-shape", E, r"'serving_default' to run on .*float32\[1, 4, 4, 1\].*m\.tflite",
        lambda f: export.verify(smaller(), tflite=f / "m.tflite"), holding("m.tflite", exported)),
    Row("verify-saved-model-missing", E, r"Expected a SavedModel\. Received: .*/1, which does not load",
        lambda f: export.verify(binary(), saved_model=f / "1")),
    Row("verify-saved-model-damaged", E, r"Expected a SavedModel\. Received: .*/1, which does not load",
        lambda f: export.verify(binary(), saved_model=f / "1"), holding("1/saved_model.pb", b"text")),
    Row("verify-saved-model-of-another-kind", E, r"Expected a signature 'serving_default'\. Received: \['double'\]",
        lambda f: export.verify(binary(), saved_model=f / "1"), saved_model("double", SHAPE)),
    Row("verify-saved-model-of-another-shape", E, r"'serving_default' to run on .*float32\[1, 8, 8, 1\].*/1",
        lambda f: export.verify(binary(), saved_model=f / "1"), saved_model("serving_default", (4, 4, 1))),
    Row("tflite-without-a-rule", E, r"without=\('elbo', 'log_evidence'\)\. Cannot offer elbo: Ind.*TFP alone.*",
        lambda f: export.tflite(ruleless(), f / "new" / "m.tflite")),
    Row("saved-model-without-a-rule", E, r"Cannot offer elbo: Independent.* by TFP alone.*; log_evidence: Independent",
        lambda f: export.saved_model(ruleless(), f / "new" / "1")),
    Row("tflite-float64", E, r"Expected a model with float32 weights, .*Received: variable_dtype=float64",
        lambda f: export.tflite(double(), f / "new" / "m.tflite")),
    Row("tflite-foreign-operator", E, r"Cannot offer serving_default: TFLite has no builtin .* Igamma; replace",
        lambda f: export.tflite(applying(lambda h: tf.math.igamma(1 + h, 1 + h)), f / "new" / "m.tflite")),
    Row("tflite-operator-that-fails", E, r"Expected the signature .* to run on .*replace the layer.*says: Given shapes",
        lambda f: export.tflite(applying(tf.math.lgamma), f / "new" / "m.tflite")),
    Row("tflite-noise", E, r"Expected builtin operators without state only.*RANDOM_STANDARD_NORMAL",
        lambda f: export.tflite(noisy(), f / "m.tflite"), holding("m.tflite", b"an older export")),
    Row("tflite-of-no-saved-model", E, r"Expected source to be a SavedModel of this model.*Received: .*/nothing",
        lambda f: export.tflite(binary(), f / "m.tflite", source=f / "nothing")),
    Row("tflite-of-another-saved-model", E, r"Expected source to be .* with the signatures .*Received: .*/1",
        lambda f: export.tflite(binary(), f / "m.tflite", source=f / "1"), saved_model("double", SHAPE)),
    Row("without-an-unknown-signature", V, r"Expected names among serving_default, encode, .*without=\['sample'\]",
        lambda f: export.saved_model(binary(), f / "1", without=("sample",))),
    Row("tflite-over-a-folder", E, r"Expected a path of a file, such as .*Received: .*/m\.tflite",
        lambda f: export.tflite(binary(), f / "m.tflite"), holding("m.tflite/file", b"text")),
    Row("saved-model-disagrees", E, r"Expected every signature to agree .*was not written",
        lambda f: export.saved_model(noisy(), f / "1"), holding("1/saved_model.pb", b"an older export")),
    Row("saved-model-of-nan", E, r"Expected every signature to agree .*inf",
        lambda f: export.saved_model(poisoned(), f / "new" / "1")),
    Row("saved-model-over-a-file", E, r"Expected a path of a folder, such as .*Received: .*/1, which is a file",
        lambda f: export.saved_model(binary(), f / "1"),
        holding("1", b"text")),
    Row("saved-model-over-other-files", E, r"Expected a new or empty folder.*choose.*Received: .*home, which holds",
        lambda f: export.saved_model(binary(), f / "home"), holding("home/thesis.tex", b"text")),
    Row("export-of-another-model", V, r"Expected a model of tfvae.*Received: model=.*Sequential",
        lambda f: export.saved_model(dense_model(), f / "1")),
]  # fmt: skip


def contents(folder):
    """Every path below a folder, with the bytes of the files."""
    return {str(path.relative_to(folder)): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


@pytest.mark.parametrize("row", TABLE, ids=[row.id for row in TABLE])
def test_bad_input_is_refused(row, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    row.given(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(Exception) as caught:
        row.run(tmp_path)
    said = re.sub(r"\s+", " ", str(caught.value)).strip()
    assert isinstance(caught.value, row.error), repr(caught.value)
    assert re.search(row.message, said), said
    assert "Traceback" not in said
    assert contents(tmp_path) == before


def test_rows_have_names_of_their_own():
    assert len({row.id for row in TABLE}) == len(TABLE) >= 40
