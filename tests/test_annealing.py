"""Annealed importance sampling and its bounds from both sides, the curve against samples, and how records print."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracle import linear_gaussian
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

import tfvae
from tfvae import evaluation, heads, networks, priors, zoo
from tfvae.evaluation.printing import about_examples, decimals, error_of, plain, plus_minus
from tfvae.run.annealed import annealed_check

SHORT = {"chains": 6, "leapfrogs": 3, "progress": False}
BELOW = -4.3  # standard errors; a normal number is less with probability 1e-5


@pytest.fixture(scope="module")
def case():
    """Not for XLA, whose compilation would take longer than all that is run; the test of quadrature is for it."""
    made = linear_gaussian(2, 5, widen=1.7, shift=0.4, n=300)
    made.model.fits = made.model.fits._replace(compiles=False)
    return made


@pytest.fixture(scope="module")
def pairs(case):
    """Bounds on simulated data, with short and long ladders."""
    return {
        steps: evaluation.bidirectional(case.model, 300, steps, samples=50, from_prior=True, **SHORT)
        for steps in (5, 25, 125)
    }


@pytest.fixture(scope="module")
def curve(case):
    return evaluation.evidence_curve(case.model, case.x, (300, 1, 12), seed=5, progress=False)


@pytest.fixture
def poor(case):
    """The same model with a posterior a twentieth as wide, and off; what was compiled serves it too."""
    linear = case.model.encoder.head.projection.linear
    kept = linear.get_weights()
    linear.set_weights([kept[0], kept[1] + np.array([0.5, 0.5, -3.0, -3.0], "float32")])
    yield case
    linear.set_weights(kept)


def exact(case, x):
    return multivariate_normal(case.b, case.w @ case.w.T + case.sigma**2 * np.eye(len(case.b))).logpdf(x)


def z_score(values, truth=0.0):
    return (np.mean(values) - truth) / (np.std(values, ddof=1) / np.sqrt(len(values)))


# Chains up -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("from_prior", [False, True])
def test_the_estimate_lies_within_its_error_of_the_evidence(case, seed, from_prior):
    """Four errors, and the bias of half the Monte Carlo variance, which is far below: 6e-5."""
    found = evaluation.annealed_importance(case.model, case.x, 150, seed=seed, from_prior=from_prior, **SHORT)
    assert abs(found.mean - case.log_px.mean()) < 4 * found.monte_carlo_error + 0.01
    assert found.monte_carlo_error < 0.03
    assert found.standard_error == pytest.approx(case.log_px.std(ddof=1) / np.sqrt(300), rel=0.05)
    assert found.start == ("p(z)" if from_prior else "q(z | x)") and found.ladder == "sigmoid_ladder"
    assert np.median(found.effective_chains) > 4 and not found.warnings


@pytest.mark.parametrize("from_prior", [False, True])
def test_weights_have_the_evidence_as_their_mean_however_few_the_steps(case, seed, from_prior):
    """The law that wrong weights or a kernel of another temperature break; one that learns is off by too little."""
    found = evaluation.annealed_importance(case.model, case.x, 12, seed=seed + 1, from_prior=from_prior, **SHORT)
    ratio = np.exp(found.per_example - case.log_px)
    assert abs(z_score(ratio, 1.0)) < -BELOW
    assert 0.05 < ratio.std() < 3  # neither exact nor so wide that the mean says nothing


def test_more_steps_raise_the_estimate_towards_the_evidence(case, seed):
    means = [
        evaluation.annealed_importance(case.model, case.x, steps, seed=seed, from_prior=True, **SHORT).mean
        for steps in (2, 10, 50)
    ]
    assert means == sorted(means) and means[-1] < case.log_px.mean() + 0.05
    assert case.log_px.mean() - means[-1] < 0.2 * (case.log_px.mean() - means[0])


def test_step_sizes_are_tuned_at_every_rung(case):
    found = evaluation.annealed_importance(case.model, case.x, 400, from_prior=True, **SHORT)
    assert found.acceptance_by_rung.shape == (400,)
    tuned = found.acceptance_by_rung[40:]
    assert 0.5 < tuned.min() and tuned.max() < 0.9 and found.acceptance == pytest.approx(0.68, abs=0.08)


def test_a_decoder_that_is_not_linear_against_quadrature():
    """Two latents on a grid of 401 x 401: the evidence to nine digits."""
    keras.utils.set_random_seed(3)
    model = zoo.vae((4, 4, 1), 2, units=(6,), seed=0)
    for number, weight in enumerate(model.decoder.weights):
        weight.assign(np.random.default_rng(number).normal(0, 1.5, weight.shape))
    x = np.random.default_rng(0).integers(0, 2, [20, 4, 4, 1]).astype("float32")
    grid = np.linspace(-7, 7, 401)
    z = np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 1, 2).astype("float32")
    log_pz = model.prior().log_prob(z).numpy()
    joint = np.concatenate([model.decoder(z).log_prob(x[[i]]).numpy() + log_pz for i in range(len(x))], 1)
    truth = logsumexp(joint.astype("float64"), 0) + 2 * np.log(grid[1] - grid[0])
    found = evaluation.annealed_importance(model, x, 200, **SHORT)
    assert abs(found.mean - truth.mean()) < 4 * found.monte_carlo_error + 0.02 and found.monte_carlo_error < 0.1


def test_the_noise_depends_on_the_seed_and_the_place_alone(case):
    run = lambda x, seed=0: evaluation.annealed_importance(case.model, x, 12, seed=seed, **SHORT)  # noqa: E731
    whole = run(case.x)
    for other in (case.x, tf.data.Dataset.from_tensor_slices(case.x).batch(7)):
        np.testing.assert_array_equal(run(other).per_example, whole.per_example)
    np.testing.assert_array_equal(run(case.x[:130]).per_example, whole.per_example[:130])
    assert not np.isin(run(case.x, (0, 1)).per_example, whole.per_example).any()
    alike = run(np.repeat(case.x[:1], 200, 0)).per_example
    assert len(np.unique(alike)) == 200


def test_monte_carlo_error_is_the_spread_over_places(case):
    """One example 300 times; the ratio of two deviations of 300 has a deviation of 4 %, and weights are skew."""
    runs = evaluation.annealed_importance(case.model, np.repeat(case.x[:1], 300, 0), 100, **SHORT)
    assert 0.7 < runs.monte_carlo_error / (runs.per_example.std(ddof=1) / np.sqrt(300)) < 1.4


# Bounds from both sides ----------------------------------------------------------------------------------------------


def test_bounds_enclose_the_evidence_in_expectation(case, pairs):
    truth = exact(case, pairs[5].x)
    assert z_score(pairs[5].lower_per_example - truth) < BELOW
    assert z_score(pairs[5].upper_per_example - truth) > -BELOW
    for found in pairs.values():
        assert z_score(found.lower_per_example - exact(case, found.x)) < -BELOW
        assert z_score(found.upper_per_example - exact(case, found.x)) > BELOW


def test_the_weights_of_both_directions_are_unbiased(case, pairs):
    for found in pairs.values():
        truth = exact(case, found.x)
        assert abs(z_score(np.exp(found.lower_per_example - truth), 1.0)) < -BELOW
        assert abs(z_score(np.exp(truth - found.upper_per_example), 1.0)) < -BELOW


def test_the_gap_vanishes_as_steps_grow(pairs):
    gaps = [found.gap for found in pairs.values()]
    assert gaps == sorted(gaps, reverse=True) and gaps[-1] < 0.1 * gaps[0]
    assert all(found.gap == pytest.approx(found.upper - found.lower) for found in pairs.values())
    assert pairs[5].gap > 1 and "nats apart" in pairs[5].warnings[-1] and not pairs[125].warnings


def test_simulated_data_is_the_models_own(case, pairs):
    """The mean and the spread of log p(x) are those of a normal x, whose -log p is half a chi square and a constant."""
    x = pairs[5].x
    covariance = case.w @ case.w.T + case.sigma**2 * np.eye(5)
    square = np.einsum("ni,ij,nj->n", x - case.b, np.linalg.inv(covariance), x - case.b)
    assert abs(square.mean() - 5) < -BELOW * np.sqrt(2 * 5 / 300)
    assert np.abs(x.mean(0) - case.b).max() < -BELOW * np.sqrt(covariance.max() / 300)


def test_importance_sampling_is_compared_on_the_same_data(case, pairs):
    found = pairs[25]
    same = evaluation.log_evidence(case.model, found.x, 50, progress=False)
    np.testing.assert_array_equal(found.importance.per_example, same.per_example)
    assert found.importance_gap == pytest.approx(found.upper - same.mean)
    for each in pairs.values():
        assert each.importance_gap > -4 * each.importance_gap_error


def test_a_poor_posterior_is_found_out(poor):
    """Twelve draws from a posterior that is far too narrow, against chains that begin at the prior."""
    found = evaluation.bidirectional(poor.model, 100, 100, samples=12, from_prior=True, **SHORT)
    assert found.importance_gap > 1 and any("Importance sampling with 12 samples" in text for text in found.warnings)
    assert found.gap < 1


# The curve -----------------------------------------------------------------------------------------------------------


def test_the_curve_rises_from_the_elbo_to_the_evidence(case, curve):
    assert curve.samples == (1, 12, 150, 300)
    means = [point.mean for point in curve.points]
    assert means[0] < means[1] < means[2] + 0.01
    assert means[-1] < case.log_px.mean() + 4 * curve.points[-1].monte_carlo_error
    assert case.log_px.mean() - means[-1] < 0.02 * (case.log_px.mean() - means[0])
    bound = evaluation.elbo(case.model, case.x, 200, progress=False)
    assert abs(means[0] - bound.elbo) < 4 * np.std(curve.points[0].per_example - bound.per_example) / np.sqrt(300)
    assert bound.elbo < means[1]
    for point in curve.points:
        alone = evaluation.log_evidence(case.model, case.x, point.samples, seed=5, progress=False)
        np.testing.assert_array_equal(point.per_example, alone.per_example)
    assert curve.gain == pytest.approx(means[3] - means[2])


def test_draws_of_a_point_are_among_those_of_the_next(curve):
    """With draws of their own, the errors of two points would add up; half of the draws are shared here."""
    assert curve.gain_error < 0.9 * np.hypot(*[point.monte_carlo_error for point in curve.points[-2:]])


def test_too_few_samples_are_said_to_be_too_few(poor, curve):
    short = evaluation.evidence_curve(poor.model, poor.x, (12, 24), progress=False)
    assert short.samples == (12, 24)
    assert any("The last doubling, to 24 samples, still gained" in text for text in short.warnings)
    assert not replace(curve, gain=0.5 * curve.points[-1].monte_carlo_error).warnings
    alone = evaluation.evidence_curve(poor.model, poor.x, (1,), progress=False)
    assert np.isnan(alone.gain) and alone.as_json()["gain_of_the_last_doubling"] is None


def test_the_samples_said_to_be_needed_are_what_a_bias_of_one_over_k_needs(curve):
    """The gain falls as 1/K and the error as its root: four times the error now is as much at 16 times the samples."""
    last = curve.points[-1]
    (text,) = replace(curve, gain=4 * last.monte_carlo_error).warnings
    assert f"it takes {16 * last.samples:.1g} samples" in text


def test_the_curve_draws_a_figure_that_fits_its_numbers(curve):
    axis = curve.figure().axes[0]
    assert axis.get_xscale() == "log" and "nats" in axis.get_ylabel()
    np.testing.assert_allclose(axis.lines[-1].get_xydata(), [[p.samples, p.mean] for p in curve.points])


# Records -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [7, 256])
def test_bits_per_dimension_of_a_uniform_model_are_the_logarithm_of_its_levels(levels):
    encoder = tfvae.Encoder(networks.mlp(), heads.DiagonalNormal(2))
    decoder = tfvae.Decoder(networks.mlp(), heads.Categorical(6, levels))
    model = tfvae.VAE(encoder, decoder, priors.StandardNormal(2), seed=0)
    for weight in decoder.weights:
        weight.assign(np.zeros(weight.shape))
    for weight in encoder.weights:
        weight.assign(np.zeros(weight.shape))  # the posterior is the prior then, but for its scale's floor
    x = np.random.default_rng(0).integers(0, levels, [10, 6]).astype("float32")
    found = evaluation.log_evidence(model, x, 3, progress=False)
    assert found.bits_per_dim == pytest.approx(np.log2(levels), rel=1e-4)
    assert float(found.rows()["bits per dimension"].split()[0]) == pytest.approx(np.log2(levels), rel=1e-4)


def test_errors_choose_the_digits():
    for error, places, text in (
        (0.3412, 2, "0.34"), (0.0996, 2, "0.10"), (0.0207, 3, "0.021"), (1.96, 1, "2.0"), (12.3, 0, "12"),
        (345.0, 0, "345"), (9.96, 0, "10"), (0.0, 2, "0.00"), (float("nan"), 2, "unknown"), (2e-9, 6, "2.0e-09"),
    ):  # fmt: skip
        assert (decimals(error), error_of(error)) == (places, text), error
    assert plus_minus(-86.9161, 0.34) == "-86.92 ± 0.34" and plus_minus(5, float("nan")) == "5.00 ± unknown"
    assert plain(np.float32(2)) == 2.0 and plain(float("inf")) is None
    assert about_examples(2) == () and len(about_examples(1)) == 1


def test_every_record_prints_its_errors_and_is_plain_json(case, pairs, curve):
    annealed = evaluation.annealed_importance(case.model, case.x, 12, **SHORT)
    sampled = evaluation.log_evidence(case.model, case.x, 1, progress=False)
    bound = evaluation.elbo(case.model, case.x, progress=False)
    distortion = evaluation.distortion(case.model, case.x, progress=False)
    for record in (annealed, sampled, bound, distortion, curve, pairs[25]):
        text = json.dumps(record.as_json(), allow_nan=False)
        assert len(text) < 2000 and "nats per example" in text
        rows = record.rows()
        assert rows and all(isinstance(t, str) and "±" in v for t, v in rows.items())
        assert "±" in str(record) and isinstance(record.warnings, tuple)
    assert annealed.as_json()["mean"] == annealed.mean and f"n = {annealed.examples}" in str(annealed)
    assert pairs[25].as_json()["gap"] == {"mean": pairs[25].gap, "standard_error": pairs[25].gap_error}
    assert sampled.as_json()["monte_carlo_error"] is None and "unknown (Monte Carlo)" in str(sampled)
    assert "One sample" in sampled.warnings[0]
    assert str(distortion) == (
        f"distortion {plus_minus(distortion.mean, distortion.standard_error)} (data), n = {distortion.examples}"
    )
    assert bound.as_json()["rate"]["mean"] == bound.rate and set(bound.rows()) == {"ELBO", "rate", "distortion"}


def test_a_posterior_that_equals_the_prior_is_called_collapsed():
    model = zoo.vae((4, 4, 1), 2, units=(4,), seed=0)
    head = model.encoder.head.projection.linear
    head.set_weights([np.zeros(w.shape) for w in head.get_weights()])
    bound = evaluation.elbo(model, np.ones([3, 4, 4, 1]), progress=False)
    assert bound.rate < 0.01 and "collapsed" in bound.warnings[0]


def test_doubtful_evidence_is_said_to_be(poor, curve):
    found = evaluation.log_evidence(poor.model, poor.x, 300, progress=False)
    assert found.distrusted > 0.5 and any("Pareto k above 0.7" in text for text in found.warnings)
    good = curve.points[-1]
    assert not good.warnings and 0 < good.bias < 0.01
    alone = evaluation.log_evidence(poor.model, poor.x[:1], 300, progress=False)
    assert about_examples(1)[0] in alone.warnings


# Refusals ------------------------------------------------------------------------------------------------------------


def test_the_sigmoid_ladder_is_symmetric_and_closest_at_its_ends():
    rungs = evaluation.sigmoid_ladder(50)
    assert rungs[0] == 0 and rungs[-1] == 1 and (np.diff(rungs) > 0).all()
    np.testing.assert_allclose(rungs + rungs[::-1], 1.0)
    assert np.diff(rungs)[0] < 0.2 * np.diff(rungs)[25]
    assert evaluation.sigmoid_ladder(1).tolist() == [0.0, 1.0]


class Rounded(keras.layers.Layer):
    """A step that has no gradient."""

    def call(self, z):
        return tf.round(z)


def test_models_and_ladders_that_chains_cannot_take_are_refused_by_name(case):
    x = np.zeros([3, 8, 8, 1], "float32")
    encoder = tfvae.Encoder(networks.mlp(), heads.DiagonalNormal(2))
    decoder = tfvae.Decoder(keras.Sequential([Rounded()]), heads.Bernoulli((8, 8, 1)))
    stepped = tfvae.VAE(encoder, decoder, priors.StandardNormal(2))
    for model, message in (
        (zoo.s_vae((8, 8, 1), 3), "z is any real vector.*Received: prior"),
        (zoo.rae_l2((8, 8, 1), 3), "point mass"),
        (zoo.iaf((8, 8, 1), 3), "begin at p.*from_prior=True.*scores its own draws only"),
        (stepped, "can be differentiated with respect to z.*Received: decoder"),
        ("vae", "Expected a model of tfvae"),
    ):
        with pytest.raises(ValueError, match=message):
            evaluation.annealed_importance(model, x, progress=False)
        with pytest.raises(ValueError, match=message):
            evaluation.bidirectional(model, 10, progress=False)
    for options, message in (
        ({"steps": 0}, "steps to be a positive whole number"), ({"chains": 1.5}, "chains to be a positive"),
        ({"leapfrogs": 0}, "leapfrogs to be"), ({"ladder": lambda t: np.linspace(0, 0.5, t + 1)}, "rising from 0 to 1"),
        ({"ladder": lambda t: np.array([0.0, 0.9, 0.1, 1.0])[: t + 1], "steps": 3}, "rising from 0 to 1"),
        ({"seed": "now"}, "seed"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            evaluation.annealed_importance(case.model, case.x, progress=False, **options)
    with pytest.raises(ValueError, match="count to be a positive"):
        evaluation.bidirectional(case.model, 0)
    for samples in ((), 5, (1, 0)):
        with pytest.raises(ValueError, match="Expected"):
            evaluation.evidence_curve(case.model, case.x, samples)


def test_a_second_opinion_is_heard_where_importance_sampling_is_too_low(case):
    """With one sample the evidence is the ELBO, and the annealed chains find the gap; with thousands there is none."""
    truth = case.log_px[:50].mean()
    short, long = (annealed_check(case.model, case.x[:50], samples, seed=0) for samples in (1, 5000))
    assert short.difference > 0.2 and "Annealed chains find" in short.warnings[0]
    assert abs(long.difference) < 0.1 and not any("Annealed chains find" in text for text in long.warnings)
    assert short.annealed.mean == pytest.approx(truth, abs=4 * short.annealed.monte_carlo_error)
    paired = short.annealed.per_example - short.sampled.per_example
    assert short.standard_error == pytest.approx(paired.std(ddof=1) / 50**0.5)
    assert short.as_json()["difference"] == pytest.approx(paired.mean()) and "difference" in short.rows()
