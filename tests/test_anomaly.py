"""Anomaly scores against known densities, thresholds against their guarantee, detection against scikit-learn."""

import dataclasses
import inspect
import json
import re

import keras
import numpy as np
import pytest
from oracle import linear_gaussian
from scipy import stats
from sklearn import metrics

from tfvae import data, evaluation, zoo
from tfvae.evaluation import anomaly
from tfvae.evaluation.anomaly.ranking import auroc

# Scores --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exact():
    """A model whose posterior is the true one, so that bound and evidence are log p(x) with any number of samples."""
    return linear_gaussian(2, 5, orthogonal=True, n=60, dtype="float64")


@pytest.fixture(scope="module")
def other():
    return linear_gaussian(2, 5, seed=7, orthogonal=True, n=60, dtype="float64")


@pytest.fixture(scope="module")
def loose():
    """A model whose posterior is too wide, so that its scores are noisy; measured with three samples throughout."""
    return linear_gaussian(2, 5, widen=1.5, n=40)


def density(case, x):
    return stats.multivariate_normal(case.b, case.w @ case.w.T + case.sigma**2 * np.eye(len(case.b))).logpdf(x)


def test_scores_are_the_negative_log_density_where_the_posterior_is_true(exact):
    bound = anomaly.NegativeELBO(exact.model, samples=2000, progress=False)(exact.x)
    evidence = anomaly.NegativeEvidence(exact.model, samples=3, progress=False)(exact.x)
    np.testing.assert_allclose(evidence, -exact.log_px, atol=1e-5)
    np.testing.assert_allclose(bound, -exact.log_px, atol=0.15)  # the distortion alone is sampled, sd 1.5 / sqrt(2000)


def test_scores_are_those_of_the_evaluation(loose):
    case = loose
    bound = anomaly.NegativeELBO(case.model, samples=3, seed=(3, 4), progress=False)(case.x)
    same = evaluation.elbo(case.model, case.x, 3, (3, 4), progress=False).per_example
    np.testing.assert_allclose(bound, -same, rtol=1e-6)
    evidence = anomaly.NegativeEvidence(case.model, samples=3, seed=5, progress=False)(case.x)
    same = evaluation.log_evidence(case.model, case.x, 3, 5, progress=False).per_example
    np.testing.assert_allclose(evidence, -same, rtol=1e-6)


def test_the_likelihood_ratio_is_that_of_the_densities(exact, other):
    ratio = anomaly.LikelihoodRatio(exact.model, other.model, samples=3, progress=False)
    for x in (exact.x, other.x):
        np.testing.assert_allclose(ratio(x), density(other, x) - density(exact, x), rtol=1e-5, atol=1e-5)
    assert anomaly.detection(ratio(exact.x), ratio(other.x)).auroc > 0.95  # the most powerful of all tests


def test_a_model_against_itself_has_no_ratio(loose):
    ratio = anomaly.LikelihoodRatio(loose.model, loose.model, samples=3, progress=False)
    np.testing.assert_array_equal(ratio(loose.x), 0)


def test_typicality_is_the_distance_from_the_mean(exact):
    score = anomaly.Typicality(exact.model, exact.x[:40], samples=3, progress=False)
    assert score.entropy == pytest.approx(-exact.log_px[:40].mean(), rel=1e-6) and score.examples == 40
    np.testing.assert_allclose(score(exact.x), np.abs(-exact.log_px + exact.log_px[:40].mean()), atol=1e-5)


def test_what_is_too_likely_is_found_by_typicality_alone(exact):
    """The mean of x, the likeliest point of all, is 5 / 2 nats likelier than x is on average: atypical in d = 20."""
    case = linear_gaussian(2, 20, orthogonal=True, n=400, dtype="float64")
    mode = np.tile(case.b, [50, 1]) + 0.01 * np.random.default_rng(0).normal(size=[50, 20])
    evidence = anomaly.NegativeEvidence(case.model, samples=2, progress=False)
    typical = anomaly.Typicality(case.model, case.x[:200], samples=2, progress=False)
    fooled = anomaly.detection(evidence(case.x[200:]), evidence(mode))
    found = anomaly.detection(typical(case.x[200:]), typical(mode))
    assert fooled.auroc < 0.01 and "simpler" in fooled.warnings[0] and "Typicality" in fooled.warnings[0]
    assert found.auroc > 0.95


def test_the_noise_of_a_score_depends_on_seed_and_place(loose):
    case = loose
    for make in (anomaly.NegativeELBO, anomaly.NegativeEvidence):
        score = make(case.model, samples=3, seed=2, progress=False)
        np.testing.assert_array_equal(score(case.x), score(case.x))
        assert not np.allclose(score(case.x), make(case.model, samples=3, seed=3, progress=False)(case.x))
        np.testing.assert_allclose(score(case.x[10:], first=10), score(case.x)[10:], rtol=1e-5)
        assert not np.allclose(score(case.x, first=40), score(case.x))


def test_scores_say_what_they_are(exact, other):
    made = [
        anomaly.NegativeELBO(exact.model, progress=False),
        anomaly.NegativeEvidence(exact.model, progress=False),
        anomaly.LikelihoodRatio(exact.model, other.model, progress=False),
        anomaly.Typicality(exact.model, exact.x, samples=3, progress=False),
    ]
    assert all(isinstance(score, anomaly.Score) for score in made)
    assert len({score.description for score in made}) == 4
    assert "K = 100" in made[1].description and "60 examples" in made[3].description


# Conformal thresholds ------------------------------------------------------------------------------------------------


def plain(x):
    return np.asarray(x)[:, 0]


def column(values):
    return np.asarray(values, float)[:, None]


def test_the_threshold_is_the_order_statistic():
    alarm = anomaly.calibrate(plain, column(np.random.default_rng(0).permutation(99) + 1), level=0.05)
    assert (alarm.threshold, alarm.rank, alarm.examples, alarm.false_alarms) == (95, 95, 99, 0.05)
    assert alarm.flag(column([95, 95.1, -3])).tolist() == [False, True, False]
    np.testing.assert_allclose(alarm.p_values(column([0, 95, 99, 100])), [1, 6 / 100, 2 / 100, 1 / 100])


@pytest.mark.parametrize("level", [0.05, 0.1, 0.29, 0.57, 0.07])
@pytest.mark.parametrize("n", [39, 99, 199])
def test_the_rank_is_exact_in_decimal(level, n):
    """ceil((n + 1)(1 - level)) in whole numbers: in floating point 100 * 0.29 is below 29."""
    percent = round(100 * level)
    rank = -(-(n + 1) * (100 - percent) // 100)
    assert anomaly.calibrate(plain, column(np.arange(n)), level).rank == rank


def test_flags_and_p_values_agree_with_ties(seed):
    rng = np.random.default_rng(seed)
    for level in (0.05, 0.1, 0.31):
        alarm = anomaly.calibrate(plain, column(rng.integers(0, 12, 57)), level)
        new = column(rng.integers(-2, 15, 200))
        np.testing.assert_array_equal(alarm.flag(new), alarm.p_values(new) <= level)
    assert "equal" in " ".join(alarm.warnings)


@pytest.mark.parametrize(("n", "level"), [(19, 0.05), (100, 0.05), (60, 0.2)])
def test_false_alarms_are_beta_distributed(n, level, seed):
    """2000 calibrations on exponential scores, whose rate above t is exp(-t): KS at 1e-5, mean within 4.5 errors."""
    rng = np.random.default_rng(seed)
    alarms = [anomaly.calibrate(plain, rng.exponential(size=[n, 1]), level) for _ in range(2000)]
    rates = np.exp([-alarm.threshold for alarm in alarms])
    rank = alarms[0].rank
    assert stats.kstest(rates, stats.beta(n + 1 - rank, rank).cdf).pvalue > 1e-5
    error = rates.std(ddof=1) / np.sqrt(2000)
    assert level - 1 / (n + 1) - 4.5 * error <= rates.mean() <= level + 4.5 * error
    assert abs(rates.mean() - alarms[0].false_alarms) < 4.5 * error
    assert alarms[0].standard_error == pytest.approx(rates.std(ddof=1), rel=0.15)
    low, high = alarms[0].interval
    inside = int(((low <= rates) & (rates <= high)).sum())
    assert stats.binomtest(inside, 2000, 0.95).pvalue > 1e-5


@pytest.mark.parametrize("draw", ["normal", "cauchy", "geometric"])
def test_splits_of_one_set_keep_the_level(draw, seed):
    """One finite set split 1000 times, whatever its distribution, with ties or without: mean rate at most the level."""
    rng = np.random.default_rng(seed)
    level, n, rates = 0.1, 49, []
    for _ in range(1000):
        values = {"normal": rng.normal, "cauchy": rng.standard_cauchy}.get(draw, lambda size: rng.geometric(0.4, size))
        scores = rng.permutation(column(values(size=99)))
        rates.append(anomaly.calibrate(plain, scores[:n], level).flag(scores[n:]).mean())
    error = np.std(rates, ddof=1) / np.sqrt(1000)
    assert np.mean(rates) <= level + 4.5 * error
    if draw != "geometric":
        assert np.mean(rates) >= level - 1 / (n + 1) - 4.5 * error


def test_p_values_of_normal_examples_are_uniform_on_their_grid(seed):
    rng = np.random.default_rng(seed)
    drawn = [
        anomaly.calibrate(plain, rng.normal(size=[19, 1])).p_values(rng.normal(size=[1, 1]))[0] for _ in range(2000)
    ]
    counts = np.bincount(np.round(np.array(drawn) * 20).astype(int), minlength=21)[1:]
    assert counts.sum() == 2000 and stats.chisquare(counts).pvalue > 1e-5


def test_too_few_examples_for_a_level_are_refused_with_the_number_needed():
    for level, needed in ((0.05, 19), (0.01, 99), (0.3, 3), (0.5, 1)):
        assert anomaly.calibrate(plain, column(np.arange(needed)), level).examples == needed
        if needed > 1:
            with pytest.raises(ValueError, match=rf"at least {needed} calibration.*Received: {needed - 1} examples"):
                anomaly.calibrate(plain, column(np.arange(needed - 1)), level)


def test_wide_uncertainty_and_infinite_scores_are_warned_of():
    assert "calibrate on more, about 300" in anomaly.calibrate(plain, column(np.arange(19.0))).warnings[0]
    assert not anomaly.calibrate(plain, column(np.arange(1000.0))).warnings
    alarm = anomaly.calibrate(plain, column([*range(500), *[np.inf] * 100]))
    assert "infinite" in alarm.warnings[-1] and json.dumps(alarm.as_json(), allow_nan=False)


def test_calibration_and_new_data_have_noise_of_their_own(loose):
    """The score of the same examples differs after calibration: they stand at later places in the noise."""
    case = loose
    score = anomaly.NegativeELBO(case.model, samples=3, seed=1, progress=False)
    alarm = anomaly.calibrate(score, case.x, level=0.1)
    np.testing.assert_array_equal(alarm.scores, np.sort(score(case.x)))
    np.testing.assert_array_equal(alarm.flag(case.x), score(case.x, first=40) > alarm.threshold)
    assert alarm.score is score


def test_a_noisy_score_of_a_model_keeps_the_level(seed):
    """300 splits of 1 example calibrated on 19 with a one-sample ELBO: at most 1 in 20 flagged (binomial, 1e-5)."""
    case = linear_gaussian(2, 5, seed=seed % 1000, widen=1.5, n=6000)
    score = anomaly.NegativeELBO(case.model, samples=1, seed=seed, progress=False)(case.x)
    flags = [anomaly.calibrate(plain, column(row[:19])).flag(column(row[19:]))[0] for row in score.reshape(300, 20)]
    assert stats.binomtest(int(sum(flags)), 300, 0.05).pvalue > 1e-5


# Detection -----------------------------------------------------------------------------------------------------------


def test_detection_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    normal, anomalous = rng.integers(0, 30, 200), rng.integers(10, 40, 70)  # with ties
    record = anomaly.detection(normal, anomalous)
    kinds, scores = np.repeat([0, 1], [200, 70]), np.concatenate([normal, anomalous])
    assert record.auroc == pytest.approx(metrics.roc_auc_score(kinds, scores), rel=1e-12)
    assert record.average_precision == pytest.approx(metrics.average_precision_score(kinds, scores), rel=1e-12)
    threshold = np.sort(anomalous)[::-1][
        int(np.ceil(0.95 * 70)) - 1
    ]  # flags 95 % of the anomalies, no more than needed
    assert record.false_alarms == np.mean(normal >= threshold)
    assert record.prevalence == 70 / 270
    normal, anomalous = np.arange(200.0), np.linspace(0.5, 199.5, 100)  # flagging 95 of these takes the threshold 10.55
    assert anomaly.detection(normal, anomalous).false_alarms == np.mean(normal >= np.sort(anomalous)[5])


def test_detection_of_normal_scores_is_the_closed_form():
    """AUROC = Phi(d / sqrt 2), false alarms = 1 - Phi(z_0.05 + d) for scores N(0, 1) and N(d, 1), within 4.5 errors."""
    rng = np.random.default_rng(0)
    record = anomaly.detection(rng.normal(size=4000), rng.normal(1.5, 1, 3000))
    truth = {"auroc": stats.norm.cdf(1.5 / np.sqrt(2)), "false_alarms": stats.norm.sf(stats.norm.ppf(0.05) + 1.5)}
    for name, value in truth.items():
        assert abs(getattr(record, name) - value) < 4.5 * record.standard_errors[name]
        assert record.standard_errors[name] < 0.025


def test_errors_of_detection_are_the_spread_over_new_data(seed):
    """Of 50 records: the root mean square error within half of the spread, whose own error is 10 %."""
    rng = np.random.default_rng(seed)
    records = [anomaly.detection(rng.normal(size=150), rng.normal(1.5, 1, 100), resamples=20) for _ in range(50)]
    for name in ("auroc", "average_precision", "false_alarms"):
        spread = np.std([getattr(r, name) for r in records], ddof=1)
        stated = np.sqrt(np.mean([r.standard_errors[name] ** 2 for r in records]))
        assert 1 / 1.5 < stated / spread < 1.5, name


def test_delong_is_the_variance_of_the_placements():
    rng = np.random.default_rng(0)
    lower, higher = rng.integers(0, 9, 40).astype(float), rng.integers(2, 9, 25).astype(float)
    value, error = auroc(lower, higher)
    wins = (lower[:, None] < higher) + (lower[:, None] == higher) / 2  # [n, m]
    assert value == pytest.approx(wins.mean())
    assert error**2 == pytest.approx(wins.mean(0).var(ddof=1) / 25 + wins.mean(1).var(ddof=1) / 40)
    assert np.isnan(auroc(lower[:1], higher)[1])


def test_detection_depends_on_ranks_alone_and_not_on_the_order(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=50), rng.normal(0.5, 1, 40)
    first, other = anomaly.detection(a, b), anomaly.detection(np.exp(rng.permutation(a)), np.exp(rng.permutation(b)))
    for name in ("auroc", "average_precision", "false_alarms"):
        assert getattr(first, name) == pytest.approx(getattr(other, name), rel=1e-12)
    swapped = anomaly.detection(-a, -b)
    assert swapped.auroc == pytest.approx(1 - first.auroc)
    assert anomaly.detection(a, [*b, np.inf, np.inf]).auroc > first.auroc  # a density of zero is a score


def test_detection_warns_of_chance_reversal_and_perfection():
    x = np.random.default_rng(0).normal(size=300)
    assert "chance" in anomaly.detection(np.sort(x)[::2], np.sort(x)[1::2]).warnings[0]
    assert "LikelihoodRatio" in anomaly.detection(x, x - 1).warnings[0]
    assert "error reads 0" in anomaly.detection(x, x + 100).warnings[0]
    assert not anomaly.detection(x, x + 1).warnings


# Real data -----------------------------------------------------------------------------------------------------------


def test_a_model_of_digits_keeps_the_level_and_finds_what_is_no_digit():
    """Trained on 0 to 8: false alarms within the law, noise found almost always; a 9 is harder."""
    digits = data.load("digits")
    x, labels = digits.array("train"), digits.labels["train"]
    held, held_labels = (
        np.concatenate([digits.array("validation"), digits.array("test")]),
        np.concatenate([digits.labels["validation"], digits.labels["test"]]),
    )
    model = zoo.vae((8, 8, 1), 4, units=(64,), seed=0)
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(x[labels < 9], batch_size=64, epochs=20, verbose=0)
    normal, nine = held[held_labels < 9], held[held_labels == 9]
    score = anomaly.NegativeELBO(model, samples=5, progress=False)
    alarm = anomaly.calibrate(score, normal[::2], level=0.1)
    flagged = int(alarm.flag(normal[1::2]).sum())
    law = stats.betabinom(len(normal[1::2]), alarm.examples + 1 - alarm.rank, alarm.rank)
    assert min(law.cdf(flagged), law.sf(flagged - 1)) > 1e-4
    noise = (np.random.default_rng(0).random([100, 8, 8, 1]) < 0.5).astype("float32")
    assert alarm.flag(noise).mean() > 0.9
    place = len(normal[::2])
    found = anomaly.detection(score(normal[1::2], place), score(nine, place))
    assert found.auroc - 0.5 > 2 * found.standard_errors["auroc"]


@pytest.mark.slow
def test_a_model_of_mnist_tells_fashion_apart(tfds_dir):
    """Nalisnick's pair in the direction that works: trained on MNIST, Fashion-MNIST is less likely."""
    mnist, fashion = (data.load(name, data_dir=tfds_dir) for name in ("mnist", "fashion_mnist"))
    model = zoo.vae((28, 28, 1), 10, seed=0)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(mnist.train, epochs=3, verbose=0)
    score = anomaly.NegativeELBO(model, samples=1, progress=False)
    alarm = anomaly.calibrate(score, mnist.array("validation")[:2000])
    normal = mnist.array("test")[:2000]
    assert alarm.flag(normal).mean() == pytest.approx(0.05, abs=0.02)
    assert anomaly.detection(score(normal), score(fashion.array("test")[:2000])).auroc > 0.95


# Records and refusals ------------------------------------------------------------------------------------------------


def test_records_print_values_with_errors_and_serialise():
    rng = np.random.default_rng(0)
    records = (
        anomaly.detection(rng.normal(size=50), rng.normal(1, 1, 50)),
        anomaly.calibrate(plain, rng.normal(size=[50, 1])),
    )
    for record in records:
        assert json.loads(json.dumps(record.as_json(), allow_nan=False)) == record.as_json()
        assert "n = 50" in str(record) and any("±" in text for text in record.rows().values())
        with pytest.raises(dataclasses.FrozenInstanceError):
            record.threshold = 1
    assert "nats" in str(records[1]) and "95 % interval" in str(records[1])
    assert str(records[0]).startswith(f"AUROC {records[0].auroc:.3f} ± ")


CASE = linear_gaussian(1, 3, n=30)
REFUSED = [
    (lambda: anomaly.NegativeELBO(object()), r"Expected a model of tfvae"),
    (lambda: anomaly.NegativeELBO(CASE.model, samples=0), r"samples to be a positive .* Received: samples=0"),
    (lambda: anomaly.NegativeELBO(CASE.model, seed=2**40), r"seed to be one or two"),
    (
        lambda: anomaly.NegativeELBO(CASE.model, progress=False)(CASE.x[:, :2]),
        r"x of shape .*Received: x\.shape=\(30, 2\)",
    ),
    (lambda: anomaly.NegativeEvidence(None), r"Expected a model of tfvae"),
    (lambda: anomaly.NegativeEvidence(CASE.model, samples=1.5), r"samples to be a positive"),
    (lambda: anomaly.LikelihoodRatio(CASE.model, 3), r"Expected a model of tfvae"),
    (
        lambda: anomaly.LikelihoodRatio(CASE.model, linear_gaussian(1, 4).model),
        r"score the same data.*Received: event shapes \(3,\) and \(4,\)",
    ),
    (lambda: anomaly.Typicality(CASE.model, CASE.x[:0], progress=False), r"at least one example"),
    (lambda: anomaly.calibrate("elbo", CASE.x), r"score to be called with data.*Received: score='elbo'"),
    (lambda: anomaly.calibrate(plain, CASE.x, level=0.0), r"level to be above 0 and below 1\. Received: level=0\.0"),
    (lambda: anomaly.calibrate(plain, CASE.x, level=1), r"level to be above 0 and below 1\. Received: level=1"),
    (lambda: anomaly.calibrate(plain, CASE.x, level=5), r"level to be a finite number from 0 to 1\. Received: level=5"),
    (lambda: anomaly.calibrate(plain, CASE.x[:18]), r"at least 19 calibration examples .*Received: 18 examples"),
    (lambda: anomaly.calibrate(plain, CASE.x * np.nan), r"to hold numbers\. Received: 30 of 30 scores that are NaN"),
    (
        lambda: anomaly.calibrate(lambda x: x, CASE.x),
        r"scores, one an example.*Received: score\(data\)\.shape=\(30, 3\)",
    ),
    (lambda: anomaly.calibrate(plain, CASE.x).flag(CASE.x * np.nan), r"Received: 30 of 30 scores that are NaN"),
    (lambda: anomaly.detection([1.0], [1.0, 2.0]), r"normal_scores to hold at least 2 scores.*shape=\(1,\)"),
    (lambda: anomaly.detection([1.0, 2.0], [np.nan, 2.0]), r"anomalous_scores to hold numbers\. Received: 1 of 2"),
    (lambda: anomaly.detection([1.0, 2.0], [1.0, 2.0], resamples=0), r"resamples to be a positive"),
    (lambda: anomaly.detection([1.0, 2.0], [1.0, 2.0], seed=-1), r"seed to be a whole number"),
]


@pytest.mark.parametrize(("run", "message"), REFUSED, ids=range(len(REFUSED)))
def test_mistakes_are_refused_clearly(run, message):
    with pytest.raises(ValueError) as raised:
        run()
    assert re.search(message, " ".join(str(raised.value).split())), str(raised.value)


def test_every_public_name_is_tried_and_documented():
    text = inspect.getsource(inspect.getmodule(test_every_public_name_is_tried_and_documented))
    records = {name for name in anomaly.__all__ if hasattr(getattr(anomaly, name), "__dataclass_fields__")}
    for name in anomaly.__all__:
        assert name in records or re.search(rf"\banomaly\.{name}\b", text), name
        documentation = inspect.getdoc(getattr(anomaly, name))
        assert name in records or "(abstract)" in documentation or ">>> " in documentation, name
        assert re.match(r"[A-Z][^\n]+\.", documentation), name
