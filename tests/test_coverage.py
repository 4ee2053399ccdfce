"""Errors mean what they say: intervals hold the truth as often as they promise, and errors equal spreads.

The truth is exact. For x drawn from a linear-Gaussian model, log p(x) is minus half a chi square and a constant, whose
mean is known; the ELBO lies below it by the divergence of two normals whose covariances and distance no x changes.
"""

import numpy as np
import pytest
from oracle import linear_gaussian
from scipy import stats

from tfvae import evaluation
from tfvae.evaluation.batches import standard_error
from tfvae.evaluation.evidence import monte_carlo_error

SETS, EXAMPLES, LATENT, SIZE = 400, 100, 2, 5
SAMPLES = 100
WIDEN, SHIFT = 1.2, 0.2


@pytest.fixture(scope="module")
def case():
    made = linear_gaussian(LATENT, SIZE, seed=1, widen=WIDEN, shift=SHIFT, orthogonal=True, n=SETS * EXAMPLES)
    made.model.fits = made.model.fits._replace(compiles=False)  # XLA takes longer than the work
    return made


@pytest.fixture(scope="module")
def evidence(case):
    """One pool, measured once; its parts are 400 data sets."""
    return evaluation.log_evidence(case.model, case.x, SAMPLES, progress=False)


@pytest.fixture(scope="module")
def bound(case):
    return evaluation.elbo(case.model, case.x, progress=False)


def expected_evidence(case):
    """E[log p(x)] = -1/2 log det(2 pi e (W W^T + s^2 I)) for x from the model."""
    covariance = case.w @ case.w.T + case.sigma**2 * np.eye(SIZE)
    return -0.5 * np.linalg.slogdet(2 * np.pi * np.e * covariance)[1]


def expected_elbo(case):
    """The evidence less KL(q || p(z | x)): the same for every x, as q has the true mean plus a constant."""
    precision = np.eye(LATENT) + case.w.T @ case.w / case.sigma**2
    variance = WIDEN**2 / np.diag(precision)
    delta = np.full(LATENT, SHIFT)
    divergence = 0.5 * (
        delta @ precision @ delta + variance @ np.diag(precision) - LATENT - np.linalg.slogdet(precision)[1]
        - np.log(variance).sum()
    )  # fmt: skip
    return expected_evidence(case) - divergence


def coverage(values, truth):
    """Share of the data sets whose 95 % interval, by Student's t, holds the truth."""
    parts = values.reshape(SETS, EXAMPLES)
    quantile = stats.t(EXAMPLES - 1).ppf(0.975)
    return np.mean([abs(part.mean() - truth) < quantile * standard_error(part) for part in parts])


def test_parts_of_the_pool_are_what_the_public_functions_measure(case, evidence, bound):
    """The noise depends on an example's place, so the first part of the pool is that part alone, number by number."""
    part = evaluation.log_evidence(case.model, case.x[:EXAMPLES], SAMPLES, progress=False)
    np.testing.assert_array_equal(part.per_example, evidence.per_example[:EXAMPLES])
    np.testing.assert_array_equal(part.effective_sample_size, evidence.effective_sample_size[:EXAMPLES])
    assert part.mean == evidence.per_example[:EXAMPLES].mean()
    assert part.standard_error == standard_error(evidence.per_example[:EXAMPLES])
    assert part.standard_error == stats.sem(part.per_example)
    assert part.monte_carlo_error == monte_carlo_error(evidence.effective_sample_size[:EXAMPLES], SAMPLES)
    first = evaluation.elbo(case.model, case.x[:EXAMPLES], progress=False)
    assert first.elbo == bound.per_example[:EXAMPLES].mean()
    assert first.standard_errors["elbo"] == standard_error(bound.per_example[:EXAMPLES])


def test_intervals_of_the_evidence_hold_the_truth(case, evidence):
    """95 % of 400 intervals, with a deviation of 1.1 %: outside 90 to 99 % by chance once in 20,000 times."""
    assert 0.90 < coverage(evidence.per_example, expected_evidence(case)) < 0.99


def test_intervals_of_the_bound_hold_the_truth(case, bound):
    """As above, for the ELBO of a single draw an example, whose noise the error over the data includes."""
    assert 0.90 < coverage(bound.per_example, expected_elbo(case)) < 0.99


def test_standard_errors_are_the_spread_between_data_sets(evidence, bound):
    """Against the deviation of 400 means, within the quantiles of a chi square that 1 in 10,000 exceeds."""
    low, high = np.sqrt(stats.chi2(SETS - 1).ppf([5e-5, 1 - 5e-5]) / (SETS - 1))
    for values in (evidence.per_example, bound.per_example):
        parts = values.reshape(SETS, EXAMPLES)
        claimed = np.sqrt(np.mean([standard_error(part) ** 2 for part in parts]))
        assert low < parts.mean(1).std(ddof=1) / claimed < high


def test_monte_carlo_intervals_hold_the_evidence_of_the_very_data(case, evidence):
    """The other error: over draws, with the data as they are. The bias takes a share of a deviation off: 90 to 99 %."""
    off = (evidence.per_example - case.log_px).reshape(SETS, EXAMPLES).mean(1)
    errors = [monte_carlo_error(part, SAMPLES) for part in evidence.effective_sample_size.reshape(SETS, EXAMPLES)]
    assert 0.90 <= np.mean(np.abs(off) < 1.96 * np.array(errors)) < 0.99
    assert np.mean(errors) < 0.2 * evidence.per_example.std() / np.sqrt(EXAMPLES)  # none may stand for the other


def test_means_over_seeds_spread_by_the_monte_carlo_error(case, seed):
    """50 seeds, the same data; the quantiles of a chi square that 1 in 10,000 exceeds."""
    x = case.x[:EXAMPLES]
    runs = [evaluation.log_evidence(case.model, x, SAMPLES, (seed, i), progress=False) for i in range(50)]
    claimed = np.sqrt(np.mean([run.monte_carlo_error**2 for run in runs]))
    low, high = np.sqrt(stats.chi2(49).ppf([5e-5, 1 - 5e-5]) / 49)
    assert low < np.std([run.mean for run in runs], ddof=1) / claimed < high
    bias = case.log_px[:EXAMPLES].mean() - np.mean([run.mean for run in runs])
    assert bias == pytest.approx(runs[0].bias, abs=4.4 * claimed / np.sqrt(50))  # which the record foretells


def test_annealed_means_over_seeds_spread_by_their_monte_carlo_error(case, seed):
    """As above, over chains, 16 times: wide enough to find an error that is off by a factor of two."""
    x = case.x[:EXAMPLES]
    runs = [
        evaluation.annealed_importance(case.model, x, 5, 8, (seed, i), leapfrogs=2, progress=False) for i in range(16)
    ]
    claimed = np.sqrt(np.mean([run.monte_carlo_error**2 for run in runs]))
    low, high = np.sqrt(stats.chi2(15).ppf([5e-5, 1 - 5e-5]) / 15)
    assert low < np.std([run.mean for run in runs], ddof=1) / claimed < high
