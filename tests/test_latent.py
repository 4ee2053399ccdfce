"""The latent space of a trained model, against channels whose information is known in closed form."""

import json
import math
from functools import cache

import numpy as np
import pytest
from cases import CASES
from scipy import integrate, stats
from sklearn.linear_model import LogisticRegression

import tfvae
from tfvae import evaluation, heads, networks, objectives, priors, zoo
from tfvae.evaluation.latent import mixture, two_sample
from tfvae.heads.scales import SCALE_FLOOR

QUIET = {"progress": False}


def channel(gain, scale, shift=0.0):
    """Return a model with q(z | x) = N(gain x + shift, diag(scale)^2) and p(z) = N(0, I), compiled once."""
    gain = np.asarray(gain, "float64")
    return _channel(tuple(map(tuple, gain)), tuple(np.full(len(gain), scale)), shift)


@cache
def _channel(gain, scale, shift):
    latent, size = np.shape(gain)
    raw = np.log(np.expm1(np.array(scale) - SCALE_FLOOR)) - math.log(math.e - 1)
    encoder = tfvae.Encoder(networks.mlp(), heads.DiagonalNormal(latent))
    decoder = tfvae.Decoder(networks.mlp(), heads.Normal(size, 1.0))
    model = tfvae.VAE(encoder, decoder, priors.StandardNormal(latent), seed=0)
    kernel = np.concatenate([np.transpose(gain), np.zeros([size, latent])], 1)
    encoder.head.projection.linear.set_weights([kernel, np.concatenate([np.full(latent, shift), raw])])
    return model


def normal(n, size, seed):
    return np.random.default_rng(seed).normal(size=[n, size]).astype("float32")


# The channel z = L x + s e with x ~ N(0, I): Cov[z] = L L^T + s^2 I, and every term is a log-determinant.
GAIN, SCALE = np.array([[0.9, 0.0, 0.0], [0.5, 0.6, 0.0], [0.0, 0.3, 0.2]]), 0.6
COVARIANCE = GAIN @ GAIN.T + SCALE**2 * np.eye(3)
CORRELATION = COVARIANCE / np.sqrt(np.outer(np.diag(COVARIANCE), np.diag(COVARIANCE)))
TRUTH = {
    "mutual_information": 0.5 * np.linalg.slogdet(COVARIANCE / SCALE**2)[1],
    "total_correlation": -0.5 * np.linalg.slogdet(CORRELATION)[1],
    "dimension_wise_kl": 0.5 * np.sum(np.diag(COVARIANCE) - 1 - np.log(np.diag(COVARIANCE))),
    "marginal_kl": 0.5 * (np.trace(COVARIANCE) - 3 - np.linalg.slogdet(COVARIANCE)[1]),
}
TRUTH["rate"] = TRUTH["mutual_information"] + TRUTH["marginal_kl"]


# Active units --------------------------------------------------------------------------------------------------------


def test_active_units_are_those_whose_mean_varies(seed):
    """The variance of z_d = g_d x_d is g_d^2, and the error of an estimate sqrt(2 / n) of it."""
    gains, x = np.array([0.5, 0.2, 0.08, 0.01]), normal(3000, 4, seed)
    record = evaluation.active_units(channel(np.diag(gains), 0.5), x, **QUIET)
    np.testing.assert_allclose(record.variances, np.var(x, 0) * gains**2, rtol=1e-4)
    np.testing.assert_allclose(record.standard_errors, gains**2 * np.sqrt(2 / 3000), rtol=0.2)
    assert (record.count, record.active.tolist(), record.examples) == (2, [True, True, False, False], 3000)
    assert record.threshold == 0.01 and "2 of 4 units are inactive" in record.warnings[0]
    assert evaluation.active_units(channel(np.diag(gains), 0.5), x, threshold=0.003, **QUIET).count == 3
    assert str(record).startswith("active units 2 of 4 (0 within two standard errors of the threshold 0.01)")


@pytest.mark.parametrize("name", ["planar", "iaf", "s_vae", "gumbel", "rae_l2", "vamp"])
def test_an_encoder_that_ignores_x_has_no_active_unit_and_no_information(name):
    """In every family: an estimate of the mean that carries noise would look active."""
    model = CASES[name].build((8, 8, 1), **CASES[name].options, seed=0)
    x = np.random.default_rng(0).integers(0, 2, [60, 8, 8, 1]).astype("float32")
    before = evaluation.active_units(model, x, 1e-4, **QUIET)
    kernel = model.encoder.network.weights[0]
    kernel.assign(np.zeros(kernel.shape))
    record = evaluation.active_units(model, x, 1e-4, **QUIET)
    assert before.count > record.count == 0 and "has collapsed" in record.warnings[0]
    if name in ("iaf", "rae_l2"):
        with pytest.raises(ValueError, match=r"Received: posterior (Flow|VectorDeterministic)"):
            evaluation.decompose_rate(model, x, **QUIET)
    else:
        parts = evaluation.decompose_rate(model, x, **QUIET)
        assert abs(parts.mutual_information) < 1e-4 and abs(parts.mutual_information_bound) < 1e-4


def test_active_units_of_a_sphere_are_of_the_mean_and_not_of_its_direction():
    model = CASES["s_vae"].build((8, 8, 1), **CASES["s_vae"].options, seed=0)
    x = np.random.default_rng(0).integers(0, 2, [50, 8, 8, 1]).astype("float32")
    drawn = model.encoder(x).sample(20000, seed=[1, 2]).numpy().mean(0)
    np.testing.assert_allclose(evaluation.active_units(model, x, **QUIET).variances, drawn.var(0), rtol=0.1, atol=2e-4)


# The rate of each dimension ------------------------------------------------------------------------------------------


def test_the_rate_of_each_dimension_is_the_closed_form_and_sums_to_the_rate(seed):
    x = normal(400, 3, seed)
    model, loc = channel(GAIN, SCALE, shift=0.3), x @ GAIN.T + 0.3
    rates = 0.5 * (loc**2 + SCALE**2 - 1) - math.log(SCALE)
    record = evaluation.rate_per_dimension(model, x, **QUIET)
    np.testing.assert_allclose(record.means, rates.mean(0), rtol=1e-4)
    np.testing.assert_allclose(record.standard_errors, rates.std(0, ddof=1) / 20, rtol=1e-4)
    bound = evaluation.elbo(model, x, progress=False)
    assert record.total == pytest.approx(bound.rate, rel=1e-5) and record.samples == 0
    assert record.total_standard_error == pytest.approx(bound.standard_errors["rate"], rel=1e-4)
    order = [2, 0, 1]
    swapped = evaluation.rate_per_dimension(channel(GAIN[order], SCALE, shift=0.3), x, **QUIET)
    np.testing.assert_allclose(swapped.means, record.means[order], rtol=1e-5)
    twice = evaluation.rate_per_dimension(model, np.concatenate([x, x]), **QUIET)
    np.testing.assert_allclose(twice.means, record.means, rtol=1e-6)


def test_a_rate_without_a_closed_form_is_drawn_with_its_error(seed):
    """A Laplace posterior under a normal prior: KL = b^2 + m^2 / 2 + log(2 pi) / 2 - log(2 b) - 1; five errors."""
    encoder = tfvae.Encoder(networks.mlp(), heads.Laplace(2))
    decoder = tfvae.Decoder(networks.mlp(), heads.Normal(3, 1.0))
    model, x = tfvae.VAE(encoder, decoder, priors.StandardNormal(2), seed=0), normal(500, 3, seed)
    q = encoder(x).distribution
    loc, b = q.loc.numpy(), q.scale.numpy()
    truth = np.mean(b**2 + loc**2 / 2 + math.log(2 * math.pi) / 2 - np.log(2 * b) - 1, 0)
    record = evaluation.rate_per_dimension(model, x, samples=50, seed=seed, **QUIET)
    assert record.samples == 50 and (np.abs(record.means - truth) < 5 * record.standard_errors).all()
    assert "K = 50" in str(record) and "(exact)" in str(evaluation.rate_per_dimension(channel(GAIN, 1.0), x, **QUIET))


# The decomposition ---------------------------------------------------------------------------------------------------


def test_the_terms_of_a_gaussian_channel_are_log_determinants(seed):
    """Within five errors; the bias at N = 3000 is less than one. Only the bounds on the information differ in sign."""
    record = evaluation.decompose_rate(channel(GAIN, SCALE), normal(3000, 3, seed), samples=2, seed=seed, **QUIET)
    for name, truth in TRUTH.items():
        assert abs(getattr(record, name) - truth) < 5 * record.standard_errors[name], name
    gap = record.mutual_information_bound - record.mutual_information
    assert 0 < gap < 0.02 and not record.warnings and not record.undefined
    variances = np.diag(COVARIANCE)
    each = {"information": 0.5 * np.log(variances / SCALE**2), "kl": 0.5 * (variances - 1 - np.log(variances))}
    for name, truth in each.items():
        errors = record.per_dimension_standard_errors[name]
        assert (np.abs(record.per_dimension[name] - truth) < 5 * errors).all(), name
    assert record.rate == pytest.approx(record.mutual_information + record.marginal_kl, rel=1e-6)
    assert record.marginal_kl == pytest.approx(record.total_correlation + record.dimension_wise_kl, rel=1e-5)


def test_independent_dimensions_have_no_total_correlation(seed):
    model = channel(np.diag([0.8, 0.6, 0.0]), [0.6, 0.8, 1.0])  # q(z) is the prior, too
    record = evaluation.decompose_rate(model, normal(3000, 3, seed), seed=seed, **QUIET)
    for name in ("total_correlation", "dimension_wise_kl", "marginal_kl"):
        assert abs(getattr(record, name)) < 5 * record.standard_errors[name] + 0.01, name
    assert record.mutual_information == pytest.approx(-math.log(0.6 * 0.8), abs=0.1)
    assert record.per_dimension["information"][2] == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("points", [[-2.0, 0.1, 0.5, 3.0, 3.0], [0.0, 0.0]])
def test_few_examples_are_integrated_exactly(points):
    """In one dimension: the mixture's divergence by quadrature; 20,000 draws or more, six of their errors."""
    x, spread = np.array(points, "float32")[:, None], 0.4
    q = stats.norm(x.ravel() * 0.7, spread)
    aggregate = lambda z: q.pdf(z).mean()  # noqa: E731
    kl = integrate.quad(lambda z: aggregate(z) * (np.log(aggregate(z)) - stats.norm.logpdf(z)), -6, 6, limit=500)[0]
    rate = np.mean(0.5 * ((x * 0.7) ** 2 + spread**2 - 1) - math.log(spread))
    record = evaluation.decompose_rate(channel([[0.7]], spread), x, samples=10000, **QUIET)
    assert record.marginal_kl == pytest.approx(kl, abs=0.04)
    assert record.mutual_information == pytest.approx(rate - kl, abs=0.04)
    assert record.rate == pytest.approx(rate, rel=1e-4)
    assert record.total_correlation == pytest.approx(0.0, abs=1e-5)


def test_the_mixture_is_that_of_scipy_with_and_without_the_own_example(seed):
    """250 examples in three batches, the last one filled up; three draws of each, whatever is scored at a time."""
    x, rng = normal(250, 3, seed), np.random.default_rng(seed)
    owners = np.repeat(np.arange(250, dtype=np.int32), 3)
    z = (x[owners] @ GAIN.T + SCALE * rng.normal(size=[750, 3])).astype("float32")
    each = stats.norm.logpdf(z[:, None], x @ GAIN.T, SCALE)  # [R, N, D]
    joint = each.sum(-1)
    own = owners[:, None] == np.arange(250)
    without = np.where(own, -np.inf, joint)
    for separable in (True, False):
        found = mixture.log_densities(channel(GAIN, SCALE), x, z, owners, separable, False)
        np.testing.assert_allclose(found.joint, np.logaddexp.reduce(joint, 1) - math.log(250), atol=2e-4)
        np.testing.assert_allclose(found.others, np.logaddexp.reduce(without, 1) - math.log(249), atol=2e-3)
        marginals = np.logaddexp.reduce(each, 1) - math.log(250)
        np.testing.assert_allclose(found.marginals, marginals if separable else marginals[:, :0], atol=2e-4)


def test_the_size_of_what_is_scored_at_a_time_changes_nothing(monkeypatch):
    x = normal(150, 3, 0)
    whole = evaluation.decompose_rate(channel(GAIN, SCALE), x, samples=2, **QUIET)
    monkeypatch.setattr(mixture, "_NUMBERS", 7 * 100 * 3)  # seven draws: 43 blocks, the last filled up
    parts = evaluation.decompose_rate(channel(GAIN, SCALE), x, samples=2, **QUIET)
    np.testing.assert_allclose([getattr(parts, name) for name in TRUTH], [getattr(whole, name) for name in TRUTH],
                               rtol=1e-5)  # fmt: skip


def test_the_standard_errors_are_those_of_new_data(seed):
    """Of 40 data sets: the deviation of each term is within 40% of the mean error, which 40 hit all but 1e-3 times."""
    model = channel(GAIN, SCALE)
    records = [evaluation.decompose_rate(model, normal(200, 3, [seed, i]), 1, i, **QUIET) for i in range(40)]
    for name in TRUTH:
        spread = np.std([getattr(record, name) for record in records], ddof=1)
        claimed = np.mean([record.standard_errors[name] for record in records])
        assert 0.6 < spread / claimed < 1.4, name
    # As estimates for all data, the two bounds on the information lie on both sides of it: four errors of the means.
    for name, sign in (("mutual_information", -1), ("mutual_information_bound", 1)):
        values = np.array([getattr(record, name) for record in records])
        assert sign * (values.mean() - TRUTH["mutual_information"]) > -4 * values.std() / math.sqrt(40)


def test_information_near_its_ceiling_is_called_a_bound():
    """Posteriors far apart: I(x; z) = log N, which the examples cannot exceed."""
    x = 100.0 * np.arange(50, dtype="float32")[:, None]
    record = evaluation.decompose_rate(channel([[1.0]], 0.5), x, **QUIET)
    assert record.mutual_information == pytest.approx(math.log(50), rel=1e-5) and record.ceiling == math.log(50)
    assert "near its ceiling log N = 3.91" in record.warnings[0] and record.mutual_information_bound > 1000
    twice = evaluation.decompose_rate(channel([[1.0]], 0.5), np.concatenate([x, x]), **QUIET)
    assert twice.mutual_information == pytest.approx(math.log(50), rel=1e-5)  # no more is known of x


def test_a_prior_elsewhere_is_a_gap_and_no_information(seed):
    record = evaluation.decompose_rate(channel(np.zeros([2, 2]), 1.0, shift=2.0), normal(100, 2, seed), **QUIET)
    assert record.mutual_information == pytest.approx(0.0, abs=1e-5)
    assert record.marginal_kl == pytest.approx(4.0, rel=1e-5) and record.dimension_wise_kl == pytest.approx(
        4.0, rel=1e-5
    )
    assert "priors.VampPrior" in record.warnings[0]


def test_what_is_not_defined_is_left_out_by_name():
    x = np.random.default_rng(0).integers(0, 2, [30, 8, 8, 1]).astype("float32")
    names = {}
    for name in ("vamp", "s_vae", "full_covariance"):
        model = CASES[name].build((8, 8, 1), **CASES[name].options, seed=0)
        record = evaluation.decompose_rate(model, x, **QUIET)
        names[name] = record.undefined[0]
        assert record.rate == pytest.approx(record.mutual_information + record.marginal_kl, rel=1e-5)
        assert math.isnan(record.total_correlation) == (name != "vamp") and math.isnan(record.dimension_wise_kl)
        assert record.rows()["dimension-wise KL"] == "not defined" and "dimension_wise_kl" not in record.as_json()
        with pytest.raises(ValueError, match="a rate per dimension is not defined"):
            evaluation.rate_per_dimension(model, x, **QUIET)
    assert names["vamp"] == "Dimension-wise KL left out: the elements of the prior Mixture are not independent."
    assert "posterior PowerSpherical" in names["s_vae"] and "MultivariateNormalTriL" in names["full_covariance"]


# Two samples ---------------------------------------------------------------------------------------------------------


def test_mmd_is_unbiased_for_the_closed_form(seed):
    """N(0, I) and N(m, s^2 I) under an RBF of width w: Gaussian integrals; 300 samples, five errors of their mean."""
    shift, s, w, size = np.array([0.5, -0.3, 0.0]), 1.4, 1.2, 3

    def kernel(variance, distance=0.0):
        return (w**2 / (w**2 + variance)) ** (size / 2) * math.exp(-distance / (2 * (w**2 + variance)))

    truth = kernel(2.0) + kernel(2 * s**2) - 2 * kernel(1 + s**2, float(shift @ shift))
    rng = np.random.default_rng(seed)
    values = [
        evaluation.mmd_test(rng.normal(size=[15, 3]), shift + s * rng.normal(size=[20, 3]), w, permutations=1).squared
        for _ in range(300)
    ]
    assert abs(np.mean(values) - truth) < 5 * np.std(values) / math.sqrt(300)


def test_mmd_is_the_sum_over_pairs_and_the_width_the_median_distance(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=[6, 2]), rng.normal(size=[5, 2])
    record = evaluation.mmd_test(a, b, permutations=50)
    points = np.concatenate([a, b])
    distances = [np.linalg.norm(points[i] - points[j]) for i in range(11) for j in range(i)]
    assert record.bandwidth == pytest.approx(np.median(distances)) and record.sizes == (6, 5)
    k = lambda p, q: math.exp(-np.sum((p - q) ** 2) / (2 * record.bandwidth**2))  # noqa: E731
    within = [np.mean([k(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j]) for s in (a, b)]
    assert record.squared == pytest.approx(sum(within) - 2 * np.mean([k(p, q) for p in a for q in b]))


def test_mmd_has_uniform_p_values_where_there_is_no_difference(seed):
    """400 times; with what a p-value of 1/100 steps leaves open filled by chance, the law is exact. Fails 1e-5."""
    rng = np.random.default_rng(seed)
    p = [evaluation.mmd_test(*rng.normal(size=[2, 12, 2]), permutations=99, seed=i).p_value for i in range(400)]
    assert stats.kstest(np.array(p) - rng.uniform(size=400) / 100, "uniform").pvalue > 1e-5


def test_the_classifier_guesses_where_there_is_no_difference(seed):
    """300 times: the number of right answers is binomial, so P(more) + u P(as many) is uniform. Fails 1e-5."""
    rng, learner = np.random.default_rng(seed), LogisticRegression()
    records = [evaluation.c2st(*rng.normal(size=[2, 80, 2]), learner, seed=i) for i in range(300)]
    assert {record.tested for record in records} == {80} and records[0].classifier == "LogisticRegression"
    right = np.array([record.right for record in records])
    p = np.array([record.p_value for record in records])
    np.testing.assert_allclose(p, [stats.binomtest(k, 80, 0.5, "greater").pvalue for k in right])
    filled = p - rng.uniform(size=300) * stats.binom.pmf(right, 80, 0.5)
    assert stats.kstest(filled, "uniform").pvalue > 1e-5


def test_two_samples_that_differ_are_told_apart(seed):
    """By location, and by correlation alone, where the means are the same."""
    rng = np.random.default_rng(seed)
    a, same = rng.normal(size=[2, 400, 2])
    tied = rng.multivariate_normal([0, 0], [[1, 0.95], [0.95, 1]], 500)
    for other in (same + 0.7, tied):
        assert evaluation.mmd_test(a, other).p_value == 1 / 500
        assert evaluation.c2st(a, other).p_value < 1e-4
    best = stats.norm.cdf(0.7 * math.sqrt(2) / 2)  # the accuracy of Bayes' rule between N(0, I) and N(m, I)
    answer = evaluation.c2st(a, same + 0.7, LogisticRegression())
    assert abs(answer.accuracy - best) < 5 * answer.standard_error


def test_the_tests_give_the_same_twice_and_treat_the_samples_alike():
    a, b = np.random.default_rng(0).normal(size=[2, 60, 2])
    assert evaluation.mmd_test(a, b, seed=(3, -4)) == evaluation.mmd_test(a, b, seed=(3, -4))
    assert evaluation.c2st(a, b, seed=5) == evaluation.c2st(a, b, seed=5)
    assert evaluation.mmd_test(a, b).squared == pytest.approx(evaluation.mmd_test(b, a).squared)
    assert evaluation.mmd_test(a, b).p_value != evaluation.mmd_test(a, b, seed=1).p_value


# The aggregate posterior ---------------------------------------------------------------------------------------------


def test_an_aggregate_posterior_that_is_the_prior_passes(seed):
    model = channel(np.diag([0.8, 0.6]), [0.6, 0.8])
    record = evaluation.aggregate_posterior(model, normal(1500, 2, seed), 1000, seed=seed, **QUIET)
    assert record.examples == 1000 and record.mmd.p_value > 0.002 and record.classifier.p_value > 1e-5
    assert record.warnings == () and abs(record.mmd.squared) < 5 * record.mmd.null_deviation


def test_holes_in_the_prior_are_found():
    """Two clusters, of the prior's mean and variance."""
    x = np.repeat([-0.99, 0.99], 400).astype("float32")[:, None]
    record = evaluation.aggregate_posterior(channel([[1.0]], math.sqrt(1 - 0.99**2)), x, **QUIET)
    assert record.mmd.p_value < 0.01 and record.classifier.p_value < 1e-4
    assert "the prior has holes" in record.warnings[0] and "priors.VampPrior" in record.warnings[0]


# All of it -----------------------------------------------------------------------------------------------------------


def test_a_diagnosis_joins_the_parts(seed):
    x, model = normal(300, 3, seed), channel(GAIN, SCALE)
    whole = evaluation.diagnose(model, x, seed=4, **QUIET)
    parts = (
        evaluation.active_units(model, x, **QUIET),
        evaluation.rate_per_dimension(model, x, seed=4, **QUIET),
        evaluation.decompose_rate(model, x, seed=4, **QUIET),
        evaluation.aggregate_posterior(model, x, seed=4, **QUIET),
    )
    assert str(whole) == "\n".join(map(str, parts)) and whole.undefined == ()
    assert whole.rows() == {title: row for part in parts for title, row in part.rows().items()}
    stored = json.loads(json.dumps(whole.as_json(), allow_nan=False))
    assert stored["decomposition"]["mutual_information"]["mean"] == pytest.approx(parts[2].mutual_information)
    assert stored["active_units"]["active_units"] == parts[0].count == 3
    assert len(stored["rate_per_dimension"]["per_dimension"]) == 3 and whole.warnings == parts[3].warnings


def test_a_collapse_is_diagnosed_with_what_to_try(seed):
    whole = evaluation.diagnose(channel(np.zeros([3, 2]), 1.0), normal(100, 2, seed), **QUIET)
    assert whole.activity.count == 0 and abs(whole.decomposition.mutual_information) < 1e-5
    (warning,) = whole.warnings
    for remedy in ("schedules.Linear", "free_bits", "lower beta"):
        assert remedy in warning
    # What is advised there runs.
    assert objectives.ELBO(objectives.schedules.Linear(10)) and objectives.ELBO(free_bits=0.25)


@pytest.mark.parametrize(("name", "missing"), [("rae_l2", 2), ("iaf", 2), ("planar", 1)])
def test_a_diagnosis_leaves_out_what_is_not_defined(name, missing):
    model = CASES[name].build((8, 8, 1), **CASES[name].options, seed=0)
    x = np.random.default_rng(0).integers(0, 2, [40, 8, 8, 1]).astype("float32")
    whole = evaluation.diagnose(model, x, **QUIET)
    assert [whole.rates, whole.decomposition].count(None) == missing and whole.undefined
    assert whole.aggregate.examples == 40 and json.dumps(whole.as_json(), allow_nan=False)
    assert len(whole.figure().axes) == 1


def test_the_picture_shows_dimensions_by_rate_and_marks_the_threshold(seed):
    model = channel(np.diag([0.05, 0.9, 0.5]), [1.0, 0.4, 0.8])
    whole = evaluation.diagnose(model, normal(200, 3, seed), **QUIET)
    upper, lower = whole.figure().axes
    heights = [bar.get_height() for bar in upper.patches]
    np.testing.assert_allclose(heights, whole.rates.means[[1, 2, 0]])
    assert [tick.get_text() for tick in lower.get_xticklabels()] == ["1", "2", "0"]
    assert 0.01 in [line.get_ydata()[0] for line in lower.lines] and lower.patches[2].get_height() < 0.01
    assert upper.patches[0].get_facecolor() == upper.patches[1].get_facecolor() != upper.patches[2].get_facecolor()


def test_long_lists_are_not_stored_and_one_example_has_no_error():
    record = evaluation.rate_per_dimension(zoo.vae((4, 4, 1), 201, units=(4,), seed=0), np.zeros([1, 4, 4, 1]), **QUIET)
    assert record.as_json()["per_dimension"] is None and record.as_json()["rate"]["standard_error"] is None
    assert "One example has no standard error" in record.warnings[0]


def test_data_may_come_in_batches():
    import tensorflow as tf

    x, model = normal(130, 3, 0), channel(GAIN, SCALE)
    batches = tf.data.Dataset.from_tensor_slices(x).batch(32)
    for measure in (evaluation.active_units, evaluation.rate_per_dimension, evaluation.decompose_rate):
        assert str(measure(model, batches, **QUIET)) == str(measure(model, x, **QUIET))


MODEL, X = channel(np.eye(2), 0.5), np.zeros([8, 2], "float32")
POINTS = np.random.default_rng(0).normal(size=[8, 2])


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda: evaluation.active_units(MODEL, X, -1.0), "threshold to be a finite number of at least 0"),
        (lambda: evaluation.active_units(MODEL, X[:, :1]), r"Expected x of shape \[B, 2\]"),
        (lambda: evaluation.active_units("model", X), "Expected a model of tfvae"),
        (lambda: evaluation.rate_per_dimension(MODEL, X, 0), "samples to be a positive whole number"),
        (lambda: evaluation.decompose_rate(MODEL, X, 1.5), "samples to be a positive whole number"),
        (lambda: evaluation.decompose_rate(MODEL, X[:1], progress=False), "at least two examples.*Received: 1"),
        (lambda: evaluation.aggregate_posterior(MODEL, X, 0), "points to be a positive whole number"),
        (lambda: evaluation.aggregate_posterior(MODEL, X[:3], progress=False), "at least 4 points.*shape .3, 2."),
        (lambda: evaluation.diagnose(MODEL, X, samples=0), "samples to be a positive whole number"),
        (lambda: evaluation.mmd_test(POINTS, POINTS, 0.0), "bandwidth to be a finite number of at least 1e-06"),
        (lambda: evaluation.mmd_test(POINTS, POINTS, permutations=0), "permutations to be a positive whole number"),
        (lambda: evaluation.mmd_test(POINTS, POINTS[0]), r"Expected b to hold .* Received: b of shape \[2\]"),
        (lambda: evaluation.mmd_test(POINTS, POINTS[:, :1]), "points of one length"),
        (lambda: evaluation.mmd_test(X, X), "Expected points that differ"),
        (lambda: evaluation.c2st(POINTS, POINTS * np.nan), "16 values that are not finite"),
        (lambda: evaluation.c2st(POINTS, POINTS, seed=2**31), "Expected seed to be"),
    ],
)
def test_bad_arguments_are_refused(run, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        run()


def test_the_records_have_no_warnings_of_their_own_where_all_is_well():
    assert evaluation.mmd_test(POINTS, POINTS + 1).warnings == evaluation.c2st(POINTS, POINTS + 1).warnings == ()
    assert two_sample.c2st is evaluation.c2st and two_sample.mmd_test is evaluation.mmd_test
