"""Latents in groups: against linear-Gaussian hierarchies, whose evidence and posterior are known, and the plain VAE."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import multivariate_normal
from tensorflow_probability import distributions as tfd

import tfvae
from tfvae import evaluation, heads, networks, objectives, priors, zoo
from tfvae.distributions import Chain, centre
from tfvae.errors import IncompatibleParts
from tfvae.heads.scales import SCALE_FLOOR
from tfvae.models import BottomUp, Ladder, TopDown
from tfvae.random import Seed, as_seed, draw, draw_and_score

SHAPE = (8, 8, 1)


def normal(size, *units, part=tfvae.Conditional):
    return part(networks.mlp(*units), heads.DiagonalNormal(size))


def raw(scale):
    """What a head makes a scale of: softplus(raw + c) + floor, and the scale 1 of raw = 0."""
    return np.log(np.expm1(scale - SCALE_FLOOR)) - np.log(np.e - 1)


def linear(part, weights, bias, scale):
    """Set a diagonal normal without hidden layers to N(W z + b, scale^2)."""
    part.head.projection.linear.set_weights([
        np.concatenate([weights.T, np.zeros_like(weights.T)], 1),
        np.concatenate([bias, raw(np.broadcast_to(scale, bias.shape))]),
    ])  # fmt: skip


class Hierarchical:
    """z_2 ~ N(0, I), z_1 = A z_2 + a + s e, x = W z_1 + b + t e, W with orthogonal columns; data and the truth."""

    s, t = 0.8, 0.6

    def __init__(self, seed=0, n=120):
        rng = np.random.default_rng(seed)
        self.a, self.A = rng.normal(size=3), rng.normal(size=[3, 2])
        self.W, self.b = np.linalg.qr(rng.normal(size=[5, 3]))[0] * rng.uniform(0.5, 2.0, 3), rng.normal(size=5)
        own = self.A @ self.A.T + self.s**2 * np.eye(3)  # covariance of z_1
        mean, covariance = self.W @ self.a + self.b, self.W @ own @ self.W.T + self.t**2 * np.eye(5)
        self.x = rng.multivariate_normal(mean, covariance, n).astype("float32")
        self.log_px = multivariate_normal(mean, covariance).logpdf(self.x)
        # p(z_2 | x), which has a full covariance, and what x says of z_1: N(z_1 | G (x - b), t^2 / |w|^2)
        noise = self.W @ self.W.T * self.s**2 + self.t**2 * np.eye(5)
        load = self.W @ self.A
        self.top = np.linalg.inv(np.eye(2) + load.T @ np.linalg.solve(noise, load))
        self.top_gain = self.top @ load.T @ np.linalg.inv(noise)
        self.gain = self.W.T / np.sum(self.W**2, 0)[:, None]
        self.mean = mean

    def model(self, encoder_of, samples=1):
        below, decoder = normal(3, part=tfvae.Decoder), tfvae.Decoder(
            keras.Sequential([networks.Last(3), *networks.mlp().layers]), heads.Normal(5, self.t)
        )  # fmt: skip
        prior = priors.Hierarchy(priors.StandardNormal(2), [below])
        model = tfvae.LadderVAE(encoder_of(prior), decoder, prior, objectives.ELBO(samples=samples), seed=0)
        linear(below, self.A, self.a, self.s)
        decoder.head.projection.linear.set_weights([self.W.T, self.b])
        return model

    def ladder(self, widen=1.0):
        """q(z_1 | z_2, x) is the true one; q(z_2 | x) has its mean and, times `widen`, the scales of a mean field."""
        model = self.model(lambda prior: Ladder([networks.mlp(), networks.mlp()], [normal(2), normal(3)], prior))
        top, lower = model.encoder.parts
        scale = widen / np.sqrt(np.diag(np.linalg.inv(self.top)))
        linear(top, self.top_gain, -self.top_gain @ self.mean, scale)
        linear(lower, self.gain, -self.gain @ self.b, self.t / np.sqrt(np.sum(self.W**2, 0)))
        divergence = tfd.kl_divergence(
            tfd.MultivariateNormalDiag(np.zeros(2), scale),
            tfd.MultivariateNormalTriL(np.zeros(2), np.linalg.cholesky(self.top)),
        )
        return model, float(divergence)


@pytest.fixture(scope="module")
def truth():
    return Hierarchical()


# Against the truth ---------------------------------------------------------------------------------------------------


def test_the_ladders_bound_is_the_evidence_less_the_divergence_of_the_top(truth):
    """Weighing precisions gives the true p(z_1 | z_2, x), so that only q(z_2 | x) is to blame."""
    for widen in (1.0, 1.5):
        model, divergence = truth.ladder(widen)
        trace = model.trace(tf.constant(truth.x), 4000, seed=1)
        error = trace.log_weights.numpy().std(0) / np.sqrt(4000)  # [n]
        gap = truth.log_px - trace.log_weights.numpy().mean(0) - divergence
        assert np.abs(gap / error).max() < 5 and abs(np.mean(gap / error)) < 5 / np.sqrt(len(gap))
        np.testing.assert_allclose(tf.reduce_mean(trace.elbo), np.mean(truth.log_px) - divergence, atol=0.02)


def test_importance_sampling_finds_the_evidence_of_two_levels(truth):
    climbing = truth.model(lambda prior: BottomUp([normal(3), normal(2)]))
    lower, upper = climbing.encoder.parts
    own = truth.A @ truth.A.T + truth.s**2 * np.eye(3)
    covariance = np.linalg.inv(np.linalg.inv(own) + truth.W.T @ truth.W / truth.t**2)
    gain = covariance @ truth.W.T / truth.t**2
    linear(lower, gain, truth.a - gain @ truth.mean, 1.2 * np.sqrt(np.diag(covariance)))
    up = truth.A.T @ np.linalg.inv(own)
    linear(upper, up, -up @ truth.a, 1.2 * np.sqrt(np.diag(np.eye(2) - up @ truth.A)))
    descending = truth.model(lambda prior: TopDown([networks.mlp(), networks.mlp()], [normal(2), normal(3)]))
    top, below = descending.encoder.parts
    linear(top, truth.top_gain, -truth.top_gain @ truth.mean, 1.2 * np.sqrt(np.diag(truth.top)))
    narrow = 1 / (1 / truth.s**2 + np.sum(truth.W**2, 0) / truth.t**2)  # of p(z_1 | z_2, x), which is diagonal
    both = np.concatenate([narrow[:, None] * truth.A / truth.s**2, narrow[:, None] * truth.W.T / truth.t**2], 1)
    linear(below, both, narrow * (truth.a / truth.s**2 - truth.W.T @ truth.b / truth.t**2), 1.2 * np.sqrt(narrow))
    for model in (climbing, descending, truth.ladder(1.5)[0]):
        found = evaluation.log_evidence(model, truth.x, samples=2000, seed=1, progress=False)
        assert found.mean == pytest.approx(np.mean(truth.log_px), abs=4 * found.monte_carlo_error + found.bias)
        assert found.monte_carlo_error < 0.01
        single = evaluation.elbo(model, truth.x, samples=50, progress=False)
        assert single.elbo < found.mean


def test_the_rate_of_each_group_is_its_mean_log_ratio(truth):
    model, _ = truth.ladder(1.5)
    trace = model.trace(tf.constant(truth.x[:20]), 4000, seed=3)
    q, p = trace.q.log_probs(trace.z), trace.p.log_probs(trace.z)
    assert all(model.exact_rates)
    for rate, own, prior in zip(trace.rates, q, p, strict=True):
        ratio = (own - prior).numpy()  # [S, B]
        assert np.abs((rate.numpy() - ratio.mean(0)) / (ratio.std(0) / np.sqrt(4000))).max() < 5
    np.testing.assert_allclose(tf.add_n(trace.rates), trace.rate, rtol=1e-6)
    np.testing.assert_allclose(tf.add_n(q), trace.log_qz, rtol=1e-4, atol=1e-3)


# A chain -------------------------------------------------------------------------------------------------------------


def walk(places):
    """z_a ~ N(1, I) in two dimensions, z_b ~ N(M z_a, 4) in one, and their joint covariance in order of drawing."""
    m = tf.constant([[0.5, -2.0]])
    chain = Chain([
        lambda _: tfd.MultivariateNormalDiag(tf.ones([2]), tf.ones([2])),
        lambda drawn: tfd.MultivariateNormalDiag(tf.linalg.matvec(m, drawn[-1]), [2.0]),
    ], [2, 1], places)  # fmt: skip
    load = np.concatenate([np.eye(2), m.numpy()])
    mean, covariance = load @ np.ones(2), load @ load.T + np.diag([0, 0, 4.0])
    order = [0, 1, 2] if places == [0, 1] else [2, 0, 1]
    return chain, mean[order], covariance[np.ix_(order, order)]


@pytest.mark.parametrize("places", [[0, 1], [1, 0]])
def test_a_chain_of_normals_is_a_normal(places):
    chain, mean, covariance = walk(places)
    z = np.random.default_rng(0).normal(size=[50, 3]).astype("float32")
    np.testing.assert_allclose(chain.log_prob(z), multivariate_normal(mean, covariance).logpdf(z), rtol=1e-4)
    for drawn in (draw(chain, 20_000, as_seed(1)).numpy(), chain.sample(20_000, seed=1).numpy()):
        assert np.abs((drawn.mean(0) - mean) / np.sqrt(np.diag(covariance) / 20_000)).max() < 4
        np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.25)
    assert centre(chain).numpy() == pytest.approx(mean)


def test_draws_of_a_chain_depend_on_their_own_place_alone(truth):
    model, _ = truth.ladder()
    q = model.encoder(tf.constant(truth.x[:7]))
    z, log_q = draw_and_score(q, 6, as_seed(4))
    np.testing.assert_array_equal(draw(q, 6, as_seed(4)), z)
    np.testing.assert_allclose(q.log_prob(z), log_q, rtol=1e-4, atol=1e-4)
    later = draw(q, 2, Seed(as_seed(4).words, sample=4))
    np.testing.assert_allclose(later, z[4:], rtol=1e-5, atol=1e-6)
    some = draw(model.encoder(tf.constant(truth.x[3:7])), 6, Seed(as_seed(4).words, example=3))
    np.testing.assert_allclose(some, z[:, 3:], rtol=1e-5, atol=1e-6)
    groups = q.split(z)
    assert abs(np.corrcoef(groups[0].numpy().ravel(), groups[1].numpy()[..., :2].ravel())[0, 1]) < 0.9  # own noise each


# Limits --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bottom up", "top down", "ladder"])
def test_one_group_is_the_vae(kind):
    x = np.random.default_rng(0).integers(0, 2, [20, *SHAPE]).astype("float32")
    decoder, prior = tfvae.Decoder(networks.mlp(8), heads.Bernoulli(SHAPE)), priors.StandardNormal(3)
    network, head = networks.mlp(8), heads.DiagonalNormal(3)
    plain = tfvae.VAE(tfvae.Encoder(network, head), decoder, prior, seed=0)
    hierarchy, part = priors.Hierarchy(prior, []), tfvae.Conditional(networks.mlp(), head)
    encoder = {
        "bottom up": lambda: BottomUp([tfvae.Encoder(network, head)]),
        "top down": lambda: TopDown([network], [part]),
        "ladder": lambda: Ladder([network], [part], hierarchy),
    }[kind]()
    model = tfvae.LadderVAE(encoder, decoder, hierarchy, seed=0)
    one, other = (m.trace(tf.constant(x), 3, seed=5) for m in (plain, model))
    for name in ("z", "log_px", "log_pz", "log_qz", "rate", "elbo"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-6, atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(plain.sample(4, seed=1), model.sample(4, seed=1))
    np.testing.assert_allclose(plain.embed(x), model.embed(x), rtol=1e-6)
    found = [evaluation.log_evidence(m, x, samples=20, progress=False).per_example for m in (plain, model)]
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_a_ladder_without_evidence_is_the_prior(truth):
    """Where x says nothing, q(z_1 | z_2, x) is p(z_1 | z_2), and has no rate."""
    model, _ = truth.ladder()
    linear(model.encoder.parts[1], 0 * truth.gain, np.zeros(3), 300.0)
    assert np.abs(model.trace(tf.constant(truth.x), 1, 0).rates[1]).max() < 1e-3


# Training ------------------------------------------------------------------------------------------------------------


def test_reports_the_rate_of_each_group(truth):
    model, _ = truth.ladder(1.5)
    model.compile(keras.optimizers.Adam(1e-4))
    history = model.fit(truth.x, epochs=1, batch_size=40, verbose=0).history
    assert history["rate"][0] == pytest.approx(history["rate_1"][0] + history["rate_2"][0], rel=1e-5)
    seen = model.evaluate(truth.x, batch_size=40, verbose=0, return_dict=True)
    assert {"loss", "elbo", "rate", "distortion", "rate_1", "rate_2"} <= seen.keys()
    assert "rate_1" not in zoo.vae(SHAPE, 2).metrics_names


def test_free_groups_pay_the_floor_or_their_rate(truth):
    model, _ = truth.ladder(1.5)
    trace, step = model.trace(tf.constant(truth.x), 2, 0), tf.constant(0)
    means = [float(tf.reduce_mean(rate)) for rate in trace.rates]
    off = objectives.ELBO(free_bits=objectives.FreeGroups(0.0)).bound(trace, step)
    np.testing.assert_allclose(off, objectives.ELBO().bound(trace, step), rtol=1e-6)
    objective = objectives.ELBO(free_bits=objectives.FreeGroups(objectives.schedules.Linear(10, 0.0, max(means) + 1.0)))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
    np.testing.assert_array_equal(again.bound(trace, tf.constant(10)), objective.bound(trace, tf.constant(10)))
    assert not np.allclose(objective.bound(trace, tf.constant(10)), off)
    for floor in (min(means) + 0.1, max(means) + 1.0):
        bound = objectives.ELBO(free_bits=objectives.FreeGroups(floor)).bound(trace, step)
        paid = sum(max(floor, mean) for mean in means)
        assert float(tf.reduce_mean(bound)) == pytest.approx(float(-tf.reduce_mean(trace.distortion)) - paid, rel=1e-5)


def test_what_is_shared_is_shared_again_when_loaded(tmp_path):
    ladder, mixed = zoo.ladder(SHAPE, 4, units=(16, 8)), zoo.hvae_vamp(SHAPE, 3, units=(16,), components=2)
    loaded = []
    for model in (ladder, mixed):
        model.save(tmp_path / "m.keras")
        loaded.append(keras.models.load_model(tmp_path / "m.keras"))
        assert len(loaded[-1].trainable_variables) == len(model.trainable_variables)
    assert loaded[0].encoder.prior is loaded[0].prior
    assert loaded[1].prior.top.encoder.head is loaded[1].encoder.parts[0].head
    assert mixed.prior.top.encoder.head is mixed.encoder.parts[0].head
    config = zoo.vae(SHAPE, 2).get_config()
    assert "shared_object_id" not in str(config)


# Errors --------------------------------------------------------------------------------------------------------------


def parts(*sizes):
    return [normal(size, 8) for size in sizes]


def hierarchy(*sizes):
    return priors.Hierarchy(
        priors.StandardNormal(sizes[0]), [normal(size, 8, part=tfvae.Decoder) for size in sizes[1:]]
    )


ELBO = objectives.ELBO()


def two(encoder, prior=None, objective=ELBO):
    decoder = tfvae.Decoder(networks.mlp(8), heads.Bernoulli(SHAPE))
    return tfvae.LadderVAE(encoder, decoder, hierarchy(2, 4) if prior is None else prior, objective)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: two(tfvae.Encoder(networks.mlp(8), heads.DiagonalNormal(6))), "same groups.*without groups"),
        (lambda: two(BottomUp(parts(4, 2)), priors.StandardNormal(6)), "prior StandardNormal without groups"),
        (lambda: two(BottomUp(parts(2, 4))), r"BottomUp of groups \[4, 2\], prior Hierarchy of groups \[2, 4\]"),
        (lambda: two(BottomUp([tfvae.Encoder(networks.mlp(8), heads.Laplace(4)), *parts(2)])), "heads.DiagonalNormal"),
        (lambda: two(TopDown([networks.mlp(8)], parts(2, 4))), "a Keras network for each group.*2 parts"),
        (lambda: two(TopDown(["mlp", networks.mlp(8)], parts(2, 4))), "a Keras network for each group"),
        (lambda: Ladder([networks.mlp(8)] * 2, parts(2, 4), priors.StandardNormal(6)), "priors.Hierarchy of 2 groups"),
        (lambda: two(Ladder([networks.mlp(8), networks.mlp(8)], parts(2, 3), hierarchy(2, 4))), r"lengths \[2, 4\]"),
        (lambda: priors.Hierarchy("normal", []), "the top to be a prior"),
        (lambda: priors.Hierarchy(priors.StandardNormal(2), [networks.mlp(4)]), r"below\[0\] to be a tfvae.Cond"),
        (lambda: two(BottomUp(parts(4, 2)), objective=objectives.STL()), "objective STL"),
        (lambda: two(BottomUp(parts(4, 2)), objective=objectives.ELBO(free_bits=0.1)), "objectives.FreeGroups"),
        (lambda: tfvae.VAE(
            normal(3, 8), tfvae.Decoder(networks.mlp(8), heads.Bernoulli(SHAPE)), priors.StandardNormal(3),
            objectives.ELBO(free_bits=objectives.FreeGroups(0.1))), "a tfvae.LadderVAE; use FreeBits"),
    ],
)  # fmt: skip
def test_refuses_parts_that_do_not_fit(make, message):
    with pytest.raises(IncompatibleParts, match=message):
        make()


def test_refuses_bad_arguments():
    with pytest.raises(ValueError, match="nats"):
        objectives.FreeGroups(-1.0)
    with pytest.raises(ValueError, match="vectors of length 4 or more"):
        networks.Last(4)(np.zeros([1, 3]))
    with pytest.raises(ValueError, match="a size and a place for each"):
        Chain([lambda _: tfd.MultivariateNormalDiag([0.0])], [1], [1])
    odd = Chain([lambda _: tfd.MultivariateNormalDiag([0.0]), lambda _: tfd.Independent(tfd.Laplace([0.0], 1.0))],
                [1, 1], [0, 1])  # fmt: skip
    with pytest.raises(IncompatibleParts, match="every group but the first"):
        draw(odd, 2, as_seed(0))


def test_parts_may_be_built_again():
    for encoder in (BottomUp(parts(4, 2)), TopDown([networks.mlp(8), networks.mlp(8)], parts(2, 4))):
        encoder.build((None, *SHAPE))
        encoder.build((None, *SHAPE))
        assert encoder(np.zeros([1, *SHAPE], "float32")).event_shape == (6,)


def test_another_prior_keeps_the_dtype():
    encoder = tfvae.Encoder(networks.mlp(8), heads.DiagonalNormal(2, dtype="float64"), dtype="float64")
    decoder = tfvae.Decoder(networks.mlp(8), heads.Bernoulli(SHAPE, dtype="float64"), dtype="float64")
    model = tfvae.VAE(encoder, decoder, priors.StandardNormal(2, dtype="float64"), dtype="float64")
    assert model.with_prior(priors.Mixture(2, 3, dtype="float64")).variable_dtype == "float64"


def test_layers_that_act_otherwise_in_training_are_refused_in_a_prior():
    network = keras.Sequential([keras.layers.Dense(8), keras.layers.Dropout(0.5)])
    prior = priors.Hierarchy(priors.StandardNormal(2), [tfvae.Decoder(network, heads.DiagonalNormal(4))])
    parts = [tfvae.Encoder(networks.mlp(8), heads.DiagonalNormal(size)) for size in (4, 2)]
    decoder = tfvae.Decoder(keras.Sequential([networks.Last(4), *networks.mlp(8).layers]), heads.Bernoulli(SHAPE))
    with pytest.raises(IncompatibleParts, match="Dropout"):
        tfvae.LadderVAE(BottomUp(parts), decoder, prior)
