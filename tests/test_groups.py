"""What the groups of a hierarchy pay: limits in which it is the ELBO, and balanced weights in closed form."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tfvae import heads, networks, objectives, priors, zoo
from tfvae.errors import IncompatibleParts
from tfvae.objectives import schedules

SHAPE = (8, 8, 1)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return zoo.ladder(SHAPE, latent_dim=6, units=(16, 16, 8), seed=0)


@pytest.fixture(scope="module")
def trace(model):
    x = np.random.default_rng(0).integers(0, 2, [12, *SHAPE]).astype("float32")
    return model.trace(tf.constant(x), 3, 0)


def bound(trace, step, *arguments, **options):
    return objectives.ELBO(*arguments, **options).bound(trace, tf.constant(step))


def test_equal_weights_are_the_beta_of_the_elbo(trace):
    same = bound(trace, 0, free_bits=objectives.GroupBetas([0.3, 0.3, 0.3]))
    np.testing.assert_allclose(same, bound(trace, 0, 0.3), rtol=1e-5)
    warm = schedules.Linear(8)
    for step in (0, 3, 8, 100):
        each = bound(trace, step, free_bits=objectives.GroupBetas([warm, schedules.Linear(8), warm]))
        np.testing.assert_allclose(each, bound(trace, step, warm), rtol=1e-5)
    np.testing.assert_allclose(each, trace.elbo, rtol=1e-5)


def test_each_group_has_its_own_weight_from_the_top_down(trace):
    paid = objectives.GroupBetas([0.0, schedules.Linear(4), 2.0]).rate(trace, tf.constant(1))
    np.testing.assert_allclose(paid, 0.25 * trace.rates[1] + 2.0 * trace.rates[2], rtol=1e-5)
    for seen in range(3):  # a gradient flows to the rate of a group through its own weight alone
        betas = [1.0 if number == seen else 0.0 for number in range(3)]
        np.testing.assert_allclose(
            objectives.GroupBetas(betas).rate(trace, tf.constant(0)), trace.rates[seen], rtol=1e-5
        )


def test_balanced_weights_are_nats_for_each_element_and_one_on_average(trace):
    gamma = objectives.BalancedGroups(10).weights(trace)
    each = np.array([np.mean(np.abs(rate)) for rate in trace.rates]) + 0.01
    density = each / np.array([1, 3, 6])
    np.testing.assert_allclose(gamma, 3 * density / density.sum(), rtol=1e-5)
    assert float(tf.reduce_mean(gamma)) == pytest.approx(1.0, abs=1e-6)
    same = trace._replace(rates=[trace.rates[2] * 100 * length / 6 for length in (1, 3, 6)])
    np.testing.assert_allclose(objectives.BalancedGroups(10).weights(same), np.ones(3), atol=0.01)
    none = trace._replace(rates=[0 * rate for rate in trace.rates])
    assert np.all(np.isfinite(objectives.BalancedGroups(10).weights(none)))


def test_balancing_ends_with_warm_up(trace):
    balanced = objectives.BalancedGroups(10)
    paid = balanced.rate(trace, tf.constant(9))
    weighed = sum(weight * rate for weight, rate in zip(balanced.weights(trace), trace.rates, strict=True))
    np.testing.assert_allclose(paid, weighed, rtol=1e-5)
    assert not np.allclose(paid, trace.rate)
    for step in (10, 11, 2**40):
        assert np.array_equal(balanced.rate(trace, tf.constant(step, tf.int64)), trace.rate)
    np.testing.assert_allclose(bound(trace, 10, free_bits=balanced), trace.elbo, rtol=1e-6)


def test_balanced_weights_are_constants_for_the_gradient(model, trace):
    """The gradient is that of the sum with the weights of this very batch, written out as numbers."""
    balanced = objectives.BalancedGroups(10)
    fixed = objectives.GroupBetas([float(weight) for weight in balanced.weights(trace)])
    weights = [weight.value for weight in model.trained_variables]
    found = []
    for paid in (balanced, fixed):
        with tf.GradientTape() as tape:
            again = model.trace(trace.x, 3, 0)
            loss = tf.reduce_mean(paid.rate(again, tf.constant(0)))
        found.append([np.zeros(1) if g is None else g.numpy() for g in tape.gradient(loss, weights)])
    scale = max(np.abs(gradient).max() for gradient in found[0])
    assert scale > 0
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * scale)


@pytest.mark.parametrize("paid", [
    lambda: objectives.BalancedGroups(7), lambda: objectives.FreeGroups(schedules.Linear(3)),
    lambda: objectives.GroupBetas([0.5, schedules.Linear(9), schedules.Cyclical(4)]),
], ids=["balanced", "free", "betas"])  # fmt: skip
def test_survives_its_configuration_and_a_file(paid, trace, tmp_path):
    objective = objectives.ELBO(schedules.Linear(5), free_bits=paid())
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
    np.testing.assert_array_equal(again.bound(trace, tf.constant(2)), objective.bound(trace, tf.constant(2)))
    parts = zoo.ladder(SHAPE, latent_dim=6, units=(8, 8, 8), seed=0)
    made = tfvae.LadderVAE(parts.encoder, parts.decoder, parts.prior, objective, seed=0)
    made.compile(keras.optimizers.Adam(1e-3))
    before = [weight.numpy() for weight in made.trained_variables]
    made.fit(trace.x, epochs=1, batch_size=6, verbose=0)
    assert all(np.any(weight != old) for weight, old in zip(made.trained_variables, before, strict=True))
    made.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert made.evaluate(trace.x, verbose=0) == loaded.evaluate(trace.x, verbose=0)


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: objectives.GroupBetas([]), ValueError, r"a weight for each group.*betas=\[\]"),
    (lambda: objectives.GroupBetas(0.5), ValueError, "betas=0.5"),
    (lambda: objectives.GroupBetas([1.0, -1.0]), ValueError, r"betas\[1\].*-1"),
    (lambda: objectives.BalancedGroups(0), ValueError, "steps"),
    (lambda: with_objective(zoo.hvae, objectives.GroupBetas([1.0])), IncompatibleParts, r"\[2, 2\].*Betas of 1"),
    (lambda: tfvae.VAE(
        tfvae.Encoder(networks.mlp(8), heads.DiagonalNormal(3)), tfvae.Decoder(networks.mlp(8), heads.Bernoulli(SHAPE)),
        priors.StandardNormal(3), objectives.ELBO(free_bits=objectives.BalancedGroups(5))),
     IncompatibleParts, "a tfvae.LadderVAE; use FreeBits"),
])  # fmt: skip
def test_mistakes_are_explained(make, error, message):
    with pytest.raises(error, match=message):
        make()


def with_objective(build, paid):
    parts = build(SHAPE, latent_dim=2, units=(8,))
    return tfvae.LadderVAE(parts.encoder, parts.decoder, parts.prior, objectives.ELBO(free_bits=paid))
