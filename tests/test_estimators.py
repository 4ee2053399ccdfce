"""Importance-weighted bounds and their gradients: limits, order, exact expectations, another implementation."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from oracle import linear_gaussian
from scipy.special import logsumexp

import tfvae
from tfvae import heads, networks, objectives, priors
from tfvae.objectives import schedules
from tfvae.random import tfd

STEP = tf.constant(37)


@pytest.fixture(scope="module")
def case():
    return linear_gaussian(2, 5, widen=1.4, shift=0.3, n=6, dtype="float64")


@pytest.fixture(scope="module")
def trace(case):
    return case.model.trace(tf.constant(case.x), 12, seed=3)


def _weighted(log_weights):
    """A trace of which only the log weights are looked at."""
    return tfvae.Trace(*[None] * 5, tf.convert_to_tensor(log_weights), 0.0, 0.0, None, None, None)


# Limits and values ---------------------------------------------------------------------------------------------------


def test_one_sample_is_the_elbo_of_the_sampled_rate(case):
    one = case.model.trace(tf.constant(case.x), 1, seed=3)
    truth = (one.log_px + one.log_pz - one.log_qz)[0]
    for objective in (
        objectives.IWAE(1), objectives.MIWAE(1, 1), objectives.CIWAE(0.3, 1), objectives.Renyi(0.5, 1),
        objectives.Renyi(-3.0, 1), objectives.DReG(1), objectives.STL(),
    ):  # fmt: skip
        np.testing.assert_allclose(objective.bound(one, STEP), truth, rtol=1e-10)


def test_pairs_that_coincide(trace):
    elbo, weights = tf.reduce_mean(trace.log_weights, 0), trace.log_weights.numpy()
    iwae = logsumexp(weights, 0) - np.log(12)
    for objective, truth in (
        (objectives.IWAE(12), iwae),
        (objectives.MIWAE(1, 12), iwae),
        (objectives.MIWAE(12, 1), elbo),
        (objectives.MIWAE(3, 4), (logsumexp(weights.reshape(4, 3, 6), 0) - np.log(4)).mean(0)),
        (objectives.CIWAE(1.0, 12), elbo),
        (objectives.CIWAE(0.0, 12), iwae),
        (objectives.CIWAE(schedules.Linear(74), 12), (elbo + iwae) / 2),  # half at step 37
        (objectives.Renyi(0.0, 12), iwae),
        (objectives.Renyi(0.5, 12), 2 * (logsumexp(0.5 * weights, 0) - np.log(12))),
        (objectives.Renyi(3.0, 12), -0.5 * (logsumexp(-2 * weights, 0) - np.log(12))),
        (objectives.Renyi(-1e5, 12), weights.max(0)),
        (objectives.Renyi(1e5, 12), weights.min(0)),
        (objectives.DReG(12), iwae),
        (objectives.STL(12), elbo),
    ):
        np.testing.assert_allclose(objective.bound(trace, STEP), truth, rtol=1e-3, atol=1e-3)
        if not (isinstance(objective, objectives.Renyi) and abs(objective.alpha) > 10):
            np.testing.assert_allclose(objective.bound(trace, STEP), truth, rtol=1e-9)
    assert objectives.MIWAE(3, 4).samples == 12


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_renyi_nears_the_elbo_as_alpha_nears_one(dtype):
    """To second order the bound is the mean minus (alpha - 1) / 2 times the variance of the log weights."""
    weights = np.random.default_rng(0).normal(-300.0, 2.0, [50, 4]).astype(dtype)
    for alpha in (1 - 1e-3, 1 + 1e-3, 1 - 1e-7, 1 + 1e-12):
        bound = objectives.Renyi(alpha, 50).bound(_weighted(weights), STEP).numpy()
        series = weights.astype("float64").mean(0) - (alpha - 1) / 2 * weights.astype("float64").var(0)
        np.testing.assert_allclose(bound, series, atol=1e-4 if dtype == "float32" else 1e-5)


def test_renyi_falls_with_alpha(trace):
    bounds = [objectives.Renyi(alpha, 12).bound(trace, STEP) for alpha in (-5.0, -1.0, 0.0, 0.5, 0.99, 1.01, 2.0, 9.0)]
    assert all((higher > lower).numpy().all() for higher, lower in itertools.pairwise(bounds))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_that_overflow_or_vanish_are_no_matter(dtype):
    for weights, truth in (
        ([[2000.0], [2000.0]], 2000.0), ([[-9000.0], [-9000.0]], -9000.0), ([[0.0], [-np.inf]], -np.log(2)),
    ):  # fmt: skip
        given = tf.constant(weights, dtype)
        for objective in (objectives.IWAE(2), objectives.Renyi(0.0, 2)):
            with tf.GradientTape() as tape:
                tape.watch(given)
                bound = objective.bound(_weighted(given), STEP)
            np.testing.assert_allclose(bound, [truth], rtol=1e-6)
            assert np.isfinite(tape.gradient(bound, given)).all()


def test_bounds_do_not_depend_on_the_order_of_samples_or_the_size_of_the_batch(trace):
    weights = trace.log_weights
    for objective in (objectives.IWAE(12), objectives.CIWAE(0.3, 12), objectives.Renyi(2.0, 12)):
        bound = objective.bound(trace, STEP)
        np.testing.assert_allclose(objective.bound(_weighted(weights[::-1]), STEP), bound, rtol=1e-12)
        np.testing.assert_allclose(
            objective.bound(_weighted(tf.tile(weights, [1, 2])), STEP), tf.tile(bound, [2]), rtol=1e-12
        )


# Order, in expectation -----------------------------------------------------------------------------------------------


def test_bounds_are_in_their_order_below_the_evidence(seed):
    """Means over 20000 examples that are all the same; each gap is many errors wide, and 5 fail at 3e-7."""
    case = linear_gaussian(2, 3, widen=2.0, shift=0.7, n=1, dtype="float64")
    x = tf.constant(np.repeat(case.x, 20000, 0))
    means, errors = [], []
    for i, objective in enumerate(
        [objectives.STL(1), objectives.Renyi(0.5, 2), objectives.IWAE(2), objectives.IWAE(3), objectives.IWAE(10)]
    ):
        bound = objective.bound(case.model.trace(x, objective.samples, (seed, i)), STEP).numpy()
        means.append(bound.mean())
        errors.append(bound.std(ddof=1) / np.sqrt(len(bound)))
    for i in range(len(means) - 1):
        assert means[i + 1] - means[i] > 5 * np.hypot(errors[i], errors[i + 1]), i
    assert np.ravel(case.log_px)[0] - means[-1] > 5 * errors[-1]
    above = objectives.Renyi(-4.0, 200).bound(case.model.trace(x[:2000], 200, seed), STEP).numpy()
    assert above.mean() - np.ravel(case.log_px)[0] > 5 * above.std(ddof=1) / np.sqrt(2000)


def test_every_bound_is_the_evidence_at_the_true_posterior():
    case = linear_gaussian(2, 5, orthogonal=True, n=20, dtype="float64")
    trace = case.model.trace(tf.constant(case.x), 6)
    for objective in (
        objectives.IWAE(6), objectives.MIWAE(2, 3), objectives.CIWAE(0.5, 6), objectives.Renyi(-2.0, 6),
        objectives.Renyi(2.0, 6), objectives.DReG(6), objectives.STL(6),
    ):  # fmt: skip
        np.testing.assert_allclose(objective.bound(trace, STEP), case.log_px, atol=1e-4)


# Gradients -----------------------------------------------------------------------------------------------------------


class OneLatent:
    """One example of a model with one latent, and a posterior away from the truth: its gradients draw by draw."""

    def __init__(self, loc=0.2, scale=0.9):
        case = linear_gaussian(1, 2, n=1, dtype="float64")
        self.model, self.x, self.log_px = case.model, case.x, case.log_px
        q = case.model.encoder(case.x)
        self.loc, self.scale = q.mean().numpy().item() + loc, q.stddev().numpy().item() * scale

    def draws(self, objective, number, seed):
        """Gradients with respect to the posterior's mean and deviation, and to x, each of `number` draws: [number, 4].

        The gradient with respect to x at a given posterior is minus that with respect to the decoder's bias.
        """
        parameters = [tf.constant(np.full([number, 1], value)) for value in (self.loc, self.scale)]
        x = tf.constant(np.repeat(self.x, number, 0))
        with tf.GradientTape() as tape:
            tape.watch([*parameters, x])
            trace = self.model.trace_from(tfd.MultivariateNormalDiag(*parameters), x, objective.samples, seed)
            total = tf.reduce_sum(objective.bound(trace, STEP))
        return np.concatenate(tape.gradient(total, [*parameters, x]), 1)

    def exact(self, bound):
        """The gradient of the expectation of a function of two log weights, by quadrature over both."""
        nodes, mass = np.polynomial.hermite_e.hermegauss(70)
        mass = mass / mass.sum()
        loc, scale, x = (tf.constant(value, tf.float64) for value in (self.loc, self.scale, self.x))
        with tf.GradientTape() as tape:
            tape.watch([loc, scale, x])
            z = (loc + scale * nodes)[:, None, None]  # [70, 1, 1]
            log_q = -0.5 * nodes**2 - tf.math.log(scale) - 0.5 * np.log(2 * np.pi)
            px, p = self.model.decoder(z), self.model.prior()
            weights = (px.log_prob(x) + p.log_prob(z))[:, 0] - log_q  # [70]
            pairs = tf.stack(tf.meshgrid(weights, weights), 0)  # [2, 70, 70]
            value = tf.reduce_sum(bound(pairs) * mass[:, None] * mass)
        return np.concatenate([np.ravel(g) for g in tape.gradient(value, [loc, scale, x])])


@pytest.fixture(scope="module")
def one():
    return OneLatent()


def _z(draws, truth):
    return np.abs((draws.mean(0) - truth) / (draws.std(0, ddof=1) / np.sqrt(len(draws)))).max()


MEAN = lambda w: tf.reduce_mean(w, 0)  # noqa: E731
IWAE = lambda w: tf.math.log(tf.reduce_mean(tf.exp(w), 0))  # noqa: E731
EXACT = {
    "elbo": (lambda: objectives.ELBO(samples=2), MEAN),
    "iwae": (lambda: objectives.IWAE(2), IWAE),
    "miwae": (lambda: objectives.MIWAE(2, 1), MEAN),
    "ciwae": (lambda: objectives.CIWAE(0.3, 2), lambda w: 0.3 * MEAN(w) + 0.7 * IWAE(w)),
    "renyi": (lambda: objectives.Renyi(0.6, 2), lambda w: IWAE(0.4 * w) / 0.4),
    "renyi_above_one": (lambda: objectives.Renyi(2.5, 2), lambda w: IWAE(-1.5 * w) / -1.5),
    "dreg": (lambda: objectives.DReG(2), IWAE),
    "stl": (lambda: objectives.STL(2), MEAN),
}


@pytest.mark.parametrize("name", EXACT)
def test_gradients_have_the_mean_of_the_exact_ones(one, name, seed):
    """z-test of 4 numbers over 40000 draws against quadrature; |z| > 5.5 by chance with probability 2e-7."""
    build, bound = EXACT[name]
    assert _z(one.draws(build(), 40000, seed % 1000), one.exact(bound)) < 5.5


class Attached(objectives.IWAE):
    """The mistake: a sum of log weights by shares that are differentiated too."""

    def bound(self, trace, step):
        return tf.reduce_sum(tf.nn.softmax(trace.log_weights, 0) * trace.log_weights, 0)


class Unsquared(objectives.IWAE):
    """The mistake: q held fixed in an importance-weighted bound, without the second factor of the weights."""

    def bound(self, trace, step):
        return objectives.IWAE(2).bound(trace._replace(log_qz=trace.log_qz_stopped), step)


@pytest.mark.parametrize("mistake", [Attached, Unsquared])
def test_known_mistakes_fail_the_test_of_gradients(one, mistake, seed):
    assert _z(one.draws(mistake(2), 40000, seed % 1000), one.exact(IWAE)) > 10


@pytest.mark.parametrize("objective", [objectives.STL(1), objectives.STL(3), objectives.DReG(3)])
def test_gradients_of_the_path_have_no_noise_at_the_true_posterior(objective):
    truth = OneLatent(loc=0.0, scale=1.0)
    for_q = truth.draws(objective, 100, 1)[:, :2]
    np.testing.assert_allclose(for_q, 0.0, atol=1e-6)  # the oracle's scale is rounded once
    plain = truth.draws(objectives.CIWAE(1.0, objective.samples), 100, 1)[:, :2]
    assert plain.std(0).min() > 0.1


def test_the_gradient_of_dreg_is_not_drowned_by_its_noise_as_samples_are_added(one, seed):
    """Mean over deviation of the gradient of the posterior's mean, over 4000 draws each, from 4 samples to 64."""
    ratios = {}
    for kind in (objectives.IWAE, objectives.DReG):
        for samples in (4, 64):
            draws = one.draws(kind(samples), 4000, seed % 1000)[:, 0]
            ratios[kind, samples] = abs(draws.mean()) / draws.std(ddof=1)
    assert ratios[objectives.IWAE, 64] < 0.6 * ratios[objectives.IWAE, 4]
    assert ratios[objectives.DReG, 64] > 0.9 * ratios[objectives.DReG, 4]
    assert ratios[objectives.DReG, 64] > 3 * ratios[objectives.IWAE, 64]


@pytest.mark.parametrize(
    ("path", "plain"), [(objectives.DReG(5), objectives.IWAE(5)), (objectives.STL(5), objectives.CIWAE(1.0, 5))]
)
def test_decoders_and_priors_get_the_gradient_of_the_plain_bound_draw_by_draw(path, plain):
    model, x = _learned(), tf.constant(np.random.default_rng(0).normal(size=[4, 3]))
    gradients = {}
    for objective in (path, plain):
        with tf.GradientTape(persistent=True) as tape:
            total = tf.reduce_sum(objective.bound(model.trace(x, 5, 7), STEP))
        for part in ("encoder", "decoder", "prior"):
            weights = [w.value for w in getattr(model, part).trainable_variables]
            gradients[objective, part] = [g.numpy() for g in tape.gradient(total, weights)]
    for part in ("decoder", "prior"):
        for ours, theirs in zip(gradients[path, part], gradients[plain, part], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
            assert np.abs(ours).max() > 0
    assert np.abs(gradients[path, "encoder"][0] - gradients[plain, "encoder"][0]).max() > 1e-3


class LearnedNormal(priors.Prior):
    """A prior with a weight."""

    support = heads.REAL

    def __init__(self, latent_dim, **kwargs):
        super().__init__(**kwargs)
        self.loc = self.add_weight(shape=(latent_dim,), initializer="ones", name="loc")

    def distribution(self):
        loc = tf.convert_to_tensor(self.loc)
        return tfd.MultivariateNormalDiag(loc, tf.ones_like(loc))


def _learned(objective=objectives.ELBO()):  # noqa: B008 (it is not changed)
    keras.utils.set_random_seed(0)
    encoder = tfvae.Encoder(networks.mlp(), heads.DiagonalNormal(2, dtype="float64"), dtype="float64")
    decoder = tfvae.Decoder(networks.mlp(), heads.Normal(3, 0.5, dtype="float64"), dtype="float64")
    return tfvae.VAE(encoder, decoder, LearnedNormal(2, dtype="float64"), objective, seed=0, dtype="float64")


@keras.saving.register_keras_serializable(package="test")
class OwnFamily(heads.Head):
    """A posterior whose family does not keep its constructor's arguments, so that it is no nest of its parameters."""

    support = heads.REAL
    parameter_count = 1

    def distribution(self, parameters):
        return _Replayed(tfd.MultivariateNormalDiag(parameters, tf.ones_like(parameters)), 0.0)


@pytest.mark.parametrize("head", [OwnFamily(2), heads.InverseAutoregressive(2, 1, (4,))], ids=lambda head: head.name)
@pytest.mark.parametrize("objective", [objectives.DReG(2), objectives.STL()], ids=lambda o: type(o).__name__)
def test_a_posterior_whose_density_cannot_be_had_at_fixed_parameters_is_refused(head, objective):
    encoder, decoder = tfvae.Encoder(networks.mlp(), head), tfvae.Decoder(networks.mlp(), heads.Normal(3, 0.5))
    with pytest.raises(tfvae.IncompatibleParts, match=f"objective {type(objective).__name__}"):
        tfvae.VAE(encoder, decoder, priors.StandardNormal(2), objective)


FIXABLE = {
    "full_normal": lambda: heads.FullNormal(3, dtype="float64"),
    "laplace": lambda: heads.Laplace(3, dtype="float64"),
    "planar": lambda: heads.Planar(3, 2, dtype="float64"),
    "coupling": lambda: heads.Coupling(3, 2, (4,), dtype="float64"),
}


@pytest.mark.parametrize("name", FIXABLE)
def test_the_density_at_fixed_parameters_reaches_them_through_z_alone(name):
    """For other families than the normal, networks inside a flow included; the gradient of z by finite differences."""
    keras.utils.set_random_seed(0)
    encoder = tfvae.Encoder(networks.mlp(), FIXABLE[name](), dtype="float64")
    decoder = tfvae.Decoder(networks.mlp(), heads.Normal(2, 0.5, dtype="float64"), dtype="float64")
    model = tfvae.VAE(encoder, decoder, priors.StandardNormal(3, dtype="float64"), objectives.STL(), dtype="float64")
    for number, weight in enumerate(encoder.trainable_variables):
        weight.assign(weight + 0.2 * np.random.default_rng(number).normal(size=weight.shape))
    x, weights = tf.constant([[0.3, -0.8]], tf.float64), [w.value for w in encoder.trainable_variables]
    with tf.GradientTape(persistent=True) as tape:
        trace = model.trace(x, 2, 1)
        tape.watch(trace.z)
        density = tf.reduce_sum(trace.log_qz_stopped)
        elsewhere = tf.reduce_sum(trace._replace(z=tf.stop_gradient(trace.z)).log_qz_stopped)
    assert all(g is None for g in tape.gradient(elsewhere, weights))
    assert all(g is not None for g in tape.gradient(density, weights))
    np.testing.assert_allclose(trace.log_qz_stopped, trace.log_qz, rtol=1e-6)
    slope = np.zeros(trace.z.shape)
    for place in np.ndindex(*slope.shape):
        moved = [np.array(trace.z), np.array(trace.z)]
        for z, by in zip(moved, (1e-4, -1e-4), strict=True):
            z[place] += by
        up, down = (tf.reduce_sum(trace._replace(z=tf.constant(z)).log_qz_stopped) for z in moved)
        slope[place] = (up - down) / 2e-4
    np.testing.assert_allclose(tape.gradient(density, trace.z), slope, rtol=1e-4, atol=1e-5)


# Another implementation ----------------------------------------------------------------------------------------------


class _Replayed(tfd.MultivariateNormalDiag):
    """A posterior whose draws are given noise, so that another implementation meets the same samples."""

    def __init__(self, q, noise):
        super().__init__(q.mean(), q.stddev())
        self._noise = noise

    def experimental_sample_and_log_prob(self, sample_shape=(), seed=None, name="", **kwargs):
        z = self.mean() + self.stddev() * self._noise
        return z, self.log_prob(z)


def _both(case, objective, theirs, **options):
    """Values of an objective and of tfp.vi on the same samples, and their gradients for encoder and decoder."""
    model, x = case.model, tf.constant(case.x)
    parts = {name: [w.value for w in getattr(model, name).trainable_variables] for name in ("encoder", "decoder")}
    with tf.GradientTape(persistent=True) as tape:
        trace = model.trace(x, objective.samples, seed=3)
        ours = objective.bound(trace, STEP)
        q = model.encoder(x)
        noise = tf.stop_gradient((trace.z - q.mean()) / q.stddev())
        groups = options["sample_size"]  # which stand one after another there, and take turns here
        noise = tf.gather(noise, np.arange(len(noise)).reshape(-1, groups).T.ravel())
        if "gradient_estimator" in options:
            stopped = tfd.MultivariateNormalDiag(tf.stop_gradient(q.mean()), tf.stop_gradient(q.stddev()))
            options["stopped_surrogate_posterior"] = stopped
        target = lambda z: model.decoder(z).log_prob(x) + model.prior().log_prob(z)  # noqa: E731
        loss = tfp.vi.monte_carlo_variational_loss(target, _Replayed(q, noise), seed=1, **options)
        other = theirs(loss)
    gradients = {name: [tape.gradient(value, weights) for value in (ours, other)] for name, weights in parts.items()}
    return ours, other, gradients


ESTIMATORS = tfp.vi.GradientEstimators
OTHERS = {
    "elbo": (objectives.CIWAE(1.0, 8), lambda loss: -loss, {"sample_size": 8}),
    "iwae": (objectives.IWAE(8), lambda loss: -loss, {"sample_size": 1, "importance_sample_size": 8}),
    "miwae": (objectives.MIWAE(2, 4), lambda loss: -loss, {"sample_size": 2, "importance_sample_size": 4}),
    "stl": (
        objectives.STL(8), lambda loss: -loss,
        {"sample_size": 8, "gradient_estimator": ESTIMATORS.DOUBLY_REPARAMETERIZED},
    ),
    "dreg": (
        objectives.DReG(8), lambda loss: -loss,
        {"sample_size": 1, "importance_sample_size": 8, "gradient_estimator": ESTIMATORS.DOUBLY_REPARAMETERIZED},
    ),
    "renyi": (  # the mean of -(w^(1/2) - 1), a Csiszar function
        objectives.Renyi(0.5, 8), lambda loss: 2 * tf.math.log(1 - loss),
        {"sample_size": 8, "discrepancy_fn": lambda log_w: tfp.vi.t_power(log_w, 0.5)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_bounds_equal_tfp_vi_on_the_same_samples_values_and_gradients(case, name):
    objective, theirs, options = OTHERS[name]
    ours, other, gradients = _both(case, objective, theirs, **options)
    np.testing.assert_allclose(ours, other, rtol=1e-8)
    for part, (mine, yours) in gradients.items():
        if (name, part) == ("dreg", "decoder"):  # TFP squares the weights there too, which is no gradient of the bound
            continue
        for one_gradient, another in zip(mine, yours, strict=True):
            np.testing.assert_allclose(one_gradient, another, rtol=1e-6, atol=1e-8)
