"""Flows as posteriors and as a prior: Jacobians, inverses, densities against draws, limits, formats."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats
from tensorflow_probability import bijectors as tfb

import tfvae
from tfvae import heads, networks, priors
from tfvae.distributions import Flow, Step, centre, moments
from tfvae.distributions.planar import root
from tfvae.distributions.sylvester import Reflection
from tfvae.export.verification import is_builtin, operators
from tfvae.networks.masked import Masked, autoregressive
from tfvae.random import Seed, as_seed, draw, draw_and_score, has_rule, tfd

REJECT = 1e-5  # failure rate of each goodness-of-fit test when the flow is right
TOLERANCE = {"float32": 2e-4, "float64": 1e-10}
FEATURES = np.random.default_rng(0).normal(size=[3, 6])
SPLINE = heads.Spline(bins=5, bound=2.5)

FAMILIES = {
    "planar": lambda size, steps=3, **options: heads.Planar(size, steps, **options),
    "householder": lambda size, steps=3, **options: heads.Householder(size, steps, **options),
    "sylvester": lambda size, steps=2, **options: heads.Sylvester(size, steps, 2, 2, **options),
    "autoregressive": lambda size, steps=2, **options: heads.InverseAutoregressive(size, steps, (8, 6), **options),
    "affine": lambda size, steps=3, **options: heads.Coupling(size, steps, (8,), **options),
    "spline": lambda size, steps=2, **options: heads.Coupling(size, steps, (8, 6), SPLINE, **options),
}
INVERTIBLE = [name for name in FAMILIES if name != "autoregressive"]


def shaken(part, spread=0.7, seed=1):
    """Give a part random weights, far from where training begins, with a variance that the widths do not add up."""
    rng = np.random.default_rng(seed)
    for weight in part.weights:
        weight.assign(rng.normal(scale=spread / np.sqrt(weight.shape[0]), size=weight.shape))
    return part


def built(name, size, dtype="float64", **options):
    """A head and the features of three examples."""
    head, features = FAMILIES[name](size, dtype=dtype, **options), tf.constant(FEATURES, dtype)
    head(features)
    return shaken(head), features


def posterior(name, size, dtype="float64", **options):
    head, features = built(name, size, dtype, **options)
    return head(features)


def prior(size=2, steps=3, transform=SPLINE, dtype="float64"):
    return shaken(priors.FlowPrior(size, steps, (8,), transform, dtype=dtype))


def log_abs_det(forward, z):
    """Return log |det dz'/dz| of a map of the last axis, by autodiff."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(z)
        sums = [tf.reduce_sum(column) for column in tf.unstack(forward(z)[0], axis=-1)]
    return np.linalg.slogdet(np.stack([tape.gradient(one, z).numpy() for one in sums], -2))[1]


# Each step is the map it says ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", FAMILIES)
def test_log_determinants_are_those_of_autodiff(name, dtype):
    q = posterior(name, 3, dtype)
    z = draw(q.base, 4, as_seed(2))  # [S, B, D]
    for step in q.steps:
        np.testing.assert_allclose(step.forward(z)[1], log_abs_det(step.forward, z), atol=TOLERANCE[dtype])
    np.testing.assert_allclose(q.forward(z)[1], log_abs_det(q.forward, z), atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", INVERTIBLE)
def test_the_inverse_undoes_the_flow(name, dtype):
    q = posterior(name, 5, dtype)
    z = 2.0 * draw(q.base, 50, as_seed(2))
    far, log_det = q.forward(z)
    back, same = q.inverse(far)
    assert np.abs(far - z).max() > 0.5
    # Where a step squeezes by 200 and more, going back loses as many digits.
    np.testing.assert_allclose(back, z, atol=TOLERANCE[dtype] * 10)
    np.testing.assert_allclose(same, log_det, atol=TOLERANCE[dtype] * 100)


def test_planar_and_sylvester_steps_are_their_equations():
    z = np.random.default_rng(3).normal(size=[3, 5])
    step = posterior("planar", 5).steps[0]
    u, w, b = (part.numpy() for part in (step.u, step.w, step.b))
    np.testing.assert_allclose((w * u).sum(-1, keepdims=True), step.dot, atol=1e-12)
    np.testing.assert_allclose(step.forward(z)[0], z + u * np.tanh((w * z).sum(-1, keepdims=True) + b), rtol=1e-12)
    step = heads.Sylvester(5, 1, 3, 4, dtype="float64")
    step(tf.constant(FEATURES))
    step = shaken(step)(tf.constant(FEATURES)).steps[0]
    for i in range(3):
        q = np.eye(5)
        for vector in step.vectors:
            v = vector[i].numpy()
            q = q @ (np.eye(5) - 2 * np.outer(v, v) / (v @ v))
        q = q[:, :3]
        left, right, b = (part[i].numpy() for part in (step.left, step.right, step.bias))
        np.testing.assert_allclose(q.T @ q, np.eye(3), atol=1e-12)
        np.testing.assert_array_equal([np.tril(left, -1), np.tril(right, -1)], 0)
        np.testing.assert_allclose(np.diag(left) * np.diag(right), step.diagonal[i], rtol=1e-12)
        expected = z[i] + q @ left @ np.tanh(right @ q.T @ z[i] + b)
        np.testing.assert_allclose(step.forward(z)[0][i], expected, rtol=1e-10)


def test_autoregressive_and_coupling_steps_are_their_equations():
    z = np.random.default_rng(3).normal(size=[3, 5])
    step = posterior("autoregressive", 5).steps[0]
    towards, raw = np.split(step.network(z).numpy(), 2, -1)
    gate = special.expit(raw + 2)
    np.testing.assert_allclose(step.forward(z)[0], gate * z + (1 - gate) * towards, rtol=1e-12)
    np.testing.assert_allclose(step.forward(z)[1], np.log(gate).sum(-1), rtol=1e-10)
    first, second = slice(0, 2), slice(2, 5)
    steps = posterior("affine", 5, steps=2).steps
    for step, stays, moves in zip(steps, (second, first), (first, second), strict=True):
        shift, raw = np.moveaxis(step.network(z[:, stays]).numpy().reshape(3, -1, 2), -1, 0)
        scale = heads.scales.positive(tf.constant(raw)).numpy()
        moved = step.forward(z)[0].numpy()
        np.testing.assert_array_equal(moved[:, stays], z[:, stays])
        np.testing.assert_allclose(moved[:, moves], scale * z[:, moves] + shift, rtol=1e-12)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("units", [(5, 7), (12,), (3, 3)])
def test_masks_make_jacobians_strictly_triangular(units, backward):
    order = np.arange(5)[:: -1 if backward else 1]
    network = shaken(Masked(autoregressive(order, units, 2), dtype="float64"), 1.0)(
        tf.random.normal([units[0]], seed=1)
    )
    z = tf.constant(np.random.default_rng(3).normal(size=[40, 5]))
    with tf.GradientTape() as tape:
        tape.watch(z)
        outputs = network(z)
    jacobian = np.abs(tape.batch_jacobian(outputs, z)).max(0).reshape(2, 5, 5)[:, order][:, :, order]
    np.testing.assert_array_equal(np.triu(jacobian[0]) + np.triu(jacobian[1]), 0)
    if min(units) >= 5:  # and no coordinate that comes before is overlooked
        assert (jacobian[:, np.tril_indices(5, -1)[0], np.tril_indices(5, -1)[1]] > 0).all()


def test_the_order_of_the_coordinates_is_reversed_from_step_to_step():
    q = posterior("autoregressive", 4)
    for number, step in enumerate(q.steps):
        z = tf.constant(np.random.default_rng(3).normal(size=[3, 4]))
        with tf.GradientTape() as tape:
            tape.watch(z)
            moved = step.forward(z)[0]
        jacobian = tape.batch_jacobian(moved, z).numpy()
        triangle = np.tril(jacobian, -1) if number % 2 else np.triu(jacobian, 1)
        np.testing.assert_array_equal(triangle, 0)


# Splines -------------------------------------------------------------------------------------------------------------


def test_splines_are_those_of_tfp():
    transform, rng = heads.Spline(bins=6, bound=2.0), np.random.default_rng(3)
    raw = tf.constant(rng.normal(scale=1.5, size=[300, 2, transform.count]))
    knots = transform._knots(raw)
    oracle = tfb.RationalQuadraticSpline(knots.widths, knots.heights, knots.slopes[..., 1:-1], range_min=-2.0)
    x = tf.constant(rng.uniform(-3, 3, [300, 2]))
    y, log_slope = transform.forward(x, raw)
    np.testing.assert_allclose(y, oracle.forward(x), atol=1e-10)
    np.testing.assert_allclose(log_slope, oracle.forward_log_det_jacobian(x), atol=1e-9)
    back, same = transform.inverse(x, raw)
    np.testing.assert_allclose(back, oracle.inverse(x), atol=1e-9)
    np.testing.assert_allclose(same, -oracle.inverse_log_det_jacobian(x), atol=1e-8)
    np.testing.assert_allclose(tf.reduce_sum(knots.widths, -1), 4.0, rtol=1e-12)
    assert float(tf.reduce_min(knots.heights)) >= 4e-3 and float(tf.reduce_min(knots.slopes)) >= 1e-5


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_splines_meet_the_identity_at_their_ends_and_without_parameters(dtype):
    transform, x = heads.Spline(bins=4, bound=2.0), tf.constant([-9.0, -2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 7.5], dtype)
    nothing = tf.zeros([8, transform.count], dtype)
    for direction in (transform.forward, transform.inverse):
        y, log_slope = direction(x, nothing)
        np.testing.assert_allclose(y, x, atol=1e-4)
        np.testing.assert_allclose(log_slope, 0, atol=1e-4)
        some = tf.constant(np.random.default_rng(0).normal(size=[8, transform.count]), dtype)
        y, log_slope = direction(tf.constant([-9.0, -2.0, -2.0001, -1.9999, 1.9999, 2.0, 2.0001, 7.5], dtype), some)
        np.testing.assert_allclose(y, [-9.0, -2.0, -2.0001, -1.9999, 1.9999, 2.0, 2.0001, 7.5], atol=1e-5)
        np.testing.assert_allclose(log_slope, 0, atol=0.01)


# Bounds --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_planar_steps_can_be_inverted_whatever_the_features(dtype):
    rng = np.random.default_rng(4)
    lengths = 10.0 ** rng.uniform(-8, 3, [2, 4000, 1])
    u, w = (rng.normal(size=[4000, 3]) * length for length in lengths)
    u[:2000] = -w[:2000] * lengths[0, :2000]  # straight against w
    w[:3], u[2:5] = 0.0, 0.0
    b = rng.normal(size=[4000, 1])
    step = heads.Planar(3, 1).step(0, *(tf.constant(part, dtype) for part in (u, w, b)))
    dot = step.dot.numpy().astype("float64")
    assert dot.min() > -1 and dot.min() < -0.9999 and dot.max() > 100
    assert np.isfinite(step.u).all()
    z = tf.constant(rng.normal(size=[5, 4000, 3]), dtype)
    assert np.isfinite(step.forward(z)[1]).all()
    if dtype == "float64":
        rounding = 1e-14 * (np.linalg.norm(u, axis=-1) + 1) * np.linalg.norm(w, axis=-1) + 1e-12
        assert (np.abs((step.u.numpy() * w).sum(-1) - dot[:, 0]) < rounding).all()
        across = np.linspace(-4, 4, 401)
        risen = across + dot[::40] * np.tanh(across)
        assert (np.diff(risen) > 0).all()  # so that there is one way back
        back = root(tf.constant(risen), tf.constant(dot[::40]))
        np.testing.assert_allclose(back + dot[::40] * np.tanh(back), risen, rtol=1e-12, atol=1e-12)


def test_sylvester_diagonals_can_be_inverted_whatever_the_features():
    head = heads.Sylvester(3, 1, 3, 1)
    raw = np.random.default_rng(4).choice([-1e4, -20.0, -1.0, 0.0, 20.0, 1e4], [500, head.width - 6])
    pieces = tf.split(tf.constant(raw, tf.float32), head.sizes, -1)
    step = head.step(0, *pieces)
    assert step.diagonal.numpy().min() > -1 + 1e-6
    assert np.isfinite(step._log_det(tf.zeros([500, 3]))).all()


def test_a_reflection_along_nothing_leaves_all_as_it_is():
    z = tf.constant([[1.0, -2.0, 3.0]])
    vector = tf.zeros([1, 3])
    with tf.GradientTape() as tape:
        tape.watch(vector)
        same, _ = Reflection(vector).forward(z)
    np.testing.assert_array_equal(same, z)
    assert np.isfinite(tape.gradient(same, vector)).all()


# Densities -----------------------------------------------------------------------------------------------------------

LINE = np.linspace(-12, 12, 401)
CELL = LINE[1] - LINE[0]


def _on_grid(distribution):
    """The density of two-dimensional examples on a grid: [401, 401, *B]."""
    grid = np.stack(np.meshgrid(LINE, LINE, indexing="ij"), -1).reshape(-1, *[1] * distribution.batch_shape.rank, 2)
    values = np.exp(tf.function(distribution.log_prob)(tf.constant(grid)))
    return values.reshape(len(LINE), len(LINE), -1)


@pytest.mark.parametrize("name", [*INVERTIBLE, "prior"])
def test_densities_integrate_to_one_and_draws_fit_them(name, seed):
    """Each coordinate of 4000 draws against its marginal on the grid; fails by chance at 1e-5 each."""
    d = prior()() if name == "prior" else posterior(name, 2)
    density = _on_grid(d)
    np.testing.assert_allclose(density.sum((0, 1)) * CELL**2, 1, atol=2e-3)
    z = draw(d, 4000, as_seed(seed)).numpy().reshape(4000, -1, 2)
    for example in range(z.shape[1]):
        for axis in range(2):
            marginal = density[..., example].sum(1 - axis) * CELL
            below = np.concatenate([[0], np.cumsum((marginal[1:] + marginal[:-1]) / 2 * CELL)])
            fit = stats.kstest(z[:, example, axis], lambda x: np.interp(x, LINE, below))  # noqa: B023
            assert fit.pvalue > REJECT, (example, axis)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", [*FAMILIES, "prior"])
def test_scores_of_draws_are_a_density(name, dtype, seed):
    """E_q[p(z) / q(z)] = 1 for a normal p so narrow that the ratio has light tails; 5 errors by chance at 1e-6."""
    d = prior(dtype=dtype)() if name == "prior" else posterior(name, 3, dtype)
    z, log_q = (part.numpy().astype("float64") for part in draw_and_score(d, 20000, as_seed(seed)))
    p = stats.norm(centre(d).numpy(), 0.2 * z.std(0))
    ratio = np.exp(p.logpdf(z).sum(-1) - log_q)
    error = ratio.std(0, ddof=1) / np.sqrt(len(ratio))
    assert (error < 0.1).all()
    np.testing.assert_array_less(np.abs(ratio.mean(0) - 1), 5 * error)


@pytest.mark.parametrize("name", INVERTIBLE)
def test_scores_on_the_way_forward_are_those_on_the_way_back(name):
    q = posterior(name, 5)
    z, log_q = draw_and_score(q, 20, as_seed(1))
    np.testing.assert_array_equal(z, draw(q, 20, as_seed(1)))
    np.testing.assert_allclose(q.log_prob(z), log_q, atol=1e-9)


def test_a_householder_flow_is_a_normal_with_full_covariance():
    q = posterior("householder", 4)
    z = np.random.default_rng(0).normal(size=[6, 3, 4])
    for i in range(3):
        turn = np.eye(4)
        for step in q.steps:
            v = step.vector[i].numpy()
            turn = (np.eye(4) - 2 * np.outer(v, v) / (v @ v)) @ turn
        loc, scale = q.base.mean()[i].numpy(), q.base.stddev()[i].numpy()
        normal = stats.multivariate_normal(turn @ loc, turn @ np.diag(scale**2) @ turn.T)
        assert np.abs(normal.cov - np.diag(np.diag(normal.cov))).max() > 0.05
        np.testing.assert_allclose(q.log_prob(z)[:, i], normal.logpdf(z[:, i]), rtol=1e-9)
        np.testing.assert_allclose(centre(q)[i], turn @ loc, rtol=1e-9)


# Limits --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_no_steps_are_the_base(name):
    head, features = built(name, 3, "float32", steps=0)
    plain = heads.DiagonalNormal(3)
    plain(features)
    plain.set_weights(head.get_weights())
    q, base = head(features), plain(features)
    for ours, truth in zip(draw_and_score(q, 5, as_seed(1)), draw_and_score(base, 5, as_seed(1)), strict=True):
        np.testing.assert_array_equal(ours, truth)
    np.testing.assert_array_equal(q.log_prob(FEATURES[:, :3]), base.log_prob(FEATURES[:, :3]))
    np.testing.assert_array_equal(centre(q), base.mean())


def test_a_prior_without_steps_is_the_standard_normal():
    ours, truth = priors.FlowPrior(3, 0, (8,))(), priors.StandardNormal(3)()
    np.testing.assert_array_equal(ours.log_prob(FEATURES[:, :3]), truth.log_prob(FEATURES[:, :3]))
    np.testing.assert_array_equal(draw(ours, 5, as_seed(1)), draw(truth, 5, as_seed(1)))


# Gradients -----------------------------------------------------------------------------------------------------------


def _loss(head, features, weights, points=None):
    with tf.GradientTape() as tape:
        z, log_q = draw_and_score(head(features), 3, as_seed(1))
        loss = tf.reduce_mean(log_q) + tf.reduce_mean(z**2)
        if points is not None:
            loss += tf.reduce_mean(head(features).log_prob(points))
    return loss, tape.gradient(loss, [weight.value for weight in weights])


@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_reach_every_weight_and_are_those_of_differences(name):
    """Through draws, their scores and, by implicit differentiation where need be, the inverse."""
    head, features = built(name, 3)
    weights = head.trainable_weights
    points = tf.constant(np.random.default_rng(2).normal(size=[4, 3, 3])) if name in INVERTIBLE else None
    _, gradients = _loss(head, features, weights, points)
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)
    start, rng = head.get_weights(), np.random.default_rng(5)
    along = [rng.normal(size=value.shape) for value in start]
    ends = []
    for sign in (1, -1):
        head.set_weights([value + sign * 1e-5 * way for value, way in zip(start, along, strict=True)])
        ends.append(float(_loss(head, features, weights, points)[0]))
    slopes = {id(weight): way for weight, way in zip(head.weights, along, strict=True)}
    slope = sum(np.sum(slopes[id(weight)] * gradient) for weight, gradient in zip(weights, gradients, strict=True))
    assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(slope, rel=1e-4)


def test_gradients_reach_every_weight_of_the_prior():
    part = prior(3)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(part().log_prob(FEATURES[:, :3]))
    gradients = tape.gradient(loss, [weight.value for weight in part.trainable_weights])
    assert len(gradients) == 3 * 4 and all(np.abs(gradient).max() > 0 for gradient in gradients)


@pytest.mark.parametrize("name", INVERTIBLE)
def test_a_flow_whose_tensors_are_held_has_a_gradient_through_its_argument_alone(name):
    head, features = built(name, 3)
    with tf.GradientTape() as tape:
        q = head(features)
        z = draw(q, 2, as_seed(1))
        tape.watch(z)
        held = tf.nest.map_structure(tf.stop_gradient, q, expand_composites=True)
        fixed = tf.stop_gradient(z)
        tape.watch(fixed)
        scores = held.log_prob(fixed)
    weights = [weight.value for weight in head.trainable_weights]
    to_z, *to_weights = tape.gradient(scores, [fixed, *weights])
    assert np.abs(to_z).min() > 0 and all(gradient is None for gradient in to_weights)
    np.testing.assert_allclose(scores, q.log_prob(z), rtol=1e-12)


# As a distribution ---------------------------------------------------------------------------------------------------


def test_shapes_with_leading_axes():
    for name in FAMILIES:
        head, _ = built(name, 3)
        parameters = tf.constant(np.random.default_rng(0).normal(size=[2, 4, head.width]))
        q = head.distribution(parameters)
        z, log_q = draw_and_score(q, 5, as_seed(1))
        assert (q.batch_shape, q.event_shape, q.dtype) == ([2, 4], [3], tf.float64)
        assert (z.shape, log_q.shape, centre(q).shape) == ([5, 2, 4, 3], [5, 2, 4], [2, 4, 3])
        np.testing.assert_allclose(
            head.distribution(parameters[1]).forward(q.base.mean()[1])[0], centre(q)[1], rtol=1e-10
        )
        assert q.reparameterization_type == tfd.FULLY_REPARAMETERIZED and has_rule(q)
        if name in INVERTIBLE:
            assert q.log_prob(z[0, 0, 0]).shape == [2, 4] and q.log_prob(z[:, 0, 0][:, None, None]).shape == [5, 2, 4]
            np.testing.assert_allclose(q.log_prob(z[:, 1:, :1])[:, 1, 0], log_q[:, 1, 0], rtol=1e-9)


def test_tfp_samples_and_copies_flows():
    q = posterior("planar", 3)
    z, log_q = q.experimental_sample_and_log_prob([7, 2], seed=[1, 2])
    assert q.sample([7, 2], seed=[1, 2]).shape == z.shape == [7, 2, 3, 3]
    np.testing.assert_allclose(q.log_prob(z), log_q, rtol=1e-9)
    assert q.copy(name="other").steps == q.steps and "Flow" in str(q)
    with pytest.raises(NotImplementedError, match="cannot be sliced"):
        q[0]
    with pytest.raises(NotImplementedError):
        q.mean()


def test_flows_go_through_functions_and_loops():
    head, features = built("spline", 3)

    @tf.function(input_signature=[tf.TensorSpec([None, 6], tf.float64)], autograph=False)
    def make(x):
        q = head(x)
        assert q.batch_shape == [None] and q.event_shape == [3]
        total = tf.while_loop(
            lambda i, _: i < 3, lambda i, sum_: (i + 1, sum_ + draw_and_score(q, 2, Seed(tf.stack([i, 0])))[1]),
            (0, tf.zeros([2, tf.shape(x)[0]], tf.float64)),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([2, None])),
        )[1]  # fmt: skip
        return q, total

    q, total = make(features)
    expected = head(features)
    assert isinstance(q, Flow)
    np.testing.assert_allclose(q.log_prob(FEATURES[:, :3]), expected.log_prob(FEATURES[:, :3]), rtol=1e-12)
    by_hand = sum(draw_and_score(expected, 2, as_seed((i, 0)))[1] for i in range(3))
    np.testing.assert_allclose(total, by_hand, rtol=1e-10)


def test_moments_of_a_flow_are_estimates():
    q = posterior("affine", 3)
    mean, stddev = moments(q)
    z = draw(q, 20000, as_seed(3)).numpy()
    assert (np.abs(mean - z.mean(0)) < 6 * z.std(0) / 8).all()
    np.testing.assert_allclose(stddev, z.std(0), rtol=0.6)
    np.testing.assert_array_equal(centre(q), q.forward(q.base.mean())[0])


def test_a_flow_without_an_inverse_says_so():
    with pytest.raises(NotImplementedError, match=r"AutoregressiveStep has none.*heads\.Planar.*Received: step="):
        posterior("autoregressive", 3).log_prob(FEATURES[:, :3])


@pytest.mark.parametrize(
    ("error", "message", "make"),
    [
        (ValueError, r"steps to be a whole number .*Received: steps=-1", lambda: heads.Planar(3, -1)),
        (ValueError, r"Expected Planar to model a vector.*event_shape=\(2, 2\)", lambda: heads.Planar((2, 2), 1)),
        (ValueError, r"reflections .*Received: reflections=1\.5", lambda: heads.Householder(3, 1.5)),
        (ValueError, r"rank to be a whole number from 1 to 3\. Received: rank=4", lambda: heads.Sylvester(3, 1, 4)),
        (ValueError, r"hidden layers.*Received: units=\(\)", lambda: heads.InverseAutoregressive(3, 1, ())),
        (ValueError, r"hidden layers.*Received: units=8", lambda: heads.Coupling(3, 1, 8)),
        (ValueError, r"every width in units .*=0", lambda: heads.Coupling(3, 1, (0,))),
        (ValueError, r"two coordinates at least.*length 1", lambda: heads.Coupling(1, 1, (8,))),
        (ValueError, r"two coordinates at least.*length 1", lambda: priors.FlowPrior(1, 1, (8,))),
        (TypeError, r"heads\.Spline.*Received: transform='affine'", lambda: heads.Coupling(3, 1, (8,), "affine")),
        (TypeError, r"heads\.Affine.*Received: transform=", lambda: priors.FlowPrior(3, 1, (8,), heads.Affine)),
        (ValueError, r"bins to be a whole number from 2 to 100\. Received: bins=1", lambda: heads.Spline(1)),
        (ValueError, r"bound .*Received: bound=0", lambda: heads.Spline(4, 0)),
        (ValueError, r"whose draws are vectors.*Received: base=", lambda: Flow(tfd.Normal(0.0, 1.0), [])),
        (TypeError, r"distributions\.Step\. Received: step=", lambda: Flow(tfd.MultivariateNormalDiag([0.0]), [abs])),
    ],
)
def test_bad_arguments(error, message, make):
    with pytest.raises(error, match=message):
        make()


# Formats -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_xla_computes_the_same_numbers_and_gradients():
    names = ["planar", "autoregressive", "spline"]  # whose operators are those of the others too
    parts = {name: built(name, 3, "float32", steps=1) for name in names}
    points = tf.constant(np.random.default_rng(2).normal(size=[4, 3, 3]), tf.float32)

    def everything():
        return {
            name: _loss(head, features, head.trainable_weights, points if name == "planar" else None)
            for name, (head, features) in parts.items()
        }

    compiled = tf.function(everything, jit_compile=True, autograph=False)()
    for one, other in zip(tf.nest.flatten(everything()), tf.nest.flatten(compiled), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-5)


@pytest.mark.slow
def test_tflite_draws_and_scores_with_builtin_operators(tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    names = ["planar", "sylvester", "autoregressive", "spline"]
    parts = {name: built(name, 3, "float32", steps=1)[0] for name in names}
    p = prior(3, 2, heads.Affine(), dtype="float32")

    def everything(x, points, seed):
        outputs = {}
        for name, head in parts.items():
            q = head(x)
            outputs[f"{name}_z"], outputs[f"{name}_log_q"] = draw_and_score(q, 4, Seed(seed))
            if name in ("planar", "spline"):
                outputs[f"{name}_log_prob"] = q.log_prob(points)
        return {**outputs, "prior": draw(p(), 4, Seed(seed)), "prior_log_prob": p().log_prob(points)}

    archive = keras.export.ExportArchive()
    for part in (*parts.values(), p):
        archive.track(part)
    x, points, seed = FEATURES.astype("float32"), FEATURES[:, None, :3].astype("float32"), np.array([3, -4], np.int32)
    specs = [tf.TensorSpec([None, 6], name="x"), tf.TensorSpec([None, None, 3], name="points")]
    archive.add_endpoint("everything", everything, [*specs, tf.TensorSpec([2], tf.int32, "seed")])
    archive.write_out(str(tmp_path / "1"), verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "1"), signature_keys=["everything"])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    (tmp_path / "m.tflite").write_bytes(converter.convert())
    assert all(map(is_builtin, operators(tmp_path / "m.tflite")))
    run = Interpreter(str(tmp_path / "m.tflite")).get_signature_runner("everything")
    expected = everything(tf.constant(x), tf.constant(points), tf.constant(seed))
    for name, value in run(x=x, points=points, seed=seed).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=2e-4, err_msg=name)


def _model(head, p, dtype=None):
    encoder = tfvae.Encoder(networks.mlp(5), head, dtype=dtype)
    decoder = tfvae.Decoder(networks.mlp(5), heads.Bernoulli((2, 2, 1), dtype=dtype), dtype=dtype)
    return tfvae.VAE(encoder, decoder, p, seed=0, dtype=dtype)


@pytest.mark.parametrize("name", FAMILIES)
def test_keras_files_restore_flows(name, tmp_path):
    transform = SPLINE if name == "spline" else heads.Affine()
    model = _model(FAMILIES[name](3), priors.FlowPrior(3, 2, (8,), transform))
    shaken(model)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert len(loaded.weights) == len(model.weights)
    for one, other in zip(model.weights, loaded.weights, strict=True):
        assert (one.name, one.shape) == (other.name, other.shape)
        np.testing.assert_array_equal(one, other)
    assert loaded.encoder.head.get_config() == model.encoder.head.get_config()
    assert loaded.prior.get_config() == model.prior.get_config()
    x = np.random.default_rng(0).integers(0, 2, [3, 2, 2, 1]).astype("float32")
    for field in ("z", "log_qz", "log_pz"):
        one, other = (getattr(m.trace(tf.constant(x), 2, seed=1), field) for m in (model, loaded))
        np.testing.assert_array_equal(one, other)


def test_a_frozen_flow_stays_frozen(tmp_path):
    model = _model(FAMILIES["affine"](3), priors.FlowPrior(3, 2, (8,)))
    model.encoder.head.trainable = model.prior.trainable = False
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    for part in (loaded.encoder.head, loaded.prior):
        assert part.weights and not part.trainable_weights


def test_networks_keep_full_precision_under_a_mixed_policy():
    head = FAMILIES["autoregressive"](3, dtype="mixed_bfloat16")
    encoder = tfvae.Encoder(networks.mlp(5), head, dtype="mixed_bfloat16")
    encoder.build((None, 4))
    shaken(head)
    q = encoder(np.ones([2, 4], "float32"))
    assert q.dtype == "float32"
    for network, step in zip(head.networks, q.steps, strict=True):
        for kernel, mask, used in zip(network.kernels, network.masks, step.network.kernels, strict=True):
            np.testing.assert_array_equal(used, kernel.numpy() * (mask.after >= mask.before[:, None]))


def test_a_prior_learns_what_it_is_shown():
    """Two moons of z, of which the standard normal knows nothing: the flow gains half a nat in 150 steps."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, np.pi, 400)
    z = np.stack([2 * np.cos(angle), 2 * np.sin(angle) - 1], -1) + 0.1 * rng.normal(size=[400, 2])
    z = tf.constant(z, tf.float32)
    part = priors.FlowPrior(2, 4, (16,), heads.Spline(8))
    optimizer = keras.optimizers.Adam(0.02)

    optimizer.build(part.trainable_weights)

    @tf.function(autograph=False)
    def learn():
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(part().log_prob(z))
        gradients = tape.gradient(loss, [weight.value for weight in part.trainable_weights])
        optimizer.apply(gradients, part.trainable_weights)
        return loss

    losses = [float(learn()) for _ in range(150)]
    assert losses[-1] < losses[0] - 0.5


def test_steps_of_users_serve():
    class Shift(Step):
        by: tf.Tensor

        def forward(self, z):
            return z + self.by, tf.zeros_like(z[..., 0])

        def inverse(self, z):
            return z - self.by, tf.zeros_like(z[..., 0])

    base = tfd.MultivariateNormalDiag(tf.zeros([2]))
    flow = Flow(base, [Shift(tf.constant([1.0, 2.0])), Shift(tf.constant([0.5, 0.0]))])
    np.testing.assert_allclose(flow.log_prob([1.5, 2.0]), base.log_prob([0.0, 0.0]))
    np.testing.assert_allclose(
        draw(flow, 3, as_seed(1)), draw(base, 3, as_seed(1)) + tf.constant([1.5, 2.0]), rtol=1e-6
    )
