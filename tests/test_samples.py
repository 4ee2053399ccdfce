"""Quality of samples: closed forms, hand-made cases, what each number must and must not notice."""

import dataclasses
import inspect
import json
import re

import keras
import numpy as np
import pytest
from oracle import linear_gaussian
from scipy import linalg, stats

from tfvae import data, zoo
from tfvae.evaluation import samples
from tfvae.evaluation.samples.arrays import error_over_halves, inside, nearest, radii


def uniform(n, low, high, seed):
    return np.random.default_rng(seed).uniform(low, high, [n, 1])


# Precision, recall, density, coverage --------------------------------------------------------------------------------


def test_precision_and_recall_of_a_hand_made_case():
    """Real 0, 1, 3, 7 with k = 1 have balls [-1, 1], [0, 2], [1, 5], [3, 11]; generated -3, 1.5, 4.5, 20: see below."""
    x, y = np.array([[0.0], [1.0], [3.0], [7.0]]), np.array([[-3.0], [1.5], [4.5], [20.0]])
    record = samples.precision_recall(x, y, k=1)
    # Balls of y: -3 [-7.5, 1.5], 1.5 [-1.5, 4.5], 4.5 [1.5, 7.5], 20 [4.5, 35.5].
    assert (record.precision, record.recall) == (0.5, 1.0)
    other = samples.density_coverage(x, y, k=1)
    assert (other.density, other.coverage) == (4 / 4, 3 / 4)  # 1.5 in two balls, 4.5 in two; no y in [-1, 1]


def test_equal_sets_have_precision_and_recall_one_and_far_sets_none():
    x = np.random.default_rng(0).normal(size=[200, 5]) + 1e4  # far from the origin, where rounding is worst
    same, far = samples.precision_recall(x, x.copy()), samples.precision_recall(x, x + 50)
    assert (same.precision, same.recall, far.precision, far.recall) == (1, 1, 0, 0)
    near, none = samples.density_coverage(x, x.copy()), samples.density_coverage(x, x + 50)
    assert near.coverage == 1 and near.density == pytest.approx(6 / 5, abs=1e-12)  # each ball holds k others and itself
    assert (none.density, none.coverage) == (0, 0)


def test_equal_points_have_balls_of_radius_zero_that_hold_copies_only():
    x = np.repeat([[0.1, 0.7], [5.3, 2.9]], 20, 0)
    assert samples.precision_recall(x, np.repeat([[0.1, 0.7]], 20, 0)).precision == 1
    assert samples.precision_recall(x, np.repeat([[0.1, 0.70001]], 20, 0)).precision == 0


@pytest.mark.parametrize("overlap", [0.25, 0.5, 0.75])
def test_partial_overlap_in_one_dimension(overlap):
    """Uniform on [0, 1] against [1 - overlap, 2 - overlap]: the overlap, but for balls at its edges, k / n wide."""
    record = samples.precision_recall(uniform(1500, 0, 1, 1), uniform(1500, 1 - overlap, 2 - overlap, 2))
    assert record.precision == pytest.approx(overlap, abs=4 * 0.5 / np.sqrt(1500) + 0.01)
    assert record.recall == pytest.approx(overlap, abs=4 * 0.5 / np.sqrt(1500) + 0.01)
    assert 0.5 < record.standard_errors["precision"] / np.sqrt(overlap * (1 - overlap) / 1500) < 2


def test_perfect_samples_have_density_one_and_the_expected_coverage(seed):
    """Mean of 40 repetitions within 5 of its errors: fails one time in 80,000 (t) for each of the two."""
    rng = np.random.default_rng(seed)
    records = [samples.density_coverage(*rng.normal(size=[2, 100, 3]), k=3) for _ in range(20)]
    records += [samples.density_coverage(*rng.normal(size=[2, 100, 3]) ** 3, k=3) for _ in range(20)]
    excess = np.array([[r.density - 1, r.coverage - r.expected_coverage] for r in records])
    assert (np.abs(excess.mean(0)) < 5 * excess.std(0, ddof=1) / np.sqrt(40)).all()
    assert samples.density_coverage(np.eye(50), np.eye(50) + 1, k=1).expected_coverage == pytest.approx(50 / 99)


def test_expected_coverage_holds_for_unequal_numbers(seed):
    """40 repetitions of 40 real and 120 generated, within 5 errors (chance 1e-5)."""
    rng = np.random.default_rng(seed)
    records = [samples.density_coverage(rng.normal(size=[40, 2]), rng.normal(size=[120, 2]), k=2) for _ in range(40)]
    excess = np.array([[r.density - 1, r.coverage - r.expected_coverage] for r in records])
    assert (np.abs(excess.mean(0)) < 5 * excess.std(0, ddof=1) / np.sqrt(40)).all()


def modes(n, weights, seed):
    rng = np.random.default_rng(seed)
    centres = 20.0 * np.eye(len(weights), 4)
    return centres[rng.choice(len(weights), n, p=weights)] + rng.normal(size=[n, 4])


def test_dropping_modes_lowers_recall_and_coverage_but_not_precision_and_density():
    real = modes(600, [0.25] * 4, 1)
    whole, dropped = modes(600, [0.25] * 4, 2), modes(600, [0.5, 0.5, 0, 0], 3)
    full, part = samples.precision_recall(real, whole), samples.precision_recall(real, dropped)
    assert part.precision > full.precision - 0.05 and full.recall > 0.8 and part.recall == pytest.approx(0.5, abs=0.1)
    full, part = samples.density_coverage(real, whole), samples.density_coverage(real, dropped)
    assert part.density > full.density - 0.1 and full.coverage > 0.9 and part.coverage == pytest.approx(0.5, abs=0.1)
    assert samples.kernel_distance(real, dropped).value > 5 * samples.kernel_distance(real, dropped).standard_error


def test_an_outlier_among_the_data_deceives_precision_but_not_density():
    """Samples far out are taken for real by the ball of one real outlier; density counts that it is one of k."""
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=[400, 3]), rng.normal(size=[400, 3]) + 8
    spoilt = np.concatenate([real, [[8.0, 8.0, 8.0]]])
    assert samples.precision_recall(real, fake).precision == 0
    assert samples.precision_recall(spoilt, fake).precision == 1
    assert samples.density_coverage(spoilt, fake).density == pytest.approx(1 / 5, abs=1e-12)
    other = rng.normal(size=[400, 3])
    clean, touched = samples.density_coverage(real, other), samples.density_coverage(spoilt, other)
    assert touched.density == pytest.approx(clean.density, abs=0.2) and touched.coverage == pytest.approx(
        clean.coverage, abs=0.01
    )


def test_neighbours_are_those_of_all_distances():
    x, y = np.random.default_rng(0).normal(size=[2, 60, 7])
    distances = np.linalg.norm(x[:, None] - x, axis=-1)
    np.testing.assert_allclose(radii(x, 4), np.sort(distances, 1)[:, 4], rtol=1e-5)
    across = np.linalg.norm(x[:, None] - y, axis=-1)  # [x, y]
    counts, held = inside(x, radii(x, 4), y)
    within = across <= np.sort(distances, 1)[:, [4]]
    np.testing.assert_array_equal(counts, within.sum(0))
    np.testing.assert_array_equal(held, within.any(1))
    np.testing.assert_allclose(nearest(x, y)[0], across.min(0), rtol=1e-12)
    np.testing.assert_array_equal(nearest(x, y)[1], across.argmin(0))


# Errors --------------------------------------------------------------------------------------------------------------


def test_the_error_over_halves_is_that_of_a_mean():
    x, y = np.random.default_rng(0).normal(size=[2, 2000, 1])
    errors = [error_over_halves(lambda a, b: a.mean() - b.mean(), x, y, seed) for seed in range(40)]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.sqrt(2 / 2000), rel=0.1)


@pytest.mark.parametrize("name", ["precision", "recall", "density", "coverage", "value", "frechet"])
def test_errors_are_the_spread_over_new_data(name, seed):
    """The error of one record against the spread over 40 others, within a factor of 2 (chance below 1e-5)."""
    rng = np.random.default_rng(seed)

    def one():
        x, y = rng.normal(size=[100, 3]), 0.7 * rng.normal(size=[100, 3]) + 0.7
        if name in ("precision", "recall"):
            record = samples.precision_recall(x, y)
            return getattr(record, name), record.standard_errors[name]
        if name in ("density", "coverage"):
            record = samples.density_coverage(x, y)
            return getattr(record, name), record.standard_errors[name]
        record = samples.kernel_distance(x, y) if name == "value" else samples.frechet_distance(x, y)
        return record.value, record.standard_error

    values, errors = np.array([one() for _ in range(40)]).T
    assert 0.5 < np.sqrt(np.mean(errors**2)) / values.std(ddof=1) < 2


# The kernel distance -------------------------------------------------------------------------------------------------


def test_kernel_distance_of_a_hand_made_case():
    """In one dimension k(x, y) = (x y + 1)^3; x = 0, 1, 0, 1 and y = 1, 2, 1, 2."""
    record = samples.kernel_distance([[0.0], [1.0], [0.0], [1.0]], [[1.0], [2.0], [1.0], [2.0]], subsets=2)
    within_x = (2 * 1 + 2 * 8 + 8 * 1) / 12  # pairs (0, 0), (1, 1), and eight of (0, 1)
    within_y = (2 * 8 + 2 * 125 + 8 * 27) / 12
    across = (4 * 1 + 4 * 1 + 4 * 8 + 4 * 27) / 16
    assert record.value == pytest.approx(within_x + within_y - 2 * across, rel=1e-12)


def test_kernel_distance_has_no_bias(seed):
    """300 estimates between draws of one distribution: the mean within 4.5 of its errors (chance 7e-6)."""
    rng = np.random.default_rng(seed)
    values = [samples.kernel_distance(rng.normal(size=[30, 4]), rng.normal(size=[50, 4])).value for _ in range(300)]
    assert abs(np.mean(values)) < 4.5 * np.std(values, ddof=1) / np.sqrt(300)


def test_kernel_distance_is_that_of_the_moments(seed):
    """In one dimension the distance is sum_i binom(3, i) (E x^i - E y^i)^2, known for normal distributions."""
    rng = np.random.default_rng(seed)
    moments = [np.array([1, m, m**2 + s**2, m**3 + 3 * m * s**2]) for m, s in ((0.0, 1.0), (0.5, 1.5))]
    truth = np.dot([1, 3, 3, 1], (moments[0] - moments[1]) ** 2)
    record = samples.kernel_distance(rng.normal(size=[5000, 1]), rng.normal(0.5, 1.5, [6000, 1]))
    assert record.subsets == 10 and abs(record.value - truth) < 8.5 * record.standard_error  # t, 9 degrees: 1e-5
    assert samples.kernel_distance(np.zeros([2500, 1]), np.zeros([2500, 1]), subsets=2).subsets == 3
    assert record.standard_error < 0.2 * truth


def test_small_subsets_are_warned_of():
    x = np.random.default_rng(0).normal(size=[100, 3])
    assert "Subsets of 9" in samples.kernel_distance(x[:99], x).warnings[0]
    assert not samples.kernel_distance(x, -x).warnings


# The Frechet distance ------------------------------------------------------------------------------------------------


def with_moments(n, mean, covariance, seed):
    """Return examples whose sample mean and covariance are exactly these."""
    x = np.random.default_rng(seed).normal(size=[n, len(mean)])
    x = (x - x.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(x.T)))).T
    values, vectors = np.linalg.eigh(covariance)
    return x @ (vectors * np.sqrt(np.maximum(values, 0))).T + mean


def test_frechet_distance_of_normals_is_the_closed_form():
    rng = np.random.default_rng(0)
    a, b = (f @ f.T for f in rng.normal(size=[2, 4, 4]))
    m = rng.normal(size=[2, 4])
    truth = ((m[0] - m[1]) ** 2).sum() + np.trace(a + b - 2 * np.real(linalg.sqrtm(a @ b)))
    record = samples.frechet_distance(with_moments(50, m[0], a, 1), with_moments(60, m[1], b, 2))
    assert record.value == pytest.approx(truth, rel=1e-9)
    one = samples.frechet_distance(with_moments(50, [0.0], [[4.0]], 1), with_moments(60, [3.0], [[25.0]], 2))
    assert one.value == pytest.approx(3**2 + (5 - 2) ** 2, rel=1e-12)


def test_frechet_distance_of_singular_covariances():
    """Commuting covariances, some scales zero: sum (s_1 - s_2)^2 exactly; more features than examples do no harm."""
    scales = np.array([[1.0, 2.0, 0.0, 0.0, 0.0], [3.0, 0.0, 0.5, 0.0, 0.0]])
    x, y = (with_moments(40, np.zeros(5), np.diag(s**2), i) for i, s in enumerate(scales))
    truth = ((scales[0] - scales[1]) ** 2).sum()
    assert samples.frechet_distance(x, y).value == pytest.approx(truth, rel=1e-9)
    wide = np.random.default_rng(0).normal(size=[20, 100])
    record = samples.frechet_distance(wide, wide + 1)
    assert record.value == pytest.approx(100, rel=1e-9) and "do not determine" in record.warnings[0]
    assert samples.frechet_distance(wide, wide).value == pytest.approx(0, abs=1e-9)


def test_the_floor_of_the_frechet_distance_is_its_bias():
    """The distance of perfect samples is bias alone: about half of the floor, whose halves are half as large."""
    draws = np.random.default_rng(0).normal(size=[20, 2, 200, 10])
    records = [samples.frechet_distance(x, y) for x, y in draws]
    ratio = np.mean([r.floor for r in records]) / np.mean([r.value for r in records])
    assert ratio == pytest.approx(2, abs=0.3)
    assert "bias" in " ".join(records[0].warnings)
    assert not samples.frechet_distance(draws[0, 0], draws[0, 1] + 3).warnings


# Invariance ----------------------------------------------------------------------------------------------------------


def test_order_and_shape_of_the_examples_do_not_matter():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=[100, 2, 3]), rng.normal(size=[80, 2, 3])
    first = samples.compare(x, y)
    other = samples.compare(rng.permutation(x.reshape(100, 6)), rng.permutation(y.reshape(80, 6)))
    for a, b in zip(first.parts, other.parts, strict=True):
        values = {f.name for f in dataclasses.fields(a)} & {"precision", "recall", "density", "coverage", "value"}
        for name in values:
            assert getattr(a, name) == pytest.approx(getattr(b, name), rel=1e-9), name
    assert samples.compare(x, y) == first  # the same seed gives the same errors


def test_distance_metrics_do_not_notice_a_shift_of_both():
    x, y = np.random.default_rng(0).normal(size=[2, 100, 3])
    here, there = samples.compare(x, y), samples.compare(x + 100, y + 100)
    assert here.precision_recall == there.precision_recall and here.density_coverage == there.density_coverage
    assert here.frechet_distance.value == pytest.approx(there.frechet_distance.value, rel=1e-6)


# Memorisation --------------------------------------------------------------------------------------------------------


def test_a_model_that_memorises_is_caught_and_an_honest_one_is_not():
    train, test, new = np.random.default_rng(0).normal(size=[3, 300, 5])
    copier = samples.memorisation(train, test, train[::2] + 1e-3)
    assert copier.p_value < 1e-10 and copier.nearest_p_value < 1e-10 and copier.nearer > 0.99
    assert len(copier.warnings) == 2 and "memorises" in copier.warnings[0]
    honest = samples.memorisation(train, test, new)
    assert honest.p_value > 0.01 and honest.nearest_p_value > 0.01 and not honest.warnings
    assert abs(honest.nearer - 0.5) < 4 * honest.standard_error


def test_a_few_copies_among_poor_samples_are_caught_by_the_nearest():
    train, test, new = np.random.default_rng(1).normal(size=[3, 300, 5])
    mixed = 3 * new
    mixed[:15] = train[:15] + 1e-4
    record = samples.memorisation(train, test, mixed)
    assert record.p_value > 0.5 and record.nearest_count >= 15 and record.nearest_p_value < 1e-4
    found = {tuple(pair) for pair in record.pairs.tolist()}
    assert found <= {(i, i) for i in range(15)} and len(found) == 10


def test_p_values_of_an_honest_model_are_uniform(seed):
    """400 sets of three samples of one distribution: Kolmogorov-Smirnov at 1e-5, and the tail of the nearest's."""
    rng = np.random.default_rng(seed)
    records = [samples.memorisation(*rng.normal(size=[3, 40, 2])) for _ in range(400)]
    assert stats.kstest([r.p_value for r in records], "uniform").pvalue > 1e-5
    for level in (0.01, 0.1, 0.3):
        often = sum(r.nearest_p_value <= level for r in records)
        assert stats.binomtest(often, 400, level, "greater").pvalue > 1e-5


def test_the_probability_of_the_nearest_is_that_of_ranks():
    train = np.array([[0.0], [100.0]])
    record = samples.memorisation(train, [[2.0], [3.0], [4.0]], [[1.0], [1.5], [5.0], [6.0]])
    assert record.nearest_count == 2
    assert record.nearest_p_value == pytest.approx(4 / 7 * 3 / 6)
    assert record.nearer == pytest.approx(6 / 12)
    exact = stats.mannwhitneyu([1, 1.5, 5, 6], [2, 3, 4], alternative="less").pvalue
    assert record.p_value == exact


@pytest.mark.parametrize("event", [(4, 4, 1), (4, 4, 3), (4, 4), (6,)])
def test_the_figure_shows_samples_beside_their_neighbours(event):
    train, test, new = np.random.default_rng(0).random([3, 30, *event])
    record = samples.memorisation(train, test, new, shown=4)
    assert record.images.shape == (2, 4, *event)
    np.testing.assert_array_equal(record.images[1], train[record.pairs[:, 1]])
    figure = record.figure()
    assert len(figure.axes) == 8
    figure.canvas.draw()
    if event == (4, 4, 1):
        np.testing.assert_allclose(figure.axes[0].images[0].get_array(), record.images[0, 0, ..., 0])


# The classifier and the joint measurement ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def classifier(digits):
    return samples.FeatureClassifier(digits, steps=300)


def test_the_classifier_learns_and_states_how_well(digits, classifier):
    assert classifier.accuracy > 0.9 and f"test accuracy {classifier.accuracy:.3f}" in classifier.description
    assert "classifier of digits" in classifier.description and "FID" not in classifier.description
    assert classifier.standard_error == pytest.approx(np.sqrt(classifier.accuracy * (1 - classifier.accuracy) / 270))
    grey = digits.stored["test"].values / np.float32(digits.stored["test"].divisor)
    features = classifier(grey)
    assert features.shape == (270, 64) and (features >= 0).all() and not classifier.warnings
    assert np.mean(features**2) == pytest.approx(1, rel=0.1)
    # A linear read-out fitted to half of the test features predicts the labels of the other half: they are features.
    labels = digits.labels["test"]
    design = np.c_[features, np.ones(270)]
    weights = np.linalg.lstsq(design[::2], np.eye(10)[labels[::2]], rcond=None)[0]
    assert np.mean((design[1::2] @ weights).argmax(1) == labels[1::2]) > 0.7


def test_the_same_seed_gives_the_same_classifier_whatever_the_global_seed(digits):
    grey = np.random.default_rng(0).random([20, 8, 8, 1])
    made = []
    for other in (1, 2):
        keras.utils.set_random_seed(other)
        made.append(samples.FeatureClassifier(digits, units=8, steps=20, seed=3))
    np.testing.assert_allclose(made[0](grey), made[1](grey), rtol=1e-4, atol=1e-5)


def test_a_classifier_of_noise_warns():
    rng = np.random.default_rng(0)
    labels = {split: rng.integers(0, 2, n) for split, n in (("train", 200), ("validation", 40), ("test", 40))}
    arrays = [rng.normal(size=[n, 6]) for n in (200, 40, 40)]
    guess = samples.FeatureClassifier(data.from_arrays(*arrays, labels=labels), units=4, steps=5)
    assert "hardly better than chance" in guess.warnings[0]


@pytest.mark.slow
def test_measure_tells_a_better_model_from_a_worse_one(digits, classifier):
    """A model that was trained for seconds against one that was not trained at all."""
    trained, raw = (zoo.vae((8, 8, 1), 4, units=(48,), seed=0) for _ in range(2))
    trained.compile(keras.optimizers.Adam(3e-3))
    trained.fit(digits.train, epochs=10, verbose=0)
    good = samples.measure(trained, digits, features=classifier, progress=False)
    grey = digits.stored["test"].values / np.float32(digits.stored["test"].divisor)
    bad = samples.compare(classifier(grey), classifier(raw.sample(270)))
    assert good.samples == 270 and good.features == classifier.description
    assert good.comparison.precision_recall.precision > bad.precision_recall.precision + 0.3
    assert good.comparison.frechet_distance.value < 0.7 * bad.frechet_distance.value
    assert good.yardstick.frechet_distance.value < good.comparison.frechet_distance.value
    assert abs(good.yardstick.kernel_distance.value) < 4 * good.yardstick.kernel_distance.standard_error
    assert good.memorisation.train == 1257 and good.memorisation.p_value > 0.01
    assert "E[x | z]" in str(good) and "means" in good.rows()["samples"]
    assert "(data: " in good.rows()["Frechet distance"] and "FID" not in str(good)


def test_measure_draws_the_models_own_samples_and_the_test_examples(digits):
    model = zoo.vae((8, 8, 1), 2, units=(4,), seed=0)
    record = samples.measure(model, digits, count=40, seed=(3, 1), features=samples.Pixels(), progress=False)
    grey = digits.stored["test"].values / np.float32(digits.stored["test"].divisor)
    train = digits.stored["train"].values / np.float32(digits.stored["train"].divisor)
    again = samples.memorisation(train, grey, model.sample(40, (3, 1)))
    np.testing.assert_allclose(record.memorisation.distances, again.distances, rtol=1e-6)
    assert record == dataclasses.replace(record) and record.comparison.frechet_distance.real == 40
    twice = samples.measure(model, digits, count=40, seed=(3, 1), features=samples.Pixels(), progress=False)
    assert record.as_json() == twice.as_json()


def test_many_samples_are_drawn_in_parts_and_are_the_same():
    case, rng = linear_gaussian(1, 5), np.random.default_rng(0)
    splits = data.from_arrays(case.x, case.x[:30], rng.normal(size=[620, 5]))
    record = samples.measure(case.model, splits, 610, seed=4, features=samples.Pixels(), progress=False)
    test, drawn = splits.array("test"), case.model.sample(610, 4)
    again = samples.memorisation(case.x, test, drawn)
    np.testing.assert_allclose(record.memorisation.distances, again.distances, rtol=1e-4)
    np.testing.assert_allclose(record.memorisation.held_out_distances, again.held_out_distances, rtol=1e-4)
    chosen = splits.array("validation")
    distance = record.comparison.frechet_distance
    assert distance.value == pytest.approx(samples.frechet_distance(test, drawn).value, rel=0.02)  # 610 of the 620
    other = record.yardstick.frechet_distance
    assert other.fake == 30 and other.value == pytest.approx(samples.frechet_distance(test, chosen).value, rel=0.02)


def test_features_are_any_function_of_images(digits):
    def ink(images):
        return images.reshape(len(images), -1).sum(1, keepdims=True)

    record = samples.measure(zoo.vae((8, 8, 1), 2, units=(4,), seed=0), digits, 40, features=ink, progress=False)
    assert record.features == "the features ink" and record.comparison.frechet_distance.dimensions == 1


def test_means_against_bits_are_warned_of():
    bits = np.random.default_rng(0).integers(0, 2, [100, 4, 4, 1]).astype("float32")
    splits = data.from_arrays(bits, bits[:30], bits[:30])
    model = zoo.vae((4, 4, 1), 2, units=(4,), seed=0)
    record = samples.measure(model, splits, features=samples.Pixels(), progress=False)
    assert any("binary" in warning for warning in record.warnings)


# Records and refusals ------------------------------------------------------------------------------------------------


def test_records_print_values_with_errors_and_serialise():
    x, y = np.random.default_rng(0).normal(size=[2, 60, 3])
    comparison = samples.compare(x, y)
    for record in (*comparison.parts, comparison, samples.memorisation(x, y, y + 1)):
        assert json.loads(json.dumps(record.as_json(), allow_nan=False)) == record.as_json()
        assert "±" in str(record) and "n = 60" in str(record)
        assert record.rows() and all(isinstance(text, str) for text in record.rows().values())
        assert all(isinstance(text, str) for text in record.warnings)
        with pytest.raises(dataclasses.FrozenInstanceError):
            record.value = 1
    assert "k = 3" in str(comparison.precision_recall) and "60 examples" in comparison.warnings[0]
    assert "different sizes" in samples.precision_recall(x, y[:20]).warnings[1]


GOOD = np.random.default_rng(0).normal(size=[40, 2])
UNLABELLED = data.from_arrays(np.random.default_rng(0).random([200, 5]))
REFUSED = [
    (lambda: samples.precision_recall(GOOD, GOOD, k=0), r"k to be a positive .* Received: k=0"),
    (
        lambda: samples.precision_recall(GOOD[:7], GOOD),
        r"real .* at least 8 examples\. Received: real\.shape=\(7, 2\)",
    ),
    (
        lambda: samples.density_coverage(GOOD, GOOD[:, :1]),
        r"of one length\. Received: .*fake\.shape=\(40, 1\)",
    ),
    (lambda: samples.density_coverage(GOOD, GOOD * np.nan), r"fake to be finite\. Received: 80 of 80"),
    (lambda: samples.kernel_distance(GOOD, GOOD, subsets=1), r"subsets to be at least 2.*Received: subsets=1"),
    (lambda: samples.kernel_distance(GOOD[:19], GOOD), r"at least 20 examples\. Received: real\.shape=\(19, 2\)"),
    (lambda: samples.kernel_distance(GOOD, GOOD[:, :1]), r"features of one length"),
    (lambda: samples.frechet_distance(GOOD[:, 0], GOOD), r"real to have shape \[n, d\].*Received: real\.shape=\(40,\)"),
    (lambda: samples.frechet_distance([["a"]], GOOD), r"real to be numbers of shape \[n, d\]"),
    (lambda: samples.frechet_distance(GOOD, GOOD, seed=-1), r"seed to be a whole number .* Received: seed=-1"),
    (lambda: samples.compare(GOOD[:5], GOOD), r"at least 8 examples"),
    (lambda: samples.memorisation(GOOD, GOOD, GOOD, shown=0), r"shown to be a positive"),
    (lambda: samples.memorisation(GOOD, GOOD[:1], GOOD), r"held_out to .* at least 2 examples"),
    (lambda: samples.memorisation(GOOD, GOOD, GOOD[:, :1]), r"one event shape\. Received: .*sampled"),
    (
        lambda: samples.FeatureClassifier(UNLABELLED),
        r"labels of train and test.*samples\.Pixels\(\).*: Splits",
    ),
    (
        lambda: samples.FeatureClassifier(data.from_arrays(GOOD, labels={"train": np.arange(40)})),
        r"two classes or more.*Received: 32 different labels of 32",
    ),
    (lambda: samples.measure(object(), UNLABELLED), r"Expected a model of tfvae"),
    (
        lambda: samples.measure(linear_gaussian(1, 4).model, UNLABELLED),
        r"that the model is of\. Received: .*\(4,\)",
    ),
    (
        lambda: samples.measure(linear_gaussian(1, 5).model, UNLABELLED, count=19),
        r"20 or more\. Received: count=19",
    ),
    (lambda: samples.measure(linear_gaussian(1, 5).model, UNLABELLED, progress=False), r"Pass features of your own"),
    (
        lambda: samples.measure(linear_gaussian(1, 5).model, UNLABELLED, features=lambda x: x[:3], progress=False),
        r"one row an image\. Received: 3 rows of 20 images",
    ),
    (
        lambda: samples.measure(linear_gaussian(1, 5).model, UNLABELLED, features=lambda x: x[:, 0], progress=False),
        r"features\(images\) to have shape \[n, d\]",
    ),
]


@pytest.mark.parametrize(("run", "message"), REFUSED, ids=range(len(REFUSED)))
def test_mistakes_are_refused_clearly(run, message):
    with pytest.raises(ValueError) as raised:
        run()
    assert re.search(message, " ".join(str(raised.value).split())), str(raised.value)


def test_every_public_name_is_tried_and_documented():
    text = inspect.getsource(inspect.getmodule(test_every_public_name_is_tried_and_documented))
    records = {name for name in samples.__all__ if hasattr(getattr(samples, name), "__dataclass_fields__")}
    for name in samples.__all__:
        assert name in records or re.search(rf"\bsamples\.{name}\b", text), name
        assert name in records or ">>> " in inspect.getdoc(getattr(samples, name)), name
        assert re.match(r"[A-Z][^\n]+\.", inspect.getdoc(getattr(samples, name))), name
