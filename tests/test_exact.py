"""The exact evidence against SciPy, and log p(x) = ELBO + KL(q || p(z | x)) to rounding."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracle import linear_gaussian
from scipy import stats
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm
from sklearn.mixture import GaussianMixture
from tensorflow_probability import distributions as tfd

import tfvae
from tfvae import evaluation, heads, networks, priors
from tfvae.evaluation import exact
from tfvae.models import ConditionalModel, DirectedModel, Given, Variable


@pytest.fixture(scope="module")
def binary():
    """A model of binary images with two latent dimensions and smooth networks, trained for a moment."""
    splits = tfvae.data.load("digits", batch_size=100, binarization=tfvae.data.StaticBinarization(seed=0))
    encoder = tfvae.Encoder(networks.mlp(24, activation="tanh"), heads.DiagonalNormal(2))
    decoder = tfvae.Decoder(networks.mlp(24, activation="tanh"), heads.Bernoulli(splits.shape))
    keras.utils.set_random_seed(0)
    model = tfvae.VAE(encoder, decoder, priors.StandardNormal(2), seed=0)
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(splits.train, epochs=5, verbose=0)
    return model, splits.array("test")[:40]


# Closed forms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_linear_gaussian_evidence_is_scipys(dtype):
    truth = linear_gaussian(2, 5, widen=1.4, shift=0.3, dtype=dtype)
    found = exact.linear_gaussian(truth.model, truth.x)
    np.testing.assert_allclose(found.per_example, truth.log_px, rtol=1e-5 if dtype == "float32" else 1e-9)
    assert found.numerical_error == 0.0
    assert str(found).endswith("closed form, n = 200")
    assert not found.warnings


def test_the_evidence_is_the_bound_and_the_divergence():
    """The three terms are computed apart: E_q[log p(x | z)] of a quadratic in closed form, the rate, the divergence."""
    truth = linear_gaussian(2, 5, widen=1.4, shift=0.3, dtype="float64")
    found, model = exact.linear_gaussian(truth.model, truth.x), truth.model
    q = model.encoder(tf.constant(truth.x))
    mean, variance = q.mean().numpy(), q.variance().numpy()
    off = truth.x - mean @ truth.w.T - truth.b
    noise = (off**2).sum(-1) + variance @ (truth.w**2).sum(0)
    expected = -0.5 * noise / truth.sigma**2 - 5 * np.log(truth.sigma * np.sqrt(2 * np.pi))
    elbo = expected - 0.5 * (variance + mean**2 - 1 - np.log(variance)).sum(-1)
    np.testing.assert_allclose(found.per_example, elbo + found.divergence, rtol=1e-9)
    precision = np.eye(2) + truth.w.T @ truth.w / truth.sigma**2
    apart = mean - (truth.x - truth.b) @ truth.w @ np.linalg.inv(precision) / truth.sigma**2
    spread = variance @ np.diag(precision) + np.einsum("nd,de,ne->n", apart, precision, apart)
    divergence = 0.5 * (spread - 2 - np.log(variance).sum(-1) - np.linalg.slogdet(precision)[1])
    np.testing.assert_allclose(found.divergence, divergence, rtol=1e-9)


@pytest.mark.parametrize("latent", [1, 2])
def test_quadrature_is_the_closed_form(latent):
    truth = linear_gaussian(latent, 4, widen=1.3, shift=0.2, dtype="float64", n=30)
    closed, found = exact.linear_gaussian(truth.model, truth.x), exact.quadrature(truth.model, truth.x, tolerance=1e-8)
    np.testing.assert_allclose(found.per_example, closed.per_example, atol=1e-8)
    np.testing.assert_allclose(found.divergence, closed.divergence, atol=1e-8)
    assert found.numerical_error < 1e-8
    wide = exact.quadrature(truth.model, truth.x, bounds=[(-12.0, 12.0)] * latent, tolerance=1e-8)
    np.testing.assert_allclose(wide.per_example, closed.per_example, atol=1e-8)


def incomplete(mechanism):
    """A linear model of three values of which any may be missing, and the weights and bias of its decoder."""
    encoder = tfvae.Encoder(keras.Sequential([networks.FillMissing(), *networks.mlp().layers]), heads.DiagonalNormal(1))
    head = heads.Incomplete(heads.Normal(3, 0.5), mechanism)
    model = tfvae.VAE(encoder, tfvae.Decoder(networks.mlp(), head), priors.StandardNormal(1), seed=0)
    w, b = np.array([[1.2, -0.8, 0.4]]), np.array([0.3, -0.1, 0.2])
    head.projection.linear.set_weights([w, b])
    encoder.head.projection.linear.set_weights([np.full([6, 2], 0.05), np.zeros(2)])
    return model, w[0], b


X = np.random.default_rng(0).normal(size=[4, 3]).astype("float32")
GAPS = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 1], [1, 1, 1]], bool)


def test_values_missing_at_random_are_left_out_of_the_closed_form():
    model, w, b = incomplete(heads.AtRandom())
    x = np.where(GAPS, np.nan, X)
    found, grid = exact.linear_gaussian(model, x), exact.quadrature(model, x, tolerance=1e-5)
    covariance = np.outer(w, w) + 0.25 * np.eye(3)
    truth = [
        multivariate_normal(b[~gap], covariance[np.ix_(~gap, ~gap)]).logpdf(row[~gap])
        for gap, row in zip(GAPS[:3], X, strict=False)
    ]
    np.testing.assert_allclose(found.per_example, [*truth, 0.0], atol=1e-6)
    np.testing.assert_allclose(found.divergence, grid.divergence, atol=1e-4)
    np.testing.assert_allclose(exact.linear_gaussian(model, X).per_example[[0]], truth[:1], atol=1e-6)


def test_a_mask_says_what_is_missing():
    """Whatever lies under it; and where nothing may be missing, a mask is refused."""
    model, _, _ = incomplete(heads.AtRandom())
    masked = np.ma.masked_array(np.where(GAPS, 1e6, X), GAPS)
    for measure in (exact.linear_gaussian, exact.quadrature):
        plain = measure(model, np.where(GAPS, np.nan, X))
        np.testing.assert_array_equal(measure(model, masked).per_example, plain.per_example)
    whole = linear_gaussian(1, 3)
    with pytest.raises(ValueError, match="Received: 6 of 12 values outside"):
        exact.linear_gaussian(whole.model, masked)


@pytest.mark.parametrize("x", [X, np.where(GAPS, np.nan, X)], ids=["complete", "gaps"])
def test_a_mechanism_that_looks_at_the_values_has_no_closed_form(x):
    with pytest.raises(ValueError, match=r"missing at random.*use exact\.quadrature"):
        exact.linear_gaussian(incomplete(heads.SelfMasking())[0], x)


# Where a grid goes wrong --------------------------------------------------------------------------------------------


def test_a_grid_beside_the_posterior_says_so():
    truth = linear_gaussian(1, 4, widen=1.3, shift=0.2, n=30)
    closed = exact.linear_gaussian(truth.model, truth.x)
    beside = exact.quadrature(truth.model, truth.x, bounds=[(5.0, 6.0)])
    assert np.abs(beside.per_example - closed.per_example).max() > 10
    assert "misses up to 1e+02 % of a posterior" in beside.warnings[0] and beside.outside == 1.0
    assert beside.as_json()["outside"] == 1.0
    for bounds in ((), [(-6.0, 6.0)], np.array([[-12.0, 12.0]])):
        good = exact.quadrature(truth.model, truth.x, bounds)
        np.testing.assert_allclose(good.per_example, closed.per_example, atol=1e-4)
        assert not good.warnings and good.outside < 1e-3


@pytest.mark.parametrize(
    ("shift", "scale", "bounds"),
    [(0.0, 1.0, [(-1.0, 1.0)]), (20.0, 1.0, ()), (0.03, 1e-5, ())],
    ids=["half of the true one", "the encoder's is elsewhere", "the encoder's is between two points"],
)
def test_a_grid_that_misses_a_part_of_a_posterior_says_so(shift, scale, bounds):
    """An encoder that says the same of every x, and a decoder that does not look at z: the true posterior is p(z)."""
    truth = linear_gaussian(1, 4, n=5)
    raw = np.log(np.expm1(max(scale - heads.scales.SCALE_FLOOR, 1e-9))) - np.log(np.e - 1)
    truth.model.encoder.head.projection.linear.set_weights([np.zeros([4, 2]), np.array([shift, raw])])
    truth.model.decoder.head.projection.linear.set_weights([np.zeros([1, 4]), truth.b])
    found = exact.quadrature(truth.model, truth.x, bounds)
    assert any("of a posterior" in text for text in found.warnings)


def test_what_is_not_finite_is_reported():
    truth = linear_gaussian(1, 4, n=5)
    truth.model.encoder.head.projection.linear.set_weights([np.full([4, 2], np.nan), np.zeros(2)])
    found = exact.quadrature(truth.model, truth.x)
    assert "Of 5 of 5 examples the evidence or the divergence is not finite" in found.warnings[0]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_prior_without_a_finite_deviation_needs_bounds(seed):
    """Student's t with two degrees of freedom and Cauchy's: SciPy integrates the same."""
    rng = np.random.default_rng(seed)
    encoder = tfvae.Encoder(networks.mlp(), heads.DiagonalNormal(1))
    decoder = tfvae.Decoder(networks.mlp(), heads.Normal(1, 0.5))
    tfvae.VAE(encoder, decoder, priors.StandardNormal(1))  # builds them
    decoder.head.projection.linear.set_weights([np.ones([1, 1]), np.zeros(1)])
    for family, fixed, peer in ((tfd.StudentT, {"df": 2.0}, stats.t(2)), (tfd.Cauchy, {}, stats.cauchy)):
        fixed = {**fixed, "loc": 0.0}
        density = tfvae.density.Parametric(family, fixed).fit(rng.normal(size=[50, 1]))
        model = tfvae.VAE(encoder, decoder, density.as_prior(), seed=0)
        with pytest.raises(ValueError, match=r"Expected bounds=\[\(low, high\)\].*no mean and deviation"):
            exact.quadrature(model, [[0.7]])
        found = exact.quadrature(model, [[0.7]], bounds=[(-30, 30)])
        width = float(np.squeeze(density.distribution.distribution.scale))
        held = quad(lambda z: peer.pdf(z / width) / width * norm(z, 0.5).pdf(0.7), -30, 30, points=[0.0, 0.7])[0]  # noqa: B023
        assert found.per_example[0] == pytest.approx(np.log(held), abs=1e-3)


def test_quadrature_is_what_importance_sampling_estimates(binary, seed):
    model, x = binary
    found = exact.quadrature(model, x)
    assert found.numerical_error <= 1e-3
    estimate = evaluation.log_evidence(model, x, samples=5000, seed=seed, progress=False)
    error = np.sqrt(np.maximum(5000 / estimate.effective_sample_size - 1, 1e-9) / 5000)
    z = (estimate.per_example - found.per_example) / np.hypot(error, 1e-3)
    assert np.abs(z).max() < 5.0
    trace = model.trace(tf.constant(x), 20000, seed)
    spread = trace.log_px.numpy().std(0) / np.sqrt(20000)
    assert np.all(np.abs(trace.elbo.numpy() - found.elbo) < 5 * spread + 1e-3)
    assert np.all(found.divergence > 0)


def test_a_grid_that_is_too_coarse_says_so(binary):
    model, x = binary
    coarse = exact.quadrature(model, x[:5], tolerance=1e-9, points=70**2)
    assert coarse.numerical_error > 1e-9
    assert "allow more points" in coarse.warnings[-1]


# Enumeration --------------------------------------------------------------------------------------------------------


def test_enumeration_of_a_mixture_is_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=[300, 2]) + 4.0 * rng.integers(0, 3, [300, 1])
    peer = GaussianMixture(3, covariance_type="diag", random_state=0).fit(x)
    model = DirectedModel([
        Variable("k", priors.Learned(heads.OneHotCategorical(3))),
        Variable("x", tfvae.Conditional(networks.mlp(), heads.DiagonalNormal(2)), ["k"]),
    ])  # fmt: skip
    nodes = {node.name: node.conditional for node in model.graph.scored()}
    nodes["k"].eta.assign(np.log(peer.weights_))
    raw = np.log(np.expm1(np.sqrt(peer.covariances_) - heads.scales.SCALE_FLOOR)) - np.log(np.e - 1)
    nodes["x"].head.projection.linear.set_weights([np.concatenate([peer.means_, raw], 1), np.zeros(4)])
    found = exact.enumerate_latents(model, {"x": x})
    np.testing.assert_allclose(found.per_example, peer.score_samples(x), atol=1e-4)
    np.testing.assert_allclose(found.posterior_mean("k"), peer.predict_proba(x), atol=1e-4)


def test_the_identity_holds_for_any_discrete_posterior(seed):
    """A class and two bits, of which x and a count depend: ELBO + KL = log p(x) for posteriors drawn at random."""
    rng = np.random.default_rng(seed)
    model = DirectedModel([
        Variable("k", priors.Learned(heads.OneHotCategorical(3))),
        Variable("bits", tfvae.Conditional(networks.mlp(4), heads.Bernoulli(2)), ["k"]),
        Variable("x", tfvae.Conditional(networks.mlp(4), heads.DiagonalNormal(2)), ["bits", "k"]),
        Variable("n", tfvae.Conditional(networks.mlp(4), heads.Poisson(1)), ["bits"]),
    ], dtype="float32")  # fmt: skip
    data = {"x": rng.normal(size=[7, 2]), "n": rng.poisson(2.0, 7)}
    found = exact.enumerate_latents(model, data)
    assert found.values["k"].shape == (12, 3)
    assert found.values["bits"].shape == (12, 2)
    assert len(np.unique(np.concatenate([found.values["k"], found.values["bits"]], 1), axis=0)) == 12
    np.testing.assert_allclose(np.exp(found.log_posterior).sum(0), 1.0, rtol=1e-12)
    joint = np.stack([
        model.log_prob({**data, "k": np.tile(k, [7, 1]), "bits": np.tile(b, [7, 1])})
        for k, b in zip(found.values["k"], found.values["bits"], strict=True)
    ])  # fmt: skip
    np.testing.assert_allclose(np.exp(joint).sum(0), np.exp(found.per_example), rtol=1e-5)
    q = rng.dirichlet(np.ones(12), 7).T
    elbo = (q * (joint - np.log(q))).sum(0)
    divergence = (q * (np.log(q) - found.log_posterior)).sum(0)
    np.testing.assert_allclose(elbo + divergence, found.per_example, rtol=1e-6)
    assert np.all(elbo < found.per_example)


# Amortised and mean-field inference ---------------------------------------------------------------------------------


def test_the_best_mean_field_posterior_is_the_known_one(seed):
    """Of a normal posterior with precision P it has the same mean and the variances 1 / P_dd: Bishop's Eq. (10.13)."""
    truth = linear_gaussian(2, 4, widen=1.6, shift=0.4, n=20)
    evidence = exact.linear_gaussian(truth.model, truth.x)
    gaps = exact.inference_gaps(truth.model, truth.x, evidence, seed, steps=600)
    precision = np.eye(2) + truth.w.T @ truth.w / truth.sigma**2
    known = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    assert gaps.approximation_gap.mean() == pytest.approx(known, abs=0.02)
    assert np.all(np.abs(gaps.amortised - evidence.elbo) < 5 * gaps.amortised_error + 1e-4)
    assert np.all(np.abs(gaps.approximation_gap - known) < 5 * gaps.mean_field_error + 0.02)  # and what Adam leaves
    off = gaps.amortisation_gap - (evidence.divergence - known)
    assert np.all(np.abs(off) < 5 * gaps.amortisation_error + 0.02)
    assert str(gaps).count("(Monte Carlo)") == 3 and str(gaps).endswith("(data), n = 20")


def test_the_errors_of_the_gaps_are_those_of_repeats():
    """Of 300 copies of an example, each with its own noise."""
    truth = linear_gaussian(2, 4, widen=1.6, shift=0.4, n=10)
    copies = np.repeat(truth.x[:1], 300, 0)
    evidence = exact.linear_gaussian(truth.model, copies)
    gaps = exact.inference_gaps(truth.model, copies, evidence, steps=1, learning_rate=1e-9)  # mean field: the encoder's
    for values, errors in ((gaps.amortised, gaps.amortised_error), (gaps.mean_field, gaps.mean_field_error)):
        off = (values - evidence.elbo) / errors
        assert 0.8 < off.std() < 1.25 and abs(off.mean()) < 5 / np.sqrt(300)


def test_gaps_of_a_trained_model_are_positive(binary, seed):
    model, x = binary
    found = exact.quadrature(model, x[:20])
    gaps = exact.inference_gaps(model, x[:20], found.per_example, seed, steps=400)
    assert gaps.amortisation_gap.mean() > 0.0
    assert np.all(gaps.approximation_gap > -5 * gaps.mean_field_error - 1e-3)
    assert np.all(np.abs(gaps.amortised - found.elbo) < 5 * gaps.amortised_error + 1e-3)
    assert np.all(gaps.mean_field_error < 0.05)  # less than the noise of the divergence from the prior: 0.1


# What is refused ----------------------------------------------------------------------------------------------------


def test_what_has_no_exact_evidence_is_refused(binary):
    model, x = binary
    with pytest.raises(ValueError, match=r"use evaluation\.log_evidence\. Received: latent_dim=3"):
        exact.quadrature(tfvae.zoo.vae((8, 8, 1), 3), x)
    with pytest.raises(ValueError, match=r"on a line or a plane.*unit vectors"):
        exact.quadrature(tfvae.zoo.s_vae((8, 8, 1), 2), x)
    for bounds in (
        [(1.0, -1.0), (0.0, 1.0)],
        [(-np.inf, np.inf)] * 2,
        [(0, np.nan)] * 2,
        [(0, 1)],
        [5, 6],
        ["ab"] * 2,
        3,
    ):
        with pytest.raises(ValueError, match=r"Expected finite bounds \(low, high\) for each of 2 axes"):
            exact.quadrature(model, x, bounds=bounds)
    with pytest.raises(ValueError, match="Expected a normal likelihood"):
        exact.linear_gaussian(model, x)
    curved = tfvae.VAE(
        tfvae.Encoder(networks.mlp(), heads.DiagonalNormal(1)), tfvae.Decoder(networks.mlp(8), heads.Normal(3)),
        priors.StandardNormal(1),
    )  # fmt: skip
    with pytest.raises(ValueError, match="a mean that is not affine in z"):
        exact.linear_gaussian(curved, np.zeros([2, 3]))
    loud = tfvae.VAE(
        tfvae.Encoder(networks.mlp(), heads.DiagonalNormal(1)),
        tfvae.Decoder(networks.mlp(), heads.Normal(3, heads.PixelScale())), priors.StandardNormal(1),
    )  # fmt: skip
    with pytest.raises(ValueError, match="a scale that depends on z"):
        exact.linear_gaussian(loud, np.zeros([2, 3]))
    mixed = tfvae.VAE(loud.encoder, tfvae.Decoder(networks.mlp(), heads.Normal(3)), priors.Mixture(1, 3))
    with pytest.raises(ValueError, match="Expected a normal prior"):
        exact.linear_gaussian(mixed, np.zeros([2, 3]))
    with pytest.raises(ValueError, match="Expected one evidence for each of 40 examples"):
        exact.inference_gaps(model, x, np.zeros(3))
    for wrong in ("a", {"a": 1}, evaluation.elbo(model, x, progress=False)):
        with pytest.raises(ValueError, match=r"exact\.quadrature\(model, x\).*Received: evidence="):
            exact.inference_gaps(model, x, wrong)
    with pytest.raises(ValueError, match="of which 40 are not finite"):
        exact.inference_gaps(model, x, np.full(40, np.nan))
    with pytest.raises(ValueError, match="Expected a normal posterior"):
        exact.inference_gaps(tfvae.zoo.laplace((8, 8, 1), 2), x[:2], np.zeros(2))
    pair = DirectedModel([
        Variable("a", priors.StandardNormal(1)),
        Variable("b", tfvae.Conditional(networks.mlp(), heads.DiagonalNormal(1)), ["a"]),
    ])  # fmt: skip
    one = np.zeros([2, 1])
    with pytest.raises(ValueError, match="values of 'a', or a head of one-hot or binary values"):
        exact.enumerate_latents(pair, {"b": one})
    with pytest.raises(ValueError, match="none, all variables have values"):
        exact.enumerate_latents(pair, {"a": one, "b": one})
    bits = Variable("a", priors.Learned(heads.Bernoulli(12)))
    many = DirectedModel([bits, Variable("b", tfvae.Conditional(networks.mlp(), heads.DiagonalNormal(1)), ["a"])])
    with pytest.raises(ValueError, match=r"at most 100 combinations of values\. Received: 4096 of a"):
        exact.enumerate_latents(many, {"b": one}, combinations=100)
    with pytest.raises(TypeError, match=r"Expected a models\.DirectedModel"):
        exact.enumerate_latents(ConditionalModel(pair.graph.nodes["b"].conditional, 1), {"y": one})


def test_enumeration_says_what_it_needs():
    model = DirectedModel([
        Given("c", 2),
        Variable("k", priors.Learned(heads.OneHotCategorical(3))),
        Variable("x", tfvae.Conditional(networks.mlp(), heads.DiagonalNormal(2)), ["k", "c"]),
    ])  # fmt: skip
    x, c = np.zeros([5, 2]), np.ones([5, 2])
    found = exact.enumerate_latents(model, {"x": x, "c": c})
    assert found.per_example.shape == (5,)
    with pytest.raises(ValueError, match=r"Expected name to be one of k.*Received: name='q'"):
        found.posterior_mean("q")
    for values, said in (
        ({"x": 1.0, "c": c}, "Expected x of shape.*values of 'x'"),
        (x, "Expected a dictionary of values by the names of the variables, c, k, x.*Received: ndarray"),
        ({}, "Expected a dictionary.*Received: no values"),
        ({"X": x, "c": c}, "one of c, k, x.*Received: the name of every variable='X'"),
        ({"x": x}, "Expected values of 'c', which is models.Given"),
        ({"x": x, "c": c[:3]}, "as many values of each variable. Received: 5 of x, 3 of c"),
        ({"x": np.ma.masked_array(x, x == 0.0), "c": c}, "10 of 10 values outside"),
    ):
        with pytest.raises(ValueError, match=said):
            exact.enumerate_latents(model, values)
