"""Likelihood heads: densities against SciPy, sums and integrals, samplers, limits, supports, files and both formats."""

import itertools
from decimal import MAX_EMAX, Decimal, getcontext

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, special, stats
from tensorflow_probability import distributions as tfd

import tfvae
from tfvae import data, heads, networks, objectives, priors
from tfvae.distributions import counts, densities
from tfvae.distributions import special as ours
from tfvae.distributions.levels import CategoricalLevels
from tfvae.distributions.quantized_logistic import QuantizedLogistic, QuantizedLogisticMixture
from tfvae.export.verification import is_builtin, operators
from tfvae.heads.counts import expected_count
from tfvae.heads.scales import SCALE_FLOOR, positive
from tfvae.models import checks
from tfvae.random import Seed

DTYPES = ["float32", "float64"]
TOLERANCE = {"float32": 2e-5, "float64": 1e-9}

HEADS = {
    "pixel_normal": lambda shape, **kw: heads.Normal(shape, heads.PixelScale(**kw), **kw),
    "optimal_normal": lambda shape, **kw: heads.Normal(shape, heads.OptimalScale(0.5, **kw), **kw),
    "continuous_bernoulli": heads.ContinuousBernoulli,
    "student_t": lambda shape, **kw: heads.StudentT(shape, 4.0, heads.PixelScale(**kw), **kw),
    "learned_t": lambda shape, **kw: heads.StudentT(shape, heads.SharedDegrees(3.0, **kw), 0.5, **kw),
    "beta": heads.Beta,
    "quantized_logistic": lambda shape, **kw: heads.QuantizedLogistic(shape, 17, **kw),
    "mixture": lambda shape, **kw: heads.QuantizedLogisticMixture(shape, 3, 17, **kw),
    "categorical": lambda shape, **kw: heads.Categorical(shape, 17, 1 / 16, **kw),
    "poisson": heads.Poisson,
    "negative_binomial": heads.NegativeBinomial,
    "zero_inflated": heads.ZeroInflatedNegativeBinomial,
    "product": lambda shape, **kw: heads.Product(
        heads.Normal(1, heads.SharedScale(0.5, **kw), **kw),
        heads.Categorical(1, 10, **kw),
        heads.Poisson(4, **kw),
        **kw,
    ),
}
LEVELS = {name: np.arange(17) / 16 for name in ("quantized_logistic", "mixture", "categorical")}
DISCRETE = {"quantized_logistic", "mixture", "categorical", "poisson", "negative_binomial", "zero_inflated"}
ELEMENTWISE = sorted(HEADS.keys() - {"product"})


def values(name, size, seed=0):
    """Random x on the support of a head."""
    rng = np.random.default_rng(seed)
    if name in ("quantized_logistic", "mixture", "categorical"):
        return rng.integers(0, 17, size) / 16
    if name in ("poisson", "negative_binomial", "zero_inflated"):
        return rng.poisson(2.0, size).astype(float)
    if name in ("continuous_bernoulli", "beta"):
        return rng.uniform(0.001, 0.999, size)
    if name == "product":
        kinds = rng.normal(size=size), rng.integers(0, 10, size), rng.poisson(2.0, size)
        return np.concatenate([kinds[0][..., :1], kinds[1][..., :1], kinds[2][..., :4]], -1).astype(float)
    return rng.normal(size=size)


def parameters(head, batch, seed=1, scale=1.5):
    shape = [*batch, *head.event_shape[:-1], head.width]
    return np.random.default_rng(seed).normal(0.0, scale, shape)


def softplus(raw):
    return SCALE_FLOOR + np.logaddexp(0.0, raw + np.log(np.e - 1.0))


def count(raw):
    return SCALE_FLOOR + np.exp(raw)


def oracle(name, head, eta, x):
    """Return the log-density of each element by SciPy in float64, from the parameters by the documented links."""
    parts = np.split(eta, head.width // head.event_shape[-1], -1) if name != "categorical" else [eta]
    match name, parts:
        case "pixel_normal", (loc, raw):
            return stats.norm(loc, softplus(raw)).logpdf(x)
        case "optimal_normal", (loc,):
            return stats.norm(loc, float(head.scale.value())).logpdf(x)
        case "continuous_bernoulli", (logits,):
            return x * logits - np.log(np.expm1(logits) / logits)
        case "student_t", (loc, raw):
            return stats.t(4.0, loc, softplus(raw)).logpdf(x)
        case "learned_t", (loc,):
            return stats.t(float(head.df.value()), loc, 0.5).logpdf(x)
        case "beta", (a, b):
            return stats.beta(softplus(a), softplus(b)).logpdf(x)
        case "quantized_logistic", (loc, raw):
            return _log_level(x, 0.5 + 0.5 * loc, 0.5 * softplus(raw))
        case "mixture", (*triples,):
            logits, loc, raw = (np.stack(triples[3 * i : 3 * i + 3]) for i in range(3))
            weights = special.log_softmax(logits, 0)
            return special.logsumexp(weights + _log_level(x, 0.5 + 0.5 * loc, 0.5 * softplus(raw)), 0)
        case "categorical", (logits,):
            logits = special.log_softmax(logits.reshape([*logits.shape[:-1], head.event_shape[-1], 17]), -1)
            index = np.broadcast_to(np.rint(x * 16).astype(int), logits.shape[:-1])
            return np.take_along_axis(logits, index[..., None], -1)[..., 0]
        case "poisson", (raw,):
            return stats.poisson(count(raw)).logpmf(x)
        case "negative_binomial", (raw, r):
            return _negative_binomial(x, count(raw), softplus(r))
        case "zero_inflated", (raw, r, logits):
            counted = special.log_expit(-logits) + _negative_binomial(x, count(raw), softplus(r))
            return np.where(x > 0, counted, np.logaddexp(special.log_expit(logits), counted))


def _log_level(x, loc, scale, levels=17):
    """The mass of a level, as a difference on the side where both ends are small."""
    half = 0.5 / (levels - 1)
    upper = np.where(x > 1 - half, np.inf, (x + half - loc) / scale)
    lower = np.where(x < half, -np.inf, (x - half - loc) / scale)
    flip = lower > 0
    return np.log(special.expit(np.where(flip, -lower, upper)) - special.expit(np.where(flip, -upper, lower)))


def _negative_binomial(x, mean, r):
    return stats.nbinom(r, r / (r + mean)).logpmf(x)


# Densities ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3,), (2, 2, 3)], ids=str)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_densities_are_scipys_summed_over_the_event(name, shape, dtype):
    head = HEADS[name](shape, dtype=dtype)
    eta, x = parameters(head, [5, 4]).astype(dtype), values(name, [4, *shape]).astype(dtype)
    px = head.distribution(tf.constant(eta))
    truth = oracle(name, head, eta.astype("float64"), x.astype("float64")).sum(tuple(range(2, 2 + len(shape))))
    assert (px.batch_shape, px.event_shape, px.dtype) == ([5, 4], shape, dtype)
    np.testing.assert_allclose(px.log_prob(x), truth, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * np.prod(shape))
    assert px.mean().shape == (5, 4, *shape) and np.isfinite(px.mean()).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_product_is_the_sum_of_its_parts(dtype):
    product = HEADS["product"](6, dtype=dtype)
    eta, x = parameters(product, [5, 4]).astype(dtype), values("product", [4, 6]).astype(dtype)
    px = product.distribution(tf.constant(eta))
    widths = np.cumsum([part.width for part in product.heads])[:-1]
    parts = [
        part.distribution(tf.constant(e)) for part, e in zip(product.heads, np.split(eta, widths, -1), strict=True)
    ]
    columns = np.split(x, [1, 2], -1)
    total = sum(part.log_prob(column) for part, column in zip(parts, columns, strict=True))
    np.testing.assert_allclose(px.log_prob(x), total, rtol=1e-6)
    np.testing.assert_array_equal(px.mean(), tf.concat([part.mean() for part in parts], -1))
    assert px.sample(3, seed=[1, 2]).shape == (3, 5, 4, 6) and product.event_shape == (6,)


def test_parts_of_a_product_are_drawn_independently(seed):
    """Fails by chance at 6e-7."""
    px = heads.Product(heads.Normal(1), heads.Normal(1)).distribution(tf.zeros([2]))
    one, other = px.sample(4000, seed=[seed % 1000, 5]).numpy().T
    assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(4000)


@pytest.mark.parametrize("name", sorted(DISCRETE))
def test_masses_sum_to_one_and_the_mean_is_theirs(name):
    head = HEADS[name](1, dtype="float32")
    px = head.distribution(tf.constant(parameters(head, [50]), tf.float32))
    x = LEVELS.get(name, np.arange(3000.0))
    mass = np.exp(px.log_prob(x[:, None, None].astype("float32")).numpy().astype("float64"))  # [x, 50]
    np.testing.assert_allclose(mass.sum(0), np.ones(50), atol=2e-5)
    # Of logistic levels the mean is that of the unrounded values: within half a level, here 1/32.
    bound = 1 / 32 if name in ("quantized_logistic", "mixture") else 0.0
    assert (np.abs(x @ mass - px.mean().numpy()[:, 0]) <= bound + 1e-4 * (1 + x @ mass)).all()


@pytest.mark.parametrize("name", ["continuous_bernoulli", "beta", "student_t", "learned_t", "pixel_normal"])
def test_densities_integrate_to_one(name):
    """By the trapezoid rule after a change of variables that sends the ends to infinity."""
    head = HEADS[name](1, dtype="float64")
    eta = parameters(head, [20], seed=2)
    px = head.distribution(tf.constant(np.abs(eta) if name == "beta" else eta))  # a and b above 1: light ends
    t = np.linspace(-25, 25, 4001)
    unit = name in ("continuous_bernoulli", "beta")
    x, log_slope = (special.expit(t), special.log_expit(t) + special.log_expit(-t)) if unit else (np.sinh(t), None)
    log_slope = np.log(np.cosh(t)) if log_slope is None else log_slope
    inside = (x > 0) & (x < 1) if unit else np.ones(len(t), bool)
    density = px.log_prob(x[inside, None, None]).numpy() + log_slope[inside, None]
    np.testing.assert_allclose(np.exp(density).sum(0) * (t[1] - t[0]), np.ones(20), atol=1e-6)


def test_gradients_in_float32_are_those_in_float64():
    for name in ELEMENTWISE:
        gradients = []
        for dtype in DTYPES:
            head = HEADS[name]((2, 3), dtype=dtype)
            eta = tf.constant(parameters(head, [3, 4]).astype("float32"), dtype)
            with tf.GradientTape() as tape:
                tape.watch(eta)
                score = head.distribution(eta).log_prob(values(name, [4, 2, 3]).astype("float32").astype(dtype))
            gradients.append(tape.gradient(score, eta).numpy())
        error = np.abs(gradients[0] - gradients[1]) / (1 + np.abs(gradients[1]))
        assert error.max() < 3e-4, name


def test_gradients_in_float64_are_differences():
    for name in ELEMENTWISE:
        head = HEADS[name](2, dtype="float64")
        eta, x = parameters(head, [4]), values(name, [4, 2])
        step = 1e-6 * np.random.default_rng(3).normal(size=eta.shape)
        with tf.GradientTape() as tape:
            given = tf.constant(eta)
            tape.watch(given)
            score = head.distribution(given).log_prob(x)
        slope = (tape.gradient(score, given).numpy() * step).sum(-1)
        rise = head.distribution(tf.constant(eta + step)).log_prob(x) - head.distribution(
            tf.constant(eta - step)
        ).log_prob(x)
        np.testing.assert_allclose(slope, rise / 2, rtol=1e-4, atol=1e-11)


def test_densities_and_gradients_are_finite_at_extremes():
    ends = {"continuous_bernoulli": [0, 0.5, 1], "beta": [1e-30, 0.5, 1 - 6e-8], "poisson": [0, 3, 3000, 1e6]}
    for name in ELEMENTWISE:
        whole = name in ("negative_binomial", "zero_inflated")
        ends_of_name = ends.get(name, [0, 0.5, 1] if name in DISCRETE and not whole else [0, 3, 3000, 1e6])
        head = HEADS[name](1)
        count_of = head.width if head.width < 4 else 3
        extremes = np.array(list(itertools.product([-1e4, -30.0, 0.0, 30.0, 1e4], repeat=count_of)), "float32")
        eta = tf.constant(np.resize(extremes, [len(extremes), head.width]) if head.width > 3 else extremes)
        for x in ends_of_name:
            with tf.GradientTape() as tape:
                tape.watch(eta)
                score = head.distribution(eta).log_prob(tf.constant([x], tf.float32))
            assert np.isfinite(score).all() and np.isfinite(tape.gradient(score, eta)).all(), (name, x)
        assert np.isfinite(head.distribution(eta).mean()).all(), name


# Samplers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_samplers_fit_their_densities(name, seed):
    """Chi-square of levels, Kolmogorov-Smirnov of the rest, the mean within 5 errors: each fails at 1e-5 or less."""
    head, n = HEADS[name](1, dtype="float64"), 4000
    px = head.distribution(tf.constant(parameters(head, [6], seed=4, scale=0.7)))
    draws = px.sample(n, seed=[seed % 1000, 3]).numpy()  # [n, 6, 1]
    np.testing.assert_array_equal(draws, px.sample(n, seed=[seed % 1000, 3]))
    bound = 1 / 32 if name in ("quantized_logistic", "mixture") else 0.0
    assert (np.abs(draws.mean(0) - px.mean()) < 5 * draws.std(0, ddof=1) / np.sqrt(n) + bound).all()
    points = LEVELS.get(name, np.arange(400.0)) if name in DISCRETE else _grid(draws)
    density = np.exp(px.log_prob(points[:, None, None]).numpy())  # [points, 6]
    for sample, mass in zip(draws[..., 0].T, density.T, strict=True):
        if name in DISCRETE:
            observed = np.bincount(np.searchsorted(points, sample - 1e-6), minlength=len(points))
            cell = np.minimum(np.cumsum(mass * n) // 8, (n * mass.sum() - 4) // 8).astype(int)  # about 8 draws or more
            cells = [np.bincount(cell, weights) for weights in (observed, mass * n / mass.sum())]
            assert stats.chisquare(*(count[cells[1] > 0] for count in cells)).pvalue > 1e-5
        else:
            total = integrate.cumulative_simpson(mass, x=points, initial=0)
            assert stats.kstest(sample, lambda x, t=total: np.interp(x, points, t / t[-1])).pvalue > 1e-5


def test_a_mixture_draws_its_components_by_their_weights(seed):
    """Components that do not overlap, so that a draw tells its own; fails by chance at 1e-5."""
    logits, loc = np.array([0.0, 1.0, 2.5]), np.array([0.1, 0.5, 0.9])
    px = QuantizedLogisticMixture(*(tf.constant(value) for value in (logits, loc, np.full(3, 0.01))), 256)
    draws = px.sample(4000, seed=[seed % 1000, 6]).numpy()
    observed = np.histogram(draws, [-0.1, 0.3, 0.7, 1.1])[0]
    assert stats.chisquare(observed, special.softmax(logits) * 4000).pvalue > 1e-5


def _grid(draws):
    """Points of a quadrature: fine where there are draws, and far beyond them on the real line."""
    low, high = draws.min(), draws.max()
    ends = [1e-9, 1 - 1e-9] if low >= 0 and high <= 1 else [low - 200 * (high - low), high + 200 * (high - low)]
    grid = np.unique(np.concatenate([np.linspace(*ends, 4001), np.quantile(draws, np.linspace(0, 1, 2001))]))
    return np.sort(np.concatenate([grid, 0.5 * (grid[1:] + grid[:-1])]))


def test_logistic_levels_against_decimals():
    """Far from the centre and for scales from 1e-5 to 1e4, where no difference of sigmoids has a digit left."""
    getcontext().prec, getcontext().Emax = 60, MAX_EMAX
    rng = np.random.default_rng(0)
    level = np.concatenate([rng.integers(0, 256, 150), np.repeat([0, 255], 25)])
    loc = (rng.normal(size=200) * 10.0 ** rng.uniform(-3, 3, 200)).astype("float32")
    scale = (10.0 ** rng.uniform(-5, 4, 200)).astype("float32")
    x = (level / 255).astype("float32")
    exact = [_exact_log_level(*args) for args in zip(level, x, loc, scale, strict=True)]
    for dtype, epsilon in (("float32", 6e-8), ("float64", 1e-16)):
        given = tf.constant(loc, dtype), tf.constant(scale, dtype)
        ours_ = QuantizedLogistic(*given, 256).log_prob(tf.constant(x, dtype)).numpy()
        # What rounding x - loc to one part in 2^24 may do, and the rounding of the result.
        error = epsilon * ((np.abs(x - loc) + 1) / scale + np.abs(exact) + 1) * 4
        assert (np.abs(ours_ - exact) <= error).all()


def _exact_log_level(level, x, loc, scale):
    x, loc, scale, half = Decimal(float(x)), Decimal(float(loc)), Decimal(float(scale)), Decimal(1) / 510
    upper, lower = (x + half - loc) / scale, (x - half - loc) / scale
    if upper + lower > 0:  # the same difference of the other tails, which has its digits
        upper, lower, level = -lower, -upper, 255 - level
    mass = (0 if level == 255 else _sigmoid(-upper)) - (0 if level == 0 else _sigmoid(-lower))
    return float((mass if level < 255 else 1 - _sigmoid(-lower)).ln())


def _sigmoid(minus):
    return 1 / (1 + minus.exp())


# Limits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_families_become_others_in_their_limits(dtype):
    rng = np.random.default_rng(0)
    mean, x = (10.0 ** rng.uniform(-2, 3.5, 50)).astype(dtype), rng.integers(0, 3000, 50).astype(dtype)
    poisson = densities.Poisson(tf.constant(mean)).log_prob(x).numpy()
    many = counts.NegativeBinomial(tf.constant(mean), tf.constant(1e12, dtype)).log_prob(x)
    close = {"rtol": 20 * TOLERANCE[dtype] / 2, "atol": 20 * TOLERANCE[dtype]}
    np.testing.assert_allclose(many, poisson, **close)
    r, never = tf.constant(rng.uniform(0.1, 5, 50), dtype), tf.constant(-80.0, dtype)
    inflated = counts.ZeroInflatedNegativeBinomial(tf.constant(mean), r, never)
    np.testing.assert_allclose(inflated.log_prob(x), counts.NegativeBinomial(tf.constant(mean), r).log_prob(x), **close)
    y, loc = (tf.constant(rng.normal(size=50), dtype) for _ in range(2))
    t = densities.StudentT(tf.constant(1e12, dtype), loc, tf.constant(0.7, dtype))
    np.testing.assert_allclose(t.log_prob(y), tfd.Normal(loc, tf.constant(0.7, dtype)).log_prob(y), **close)
    flat = densities.Beta(tf.ones([5], dtype), tf.ones([5], dtype)).log_prob(
        tf.linspace(tf.constant(0.1, dtype), 0.9, 5)
    )
    np.testing.assert_allclose(flat, np.zeros(5), **close)


def test_one_component_is_the_distribution_itself_and_two_levels_are_bits():
    rng = np.random.default_rng(0)
    loc, scale = rng.normal(0.5, 0.5, 40), 10.0 ** rng.uniform(-2, 0, 40)
    level = rng.integers(0, 17, 40) / 16
    single = QuantizedLogistic(tf.constant(loc), tf.constant(scale), 17)
    mixed = QuantizedLogisticMixture(*(tf.constant(v[None]) for v in (rng.normal(size=40), loc, scale)), 17)
    np.testing.assert_allclose(mixed.log_prob(level), single.log_prob(level), rtol=1e-12)
    np.testing.assert_allclose(mixed.mean(), single.mean(), rtol=1e-12)
    bit = rng.integers(0, 2, 40).astype(float)
    expected = tfd.Bernoulli(logits=tf.constant((loc - 0.5) / scale)).log_prob(bit)
    np.testing.assert_allclose(QuantizedLogistic(tf.constant(loc), tf.constant(scale), 2).log_prob(bit), expected, 1e-9)
    logits = np.stack([np.zeros(40), (loc - 0.5) / scale], -1)
    np.testing.assert_allclose(CategoricalLevels(tf.constant(logits), 1.0).log_prob(bit), expected, 1e-9, 1e-14)


def test_a_continuous_bernoulli_is_a_bernoulli_times_its_normalizer():
    """Also close to pi = 1/2, where both parts of C(pi) vanish; C = 2 there."""
    near = np.concatenate([10.0 ** np.arange(-12, 2.0), [0.0], [0.99, 1.0, 1.01, 30.0]])
    logits = np.concatenate([near, -near])
    with np.errstate(invalid="ignore"):
        c = np.where(np.abs(logits) < 1e-4, 2 + logits**2 / 6, logits / np.tanh(logits / 2))
    for dtype, tolerance in (("float32", 4e-7), ("float64", 1e-10)):
        given = tf.constant(logits, dtype)
        exact = given.numpy().astype("float64")
        for x in (0.0, 0.3, 1.0):
            with tf.GradientTape() as tape:
                tape.watch(given)
                score = densities.ContinuousBernoulli(logits=given, dtype=dtype).log_prob(tf.constant(x, dtype))
            truth = x * exact - np.logaddexp(0, exact) + np.log(c)
            np.testing.assert_allclose(score, truth, atol=tolerance * 4, rtol=tolerance * 4)
            mean = densities.ContinuousBernoulli(logits=given, dtype=dtype).mean()
            np.testing.assert_allclose(tape.gradient(score, given), x - mean, atol=tolerance * 4)
        odd = np.where(
            np.abs(exact) < 1e-2, exact / 12 - exact**3 / 720, 0.5 / np.tanh(exact / 2 + 1e-300) - 1 / (exact + 1e-300)
        )
        np.testing.assert_allclose(mean, 0.5 + odd, atol=tolerance * 4, rtol=1e-5 if dtype == "float32" else 1e-8)


def test_the_mean_of_levels_is_within_its_stated_error():
    for levels in (2, 17, 256):
        width = 1 / (levels - 1)
        loc, scale = (v.ravel() for v in np.meshgrid(np.linspace(-0.5, 1.5, 41), 10.0 ** np.linspace(-5, 1, 25)))
        edges = (np.arange(1, levels) - 0.5) * width
        exact = special.expit((loc[:, None] - edges) / scale[:, None]).sum(-1) * width
        error = np.abs(QuantizedLogistic(tf.constant(loc), tf.constant(scale), levels).mean() - exact)
        assert (error <= np.where(scale >= width, width**2 / (90 * scale), width / 2) + 1e-12).all()


# Special functions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_functions_are_within_their_stated_errors(dtype):
    bound = {"float32": 1e-6, "float64": 1e-9}[dtype]
    x = np.concatenate([np.geomspace(1e-3, 1e6, 20001), np.arange(1, 41) / 4]).astype(dtype)
    exact, given = x.astype("float64"), tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        value = ours.log_gamma(given)
    for got, truth in ((value, special.gammaln(exact)), (tape.gradient(value, given), special.digamma(exact))):
        assert (np.abs(got - truth) <= bound * np.maximum(1, np.abs(truth))).all()
    remainder = special.gammaln(exact) - (exact - 0.5) * np.log(exact) + exact - 0.5 * np.log(2 * np.pi)
    small = exact < 100  # beyond, the truth itself is a difference of large numbers
    assert (np.abs(ours.binet(given) - remainder)[small] <= bound * np.maximum(1, remainder[small])).all()
    for function, truth, powers, least in (  # the last: from which size on the error is relative
        (ours.log1p, np.log1p, (-12, 6), 0),
        (lambda v: ours.excess(v, 1 + v), _excess, (-6, 6), 0),
        (ours.softplus, lambda v: np.logaddexp(0, v), (-3, 4), 0),
        (lambda v: ours.softplus(-v), lambda v: np.log1p(np.exp(-v)), (-3, 1.5), 0),
        (ours.log1mexp, lambda v: np.where(v < 0.7, np.log(-np.expm1(-v)), np.log1p(-np.exp(-v))), (-12, 2), 1),
    ):
        v = np.geomspace(10.0 ** powers[0], 10.0 ** powers[1], 4001).astype(dtype)
        expected = truth(v.astype("float64"))
        error = np.abs(function(tf.constant(v)) - expected)
        assert (error <= 3 * bound * np.maximum(least, np.abs(expected))).all()
    np.testing.assert_allclose(ours.log1p(tf.constant([-0.9, -0.1, -1e-5], dtype)), np.log1p([-0.9, -0.1, -1e-5]), 1e-6)


def _excess(v):
    return np.where(v < 1e-2, sum((-1) ** k * v**k / k for k in range(2, 10)), v - np.log1p(v))


def test_links_keep_their_floor_and_cannot_explode():
    raw = tf.constant([-1e4, -5.0, 0.0, 5.0, 10.0, 11.0, 1e4])
    mean = expected_count(raw).numpy()
    np.testing.assert_allclose(mean[:5], SCALE_FLOOR + np.exp([-1e4, -5, 0, 5, 10]), rtol=1e-6)
    np.testing.assert_allclose(mean[5:], np.exp(10.0) * np.array([2.0, 9991.0]), rtol=1e-5)
    assert positive(tf.constant(3000.0)).numpy() == pytest.approx(3000.54, rel=1e-6)


# Scales that are not learned by gradient ------------------------------------------------------------------------------


def linear_model(head, **options):
    encoder = tfvae.Encoder(networks.mlp(8), heads.DiagonalNormal(2))
    return tfvae.VAE(encoder, tfvae.Decoder(networks.mlp(8), head), priors.StandardNormal(2), seed=3, **options)


def test_an_optimal_scale_is_the_likeliest_one_of_the_last_step_and_finds_the_noise():
    x = (np.random.default_rng(0).normal(size=[512, 20]) * 0.2 + 1.0).astype("float32")
    head = heads.Normal(20, heads.OptimalScale(0.7))
    model = linear_model(head, objective=objectives.ELBO(samples=2))
    model.compile(keras.optimizers.Adam(2e-2), jit_compile=False)
    assert not any(w is head.scale.variance for w in model.trainable_variables)
    before = model.trace(tf.constant(x), 2, Seed(tf.constant([3, 0])), training=True)
    model.fit(x, batch_size=512, epochs=1, shuffle=False, verbose=0)
    error = x - before.px.mean().numpy()  # with the weights and the noise of the only step
    best = float(head.scale.value())
    assert best == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)
    likelihood = [stats.norm(0, s).logpdf(error).sum() for s in (0.99 * best, best, 1.01 * best)]
    assert likelihood[1] > max(likelihood[0], likelihood[2])
    model.test_step((tf.constant(2 * x),))
    assert float(head.scale.value()) == best  # a number in evaluation: the density does not depend on x through it
    model.fit(x, batch_size=512, epochs=100, verbose=0)
    assert float(head.scale.value()) == pytest.approx(0.2, rel=0.1)
    for error in (0.0, np.nan, np.inf):
        head.scale.update(tf.fill([3, 20], error))
        assert float(head.scale.value()) == pytest.approx(SCALE_FLOOR, rel=1e-5)


def test_parts_of_a_product_are_updated_with_their_columns():
    head = heads.Product(heads.Poisson(2), heads.Normal(3, heads.OptimalScale(1.0)))
    model = linear_model(head)
    x = np.concatenate([np.full([8, 2], 1000.0), np.full([8, 3], 0.5)], -1).astype("float32")
    trace = model.trace(tf.constant(x))
    head.update(trace.x, trace.px, tf.constant(0))
    error = 0.5 - trace.px.mean().numpy()[..., 2:]
    assert float(head.heads[1].scale.value()) == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)


# Files and formats ----------------------------------------------------------------------------------------------------


def decoder(name):
    return tfvae.Decoder(networks.mlp(4), HEADS[name](6 if name == "product" else (2, 3)))


@pytest.mark.parametrize("name", HEADS)
def test_a_decoder_survives_a_keras_file(name, tmp_path):
    keras.utils.set_random_seed(1)
    one, z = decoder(name), np.random.default_rng(0).normal(size=[5, 4, 3]).astype("float32")
    x = values(name, [4, *one(z).event_shape]).astype("float32")
    for weight in one.weights:
        weight.assign(weight + 0.1)
    one.save(tmp_path / "m.keras")
    other = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(other(z).log_prob(x), one(z).log_prob(x))
    np.testing.assert_array_equal(other(z).mean(), one(z).mean())
    assert [w.shape for w in other.trainable_weights] == [w.shape for w in one.trainable_weights]
    assert other.head.event_shape == one.head.event_shape and other.head.support.discrete == (name in DISCRETE)


@pytest.fixture(scope="module")
def scored():
    """For each head its function from parameters and x to log-density and mean, and inputs."""
    cases = {}
    for name in HEADS:
        head = HEADS[name](6 if name == "product" else (2, 3))
        eta = parameters(head, [5, 4]).astype("float32")
        eta[0] *= 40  # saturated
        x = values(name, [4, *head.event_shape]).astype("float32")
        cases[name] = _scorer(head), eta, x, [w.value for w in head.weights]
    return cases


def _scorer(head):
    def run(eta, x):
        px = head.distribution(eta)
        return {"log_prob": px.log_prob(x), "mean": px.mean()}

    return run


def test_densities_and_means_are_the_same_in_tflite_with_builtin_operators(scored, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    module, signatures = tf.Module(), {}
    module.scales = [weights for *_, weights in scored.values()]
    for name, (run, eta, x, _) in scored.items():
        specs = [tf.TensorSpec([None, None, *eta.shape[2:]]), tf.TensorSpec([None, *x.shape[1:]])]
        signatures[name] = tf.function(run, specs)
        setattr(module, name, signatures[name])
    tf.saved_model.save(module, str(tmp_path / "1"), signatures)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "1"), signature_keys=list(signatures))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    (tmp_path / "m.tflite").write_bytes(converter.convert())
    assert all(is_builtin(operator) for operator in operators(tmp_path / "m.tflite"))
    interpreter = Interpreter(model_path=str(tmp_path / "m.tflite"), num_threads=1)
    for name, (run, eta, x, _) in scored.items():
        mobile, here = interpreter.get_signature_runner(name)(eta=eta, x=x), run(tf.constant(eta), tf.constant(x))
        for key in ("log_prob", "mean"):
            np.testing.assert_allclose(mobile[key], here[key], rtol=2e-5, atol=2e-5, err_msg=f"{name} {key}")


@pytest.mark.parametrize(
    "name", ["beta", "categorical", "continuous_bernoulli", "learned_t", "mixture", "poisson", "zero_inflated"]
)
def test_xla_compiles_densities_and_gradients(name, scored):
    """Negative binomials and logistic levels are parts of the last and of the mixture."""
    run, eta, x, _ = scored[name]

    def gradient(eta):
        with tf.GradientTape() as tape:
            tape.watch(eta)
            score = run(eta, tf.constant(x))["log_prob"]
        return score, tape.gradient(score, eta)

    compiled = tf.function(gradient, jit_compile=True)(tf.constant(eta))
    for one, other in zip(gradient(tf.constant(eta)), compiled, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-4)


# Supports -------------------------------------------------------------------------------------------------------------

REFUSED = {
    "continuous_bernoulli": (
        1.5,
        r"Expected numbers from 0 to 1\. Divide by .*Received: 1 of 12 values .* 1\.5, .*\]=1\.5",
    ),
    "beta": (
        0.0,
        r"Expected numbers between 0 and 1, without 0 and 1.* Use heads\.ContinuousBernoulli .*Received: .*\]=0\.0",
    ),
    "student_t": (np.nan, r"Expected finite float32 numbers.*Received: .*\]=nan"),
    "pixel_normal": (np.inf, r"Expected finite float32 numbers.*Received: .*\]=inf"),
    "quantized_logistic": (
        0.03125,
        r"Expected multiples of 0\.0625 from 0 to 1, 17 levels\. .*Received: .*\]=0\.03125",
    ),
    "mixture": (1.0625, r"Expected multiples of 0\.0625 from 0 to 1, 17 levels\. .*Received: .*\]=1\.0625"),
    "categorical": (-0.0625, r"Expected multiples of 0\.0625 from 0 to 1, 17 levels\. .*Received: .*\]=-0\.0625"),
    "poisson": (2.5, r"Expected whole numbers of at least 0\. Give counts .*Received: .*\]=2\.5"),
    "negative_binomial": (-1.0, r"Expected whole numbers of at least 0\. .*Received: .*\]=-1\.0"),
    "zero_inflated": (np.inf, r"Expected whole numbers of at least 0\. .*Received: .*\]=inf"),
}


def refusal(model, x, message):
    """Refused by fit as an array, and as a stream when its batch is read."""
    with pytest.raises(ValueError, match=message):
        model.fit(x, verbose=0)
    stream = model.check(tf.data.Dataset.from_tensors(x))
    with pytest.raises(ValueError, match=message.split("Received")[0] + "Received: a batch with 1 of"):
        checks.clearly(list, stream)


@pytest.mark.parametrize("name", REFUSED)
def test_values_off_the_support_are_refused(name):
    model = linear_model(HEADS[name](3))
    model.compile("adam")
    x, (bad, message) = values(name, [4, 3]).astype("float32"), REFUSED[name]
    assert model.check(x) is x and len(list(model.check(tf.data.Dataset.from_tensors(x)))) == 1
    x[2, 1] = bad
    refusal(model, x, message)


def test_a_column_that_is_wrong_is_named():
    model = linear_model(HEADS["product"](6))
    model.compile("adam")
    good = values("product", [5, 6]).astype("float32")
    assert not model.check.support.elementwise and not model.check.support.discrete
    for column, bad, message in (
        (0, np.inf, r"finite float32 numbers, in column 0\. .*Received: 1 of 5 values .*x\[3, 0\]=inf"),
        (1, 10.0, r"whole numbers from 0 to 9, 10 levels, in column 1\. .*Received: 1 of 5 values .*x\[3, 1\]=10\.0"),
        (4, 0.5, r"whole numbers of at least 0, in columns 2 to 5\. .*Received: 1 of 20 values .*x\[3, 4\]=0\.5"),
    ):
        x = good.copy()
        x[3, column] = bad
        refusal(model, x, message)
        if column:  # in memory, which from_arrays refuses to hold an infinity
            with pytest.raises(ValueError, match=message):
                model.fit(data.from_arrays(x, x, x, batch_size=5).train, verbose=0)
    for binarization, scale in (
        (data.NoBinarization(), 1),
        (data.StaticBinarization(), 0),
        (data.DynamicBinarization(), 0),
    ):
        splits = data.from_arrays(*[good * scale] * 3, binarization=binarization)
        model.check.resident(splits.train.resident)
    with pytest.raises(ValueError, match=r"in column 1\. .*, 1\]=1\.0"):
        one = linear_model(heads.Product(heads.Normal(1), heads.Categorical(1, 2, 2.0)))
        one.check.resident(
            data.from_arrays(*[np.full([4, 2], 0.5)] * 3, binarization=data.DynamicBinarization()).train.resident
        )


def test_supports_say_whether_a_density_is_a_probability():
    for name, build in HEADS.items():
        assert build(6 if name == "product" else 3).support.discrete == (name in DISCRETE), name
    assert heads.Bernoulli(3).support.discrete and not heads.Normal(3).support.discrete
    assert heads.Product(heads.Poisson(2), heads.Categorical(1, 4)).support.discrete
    assert heads.QuantizedLogistic(3, 65536).support.contains(np.arange(65536, dtype="float32") / 65535).numpy().all()
    assert (
        heads.Categorical(3, 256, 1 / 255)
        .support.contains(np.arange(256, dtype="uint8") / np.float32(255))
        .numpy()
        .all()
    )


MISTAKES = [
    (ValueError, r"Expected levels .* 2 to 65536\. Received: levels=1", lambda: heads.QuantizedLogistic(3, 1)),
    (ValueError, r"Expected components .*=0", lambda: heads.QuantizedLogisticMixture(3, 0)),
    (ValueError, r"Expected levels .*=2\.5", lambda: heads.Categorical(3, 2.5)),
    (ValueError, r"Expected step .*=0", lambda: heads.Categorical(3, 2, 0)),
    (ValueError, r"Expected df .*at least 1.*Received: df=1", lambda: heads.StudentT(3, 1.0)),
    (TypeError, r"Expected df .*or heads\.SharedDegrees.*'learned'", lambda: heads.StudentT(3, "learned")),
    (TypeError, r"Expected df .*Received: df=<SharedScale", lambda: heads.StudentT(3, heads.SharedScale())),
    (ValueError, r"Expected initial .*=0\.5", lambda: heads.SharedDegrees(0.5)),
    (TypeError, r"Expected scale .*OptimalScale.*=<Dense", lambda: heads.Normal(3, keras.layers.Dense(1))),
    (TypeError, r"Expected another scale .*<OptimalScale", lambda: heads.StudentT(3, 4.0, heads.OptimalScale())),
    (ValueError, r"Expected initial .*=0", lambda: heads.OptimalScale(0)),
    (ValueError, r"Expected heads over vectors.*Received: none", heads.Product),
    (TypeError, r"Expected heads from tfvae\.heads.*Received: 3", lambda: heads.Product(3)),
    (ValueError, r"Expected heads over vectors, .*Poisson with event_shape=\(2, 2\)", lambda: _product((2, 2))),
    (ValueError, r"Expected heads of dtype float32 .*dtype float64", lambda: _product(2, dtype="float64")),
    (ValueError, r"used nowhere else.*built=True", lambda: list(map(heads.Product, [heads.Poisson(2)] * 2))),
]  # fmt: skip


def _product(shape, **options):
    return heads.Product(heads.Poisson(shape, **options))


@pytest.mark.parametrize(("error", "message", "run"), MISTAKES)
def test_arguments_are_checked(error, message, run):
    with pytest.raises(error, match=message):
        run()


def test_a_product_of_products_is_a_product_of_their_parts():
    inner = heads.Product(heads.Poisson(2), heads.Categorical(1, 4))
    outer = heads.Product(heads.Normal(1), inner)
    assert [type(part).__name__ for part in outer.heads] == ["Normal", "Poisson", "Categorical"]
    assert outer.event_shape == (4,) and outer.width == 1 + 2 + 4


# Data -----------------------------------------------------------------------------------------------------------------


def test_digits_as_counts_and_as_records_are_the_digits():
    grey = data.load("digits", binarization=data.NoBinarization())
    whole, table = data.load("digit_counts"), data.load("digit_records")
    assert (whole.shape, table.shape, table.sizes) == ((8, 8, 1), (66,), grey.sizes)
    pixels, records = (splits.array("validation") for splits in (whole, table))
    np.testing.assert_array_equal(pixels, grey.array("validation") * 16)
    np.testing.assert_array_equal(records[:, 2:], pixels.reshape(-1, 64))
    np.testing.assert_array_equal(records[:, 1], table.labels["validation"])
    assert pixels.dtype == records.dtype == np.float32 and set(np.unique(pixels)) == set(range(17))
    assert {splits.binarization.describe() for splits in (whole, table)} == {"none"}


def test_a_model_of_records_learns_and_one_of_counts_takes_its_data():
    linear_model(heads.Poisson((8, 8, 1))).check.resident(data.load("digit_counts").train.resident)
    splits = data.load("digit_records")
    parts = heads.Normal(1, heads.OptimalScale()), heads.Categorical(1, 10), heads.NegativeBinomial(64)
    model = linear_model(heads.Product(*parts))
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    history = model.fit(splits.train, epochs=6, verbose=0).history
    assert history["elbo"][-1] > history["elbo"][0] + 5 and parts[0].scale.value() < 1.0
    assert model.sample(3).shape == (3, 66)
