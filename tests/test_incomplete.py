"""Data with parts missing: the evidence of what was observed, and what stands in the gaps, against normal algebra."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracle import linear_gaussian
from scipy.integrate import dblquad, quad
from scipy.special import expit, log_expit
from scipy.stats import multivariate_normal, norm

import tfvae
from tfvae import evaluation, export, heads, networks, objectives, priors
from tfvae.errors import ExportError, IncompatibleParts
from tfvae.evaluation import exact
from tfvae.random import as_seed


def encoder(latent, *units):
    return tfvae.Encoder(
        keras.Sequential([networks.FillMissing(), *networks.mlp(*units).layers]), heads.DiagonalNormal(latent)
    )


def missing_at_random(x, share, seed):
    return np.where(np.random.default_rng(seed).random(x.shape) < share, np.nan, x).astype("float32")


def parts(truth, x):
    """Mean and covariance of x, and for each example log p(x_o) and the moments of what is missing given the rest."""
    covariance = truth.w @ truth.w.T + truth.sigma**2 * np.eye(len(truth.b))
    for row in x.astype(np.float64):
        seen = ~np.isnan(row)
        gain = covariance[np.ix_(~seen, seen)] @ np.linalg.inv(covariance[np.ix_(seen, seen)])
        scored = (
            multivariate_normal(truth.b[seen], covariance[np.ix_(seen, seen)]).logpdf(row[seen]) if seen.any() else 0
        )
        mean = truth.b[~seen] + gain @ (row[seen] - truth.b[seen])
        yield seen, scored, mean, covariance[np.ix_(~seen, ~seen)] - gain @ covariance[np.ix_(seen, ~seen)]


@pytest.fixture(scope="module")
def known():
    """A linear-Gaussian model that knows the truth and has a wide posterior, and data of which a third is missing."""
    truth = linear_gaussian(2, 5, n=60)
    decoder = tfvae.Decoder(networks.mlp(), heads.Incomplete(heads.Normal(5, truth.sigma)))
    model = tfvae.VAE(encoder(2), decoder, priors.StandardNormal(2), objectives.IWAE(20), seed=0)
    decoder.head.projection.linear.set_weights([truth.w.T, truth.b])
    for weight in model.encoder.trainable_variables:
        weight.assign(tf.zeros_like(weight))  # q = p(z): right for every pattern, if not sharp
    return truth, model, missing_at_random(truth.x, 0.35, seed=1)


def test_the_evidence_is_that_of_what_was_observed(known, seed):
    truth, model, x = known
    expected = np.array([scored for _, scored, _, _ in parts(truth, x)])
    found = evaluation.log_evidence(model, x, samples=20000, seed=seed, progress=False)
    error = np.sqrt(np.maximum(20000 / found.effective_sample_size - 1, 0) / 20000)
    assert np.all(np.abs(found.per_example - expected) < 6 * error + 1e-4)
    assert found.dimensions == 0  # bits per dimension mean nothing where their number differs
    with pytest.raises(ValueError, match="bits per dimension are not defined"):
        _ = found.bits_per_dim
    bound = evaluation.elbo(model, x, samples=100, seed=seed, progress=False)
    assert np.all(bound.per_example < expected + 0.5)


def test_imputations_have_the_conditional_moments(known, seed):
    truth, model, x = known
    filled = evaluation.impute(model, x, draws=400, samples=20000, seed=seed)
    np.testing.assert_array_equal(filled.mean[~np.isnan(x)], x[~np.isnan(x)])
    assert filled.effective_sample_size.min() > 100
    deviations = []
    for i, (seen, _, mean, covariance) in enumerate(parts(truth, x)):
        spread = np.sqrt(np.diag(covariance))
        assert np.all(np.abs(filled.mean[i, ~seen] - mean) < 6 * spread / np.sqrt(filled.effective_sample_size[i]))
        drawn = filled.draws[:, i]
        np.testing.assert_array_equal(drawn[:, seen], np.tile(x[i, seen], [400, 1]))
        deviations += list(((drawn[:, ~seen] - mean) / spread).T)
    deviations = np.stack(deviations)  # of each missing value, standard normal in the truth
    assert abs(deviations.mean()) < 5 / np.sqrt(deviations.size / 4)  # draws of one example share its weights
    assert np.mean(deviations**2) == pytest.approx(1.0, abs=0.04)


def test_an_exported_signature_imputes_too(known):
    """Of values missing at random: the conditional means of normal algebra; of others it is refused by name."""
    truth, model, x = known
    impute = export.Impute(rounds=1, samples=20000).signatures(model)["impute"].function
    rows, mask = x[:10], (~np.isnan(x[:10])).astype("float32")
    found = impute(tf.constant(rows), tf.constant(mask), tf.constant([3, 0]))
    for i, (seen, _, mean, covariance) in enumerate(parts(truth, rows)):
        size = float(found["effective_sample_size"][i])
        assert np.all(np.abs(found["x"][i].numpy()[~seen] - mean) < 6 * np.sqrt(np.diag(covariance) / size))
    decoder = tfvae.Decoder(networks.mlp(), heads.Incomplete(heads.Normal(5), heads.SelfMasking()))
    hidden = tfvae.VAE(encoder(2), decoder, priors.StandardNormal(2), objectives.IWAE(5), seed=0)
    with pytest.raises(ExportError, match=r"missing at random.*evaluation\.impute"):
        export.Impute().signatures(hidden)


def test_what_stands_in_no_gap_is_scored_as_ever(seed):
    rng = np.random.default_rng(seed)
    eta = tf.constant(rng.normal(size=[3, 4, 8]), tf.float32)
    for head, x in ((heads.Bernoulli(8), rng.integers(0, 2, [4, 8])), (heads.Poisson(8), rng.poisson(2.0, [4, 8])),
                    (heads.Normal(8, 0.5), rng.normal(size=[4, 8]))):  # fmt: skip
        px, plain = heads.Incomplete(head).distribution(eta), head.distribution(eta)
        x = x.astype("float32")
        np.testing.assert_allclose(px.log_prob(x), plain.log_prob(x), rtol=1e-5)
        np.testing.assert_allclose(px.mean(), plain.mean(), rtol=1e-6)
        gaps = np.where(np.arange(8) < 5, np.nan, x).astype("float32")
        own = plain.distribution.log_prob(x).numpy()[..., 5:].sum(-1)
        np.testing.assert_allclose(px.log_prob(gaps), own, rtol=1e-5)


def test_learning_from_incomplete_data_finds_the_model(seed, tmp_path):
    """Half of the values are missing: the evidence comes within 0.1 nats of the truth's, imputation within 5 %."""
    keras.utils.set_random_seed(0)
    truth = linear_gaussian(1, 6, n=3000, sigma=0.5, seed=3)
    x = missing_at_random(truth.x, 0.5, seed)
    decoder = tfvae.Decoder(networks.mlp(), heads.Incomplete(heads.Normal(6, heads.SharedScale(1.0))))
    model = tfvae.VAE(encoder(1, 64), decoder, priors.StandardNormal(1), objectives.IWAE(10), seed=0)
    model.compile(keras.optimizers.Adam(5e-3))
    history = model.fit(x, batch_size=100, epochs=40, verbose=0, validation_data=x[:100]).history
    assert np.isfinite(history["val_loss"]).all()
    test, known = x[:500], list(parts(truth, x[:500]))
    found = evaluation.log_evidence(model, test, samples=2000, progress=False)
    assert found.mean == pytest.approx(np.mean([scored for _, scored, _, _ in known]), abs=0.1)
    gaps, best = np.isnan(test), np.concatenate([mean for _, _, mean, _ in known])
    true = truth.x[:500][gaps]
    error = {name: np.sqrt(np.mean((values - true) ** 2)) for name, values in (
        ("model", evaluation.impute(model, test, samples=2000).mean[gaps]), ("best", best),
        ("column means", np.tile(np.nanmean(x, 0), [500, 1])[gaps]),
    )}  # fmt: skip
    assert error["model"] < 1.05 * error["best"] < 0.8 * error["column means"]
    assert np.isfinite(model.reconstruct(test)).all()
    assert np.isfinite(model.embed(test)).all()
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    again = evaluation.log_evidence(loaded, test, samples=2000, progress=False)
    np.testing.assert_array_equal(again.per_example, found.per_example)


def test_values_that_are_missing_change_no_gradient(known):
    _, model, x = known
    weights = [w.value for w in model.trainable_variables]
    found = []
    for rows in (x[:5], np.concatenate([x[:5], np.full([1, 5], np.nan, "float32")])):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model.trace(tf.constant(rows), 3, seed=0).log_px)
        found.append(tape.gradient(loss, weights, unconnected_gradients="zero"))
    for one, other in zip(*found, strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


# Values that hide themselves ------------------------------------------------------------------------------------------


def masked(head, slope, offset):
    """The head with weights of its mechanism."""
    hidden = heads.Incomplete(head, heads.SelfMasking())
    hidden.mechanism.slope.assign(np.broadcast_to(slope, head.event_shape))
    hidden.mechanism.offset.assign(np.broadcast_to(offset, head.event_shape))
    return hidden


def test_a_hidden_normal_value_is_integrated_out(seed):
    rng = np.random.default_rng(seed)
    eta, slope, offset = rng.normal(size=[4, 3]), rng.uniform(-3, 3, 3), rng.normal(size=3)
    px = masked(heads.Normal(3, 0.9), slope, offset).distribution(tf.constant(eta, tf.float32))
    x = rng.normal(size=[4, 3])
    x[:, 1] = np.nan
    expected, mean = np.zeros(4), np.zeros(4)
    for i in range(4):
        for d in (0, 2):
            expected[i] += norm(eta[i, d], 0.9).logpdf(x[i, d]) + log_expit(slope[d] * x[i, d] + offset[d])
        hides = lambda v: norm(eta[i, 1], 0.9).pdf(v) * expit(-slope[1] * v - offset[1])  # noqa: B023, E731
        share = quad(hides, -12, 12)[0]
        expected[i] += np.log(share)
        mean[i] = quad(lambda v: v * hides(v), -12, 12)[0] / share  # noqa: B023
    np.testing.assert_allclose(px.log_prob(x.astype("float32")), expected, atol=1e-3)
    np.testing.assert_allclose(px.missing_mean()[:, 1], mean, atol=1e-3)
    copies = tf.constant(np.tile(eta, [400, 1, 1]), tf.float32)
    drawn = masked(heads.Normal(3, 0.9), slope, offset).distribution(copies).missing_draw(as_seed(seed))[..., 1].numpy()
    np.testing.assert_allclose(drawn.mean(0), mean, atol=6 * 0.9 / 20)
    assert abs((drawn - mean).mean()) < 6 * 0.9 / np.sqrt(drawn.size)


def test_a_hidden_binary_value_is_summed_out(seed):
    """p(missing) = p(1) p(missing | 1) + p(0) p(missing | 0), and Bayes' rule for what it was."""
    rng = np.random.default_rng(seed)
    eta, slope, offset = rng.normal(size=[5, 2]), np.array([4.0, -1.0]), np.array([-1.0, 0.5])
    px = masked(heads.Bernoulli(2), slope, offset).distribution(tf.constant(eta, tf.float32))
    p = expit(eta)
    hidden = p * expit(-slope - offset) + (1 - p) * expit(-offset)
    np.testing.assert_allclose(px.log_prob(np.full([5, 2], np.nan, "float32")), np.log(hidden).sum(-1), rtol=1e-4)
    np.testing.assert_allclose(px.missing_mean(), p * expit(-slope - offset) / hidden, rtol=1e-4)
    ones = np.log(p) + log_expit(slope + offset)
    np.testing.assert_allclose(px.log_prob(np.ones([5, 2], "float32")), ones.sum(-1), rtol=1e-4)
    copies = tf.constant(np.tile(eta, [600, 1, 1]), tf.float32)
    drawn = masked(heads.Bernoulli(2), slope, offset).distribution(copies).missing_draw(as_seed(seed))
    np.testing.assert_allclose(np.mean(drawn, 0), p * expit(-slope - offset) / hidden, atol=6 * 0.5 / np.sqrt(600))


def test_a_mechanism_that_knows_nothing_is_missing_at_random(seed):
    """With w = c = 0 every value costs log 2, and nothing else changes."""
    rng = np.random.default_rng(seed)
    eta = tf.constant(rng.normal(size=[4, 5]), tf.float32)
    x = missing_at_random(rng.normal(size=[4, 5]), 0.5, seed)
    hidden, plain = masked(heads.Normal(5), 0.0, 0.0), heads.Incomplete(heads.Normal(5))
    expected = plain.distribution(eta).log_prob(x) - 5 * np.log(2)
    np.testing.assert_allclose(hidden.distribution(eta).log_prob(x), expected, rtol=1e-4)


def test_rare_values_that_hide_are_drawn_as_they_are(seed):
    """What is missing is rarely likely a priori: the draws still have the mean that quadrature and sums give."""
    n = 4000
    binary = masked(heads.Bernoulli(1), -14.0, 9.0).distribution(tf.fill([n, 1], -7.0))
    normal = masked(heads.Normal(1), -5.0, 20.0).distribution(tf.zeros([n, 1]))
    for px, spread in ((binary, 0.5), (normal, 0.5)):
        mean = px.missing_mean().numpy()[0, 0]
        assert px.missing_draw(as_seed(seed)).numpy().mean() == pytest.approx(mean, abs=6 * spread / np.sqrt(n))
    hides = lambda v: norm(0, 1).pdf(v) * expit(5.0 * v - 20.0)  # noqa: E731
    share = quad(hides, -2, 9)[0]
    assert normal.missing_mean().numpy()[0, 0] == pytest.approx(
        quad(lambda v: v * hides(v), -2, 9)[0] / share, abs=0.02
    )


def test_every_example_has_noise_of_its_own():
    """Also in other batches: no two imputations of the same incomplete example are the same."""
    decoder = tfvae.Decoder(networks.mlp(), heads.Incomplete(heads.Normal(2)))
    model = tfvae.VAE(encoder(1), decoder, priors.StandardNormal(1), objectives.IWAE(5), seed=0)
    drawn = evaluation.impute(model, np.tile([[0.0, np.nan]], [250, 1]), draws=3, samples=5).draws[:, :, 1]
    assert len(np.unique(drawn)) == drawn.size


def test_gradients_reach_the_mechanism_as_differences_say(seed):
    rng = np.random.default_rng(seed)
    x = missing_at_random(rng.normal(size=[6, 3]), 0.5, seed)
    hidden = masked(heads.Normal(3), rng.normal(size=3), rng.normal(size=3))
    eta = tf.Variable(rng.normal(size=[6, 3]), dtype=tf.float32)
    for variable in (hidden.mechanism.slope.value, hidden.mechanism.offset.value, eta):
        score = lambda: tf.reduce_sum(hidden.distribution(eta).log_prob(x))  # noqa: E731
        with tf.GradientTape() as tape:
            value = score()
        slope = tape.gradient(value, variable)
        step = 1e-2 * tf.ones_like(slope)
        variable.assign_add(step)
        above = score()
        variable.assign_sub(2 * step)
        below = score()
        variable.assign_add(step)
        assert float(above - below) / 2e-2 == pytest.approx(float(tf.reduce_sum(slope)), abs=2e-2)


def self_masked(n, seed):
    """Six values with one cause, of which the first two hide where they are large: all of them, and with the gaps."""
    rng = np.random.default_rng(seed)
    whole = rng.normal(size=[n, 1]) * [1.5, -1.5, 1.5, 1.5, -1.5, 1.5] + 0.7 * rng.normal(size=[n, 6])
    seen = expit(1.0 - 3.0 * whole)
    gaps = (rng.random([n, 6]) > seen) & (np.arange(6) < 2)
    return whole, np.where(gaps, np.nan, whole).astype("float32"), gaps


def test_learning_with_values_that_hide_themselves(seed, tmp_path):
    """Large values are missing: the model that says so imputes near the best, the one that does not far below."""
    whole, x, gaps = self_masked(2000, seed)
    error, bias = {}, {}
    for name, mechanism in (("hides", heads.SelfMasking()), ("at random", heads.AtRandom())):
        keras.utils.set_random_seed(0)
        head = heads.Incomplete(heads.Normal(6, heads.SharedScale(1.0)), mechanism)
        decoder = tfvae.Decoder(networks.mlp(), head)
        model = tfvae.VAE(encoder(1, 64), decoder, priors.StandardNormal(1), objectives.IWAE(10), seed=0)
        model.compile(keras.optimizers.Adam(1e-2))
        model.fit(x, batch_size=100, epochs=30, verbose=0)
        filled = evaluation.impute(model, x[:500], samples=300).mean
        wrong = (filled - whole[:500])[gaps[:500]]
        error[name], bias[name] = np.sqrt(np.mean(wrong**2)), wrong.mean()
        if name == "hides":
            model.save(tmp_path / "m.keras")
            loaded = keras.models.load_model(tmp_path / "m.keras")
            np.testing.assert_array_equal(evaluation.impute(loaded, x[:500], samples=300).mean, filled)
            slope = model.decoder.head.mechanism.slope.numpy()
    assert np.all(slope[:2] < -1.0)
    assert abs(bias["hides"]) < 0.1 < 0.3 < -bias["at random"]
    assert error["hides"] < 0.9 * error["at random"]


def test_a_model_of_values_that_hide_is_what_scipy_integrates(seed):
    """One observed value and one that hides: the evidence, on the grid and by sampling, and what stands in the gap."""
    head = heads.Incomplete(heads.Normal(2, 0.7), heads.SelfMasking())
    model = tfvae.VAE(
        encoder(1), tfvae.Decoder(networks.mlp(), head), priors.StandardNormal(1), objectives.IWAE(5), seed=0
    )
    w, b, slope, offset = np.array([1.2, -0.8]), np.array([0.3, -0.1]), np.array([2.0, -1.0]), np.array([0.5, 0.2])
    head.projection.linear.set_weights([w[None], b])
    head.mechanism.slope.assign(slope)
    head.mechanism.offset.assign(offset)
    x = np.array([[0.4, np.nan]], "float32")

    def density(v, loc, scale=0.7):  # SciPy's takes 50 times longer
        return math.exp(-0.5 * ((v - loc) / scale) ** 2) / (scale * math.sqrt(2 * math.pi))

    def joint(v, z):  # the second value is v
        seen = density(z, 0, 1) * density(0.4, w[0] * z + b[0]) / (1 + math.exp(-slope[0] * 0.4 - offset[0]))
        return seen * density(v, w[1] * z + b[1]) / (1 + math.exp(slope[1] * v + offset[1]))

    truth, first, second = (
        dblquad(lambda v, z: v**power * joint(v, z), -7, 7, -8, 8, epsabs=1e-7)[0]  # noqa: B023
        for power in (0, 1, 2)
    )
    mean, spread = first / truth, np.sqrt(second / truth - (first / truth) ** 2)
    assert exact.quadrature(model, x).per_example[0] == pytest.approx(np.log(truth), abs=1e-3)
    found = evaluation.log_evidence(model, x, samples=20000, seed=seed, progress=False)
    error = np.sqrt((20000 / found.effective_sample_size[0] - 1) / 20000)
    assert found.per_example[0] == pytest.approx(np.log(truth), abs=5 * error + 1e-3)
    filled = evaluation.impute(model, x, draws=2000, samples=20000, seed=seed)
    assert filled.mean[0, 1] == pytest.approx(mean, abs=5 * spread / np.sqrt(filled.effective_sample_size[0]))
    assert filled.draws[:, 0, 1].mean() == pytest.approx(mean, abs=5 * spread / np.sqrt(2000))
    assert filled.draws[:, 0, 1].std() == pytest.approx(spread, rel=0.1)


def test_a_mask_is_a_gap(known, seed):
    """Of NumPy's masked arrays, whatever lies under the mask and whatever their dtype."""
    _, model, x = known
    masked = np.ma.masked_array(np.nan_to_num(x, nan=1e6), np.isnan(x))
    for one, other in zip(*(evaluation.impute(model, each, 2, 50, seed) for each in (x, masked)), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(model.reconstruct(masked), model.reconstruct(x))
    whole = np.ma.masked_array(np.arange(10).reshape(2, 5), [[0, 1, 0, 0, 0]] * 2)
    assert np.isfinite(evaluation.elbo(model, whole, progress=False).elbo)
    assert not np.any(evaluation.impute(model, whole, samples=50).mean[:, 1] == whole.data[:, 1])


def test_mechanisms_are_checked():
    with pytest.raises(TypeError, match=r"heads\.AtRandom\(\) or heads\.SelfMasking\(\)"):
        heads.Incomplete(heads.Normal(3), "mnar")
    shared = heads.SelfMasking()
    heads.Incomplete(heads.Normal(1), shared)
    with pytest.raises(IncompatibleParts, match=r"mechanism of its own.*shape \[4\].*\[1\]"):
        heads.Incomplete(heads.Normal(4), shared)
    with pytest.raises(IncompatibleParts, match="normal or binary given z"):
        heads.Incomplete(heads.Poisson(3), heads.SelfMasking())


def test_what_cannot_be_left_out_is_refused(known):
    _, model, x = known
    with pytest.raises(IncompatibleParts, match="elements are independent given z"):
        heads.Incomplete(heads.DiagonalNormal(3))
    with pytest.raises(IncompatibleParts, match="Received: OptimalScale"):
        heads.Incomplete(heads.Normal(3, heads.OptimalScale(1.0)))
    with pytest.raises(TypeError, match=r"Expected a head from tfvae\.heads"):
        heads.Incomplete("normal")
    plain = tfvae.zoo.vae(5, 2, seed=0)
    with pytest.raises(ValueError, match=r"heads\.Incomplete\(head\)"):
        evaluation.impute(plain, x)
    with pytest.raises(ValueError, match=r"Received: .* values outside"):
        evaluation.elbo(plain, x, progress=False)
    model.compile(keras.optimizers.Adam(1e-3))
    with pytest.raises(ValueError, match="or NaN where a value is missing"):
        model.fit(np.full([4, 5], np.inf), verbose=0)
    with pytest.raises(ValueError, match="draws to be a positive whole number"):
        evaluation.impute(model, x, draws=0)


@pytest.mark.parametrize("mechanism", [heads.AtRandom, pytest.param(heads.SelfMasking, marks=pytest.mark.slow)])
def test_exported_files_take_missing_values(tmp_path, seed, mechanism):
    """The SavedModel and the TFLite file score and encode NaN as the Keras model does."""
    from ai_edge_litert.interpreter import Interpreter

    keras.utils.set_random_seed(seed)
    decoder = tfvae.Decoder(networks.mlp(8), heads.Incomplete(heads.Normal(6, heads.SharedScale(1.0)), mechanism()))
    model = tfvae.VAE(encoder(2, 8), decoder, priors.StandardNormal(2), objectives.IWAE(5), seed=0)
    x = missing_at_random(np.random.default_rng(seed).normal(size=[7, 6]), 0.4, seed)
    export.saved_model(model, tmp_path / "1")
    export.tflite(model, tmp_path / "m.tflite")
    served = tf.saved_model.load(tmp_path / "1").signatures
    lite = Interpreter(model_path=str(tmp_path / "m.tflite")).get_signature_runner
    noise = np.array([seed % 1000, 7], np.int32)
    bound = model.trace(x, 1, tuple(noise.tolist())).elbo
    evidence = evaluation.log_evidence(model, x, samples=20, seed=tuple(noise.tolist()), progress=False).per_example
    for name, own, output, expected in (
        ("elbo", {"seed": noise}, "elbo", bound),
        ("log_evidence", {"samples": np.int32(20), "seed": noise}, "log_evidence", evidence),
        ("encode", {}, "mean", model.embed(x)),
        ("serving_default", {}, "mean", model.reconstruct(x)),
    ):
        tensors = {key: tf.constant(value) for key, value in own.items()}
        for answer in (served[name](x=tf.constant(x), **tensors), lite(name)(x=x, **own)):
            np.testing.assert_allclose(answer[output], expected, rtol=1e-4, atol=1e-4)
    assert np.isnan(
        lite("elbo")(x=np.where(np.isnan(x), np.inf, x), seed=noise)["elbo"]
    ).any()  # no number out of thin air
