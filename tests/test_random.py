"""The counter-based generator: its distribution, its streams, its promises."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfvae.random import Seed, as_seed, draw, has_rule, normal, tfd, uniform

REJECT = 1e-5  # failure rate of each goodness-of-fit test when the generator is right


def _normals(samples, shape, *words, **place):
    return normal(samples, shape, as_seed(words)._replace(**place)).numpy()


@pytest.mark.parametrize("words", [(0, 0), (1, 0), (0, 1), (-7, 2**31 - 1)])
def test_normals_within_a_seed(words):
    flat = _normals(200, [50, 10], *words).ravel()
    assert stats.kstest(flat, "norm").pvalue > REJECT
    assert abs(stats.kurtosis(flat)) < 5 * np.sqrt(24 / flat.size)


def test_normals_across_seeds(seed):
    """The same place under many seeds: neighbouring seeds must give independent numbers, in either word."""
    compiled = tf.function(lambda words: normal(1, [1, 3], Seed(words)))
    for axis in (0, 1):
        pairs = [(seed + i, 5) if axis == 0 else (5, seed + i) for i in range(4000)]
        at_place = np.stack([compiled(tf.constant(pair)).numpy().ravel() for pair in pairs])  # [seeds, 3]
        assert stats.kstest(at_place.ravel(), "norm").pvalue > REJECT
        neighbours = np.corrcoef(at_place[:-1, 0], at_place[1:, 0])[0, 1]
        assert abs(neighbours) < 4.5 / np.sqrt(len(pairs))


def test_rows_columns_and_streams_are_uncorrelated(seed):
    z = _normals(300, [300], seed, 0)  # [rows, columns]
    limit = 6 / np.sqrt(300)  # about 90,000 correlations: |r| beyond this by chance about 1e-4
    for matrix in (z, z.T):
        correlation = np.corrcoef(matrix) - np.eye(300)
        assert np.abs(correlation).max() < limit
    for lag in range(1, 20):
        assert abs(np.corrcoef(z.ravel()[:-lag], z.ravel()[lag:])[0, 1]) < 5 / np.sqrt(z.size)
    start = as_seed((seed, 0))
    one, two = (uniform(1, [50000], start, stream).numpy().ravel() for stream in (0, 1))
    assert abs(np.corrcoef(one, two)[0, 1]) < 5 / np.sqrt(one.size)


def test_uniforms_fill_the_interval(seed):
    u = uniform(100, [2000], as_seed((seed, 0))).numpy().ravel()
    assert 0 < u.min() and u.max() < 1
    counts = np.histogram(u, 256, (0, 1))[0]
    assert stats.chisquare(counts).pvalue > REJECT
    low_bits = (u * 2**23).astype(np.int64) % 256
    assert stats.chisquare(np.bincount(low_bits, minlength=256)).pvalue > REJECT


def test_no_row_is_a_shifted_copy_of_another(seed):
    u = uniform(400, [200], as_seed((seed, 0))).numpy()
    _, counts = np.unique(u, return_counts=True)
    # 80,000 draws of 2^23 values: about 380 coincidences by chance; one shifted row would add up to 200.
    assert (counts - 1).sum() < 380 + 6 * np.sqrt(380)


def test_normals_are_those_of_box_and_muller():
    seed = as_seed((3, 4))
    u, v = (uniform(40, [500], seed, stream).numpy().astype("float64") for stream in (0, 1))
    exact = np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)
    np.testing.assert_allclose(normal(40, [500], seed), exact, rtol=1e-6, atol=3e-6)


def test_a_draw_depends_on_its_place_alone():
    z = _normals(6, [5, 3], 1, 2)
    # To the last bit but one: a processor rounds the logarithm of a number differently in a vector of another length.
    np.testing.assert_allclose(_normals(2, [5, 3], 1, 2), z[:2], atol=1e-6)
    np.testing.assert_allclose(_normals(2, [5, 3], 1, 2, sample=4), z[4:], atol=1e-6)
    np.testing.assert_allclose(_normals(6, [2, 3], 1, 2, example=3), z[:, 3:], atol=1e-6)
    u = uniform(6, [5, 3], as_seed((1, 2)))
    np.testing.assert_array_equal(uniform(2, [2, 3], as_seed((1, 2))._replace(sample=4, example=3)), u[4:, 3:])


def test_compiled_and_eager_agree():
    compiled = tf.function(lambda words: normal(7, [11, 3], Seed(words)), jit_compile=True)
    np.testing.assert_allclose(compiled(tf.constant([3, -4])), _normals(7, [11, 3], 3, -4), atol=2e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_draw_fits_the_normal_it_draws_from(dtype, seed):
    loc, scale = tf.constant([[1.0, -2.0], [0.0, 5.0]], dtype), tf.constant([[0.1, 2.0], [1.0, 0.5]], dtype)
    z = draw(tfd.MultivariateNormalDiag(loc, scale), 20000, as_seed(seed))  # [S, 2, 2]
    assert z.shape == (20000, 2, 2) and z.dtype == dtype
    standard = ((z - loc) / scale).numpy().reshape(20000, 4)
    assert min(stats.kstest(column, "norm").pvalue for column in standard.T) > REJECT
    assert np.abs(np.corrcoef(standard.T) - np.eye(4)).max() < 5 / np.sqrt(20000)


def test_a_family_without_a_rule_is_drawn_by_tfp_and_reproducibly():
    logistic = tfd.Independent(tfd.Logistic([0.0, 1.0], 1.0), 1)
    assert not has_rule(logistic) and has_rule(tfd.Independent(tfd.Laplace([0.0, 1.0], 1.0), 1))
    assert has_rule(tfd.MultivariateNormalDiag([0.0]))
    one, same, other = (draw(logistic, 3, as_seed(s)).numpy() for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
