"""Conditional models against closed forms and scikit-learn, and the calibration of their predictions."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from tensorflow_probability import distributions as tfd

import tfvae
from tfvae import evaluation, heads, networks
from tfvae.errors import IncompatibleParts
from tfvae.models import ConditionalModel


def model_of(head, inputs, *units, rate=0.05, seed=0):
    keras.utils.set_random_seed(seed)
    model = ConditionalModel(tfvae.Conditional(networks.mlp(*units), head), inputs, seed=0)
    model.compile(keras.optimizers.Adam(rate), steps_per_execution=20)
    return model


def fitted(model, x, y, steps=600):
    """Take so many steps on all examples at once."""
    model.fit(tf.data.Dataset.from_tensors((x, y)).repeat(steps), verbose=0)
    return model


# Maximum likelihood -------------------------------------------------------------------------------------------------


def test_a_linear_classifier_is_logistic_regression(seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, 400)
    x = rng.normal(size=[400, 2]) + np.array([[0, 0], [1.5, 0], [0, 1.5]])[y]
    peer = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(x, y)
    model = fitted(model_of(heads.OneHotCategorical(3), 2), x, y)
    np.testing.assert_allclose(model.predict(x, verbose=0), peer.predict_proba(x), atol=5e-3)
    measured = evaluation.prediction(model, x, y)
    assert measured.log_prob == pytest.approx(-log_loss(y, peer.predict_proba(x)), abs=1e-4)
    assert measured.accuracy == pytest.approx(peer.score(x, y), abs=0.006)
    assert measured.accuracy_error == pytest.approx(
        np.sqrt(measured.accuracy * (1 - measured.accuracy) / 399), rel=1e-3
    )
    logs = model.evaluate(x, np.eye(3)[y], return_dict=True, verbose=0)  # classes as vectors too
    assert logs["accuracy"] == pytest.approx(measured.accuracy, abs=1e-6)
    assert logs["log_prob"] == pytest.approx(measured.log_prob, rel=1e-5) == -logs["loss"]


def test_a_scale_that_depends_on_x_is_that_of_each_group(seed):
    """Of groups, given as zeros and ones, maximum likelihood is each group's own mean and deviation."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 4, 600)
    y = rng.normal([0.0, 1.0, -2.0, 5.0], [0.3, 1.0, 2.0, 0.5], size=[600, 4])[np.arange(600), group]
    py = fitted(model_of(heads.Normal(1, heads.PixelScale()), 4), np.eye(4)[group], y).predict_distribution(np.eye(4))
    for k in range(4):
        own = y[group == k]
        assert py.mean().numpy()[k, 0] == pytest.approx(own.mean(), abs=0.02)
        assert py.stddev().numpy()[k, 0] == pytest.approx(own.std(), rel=0.02)


def test_counts_have_the_mean_of_each_group(seed):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, 500)
    y = rng.poisson(np.array([0.5, 4.0, 20.0])[group])
    model = fitted(model_of(heads.Poisson(1), 3, rate=0.1), np.eye(3)[group], y)
    means = [y[group == k].mean() for k in range(3)]
    np.testing.assert_allclose(model.predict(np.eye(3), verbose=0)[:, 0], means, rtol=0.01)
    truth = stats.poisson(np.array(means)[group]).logpmf(y).mean()
    assert evaluation.prediction(model, np.eye(3)[group], y).log_prob == pytest.approx(truth, abs=1e-3)


def test_a_mixture_density_finds_both_branches(seed):
    """Y is one of two functions of x: one normal distribution stays 1.4 nats below, a mixture comes near the truth."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, [2000, 1])
    sign = rng.choice([-1.0, 1.0], 2000)
    y = sign * (1.0 + x[:, 0]) + 0.1 * rng.normal(size=2000)
    branches = [stats.norm(s * (1.0 + x[:, 0]), 0.1).pdf(y) for s in (-1, 1)]
    truth = np.mean(np.log(0.5 * sum(branches)))
    found = {}
    for name, head in (("mixture", heads.NormalMixture(1, 2)), ("normal", heads.Normal(1, heads.PixelScale()))):
        model = fitted(model_of(head, 1, 32, rate=0.02), x, y, steps=300)
        found[name] = evaluation.prediction(model, x, y).log_prob
    assert found["mixture"] == pytest.approx(truth, abs=0.1)
    assert found["normal"] < truth - 0.5


def test_heads_are_the_families_that_they_name(seed):
    rng = np.random.default_rng(seed)
    eta = tf.constant(rng.normal(size=[2, 5, 21]), tf.float32)
    head = heads.NormalMixture(3, components=3)
    mixture = head.distribution(eta)
    y = tf.constant(rng.normal(size=[2, 5, 3]), tf.float32)
    logits, rest = eta[..., :3], tf.reshape(eta[..., 3:], [2, 5, 3, 6])
    scale = heads.DiagonalNormal(3).distribution(rest).stddev()
    tfp = tfd.MixtureSameFamily(tfd.Categorical(logits=logits), tfd.MultivariateNormalDiag(rest[..., :3], scale))
    np.testing.assert_allclose(mixture.log_prob(y), tfp.log_prob(y), rtol=1e-5)
    drawn = mixture.sample(20000, seed=seed)
    error = mixture.stddev() / np.sqrt(20000)
    assert np.all(np.abs(np.mean(drawn, 0) - mixture.mean()) < 5 * error)
    classes = heads.OneHotCategorical(4).distribution(tf.constant([[0.0, 1.0, 2.0, 3.0]]))
    total = sum(float(np.exp(classes.log_prob(np.eye(4, dtype="float32")[[k]])[0])) for k in range(4))
    assert total == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(classes.mean(), tf.nn.softmax([[0.0, 1.0, 2.0, 3.0]]), rtol=1e-6)


# Calibration --------------------------------------------------------------------------------------------------------


def test_the_calibration_error_of_classes_by_hand():
    """Two confidences, 0.9 that is right in 6 of 10 and 0.6 that is right in 5 of 10: (10 * 0.3 + 10 * 0.1) / 20."""
    model = model_of(heads.OneHotCategorical(2), 2)
    model.conditional.head.projection.linear.set_weights([np.diag(np.log([9.0, 1.5])) @ [[1, 0], [1, 0]], np.zeros(2)])
    x = np.repeat(np.eye(2), 10, 0)
    y = np.array([0] * 6 + [1] * 4 + [0] * 5 + [1] * 5)
    measured = evaluation.prediction(model, x, y)
    assert measured.calibration_error == pytest.approx(0.2, abs=1e-6)
    np.testing.assert_allclose(measured.curve, [[0.6, 0.5, 10], [0.9, 0.6, 10]], atol=1e-6)


@pytest.mark.parametrize("name", ["classes", "labels", "numbers", "counts", "vectors"])
def test_a_calibrated_model_passes_and_a_sure_one_does_not(name, seed):
    """Y from the model itself: p-values are uniform. Of the same model with sharper predictions they are small."""
    head = {"classes": heads.OneHotCategorical(4), "labels": heads.Bernoulli(3), "counts": heads.Poisson(1),
            "numbers": heads.Normal(1, heads.PixelScale()), "vectors": heads.DiagonalNormal(2)}[name]  # fmt: skip
    model, rng = model_of(head, 3), np.random.default_rng(seed)
    linear = model.conditional.head.projection.linear
    linear.kernel.assign(rng.normal(size=linear.kernel.shape))
    x = rng.normal(size=[300, 3])
    py = model.predict_distribution(x)
    p_values = [evaluation.prediction(model, x, py.sample(seed=seed + i), seed=i, draws=39).p_value for i in range(16)]
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3  # steps of 1/40 do not matter to 16 values
    y = py.sample(seed=seed)
    if name in ("classes", "labels"):
        for weight in model.trainable_variables:
            weight.assign(3.0 * weight)
    elif name == "counts":
        y = np.round(y + np.where(rng.random(y.shape) < 0.5, 0.0, y))
    else:
        y = 2.0 * y - py.mean()
    sure = evaluation.prediction(model, x, y)
    assert sure.p_value == pytest.approx(1 / 200)
    assert sure.calibration_error > 2 * sure.calibrated
    assert "not calibrated" in sure.warnings[0]


def test_a_record_prints_and_is_plain(seed):
    model = model_of(heads.Normal(1, 0.5), 2)
    x = np.random.default_rng(seed).normal(size=[50, 2])
    measured = evaluation.prediction(model, x, x[:, 0])
    assert "accuracy" not in str(measured)
    assert "nats" in str(measured.as_json())
    assert measured.as_json()["accuracy"]["mean"] is None
    assert list(measured.rows()) == ["log p(y | x)", "calibration error"]
    again = evaluation.prediction(model, x, x[:, 0])
    assert again.calibration_error == measured.calibration_error  # the seed decides


# Use and files ------------------------------------------------------------------------------------------------------


def test_streams_weights_and_files(tmp_path, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=[90, 2]).astype("float32"), rng.integers(0, 3, 90)
    model = model_of(heads.OneHotCategorical(3), 2, 8)
    stream = tf.data.Dataset.from_tensor_slices((x, y)).batch(30)
    history = model.fit(stream, epochs=2, verbose=0, validation_data=(x, y)).history
    assert {"accuracy", "val_accuracy", "val_log_prob"} <= set(history)
    weight = (y == 1).astype("float32")
    weighted = model.evaluate(x, y, sample_weight=weight, return_dict=True, verbose=0)
    assert weighted["log_prob"] == pytest.approx(np.mean(model.log_prob(x[y == 1], y[y == 1])), rel=1e-5)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations) == 6


def test_what_does_not_fit_is_refused():
    with pytest.raises(IncompatibleParts, match=r"conditional of 'y' to return a tfd.Distribution"):
        ConditionalModel(keras.Sequential([keras.layers.Dense(2)]), 3)
    model = model_of(heads.OneHotCategorical(3), 2)
    x = np.zeros([4, 2])
    for arguments, message in (
        ((x,), r"Expected y beside x, fit\(x, y\)"),
        ((x, [0, 1, 2]), "one y for each x. Received: 4 x and 3 y"),
        (
            (x, [0, 1, 2, 3]),
            "3 classes, 0 to 2. Received: 1 of 4 that are none, such as 3, as values of 'y'",
        ),
        ((x, np.full([4, 3], 0.5)), "vectors of zeros with a single 1"),
        ((x * np.nan, [0, 1, 2, 0]), "Expected finite float32 numbers.*as values of 'x'"),
        ((np.zeros([4, 3]), [0, 1, 2, 0]), r"Expected x of shape \[B, 2\]"),
        ((tf.data.Dataset.from_tensor_slices(x).batch(2),), r"Expected batches \(x, y\)"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(*arguments, verbose=0)
    with pytest.raises(ValueError, match="vectors of zeros with a single 1"):
        model.fit(tf.data.Dataset.from_tensor_slices((x, [0, 1, 2, 3])).batch(2), verbose=0)
    with pytest.raises(ValueError, match="Expected finite"):
        model.predict(x + np.inf)
    with pytest.raises(TypeError, match=r"models\.ConditionalModel"):
        evaluation.prediction(tfvae.zoo.vae(2, 1), x, x)
    with pytest.raises(ValueError, match="draws to be a whole number from 19"):
        evaluation.prediction(model, x, [0, 1, 2, 0], draws=5)
    with pytest.raises(ValueError, match="positive whole number"):
        heads.NormalMixture(1, 0)
    with pytest.raises(ValueError, match="model a vector"):
        heads.NormalMixture((2, 2), 3)
    with pytest.raises(ValueError, match="classes to be a whole number from 2"):
        heads.OneHotCategorical(1)
    with pytest.raises(TypeError, match=r"Expected a head from tfvae.heads"):
        tfvae.priors.Learned("normal")
