"""Latents along one way down: against the work done again for each group, and linear models whose truth is known."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import multivariate_normal
from test_ladder import linear, normal

import tfvae
from tfvae import evaluation, heads, networks, objectives, priors, zoo
from tfvae.distributions import Chain, centre
from tfvae.errors import IncompatibleParts
from tfvae.models import Guided, LastState
from tfvae.random import as_seed, draw, draw_and_score

SHAPE = (8, 8, 1)
SIZES, WORDS = [2, 3, 1, 4], (1, 2)


def descent(sizes=SIZES, width=5, units=(6,)):
    below = [normal(size, *units) for size in sizes[1:]]
    inward = [networks.mlp(width, activation="tanh") for _ in sizes]
    blocks = [networks.mlp(width, activation="tanh") for _ in sizes[1:]]
    return priors.Descent(priors.StandardNormal(sizes[0]), below, inward, blocks)


def guided(prior, width=5):
    ways = [networks.mlp(width, activation="tanh") for _ in prior.sizes]
    return Guided(ways, [normal(size, 6) for size in prior.sizes], prior)


@pytest.fixture(scope="module")
def prior():
    keras.utils.set_random_seed(0)
    return descent()


X = np.random.default_rng(0).integers(0, 2, [7, *SHAPE]).astype("float32")


# The state that is carried --------------------------------------------------------------------------------------------


def anew(chain, given):
    """The same chain, whose conditionals go down from the top again, given all that is drawn."""

    def of(number):
        def conditional(drawn):
            state = None
            for each, z in enumerate(drawn):
                state = chain.follow(state, z, each)
            return given[number](state)

        return conditional

    return Chain([of(number) for number in range(len(given))], chain.lengths, chain.places)


@pytest.mark.parametrize("kind", ["prior", "posterior"])
def test_a_carried_state_is_the_one_made_anew(kind, prior):
    chain = prior() if kind == "prior" else guided(prior)(X)
    slow = anew(chain, chain.conditionals)
    seed = as_seed(3)
    z, score = draw_and_score(chain, 4, seed)
    for one, other in (
        (z, draw(slow, 4, seed)), (centre(chain), centre(slow)), (chain.log_prob(z), slow.log_prob(z)),
        (score, chain.log_prob(z)), (chain.sample(4, seed=WORDS), slow.sample(4, seed=WORDS)),
    ):  # fmt: skip
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=1e-5)
    for one, other in zip(chain.log_probs(z), slow.log_probs(z), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("groups", [3, 6])
def test_the_work_grows_with_the_number_of_groups(groups):
    seen, made = [], descent([2] * groups)
    chain = made()

    def follow(*arguments):
        seen.append(arguments[-1])
        return made.follow(*arguments)

    counted = Chain(chain.conditionals, chain.lengths, chain.places, state=None, follow=follow)
    counted.log_prob(np.zeros([1, 2 * groups], "float32"))
    assert seen == [*range(groups - 1)]  # once for each group but the lowest


# A truth -----------------------------------------------------------------------------------------------------------


class Line:
    """h_2 = G z_3, z_2 ~ N(A h_2, s^2), h_1 = h_2 + G z_2, z_1 ~ N(B h_1, s^2), h_0 = h_1 + G z_1, x ~ N(h_0, t^2)."""

    s, t = 0.7, 0.5

    def __init__(self):
        rng = np.random.default_rng(1)
        self.g, (self.a, self.b) = [rng.normal(size=[3, 2]) for _ in range(3)], rng.normal(size=[2, 2, 3])
        below, inward = [normal(2), normal(2)], [keras.layers.Dense(3) for _ in range(3)]
        self.prior = priors.Descent(priors.StandardNormal(2), below, inward, [networks.mlp(), networks.mlp()])
        for part, weights in zip(below, (self.a, self.b), strict=True):
            linear(part, weights, np.zeros(2), self.s)
        for layer, weights in zip(inward, self.g, strict=True):
            layer.set_weights([weights.T, np.zeros(3)])
        eye = np.eye(6)
        top = eye[:2]  # what each group makes of all the noise there is, [2, 6]
        middle = self.a @ self.g[0] @ top + self.s * eye[2:4]
        low = self.b @ (self.g[0] @ top + self.g[1] @ middle) + self.s * eye[4:]
        self.z = np.concatenate([top, middle, low])
        self.h = sum(g @ z for g, z in zip(self.g, (top, middle, low), strict=True))

    def model(self):
        keras.utils.set_random_seed(0)
        network = keras.Sequential([LastState(self.prior)])
        decoder = tfvae.Decoder(network, heads.Normal(3, self.t))
        encoder = Guided([networks.mlp(), networks.mlp(), networks.mlp()], [normal(2) for _ in range(3)], self.prior)
        model = tfvae.LadderVAE(encoder, decoder, self.prior, objectives.ELBO(samples=4), seed=0)
        decoder.head.projection.linear.set_weights([np.eye(3), np.zeros(3)])
        return model


@pytest.fixture(scope="module")
def line():
    return Line()


def test_a_linear_descent_is_a_normal(line):
    z, p = np.random.default_rng(0).normal(size=[40, 6]).astype("float32"), line.prior()
    covariance = line.z @ line.z.T
    np.testing.assert_allclose(p.log_prob(z), multivariate_normal(np.zeros(6), covariance).logpdf(z), rtol=1e-4)
    np.testing.assert_allclose(line.prior.last(z), z @ np.concatenate([g.T for g in line.g]), rtol=1e-4, atol=1e-5)
    drawn = draw(p, 20_000, as_seed(0)).numpy()
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.06 * covariance.max())


def test_its_evidence_is_that_of_the_truth(line):
    """Of a linear model whose posterior is trained; z-test of the estimate, and the ELBO below the evidence."""
    model, covariance = line.model(), line.h @ line.h.T + line.t**2 * np.eye(3)
    x = np.random.default_rng(2).multivariate_normal(np.zeros(3), covariance, 256).astype("float32")
    optimizer, bound = keras.optimizers.Adam(0.02), objectives.IWAE(20)  # whose posterior is no narrower than the truth
    trained = [weight for part in model.encoder.parts for weight in part.trainable_variables]
    optimizer.build(trained)

    @tf.function
    def step(number):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(bound.bound(model.trace(x, 20, tf.stack([number, 0])), number))
        optimizer.apply(tape.gradient(loss, [weight.value for weight in trained]), trained)
        return loss

    for number in range(400):
        step(tf.constant(number))
    truth = multivariate_normal(np.zeros(3), covariance).logpdf(x)
    found = evaluation.log_evidence(model, x, 500, progress=False)
    assert abs(found.mean - truth.mean()) < 4 * found.monte_carlo_error + 2 * found.bias + 1e-3
    elbo = float(tf.reduce_mean(model.trace(tf.constant(x), 100, 7).elbo))
    assert elbo < truth.mean()


def test_one_group_is_the_vae():
    network, head, decoder = (
        networks.mlp(8),
        heads.DiagonalNormal(3),
        tfvae.Decoder(networks.mlp(8), heads.Bernoulli(SHAPE)),
    )
    top = priors.StandardNormal(3)
    single = priors.Descent(top, [], [networks.mlp(4)], [])
    plain = tfvae.VAE(tfvae.Encoder(network, head), decoder, top, seed=0)
    model = tfvae.LadderVAE(
        Guided([network], [tfvae.Conditional(networks.mlp(), head)], single), decoder, single, seed=0
    )
    one, other = (m.trace(tf.constant(X), 3, seed=5) for m in (plain, model))
    for name in ("z", "log_px", "log_pz", "log_qz", "rate", "elbo"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-6, atol=1e-6, err_msg=name)


# The paper's model -------------------------------------------------------------------------------------------------


def test_grids_halve_down_to_one_place():
    assert zoo.very_deep((28, 28, 1), 1).group_sizes == (1, 1, 16, 16, 16, 49, 49, 49, 196, 196)
    assert zoo.very_deep((9, 6, 1), 2, units=(4, 4, 8), groups=(1, 1, 2)).group_sizes == (2, 2, 12, 30)
    model = zoo.very_deep(SHAPE, 2, units=(4,), groups=(2,), likelihood=heads.Normal(SHAPE))
    assert model.group_sizes == (2, 2) and model.sample(3).shape == (3, *SHAPE)


def test_it_begins_near_its_prior_and_shares_the_way_when_loaded(tmp_path):
    model = zoo.very_deep(SHAPE, 2, units=(8, 8), groups=(1, 2), seed=0)
    trace = model.trace(tf.constant(X), 20, 0)
    assert model.exact_rates == [True] * 3 and max(float(tf.reduce_mean(rate)) for rate in trace.rates) < 1.0
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.encoder.prior is loaded.prior is loaded.decoder.network.layers[0].prior
    assert len(loaded.trainable_variables) == len(model.trainable_variables)


def test_a_pseudo_input_may_stand_at_the_top():
    """A prior that is fixed for an export keeps the way down, so that its numbers are the same."""
    top, width = tfvae.Encoder(networks.mlp(8), heads.DiagonalNormal(2)), 5
    vamp = priors.VampPrior(top, 3, SHAPE)
    made = priors.Descent(vamp, [normal(3)], [networks.mlp(width), networks.mlp(width)], [networks.mlp(width)])
    fixed = made.fixed()
    z = np.random.default_rng(0).normal(size=[4, 5]).astype("float32")
    assert fixed is not made and fixed.below[0] is made.below[0] and descent().fixed().sizes == SIZES
    np.testing.assert_allclose(fixed().log_prob(z), made().log_prob(z), rtol=1e-5)


# Its parts -----------------------------------------------------------------------------------------------------------


def test_a_normal_on_a_grid_has_one_map_for_all_places():
    head, h = heads.GridNormal((2, 3, 2)), np.random.default_rng(0).normal(size=[5, 4, 2, 3, 6]).astype("float32")
    begin = head(h[0])
    assert begin.event_shape == 12 and begin.batch_shape == 4
    assert np.abs(begin.mean()).max() < 0.5 and np.abs(begin.stddev() - 1.0).max() < 0.4
    kernel = np.random.default_rng(1).normal(size=[6, 4]).astype("float32")
    head.projection.linear.set_weights([kernel, np.ones(4)])
    dense = heads.DiagonalNormal(2)
    dense(np.zeros([1, 6], "float32"))
    dense.projection.linear.set_weights([kernel, np.ones(4)])
    q = tfvae.Conditional(keras.layers.Identity(), head)
    q.build((None, 2, 3, 6))
    found, places = q(tf.constant(h)), dense(h.reshape(-1, 6))
    for name in ("mean", "stddev"):
        expected = getattr(places, name)().numpy().reshape(5, 4, 12)
        np.testing.assert_allclose(getattr(found, name)(), expected, rtol=1e-5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(head))
    assert again.shape == (2, 3, 2) and again.event_shape == (12,)


def test_a_residual_network_adds_to_what_it_is_given():
    x = np.random.default_rng(0).normal(size=[2, 4, 4, 6]).astype("float32")
    layer = networks.bottleneck(6, 2, activation="tanh", depth=4)
    np.testing.assert_allclose(layer(x), x + layer.network(x), rtol=1e-6)
    assert layer.compute_output_shape((None, 4, 4, 6)) == (None, 4, 4, 6)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    again.build(x.shape)
    again.set_weights(layer.get_weights())
    np.testing.assert_allclose(again(x), layer(x), rtol=1e-6)
    spread = [np.std(networks.bottleneck(64, 16, depth=d)(np.tile(x, [1, 1, 1, 11])[..., :64]).numpy()
              - np.tile(x, [1, 1, 1, 11])[..., :64]) for d in (1, 100)]  # fmt: skip
    assert spread[1] == pytest.approx(spread[0] / 10, rel=0.5)
    dropping = networks.Residual(keras.layers.Dropout(0.5, seed=0))
    assert np.array_equal(dropping(x), 2 * x) and not np.array_equal(dropping(x, training=True), 2 * x)


def test_features_stand_beside_the_state_of_every_sample():
    from tfvae.models.guided import beside

    h, a = np.random.default_rng(0).normal(size=[2, 5, 3, 2, 2, 4]).astype("float32"), np.ones([3, 2, 2, 1], "float32")
    for state in (h[0, 0], h[0], h):
        found = beside(tf.constant(state), tf.constant(a) * tf.range(3.0)[:, None, None, None])
        expected = np.concatenate(
            [state, np.broadcast_to(np.arange(3)[:, None, None, None], (*state.shape[:-1], 1))], -1
        )
        np.testing.assert_array_equal(found, expected)


def ways(*sizes):
    return [networks.mlp(5) for _ in sizes]


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: priors.Descent("normal", [], ways(1), []), IncompatibleParts, "the top to be a prior"),
    (lambda: priors.Descent(priors.StandardNormal(2), [normal(2)], ways(1), ways(1)), IncompatibleParts,
     "1 below, 1 inward, 1 blocks"),
    (lambda: priors.Descent(priors.StandardNormal(2), [], ["mlp"], []), IncompatibleParts, "Expected Keras networks"),
    (lambda: priors.Descent(priors.StandardNormal(2), [networks.mlp(4)], ways(1, 2), ways(1)), IncompatibleParts,
     r"below\[0\] to be a tfvae.Cond.*heads.GridNormal"),
    (lambda: priors.Descent(priors.StandardNormal(2), [normal(2)], [networks.mlp(5), networks.mlp(4)], ways(1)),
     IncompatibleParts, r"inward\[1\] to have the shape of the state, \[5\]. Received: \[4\]"),
    (lambda: Guided(ways(1), [normal(2)], priors.StandardNormal(2)), IncompatibleParts, "priors.Descent of 1 groups"),
    (lambda: Guided(ways(1), [normal(2), normal(2)], descent([2, 2])), IncompatibleParts, "a Keras network for each"),
    (lambda: Guided([keras.layers.Identity(), networks.mlp(5)], [normal(2), normal(2)], descent([2, 2]))(X),
     IncompatibleParts, r"on the grid of the state.*\[8, 8, 1\], the state \[5\]"),
    (lambda: LastState(priors.StandardNormal(2)), IncompatibleParts, "a priors.Descent, the model's own"),
    (lambda: heads.GridNormal(4), ValueError, r"GridNormal to model a grid.*event_shape=4"),
    (lambda: networks.Residual("dense"), TypeError, "network='dense'"),
    (lambda: networks.Residual(keras.layers.Dense(3))(np.zeros([1, 4])), ValueError, r"keeps the shape \[4\].*\[3\]"),
    (lambda: networks.bottleneck(4, 0), ValueError, "filters"),
    (lambda: networks.bottleneck(4, 2, depth=0), ValueError, "depth"),
    (lambda: zoo.very_deep(SHAPE, units=(8, 8), groups=(1,)), ValueError, r"for each grid.*units=\(8, 8\)"),
    (lambda: zoo.very_deep(SHAPE, units=(8, 8), groups=(1, 0)), ValueError, "entry of groups"),
    (lambda: zoo.very_deep((64,)), ValueError, r"Expected images.*\(64,\)"),
])  # fmt: skip
def test_mistakes_are_explained(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_parts_of_another_prior_are_refused():
    one, other = (zoo.very_deep((8, 8, 1), 1, units=(8, 8), groups=(1, 2)) for _ in range(2))
    with pytest.raises(IncompatibleParts, match="model's own prior"):
        tfvae.LadderVAE(one.encoder, one.decoder, other.prior)
    with pytest.raises(IncompatibleParts, match="model's own prior"):
        tfvae.LadderVAE(one.encoder, other.decoder, one.prior)
