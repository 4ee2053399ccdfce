"""Conditional models against closed forms and scikit-learn, and the calibration of their predictions."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from tensorflow_probability import distributions as tfd

import tfvae
from tfvae import evaluation, heads, networks
from tfvae.errors import IncompatibleParts
from tfvae.models import ConditionalModel, DirectedModel, Variable


def model_of(head, inputs, *units, rate=0.05, activation="relu", seed=0):
    keras.utils.set_random_seed(seed)
    model = ConditionalModel(tfvae.Conditional(networks.mlp(*units, activation=activation), head), inputs, seed=0)
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


BRANCHES = {"lines": lambda x: 1.0 + x, "arcs": lambda x: np.sqrt(1.1 - x**2)}  # y is one of +-branch(x)


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_mixture_density_finds_both_branches(branch, activation, seed):
    """One normal distribution stays a nat below, a mixture comes near the truth, also where y is symmetric about 0."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, [2000, 1])
    middle = BRANCHES[branch](x[:, 0])
    y = rng.choice([-1.0, 1.0], 2000) * middle + 0.1 * rng.normal(size=2000)
    truth = np.mean(np.log(0.5 * sum(stats.norm(sign * middle, 0.1).pdf(y) for sign in (-1, 1))))
    found = {}
    for name, head in (("mixture", heads.NormalMixture(1, 2)), ("normal", heads.Normal(1, heads.PixelScale()))):
        model = fitted(model_of(head, 1, 32, rate=0.02, activation=activation), x, y, steps=300)
        found[name] = evaluation.prediction(model, x, y).log_prob
    assert found["mixture"] == pytest.approx(truth, abs=0.15)
    assert found["normal"] < truth - 1.0


@pytest.mark.parametrize(("length", "components"), [(1, 1), (1, 2), (1, 7), (2, 2), (3, 5), (40, 20)])
def test_the_components_of_a_mixture_begin_apart(length, components, seed):
    """Components that begin alike stay alike, whatever they are given: of eta = 0 their places differ."""
    head = heads.NormalMixture(length, components)
    begin = head.distribution(tf.zeros([head.width])).components_distribution
    loc = begin.mean().numpy()
    np.testing.assert_allclose(begin.stddev(), np.ones([components, length]), rtol=2e-5)
    np.testing.assert_allclose(loc.mean(0), 0.0, atol=1e-6)
    assert np.mean(loc**2) == pytest.approx(float(components > 1), rel=1e-5)
    for column in loc.T:
        assert len(np.unique(column)) == components
    eta = np.random.default_rng(seed).normal(size=[3, head.width]).astype("float32")
    again = heads.NormalMixture.from_config(head.get_config())
    y = np.ones([3, length], "float32")
    np.testing.assert_array_equal(again.distribution(eta).log_prob(y), head.distribution(eta).log_prob(y))


def test_a_mixture_without_parents_finds_its_modes(seed):
    """As the root of a graph its parameters begin at 0, where nothing else tells the components apart."""
    rng = np.random.default_rng(seed)
    modes = np.array([[-1.0, 0.5], [0.5, 0.5], [0.5, -1.0]])
    y = modes[rng.integers(0, 3, 900)] + 0.1 * rng.normal(size=[900, 2])
    model = DirectedModel([Variable("y", tfvae.priors.Learned(heads.NormalMixture(2, 3)))], seed=0)
    model.compile(keras.optimizers.Adam(0.05), steps_per_execution=20)
    model.fit(tf.data.Dataset.from_tensors({"y": y}).repeat(400), verbose=0)
    truth = np.mean([special.logsumexp(stats.norm.logpdf(each, modes, 0.1).sum(-1)) for each in y]) - np.log(3)
    assert float(tf.reduce_mean(model.log_prob({"y": y}))) == pytest.approx(truth, abs=0.02)


NUMBERS, BITS = [-1.0, 0.5, 2.0], [0.0, 1.0, 1.0]
LENGTH_ONE = {
    "Bernoulli": (heads.Bernoulli, BITS),
    "Beta": (heads.Beta, [0.7, 0.8, 0.95]),
    "Categorical": (lambda n: heads.Categorical(n, 3), [0.0, 2.0, 2.0]),
    "ContinuousBernoulli": (heads.ContinuousBernoulli, [0.7, 0.8, 1.0]),
    "DiagonalNormal": (heads.DiagonalNormal, NUMBERS),
    "FullNormal": (heads.FullNormal, NUMBERS),
    "Laplace": (heads.Laplace, NUMBERS),
    "LowRankNormal": (heads.LowRankNormal, NUMBERS),
    "NegativeBinomial": (heads.NegativeBinomial, [0.0, 2.0, 7.0]),
    "Normal": (lambda n: heads.Normal(n, heads.OptimalScale()), NUMBERS),
    "NormalMixture": (lambda n: heads.NormalMixture(n, 2), NUMBERS),
    "Poisson": (heads.Poisson, [0.0, 2.0, 7.0]),
    "QuantizedLogistic": (lambda n: heads.QuantizedLogistic(n, 3), [0.0, 0.5, 1.0]),
    "QuantizedLogisticMixture": (lambda n: heads.QuantizedLogisticMixture(n, 2, 3), [0.0, 0.5, 1.0]),
    "StudentT": (lambda n: heads.StudentT(n, scale=heads.PixelScale()), NUMBERS),
    "ZeroInflatedNegativeBinomial": (heads.ZeroInflatedNegativeBinomial, [0.0, 0.0, 7.0]),
}
MORE_THAN_ONE = {"OneHotCategorical", "Product", "PowerSpherical", "RelaxedCategorical"}  # or made of others
NO_LIKELIHOOD = {
    "GridNormal",
    "Point",
    "Coupling",
    "Householder",
    "InverseAutoregressive",
    "Planar",
    "Sylvester",
    "Incomplete",
}


def test_every_head_is_tried_at_length_one():
    known = {name for name in heads.__all__ if isinstance(getattr(heads, name), type)}
    known = {name for name in known if issubclass(getattr(heads, name), heads.Head)} - {"Head"}
    assert known == set(LENGTH_ONE) | MORE_THAN_ONE | NO_LIKELIHOOD


@pytest.mark.parametrize("name", LENGTH_ONE)
def test_every_head_of_length_one_is_learned(name):
    """TensorFlow forgets an axis of length 1 in a broadcast, and the number of examples is open: both in one graph."""
    head, y = LENGTH_ONE[name]
    x, y = np.tile([[0.0, 1.0]], [30, 1]), np.tile(y, 10)
    model = model_of(head(1), 2, rate=0.02)
    before = np.mean(model.log_prob(x, y))
    model.fit(x, y, batch_size=8, epochs=5, verbose=0)
    after = model.evaluate(tf.data.Dataset.from_tensor_slices((x, y)).batch(7), return_dict=True, verbose=0)["log_prob"]
    assert after > before
    assert after == pytest.approx(np.mean(model.log_prob(x, y)), rel=1e-4)


def test_heads_are_the_families_that_they_name(seed):
    rng = np.random.default_rng(seed)
    eta = tf.constant(rng.normal(size=[2, 5, 21]), tf.float32)
    head = heads.NormalMixture(3, components=3)
    mixture = head.distribution(eta)
    y = tf.constant(rng.normal(size=[2, 5, 3]), tf.float32)
    logits, rest = eta[..., :3], tf.reshape(eta[..., 3:], [2, 5, 3, 6])
    scale = heads.DiagonalNormal(3).distribution(rest).stddev()
    loc = rest[..., :3] + head.distribution(tf.zeros([21])).components_distribution.mean()
    tfp = tfd.MixtureSameFamily(tfd.Categorical(logits=logits), tfd.MultivariateNormalDiag(loc, scale))
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


def test_data_sets_are_predicted_and_not_measured():
    model, x = model_of(heads.OneHotCategorical(3), 2), np.random.default_rng(0).normal(size=[7, 2])
    y = np.arange(7) % 3
    for batches in (tf.data.Dataset.from_tensor_slices(x), tf.data.Dataset.from_tensor_slices((x, y))):
        np.testing.assert_allclose(model.predict(batches.batch(3), verbose=0), model.predict(x, verbose=0), rtol=1e-5)
    with pytest.raises(ValueError, match="Expected finite"):
        model.predict(tf.data.Dataset.from_tensors(np.full([2, 2], np.nan)), verbose=0)
    with pytest.raises(ValueError, match="arrays x and y, as calibration looks at all examples at once"):
        evaluation.prediction(model, tf.data.Dataset.from_tensors((x, y)), None)
