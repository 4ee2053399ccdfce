"""Pairs that must coincide, invariances, and an independent oracle for the objective."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from oracle import linear_gaussian

import tfvae
from tfvae import heads, networks, objectives, priors
from tfvae.objectives import ELBO, schedules
from tfvae.random import tfd

STEP = tf.constant(37)


@pytest.fixture(scope="module")
def trace():
    case = linear_gaussian(2, 5, widen=1.4, shift=0.3, n=6)
    return case.model.trace(tf.constant(case.x), 4, seed=3)


def test_beta_one_is_the_elbo(trace):
    np.testing.assert_array_equal(ELBO(1.0).bound(trace, STEP), ELBO().bound(trace, STEP))
    np.testing.assert_allclose(ELBO().bound(trace, STEP), trace.elbo, rtol=1e-6)
    np.testing.assert_array_equal(trace.elbo, -(trace.rate + trace.distortion))


def test_beta_zero_is_minus_the_distortion(trace):
    np.testing.assert_allclose(ELBO(0.0).bound(trace, STEP), -trace.distortion, rtol=1e-6)


def test_a_capacity_is_its_number_and_none_is_the_rate_itself(trace):
    named, number = (ELBO(3.0, capacity=target).bound(trace, STEP) for target in (objectives.Capacity(1.5), 1.5))
    np.testing.assert_array_equal(named, number)
    np.testing.assert_allclose(number, -trace.distortion - 3 * abs(trace.rate - 1.5), rtol=1e-6)
    np.testing.assert_allclose(ELBO(capacity=0.0).bound(trace, STEP), trace.elbo, rtol=1e-6)


def test_beta_weighs_the_rate_alone(trace):
    difference = ELBO(1.0).bound(trace, STEP) - ELBO(4.0).bound(trace, STEP)
    np.testing.assert_allclose(difference, 3 * trace.rate, rtol=1e-4)


def test_a_constant_schedule_is_its_number_and_linear_ends_there(trace):
    number = ELBO(2.0).bound(trace, STEP)
    for same in (schedules.Constant(2.0), schedules.Linear(37, 0.0, 2.0), schedules.Cyclical(38, 0.5, 0.0, 2.0)):
        np.testing.assert_array_equal(ELBO(same).bound(trace, STEP), number)


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (schedules.Linear(10), {0: 0.0, 5: 0.5, 10: 1.0, 99: 1.0}),
        (schedules.Linear(4, 4.0, 1.0), {0: 4.0, 1: 3.25, 4: 1.0}),
        (schedules.Cyclical(10, 0.5, 0.0, 2.0), {0: 0.0, 1: 0.4, 5: 2.0, 9: 2.0, 10: 0.0, 15: 2.0}),
        (schedules.Cyclical(10, 1.0), {0: 0.0, 9: 0.9, 10: 0.0}),
        (schedules.Constant(3.0), {0: 3.0, 1000: 3.0}),
    ],
)
def test_schedules_take_the_values_of_their_formula(schedule, values):
    for step, value in values.items():
        assert float(schedule(step)) == pytest.approx(value, abs=1e-6)
        assert float(schedule(tf.constant(step, tf.int64))) == pytest.approx(value, abs=1e-6)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert again.get_config() == schedule.get_config()


def test_keras_own_schedules_serve(trace):
    decay = keras.optimizers.schedules.PiecewiseConstantDecay([30], [1.0, 2.0])
    np.testing.assert_array_equal(ELBO(decay).bound(trace, STEP), ELBO(2.0).bound(trace, STEP))


def test_metrics_do_not_change_when_the_batch_is_duplicated(trace):
    twice = trace._replace(
        x=tf.tile(trace.x, [2, 1]), z=tf.tile(trace.z, [1, 2, 1]), rate=tf.tile(trace.rate, [2]),
        **{name: tf.tile(getattr(trace, name), [1, 2]) for name in ("log_px", "log_pz", "log_qz")},
    )  # fmt: skip
    for value in ("elbo", "rate", "distortion"):
        assert float(tf.reduce_mean(getattr(twice, value))) == pytest.approx(
            float(tf.reduce_mean(getattr(trace, value))), rel=1e-6
        )
    bound, doubled = (tf.reduce_mean(ELBO(2.0).bound(t, STEP)) for t in (trace, twice))
    assert float(bound) == pytest.approx(float(doubled), rel=1e-6)


def test_evaluate_reports_means_over_examples_whatever_the_batches():
    case = linear_gaussian(2, 5, orthogonal=True, widen=1e-4 / 0.5, n=50)  # so narrow that the noise is no matter
    case.model.compile()
    reports = [
        case.model.evaluate(x, batch_size=size, verbose=0, return_dict=True)
        for x, size in ((case.x, 50), (case.x, 7), (np.repeat(case.x, 2, 0), 16), (case.x[::-1], 13))
    ]
    for name, value in reports[0].items():
        assert [report[name] for report in reports] == pytest.approx([value] * 4, rel=1e-3), name
    truth = case.model.trace(tf.constant(case.x))
    assert reports[0]["elbo"] == pytest.approx(float(tf.reduce_mean(truth.elbo)), rel=1e-3)


def test_swapping_examples_permutes_per_example_values(trace):
    order = tf.constant([3, 1, 5, 0, 2, 4])
    swapped = trace._replace(
        rate=tf.gather(trace.rate, order),
        **{name: tf.gather(getattr(trace, name), order, axis=1) for name in ("log_px", "log_pz", "log_qz")},
    )
    np.testing.assert_array_equal(ELBO(3.0).bound(swapped, STEP), tf.gather(ELBO(3.0).bound(trace, STEP), order))


class _Replayed(tfd.MultivariateNormalDiag):
    """A posterior whose draws are given noise, so that another implementation meets the same samples."""

    def __init__(self, q, noise):
        super().__init__(q.mean(), q.stddev())
        self._noise = noise

    def experimental_sample_and_log_prob(self, sample_shape=(), seed=None, name="", **kwargs):
        z = self.mean() + self.stddev() * self._noise
        return z, self.log_prob(z)


def test_elbo_equals_tfp_vi_on_the_same_samples_values_and_gradients():
    """With the rate by Monte Carlo, the ELBO is tfp.vi's reverse KL loss, up to the sign."""
    case = linear_gaussian(2, 5, widen=1.4, shift=0.3, n=6)
    model, x = case.model, tf.constant(case.x)
    model.fits = model.fits._replace(exact_rate=False)
    variables = [v.value for v in model.trainable_variables]
    with tf.GradientTape() as tape:
        trace = model.trace(x, 8, seed=3)
        ours = ELBO(samples=8).bound(trace, STEP)
        total = tf.reduce_sum(ours)
    our_gradients = tape.gradient(total, variables)
    noise = tf.stop_gradient((trace.z - trace.q.mean()) / trace.q.stddev())
    with tf.GradientTape() as tape:
        q = _Replayed(model.encoder(x), noise)
        theirs = -tfp.vi.monte_carlo_variational_loss(
            lambda z: model.decoder(z).log_prob(x) + model.prior().log_prob(z), q, sample_size=8, seed=1
        )
        total = tf.reduce_sum(theirs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    for one, other in zip(our_gradients, tape.gradient(total, variables), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


@keras.saving.register_keras_serializable(package="test")
class LaplaceVector(heads.Head):
    """A posterior whose KL to a normal has no closed form in TFP."""

    support = heads.REAL
    parameter_count = 1

    def distribution(self, parameters):
        return tfd.Independent(tfd.Laplace(parameters, 0.5), 1)


def test_the_rate_is_estimated_where_no_closed_form_is_registered_and_the_summary_says_so():
    encoder = tfvae.Encoder(networks.mlp(4), LaplaceVector(2))
    decoder = tfvae.Decoder(networks.mlp(4), heads.Bernoulli((8, 8, 1)))
    model = tfvae.VAE(encoder, decoder, priors.StandardNormal(2), objectives.ELBO(samples=3))
    assert not model.fits.exact_rate
    lines = []
    model.summary(print_fn=lambda text, line_break=False: lines.append(text))
    assert "Monte Carlo estimate" in lines[-1]
    trace = model.trace(tf.zeros([5, 8, 8, 1]), 40000)
    np.testing.assert_allclose(trace.rate, tf.reduce_mean(trace.log_qz - trace.log_pz, 0), rtol=1e-5)
    # KL(Laplace(m, b) || N(0, 1)) = -log(2 b e) + (m^2 + 2 b^2) / 2 + log(2 pi) / 2, per coordinate
    m, b = trace.q.mean().numpy(), 0.5
    exact = (-np.log(2 * b * np.e) + (m**2 + 2 * b**2) / 2 + 0.5 * np.log(2 * np.pi)).sum(-1)
    np.testing.assert_allclose(trace.rate, exact, atol=0.03)
