"""Directed models against hand-written products, exact posteriors and known likelihoods."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracle import linear_gaussian
from scipy import stats
from sklearn.datasets import load_digits

import tfvae
from tfvae import heads, networks, priors
from tfvae.errors import IncompatibleParts, NonFiniteLoss
from tfvae.models import ConditionalModel, DirectedModel, Given, Variable


def conditional(head, *units):
    return tfvae.Conditional(networks.mlp(*units), head)


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return (x.reshape(-1, 8, 8, 1) > 7).astype("float32"), y


# The density is the product of the factors --------------------------------------------------------------------------


def chain():
    """A class, a vector that depends on it, and a count that depends on the vector."""
    return [
        Variable("y", priors.Learned(heads.OneHotCategorical(3))),
        Variable("h", conditional(heads.DiagonalNormal(2), 4), ["y"]),
        Variable("n", conditional(heads.Poisson(1), 4), ["h"]),
    ]


def fork():
    """Two independent causes of one effect."""
    return [
        Variable("x", conditional(heads.Bernoulli((3, 3, 1)), 5), ["a", "b"]),
        Variable("a", priors.StandardNormal(2)),
        Variable("b", priors.Learned(heads.Bernoulli(1))),
    ]


def diamond():
    """What is given has two effects, which have a common one."""
    return [
        Given("c", (2, 2)),
        Variable("left", conditional(heads.DiagonalNormal(1), 3), ["c"]),
        Variable("right", conditional(heads.DiagonalNormal(2), 3), ["c"]),
        Variable("end", conditional(heads.DiagonalNormal(1), 3), ["right", "c", "left"]),
    ]


def by_hand(name, model, v):
    """The product of the factors, written out with the conditionals' own calls and SciPy's densities."""
    part = {node.name: node.conditional for node in model.graph.scored()}
    if name == "chain":
        weights = np.asarray(part["y"]().probs_parameter())
        h, rate = part["h"](v["y"]), np.asarray(part["n"](v["h"]).mean())
        return (
            np.log(v["y"] @ weights)
            + stats.norm(h.mean(), h.stddev()).logpdf(v["h"]).sum(-1)
            + stats.poisson(rate).logpmf(v["n"]).sum(-1)
        )
    if name == "fork":
        prior, pixels = part["b"]().mean().numpy(), part["x"](np.concatenate([v["a"], v["b"]], -1)).mean().numpy()
        return (
            stats.norm.logpdf(v["a"]).sum(-1)
            + stats.bernoulli(prior).logpmf(v["b"]).sum(-1)
            + stats.bernoulli(pixels).logpmf(v["x"]).sum((1, 2, 3))
        )
    joined = np.concatenate([v["right"], v["c"].reshape(-1, 4), v["left"]], -1)
    inputs = {"left": v["c"], "right": v["c"], "end": joined}
    total = 0.0
    for each, parents in inputs.items():
        p = part[each](parents)
        total = total + stats.norm(p.mean(), p.stddev()).logpdf(v[each]).sum(-1)
    return total


@pytest.mark.parametrize("graph", [chain, fork, diamond])
def test_the_log_density_is_the_sum_of_the_factors(graph, seed):
    keras.utils.set_random_seed(seed)
    model = DirectedModel(graph())
    for weight in model.trainable_variables:
        weight.assign(np.random.normal(size=weight.shape))
    given = {"c": np.random.normal(size=[50, 2, 2])} if graph is diamond else {}
    values = model.sample(50, seed=seed, given=given)
    assert set(values) == set(model.graph.nodes)
    np.testing.assert_allclose(model.log_prob(values), by_hand(graph.__name__, model, values), rtol=2e-5, atol=1e-4)


@pytest.mark.parametrize("graph", [chain, fork, diamond])
def test_every_graph_is_learned_from_its_own_draws(graph, seed):
    model = DirectedModel(graph(), seed=0)
    given = {"c": np.random.default_rng(seed).normal(size=[60, 2, 2])} if graph is diamond else {}
    values = model.sample(60, seed=seed, given=given)
    model.compile(keras.optimizers.Adam(0.01))
    before = np.mean(model.log_prob(values))
    model.fit(values, batch_size=25, epochs=10, verbose=0)
    stream = tf.data.Dataset.from_tensor_slices(values).batch(25)
    after = model.evaluate(stream, return_dict=True, verbose=0)["log_prob"]
    assert after == pytest.approx(np.mean(model.log_prob(values)), rel=1e-4)
    assert after > before


def test_the_same_density_comes_from_tfp(seed):
    """An independent writing of the chain, as TFP's joint distribution."""
    from tensorflow_probability import distributions as tfd

    keras.utils.set_random_seed(seed)
    y, h, n = chain()
    model = DirectedModel([y, h, n])
    joint = tfd.JointDistributionNamed({"y": y.conditional(), "h": h.conditional, "n": lambda h: n.conditional(h)}
                                       | {"h": lambda y: h.conditional(y)})  # fmt: skip
    values = model.sample(20, seed=seed)
    np.testing.assert_allclose(model.log_prob(values), joint.log_prob(values), rtol=1e-5)


def test_draws_follow_the_density(seed):
    """Parents first: means of a linear chain are those of the algebra, within four standard errors."""
    model = DirectedModel([
        Variable("a", priors.StandardNormal(1)),
        Variable("b", conditional(heads.Normal(1, 0.5)), ["a"]),
    ])  # fmt: skip
    model.graph.nodes["b"].conditional.head.projection.linear.set_weights([np.array([[2.0]]), np.array([1.0])])
    drawn = model.sample(20000, seed=seed)
    a, b = drawn["a"][:, 0], drawn["b"][:, 0]
    expected = np.array([[1.0, 2.0], [2.0, 4.25]])
    spread = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / 20000)
    assert np.all(np.abs(np.cov(a, b) - expected) < 4.5 * spread)
    assert abs(b.mean() - 1.0) < 4.5 * np.sqrt(4.25 / 20000)
    again = model.sample(20000, seed=seed)
    np.testing.assert_array_equal(again["b"], drawn["b"])
    held = model.sample(20000, seed=seed, given={"a": np.full(20000, 3.0)})["b"]
    assert stats.kstest(held[:, 0], stats.norm(7.0, 0.5).cdf).pvalue > 1e-4


# Training -----------------------------------------------------------------------------------------------------------


def test_fully_observed_learning_finds_the_frequencies(digits):
    """A class and its pixels: maximum likelihood is counting, and the loss minus the entropy of the counts."""
    x, y = digits
    pixels = tfvae.Conditional(networks.mlp(), heads.Bernoulli((8, 8, 1)))
    model = DirectedModel([
        Variable("y", priors.Learned(heads.OneHotCategorical(10))), Variable("x", pixels, ["y"])
    ], seed=0)  # fmt: skip
    model.compile(keras.optimizers.Adam(0.1), steps_per_execution=20)
    model.fit(tf.data.Dataset.from_tensors({"x": x, "y": y}).repeat(500), verbose=0)
    counts = np.bincount(y)
    np.testing.assert_allclose(model.graph.nodes["y"].conditional().mean(), counts / len(y), atol=2e-3)
    best = (counts / len(y)) @ np.log(counts / len(y))
    for k in range(10):
        p = x[y == k].mean(0)
        best += (
            counts[k] / len(y) * (p * np.log(np.maximum(p, 1e-30)) + (1 - p) * np.log(np.maximum(1 - p, 1e-30))).sum()
        )
    assert best - 0.1 < float(tf.reduce_mean(model.log_prob({"x": x, "y": y}))) <= best + 1e-3


class Steps(keras.callbacks.Callback):
    """What each step of `fit` takes from the weights, which it then gives back: with SGD(1), the gradients."""

    def on_train_begin(self, logs=None):
        self.start, self.taken = [w.numpy() for w in self.model.trainable_variables], []

    def on_train_batch_end(self, batch, logs=None):
        weights = self.model.trainable_variables
        self.taken.append([s - w.numpy() for s, w in zip(self.start, weights, strict=True)])
        for weight, value in zip(weights, self.start, strict=True):
            weight.assign(value)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_steps_of_an_epoch_are_the_gradient_of_the_whole_set(digits, weighted, seed):
    """Their mean, each by its number of examples, so that the gradient of a batch drawn by chance is unbiased."""
    x, y = digits
    model = DirectedModel([
        Variable("y", priors.Learned(heads.OneHotCategorical(10))),
        Variable("x", conditional(heads.Bernoulli((8, 8, 1)), 8), ["y"]),
    ], seed=seed)  # fmt: skip
    weight = np.random.default_rng(seed).uniform(0, 3, len(x)).astype("float32") if weighted else np.ones(len(x))
    weights = model.trainable_variables
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(weight * model.log_prob({"x": x, "y": y}))
    whole = tape.gradient(loss, [w.value for w in weights])
    model.compile(keras.optimizers.SGD(1.0))
    steps, options = Steps(), {"sample_weight": weight} if weighted else {}
    model.fit({"x": x, "y": y}, batch_size=32, verbose=0, callbacks=[steps], **options)
    sizes = [32] * (len(x) // 32) + [len(x) % 32]  # the last batch is small
    assert len(steps.taken) == len(sizes)
    for name, wanted, *seen in zip((w.path for w in weights), whole, *steps.taken, strict=True):
        found = np.average(seen, axis=0, weights=sizes)
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5 * np.abs(wanted).max(), err_msg=name)
        assert np.std([np.linalg.norm(each) for each in seen]) > 0  # batches differ


def test_a_vae_written_as_a_graph_has_the_same_bound(digits, seed):
    x = digits[0][:50]
    vae = tfvae.zoo.vae((8, 8, 1), 3, units=(16,), seed=1)
    graph = DirectedModel([Variable("x", vae.decoder, ["z"]), Variable("z", vae.prior)],
                          [Variable("z", vae.encoder, ["x"])], seed=1)  # fmt: skip
    trace = vae.trace(tf.constant(x), 7, seed)
    np.testing.assert_allclose(graph.elbo({"x": x}, samples=7, seed=seed), trace.elbo, rtol=1e-6)
    scores = graph.score({"x": tf.constant(x)}, 7, seed)
    np.testing.assert_allclose(scores.log_weights, trace.log_weights, rtol=1e-5, atol=1e-4)
    for model, data in ((vae, x), (graph, {"x": x})):  # and a step of training is the same step
        model.compile(keras.optimizers.SGD(1e-3))
        before = [w.numpy() for w in vae.trainable_variables]
        model.fit(data, batch_size=50, shuffle=False, verbose=0)
        change = [w.numpy() - b for w, b in zip(vae.trainable_variables, before, strict=True)]
        for w, b in zip(vae.trainable_variables, before, strict=True):
            w.assign(b)
        if model is vae:
            expected = change
    for got, wanted in zip(change, expected, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_the_bound_is_tight_at_the_true_posterior(seed):
    """Of a linear-Gaussian graph with latent z: elbo = log p(x), whatever is drawn."""
    truth = linear_gaussian(2, 5, orthogonal=True, dtype="float64")
    vae = truth.model
    graph = DirectedModel([Variable("z", vae.prior), Variable("x", vae.decoder, ["z"])],
                          [Variable("z", vae.encoder, ["x"])], dtype="float64")  # fmt: skip
    np.testing.assert_allclose(graph.score({"x": tf.constant(truth.x)}, 3, seed).log_weights,
                               np.tile(truth.log_px, (3, 1)), rtol=1e-6)  # fmt: skip
    z = np.zeros([200, 2])
    both = vae.prior().log_prob(z) + vae.decoder(z).log_prob(truth.x)
    np.testing.assert_allclose(graph.log_prob({"x": truth.x, "z": z}), both)


def test_a_linear_graph_with_one_latent_number_reaches_the_known_likelihood(seed):
    """Probabilistic PCA, whose bound is tight where the likelihood is highest.

    Of the covariance's eigenvalues l, log p = -(D log 2 pi + log l_1 + (D - 1) log s^2 + D) / 2, s^2 the mean of
    l_2, ..., l_D. M. Tipping and C. Bishop, "Probabilistic Principal Component Analysis", 1999, Sec. 3.2.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=[500, 1]) * [1.0, -2.0, 0.5] + [0.3, 0.0, -1.0] + 0.4 * rng.normal(size=[500, 3])
    *rest, first = np.linalg.eigvalsh(np.cov(x.T, bias=True))
    best = -0.5 * (3 * np.log(2 * np.pi) + np.log(first) + 2 * np.log(np.mean(rest)) + 3)
    graph = DirectedModel(
        [
            Variable("z", priors.StandardNormal(1)),
            Variable("x", conditional(heads.Normal(3, heads.SharedScale(1.0))), ["z"]),
        ],
        [Variable("z", conditional(heads.DiagonalNormal(1)), ["x"])],
        seed=0,
    )
    rate = keras.optimizers.schedules.CosineDecay(0.05, 600)
    graph.compile(keras.optimizers.Adam(rate), steps_per_execution=50)
    graph.fit(tf.data.Dataset.from_tensor_slices({"x": x}).batch(500).repeat(600), verbose=0)
    elbo = graph.elbo({"x": x}, samples=400, seed=seed).numpy()
    assert best - 0.02 < elbo.mean() < best + 0.02  # 500 x 400 draws, each off by about a nat


def test_a_chain_of_latent_numbers_is_learned(seed):
    """Each of length one and linear: an axis of length 1 is one of known length."""
    graph = DirectedModel(
        [
            Variable("a", priors.StandardNormal(1)),
            Variable("b", conditional(heads.DiagonalNormal(1)), ["a"]),
            Variable("x", conditional(heads.Normal(1, 0.5)), ["a", "b"]),
        ],
        [Variable("b", conditional(heads.DiagonalNormal(1)), ["x"]),
         Variable("a", conditional(heads.DiagonalNormal(1)), ["b"])],
        seed=0,
    )  # fmt: skip
    graph.compile(keras.optimizers.Adam(0.02))
    x = np.random.default_rng(seed).normal(size=[90, 1])
    before = np.mean(graph.elbo({"x": x}, samples=20))
    graph.fit({"x": x}, batch_size=40, epochs=10, verbose=0)
    assert np.mean(graph.elbo({"x": x}, samples=20)) > before


def test_bits_are_learned_as_roots_and_as_leaves(seed):
    """Of length one: maximum likelihood is the table of frequencies."""
    rng = np.random.default_rng(seed)
    a = (rng.random(400) < 0.3).astype("float32")
    b = (rng.random(400) < np.where(a == 1, 0.8, 0.4)).astype("float32")
    model = DirectedModel([
        Variable("a", priors.Learned(heads.Bernoulli(1))),
        Variable("b", conditional(heads.Bernoulli(1)), ["a"]),
    ], seed=0)  # fmt: skip
    model.compile(keras.optimizers.Adam(0.1), steps_per_execution=20)
    model.fit(tf.data.Dataset.from_tensor_slices({"a": a, "b": b}).batch(400).repeat(300), verbose=0)
    assert float(model.graph.nodes["a"].conditional().mean()[0]) == pytest.approx(a.mean(), abs=2e-3)
    of_b = model.graph.nodes["b"].conditional(np.array([[0.0], [1.0]], "float32")).mean()[:, 0]
    np.testing.assert_allclose(of_b, [b[a == k].mean() for k in (0, 1)], atol=2e-3)


def test_two_latent_layers_are_drawn_in_order(seed):
    """z2 depends on z1: of one draw each, the mean over many is the bound of SciPy's own draws."""
    top, low = conditional(heads.DiagonalNormal(2), 4), conditional(heads.DiagonalNormal(1), 4)
    model = DirectedModel(
        [
            Variable("z2", priors.StandardNormal(1)),
            Variable("z1", conditional(heads.DiagonalNormal(2), 4), ["z2"]),
            Variable("x", conditional(heads.DiagonalNormal(3), 4), ["z1"]),
        ],
        [Variable("z2", low, ["z1"]), Variable("z1", top, ["x"])],
    )
    assert list(model.recognition.nodes) == ["z1", "z2"]
    assert model.recognition.exact == {"z1", "z2"}
    for weight in model.trainable_variables:
        weight.assign(0.3 * weight)  # densities without long tails
    x = np.random.default_rng(seed).normal(size=[4, 3]).astype("float32")
    rng, parts = np.random.default_rng(seed + 1), {n.name: n.conditional for n in model.graph.scored()}
    q1, n = top(x), 20000
    z1 = (q1.mean() + q1.stddev() * rng.normal(size=[n, 4, 2])).numpy().astype("float32")
    q2 = low(z1)
    z2 = (q2.mean() + q2.stddev() * rng.normal(size=[n, 4, 1])).numpy().astype("float32")
    score = lambda p, v: stats.norm(p.mean(), p.stddev()).logpdf(v).sum(-1)  # noqa: E731
    w = (
        score(parts["x"](z1), x)
        + score(parts["z1"](z2), z1)
        + stats.norm.logpdf(z2).sum(-1)
        - score(q1, z1)
        - score(q2, z2)
    )
    error = w.std(0) / np.sqrt(n)
    scores = model.score({"x": tf.constant(x)}, n, seed)
    assert scores.values["z2"].shape == (n, 4, 1)
    own = scores.log_weights.numpy()
    assert np.all(np.abs(own.mean(0) - w.mean(0)) < 6 * error)
    assert np.all(np.abs(scores.elbo - w.mean(0)) < 6 * error)  # the divergences in closed form


def test_a_variable_that_is_given_is_observed_and_one_that_is_not_is_latent(digits):
    x, _ = digits
    vae = tfvae.zoo.vae((8, 8, 1), 2, units=(8,), seed=0)
    graph = DirectedModel([Variable("z", vae.prior), Variable("x", vae.decoder, ["z"])],
                          [Variable("z", vae.encoder, ["x"])], seed=0)  # fmt: skip
    graph.compile(keras.optimizers.Adam(1e-2))
    logs = graph.evaluate({"x": x}, return_dict=True, verbose=0)
    assert set(logs) == {"loss", "elbo", "log_prob_x", "rate_z"}
    assert logs["elbo"] == pytest.approx(logs["log_prob_x"] - logs["rate_z"], rel=1e-5)
    seen = graph.evaluate({"x": x, "z": np.zeros([len(x), 2])}, return_dict=True, verbose=0)
    assert set(seen) == {"loss", "elbo", "log_prob_x", "log_prob_z"}
    assert seen["log_prob_z"] == pytest.approx(-np.log(2 * np.pi), rel=1e-5)
    before = logs["loss"]
    history = graph.fit({"x": x}, epochs=3, verbose=0, validation_data={"x": x[:100]}).history
    assert history["loss"][-1] < before
    assert "val_elbo" in history


def test_streams_weights_and_files(digits, tmp_path):
    x, y = digits
    graph = DirectedModel([
        Variable("y", priors.Learned(heads.OneHotCategorical(10))),
        Variable("x", conditional(heads.Bernoulli((8, 8, 1)), 8), ["y"]),
    ], seed=0)  # fmt: skip
    graph.compile(keras.optimizers.Adam(1e-2))
    stream = tf.data.Dataset.from_tensor_slices({"x": x, "y": y}).batch(300)
    graph.fit(stream, epochs=2, verbose=0, validation_data=stream)
    loss = graph.evaluate(stream, return_dict=True, verbose=0)["loss"]
    assert loss == pytest.approx(-np.mean(graph.log_prob({"x": x, "y": y})), rel=1e-5)
    weight = (y == 3).astype("float32")
    weighted = graph.evaluate({"x": x, "y": y}, sample_weight=weight, return_dict=True, verbose=0)
    own = graph.log_prob({"x": x[y == 3], "y": y[y == 3]})
    assert weighted["log_prob"] == pytest.approx(np.mean(own), rel=1e-5)
    graph.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.log_prob({"x": x, "y": y}), graph.log_prob({"x": x, "y": y}))
    assert int(loaded.optimizer.iterations) == int(graph.optimizer.iterations) == 12
    assert loaded.describe() == graph.describe()


def test_a_latent_graph_survives_its_file(digits, tmp_path):
    vae = tfvae.zoo.vae((8, 8, 1), 2, units=(8,), seed=0)
    px, qz = conditional(heads.Bernoulli((8, 8, 1)), 4), conditional(heads.DiagonalNormal(2), 4)
    graph = DirectedModel([Given("c", 1), Variable("z", vae.prior), Variable("x", px, ["z", "c"])],
                          [Variable("z", qz, ["x", "c"])], samples=2, seed=0)  # fmt: skip
    graph.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    data = {"x": digits[0][:9], "c": np.arange(9.0)}
    np.testing.assert_array_equal(loaded.elbo(data, 2, seed=3), graph.elbo(data, 2, seed=3))
    assert loaded.samples == 2
    np.testing.assert_array_equal(graph.predict(data, verbose=0), graph.elbo(data))


def test_an_optimal_scale_is_learned_in_a_graph(seed):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=[500, 1])
    b = 3.0 * a + 0.3 * rng.normal(size=[500, 1])
    model = DirectedModel([
        Variable("a", priors.StandardNormal(1)),
        Variable("b", conditional(heads.Normal(1, heads.OptimalScale(1.0))), ["a"]),
    ], seed=0)  # fmt: skip
    model.compile(keras.optimizers.Adam(0.1), steps_per_execution=20)
    model.fit(tf.data.Dataset.from_tensors({"a": a, "b": b}).repeat(300), verbose=0)
    fit = stats.linregress(a[:, 0], b[:, 0])
    residual = np.std(b[:, 0] - fit.slope * a[:, 0] - fit.intercept)
    assert float(model.graph.nodes["b"].conditional.head.scale.value()) == pytest.approx(residual, rel=1e-2)


# Looking ------------------------------------------------------------------------------------------------------------


def test_the_structure_prints_and_draws(capsys):
    model = DirectedModel(diamond())
    assert str(model.graph) in (
        "p(left | c) p(right | c) p(end | right, c, left)", "p(right | c) p(left | c) p(end | right, c, left)",
    )  # fmt: skip
    model.summary()
    said = capsys.readouterr().out
    assert str(model.graph) in said
    assert "end [1]: MultivariateNormalDiag given right, c, left" in said
    axis = model.draw().axes[0]
    assert {text.get_text() for text in axis.texts} == {"c", "left", "right", "end"}
    assert len(axis.patches) == 5  # arrows
    assert axis.get_title() == str(model.graph)


# What is refused ----------------------------------------------------------------------------------------------------

A = Variable("a", priors.StandardNormal(1))


def b(*parents, head=None):
    return Variable("b", conditional(head or heads.DiagonalNormal(1)), list(parents))


LINE = heads.DiagonalNormal
CONVOLVES = tfvae.Conditional(keras.Sequential([keras.layers.Conv2D(1, 2)]), LINE(1))
BIT = Variable("a", priors.Learned(heads.Bernoulli(1)))
ILLEGAL = {
    "cycle": ([Variable("a", conditional(LINE(1)), ["b"]), b("a")], [], "without cycles.*cycle, (a|b) -> "),
    "unknown parent": ([A, b("A")], [], r"of 'b' to be variables of the graph: a, b\. Received: p\(b \| A\)"),
    "twice": ([A, A], [], "every variable once. Received: 'a' twice"),
    "root without prior": ([Variable("a", conditional(LINE(1)))], [], r"Expected p\(a\) to be a prior, such as"),
    "child with prior": ([A, Variable("b", priors.StandardNormal(1), ["a"])], [], r"p\(b \| a\) to be a tfvae.Condit"),
    "a tensor": ([A, Variable("b", keras.layers.Dense(2), ["a"])], [], "conditional of 'b' to return a tfd.Distr"),
    "a name": ([Variable("a b", priors.StandardNormal(1))], [], "Expected a name such as 'x'"),
    "no variables": ("a", [], "Expected a list of models.Variable"),
    "not a list": (A, [], "Expected a list of models.Variable"),
    "recognition not a list": ([A, b("a")], Variable("a", conditional(LINE(1)), ["b"]), "a list of models.Variable"),
    "parents in a string": ([A, Variable("b", conditional(LINE(1)), "a")], [], r"a list of names.*parents='a' of 'b'"),
    "no list of parents": ([A, Variable("b", conditional(LINE(1)), None)], [], r"a list of names.*parents=None"),
    "only given": ([Given("c", 1)], [], "Expected a variable with a distribution"),
    "does not fit": ([A, Variable("b", CONVOLVES, ["a"])], [], r"to accept parents of the shapes \{'a': \[1\]\}"),
    "recognition of nobody": ([A, b("a")], [Variable("z", conditional(LINE(1)), ["b"])], "Received: 'z'"),
    "recognition of another length": ([A, b("a")], [Variable("a", conditional(LINE(2)), ["b"])],
                                      "q and p of 'a' over the same values"),
    "discrete recognition": ([BIT, b("a")], [Variable("a", conditional(heads.Bernoulli(1)), ["b"])],
                             "Expected a reparameterised posterior of 'a'"),
}  # fmt: skip


@pytest.mark.parametrize("name", ILLEGAL)
def test_illegal_graphs_are_refused(name):
    variables, recognition, message = ILLEGAL[name]
    with pytest.raises(IncompatibleParts, match=message):
        DirectedModel(variables, recognition)


def test_bad_values_are_refused():
    model = DirectedModel([A, b("a")], seed=0)
    with pytest.raises(ValueError, match=r"given= to be a dictionary.*given=\[1, 2\]"):
        model.sample(2, given=[1, 2])
    with pytest.raises(ValueError, match="Expected finite"):
        model.log_prob({"a": np.zeros([2, 1]), "b": np.ma.masked_array(np.zeros([2, 1]), [[0], [1]])})
    model.compile(keras.optimizers.Adam(1e-2))
    one = np.zeros([4, 1])
    for data, message in (
        ({"a": one}, "values of a, b. To learn 'b' as a latent variable, give its recognition. Received: values of a"),
        ({"a": one, "b": one, "c": one}, "Received: values of a, b, c"),
        ({"a": one, "b": one[:3]}, "as many values of each variable. Received: 4 of a, 3 of b"),
        ({"a": one, "b": np.full([4, 1], np.nan)}, "Expected finite float32 numbers.*as values of 'b'"),
        ({"a": one, "b": np.zeros([4, 2])}, r"Expected b of shape \[B, 1\].*as values of 'b'"),
        (one, "Expected a dictionary of values by the names of the variables, a, b"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            model.fit(data, verbose=0)
    with pytest.raises(ValueError, match="Received: y beside it"):
        model.fit({"a": one, "b": one}, one)
    with pytest.raises(ValueError, match="Expected finite float32 numbers"):
        model.fit(tf.data.Dataset.from_tensor_slices({"a": one, "b": np.full([4, 1], np.inf)}).batch(2), verbose=0)
    with pytest.raises(ValueError, match="Expected batches of dictionaries"):
        model.fit(tf.data.Dataset.from_tensor_slices(one).batch(2), verbose=0)
    with pytest.raises(ValueError, match="BackupAndRestore"):
        model.fit({"a": one, "b": one}, callbacks=[tfvae.callbacks.Checkpoint("c.keras")])
    with pytest.raises(ValueError, match=r"log-density is that of all together.*none of b"):
        model.log_prob({"a": one})
    given = DirectedModel([Given("c", 1), Variable("b", conditional(heads.DiagonalNormal(1)), ["c"])])
    for options in ({}, {"given": {"c": one[:2]}}, {"given": {"c": one, "q": one}}):
        with pytest.raises(ValueError, match="Expected given= to hold"):
            given.sample(4, **options)
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    with pytest.raises(ValueError, match=r"compile\(optimizer\) without loss and metrics.*log_prob_b are reported"):
        model.fit({"a": one, "b": one})


def test_a_loss_that_is_not_finite_stops_and_changes_nothing():
    model = DirectedModel([A, Variable("b", conditional(heads.Normal(1, 0.1)), ["a"])], seed=0)
    model.compile(keras.optimizers.SGD(1e-2))
    before = [w.numpy() for w in model.trainable_variables]
    huge = np.full([4, 1], 3e38)
    with pytest.raises(NonFiniteLoss, match=r"Expected a finite loss.*in epoch 1, .*log_prob_b"):
        model.fit({"a": np.zeros([4, 1]), "b": huge}, verbose=0)
    for weight, value in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_conditional_model_is_a_graph_of_two(digits):
    x, y = digits
    py = conditional(heads.OneHotCategorical(10), 8)
    pair, graph = ConditionalModel(py, (8, 8, 1)), DirectedModel([Given("x", (8, 8, 1)), Variable("y", py, ["x"])])
    np.testing.assert_allclose(pair.log_prob(x, y), graph.log_prob({"x": x, "y": y}), rtol=1e-6)
