"""Bounds and estimates against the exact evidence of linear-Gaussian models."""

import numpy as np
import pytest
import tensorflow as tf
from oracle import linear_gaussian

from tfvae import evaluation
from tfvae.random import Seed

SIZES = [(1, 2), (2, 5), (5, 20)]


@pytest.mark.parametrize(("latent", "size"), SIZES)
def test_log_evidence_lies_within_three_of_its_own_errors(latent, size, seed):
    case = linear_gaussian(latent, size, seed=seed, widen=1.3, shift=0.1)
    estimate = evaluation.log_evidence(case.model, case.x, samples=2000, seed=seed % 1000, progress=False)
    assert abs(estimate.mean - case.log_px.mean()) < 3 * estimate.monte_carlo_error
    assert estimate.monte_carlo_error < 0.05  # an error so large that anything passes would be no error bar
    assert estimate.standard_error == pytest.approx(case.log_px.std(ddof=1) / np.sqrt(len(case.x)), rel=0.05)


@pytest.mark.parametrize(("latent", "size"), SIZES)
def test_elbo_lies_below_the_evidence_by_the_exact_gap(latent, size, seed):
    case = linear_gaussian(latent, size, seed=seed, widen=1.5, shift=0.2)
    bound = evaluation.elbo(case.model, case.x, samples=2000)
    q = case.model.encoder(case.x)
    precision = np.eye(latent) + case.w.T @ case.w / case.sigma**2
    mean = np.linalg.solve(precision, case.w.T @ (case.x - case.b).T / case.sigma**2).T
    delta, variance = q.mean().numpy() - mean, q.variance().numpy()
    gap = 0.5 * (  # KL(q || p(z | x)) of two normals
        np.einsum("bd,de,be->b", delta, precision, delta)
        + variance @ np.diag(precision) - latent - np.linalg.slogdet(precision)[1] - np.log(variance).sum(-1)
    )  # fmt: skip
    assert bound.elbo < case.log_px.mean()
    assert case.log_px.mean() - bound.elbo == pytest.approx(gap.mean(), abs=0.02)


@pytest.mark.parametrize(("latent", "size"), SIZES)
def test_at_the_true_posterior_every_sample_gives_the_evidence(latent, size):
    case = linear_gaussian(latent, size, orthogonal=True, dtype="float64")
    weights = case.model.trace(tf.constant(case.x), 5).log_weights  # [S, B]
    np.testing.assert_allclose(weights, np.broadcast_to(case.log_px, weights.shape), atol=1e-3)
    estimate = evaluation.log_evidence(case.model, case.x, samples=20, progress=False)
    np.testing.assert_allclose(estimate.per_example, case.log_px, atol=1e-3)
    assert estimate.effective_sample_size == pytest.approx(20, abs=1e-3)
    assert estimate.monte_carlo_error < 1e-4
    bound = evaluation.elbo(case.model, case.x, samples=4000)
    assert bound.elbo == pytest.approx(case.log_px.mean(), abs=0.02)


def test_monte_carlo_error_is_the_spread_over_draws(seed):
    """One example estimated 400 times: the noise depends on its place, and the mean is over independent estimates.

    The ratio of two standard deviations of 400 has a deviation of about 5 %.
    """
    case = linear_gaussian(2, 5, seed=seed, widen=1.6, n=1)
    runs = evaluation.log_evidence(case.model, np.repeat(case.x, 400, 0), samples=200, seed=1, progress=False)
    observed = runs.per_example.std(ddof=1) / np.sqrt(400)
    assert 0.75 < runs.monte_carlo_error / observed < 1.3


def test_more_samples_raise_the_estimate_towards_the_evidence(seed):
    case = linear_gaussian(3, 8, seed=seed, widen=1.8, shift=0.4, n=1000)
    bounds = [evaluation.log_evidence(case.model, case.x, samples=k, seed=k, progress=False).mean for k in (1, 8, 256)]
    assert bounds == sorted(bounds)
    assert case.log_px.mean() - bounds[-1] < 0.1 * (case.log_px.mean() - bounds[0])


def test_gradients_are_unbiased(seed):
    """z-test of the sampled gradient of the ELBO against the exact one; |z| > 5 for any of 22 by chance: 1e-5."""
    case = linear_gaussian(2, 5, seed=seed, widen=1.4, shift=0.3, n=8, dtype="float64")
    x, variables = tf.constant(case.x), case.model.trainable_variables

    def exact():
        q, (kernel, bias) = case.model.encoder(x), case.model.decoder.head.projection.linear.trainable_variables
        loc, variance = q.mean(), q.variance()
        residual = tf.reduce_sum((x - loc @ kernel - bias) ** 2, -1)
        spread = tf.reduce_sum(variance @ (tf.convert_to_tensor(kernel) ** 2), -1)
        log_px = -0.5 * (residual + spread) / case.sigma**2
        return tf.reduce_mean(log_px - case.model.rate(q, case.model.prior(), None))

    @tf.function
    def sampled(number):
        with tf.GradientTape() as tape:
            trace = case.model.trace(x, 1, Seed(tf.stack([number, seed])))
            bound = tf.reduce_mean(case.model.objective.bound(trace, tf.constant(0)))
        return tape.gradient(bound, [v.value for v in variables])

    with tf.GradientTape() as tape:
        value = exact()
    truth = np.concatenate([g.numpy().ravel() for g in tape.gradient(value, [v.value for v in variables])])
    draws = np.stack([np.concatenate([g.numpy().ravel() for g in sampled(tf.constant(i))]) for i in range(1500)])
    z = (draws.mean(0) - truth) / (draws.std(0, ddof=1) / np.sqrt(len(draws)))
    assert np.abs(z).max() < 5


def test_estimates_do_not_depend_on_how_the_data_is_batched():
    case = linear_gaussian(2, 5, n=150)
    whole = evaluation.log_evidence(case.model, case.x, samples=70, progress=False)
    batched = tf.data.Dataset.from_tensor_slices(case.x).batch(7)
    np.testing.assert_array_equal(
        whole.per_example, evaluation.log_evidence(case.model, batched, samples=70, progress=False).per_example
    )
    first = evaluation.log_evidence(case.model, case.x[:10], samples=70, progress=False)
    np.testing.assert_array_equal(whole.per_example[:10], first.per_example)
    np.testing.assert_array_equal(
        evaluation.elbo(case.model, case.x).per_example[:30], evaluation.elbo(case.model, case.x[:30]).per_example
    )
