"""Densities without latent variables: against closed forms, SciPy and scikit-learn on the same data."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, special, stats
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity as Peer
from tensorflow_probability import distributions as tfd

from benchmarks.density import large_memory
from tfvae import data, density, evaluation, models, priors, zoo
from tfvae.density.bandwidth import left_out
from tfvae.density.likelihood import Likelihood
from tfvae.density.range import support_of
from tfvae.distributions.kernel_density import KernelDensity
from tfvae.errors import IncompatibleParts
from tfvae.heads.support import REAL

DIMENSIONS = (1, 3, 20)  # by differences, and by products
KERNELS = [density.Epanechnikov(), density.Gaussian(), density.TopHat()]


@pytest.fixture
def rng():
    return np.random.default_rng(5)


# Maximum likelihood --------------------------------------------------------------------------------------------------


CLOSED = {
    "normal": (tfd.Normal, lambda r: r.normal(3.0, 2.0, 400), ("loc", "scale"), stats.norm.fit),
    "laplace": (tfd.Laplace, lambda r: r.laplace(3.0, 2.0, 401), ("loc", "scale"), stats.laplace.fit),
    "exponential": (tfd.Exponential, lambda r: r.exponential(2.0, 400), ("rate",), lambda x: (1 / x.mean(),)),
    "lognormal": (
        tfd.LogNormal, lambda r: r.lognormal(1.0, 0.5, 400), ("loc", "scale"), lambda x: stats.norm.fit(np.log(x)),
    ),
    "poisson": (tfd.Poisson, lambda r: r.poisson(3.0, 400), ("rate",), lambda x: (x.mean(),)),
    "bernoulli": (tfd.Bernoulli, lambda r: r.random(400) < 0.3, ("probs",), lambda x: (x.mean(),)),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms_are_scipys(name, rng):
    family, draw, parameters, truth = CLOSED[name]
    x = draw(rng)
    found = density.Parametric(family, dtype="float64").fit(x)
    for key, value in zip(parameters, truth(x), strict=True):
        np.testing.assert_allclose(getattr(found.distribution, key), value, rtol=1e-6)


SEARCHED = {
    "gamma": (tfd.Gamma, lambda r: r.gamma(3.0, 2.0, 500), stats.gamma, {"floc": 0}),
    "beta": (tfd.Beta, lambda r: r.beta(2.0, 5.0, 500), stats.beta, {"floc": 0, "fscale": 1}),
    "student": (
        tfd.StudentT,
        lambda r: 1e3 + r.standard_t(4.0, 1000),
        stats.t,
        {"loc": 1e3, "scale": 1.0},
    ),
    "weibull": (tfd.Weibull, lambda r: r.weibull(2.0, 500), stats.weibull_min, {"floc": 0}),
    "logistic": (tfd.Logistic, lambda r: r.logistic(-7.0, 3.0, 500), stats.logistic, {}),
    "gumbel": (tfd.Gumbel, lambda r: r.gumbel(4.0, 2.0, 500), stats.gumbel_r, {}),
}


@pytest.mark.parametrize("name", SEARCHED)
def test_no_other_parameters_are_more_likely(name, rng):
    family, draw, peer, options = SEARCHED[name]
    x = draw(rng)
    found = density.Parametric(family, dtype="float64").fit(x)
    ours, theirs = np.sum(found.log_prob(x)), peer.logpdf(x, *peer.fit(x, **options)).sum()
    assert ours > theirs - 1e-6 and ours < theirs + 0.1  # SciPy's search ends close to the same place


@pytest.mark.parametrize(
    "family", [tfd.Normal, tfd.Poisson, tfd.Exponential, tfd.MultivariateNormalTriL, tfd.Bernoulli]
)
def test_the_search_finds_the_closed_form(family, rng):
    if family is tfd.MultivariateNormalTriL:
        x, core = rng.normal(size=[300, 1, 3]) @ np.triu(np.ones([3, 3])) + [1.0, -2.0, 30.0], (3,)
    else:
        x, core = (rng.random([300, 2]) < [0.2, 0.7]).astype(float), ()
        x += 0.0 if family is tfd.Bernoulli else rng.poisson(2.0, x.shape)
    likelihood = Likelihood(family, {}, core, x.shape[1], None)
    searched = likelihood.parameters(likelihood.maximise(tf.constant(x)))
    exact = density.Parametric(family, dtype="float64").fit(x)
    for name, estimate in exact.estimates().items():
        np.testing.assert_allclose(searched[name], estimate.value, rtol=1e-6, atol=1e-9)


def test_vectors_and_classes(rng):
    x = rng.normal(size=[500, 3]) @ rng.normal(size=[3, 3]) + [1.0, 2.0, 3.0]
    full = density.Parametric(tfd.MultivariateNormalTriL, dtype="float64").fit(x)
    truth = stats.multivariate_normal(x.mean(0), np.cov(x.T, ddof=0))
    np.testing.assert_allclose(full.log_prob(x[:20]), truth.logpdf(x[:20]), rtol=1e-10)
    diagonal = density.Parametric(tfd.MultivariateNormalDiag, dtype="float64").fit(x)
    apart = density.Parametric(tfd.Normal, dtype="float64").fit(x)
    assert diagonal.distribution.event_shape == apart.distribution.event_shape == [3]
    np.testing.assert_allclose(diagonal.log_prob(x), apart.log_prob(x), rtol=1e-12)
    classes = rng.integers(0, 3, [200, 2])
    counted = density.Parametric(tfd.Categorical, num_classes=4, dtype="float64").fit(classes)
    share = np.stack([np.bincount(column, minlength=4) / 200 for column in classes.T])
    np.testing.assert_allclose(counted.distribution.distribution.probs_parameter(), share)
    assert counted.log_prob([[3, 0]]) == -np.inf  # what never occurred
    smoothed = density.Parametric(tfd.Categorical, num_classes=4, prior_count=0.5, dtype="float64").fit(classes)
    np.testing.assert_allclose(smoothed.log_prob([[3, 3]]), 2 * np.log(0.5 / 202.0))
    rows = density.Parametric(tfd.OneHotCategorical, dtype="float64").fit(np.eye(4)[classes[:, 0]])
    np.testing.assert_allclose(rows.distribution.probs_parameter(), share[0])


def test_images_have_the_density_of_their_pixels(rng):
    x = (rng.random([200, 8, 8, 1]) < rng.random([8, 8, 1])).astype("float32")
    found = density.Parametric(tfd.Bernoulli, prior_count=1.0).fit(x)
    p = (x.sum(0) + 1) / 202
    np.testing.assert_allclose(found.log_prob(x), stats.bernoulli.logpmf(x, p).sum((1, 2, 3)), rtol=1e-4)
    drawn = found.sample(4000, seed=1)
    assert drawn.shape == (4000, 8, 8, 1) and np.abs(np.mean(drawn, 0) - p).max() < 5 * 0.5 / np.sqrt(4000)
    np.testing.assert_array_equal(drawn, found.sample(4000, seed=1))


def test_standard_errors_are_those_of_the_fisher_information(rng):
    n, x = 400, rng.normal(3.0, 2.0, 400)
    scale = x.std()
    found = density.Parametric(tfd.Normal).fit(x).estimates()
    np.testing.assert_allclose(found["loc"].standard_error, scale / np.sqrt(n), rtol=1e-6)
    np.testing.assert_allclose(found["scale"].standard_error, scale / np.sqrt(2 * n), rtol=1e-6)
    counts = rng.poisson(3.0, [n, 2])
    rate = density.Parametric(tfd.Poisson).fit(counts).estimates()["rate"]
    np.testing.assert_allclose(rate.standard_error, np.sqrt(counts.mean(0) / n), rtol=1e-6)
    bits = rng.random([n, 3]) < 0.2
    probs = density.Parametric(tfd.Bernoulli).fit(bits).estimates()["probs"]
    np.testing.assert_allclose(probs.standard_error, np.sqrt(bits.mean(0) * (1 - bits.mean(0)) / n), rtol=1e-6)
    classes = rng.integers(0, 4, n)
    probs = density.Parametric(tfd.Categorical).fit(classes).estimates()["probs"]
    share = np.bincount(classes) / n
    np.testing.assert_allclose(probs.standard_error, np.sqrt(share * (1 - share) / n), rtol=1e-6)
    vectors = rng.normal(size=[n, 3]) @ rng.normal(size=[3, 3])
    found = density.Parametric(tfd.MultivariateNormalTriL).fit(vectors).estimate(lambda px: px.covariance())
    s = np.cov(vectors.T, ddof=0)
    wishart = np.sqrt((s**2 + np.outer(np.diag(s), np.diag(s))) / n)
    np.testing.assert_allclose(found.value, s, rtol=1e-6)
    np.testing.assert_allclose(found.standard_error, wishart, rtol=1e-5)


def test_intervals_hold_the_truth_as_often_as_they_say(rng):
    """Gamma(3, 0.5), 200 examples, 200 times: the shape by its own error, the mean by the delta method."""
    gamma = density.Parametric(tfd.Gamma).fit(rng.gamma(3.0, 2.0, [200, 200]))  # each column by itself
    for estimate, truth in ((gamma.estimates()["concentration"], 3.0), (gamma.estimate(lambda px: px.mean()), 6.0)):
        held = np.abs(estimate.value - truth) < 1.96 * estimate.standard_error
        assert held.shape == (200,) and 0.90 <= held.mean() <= 0.99
    x = rng.gamma(3.0, 2.0, 2000)
    found = density.Parametric(tfd.Gamma).fit(x).estimates()
    a, b = found["concentration"].value, found["rate"].value
    information = len(x) * np.array([[special.polygamma(1, a), -1 / b], [-1 / b, a / b**2]])
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    np.testing.assert_allclose([each.standard_error for each in found.values()], errors, rtol=1e-6)


def test_given_parameters_stay(rng):
    x = rng.binomial(10, 0.2, 300)
    found = density.Parametric(tfd.Binomial, {"total_count": 10.0}, dtype="float64").fit(x)
    np.testing.assert_allclose(found.estimates()["probs"].value, x.mean() / 10)
    heavy = density.Parametric(tfd.StudentT, {"df": 3.0}, dtype="float64").fit(rng.standard_t(3.0, 500))
    assert heavy.distribution.df == 3.0 and set(heavy.estimates()) == {"loc", "scale"}


# Mixtures ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "covariance"), [(tfd.MultivariateNormalTriL, "full"), (tfd.MultivariateNormalDiag, "diag")]
)
def test_mixtures_are_scikit_learns(family, covariance, rng):
    x = rng.normal(size=[300, 3]) * [1.0, 2.0, 0.5] + 6.0 * rng.integers(0, 2, [300, 1])
    found = density.NormalMixture(3, family, restarts=2, seed=1, dtype="float64").fit(x)
    peer = GaussianMixture(3, covariance_type=covariance, n_init=2, random_state=1, max_iter=1000).fit(x)
    np.testing.assert_allclose(found.log_prob(x), peer.score_samples(x), rtol=1e-9)
    drawn = found.sample(20_000, seed=2).numpy()
    np.testing.assert_allclose(drawn.mean(0), x.mean(0), atol=5 * x.std(0).max() / np.sqrt(20_000))


# Kernels -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", DIMENSIONS)
@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_kernel_densities_are_scikit_learns(kernel, size, rng):
    points, x = rng.normal(size=[5000, size]), rng.normal(size=[300, size])
    h = {1: 0.3, 3: 0.6, 20: 6.0}[size]
    expected = Peer(bandwidth=h, kernel=type(kernel).__name__.lower(), rtol=0, atol=0).fit(points).score_samples(x)
    near = np.array([np.min(np.sum((points - each) ** 2, 1)) for each in x]) < h**2
    for dtype, tolerance in (("float64", 1e-9), ("float32", 2e-4)):
        found = density.KernelDensity(h, kernel, dtype=dtype).fit(points)
        got = found.log_prob(x).numpy()
        some = near if kernel != density.Gaussian() else np.ones(len(x), bool)
        np.testing.assert_allclose(got[some], expected[some], rtol=0, atol=tolerance)
        assert (got[~some] == -np.inf).all()  # where scikit-learn's tree leaves a remainder of 1e-16


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_kernel_densities_integrate_to_one_and_are_what_they_draw(kernel, rng):
    line = density.KernelDensity(0.4, kernel, dtype="float64").fit(rng.normal(size=[30, 1]))
    grid = np.linspace(-6, 6, 20_001)
    p = np.exp(line.log_prob(grid[:, None]))
    mass = integrate.cumulative_trapezoid(p, grid, initial=0)
    assert abs(mass[-1] - 1) < 1e-3
    drawn = line.sample(4000, seed=3).numpy()[:, 0]
    assert stats.kstest(drawn, lambda x: np.interp(x, grid, mass)).pvalue > 1e-4
    points = rng.normal(size=[20, 3])
    space = density.KernelDensity(0.5, kernel, dtype="float64").fit(points)
    several = space.sample(200_000, seed=4).numpy()
    np.testing.assert_allclose(several.mean(0), space.distribution.mean(), atol=0.02)
    np.testing.assert_allclose(several.var(0), space.distribution.variance(), rtol=0.02)
    one = density.KernelDensity(1.0, kernel, dtype="float64").fit(np.zeros([1, 3]))
    inside = one.sample(4000, seed=5).numpy()
    ball = [stats.beta(1.5, 2), stats.chi2(3), stats.beta(1.5, 1)][KERNELS.index(kernel)]
    assert stats.kstest(np.sum(inside**2, 1), ball.cdf).pvalue > 1e-4
    radius = np.linspace(0.0, 8.0 if kernel == density.Gaussian() else 1.0, 20_001)[:-1]
    p = np.exp(one.log_prob(np.stack([radius, 0 * radius, 0 * radius], 1)))
    assert integrate.trapezoid(4 * np.pi * radius**2 * p, radius) == pytest.approx(1, abs=1e-3)


def test_the_rules_for_the_bandwidth(rng):
    x = rng.normal(0.0, 3.0, [200, 1])
    for rule in (density.Scott(), density.Silverman()):
        ours = density.KernelDensity(rule, dtype="float64").fit(x)
        theirs = stats.gaussian_kde(x.T, type(rule).__name__.lower())
        assert ours.bandwidth == pytest.approx(float(np.sqrt(theirs.covariance[0, 0])), rel=1e-9)
        np.testing.assert_allclose(ours.log_prob(x), theirs.logpdf(x.T), rtol=1e-9)
    wide = rng.normal(size=[200, 2]) * [1.0, 3.0]
    s = np.sqrt(np.var(wide, 0, ddof=1).mean())
    assert density.KernelDensity(density.Scott()).fit(wide).bandwidth == pytest.approx(s * 200 ** (-1 / 6))


@pytest.mark.parametrize("kernel", KERNELS[:2], ids=repr)
def test_the_likelihood_chooses_the_bandwidth(kernel, rng):
    """By hand: every example against all others."""
    x = np.concatenate([rng.normal(size=[60, 2]), 5 + 0.3 * rng.normal(size=[60, 2])])
    bandwidths = np.geomspace(0.3, 3.0, 40)
    squares = np.sum((x[:, None] - x[None]) ** 2, -1)
    np.fill_diagonal(squares, np.inf)
    for h in bandwidths[[0, 20, 39]]:
        s = squares / h**2
        k = np.exp(-s / 2) / (2 * np.pi) if kernel == density.Gaussian() else np.maximum(1 - s, 0) * 2 / np.pi
        with np.errstate(divide="ignore"):
            truth = np.mean(np.log(k.sum(1) / (119 * h**2)))
        np.testing.assert_allclose(left_out(x, np.arange(120), np.array([h]), kernel), truth, rtol=1e-9)
    chosen = density.KernelDensity(density.LeaveOneOut(), kernel, dtype="float64").fit(x).bandwidth
    scores = left_out(x, np.arange(120), np.append(bandwidths, chosen), kernel)
    assert scores[-1] >= scores[:-1].max() - 1e-4
    repeated = np.repeat(x, 2, 0)
    with pytest.raises(ValueError, match="with repeated examples it grows as the bandwidth falls"):
        density.KernelDensity(density.LeaveOneOut()).fit(repeated)


def test_images_and_samples_of_samples_have_their_axes(rng):
    images = rng.random([50, 4, 4, 1]).astype("float32")
    found = density.KernelDensity(0.5).fit(images)
    flat = density.KernelDensity(0.5).fit(images.reshape(50, 16))
    np.testing.assert_allclose(found.log_prob(images), flat.log_prob(images.reshape(50, 16)), rtol=1e-6)
    assert found.sample(3).shape == (3, 4, 4, 1)
    z = rng.normal(size=[5, 7, 16]).astype("float32")
    np.testing.assert_allclose(flat.distribution.log_prob(z)[2], flat.log_prob(z[2]), rtol=1e-6)
    assert isinstance(found.distribution, KernelDensity)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_the_memory_of_a_large_set_is_bounded():
    """A copy of the points would be 188 MB more, the distances of one tile to all points 500 MB."""
    assert 0 < large_memory() < 280


def test_points_far_from_zero_keep_their_digits(rng):
    x = rng.normal(size=[300, 2])
    near, far = (density.KernelDensity(0.3).fit(each) for each in (x, 1e7 + x))
    assert far.distribution.dtype == tf.float32  # whose numbers at 1e7 are 1 apart
    np.testing.assert_allclose(far.log_prob(1e7 + x), near.log_prob(x), atol=1e-4)
    np.testing.assert_allclose(far.distribution.mean(), 1e7 + x.mean(0), rtol=1e-7)
    np.testing.assert_allclose(far.sample(1000).numpy().astype(float).mean(0), 1e7 + x.mean(0), atol=0.3)


@pytest.mark.parametrize("kernel", [KERNELS[0], KERNELS[2]], ids=repr)
def test_a_kernel_leaves_out_no_point_that_it_reaches(kernel, rng):
    """Clusters, ties and queries in no order, over several tiles of points."""
    points = np.concatenate([rng.normal(size=[6000, 2]), 50.0 + 0.01 * rng.normal(size=[3000, 2]), np.zeros([9, 2])])
    x = np.concatenate([rng.permutation(points)[:600], rng.normal(25.0, 30.0, [100, 2])])
    for h in (0.05, 40.0):
        s = np.sum((x[:, None] - points[None]) ** 2, -1) / h**2
        shape = s < 1.0 if kernel == density.TopHat() else np.maximum(1.0 - s, 0.0)
        with np.errstate(divide="ignore"):
            truth = np.log(shape.sum(1) / len(points) / h**2) + kernel.log_constant(2)
        got = density.KernelDensity(h, kernel, dtype="float64").fit(points).log_prob(x).numpy()
        np.testing.assert_allclose(got, truth, atol=1e-9)


# In a model ----------------------------------------------------------------------------------------------------------


def test_a_density_of_the_codes_is_a_better_prior(tmp_path):
    keras.utils.set_random_seed(0)
    splits = data.load("digits")
    model = zoo.vae(splits.shape, 4, units=(64,), seed=0)
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(splits.train, epochs=25, verbose=0)
    codes = tf.reshape(model.trace(splits.array("train"), 4, seed=1).z, [-1, 4])
    x = splits.array("test")
    before = model.trace(x, 20, seed=2)
    for found in (density.NormalMixture(10).fit(codes), density.KernelDensity(density.LeaveOneOut()).fit(codes)):
        after = model.with_prior(found.as_prior()).trace(x, 20, seed=2)
        gain = tf.reduce_mean(after.log_pz - before.log_pz, 0).numpy()  # of the same draws, [B]
        assert gain.mean() > 3 * gain.std() / np.sqrt(len(gain)), found
    flow = priors.FlowPrior(4, steps=4, units=(32,))  # one variable without parents is a density too
    graph = models.DirectedModel([models.Variable("z", flow)], seed=0)
    graph.compile(keras.optimizers.Adam(3e-3), steps_per_execution=50)
    graph.fit({"z": codes}, batch_size=256, epochs=30, verbose=0)
    better = model.with_prior(flow)
    after = better.trace(x, 20, seed=2)
    gain = tf.reduce_mean(after.log_pz - before.log_pz, 0).numpy()
    assert gain.mean() > 3 * gain.std() / np.sqrt(len(gain))
    held_out = tf.reshape(before.z[:5], [-1, 4]).numpy()
    told = [
        evaluation.mmd_test(each.prior().sample(len(held_out), seed=3).numpy(), held_out) for each in (model, better)
    ]
    assert told[0].p_value == pytest.approx(1 / 500), told  # as small as 499 permutations allow: the prior has holes
    assert told[1].squared < 0.5 * told[0].squared, told
    better.save(tmp_path / "better.keras")
    loaded = keras.models.load_model(tmp_path / "better.keras")
    np.testing.assert_array_equal(loaded.sample(3, seed=0), better.sample(3, seed=0))
    with pytest.raises(ValueError, match=r"a distribution of vectors z\. Received: event_shape=\(8, 8, 1\)"):
        density.Parametric(tfd.Normal).fit(np.random.default_rng(0).normal(size=[9, 8, 8, 1])).as_prior()


REAL_FAMILIES = [
    tfd.Normal, tfd.Laplace, tfd.Cauchy, tfd.StudentT, tfd.Logistic, tfd.Gumbel, tfd.SinhArcsinh, tfd.JohnsonSU,
]  # fmt: skip
BOUNDED = [
    tfd.Gamma,
    tfd.Beta,
    tfd.LogNormal,
    tfd.Uniform,
    tfd.HalfNormal,
    tfd.Pareto,
    tfd.InverseGamma,
    tfd.LogitNormal,
]


@pytest.mark.parametrize("family", [*REAL_FAMILIES, *BOUNDED])
def test_the_support_is_that_of_the_family(family):
    arguments = [[1.0, 2.0], [1.5, 3.0], [1.0, 1.0], [2.0, 2.0]][: 4 if family in REAL_FAMILIES[-2:] else 2]
    arguments = [[1.0, 2.0]] * 3 if family is tfd.StudentT else arguments
    arguments = arguments[:1] if family is tfd.HalfNormal else arguments
    found = tfd.Independent(family(*arguments), 1)
    support = support_of(found)
    assert (support is REAL) == (family in REAL_FAMILIES)
    assert tf.reduce_all(support.contains(found.sample(100, seed=3)))
    if family in BOUNDED:
        assert not tf.reduce_any(support.contains(tf.constant([[-0.5, -1e4], [np.nan, -np.inf]])))


def test_a_prior_has_the_support_of_its_posterior(rng):
    model = zoo.vae((8, 8, 1), 2, units=(8,), seed=0)
    positive = density.Parametric(tfd.Gamma).fit(rng.gamma(3.0, 2.0, [50, 2])).as_prior()
    with pytest.raises(IncompatibleParts, match=r"finite float32 numbers, prior Fixed on the values of Gamma"):
        model.with_prior(positive)
    counts = density.Parametric(tfd.Poisson).fit(rng.poisson(3.0, [50, 2]))
    with pytest.raises(ValueError, match=r"Expected a continuous distribution.*Received: Poisson"):
        counts.as_prior()
    for kernel in KERNELS:
        found = density.KernelDensity(0.5, kernel).fit(rng.normal(size=[50, 2]))
        if kernel == density.Gaussian():
            assert model.with_prior(found.as_prior()).prior.support is REAL
        else:
            with pytest.raises(ValueError, match=r"a kernel above 0 everywhere, for a prior of z: density\.Gaussian"):
                found.as_prior()


def test_values_that_a_family_cannot_have_are_told(rng):
    counts = density.Parametric(tfd.Poisson).fit(rng.poisson(3.0, 50))
    np.testing.assert_array_equal(counts.log_prob([0.5, -1.0]), -np.inf)  # where TFP interpolates
    classes = density.Parametric(tfd.Categorical).fit([0, 1, 2])
    np.testing.assert_array_equal(classes.log_prob([5, -1]), -np.inf)
    rows = rng.dirichlet(np.full(50, 2.0), 200).astype("float32")  # whose sums are off by rounding
    assert np.isfinite(density.Parametric(tfd.Dirichlet).fit(rows).log_prob(rows)).all()
    far = density.Parametric(tfd.Categorical).fit([10**6, 3])
    assert far.log_prob([3]).numpy() == pytest.approx(np.log(0.5), rel=1e-6)


def test_the_largest_likelihood_of_pareto_is_scipys(rng):
    x = 3.0 * (1.0 + rng.pareto(2.0, [500]))
    found = density.Parametric(tfd.Pareto, dtype="float64").fit(x)
    shape, _, scale = stats.pareto.fit(x, floc=0.0)
    assert float(np.sum(found.log_prob(x))) >= stats.pareto.logpdf(x, shape, 0, scale).sum() - 1e-6
    assert found.distribution.scale == x.min()
    np.testing.assert_allclose(found.distribution.concentration, 500 / np.log(x / x.min()).sum())
    with pytest.raises(ValueError, match=r"smooth at its maximum.*Pareto, whose range ends"):
        found.estimates()


class _Negative(density.Bandwidth):
    def __call__(self, x, kernel):
        return -1.0


FAMILIES = [
    tfd.MixtureSameFamily, tfd.Independent, tfd.TransformedDistribution, tfd.Distribution, tfd.WishartTriL, tfd.LKJ,
    tfd.MultivariateNormalLinearOperator, tfd.GaussianProcess, tfd.SphericalUniform, tfd.FlatDirichlet,
]  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_families_that_arrays_do_not_define_are_refused(family, rng):
    match = rf"Expected a family of numbers or vectors.*tfd\.Gamma.*family={family.__name__}$"
    with pytest.raises(ValueError, match=match):
        density.Parametric(family).fit(rng.normal(size=[50, 2]))


def test_densities_say_what_is_wrong(rng):
    x = rng.normal(size=[50, 2])
    refusals = [
        (lambda: density.Parametric(tfd.Normal).log_prob(x), RuntimeError, r"Parametric\.fit\(x\) first"),
        (lambda: density.Parametric("normal"), TypeError, r"a class of tfp\.distributions.*family='normal'"),
        (lambda: density.Parametric(tfd.Normal, prior_count=1.0), ValueError, "prior_count=1.0 for Normal"),
        (lambda: density.Parametric(tfd.Normal).fit([]), ValueError, "Expected examples as an array of numbers"),
        (lambda: density.Parametric(tfd.Normal).fit([1.0, np.nan]), ValueError, "1 of 2 are NaN or infinite"),
        (lambda: density.Parametric(tfd.Normal).fit(np.ones([5, 2])), ValueError, "2 of 2 are constant"),
        (lambda: density.Parametric(tfd.Gamma).fit(x), ValueError, "on the support of Gamma.*cannot have"),
        (lambda: density.Parametric(tfd.Bernoulli).fit(x), ValueError, "Expected values 0 or 1. Received: 100 of 100"),
        (lambda: density.Parametric(tfd.Categorical).fit(x), ValueError, "Expected classes from 0"),
        (lambda: density.Parametric(tfd.Binomial).fit(np.ones(3)), ValueError, "Expected a value for total_count"),
        (lambda: density.Parametric(tfd.MultivariateNormalTriL).fit(x[:2]), ValueError, "2 examples that span 1"),
        (lambda: density.Parametric(tfd.MultivariateNormalTriL).fit(x[:, 0]), ValueError, "Expected vectors"),
        (lambda: density.Parametric(tfd.Bernoulli).fit(np.ones(9)).estimates(), ValueError, "see prior_count"),
        (lambda: density.Parametric(tfd.Laplace).fit(x).estimates(), ValueError, "not positive definite"),
        (lambda: density.Parametric(tfd.Normal).fit(x).log_prob(x[0]), ValueError, r"x of shape \[n, 2\].*\(2,\)"),
        (lambda: density.NormalMixture(0), ValueError, "components"),
        (lambda: density.NormalMixture(2, tfd.Normal), ValueError, r"tfd\.MultivariateNormalTriL, tfd\.Multi"),
        (lambda: density.NormalMixture(60).fit(x), ValueError, "at least 60"),
        (lambda: density.KernelDensity("scott"), ValueError, r"or a rule like density\.Scott\(\).*bandwidth='scott'"),
        (lambda: density.KernelDensity(0.0), ValueError, "bandwidth"),
        (lambda: density.KernelDensity(1.0, "cosine"), TypeError, r"such as density\.Gaussian\(\).*'cosine'"),
        (lambda: density.KernelDensity().fit(np.ones([4, 2])), ValueError, "Received: 4, all equal"),
        (lambda: density.KernelDensity(1e-30), ValueError, "bandwidth=1e-30"),
        (lambda: density.KernelDensity(_Negative()).fit(x), ValueError, "the bandwidth of _Negative.*=-1.0"),
        (lambda: density.Parametric(tfd.Poisson).fit([0.5, 1.5]), ValueError, "whole numbers.*2 of 2"),
        (lambda: density.Parametric(tfd.Exponential).fit([0, 0]), ValueError, "above 0 in every.*1 of 1 are all 0"),
        (lambda: density.Parametric(tfd.Binomial, {"total_count": 9}).fit([10.0]), ValueError, "support of Binomial"),
        (lambda: density.Parametric(tfd.Geometric).fit([0.5, 2.0]), ValueError, "support of Geometric"),
        (lambda: density.Parametric(tfd.Dirichlet).fit(x**2 + 0.1), ValueError, "support of Dirichlet.*sum to"),
        (lambda: density.Parametric(tfd.Pareto, {"scale": 2.0}).fit([1.0, 3.0]), ValueError, "support of Pareto"),
        (lambda: density.Parametric(tfd.Normal, {"loc": 0, "scale": 1}), ValueError, "left to learn.*all are given"),
        (lambda: density.Parametric(tfd.StudentT, {"dfx": 3}), ValueError, "df, loc, scale.*Did you mean 'df'"),
        (lambda: density.Parametric(tfd.StudentT, {"df": "a"}), ValueError, "value of df in fixed.*df='a'"),
        (lambda: density.Parametric(tfd.StudentT, {"df": np.nan}), ValueError, "value of df in fixed.*df=nan"),
        (lambda: density.Parametric(tfd.StudentT, 3.0), ValueError, "fixed to be a dictionary.*fixed=3.0"),
        (lambda: density.Parametric(tfd.StudentT, {"df": -3}).fit(x), ValueError, "fixed={'df': -3.0}.*be positive"),
        (lambda: density.Parametric(tfd.StudentT, {"df": [1, 2, 3]}).fit(x), ValueError, "in fixed that StudentT can"),
        (lambda: density.Parametric(tfd.StudentT, {"df": [1, 2]}).fit(np.ones([9, 2, 2])), ValueError, "one df for"),
        (lambda: density.Parametric(tfd.Categorical).fit([10**12]), ValueError, "numbered from 0.*1000000000001 cl"),
        (lambda: density.Parametric(tfd.Normal, num_classes=3), ValueError, "num_classes=3 for Normal"),
        (lambda: density.Parametric(tfd.Categorical, num_classes=0), ValueError, "num_classes=0"),
        (lambda: density.Parametric(tfd.Normal, dtype="int32"), ValueError, "floating-point.*dtype='int32'"),
        (lambda: density.KernelDensity(dtype="foo"), ValueError, "floating-point.*dtype='foo'"),
        (lambda: density.Parametric(tfd.Normal).fit([[1], [1, 2]]), ValueError, "an array of numbers.*list"),
        (lambda: density.Parametric(tfd.Normal).fit([1e300, 0.0]), ValueError, "float32 can hold.*1e\\+300"),
        (lambda: density.Parametric(tfd.Normal).fit(x).sample(-1), ValueError, "n=-1"),
        (lambda: density.Parametric(tfd.Normal).fit(x).sample(1.5), ValueError, "n=1.5"),
        (lambda: density.Parametric(tfd.Normal).fit(x).log_prob(["a"]), ValueError, "an array of numbers"),
        (lambda: density.Parametric(tfd.Normal).fit(x).log_prob([[np.nan, 0]]), ValueError, "1 of 2 are NaN"),
        (lambda: density.Parametric(tfd.Categorical).fit([0, 1]).log_prob([0.5]), ValueError, "whole numbers.*1 of 1"),
    ]  # fmt: skip
    for attempt, kind, message in refusals:
        with pytest.raises(kind, match=message):
            attempt()
