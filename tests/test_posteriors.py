"""Families of posteriors: densities integrate to one, draws fit them, divergences, path derivatives, limits."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats
from tensorflow_probability import distributions as tfd

import tfvae
from tfvae import distributions, heads, networks, priors
from tfvae.distributions import centre, moments
from tfvae.heads.scales import positive
from tfvae.random import Seed, as_seed, draw, draw_and_score, has_rule

DTYPES = ["float32", "float64"]
BATCH = 4

HEADS = {
    "full_normal": lambda **k: heads.FullNormal(3, **k),
    "low_rank_normal": lambda **k: heads.LowRankNormal(4, 2, **k),
    "laplace": lambda **k: heads.Laplace(3, **k),
    "circle": lambda **k: heads.PowerSpherical(2, **k),
    "sphere": lambda **k: heads.PowerSpherical(3, **k),
    "even_sphere": lambda **k: heads.PowerSpherical(6, **k),
    "relaxed_categorical": lambda **k: heads.RelaxedCategorical(2, 3, **k),
}
EXACT = {  # families whose divergence from their prior has a closed form
    "full_normal": lambda **k: priors.StandardNormal(3, **k),
    "low_rank_normal": lambda **k: priors.StandardNormal(4, **k),
    "laplace": lambda **k: priors.StandardLaplace(3, **k),
    "circle": lambda **k: priors.UniformSphere(2, **k),
    "sphere": lambda **k: priors.UniformSphere(3, **k),
    "even_sphere": lambda **k: priors.UniformSphere(6, **k),
}


def eta(head, batch=BATCH, dtype="float64", seed=0):
    """Parameters for a head, as its projection would give them."""
    return tf.constant(np.random.default_rng(seed).normal(size=[batch, head.width]), dtype)


def posterior(name, dtype="float64", batch=BATCH):
    head = HEADS[name](dtype=dtype)
    return head.distribution(eta(head, batch, dtype))


def sampled(q, how, size, seed):
    """Draws by our noise, or by the sampler that TFP's interface offers; [size, *B, D] in NumPy."""
    return (draw(q, size, as_seed(seed)) if how == "draw" else q.sample(size, seed=(seed % 1000, 1))).numpy()


# Densities -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "head", [heads.FullNormal(2), heads.LowRankNormal(2, 1), heads.Laplace(2), heads.Laplace((1, 2))],
    ids=lambda head: head.name,
)  # fmt: skip
def test_densities_of_real_vectors_integrate_to_one(head, dtype):
    q = head.distribution(tf.reshape(eta(head, dtype=dtype), [BATCH, *head.event_shape[:-1], -1]))
    line = np.linspace(-25, 25, 1001 if isinstance(head, heads.Laplace) else 301)  # a Laplace density has a kink
    grid = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 1, *head.event_shape)
    mass = np.exp(q.log_prob(grid.astype(dtype)).numpy().astype("float64")).sum(0) * (line[1] - line[0]) ** 2
    np.testing.assert_allclose(mass, np.ones(BATCH), atol=1e-3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_densities_on_circle_and_sphere_integrate_to_one(dtype):
    angle = np.arange(2000) * (2 * np.pi / 2000)
    circle = np.stack([np.cos(angle), np.sin(angle)], -1)[:, None].astype(dtype)
    height, weight = np.polynomial.legendre.leggauss(100)
    height, turn = (grid.ravel() for grid in np.meshgrid(height, angle[::10], indexing="ij"))
    flat = np.sqrt(1 - height**2)
    sphere = np.stack([flat * np.cos(turn), flat * np.sin(turn), height], -1)[:, None].astype(dtype)
    for q, points, measure in (
        (posterior("circle", dtype), circle, 2 * np.pi / 2000),
        (priors.UniformSphere(2, dtype=dtype)(), circle, 2 * np.pi / 2000),
        (posterior("sphere", dtype), sphere, np.repeat(weight, 200)[:, None] * (2 * np.pi / 200)),
        (priors.UniformSphere(3, dtype=dtype)(), sphere, np.repeat(weight, 200)[:, None] * (2 * np.pi / 200)),
    ):
        mass = (np.exp(q.log_prob(points).numpy().astype("float64")) * measure).sum(0)
        np.testing.assert_allclose(mass, np.ones_like(mass), rtol=2e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("groups", "classes"), [(1, 2), (1, 3), (2, 2)])
def test_relaxed_densities_integrate_to_one_over_log_ratios(groups, classes, dtype):
    """The measure dx / prod_k x_k of the simplex is Lebesgue's on log x_k - log x_K."""
    line = np.linspace(-45, 45, 601)
    free = groups * (classes - 1)
    ratios = np.stack(np.meshgrid(*[line] * free, indexing="ij"), -1).reshape(-1, groups, classes - 1)
    z = special.log_softmax(np.concatenate([ratios, np.zeros([len(ratios), groups, 1])], -1), -1)
    z = z.reshape(len(ratios), 1, groups * classes).astype(dtype)
    head = heads.RelaxedCategorical(groups, classes, temperature=0.8, dtype=dtype)
    for q in (head.distribution(eta(head, 2, dtype)), priors.UniformCategorical(groups, classes, 0.7, dtype=dtype)()):
        mass = np.exp(q.log_prob(z).numpy().astype("float64")).sum(0) * (line[1] - line[0]) ** free
        np.testing.assert_allclose(mass, np.ones_like(mass), rtol=1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
def test_normals_have_the_covariance_that_their_parameters_say(dtype):
    """Against SciPy's density; every number of the triangle is used once."""
    z = np.random.default_rng(1).normal(0, 2, [5, BATCH, 4])
    head = heads.FullNormal(4)
    loc, raw, below = np.split(eta(head).numpy(), [4, 8], -1)
    q = head.distribution(eta(head, dtype=dtype))
    lower = q.scale_tril.numpy()
    np.testing.assert_array_equal(lower, np.tril(lower))
    np.testing.assert_allclose(np.diagonal(lower, 0, 1, 2), positive(raw), rtol=1e-6)
    under = lower[:, *np.tril_indices(4, -1)]
    np.testing.assert_allclose(np.sort(under, -1), np.sort(below, -1), rtol=1e-6)
    covariances = {q: lower @ np.swapaxes(lower, 1, 2)}
    head = heads.LowRankNormal(4, 2)
    other, raw, factor = np.split(eta(head).numpy(), [4, 8], -1)
    factor = factor.reshape(BATCH, 4, 2)
    low_rank = head.distribution(eta(head, dtype=dtype))
    covariances[low_rank] = factor @ np.swapaxes(factor, 1, 2) + positive(raw).numpy()[..., None] ** 2 * np.eye(4)
    for (q, covariance), mean in zip(covariances.items(), (loc, other), strict=True):
        for b in range(BATCH):
            truth = stats.multivariate_normal(mean[b], covariance[b]).logpdf(z[:, b])
            np.testing.assert_allclose(
                q.log_prob(z.astype(dtype))[:, b], truth, rtol=1e-5 if dtype == "float32" else 1e-9
            )
        np.testing.assert_allclose(q.covariance(), covariance, rtol=1e-5, atol=1e-6)
        mean_of, stddev = moments(q)
        np.testing.assert_allclose(mean_of, mean, rtol=1e-6)
        np.testing.assert_allclose(stddev, np.sqrt(np.diagonal(covariance, 0, 1, 2)), rtol=1e-5)


def test_low_rank_density_keeps_its_digits_where_the_factor_dwarfs_the_diagonal():
    rng = np.random.default_rng(2)
    loc, deviation, factor = rng.normal(size=6), np.full(6, 1e-2), rng.normal(size=[6, 3])
    covariance = np.diag(deviation**2) + factor @ factor.T
    z = loc + deviation * rng.normal(size=[100, 6]) + rng.normal(size=[100, 3]) @ factor.T
    q = distributions.LowRankNormal(*(tf.constant(a, "float32") for a in (loc, deviation**2, factor)))
    truth = stats.multivariate_normal(loc, covariance).logpdf(z)
    np.testing.assert_allclose(q.log_prob(z.astype("float32")), truth, atol=5e-3)  # Woodbury's difference: 0.1
    z = loc + 100 * rng.normal(size=[100, 6])
    truth = stats.multivariate_normal(loc, covariance).logpdf(z)
    np.testing.assert_allclose(q.log_prob(z.astype("float32")), truth, rtol=1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [2, 3, 4, 5, 11, 50])
def test_power_spherical_density_and_entropy_are_those_of_the_gamma_function(size, dtype):
    rng = np.random.default_rng(3)
    mu, kappa = rng.normal(size=[5, size]), np.array([0.0, 1.1, 4.0, 90.0, 1e4])
    mu /= np.linalg.norm(mu, axis=-1, keepdims=True)
    z = rng.normal(size=[7, 5, size])
    z /= np.linalg.norm(z, axis=-1, keepdims=True)
    b = (size - 1) / 2
    a = kappa + b
    log_n = (a + b) * np.log(2) + b * np.log(np.pi) + special.gammaln(a) - special.gammaln(a + b)
    truth = special.xlog1py(kappa, (z * mu).sum(-1)) - log_n
    q = distributions.PowerSpherical(tf.constant(mu, dtype), tf.constant(kappa, dtype))
    tight = 1e-10 if dtype == "float64" else 1e-5
    rounding = 4 * np.finfo(dtype).eps * kappa  # of the scalar product
    assert (np.abs(q.log_prob(z.astype(dtype)) - truth) < tight * (1 + np.abs(truth)) + rounding).all()
    exact = tfd.PowerSpherical(mu, kappa)
    np.testing.assert_allclose(q.entropy(), exact.entropy(), rtol=tight, atol=tight)
    mean, stddev = moments(q)
    np.testing.assert_allclose(mean, exact.mean(), rtol=tight, atol=tight)
    np.testing.assert_allclose(stddev, np.sqrt(np.diagonal(exact.covariance(), 0, 1, 2)), rtol=100 * tight)
    np.testing.assert_allclose(centre(q), mu, rtol=tight)


# Draws ---------------------------------------------------------------------------------------------------------------


def _fits(values, law):
    """The p-value of a Kolmogorov-Smirnov test of each column, the lowest of them times their number."""
    columns = values.reshape(len(values), -1).T
    laws = law if isinstance(law, list) else [law] * len(columns)
    return len(columns) * min(stats.kstest(column, law.cdf).pvalue for column, law in zip(columns, laws, strict=True))


HOW = ["draw", "sample"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", ["full_normal", "low_rank_normal"])
def test_normal_draws_fit_their_density(name, how, dtype, seed):
    """Whitened by an independent decomposition of the covariance; fails by chance at 1e-5 each."""
    q = posterior(name, dtype)
    z = sampled(q, how, 4000, seed).astype("float64") - q.mean().numpy()
    lower = np.linalg.cholesky(q.covariance().numpy().astype("float64"))
    white = np.linalg.solve(lower, np.moveaxis(z, 0, -1))  # [B, D, S]
    assert _fits(np.moveaxis(white, -1, 0), stats.norm()) > 1e-5
    assert _fits(np.square(white).sum(1).T, stats.chi2(white.shape[1])) > 1e-5


@pytest.mark.parametrize("dtype", DTYPES)
def test_laplace_draws_fit_their_density(dtype, seed):
    """Fails by chance at 1e-5 each."""
    q = posterior("laplace", dtype)
    z = sampled(q, "draw", 4000, seed)
    standard = (z - q.distribution.loc.numpy()) / q.distribution.scale.numpy()
    assert _fits(standard, stats.laplace()) > 1e-5
    image = heads.Laplace((2, 2, 1)).distribution(tf.random.stateless_normal([3, 2, 2, 2], [0, 1]))
    assert draw(image, 5, as_seed(0)).shape == (5, 3, 2, 2, 1) and has_rule(image)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("size", [2, 3, 4, 7])
def test_spherical_draws_fit_their_density(size, how, dtype, seed):
    """(1 + mu.z) / 2 is Beta; what is tangent is uniform, so that its cosine is Beta too; 1e-5 each."""
    rng = np.random.default_rng(5)
    mu, kappa = rng.normal(size=[4, size]), np.array([1.1, 3.0, 20.0, 500.0])
    mu /= np.linalg.norm(mu, axis=-1, keepdims=True)
    q = distributions.PowerSpherical(tf.constant(mu, dtype), tf.constant(kappa, dtype))
    z = sampled(q, how, 4000, seed).astype("float64")
    np.testing.assert_allclose(np.linalg.norm(z, axis=-1), np.ones([4000, 4]), rtol=1e-6)
    along = (z * mu).sum(-1)
    b = (size - 1) / 2
    assert _fits((1 + along) / 2, [stats.beta(k + b, b) for k in kappa]) > 1e-5
    tangent = z - along[..., None] * mu
    axis = rng.normal(size=[4, size])
    axis -= (axis * mu).sum(-1, keepdims=True) * mu
    cosine = (tangent * axis).sum(-1) / np.linalg.norm(tangent, axis=-1) / np.linalg.norm(axis, axis=-1)
    if size == 2:
        assert np.abs((cosine > 0).sum(0) - 2000).max() < 5 * np.sqrt(1000)
    else:
        assert _fits((1 + cosine) / 2, stats.beta((size - 2) / 2, (size - 2) / 2)) > 1e-5
        assert np.abs(np.corrcoef(along[:, 0], cosine[:, 0])[0, 1]) < 5 / np.sqrt(4000)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", HOW)
def test_relaxed_draws_fit_their_density_and_their_argmax_the_categorical(how, dtype, seed):
    """Each log x_k / x_K is logistic, and the Gumbel-max law holds at any temperature; 1e-5 each."""
    head = heads.RelaxedCategorical(2, 3, temperature=0.5, dtype=dtype)
    logits = eta(head, 2).numpy().reshape(2, 2, 3)
    q = head.distribution(eta(head, 2, dtype))
    z = sampled(q, how, 5000, seed).reshape(5000, 2, 2, 3).astype("float64")
    np.testing.assert_allclose(special.logsumexp(z, -1), np.zeros([5000, 2, 2]), atol=1e-5)
    for k in range(2):
        ratio = (z[..., k] - z[..., 2]) * 0.5 - (logits[..., k] - logits[..., 2])
        assert _fits(ratio, stats.logistic()) > 1e-5
    hits = (z.argmax(-1)[..., None] == np.arange(3)).sum(0)  # [2, 2, 3]
    expected = 5000 * special.softmax(logits, -1)
    square = (np.square(hits - expected) / expected).sum(-1)
    assert 4 * stats.chi2(2).sf(square).min() > 1e-5


@pytest.mark.parametrize("name", HEADS)
def test_a_draw_comes_with_its_density_and_depends_on_its_place_alone(name):
    """Blocks of samples and of examples are the rows of the whole: what evidence and export rely on."""
    head = HEADS[name]()
    parameters = eta(head, dtype="float32")
    q = head.distribution(parameters)
    assert has_rule(q)
    z, log_q = draw_and_score(q, 5, as_seed(7))
    assert z.shape == (5, BATCH, *q.event_shape) and log_q.shape == (5, BATCH)
    np.testing.assert_array_equal(z, draw(q, 5, as_seed(7)))
    np.testing.assert_allclose(log_q, q.log_prob(z), rtol=2e-5, atol=2e-5)
    copied = tf.nest.map_structure(tf.identity, q, expand_composites=True)  # as where gradients are stopped
    assert type(copied) is type(q)
    np.testing.assert_array_equal(copied.log_prob(z), q.log_prob(z))
    words = as_seed(7).words
    np.testing.assert_allclose(draw(q, 3, Seed(words, sample=2)), z[2:], rtol=1e-6)
    last = head.distribution(parameters[1:])
    np.testing.assert_allclose(draw(last, 5, Seed(words, example=1)), z[:, 1:], rtol=1e-5, atol=1e-6)


def test_a_point_draws_itself():
    head = heads.Point(3)
    loc = eta(head, dtype="float32")
    q = head.distribution(loc)
    np.testing.assert_array_equal(draw(q, 2, as_seed(0)), np.stack([loc, loc]))
    np.testing.assert_array_equal(centre(q), loc)
    mean, stddev = moments(q)
    assert has_rule(q) and (mean.numpy() == loc.numpy()).all() and not stddev.numpy().any()


def test_spherical_draws_and_gradients_stay_finite_at_any_concentration():
    mu = np.eye(3, dtype="float32")
    for kappa in (1.0, 1e2, 1e4, 1e6, 1e8):
        parameters = [tf.constant(mu), tf.fill([3], kappa)]
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            q = distributions.PowerSpherical(*parameters)
            z, log_q = draw_and_score(q, 2000, as_seed(1))
            value = tf.reduce_sum(z[..., 0]) + tf.reduce_sum(log_q) + tf.reduce_sum(q.entropy())
        np.testing.assert_allclose(np.linalg.norm(z, axis=-1), np.ones([2000, 3]), rtol=1e-6)
        assert np.isfinite(value) and all(np.isfinite(g).all() for g in tape.gradient(value, parameters))
        exact = distributions.PowerSpherical(mu.astype("float64"), np.full(3, kappa)).entropy()
        np.testing.assert_allclose(q.entropy(), exact, rtol=1e-4)


# Divergences ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXACT)
def test_divergence_in_closed_form_equals_the_sampled_one(name, dtype, seed):
    q, p = posterior(name, dtype), EXACT[name](dtype=dtype)()
    z = draw(q, 20000, as_seed(seed))
    ratio = (q.log_prob(z) - p.log_prob(z)).numpy().astype("float64")
    error = ratio.std(0, ddof=1) / np.sqrt(len(ratio))
    assert (np.abs(ratio.mean(0) - tfd.kl_divergence(q, p).numpy()) < 5 * error).all()


@pytest.mark.parametrize("name", ["full_normal", "low_rank_normal"])
def test_divergence_from_a_diagonal_normal_is_that_of_full_covariances(name):
    q = posterior(name)
    size = q.event_shape[0]
    rng = np.random.default_rng(4)
    loc, scale = rng.normal(size=size), rng.uniform(0.3, 2, size)
    ours = tfd.kl_divergence(q, tfd.MultivariateNormalDiag(loc, scale))
    covariance = q.covariance().numpy()
    shift = np.square((q.mean().numpy() - loc) / scale).sum(-1)
    trace = (np.diagonal(covariance, 0, 1, 2) / scale**2).sum(-1)
    determinants = 2 * np.log(scale).sum() - np.linalg.slogdet(covariance)[1]
    np.testing.assert_allclose(ours, 0.5 * (trace + shift - size + determinants), rtol=1e-10)


def test_a_relaxed_posterior_has_no_divergence_in_closed_form():
    q, p = posterior("relaxed_categorical"), priors.UniformCategorical(2, 3, dtype="float64")()
    with pytest.raises(NotImplementedError):
        tfd.kl_divergence(q, p)


# Path derivatives ----------------------------------------------------------------------------------------------------


def _closed(q, weights, square):
    """E[w.z + z.A z] for the mean and the covariance of q."""
    mean, covariance = q.mean(), q.covariance()
    along = tf.linalg.matvec(square, mean)
    return (
        tf.reduce_sum(weights * mean, -1)
        + tf.reduce_sum(along * mean, -1)
        + tf.reduce_sum(square * covariance, [-2, -1])
    )


def _spherical(size):
    def make(raw):
        return distributions.PowerSpherical(tf.math.l2_normalize(raw[..., :size], -1), tf.exp(raw[..., size]))

    return make, size, size + 1


def _of(head):
    return head.distribution, head.event_shape[0], head.width


@pytest.mark.parametrize(
    ("make", "size", "width"),
    [_of(heads.FullNormal(3)), _of(heads.LowRankNormal(3, 2)), *map(_spherical, (2, 3, 4, 5, 8))],
    ids=["full_normal", "low_rank_normal", "circle", "sphere-3", "sphere-4", "sphere-5", "sphere-8"],
)
def test_path_derivatives_are_those_of_the_expectation(make, size, width, seed):
    """Fifty independent estimates of d E[f(z)] for quadratic f; each of the derivatives fails by chance at 2e-6."""
    rng = np.random.default_rng(6)
    weights, square = tf.constant(rng.normal(size=size)), tf.constant(rng.normal(size=[size, size]))
    one = tf.constant(rng.normal(size=[1, width]))
    many = tf.repeat(one, 50, 0)
    with tf.GradientTape() as tape:
        tape.watch(one)
        q = make(one)
        if isinstance(q, tfd.PowerSpherical):  # moments of TFP's own
            q = tfd.PowerSpherical(q.mean_direction, q.concentration)
        value = _closed(q, weights, square)
    exact = tape.gradient(value, one).numpy()
    with tf.GradientTape() as tape:
        tape.watch(many)
        z = draw(make(many), 1000, as_seed(seed))
        value = tf.reduce_sum(z * weights, -1) + tf.reduce_sum(tf.linalg.matvec(square, z) * z, -1)
        value = tf.reduce_mean(value, 0)
    estimates = tape.gradient(value, many).numpy()
    error = estimates.std(0, ddof=1) / np.sqrt(50)
    assert (np.abs(estimates.mean(0) - exact[0]) < 5.5 * error + 1e-12).all()


@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_spherical_draw_moves_no_farther_than_its_mean_direction(size):
    """Its path derivative has no part that turns it about the mean direction, whose variance would be unbounded."""
    rng = np.random.default_rng(7)
    mu, way = rng.normal(size=[2, size])
    mu /= np.linalg.norm(mu)
    way -= (way @ mu) * mu
    mu, way = tf.constant(mu), tf.constant(way / np.linalg.norm(way))
    with tf.autodiff.ForwardAccumulator(mu, way) as forward:
        z = draw(distributions.PowerSpherical(mu, tf.constant(3.0, tf.float64)), 5000, as_seed(0))
    moves = np.linalg.norm(forward.jvp(z), axis=-1)
    assert moves.max() <= 1 + 1e-9 and np.median(moves) > 0.1


def test_laplace_and_relaxed_draws_have_path_derivatives():
    for name in ("laplace", "relaxed_categorical"):
        head = HEADS[name](dtype="float64")
        parameters = eta(head)
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            z = draw(head.distribution(parameters), 1, as_seed(2))
            value = tf.reduce_sum(tf.sin(z))
        gradient = tape.gradient(value, parameters).numpy()
        for seed in range(4):
            way = np.random.default_rng(seed).normal(size=parameters.shape)
            up, down = (draw(head.distribution(parameters + s * way), 1, as_seed(2)) for s in (1e-6, -1e-6))
            numeric = (tf.reduce_sum(tf.sin(up)) - tf.reduce_sum(tf.sin(down))) / 2e-6
            assert (gradient * way).sum() == pytest.approx(float(numeric), rel=1e-5)


# Points and moments --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HEADS)
def test_moments_are_those_of_the_draws(name, seed):
    """In closed form within five errors of 20000 draws; where 64 draws estimate them, within five of theirs."""
    q = posterior(name)
    z = draw(q, 20000, as_seed(seed)).numpy()
    mean, stddev = moments(q)
    draws = 64 if name == "relaxed_categorical" else 20000
    heavy = 3 if name in ("laplace", "relaxed_categorical") else 1  # the error of a deviation grows with the tails
    assert (np.abs(mean - z.mean(0)) < 5 * z.std(0) * np.sqrt(1 / draws + 1 / 20000)).all()
    assert (np.abs(stddev / z.std(0) - 1) < 5 * heavy / np.sqrt(2 * draws)).all()
    np.testing.assert_array_equal(moments(q)[0], mean)
    head = HEADS[name](dtype="float64")
    for forth, back in zip(moments(q), moments(head.distribution(eta(head)[::-1])), strict=True):
        np.testing.assert_allclose(back[::-1], forth, rtol=1e-9)  # wherever an example stands in its batch


def test_centres_lie_on_the_support():
    q = posterior("relaxed_categorical")
    groups = centre(q).numpy().reshape(BATCH, 2, 3)
    np.testing.assert_allclose(special.logsumexp(groups, -1), np.zeros([BATCH, 2]), atol=1e-12)
    logits = eta(HEADS["relaxed_categorical"]()).numpy().reshape(BATCH, 2, 3)
    np.testing.assert_allclose(groups, special.log_softmax(logits / np.float32(2 / 3), -1), rtol=1e-6)
    assert np.asarray(heads.LOG_SIMPLEX.contains(centre(q))).all()
    for name in ("circle", "sphere", "even_sphere"):
        point = centre(posterior(name))
        np.testing.assert_allclose(np.linalg.norm(point, axis=-1), np.ones(BATCH), rtol=1e-12)
        assert np.asarray(heads.SPHERE.contains(point)).all() and not np.asarray(heads.SPHERE.contains(2 * point)).any()


def test_a_family_without_a_mean_has_the_estimates_for_a_centre():
    q = tfd.Independent(tfd.LogitNormal(tf.zeros([3, 2]), 1.0), 1)
    mean, stddev = moments(q)
    np.testing.assert_allclose(mean, np.full([3, 2], 0.5), atol=0.13)  # five errors: 0.208 / 8 each
    np.testing.assert_allclose(stddev, np.full([3, 2], 0.208), rtol=0.5)
    np.testing.assert_array_equal(centre(q), mean)


# Limits --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [heads.FullNormal(3), heads.LowRankNormal(3, 2)], ids=lambda head: head.name)
def test_normals_without_correlation_are_diagonal(head):
    parameters = np.random.default_rng(0).normal(size=[BATCH, head.width])
    parameters[:, 6:] = 0
    parameters = tf.constant(parameters)
    q, diagonal = head.distribution(parameters), heads.DiagonalNormal(3).distribution(parameters[:, :6])
    z = np.random.default_rng(1).normal(size=[5, BATCH, 3])
    np.testing.assert_allclose(q.log_prob(z), diagonal.log_prob(z), rtol=1e-10)
    p = priors.StandardNormal(3, dtype="float64")()
    np.testing.assert_allclose(tfd.kl_divergence(q, p), tfd.kl_divergence(diagonal, p), rtol=1e-10)
    if isinstance(head, heads.FullNormal):
        np.testing.assert_allclose(draw(q, 5, as_seed(0)), draw(diagonal, 5, as_seed(0)), rtol=1e-10)


def test_features_of_zero_give_proper_distributions():
    """Relu layers without a bias may end there: a direction must not have the length zero."""
    for name, make in HEADS.items():
        head = make()
        q = head.distribution(tf.zeros([2, head.width]))
        z, log_q = draw_and_score(q, 3, as_seed(0))
        assert np.isfinite(z).all() and np.isfinite(log_q).all(), name
    direction = HEADS["sphere"]().distribution(tf.zeros([1, 4])).mean_direction
    assert np.linalg.norm(direction) == pytest.approx(1, rel=1e-6)


def test_a_cold_relaxation_is_one_hot_and_a_hot_one_uniform():
    for temperature, spread in ((0.01, 1.0), (1e4, 1 / 3)):
        head = heads.RelaxedCategorical(2, 3, temperature, floor=0.01)
        x = np.exp(draw(head.distribution(eta(head, dtype="float32")), 50, as_seed(0)))
        np.testing.assert_allclose(np.median(x.reshape(-1, 3).max(-1)), spread, atol=1e-3)


# Compilers -----------------------------------------------------------------------------------------------------------


def _everything(made, parameters, seed):
    """What a model asks of each family, from the parameters of its head."""
    results = {}
    for name, head in made.items():
        if name == "relaxed_categorical":  # without the weight of its temperature
            groups = tfd.ExpRelaxedOneHotCategorical(0.5, logits=tf.reshape(parameters[name], [-1, 2, 3]))
            q = distributions.RelaxedCategorical(groups, 1)
        else:
            q = head.distribution(parameters[name])
            results[f"{name}_rate"] = tfd.kl_divergence(q, EXACT[name]()())
        results[f"{name}_z"], results[f"{name}_log_q"] = draw_and_score(q, 3, Seed(seed))
        results[f"{name}_mean"], results[f"{name}_stddev"] = moments(q)
        results[f"{name}_centre"] = centre(q)
        if name != "full_normal":  # TFLite has no triangular solver
            results[f"{name}_log_prob"] = q.log_prob(results[f"{name}_z"])
    return results


def _prepared(names):
    made = {name: HEADS[name]() for name in names}
    parameters = {name: eta(head, dtype="float32") for name, head in made.items()}
    return functools.partial(_everything, made), parameters, tf.constant([5, -6])


@pytest.mark.parametrize(
    "names",
    [("low_rank_normal", "even_sphere"), pytest.param(tuple(HEADS), marks=pytest.mark.slow)],
    ids=["two", "all"],
)
def test_families_convert_to_builtin_operators(names):
    from ai_edge_litert.interpreter import Interpreter

    everything, parameters, seed = _prepared(names)
    specs = {name: tf.TensorSpec([None, value.shape[1]], name=name) for name, value in parameters.items()}
    module = tf.Module()
    module.everything = tf.function(everything, autograph=False)
    traced = module.everything.get_concrete_function(specs, tf.TensorSpec([2], tf.int32, "seed"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    runner = Interpreter(model_content=converter.convert()).get_signature_runner()
    lite = runner(**{name: value.numpy() for name, value in parameters.items()}, seed=seed.numpy())
    for name, value in everything(parameters, seed).items():
        np.testing.assert_allclose(lite[name], value, rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("name", HEADS)
def test_xla_compiles_families_and_their_gradients(name):
    everything, parameters, seed = _prepared([name])

    @tf.function(jit_compile=True, autograph=False)
    def compiled(parameters, seed):
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            results = everything(parameters, seed)
            total = tf.add_n([tf.reduce_sum(value) for value in results.values()])
        return results, tape.gradient(total, parameters)[name]

    results, gradient = compiled(parameters, seed)
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0
    for key, value in everything(parameters, seed).items():
        np.testing.assert_allclose(results[key], value, rtol=1e-4, atol=1e-4, err_msg=key)


# Temperatures, arguments, files --------------------------------------------------------------------------------------


def test_temperature_follows_its_schedule():
    rate = 1e-3
    decay = keras.optimizers.schedules.ExponentialDecay(1.0, 1000, float(np.exp(-1000 * rate)))
    head = heads.RelaxedCategorical(2, 3, decay, floor=0.5)
    assert float(head.temperature) == 1.0 and not head.trainable_weights
    for step in (0, 1, 100, 500, 693, 694, 5000):
        head.update(None, None, tf.constant(step, tf.int64))
        assert float(head.temperature) == pytest.approx(max(0.5, np.exp(-rate * step)), rel=1e-5)
        assert float(head.distribution(tf.zeros([1, 6])).distribution.temperature) == float(head.temperature)
    fixed = heads.RelaxedCategorical(2, 3, 0.8)
    fixed.update(None, None, tf.constant(1000))
    assert float(fixed.temperature) == pytest.approx(0.8)


def test_a_model_anneals_its_temperature_and_a_file_keeps_it(tmp_path):
    decay = keras.optimizers.schedules.ExponentialDecay(1.0, 10, 0.5)
    encoder = tfvae.Encoder(networks.mlp(4), heads.RelaxedCategorical(2, 3, decay, floor=0.2))
    network = keras.Sequential([keras.layers.Activation("exponential"), keras.layers.Dense(4)])
    decoder = tfvae.Decoder(network, heads.Bernoulli(5))
    model = tfvae.VAE(encoder, decoder, priors.UniformCategorical(2, 3), seed=0)
    assert not model.fits.exact_rate
    model.compile("adam")
    model.fit(np.zeros([32, 5], "float32"), batch_size=8, epochs=2, verbose=0)
    reached = float(encoder.head.temperature)
    assert reached == pytest.approx(0.5 ** (8 / 10))  # eight steps were taken
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert float(again.encoder.head.temperature) == reached
    assert again.encoder.head.get_config() == encoder.head.get_config()


@pytest.mark.parametrize(
    "make",
    [
        *HEADS.values(),
        lambda: heads.Point(3),
        lambda: heads.Laplace((2, 2)),
        lambda: heads.RelaxedCategorical(1, 2, 0.3),
    ],
)
def test_heads_are_made_again_from_their_configuration(make):
    head = make()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(head))
    assert again.get_config() == head.get_config() and again.width == head.width


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: heads.FullNormal((2, 2)), r"Expected FullNormal to model a vector, .*Received: event_shape=\(2, 2\)"),
        (lambda: heads.LowRankNormal((2, 2)), r"Expected LowRankNormal to model a vector"),
        (lambda: heads.LowRankNormal(3, rank=0), r"Expected rank to be a positive .*Received: rank=0"),
        (lambda: heads.Point((2, 2)), r"Expected Point to model a vector"),
        (lambda: heads.PowerSpherical(1), r"D of at least 2. Received: event_shape=\(1,\)"),
        (lambda: heads.RelaxedCategorical(0, 3), r"Expected groups .*positive.*groups=0"),
        (lambda: heads.RelaxedCategorical(2, 1), r"Expected classes .*from 2 .*classes=1"),
        (
            lambda: heads.RelaxedCategorical(2, 3, 0.05),
            r"temperature .*at least 0.1, or a schedule. .*temperature=0.05",
        ),
        (lambda: heads.RelaxedCategorical(2, 3, floor=0), r"Expected floor .*at least 0.01. Received: floor=0"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
