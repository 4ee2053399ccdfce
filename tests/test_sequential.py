"""Models of sequences: against the Kalman filter, the plain VAE, and what padding and time must not change."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import multivariate_normal
from tensorflow_probability import distributions as tfd
from test_ladder import linear

import tfvae
from tfvae import evaluation, heads, networks, priors, zoo
from tfvae.distributions import Walk, centre
from tfvae.models import Emission, Filter
from tfvae.networks.scan import portable
from tfvae.priors.dynamics import stepwise
from tfvae.random import Seed, as_seed, draw, draw_and_score

STEPS = 6


class StateSpace:
    """z_t = A z_{t-1} + a + s e, z_0 fixed, x_t = C z_t + c + r e; sequences with gaps and ends, and the truth."""

    s, r = 0.7, 0.6

    def __init__(self, independent, seed=0, n=60):
        rng = np.random.default_rng(seed)
        self.A = np.diag([0.9, -0.5]) if independent else np.array([[0.8, 0.4], [-0.3, 0.7]])
        self.C = np.linalg.qr(rng.normal(size=[3, 2]))[0] * [1.5, 0.7] if independent else rng.normal(size=[3, 2])
        self.a, self.c, self.z0 = rng.normal(size=2), rng.normal(size=3), rng.normal(size=2)
        z, steps = np.repeat(self.z0[None], n, 0), []
        for _ in range(STEPS):
            z = z @ self.A.T + self.a + self.s * rng.normal(size=z.shape)
            steps.append(z @ self.C.T + self.c + self.r * rng.normal(size=[n, 3]))
        x = np.stack(steps, 1)
        x[np.arange(STEPS) >= rng.integers(1, STEPS + 1, n)[:, None]] = np.nan  # ends
        x[::3, 1] = np.nan  # a step is missing
        if not independent:
            x[1::4, 2, 1] = np.nan  # an element is missing
        self.x = x.astype("float32")
        self.log_px = np.array([self.filtered(each) for each in x])

    def filtered(self, x):
        """The Kalman filter: log p(x) of one sequence, over what was observed."""
        mean, cov, total = self.z0, np.zeros([2, 2]), 0.0
        for step in x:
            mean, cov = self.A @ mean + self.a, self.A @ cov @ self.A.T + self.s**2 * np.eye(2)
            seen = ~np.isnan(step)
            if seen.any():
                C, error = self.C[seen], step[seen] - self.C[seen] @ mean - self.c[seen]
                S = C @ cov @ C.T + self.r**2 * np.eye(seen.sum())
                total += multivariate_normal(np.zeros(seen.sum()), S).logpdf(error)
                gain = cov @ C.T @ np.linalg.inv(S)
                mean, cov = mean + gain @ error, cov - gain @ C @ cov
        return total

    def dynamics(self):
        transition = tfvae.Decoder(networks.mlp(), heads.DiagonalNormal(2))
        emission = tfvae.Decoder(networks.mlp(), heads.Incomplete(heads.Normal(3, self.r)))
        dynamics = priors.Dynamics(transition, emission, STEPS, networks.Latest())
        linear(transition, self.A, self.a, self.s)
        emission.head.projection.linear.set_weights([self.C.T, self.c])
        dynamics.memory.start.assign(self.z0)
        return dynamics

    def model(self, widen=1.0):
        dynamics = self.dynamics()
        return tfvae.SequentialVAE(Exact(self, dynamics, widen), Emission(dynamics), dynamics, seed=0)


class Exact(keras.Model):
    """q(z_t | z_{t-1}, x_t, ..., x_T) from the smoother's pass backwards, with the diagonal of its covariance."""

    def __init__(self, truth, dynamics, widen):
        super().__init__()
        self.truth, self.dynamics, self.widen = truth, dynamics, widen

    def call(self, x, training=False):
        t = self.truth
        A, a, C, c = (tf.constant(value, x.dtype) for value in (t.A, t.a, t.C, t.c))
        precision, shift, found = tf.zeros([1, 2, 2], x.dtype), tf.zeros([1, 2], x.dtype), []
        for step in tf.unstack(x, axis=1)[::-1]:
            seen = tf.cast(tf.math.is_finite(step), x.dtype)
            error = tf.where(seen > 0, step - c, 0.0)
            precision += tf.einsum("bi,ij,ik->bjk", seen, C, C) / t.r**2
            shift += error @ C / t.r**2
            total = precision + tf.eye(2) / t.s**2  # of q(z_t | z_{t-1}, ...)
            inverse = tf.linalg.inv(total)
            gain, offset = inverse @ A / t.s**2, tf.linalg.matvec(inverse, a / t.s**2 + shift)
            scale = self.widen * tf.sqrt(tf.linalg.diag_part(inverse))
            found.append((tf.reshape(gain, [-1, 4]), offset, scale))
            back = tf.linalg.inv(tf.eye(2) + t.s**2 * precision)
            kept = precision @ back
            carried = tf.linalg.matvec(back, shift, transpose_a=True) - tf.linalg.matvec(kept, a)
            precision, shift = tf.transpose(A) @ kept @ A, carried @ A
        seen = [tf.stack(part) for part in zip(*found[::-1], strict=True)]

        def conditional(m, seen):
            gain = tf.reshape(seen[0], tf.concat([tf.shape(seen[0])[:-1], [2, 2]], 0))
            mean = tf.linalg.matvec(gain, m) + seen[1]
            return tfd.MultivariateNormalDiag(mean, tf.broadcast_to(seen[2], tf.shape(mean)))

        return Walk(conditional, self.dynamics.memory, seen, STEPS)


@pytest.fixture(scope="module")
def independent():
    return StateSpace(True)


# Against the Kalman filter -------------------------------------------------------------------------------------------


def test_the_bound_is_the_evidence_at_the_smoothers_posterior(independent):
    """Every weight p(x, z) / q(z | x) is p(x), whatever z is drawn, and so is the mean of the bounds."""
    trace = independent.model().trace(tf.constant(independent.x), 50, seed=1)
    weights = trace.log_weights.numpy()
    np.testing.assert_allclose(weights, np.broadcast_to(independent.log_px, weights.shape), atol=2e-4)
    np.testing.assert_allclose(
        trace.elbo, independent.log_px + (trace.elbo - trace.log_weights.numpy().mean(0)), atol=2e-4
    )
    many = independent.model().trace(tf.constant(independent.x), 4000, seed=2)  # the rate has an error, log w none
    error = (many.rate - tf.reduce_mean(many.log_qz - many.log_pz, 0)).numpy()
    assert np.abs(error).max() < 0.1 and abs(error.mean()) < 0.01
    assert abs(float(tf.reduce_mean(many.elbo)) - independent.log_px.mean()) < 0.01


def test_importance_sampling_finds_the_kalman_filters_evidence():
    truth = StateSpace(False)
    found = evaluation.log_evidence(truth.model(1.2), truth.x, samples=2000, seed=1, progress=False)
    assert found.mean == pytest.approx(truth.log_px.mean(), abs=4 * found.monte_carlo_error + found.bias)
    assert found.monte_carlo_error < 0.01
    np.testing.assert_allclose(found.per_example, truth.log_px, atol=0.4)


def test_a_filter_takes_the_best_next_step():
    """q(z_t | z_{t-1}, x_t) of the truth, and the prior where a step is missing: the evidence by its weights."""
    truth = StateSpace(True)
    dynamics, inverse = truth.dynamics(), np.linalg.inv(np.eye(2) / truth.s**2 + truth.C.T @ truth.C / truth.r**2)
    part = tfvae.Encoder(networks.mlp(), heads.DiagonalNormal(2))
    of_x = keras.Sequential([networks.FillMissing(), *networks.mlp().layers])
    model = tfvae.SequentialVAE(Filter(of_x, part, dynamics), Emission(dynamics), dynamics, seed=0)
    weights = np.concatenate([truth.A / truth.s**2, truth.C.T / truth.r**2, np.zeros([2, 3])], 1)
    bias = truth.a / truth.s**2 - truth.C.T @ truth.c / truth.r**2
    linear(part, inverse @ weights, inverse @ bias, np.sqrt(np.diag(inverse)))
    found = evaluation.log_evidence(model, truth.x, samples=4000, seed=1, progress=False)
    assert found.mean == pytest.approx(truth.log_px.mean(), abs=4 * found.monte_carlo_error + found.bias)
    assert found.monte_carlo_error < 0.02
