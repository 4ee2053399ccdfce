"""Records and diagnostics of the evaluation; the bounds themselves are in test_bounds.py."""

import numpy as np
import pytest
from oracle import linear_gaussian
from scipy import stats

from tfvae import evaluation, zoo
from tfvae.evaluation.pareto import pareto_k, tail_length


@pytest.mark.parametrize("k", [0.2, 0.5, 0.9])
def test_pareto_k_recovers_the_shape(k, seed):
    """Tails of 300 out of 40,000 draws, 100 times: the mean estimate is within 0.1 of the shape."""
    draws = stats.genpareto(k).rvs([100, 40000], random_state=np.random.default_rng(seed))
    largest = np.sort(np.log(draws), -1)[:, -301:]
    assert pareto_k(largest).mean() == pytest.approx(k, abs=0.1)


def test_pareto_k_agrees_with_maximum_likelihood(seed):
    draws = np.sort(stats.genpareto(0.4).rvs(20000, random_state=np.random.default_rng(seed)))[-2001:]
    fitted = stats.genpareto.fit(draws[1:] - draws[0], floc=0)[0]
    assert pareto_k(np.log(draws)[None])[0] == pytest.approx(fitted, abs=0.05)


def test_pareto_k_is_unknown_for_a_tail_too_short_or_flat():
    assert np.isnan(pareto_k(np.zeros([1, 3]))).all() and np.isnan(pareto_k(np.zeros([2, 50]))).all()
    assert tail_length(5000) == 212 and tail_length(100) == 20 and tail_length(1) == 0


def test_the_record_prints_its_errors():
    case = linear_gaussian(2, 5, widen=1.3, n=40)
    record = evaluation.log_evidence(case.model, case.x, samples=60, progress=False)
    assert str(record) == (
        f"{record.mean:.2f} ± {record.standard_error:.2f} (data) ± {record.monte_carlo_error:.3f} (Monte Carlo), "
        "K = 60, n = 40"
    )
    assert record.per_example.shape == record.effective_sample_size.shape == record.pareto_k.shape == (40,)
    assert (record.effective_sample_size >= 1).all() and (record.effective_sample_size <= 60).all()


def test_effective_sample_size_and_estimate_are_those_of_the_weights():
    case = linear_gaussian(2, 5, widen=1.5, n=10, dtype="float64")
    record = evaluation.log_evidence(case.model, case.x, samples=120, seed=4, progress=False)
    log_w = case.model.trace(case.x, 120, 4).log_weights.numpy()  # [S, B]
    w = np.exp(log_w)
    np.testing.assert_allclose(record.per_example, np.log(w.mean(0)), rtol=1e-4)
    np.testing.assert_allclose(record.effective_sample_size, w.sum(0) ** 2 / (w**2).sum(0), rtol=1e-3)
    np.testing.assert_allclose(record.pareto_k, pareto_k(np.sort(log_w.T, -1)[:, -tail_length(120) - 1 :]), atol=1e-2)
    variance = w.var(0, ddof=1) / 120 / w.mean(0) ** 2
    assert record.monte_carlo_error == pytest.approx(np.sqrt(variance.sum()) / 10, rel=1e-3)


def test_a_bad_posterior_is_diagnosed():
    good, bad = linear_gaussian(5, 20, widen=1.2), linear_gaussian(5, 20, widen=0.2, shift=0.5)
    records = [evaluation.log_evidence(c.model, c.x, samples=500, progress=False) for c in (good, bad)]
    assert np.mean(records[0].pareto_k > 0.7) < 0.1 < 0.8 < np.mean(records[1].pareto_k > 0.7)
    assert np.median(records[0].effective_sample_size) > 10 * np.median(records[1].effective_sample_size)


def test_one_sample_has_no_monte_carlo_error_and_one_example_no_standard_error():
    case = linear_gaussian(1, 2, n=1)
    record = evaluation.log_evidence(case.model, case.x, samples=1, progress=False)
    assert np.isnan(record.monte_carlo_error) and np.isnan(record.standard_error) and np.isfinite(record.mean)


def test_bits_per_dimension_are_those_of_the_probability_and_of_no_density():
    x = np.zeros([20, 4, 4, 1], "float32")
    model = zoo.vae((4, 4, 1), 2, units=(4,), seed=0)
    for weight in model.decoder.weights:
        weight.assign(np.zeros(weight.shape))  # every pixel is a fair coin, whatever z
    fair = evaluation.log_evidence(model, x, 3, progress=False)
    assert fair.bits_per_dim == pytest.approx(1.0, rel=1e-6)
    density = evaluation.log_evidence(linear_gaussian(2, 5, n=4).model, linear_gaussian(2, 5, n=4).x, 3, progress=False)
    with pytest.raises(ValueError, match="bits per dimension are not defined for a density"):
        density.bits_per_dim  # noqa: B018
