"""Learning with labels that are partly missing, and classification by a generative model, against exact answers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracle import linear_gaussian
from scipy import stats
from scipy.special import log_softmax, logsumexp
from sklearn.mixture import GaussianMixture
from tensorflow_probability import distributions as tfd

import tfvae
from tfvae import evaluation, heads, networks, priors
from tfvae.errors import IncompatibleParts
from tfvae.models import DirectedModel, Given, SemiSupervised, Variable


def conditional(head, *units):
    return tfvae.Conditional(networks.mlp(*units), head)


def classifier(name="y", classes=3, parents=("x",)):
    return Variable(name, conditional(heads.OneHotCategorical(classes), 8), parents)


def mixture(size=2, classes=3):
    """p(y) p(x | y): its p(y | x) is known."""
    return DirectedModel([
        Variable("y", priors.Learned(heads.OneHotCategorical(classes))),
        Variable("x", conditional(heads.DiagonalNormal(size)), ["y"]),
    ])  # fmt: skip


def with_style(head=None, samples=1, classes=3):
    """p(y) p(z) p(x | y, z) and q(z | x, y)."""
    return DirectedModel(
        [
            Variable("y", priors.Learned(heads.OneHotCategorical(classes))),
            Variable("z", priors.StandardNormal(2)),
            Variable("x", conditional(head or heads.Normal(2), 8), ["y", "z"]),
        ],
        [Variable("z", conditional(heads.DiagonalNormal(2), 8), ["x", "y"])],
        samples=samples,
    )


@pytest.fixture
def x(seed):
    return np.random.default_rng(seed).normal(size=[12, 2]).astype("float32")


Y = np.array([0, -1, 2, -1, -1, 1, -1, 2, 0, -1, -1, -1])


# The bound -----------------------------------------------------------------------------------------------------------


def test_the_bound_is_the_sum_over_the_classes_written_out(x, seed):
    pair = with_style(samples=2)
    model = SemiSupervised(pair, classifier(), alpha=3.0)
    each = np.stack([pair.elbo({"x": x, "y": np.full(12, c)}, samples=2, seed=seed) for c in range(3)], -1)
    q = model.predict({"x": x}, verbose=0)
    expected = np.where(Y >= 0, each[np.arange(12), Y], np.sum(q * (each - np.log(q)), -1))
    np.testing.assert_allclose(model.elbo({"x": x, "y": Y}, seed=seed), expected, rtol=1e-5)
    model.compile()
    found = model.evaluate({"x": x, "y": Y}, batch_size=12, verbose=0, return_dict=True)
    known = np.flatnonzero(Y >= 0)
    extra = 3.0 * np.log(q[known, Y[known]]).sum() / 12
    assert found["loss"] == pytest.approx(-found["elbo"] - extra, rel=1e-5)
    assert found["accuracy"] == pytest.approx(np.mean(q[known].argmax(-1) == Y[known]))


def test_the_bound_is_the_evidence_less_the_divergence_from_the_true_posterior(x):
    """Of p(y) p(x | y): elbo = log p(x) - KL(q(y | x) || p(y | x)), and nothing else."""
    pair = mixture()
    model = SemiSupervised(pair, classifier())
    truth = evaluation.exact.enumerate_latents(pair, {"x": x})
    q, p = model.predict({"x": x}, verbose=0), np.exp(truth.log_posterior.T)
    expected = truth.per_example - stats.entropy(q, p, axis=1)
    np.testing.assert_allclose(model.elbo({"x": x}), expected, rtol=1e-5)
    np.testing.assert_allclose(model.elbo({"x": x, "y": np.zeros(12)}), pair.log_prob({"x": x, "y": np.zeros(12)}))


def test_copies_with_smaller_weights_leave_the_objective(x):
    model = SemiSupervised(mixture(), classifier(), alpha=2.0)
    model.compile()
    rows = np.concatenate([np.flatnonzero(Y < 0), np.repeat(np.flatnonzero(Y >= 0), 4)])
    weight = np.where(Y[rows] >= 0, 0.25, 1.0)
    once = model.evaluate({"x": x, "y": Y}, batch_size=64, verbose=0, return_dict=True)
    often = model.evaluate(
        {"x": x[rows], "y": Y[rows]}, sample_weight=weight, batch_size=64, verbose=0, return_dict=True
    )
    assert once["loss"] * 12 == pytest.approx(often["loss"] * len(rows), rel=1e-5)
    assert once["elbo"] == pytest.approx(often["elbo"], rel=1e-5)


# Learning ------------------------------------------------------------------------------------------------------------


def groups(n, seed):
    """Three normal groups in the plane."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n)
    centres = np.array([[-3.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    return (centres[y] + rng.normal(size=[n, 2]) * [1.0, 1.5]).astype("float32"), y


def test_unlabelled_examples_teach_the_classes(seed):
    """With one label a class: likelihood near that of a mixture of three, error near that of the truth."""
    x, y = groups(900, seed)
    labels = np.full(900, -1)
    for c in range(3):
        labels[np.flatnonzero(y == c)[0]] = c
    keras.utils.set_random_seed(seed)
    model = SemiSupervised(mixture(), Variable("y", conditional(heads.OneHotCategorical(3), 32), ["x"]), alpha=300.0)
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit({"x": x, "y": labels}, batch_size=150, epochs=100, verbose=0)
    x_test, y_test = groups(3000, seed + 1)
    best = GaussianMixture(3, covariance_type="diag", random_state=0, n_init=5).fit(x).score(x_test)
    found = evaluation.class_posterior(model.model, {"x": x_test}, "y")
    assert found.log_evidence.mean() > best - 0.05
    bayes = np.mean(groups_posterior(x_test).argmax(-1) != y_test)
    assert 1 - found.accuracy(y_test)[0] < bayes + 0.01
    assert np.mean(model.predict({"x": x_test}, verbose=0).argmax(-1) != y_test) < bayes + 0.02


def groups_posterior(x):
    centres = np.array([[-3.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    return np.exp(log_softmax([stats.norm(c, [1.0, 1.5]).logpdf(x).sum(-1) for c in centres], 0)).T


# Classification by the generative model ------------------------------------------------------------------------------


def test_without_latent_variables_it_is_bayes_rule(x):
    pair = mixture()
    with pytest.raises(ValueError, match="Expected label to name a class"):
        evaluation.class_posterior(pair, {"x": x}, ["y"])
    found = evaluation.class_posterior(pair, {"x": x}, "y")
    truth = evaluation.exact.enumerate_latents(pair, {"x": x})
    np.testing.assert_allclose(found.probabilities.T, np.exp(truth.log_posterior), rtol=1e-5)
    np.testing.assert_allclose(found.log_evidence, truth.per_example, rtol=1e-6)
    mean, error = found.accuracy(found.log_joint.argmax(-1))
    assert (mean, error) == (1.0, 0.0)


def test_with_latent_variables_it_is_that_of_the_closed_form(seed):
    """X = W z + b + noise for one class, a normal far from it for another: p(x, y) is known for both."""
    truth = linear_gaussian(2, 4, widen=1.3, n=150)
    split = Moved(truth.model.decoder)
    pair = DirectedModel(
        [Variable("y", priors.Learned(heads.OneHotCategorical(2))), Variable("z", priors.StandardNormal(2)),
         Variable("x", split, ["y", "z"])],
        [Variable("z", Recentred(truth.model.encoder), ["x", "y"])],
    )  # fmt: skip
    found = evaluation.class_posterior(pair, {"x": truth.x}, "y", samples=3000, seed=seed)
    covariance = truth.w @ truth.w.T + truth.sigma**2 * np.eye(4)
    log_p = np.stack([truth.log_px, stats.multivariate_normal(truth.b + 1.0, covariance).logpdf(truth.x)], -1)
    expected = np.exp(log_p - logsumexp(log_p, -1, keepdims=True))
    assert 0.1 < expected[:, 1].std()  # neither always sure nor never
    np.testing.assert_allclose(found.probabilities, expected, atol=0.05)
    np.testing.assert_allclose(found.log_evidence, logsumexp(log_p, -1) - np.log(2), atol=0.1)


@keras.saving.register_keras_serializable(package="test")
class Moved(keras.layers.Layer):
    """p(x | y, z): of the second class the first one's, moved by one."""

    def __init__(self, decoder, **kwargs):
        super().__init__(**kwargs)
        self.decoder = decoder

    def call(self, joined, training=False):
        p, moved = self.decoder(joined[..., 2:], training=training), joined[..., 1:2]
        return tfd.MultivariateNormalDiag(p.mean() + moved, p.stddev())


@keras.saving.register_keras_serializable(package="test")
class Recentred(keras.layers.Layer):
    """q(z | x, y) by an encoder of x less 1 for the second class."""

    def __init__(self, encoder, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder

    def call(self, joined, training=False):
        return self.encoder(joined[..., :-2] - joined[..., -1:], training=training)


# Values, files, errors -----------------------------------------------------------------------------------------------


def test_a_missing_label_is_written_in_any_usual_way(x):
    model = SemiSupervised(mixture(), classifier())
    model.compile()
    expected = model.elbo({"x": x, "y": Y})
    onehot = np.where(Y[:, None] >= 0, np.eye(3)[Y], np.nan)
    for label in (Y.astype("int64"), Y.astype("float32"), np.where(Y < 0, np.nan, Y), onehot):
        np.testing.assert_array_equal(model.elbo({"x": x, "y": label}), expected)
        stream = tf.data.Dataset.from_tensor_slices({"x": x, "y": label}).batch(5)
        assert model.evaluate(stream, verbose=0, return_dict=True)["elbo"] == pytest.approx(expected.numpy().mean())
    none = model.elbo({"x": x})
    np.testing.assert_array_equal(none, model.elbo({"x": x, "y": np.full(12, -1)}))
    stream = tf.data.Dataset.from_tensor_slices({"x": x}).batch(5)
    found = model.evaluate(stream, verbose=0, return_dict=True)
    assert found["elbo"] == pytest.approx(none.numpy().mean(), rel=1e-5)
    assert np.isnan(found["accuracy"])  # of no example it is unknown


def test_double_precision_is_kept(x):
    px = tfvae.Conditional(networks.mlp(), heads.DiagonalNormal(2, dtype="float64"), dtype="float64")
    py = priors.Learned(heads.OneHotCategorical(3, dtype="float64"), dtype="float64")
    pair = DirectedModel([Variable("y", py), Variable("x", px, ["y"])], dtype="float64")
    q = tfvae.Conditional(networks.mlp(), heads.OneHotCategorical(3, dtype="float64"), dtype="float64")
    model = SemiSupervised(pair, Variable("y", q, ["x"]), dtype="float64")
    for each, values in ((pair, {"x": x, "y": np.maximum(Y, 0)}), (model, {"x": x, "y": Y})):
        each.compile(keras.optimizers.Adam(1e-2))
        assert np.isfinite(each.fit(values, verbose=0).history["loss"]).all()
    assert model.elbo({"x": x, "y": Y}).dtype == tf.float64


def test_it_survives_its_file_and_prints(x, tmp_path):
    model = SemiSupervised(with_style(), classifier(), alpha=2.0, seed=3)
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit({"x": x, "y": Y}, validation_data={"x": x, "y": Y}, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.elbo({"x": x, "y": Y}), model.elbo({"x": x, "y": Y}))
    for each in (model, loaded):
        each.fit({"x": x, "y": Y}, shuffle=False, verbose=0)
    np.testing.assert_allclose(loaded.predict({"x": x}, verbose=0), model.predict({"x": x}, verbose=0), atol=1e-6)
    assert "q(y | x): OneHotCategorical where it is missing, alpha = 2" in loaded.describe()


PARTS = {
    "model": (r"DirectedModel.*Received: model=3", lambda: SemiSupervised(3, classifier())),
    "classifier": (r"models\.Variable with the name.*Received: classifier=3", lambda: SemiSupervised(mixture(), 3)),
    "name": (r"one of x, y, and.* Received: .*'c'", lambda: SemiSupervised(mixture(), classifier("c"))),
    "no-class": (r"'x' to be a class", lambda: SemiSupervised(
        mixture(), Variable("x", conditional(heads.DiagonalNormal(2)), ["y"]))),
    "classes": (r"'y' to be a class.*\[3\] and OneHotCategorical \[4\]", lambda: SemiSupervised(
        mixture(), classifier(classes=4))),
    "parents": (r"parents of 'y' to be variables", lambda: SemiSupervised(mixture(), classifier(parents=("z",)))),
    "latent": (r"one of x, y, and.* Received: .*'z'", lambda: SemiSupervised(with_style(), classifier("z"))),
    "orphan": (r"with parents\. Received", lambda: SemiSupervised(
        mixture(), Variable("y", priors.Learned(heads.OneHotCategorical(3))))),
    "scale": (r"learned by gradient.*OptimalScale in p\(x", lambda: SemiSupervised(
        with_style(heads.Normal(2, heads.OptimalScale())), classifier())),
    "given": (r"'y' to be a class", lambda: SemiSupervised(DirectedModel(
        [Given("y", 3), Variable("x", conditional(heads.DiagonalNormal(2)), ["y"])]), classifier())),
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_parts_that_do_not_fit_are_refused(name):
    message, make = PARTS[name]
    with pytest.raises(IncompatibleParts, match=f"(?s){message}"):
        make()


def test_bad_values_are_refused(x):
    model = SemiSupervised(mixture(), classifier())
    model.compile()
    for values, message in (
        ({"x": x, "y": np.full(12, 3)}, "numbers of 3 classes.*12 of 12 that are none"),
        ({"x": x, "y": np.full(12, -2)}, "numbers of 3 classes"),
        ({"x": x, "y": np.full([12, 3], 0.5)}, "'y'"),
        ({"x": x, "y": np.eye(4)[:3].repeat(4, 0)}, "'y'"),
        ({"x": x, "y": Y[:5]}, "as many values of each variable.*12 of x, 5 of y"),
        ({"x": x, "y": np.array(["a"] * 12)}, "'y'"),
        ({"y": Y}, "Expected values of x; optional: y"),
        ({"x": x, "q": Y}, "Expected values of x; optional: y"),
        ({"x": np.full([12, 2], np.nan), "y": Y}, "finite.*nan.*'x'"),
        (x, "dictionary"),
    ):
        with pytest.raises(ValueError, match=f"(?s){message}"):
            model.fit(values, verbose=0)
    with pytest.raises(ValueError, match="one dictionary"):
        model.fit({"x": x}, Y, verbose=0)
    with pytest.raises(ValueError, match="alpha"):
        SemiSupervised(mixture(), classifier(), alpha=-1.0)
    with pytest.raises(ValueError, match=r"(?s)class without recognition, one of y. Received: label='x'"):
        evaluation.class_posterior(mixture(), {"x": x}, "x")
    with pytest.raises(TypeError, match="DirectedModel"):
        evaluation.class_posterior(model, {"x": x}, "y")
    with pytest.raises(ValueError, match=r"(?s)number of a class, 0 to 2, for each of 12 examples.*5"):
        evaluation.class_posterior(mixture(), {"x": x}, "y").accuracy(Y[:5])
    with pytest.raises(ValueError, match=r"(?s)0 to 2.*-1"):
        evaluation.class_posterior(mixture(), {"x": x}, "y").accuracy(Y)
    for wrong in (x, {"y": Y}):
        with pytest.raises(ValueError, match="dictionary of values by name"):
            evaluation.class_posterior(mixture(), wrong, "y")
    with pytest.raises(ValueError, match="'y'"):
        model.elbo({"x": x, "y": np.zeros([12, 0])})
    for label, message in (
        (np.zeros([12, 4]), "as values of 'y'"), (np.array(["a"] * 12), "as values of 'y'"),
        (np.full(12, 1.7), "numbers of the classes"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            model.fit(tf.data.Dataset.from_tensor_slices({"x": x, "y": label}).batch(5), verbose=0)
    with pytest.raises(ValueError, match=r"(?s)labels of 'y' too.*beside them"):
        model.fit(tf.data.Dataset.from_tensor_slices(({"x": x}, Y)).batch(5), verbose=0)
    stream = tf.data.Dataset.from_tensor_slices({"x": x, "y": np.full(12, 7)}).batch(5)
    with pytest.raises(ValueError, match="numbers of the classes"):
        model.fit(stream, verbose=0)
