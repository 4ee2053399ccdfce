"""Heads and priors: densities integrate to one, samplers fit them, KL in closed form equals KL by sampling."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from tfvae import heads, priors
from tfvae.heads.scales import SCALE_FLOOR, positive
from tfvae.random import as_seed, draw, tfd

DTYPES = ["float32", "float64"]
FEATURES = np.random.default_rng(0).normal(size=[4, 6])

REAL_HEADS = {
    "diagonal_normal": lambda dtype: heads.DiagonalNormal(2, dtype=dtype),
    "normal_fixed": lambda dtype: heads.Normal((2,), 0.3, dtype=dtype),
    "normal_shared": lambda dtype: heads.Normal((1, 2), heads.SharedScale(2.0, dtype=dtype), dtype=dtype),
}


def _distribution(head, dtype):
    return head(tf.constant(FEATURES, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", REAL_HEADS)
def test_densities_integrate_to_one(name, dtype):
    d = _distribution(REAL_HEADS[name](dtype), dtype)
    line = np.linspace(-25, 25, 1001)
    grid = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 1, *d.event_shape)
    mass = np.exp(d.log_prob(grid.astype(dtype)).numpy().astype("float64")).sum(0) * (line[1] - line[0]) ** 2
    np.testing.assert_allclose(mass, np.ones(4), atol=1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bernoulli_sums_to_one(dtype):
    d = _distribution(heads.Bernoulli((2, 2, 1), dtype=dtype), dtype)
    every = np.array(list(itertools.product([0, 1], repeat=4)), dtype).reshape(16, 1, 2, 2, 1)
    np.testing.assert_allclose(np.exp(d.log_prob(every)).sum(0), np.ones(4), rtol=1e-5)


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 3, 1)])
def test_densities_are_those_of_tfp_summed_over_the_event(shape):
    random = np.random.default_rng(0)
    parameters = tf.constant(random.normal(size=[5, 7, *shape]), tf.float64)  # [S, B, *shape]
    x = random.integers(0, 2, [7, *shape]).astype("float64")
    cases = {
        heads.Bernoulli(shape, dtype="float64"): tfd.Bernoulli(logits=parameters),
        heads.Normal(shape, 0.3, dtype="float64"): tfd.Normal(parameters, tf.constant(0.3, tf.float64)),
    }
    for head, pixels in cases.items():
        ours, theirs = head.distribution(parameters), tfd.Independent(pixels, len(shape))
        assert (ours.batch_shape, ours.event_shape) == ([5, 7], shape)
        np.testing.assert_allclose(ours.log_prob(x), theirs.log_prob(x), rtol=1e-12)
        np.testing.assert_array_equal(ours.mean(), theirs.mean())


def test_bernoulli_density_and_gradient_in_float32_are_those_in_float64():
    logits = np.concatenate([np.linspace(-120, 120, 4001), [0.0, 1e-8, -1e-8]]).astype("float32")
    for x in (0.0, 1.0):
        with tf.GradientTape() as tape:
            given = tf.constant(logits[:, None])
            tape.watch(given)
            score = heads.Bernoulli(1).distribution(given).log_prob([x])
        exact = logits.astype("float64")
        error = np.abs(score - (x * exact - np.logaddexp(0, exact)))
        assert (error <= 1.5e-7 * np.maximum(1, np.abs(exact))).all()  # one rounding of a number as large as the logit
        np.testing.assert_allclose(tape.gradient(score, given)[:, 0], x - special.expit(exact), atol=2e-7)


@pytest.mark.parametrize("shape", [(1,), (1, 1), (7,), (2, 3, 1)])
def test_bernoulli_is_scored_in_a_graph_that_knows_no_number_of_examples(shape):
    head = heads.Bernoulli(shape)
    open_batch = [tf.TensorSpec([None, *shape]), tf.TensorSpec([None, None, *shape])]
    scored = tf.function(lambda x, eta: head.distribution(eta).log_prob(x), input_signature=open_batch)
    random = np.random.default_rng(0)
    x, eta = random.integers(0, 2, [5, *shape]).astype("float32"), random.normal(size=[3, 5, *shape]).astype("float32")
    truth = stats.bernoulli(special.expit(eta)).logpmf(x).reshape(3, 5, -1).sum(-1)
    np.testing.assert_allclose(scored(x, eta), truth, rtol=1e-5)
    np.testing.assert_allclose(scored(x, eta[:, :1]), head.distribution(eta[:, :1]).log_prob(x), rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", REAL_HEADS)
def test_samplers_fit_their_densities(name, dtype, seed):
    """Each coordinate against the normal that its own mean and deviation name; fails by chance at 1e-5 each."""
    d = _distribution(REAL_HEADS[name](dtype), dtype)
    z = d.sample(4000, seed=[seed % 1000, 0])
    standard = ((z - d.mean()) / d.stddev()).numpy().reshape(4000, -1)
    assert min(stats.kstest(column, "norm").pvalue for column in standard.T) > 1e-5
    log_prob = stats.norm(d.mean().numpy(), d.stddev().numpy()).logpdf(z.numpy()).reshape(4000, 4, -1).sum(-1)
    np.testing.assert_allclose(d.log_prob(z), log_prob, rtol=1e-4, atol=1e-4)


def test_bernoulli_sampler_fits_its_probabilities(seed):
    d = _distribution(heads.Bernoulli((3,)), "float32")
    hits = d.sample(5000, seed=[seed % 1000, 0]).numpy().sum(0)
    p = d.mean().numpy()
    assert np.abs((hits - 5000 * p) / np.sqrt(5000 * p * (1 - p))).max() < 5


@pytest.mark.parametrize("dtype", DTYPES)
def test_kl_in_closed_form_equals_kl_by_sampling(dtype, seed):
    q = _distribution(heads.DiagonalNormal(3, dtype=dtype), dtype)
    p = priors.StandardNormal(3, dtype=dtype)()
    z = draw(q, 20000, as_seed(seed))
    ratio = (q.log_prob(z) - p.log_prob(z)).numpy()
    error = ratio.std(0, ddof=1) / np.sqrt(len(ratio))
    assert (np.abs(ratio.mean(0) - tfd.kl_divergence(q, p).numpy()) < 5 * error).all()


def test_standard_normal_prior_is_standard():
    z = np.random.default_rng(0).normal(size=[5, 3])
    truth = stats.norm.logpdf(z).sum(-1)
    np.testing.assert_allclose(priors.StandardNormal(3, dtype="float64")().log_prob(z), truth, rtol=1e-12)


def test_positive_keeps_its_floor_and_begins_at_one():
    raw = tf.constant([-1e4, -50.0, 0.0, 1e4])
    scale = positive(raw).numpy()
    assert scale[0] >= SCALE_FLOOR * 0.999 and (np.diff(scale) >= 0).all()
    assert scale[2] == pytest.approx(1 + SCALE_FLOOR, rel=1e-6) and np.isfinite(scale).all()


def test_shared_scale_begins_where_told_and_learns_the_noise():
    for initial in (0.01, 0.5, 40.0):
        assert heads.SharedScale(initial).value().numpy() == pytest.approx(initial, rel=1e-4)
    head = heads.Normal(50, heads.SharedScale(1.0))
    features, x = tf.zeros([200, 1]), tf.constant(np.random.default_rng(0).normal(0, 0.2, [200, 50]), "float32")
    head(features)
    optimizer = keras.optimizers.Adam(0.05)
    for _ in range(200):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(head(features).log_prob(x))
        variables = head.trainable_variables
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
    assert head.scale.value().numpy() == pytest.approx(0.2, rel=0.05)


def test_pointwise_and_dense_projections():
    grid = heads.Bernoulli((4, 4, 3))
    grid(tf.zeros([1, 4, 4, 7]))
    assert grid.projection.pointwise and grid.projection.linear.kernel.shape == (7, 3)
    flat = heads.Bernoulli((4, 4, 3))
    flat(tf.zeros([1, 7]))
    assert not flat.projection.pointwise and flat.projection.linear.kernel.shape == (7, 48)
