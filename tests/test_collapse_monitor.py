"""The watch over the latent space in training: what it logs, when it warns, and that training does not notice it."""

import csv
import math
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import CASES

import tfvae
from tfvae import evaluation, objectives, zoo
from tfvae.callbacks import CollapseMonitor, CollapseWarning
from tfvae.models import execution

NAMES = ("active_units", "held_out_rate", "mutual_information", "total_correlation", "dimension_wise_kl")


@pytest.fixture(scope="module")
def x():
    """Two prototypes with a tenth of the pixels flipped: one bit that z can tell."""
    rng = np.random.default_rng(0)
    prototypes = rng.integers(0, 2, [2, 4, 4, 1])
    return np.abs(prototypes[rng.integers(0, 2, 256)] - (rng.random([256, 4, 4, 1]) < 0.1)).astype("float32")


def _model(objective=None, rate=1e-2):
    keras.utils.set_random_seed(3)
    model = zoo.vae((4, 4, 1), 2, units=(8,), seed=3)
    if objective is not None:
        model = tfvae.VAE(model.encoder, model.decoder, model.prior, objective, seed=3)
    model.compile(keras.optimizers.Adam(rate))
    return model


def _state(model):
    return [np.asarray(w) for w in [*model.weights, *model.optimizer.variables]]


def test_training_does_not_notice_the_watch(x):
    """Weights, optimiser and logs are those of a run without it, bit for bit; steps stay together in one call."""
    watched, alone = _model(), _model()
    history = watched.fit(x, epochs=3, verbose=0, validation_data=x[:50], callbacks=[CollapseMonitor(x)]).history
    expected = alone.fit(x, epochs=3, verbose=0, validation_data=x[:50]).history
    for mine, theirs in zip(_state(watched), _state(alone), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert {name: history[name] for name in expected} == expected and set(history) - set(expected) == set(NAMES)
    steps = [key[3] for key in watched.functions._made if key[0] == "train"]
    assert steps and min(steps) > 1 and not execution.wants_every_batch(CollapseMonitor(x))


def test_the_numbers_are_those_of_the_evaluation(x):
    model = _model()
    monitor = CollapseMonitor(x, examples=100, threshold=0.02, per_dimension=True, two_sample=True, seed=7)
    history = model.fit(x, epochs=2, verbose=0, callbacks=[monitor]).history
    parts = evaluation.decompose_rate(model, x[:100], seed=7, progress=False)
    units = evaluation.active_units(model, x[:100], 0.02, progress=False)
    expected = [units.count, parts.rate, parts.mutual_information, parts.total_correlation, parts.dimension_wise_kl]
    assert [history[name][-1] for name in NAMES] == expected
    rates = evaluation.rate_per_dimension(model, x[:100], seed=7, progress=False)
    assert [history[f"rate_z{d}"][-1] for d in range(2)] == [float(rate) for rate in rates.means]
    assert history["rate_z0"][-1] + history["rate_z1"][-1] == pytest.approx(history["held_out_rate"][-1], rel=1e-6)
    tests = evaluation.aggregate_posterior(model, x[:100], seed=7, progress=False)
    p_values = [tests.mmd.p_value, tests.classifier.p_value]
    assert [history[name][-1] for name in ("mmd_p_value", "classifier_p_value")] == p_values


def test_loggers_have_the_numbers_and_epochs_between_are_unknown(x, tmp_path):
    """Keras' CSVLogger takes its columns from the first epoch, and TensorBoard whatever comes."""
    data = tf.data.Dataset.from_tensor_slices((x, np.zeros(len(x)))).batch(32)
    callbacks = [
        CollapseMonitor(data, every=2, examples=64, per_dimension=True),
        keras.callbacks.CSVLogger(str(tmp_path / "log.csv")),
        keras.callbacks.TensorBoard(str(tmp_path / "board")),
    ]
    history = _model().fit(x, initial_epoch=1, epochs=4, verbose=0, callbacks=callbacks).history  # as if resumed
    assert [math.isnan(value) for value in history["active_units"]] == [False, False, True]
    with open(tmp_path / "log.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for name in (*NAMES, "rate_z0", "rate_z1"):
        np.testing.assert_allclose([float(row[name]) for row in rows], history[name], rtol=1e-6)
    events = b"".join(path.read_bytes() for path in (tmp_path / "board" / "train").iterdir())
    assert all(f"epoch_{name}".encode() in events for name in NAMES)


class Blind(keras.callbacks.Callback):
    """Takes x away from the encoder at the end of some epochs, and gives it back after the others."""

    every_batch = False

    def __init__(self, epochs):
        super().__init__()
        self.epochs, self.kernel = epochs, None

    def on_epoch_end(self, epoch, logs=None):
        weight = self.model.encoder.network.weights[0]
        self.kernel = weight.numpy() if self.kernel is None else self.kernel
        weight.assign(self.kernel * (epoch not in self.epochs))

    def on_train_end(self, logs=None):
        self.model.encoder.network.weights[0].assign(self.kernel)


@pytest.fixture(scope="module")
def trained():
    return _model()


@pytest.mark.parametrize(
    ("blind", "measurements"), [({0, 1, 2, 3, 4, 5}, 3), ({0, 1, 3, 4}, 0), ({4, 5}, 2), (set(), 0)]
)
def test_a_collapse_that_lasts_is_warned_of_once_with_what_to_try(x, trained, blind, measurements):
    """Lasting is three measurements or the end; a posterior that is used again is no collapse."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        monitor = CollapseMonitor(x, examples=60, patience=3)
        history = trained.fit(x, epochs=6, batch_size=256, verbose=0, callbacks=[Blind(blind), monitor]).history
    assert [epoch for epoch in range(6) if history["active_units"][epoch] == 0] == sorted(blind)
    found = [str(warning.message) for warning in caught if warning.category is CollapseWarning]
    assert len(found) == bool(measurements)
    for message in found:
        assert f"no unit of z is active on 60 held-out examples, in {measurements} measurements" in message
        assert all(word in message for word in ("schedules.Linear", "free_bits", "lower beta"))


def test_a_rate_that_is_too_dear_ends_in_a_collapse(x):
    model = _model(objectives.ELBO(1000.0), 3e-2)
    with pytest.warns(CollapseWarning):
        history = model.fit(x, epochs=5, verbose=0, callbacks=[CollapseMonitor(x, every=2, patience=100)]).history
    assert history["active_units"][-1] == 0 and history["mutual_information"][-1] < 0.05


@pytest.mark.parametrize("name", ["rae_l2", "iaf", "s_vae"])
def test_what_a_posterior_does_not_define_is_left_out(name):
    model = CASES[name].build((8, 8, 1), **CASES[name].options, seed=0)
    model.compile(keras.optimizers.Adam(1e-3))
    x = np.random.default_rng(0).integers(0, 2, [64, 8, 8, 1]).astype("float32")
    history = model.fit(x, epochs=1, verbose=0, callbacks=[CollapseMonitor(x, threshold=1e-9)]).history
    assert {name for name in NAMES if name in history} == set(NAMES if name == "s_vae" else NAMES[:1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every to be a positive whole number"),
        ({"examples": 1}, "examples to be a whole number from 2"),
        ({"threshold": -0.1}, "threshold to be a finite number of at least 0"),
        ({"patience": 0}, "patience to be a positive whole number"),
        ({"seed": "today"}, "Expected seed to be one or two whole numbers"),
    ],
)
def test_bad_arguments_are_refused(x, options, message):
    with pytest.raises(ValueError, match=message):
        CollapseMonitor(x, **options)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x[:1], "at least two held-out examples. Received: 1"),
        (lambda x: x[:, :2], r"Expected x of shape \[B, 4, 4, 1\]"),
        (lambda x: x * 0.5, "values outside"),
    ],
)
def test_bad_examples_are_refused_before_training(x, spoil, message):
    model = _model()
    with pytest.raises(ValueError, match=message):
        model.fit(x, epochs=1, verbose=0, callbacks=[CollapseMonitor(spoil(x))])
    assert int(model.optimizer.iterations) == 0
