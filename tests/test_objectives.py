"""Objectives and penalties against closed forms, NumPy and each other; what trains a critic and what must not."""

import inspect
import itertools
import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracle import linear_gaussian
from scipy.special import logsumexp
from scipy.stats import norm

import tfvae
from tfvae import heads, networks, objectives, priors
from tfvae.distributions.factors import factors, rate_per_dimension
from tfvae.objectives import kernels, penalties, schedules
from tfvae.objectives.critic import permuted
from tfvae.random import as_seed, tfd

STEP = tf.constant(37)


@pytest.fixture(scope="module")
def case():
    return linear_gaussian(4, 6, widen=1.4, shift=0.3, n=50, dtype="float64")


@pytest.fixture(scope="module")
def trace(case):
    """Draws of a model with a posterior whose scales differ from element to element and from example to example."""
    random = np.random.default_rng(1)
    q = tfd.MultivariateNormalDiag(random.normal(size=[50, 4]), random.uniform(0.3, 1.5, [50, 4]))
    return case.model.trace_from(q, tf.constant(case.x), 6, seed=3)


def _means(trace):
    return trace.q.mean().numpy(), trace.q.stddev().numpy()


def _gaussian_rates(trace):
    """KL(N(m, s^2) || N(0, 1)) of each element."""
    mean, scale = _means(trace)
    return 0.5 * (mean**2 + scale**2 - 1) - np.log(scale)


def _latents(trace, z):
    """The trace with other draws of z, [S, B, D]."""
    return trace._replace(z=tf.constant(z, tf.float64))


# Free bits and capacity ----------------------------------------------------------------------------------------------


def test_rate_per_dimension_is_that_of_each_element_and_adds_up_to_the_rate(trace):
    rates = rate_per_dimension(trace.q, trace.p)
    np.testing.assert_allclose(rates, _gaussian_rates(trace), rtol=1e-10)
    np.testing.assert_allclose(tf.reduce_sum(rates, -1), trace.rate, rtol=1e-10)
    laplace = [tfd.Independent(tfd.Laplace(*pair), 1) for pair in (([[1.0, 2.0]], [[1.0, 0.5]]), ([0.0, 0.0], 1.0))]
    np.testing.assert_allclose(tf.reduce_sum(rate_per_dimension(*laplace), -1), tfd.kl_divergence(*laplace), rtol=1e-6)


def test_no_free_bits_are_off_exactly(trace):
    plain = objectives.ELBO(2.0).bound(trace, STEP)
    np.testing.assert_array_equal(objectives.ELBO(2.0, free_bits=0).bound(trace, STEP), plain)
    for zero in (objectives.FreeBits(0.0), objectives.FreeBits(0.0, 2), schedules.Linear(1, end=0.0)):
        np.testing.assert_allclose(objectives.ELBO(2.0, free_bits=zero).bound(trace, STEP), plain, rtol=1e-12)


@pytest.mark.parametrize("group_size", [1, 2, 4])
@pytest.mark.parametrize("nats", [0.1, 0.8, 2.0, 50.0])
def test_free_bits_have_the_mean_of_the_equation(trace, nats, group_size):
    groups = _gaussian_rates(trace).reshape(50, -1, group_size).sum(-1).mean(0)
    paid = np.maximum(nats, groups).sum()
    bound = objectives.ELBO(3.0, free_bits=objectives.FreeBits(nats, group_size)).bound(trace, STEP)
    assert np.mean(bound) == pytest.approx(np.mean(-trace.distortion) - 3.0 * paid, rel=1e-7)


def test_free_bits_give_no_gradient_below_their_floor_and_the_whole_above():
    loc = tf.Variable([[2.0, 0.1], [-2.0, -0.2]], dtype=tf.float64)
    p = tfd.MultivariateNormalDiag(tf.zeros([2], tf.float64), tf.ones([2], tf.float64))
    with tf.GradientTape() as tape:
        q = tfd.MultivariateNormalDiag(loc, tf.ones_like(loc))
        stub = objectives.FreeBits(schedules.Linear(74, end=2.0)).rate(_Stub(q, p), STEP)  # 1 nat at step 37
        cost = tf.reduce_mean(stub)
    np.testing.assert_allclose(cost, 2.0 + 1.0)
    np.testing.assert_allclose(tape.gradient(cost, loc), [[1.0, 0.0], [-1.0, 0.0]])


class _Stub:
    def __init__(self, q, p):
        self.q, self.p = q, p


def test_free_bits_refuse_pairs_without_a_rate_for_each_element():
    q = tfd.MultivariateNormalDiag(tf.zeros([1, 4]), tf.ones([1, 4]))
    standard = priors.StandardNormal(4)()
    mixture = tfd.MixtureSameFamily(tfd.Categorical([0.0, 0.0]), tfd.MultivariateNormalDiag(tf.zeros([2, 4])))
    laplace = tfd.Independent(tfd.Laplace(tf.zeros([1, 4]), 1.0), 1)
    tril = tfd.MultivariateNormalTriL(tf.zeros([1, 4]), tf.eye(4)[None])
    for posterior, prior in ((q, mixture), (laplace, standard), (tril, standard)):
        with pytest.raises(tfvae.IncompatibleParts) as refusal:
            objectives.ELBO(free_bits=0.5).check(posterior, prior)
        for side in (posterior, prior):
            assert type(side).__name__ in str(refusal.value)
    with pytest.raises(tfvae.IncompatibleParts, match="group_size=3"):
        objectives.FreeBits(1.0, 3).check(q, standard)
    objectives.ELBO(free_bits=objectives.FreeBits(0.5, 2)).check(q, standard)
    with pytest.raises(tfvae.IncompatibleParts, match="independent elements"):
        factors(tril)
    with pytest.raises(tfvae.IncompatibleParts, match="independent elements"):
        factors(tfd.Independent(tfd.Normal(tf.zeros([1, 2, 2]), 1.0), 2))


def test_capacity_is_the_distance_of_each_rate_from_the_schedule(trace):
    objective = objectives.ELBO(1000.0, capacity=schedules.Linear(74, end=6.0))  # 3 nats at step 37
    truth = -trace.distortion.numpy() - 1000.0 * np.abs(trace.rate.numpy() - 3.0)
    np.testing.assert_allclose(objective.bound(trace, STEP), truth, rtol=1e-6)
    assert (trace.rate.numpy() < 3.0).any() and (trace.rate.numpy() > 3.0).any()


def test_a_capacity_of_zero_is_the_beta_vae_and_none_is_plain(trace):
    plain = objectives.ELBO(4.0).bound(trace, STEP)
    np.testing.assert_allclose(objectives.ELBO(4.0, capacity=0.0).bound(trace, STEP), plain, rtol=1e-12)
    assert type(objectives.ELBO(4.0).capacity).__name__ == "NoCapacity"


# Total correlation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "batch"), [(5, 3), (6, 2), (4, 4), (5, 1)])
def test_stratified_shares_estimate_the_mixture_without_bias(n, batch):
    """The mean over every batch that holds an example is the mixture of all n, for any densities.

    The paper's own shares have that mean too, with more variance. Shares of the first column, where the diagonal is
    meant, miss it: a mistake that has been copied from one program to another.
    """
    density = np.random.default_rng(0).uniform(0.1, 5.0, n)  # q(z_0 | x_j) for some z_0 drawn from q(z | x_0)
    shares = np.exp(penalties.Stratified(n).log_shares(batch, tf.float64))
    batches = [(0, *others) for others in itertools.permutations(range(1, n), batch - 1)]
    if batch == 1:
        assert shares[0, 0] == pytest.approx(1 / n)  # nothing else is known
        return
    for place in range(batch):  # wherever in the batch the example stands
        rows = [[*b[1 : place + 1], b[0], *b[place + 1 :]] for b in batches]
        estimates = [shares[place] @ density[row] for row in rows]
        assert np.mean(estimates) == pytest.approx(density.mean(), rel=1e-10)
    m = batch - 1
    paper = np.full(batch, 1 / m)  # of the example itself, M - 1 others and the last one: App. C.2
    paper[0], paper[-1] = 1 / n, (n - m) / (n * m)
    assert np.mean([paper @ density[list(b)] for b in batches]) == pytest.approx(density.mean(), rel=1e-10)
    estimates = [[own @ density[list(b)] for b in batches] for own in (shares[0], paper)]
    assert np.var(estimates[0]) <= np.var(estimates[1]) + 1e-12
    if n > batch > 2:
        wrong = [paper @ density[[*b[1:], b[0]]] for b in batches]  # the example's own share goes to another
        assert np.mean(wrong) != pytest.approx(density.mean(), rel=1e-2)


@pytest.mark.parametrize("sampling", [penalties.Stratified, penalties.Weighted])
def test_total_correlation_is_that_of_a_loop(trace, sampling):
    mean, scale = _means(trace)
    shares = {
        penalties.Stratified: np.where(np.eye(50), 1 / 1000, (1 - 1 / 1000) / 49),
        penalties.Weighted: np.full([50, 50], 1 / (1000 * 50)),
    }[sampling]
    terms = []
    for s, i in itertools.product(range(6), range(50)):
        log_q = norm(mean, scale).logpdf(trace.z[s, i].numpy())  # [j, d]
        marginals = [logsumexp(log_q[:, d], b=shares[i]) for d in range(4)]
        terms.append(logsumexp(log_q.sum(-1), b=shares[i]) - sum(marginals))
    value = penalties.TotalCorrelation(2.0, sampling(1000)).value(trace, STEP)
    assert float(value) == pytest.approx(2.0 * np.mean(terms), rel=1e-8)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_total_correlation_of_a_normal_aggregate(trace, correlation, seed):
    """q(z) = N(0, C): TC = -1/2 log det corr(C), with the whole data set as the batch.

    The errors are those of 2000 draws and of a mixture of 2000, together less than 0.02.
    """
    random, n = np.random.default_rng(seed), 2000
    spread = np.array([[1.0, correlation], [correlation, 1.0]])
    mean = random.multivariate_normal([0, 0], spread - 0.1 * np.eye(2), n)
    q = tfd.MultivariateNormalDiag(mean, np.full([n, 2], np.sqrt(0.1)))
    aggregate = trace._replace(q=q, z=tf.constant(mean + np.sqrt(0.1) * random.normal(size=[1, n, 2])))
    value = penalties.TotalCorrelation(1.0, penalties.Stratified(n)).value(aggregate, STEP)
    assert float(value) == pytest.approx(-0.5 * np.log(1 - correlation**2), abs=0.08)


def test_weighted_shares_bound_the_aggregate_from_below(trace):
    """E[log q(z)] is at least its estimate, App. C.1; with the whole data set as the batch, by exactly log N."""
    mean, scale = _means(trace)
    log_q = norm(mean, scale).logpdf(trace.z[0].numpy()[:, None]).sum(-1)  # [i, j]
    exact = logsumexp(log_q, 1) - np.log(50)
    estimate = logsumexp(log_q + penalties.Weighted(50).log_shares(50, tf.float64).numpy(), 1)
    np.testing.assert_allclose(exact - estimate, np.log(50), rtol=1e-10)


# Other penalties -----------------------------------------------------------------------------------------------------


def test_covariance_penalties_are_those_of_numpy(trace):
    mean, scale = _means(trace)
    of_means = np.cov(mean.T, bias=True)
    for penalty, covariance in (
        (penalties.MeanCovariance(3.0, diagonal=5.0), of_means),
        (penalties.LatentCovariance(3.0, diagonal=5.0), of_means + np.diag((scale**2).mean(0))),
    ):
        on = np.diag(covariance)
        off = covariance - np.diag(on)
        truth = 3.0 * (off**2).sum() + 15.0 * ((on - 1) ** 2).sum()
        assert float(penalty.value(trace, STEP)) == pytest.approx(truth, rel=1e-10)
    white = trace._replace(q=tfd.MultivariateNormalDiag(np.sqrt(2) * np.concatenate([np.eye(2), -np.eye(2)])))
    assert float(penalties.MeanCovariance(1.0).value(white, STEP)) == pytest.approx(0.0, abs=1e-12)


def test_covariance_penalties_refuse_a_posterior_without_moments():
    q = tfd.RelaxedOneHotCategorical(1.0, logits=tf.zeros([1, 4]))
    with pytest.raises(tfvae.IncompatibleParts, match="MeanCovariance"):
        objectives.ELBO(penalties=(penalties.MeanCovariance(1.0),)).check(q, q)


def _over_steps(penalty, batches, latents):
    """The values of a penalty for one batch after the other, at steps 0, 1, ..."""
    value = tf.function(lambda z, step: penalty.value(latents(z), step), autograph=False)
    return np.array([value(tf.constant(z), tf.constant(i)) for i, z in enumerate(batches)])


def _normal_batches(loc, scale, batches, size, seed):
    return np.random.default_rng(seed).normal(loc, scale, [batches, 1, size, 3])


@pytest.mark.parametrize("kernel", [kernels.RBF(), kernels.InverseMultiquadratic(), kernels.RBF(0.5)])
def test_mmd_is_unbiased_and_zero_in_mean_for_equal_distributions(case, kernel, seed):
    """z-test over 400 batches of new noise; fails by chance with probability 1e-6."""
    p = priors.StandardNormal(3, dtype="float64")()
    batches = _normal_batches(0.0, 1.0, 400, 12, seed)
    values = _over_steps(penalties.MMD(1.0, kernel), batches, lambda z: _Latents(z, p))
    assert abs(values.mean()) < 5 * values.std(ddof=1) / np.sqrt(len(values))
    assert values.min() < 0 < values.max()


class _Latents:
    """What a penalty of draws looks at."""

    def __init__(self, z, p):
        self.z, self.p = tf.convert_to_tensor(z), p


def test_mmd_of_normals_has_the_closed_form_of_its_kernel(seed):
    """E k of a difference N(m, v I) is (1 + v / l^2)^(-D/2) exp(-|m|^2 / (2 (l^2 + v))), l^2 = D sigma^2."""
    loc, scale, width, d = np.array([1.0, -0.5, 0.2]), 0.6, 3 * 0.8**2, 3

    def mean(m, v):
        return (1 + v / width) ** (-d / 2) * np.exp(-(m @ m) / (2 * (width + v)))

    truth = mean(0 * loc, 2 * scale**2) + mean(0 * loc, 2.0) - 2 * mean(loc, 1 + scale**2)
    p = priors.StandardNormal(3, dtype="float64")()
    batches = _normal_batches(loc, scale, 400, 12, seed)
    values = _over_steps(penalties.MMD(1.0, kernels.RBF(0.8)), batches, lambda z: _Latents(z, p))
    assert abs(values.mean() - truth) < 5 * values.std(ddof=1) / np.sqrt(len(values))
    assert values.mean() > 20 * values.std(ddof=1) / np.sqrt(len(values))


def test_kernels_are_their_equations():
    a, b = np.random.default_rng(0).normal(size=[2, 2, 5, 3])
    square = ((a[:, :, None] - b[:, None]) ** 2).sum(-1)
    np.testing.assert_allclose(kernels.RBF(0.7)(tf.constant(a), tf.constant(b)), np.exp(-square / (6 * 0.49)))
    ours = kernels.InverseMultiquadratic(0.7, (0.5, 2.0))(tf.constant(a), tf.constant(b))
    np.testing.assert_allclose(ours, sum(c / (c + square) for c in (6 * 0.49 * 0.5, 6 * 0.49 * 2.0)))
    near = tf.constant([[1000.0, 1000.0]])
    assert float(kernels.RBF()(near, near)[0, 0]) == 1.0  # rounding gives no negative distance


def test_noise_of_a_penalty_is_that_of_its_step(trace):
    penalty = penalties.MMD(1.0, kernels.RBF())
    values = [float(penalty.value(trace, tf.constant(step))) for step in (1, 1, 2, 3)]
    assert values[0] == values[1] and len(set(values)) == 3


def test_mmd_trains_a_prior_only_where_its_draws_are_reparameterised():
    z = np.zeros([1, 4, 3])
    loc = tf.Variable(np.ones([2, 3]))
    for build, reaches in (
        (lambda: tfd.MultivariateNormalDiag(loc[0], tf.ones([3], tf.float64)), True),
        (lambda: tfd.MixtureSameFamily(tfd.Categorical([0.0, 0.0]), tfd.MultivariateNormalDiag(loc)), False),
    ):
        with tf.GradientTape() as tape:
            value = penalties.MMD(1.0, kernels.RBF()).value(_Latents(z, build()), STEP)
        assert (tape.gradient(value, loc) is not None) is reaches


def test_squared_norm(trace):
    value = penalties.SquaredNorm(schedules.Linear(74)).value(trace, STEP)  # half at step 37
    assert float(value) == pytest.approx(0.25 * (trace.z.numpy() ** 2).sum(-1).mean(), rel=1e-6)


def _jacobian_norm(decoder, z):
    flat = tf.reshape(z, [-1, z.shape[-1]])
    with tf.GradientTape() as tape:
        tape.watch(flat)
        mean = tf.reshape(decoder(flat).mean(), [flat.shape[0], -1])
    return tf.reduce_sum(tf.square(tape.batch_jacobian(mean, flat)), [1, 2])


def test_gradient_penalty_is_the_jacobian_of_one_latent_exactly_with_its_gradients():
    z = tf.constant(np.random.default_rng(0).normal(size=[2, 5, 1]), tf.float32)
    keras.utils.set_random_seed(0)
    decoder = tfvae.Decoder(networks.mlp(7, activation="tanh"), heads.Bernoulli((2, 3)))
    decoder(z)
    weights = [w.value for w in decoder.trainable_variables]
    results = []
    for measure in (
        lambda: penalties.GradientPenalty(3.0, directions=2).value(_Decoded(z, decoder), STEP),
        lambda: 3.0 * tf.reduce_mean(_jacobian_norm(decoder, z)),
    ):
        with tf.GradientTape() as tape:
            value = measure()
        results.append((value, *tape.gradient(value, weights)))
    for ours, truth in zip(*results, strict=True):
        np.testing.assert_allclose(ours, truth, rtol=1e-4, atol=1e-6)
    assert float(results[0][0]) > 0.1


class _Decoded:
    def __init__(self, z, decoder):
        self.z, self.decoder = z, decoder


def test_gradient_penalty_of_several_latents_has_the_mean_of_the_jacobian():
    """z-test over 1500 directions; fails by chance with probability 1e-6."""
    z = tf.constant(np.random.default_rng(0).normal(size=[1, 3, 4]), tf.float32)
    keras.utils.set_random_seed(0)
    decoder = tfvae.Decoder(networks.mlp(7, activation="tanh"), heads.Bernoulli((2, 3)))
    decoder(z)
    truth = float(tf.reduce_mean(_jacobian_norm(decoder, z)))
    values = _over_steps(penalties.GradientPenalty(1.0, directions=50), [z] * 30, lambda z: _Decoded(z, decoder))
    assert abs(values.mean() - truth) < 5 * values.std(ddof=1) / np.sqrt(len(values))
    assert len(set(values.tolist())) == 30


# What an objective makes of them -------------------------------------------------------------------------------------


def test_penalties_are_taken_off_every_example_once(trace):
    parts = (penalties.SquaredNorm(2.0), penalties.MeanCovariance(0.5), penalties.MMD(3.0, kernels.RBF()))
    owed = sum(float(part.value(trace, STEP)) for part in parts)
    for plain, penalised in (
        (objectives.ELBO(2.0), objectives.ELBO(2.0, penalties=parts)),
        (objectives.Distortion(), objectives.Distortion(parts)),
    ):
        np.testing.assert_allclose(
            plain.bound(trace, STEP) - penalised.bound(trace, STEP), np.full(50, owed), rtol=1e-9
        )
    np.testing.assert_allclose(objectives.Distortion().bound(trace, STEP), -trace.distortion, rtol=1e-12)


def test_distortion_asks_for_no_density(case):
    q = tfd.Independent(tfd.Deterministic(tf.constant(np.zeros([50, 4]))), 1)
    nan = tf.constant(np.full([1, 50], np.nan))
    z = tf.zeros([1, 50, 4], tf.float64)
    px = case.model.decoder(z)
    trace = tfvae.Trace(
        case.x, z, q, case.model.prior(), px, px.log_prob(case.x), nan, nan, nan[0], case.model.decoder, None
    )
    assert not objectives.Distortion().needs_density and objectives.ELBO().needs_density
    parts = (penalties.SquaredNorm(1.0), penalties.MMD(1.0, kernels.RBF()), penalties.GradientPenalty(1e-3))
    assert np.isfinite(objectives.Distortion(parts).bound(trace, STEP)).all()


OBJECTIVES = {
    "elbo": lambda: objectives.ELBO(schedules.Linear(100), 2),
    "burgess": lambda: objectives.ELBO(1000.0, capacity=schedules.Linear(100, end=25.0)),
    "free_bits": lambda: objectives.ELBO(free_bits=objectives.FreeBits(schedules.Linear(100), 2)),
    "tcvae": lambda: objectives.ELBO(penalties=(penalties.TotalCorrelation(5.0, penalties.Stratified(1000)),)),
    "weighted": lambda: objectives.ELBO(penalties=(penalties.TotalCorrelation(5.0, penalties.Weighted(1000)),)),
    "dip": lambda: objectives.ELBO(penalties=(penalties.MeanCovariance(1.0), penalties.LatentCovariance(2.0, 3.0))),
    "rae": lambda: objectives.Distortion((penalties.SquaredNorm(1.0), penalties.GradientPenalty(2.0, 3)), samples=2),
    "wae": lambda: objectives.Distortion((penalties.MMD(10.0, kernels.InverseMultiquadratic(2.0, (1.0, 2.0))),)),
    "info": lambda: objectives.ELBO(0.5, penalties=(penalties.MMD(schedules.Linear(9), kernels.RBF(2.0)),)),
    "iwae": lambda: objectives.IWAE(5),
    "miwae": lambda: objectives.MIWAE(2, 3),
    "ciwae": lambda: objectives.CIWAE(schedules.Constant(0.1), 5),
    "renyi": lambda: objectives.Renyi(-2.5, 5),
    "dreg": lambda: objectives.DReG(5),
    "stl": lambda: objectives.STL(4),
    "factor": lambda: objectives.ELBO(critic=_critic(objectives.MarginalsCritic, 35.0)),
    "adversarial": lambda: objectives.Distortion(critic=_critic(objectives.PriorCritic, schedules.Linear(8))),
}


def _critic(kind, weight=1.0):
    return kind(networks.mlp(8), keras.optimizers.Adam(1e-2), weight)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_survive_their_configuration(name, trace):
    objective = OBJECTIVES[name]()
    config = keras.saving.serialize_keras_object(objective)
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))
    assert keras.saving.serialize_keras_object(again) == config
    assert again.samples == objective.samples
    if name in ("factor", "adversarial"):
        again.critic.build_for(4)
        objective.critic.build_for(4)
        again.critic.set_weights(objective.critic.get_weights())
    np.testing.assert_array_equal(again.bound(trace, STEP), objective.bound(trace, STEP))


def test_every_public_class_of_the_room_is_in_the_table():
    elsewhere = {"FreeGroups", "Codebook", "Commitment"}  # of groups and of codes: in their own files
    used = " ".join(repr(keras.saving.serialize_keras_object(build())) for build in OBJECTIVES.values())
    rooms = (objectives, penalties, kernels)
    final = [
        name
        for room in rooms
        for name, value in vars(room).items()
        if isinstance(value, type) and hasattr(value, "get_config") and "(abstract)" not in (value.__doc__ or "")
        and value.__module__.startswith("tfvae.objectives")
    ]  # fmt: skip
    assert len(final) > 20
    assert {name for name in final if f"'{name}'" not in used} == elsewhere


@pytest.mark.parametrize("room", [penalties, kernels], ids=lambda room: room.__name__)
def test_penalties_and_kernels_are_documented_with_their_source_and_an_example(room):
    for value in vars(room).values():
        if (
            isinstance(value, type)
            and value.__module__.startswith("tfvae.objectives.")
            and hasattr(value, "get_config")
        ):
            text = inspect.getdoc(value)
            if "(abstract)" not in text:
                assert re.search(r"Reference:[\s\S]+(Eq|Sec|App)\.[\s\S]+https?://", text) and ">>> " in text, value


@pytest.mark.parametrize(
    ("build", "error", "text"),
    [
        (lambda: objectives.ELBO(penalties=(3.0,)), TypeError, "objectives.penalties"),
        (lambda: objectives.ELBO(critic=3.0), TypeError, "MarginalsCritic"),
        (lambda: objectives.ELBO(-1.0), ValueError, "beta=-1.0"),
        (lambda: objectives.ELBO(capacity="25"), ValueError, "capacity='25'"),
        (lambda: objectives.ELBO(free_bits=-1.0), ValueError, "free_bits=-1.0"),
        (lambda: objectives.FreeBits(1.0, 0), ValueError, "group_size=0"),
        (lambda: objectives.Distortion(samples=0), ValueError, "samples=0"),
        (lambda: objectives.Renyi(1, 5), ValueError, r"CIWAE\(1.0, 5\)"),
        (lambda: objectives.Renyi(float("inf"), 5), ValueError, "alpha=inf"),
        (lambda: objectives.CIWAE(1.5, 5), ValueError, "beta=1.5"),
        (lambda: objectives.IWAE(0), ValueError, "samples=0"),
        (lambda: objectives.MIWAE(0, 5), ValueError, "groups=0"),
        (lambda: penalties.TotalCorrelation(1.0, 1000), TypeError, "Stratified"),
        (lambda: penalties.Stratified(1), ValueError, "examples=1"),
        (lambda: penalties.MMD(1.0, "rbf"), TypeError, "kernel='rbf'"),
        (lambda: penalties.SquaredNorm(-1.0), ValueError, "weight=-1.0"),
        (lambda: penalties.MeanCovariance(1.0, -1.0), ValueError, "diagonal=-1.0"),
        (lambda: penalties.GradientPenalty(1.0, 0), ValueError, "directions=0"),
        (lambda: kernels.RBF(0.0), ValueError, "scale=0.0"),
        (lambda: kernels.InverseMultiquadratic(1.0, ()), ValueError, "at least one"),
        (lambda: objectives.MarginalsCritic(3, keras.optimizers.Adam()), TypeError, "network=3"),
        (lambda: objectives.PriorCritic(networks.mlp(3), "adam"), TypeError, "optimizer='adam'"),
    ],
)
def test_bad_arguments_are_refused_with_what_was_expected(build, error, text):
    with pytest.raises(error, match=rf"^Expected [\s\S]+{text}"):
        build()


# Critics -------------------------------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="test")
class Squares(keras.layers.Layer):
    """All products of two elements: the features in which the ratio of two centred normals is linear."""

    def build(self, input_shape):
        self.built = True

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1] ** 2)

    def call(self, z):
        return tf.reshape(z[:, :, None] * z[:, None, :], [-1, z.shape[-1] ** 2])


def _knowing(kind, covariance, other):
    """A critic that knows log N(z | 0, covariance) - log N(z | 0, other)."""
    critic = kind(Squares(), keras.optimizers.SGD(0.1), dtype="float64")
    critic.build_for(2)
    matrix = 0.5 * (np.linalg.inv(other) - np.linalg.inv(covariance))
    constant = 0.5 * (np.linalg.slogdet(other)[1] - np.linalg.slogdet(covariance)[1])
    critic.logit.set_weights([matrix.reshape(-1, 1), np.array([constant])])
    return critic


@pytest.mark.parametrize("kind", [objectives.MarginalsCritic, objectives.PriorCritic])
def test_the_true_ratio_is_the_optimum_of_the_loss_and_gives_the_closed_form(kind, seed):
    """The gradient of the loss at the truth is zero in mean: 5 weights over 40 batches; fails by chance at 1e-5."""
    covariance = np.array([[1.5, 0.9], [0.9, 1.2]])
    other = np.diag(np.diag(covariance)) if kind is objectives.MarginalsCritic else np.eye(2)
    critic = _knowing(kind, covariance, other)
    p = priors.StandardNormal(2, dtype="float64")()
    random = np.random.default_rng(seed)
    weights = [w.value for w in critic.trainable_variables]
    best = critic.logit.get_weights()

    @tf.function(autograph=False)
    def measure(z, step):
        latents = _Latents(z, p)
        with tf.GradientTape() as tape:
            loss = critic.loss(latents, step)
        return loss, tf.reduce_mean(critic.log_ratio(z)), tape.gradient(loss, weights)

    gradients, values, better = [], [], []
    for i in range(40):
        z = tf.constant(random.multivariate_normal([0, 0], covariance, [1, 1000]))
        loss, value, gradient = measure(z, tf.constant(i))
        critic.logit.set_weights([1.5 * best[0], best[1]])
        better.append(float(measure(z, tf.constant(i))[0] - loss))
        critic.logit.set_weights(best)
        gradients.append(np.concatenate([np.ravel(g) for g in gradient]))
        values.append(float(value))
    gradients, values, better = (np.array(each) for each in (gradients, values, better))
    error = gradients.std(0, ddof=1) / np.sqrt(40)
    assert (np.abs(gradients.mean(0)) < 5 * error).all()
    assert better.mean() > 5 * better.std(ddof=1) / np.sqrt(40)
    kl = 0.5 * (np.trace(np.linalg.solve(other, covariance)) - 2)
    kl += 0.5 * (np.linalg.slogdet(other)[1] - np.linalg.slogdet(covariance)[1])
    assert abs(values.mean() - kl) < 5 * values.std(ddof=1) / np.sqrt(40)
    if kind is objectives.MarginalsCritic:
        correlation = 0.9 / np.sqrt(1.5 * 1.2)
        assert kl == pytest.approx(-0.5 * np.log(1 - correlation**2))


def test_values_of_critics_are_their_equations(trace):
    for kind in (objectives.MarginalsCritic, objectives.PriorCritic):
        critic = _critic(kind, 3.0)
        critic.build_for(4)
        ratio = critic.log_ratio(trace.z).numpy()
        d = 1 / (1 + np.exp(-ratio))
        factor_vae = np.log(d / (1 - d)).mean()  # D: the probability of q(z)
        adversarial = -np.log(1 - d).mean()  # 1 - D: the probability of the prior
        truth = factor_vae if kind is objectives.MarginalsCritic else adversarial
        assert float(critic.value(trace, STEP)) == pytest.approx(3.0 * truth, rel=1e-5)
        bound = objectives.ELBO(critic=critic).bound(trace, STEP)
        np.testing.assert_allclose(objectives.ELBO().bound(trace, STEP) - bound, np.full(50, 3.0 * truth), rtol=1e-5)


def test_permutation_keeps_marginals_and_breaks_pairs():
    z = np.random.default_rng(0).normal(size=[200, 1]) + np.array([0.0, 10.0, 20.0])
    mixed = permuted(tf.constant(z), as_seed(5)).numpy()
    np.testing.assert_array_equal(np.sort(mixed, 0), np.sort(z, 0))
    correlation = np.abs(np.corrcoef(mixed.T) - np.eye(3)).max()
    assert correlation < 5 / np.sqrt(200)
    again, other = (permuted(tf.constant(z), as_seed(s)).numpy() for s in (5, 6))
    np.testing.assert_array_equal(mixed, again)
    assert (mixed != other).mean() > 0.9


def test_permutations_are_uniform(seed):
    """Where the first of five goes, over 2000 permutations: chi^2 with 4 degrees; above 30 with probability 5e-6."""
    places = np.argmin(permuted(tf.tile(tf.range(5.0)[:, None], [1, 2000]), as_seed(seed % 1000)), 0)
    counts = np.bincount(places, minlength=5)
    assert ((counts - 400.0) ** 2 / 400.0).sum() < 30


def test_the_bound_reaches_z_through_the_critic_and_the_loss_does_not():
    p = priors.StandardNormal(4)()
    for kind in (objectives.MarginalsCritic, objectives.PriorCritic):
        critic = _critic(kind)
        critic.build_for(4)
        z = tf.Variable(np.random.default_rng(0).normal(size=[1, 9, 4]), dtype=tf.float32)
        with tf.GradientTape(persistent=True) as tape:
            latents = _Latents(z, p)
            value, loss = critic.value(latents, STEP), critic.loss(latents, STEP)
        assert np.abs(tape.gradient(value, z)).max() > 0 and tape.gradient(loss, z) is None
        assert all(g is not None for g in tape.gradient(loss, [w.value for w in critic.trainable_variables]))


def test_a_model_and_its_critic_train_apart_and_are_saved_together(tmp_path):
    keras.utils.set_random_seed(0)
    encoder = tfvae.Encoder(networks.mlp(8), heads.DiagonalNormal(3))
    decoder = tfvae.Decoder(networks.mlp(8), heads.Normal(5, 0.5))
    model = tfvae.VAE(encoder, decoder, priors.StandardNormal(3), OBJECTIVES["factor"](), seed=1)
    assert model.critic.trainable_variables
    assert not {id(v) for v in model.critic.trainable_variables} & {id(v) for v in model.trained_variables}
    x = np.random.default_rng(0).normal(size=[64, 5]).astype("float32")
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    before = [w.numpy() for w in model.critic.trainable_variables]
    model.fit(x, batch_size=32, epochs=1, verbose=0)
    assert all((w.numpy() != old).any() for w, old in zip(model.critic.trainable_variables, before, strict=True))
    assert int(model.critic.optimizer.iterations) == 2
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    for each in (model, loaded):
        each.fit(x, batch_size=32, epochs=1, verbose=0)  # goes on alike only if the critic's optimizer was saved too
    pairs = zip(
        [*model.weights, *model.critic.optimizer.variables],
        [*loaded.weights, *loaded.critic.optimizer.variables],
        strict=True,
    )
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours, theirs)


def test_a_critic_that_trains_finds_the_total_correlation(seed):
    """The closed form within a tenth, from a critic that has to learn it."""
    keras.utils.set_random_seed(seed % 1000)
    covariance = np.array([[1.0, 0.8], [0.8, 1.0]])
    critic = objectives.MarginalsCritic(Squares(), keras.optimizers.Adam(0.05))
    critic.build_for(2)
    random, p = np.random.default_rng(seed), priors.StandardNormal(2)()

    @tf.function(autograph=False)
    def train(z, step):
        with tf.GradientTape() as tape:
            loss = critic.loss(_Latents(z, p), step)
        weights = critic.trainable_variables
        critic.optimizer.apply(tape.gradient(loss, [w.value for w in weights]), weights)

    for step in range(150):
        train(tf.constant(random.multivariate_normal([0, 0], covariance, [1, 512]), tf.float32), tf.constant(step))
    z = tf.constant(random.multivariate_normal([0, 0], covariance, [1, 20000]), tf.float32)
    assert float(critic.value(_Latents(z, p), STEP)) == pytest.approx(-0.5 * np.log(1 - 0.64), abs=0.06)


# XLA -----------------------------------------------------------------------------------------------------------------


def test_xla_compiles_every_objective_with_its_gradient():
    """One compilation for all; the numbers are those of eager execution."""
    case = linear_gaussian(2, 3, widen=1.4, shift=0.3, n=6)
    made = {name: build() for name, build in OBJECTIVES.items()}
    for objective in made.values():
        objective.critic.build_for(2)
    weights = [w.value for w in case.model.trainable_variables]

    def everything(x, step):
        with tf.GradientTape(persistent=True) as tape:
            traces = {name: case.model.trace(x, 6, 3) for name in ("dreg", "all")}  # its link is for one of them alone
            found = {}
            for name, objective in made.items():
                trace = traces["dreg" if name == "dreg" else "all"]
                found[name] = [objective.bound(trace, step), objective.critic.loss(trace, step)]
        for values in found.values():
            values += tape.gradient(values[0], weights, unconnected_gradients="zero")
        return found

    x = tf.constant(case.x)
    compiled, eager = tf.function(everything, jit_compile=True, autograph=False)(x, STEP), everything(x, STEP)
    for name, values in eager.items():
        for ours, theirs in zip(compiled[name], values, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-3, err_msg=name)
