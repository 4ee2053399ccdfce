"""Every row of the table: built, trained, saved, exported, printed, cited."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import CASES

from tfvae import data, export
from tfvae.models import summary


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", batch_size=64, binarization=data.StaticBinarization())


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture(scope="module")
def trained(case, digits):
    """A model after one epoch, with its loss before and after on the same draws."""
    keras.utils.set_random_seed(0)
    model = case.build(case.shape, **case.options)
    model.compile(keras.optimizers.Adam(3e-3))
    before = model.evaluate(digits.validation, verbose=0, return_dict=True)
    model.fit(digits.train, epochs=2, verbose=0)
    return model, before, model.evaluate(digits.validation, verbose=0, return_dict=True)


def test_lowers_its_loss(trained):
    _, before, after = trained
    assert after["loss"] < before["loss"] - 5
    for logs in (before, after):
        assert logs["elbo"] == pytest.approx(-(logs["rate"] + logs["distortion"]), rel=1e-5)


def test_a_gradient_reaches_every_weight(case, digits):
    model = case.build(case.shape, **case.options)
    x = next(iter(digits.train))
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(model.objective.bound(model.trace(x, model.objective.samples), tf.constant(1)))
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_variables])
    silent = [
        weight.path
        for weight, gradient in zip(model.trainable_variables, gradients, strict=True)
        if gradient is None or not np.abs(gradient).max() > 0
    ]
    assert not silent


def test_states_whether_its_rate_is_exact(case, trained):
    assert trained[0].fits.exact_rate is case.exact_rate


def test_survives_keras(trained, digits, tmp_path):
    model = trained[0]
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    x = digits.array("test")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    np.testing.assert_array_equal(loaded.trace(x, 2, 5).log_weights, model.trace(x, 2, 5).log_weights)
    assert summary.composition(loaded) == summary.composition(model)
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations)


def test_survives_saved_model_and_tflite(trained, digits, tmp_path):
    model, x = trained[0], digits.array("test")[:9]
    export.saved_model(model, tmp_path / "1")
    export.tflite(model, tmp_path / "m.tflite")
    parity = export.verify(model, saved_model=tmp_path / "1", tflite=tmp_path / "m.tflite", x=x)
    assert set(parity.differences["SavedModel"]) == set(export.signatures(model))
    assert max(parity.differences["SavedModel"].values()) < 1e-4
    assert max(parity.differences["TFLite"].values()) < 1e-3


def test_prints_its_composition(trained):
    lines = []
    trained[0].summary(print_fn=lambda text, line_break=False: lines.append(text))
    text = "\n".join(lines)
    assert "q(z | x)" in text and "rate KL(q(z | x) || p(z)): exact" in text and "[8, 8, 1]" in text


def test_cites_its_paper(case):
    citation = case.build.citation
    assert citation.year > 2010 and citation.url.startswith("https://") and citation.authors and citation.title
