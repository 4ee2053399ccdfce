"""Every row of the table: built, trained, saved, exported, printed, cited."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import CASES, EXPORTED_FIRST

from tfvae import data, export
from tfvae.errors import ExportError
from tfvae.evaluation import anomaly
from tfvae.export.verification import saved_model_runner, tflite_runner
from tfvae.models import summary


def pytest_generate_tests(metafunc):
    """Give each row to one worker as a whole, since its trained model is made once."""
    slow = {
        test_survives_saved_model_and_tflite: CASES.keys() - EXPORTED_FIRST,
        test_exports_every_extra_or_refuses_it_by_name: CASES.keys() - {"count_vae"},
    }.get(metafunc.function, ())
    marks = {name: [pytest.mark.xdist_group(name), *([pytest.mark.slow] if name in slow else [])] for name in CASES}
    rows = [pytest.param(name, marks=marks[name]) for name in CASES]
    metafunc.parametrize("row", rows, scope="module")


@pytest.fixture(scope="module")
def case(row):
    return CASES[row]


@pytest.fixture(scope="module")
def splits(case):
    binarization = data.StaticBinarization() if case.data == "digits" else None
    splits = data.load(case.data, batch_size=64, binarization=binarization)
    return splits.conditioned() if case.conditioned else splits


def first(batch, count):
    """The first examples, with their conditions if they have some."""
    return tf.nest.map_structure(lambda part: part[:count], batch)


@pytest.fixture(scope="module")
def trained(case, splits):
    """A model after two epochs of whole batches, with its loss before and after on the same draws."""
    keras.utils.set_random_seed(0)
    model = case.build(splits.shape, **case.options)
    model.compile(keras.optimizers.Adam(3e-3))
    train, validation = (first(splits.examples(s), splits.sizes[s] // 64 * 64) for s in ("train", "validation"))
    before = model.evaluate(validation, batch_size=64, verbose=0, return_dict=True)
    model.fit(train, batch_size=64, epochs=2, verbose=0)
    return model, before, model.evaluate(validation, batch_size=64, verbose=0, return_dict=True)


def test_lowers_its_loss(trained):
    model, before, after = trained
    assert after["loss"] < before["loss"] - 5 and after["distortion"] < before["distortion"]
    for logs in (before, after):
        assert ("rate" in logs) == ("elbo" in logs) == model.fits.has_rate
        if model.fits.has_rate:
            assert logs["elbo"] == pytest.approx(-(logs["rate"] + logs["distortion"]), rel=1e-5)


def test_a_gradient_reaches_every_weight(case, splits):
    model = case.build(splits.shape, **case.options)
    x, step = next(iter(splits.train)), tf.constant(1)

    def both() -> tuple:
        with tf.GradientTape(persistent=True) as tape:
            trace = model.trace(x, model.objective.samples)
            loss = -tf.reduce_mean(model.objective.bound(trace, step))
            distinction = model.critic.loss(trace, step)
        critics = [weight.value for weight in model.critic.trainable_variables]
        trained = [weight.value for weight in model.trained_variables]
        return tape.gradient(loss, trained), tape.gradient(distinction, critics)

    gradients, of_critic = tf.function(both, autograph=False)()
    assert len(gradients) + len(of_critic) == len(model.trainable_variables)
    named = [*zip(model.trained_variables, gradients, strict=True),
             *zip(model.critic.trainable_variables, of_critic, strict=True)]  # fmt: skip
    silent = [weight.path for weight, gradient in named if gradient is None or not np.abs(gradient).max() > 0]
    assert not silent


def test_states_whether_its_rate_is_exact(case, trained):
    assert trained[0].fits.exact_rate is case.exact_rate


def test_survives_keras(trained, splits, tmp_path):
    model = trained[0]
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    x = splits.examples("test")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    for name in ("log_px", "log_pz"):
        same = [getattr(m.trace(x, 2, 5), name) for m in (loaded, model)]
        np.testing.assert_array_equal(*same)
    assert summary.composition(loaded) == summary.composition(model)
    optimizers = [(m.optimizer, getattr(m.critic, "optimizer", m.optimizer)) for m in (loaded, model)]
    for ours, theirs in zip(*optimizers, strict=True):
        assert int(ours.iterations) == int(theirs.iterations) > 0
        for one, other in zip(ours.variables, theirs.variables, strict=True):
            np.testing.assert_array_equal(one, other)


def _answers_as_the_library(model, x, run, names, near):
    """A file gives for a seed what `model.sample` and `model.trace` give for it."""
    words = (11, -3)
    seed = np.array(words, np.int32)
    given = x if isinstance(x, dict) else {"x": x}
    if "generate" in names:
        c = {name: np.repeat(given[name][:1], 7, 0) for name in model.condition.names}
        drawn = run("generate", {**(c or {"n": np.array(7, np.int32)}), "seed": seed})["x"]
        np.testing.assert_allclose(drawn, model.sample(7, words, **c), rtol=near, atol=near)
    if "elbo" in names:
        scores, trace = run("elbo", {**given, "seed": seed}), model.trace(x, 1, words)
        for name in ("elbo", "rate", "distortion"):
            np.testing.assert_allclose(scores[name], getattr(trace, name), rtol=near, atol=near, err_msg=name)


def test_survives_saved_model_and_tflite(case, trained, splits, tmp_path):
    """The exporters compare what they write with what was traced, on draws from the model, before they return."""
    model, served, mobile = trained[0], tmp_path / "1", tmp_path / "m.tflite"
    every = {"serving_default", "encode", "decode", "generate", "elbo", "log_evidence"}
    assert set(export.refusals(model)) == set(case.refused)
    parity = export.saved_model(model, served, without=case.refused).differences["SavedModel"]
    assert set(parity) == every - set(case.refused) and max(parity.values()) < 1e-4
    without = (*case.refused, *case.refused_by_tflite)
    if without:
        attempt = {"without": case.refused if case.refused_by_tflite else (), "source": served}
        with pytest.raises(ExportError, match=f"Cannot offer {without[-1]}: |; {without[-1]}: ") as refusal:
            export.tflite(model, mobile, **attempt)
        assert set(refusal.value.refused) == set(case.refused_by_tflite or case.refused)
        assert not mobile.exists()
    parity = export.tflite(model, mobile, without=without, source=served).differences["TFLite"]
    assert set(parity) == every - set(without) and max(parity.values()) < 1e-3
    x = first(splits.examples("test"), 5)
    _answers_as_the_library(model, x, saved_model_runner(served), every - set(case.refused), 1e-4)
    _answers_as_the_library(model, x, tflite_runner(mobile), every - set(without), 1e-3)


def test_exports_every_extra_or_refuses_it_by_name(case, trained, splits, tmp_path):
    model, offered, refused = trained[0], [], []
    made = {
        "encode_sample": export.EncodeSample(),
        "score": export.Score(2),
        "interpolate": export.Interpolate(),
        "impute": export.Impute(2, 3),
        "personalise": export.Personalise(),
    }
    if "elbo" not in case.refused and not case.conditioned:
        score = anomaly.NegativeELBO(model, samples=2, progress=False)
        made["is_anomaly"] = export.IsAnomaly(anomaly.calibrate(score, splits.array("validation")[:30]))
    for name, extra in made.items():
        try:
            extra.signatures(model)
            offered.append(extra)
        except ExportError as error:
            assert f"to offer {name}" in str(error)
            refused.append(name)
    assert set(refused) == set(case.refused_extras)
    served, without = tmp_path / "1", (*case.refused, *case.refused_by_tflite)
    names = set(export.signatures(model, without, offered))
    parity = export.saved_model(model, served, without, extras=offered).differences["SavedModel"]
    assert set(parity) == names and max(parity.values()) < 1e-4
    parity = export.tflite(model, tmp_path / "m.tflite", without, extras=offered, source=served).differences["TFLite"]
    assert set(parity) == names and max(parity.values()) < 1e-3


def test_prints_its_composition(trained):
    model, lines = trained[0], []
    model.summary(print_fn=lambda text, line_break=False: lines.append(text))
    text = "\n".join(lines)
    how = "exact" if model.fits.exact_rate else "Monte Carlo" if model.fits.has_rate else "none: "
    how = f"sum of groups of {list(model.group_sizes)}" if model.group_sizes else how
    q, _, p = summary.words(model)
    assert q in text and f"rate KL({q} || {p}): {how}" in text
    assert str(list(model.fits.event_shape)) in text


def test_cites_its_paper(case):
    citation = case.build.citation
    assert citation.year > 2010 and citation.url.startswith("https://") and citation.authors and citation.title
