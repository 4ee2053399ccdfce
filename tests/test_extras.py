"""Signatures that are asked for: their numbers against truth, and the same in every format."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracle import linear_gaussian
from tensorflow_probability import distributions as tfd

import tfvae
from tfvae import data, export, heads, networks, priors, zoo
from tfvae.errors import ExportError
from tfvae.evaluation import anomaly
from tfvae.heads.base import Head
from tfvae.heads.support import REAL

SEED = np.array([3, 1], np.int32)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def model(digits):
    model = zoo.vae((8, 8, 1), 4, units=(32,), seed=0)
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(digits.train, epochs=15, verbose=0)
    return model


@pytest.fixture(scope="module")
def calibration(model, digits):
    score = anomaly.NegativeELBO(model, samples=5, progress=False)
    return anomaly.calibrate(score, digits.array("validation"), level=0.1)


@pytest.fixture(scope="module")
def extras(calibration):
    return [
        export.EncodeSample(), export.Score(5), export.IsAnomaly(calibration), export.Interpolate(), export.Impute(),
        export.Personalise(),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def folder(model, extras, tmp_path_factory):
    folder = tmp_path_factory.mktemp("extras")
    parity = export.saved_model(model, folder / "1", extras=extras)
    assert parity.worst < 1e-4
    parity = export.tflite(model, folder / "m.tflite", extras=extras, source=folder / "1")
    assert parity.worst < 1e-3
    return folder


@pytest.fixture(scope="module")
def runner(folder):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_path=str(folder / "m.tflite")).get_signature_runner


def test_a_draw_is_that_of_the_trace(model, runner, digits):
    x = digits.array("test")[:20]
    z = runner("encode_sample")(x=x, seed=SEED)["z"]
    np.testing.assert_allclose(z, model.trace(x, 1, tuple(SEED.tolist())).z[0], atol=1e-5)


def test_the_score_is_the_librarys(model, runner, digits):
    x = digits.array("test")[:20]
    score = anomaly.NegativeELBO(model, samples=5, seed=tuple(SEED.tolist()), progress=False)
    np.testing.assert_allclose(runner("score")(x=x, seed=SEED)["score"], score(x), rtol=1e-4)


@pytest.mark.parametrize("level", [0.02, 0.1, 0.5])
def test_decisions_are_those_of_the_threshold(model, calibration, runner, digits, level):
    """The p-value of the signature flags what `calibrate` flags at that level, on digits and on noise."""
    noise = (np.random.default_rng(0).random([60, 8, 8, 1]) < 0.5).astype("float32")
    x = np.concatenate([digits.array("test")[:200], noise])
    found = runner("is_anomaly")(x=x, level=np.float32(level), seed=np.array([0, 0], np.int32))
    at = anomaly.calibrate(calibration.score, digits.array("validation"), level=level)
    np.testing.assert_array_equal(found["is_anomaly"] == 1, found["score"] > np.float32(at.threshold))
    assert found["is_anomaly"].dtype == np.int32
    assert found["is_anomaly"][200:].mean() > 0.9 > found["is_anomaly"][:200].mean()


def test_false_alarms_are_at_most_the_level(runner, digits):
    """Of 1,000 levels' worth: the share on test digits lies within 4.5 standard deviations of its bound."""
    x = digits.array("test")
    n, m, level = len(digits.array("validation")), len(x), 0.1
    share = runner("is_anomaly")(x=x, level=np.float32(level), seed=SEED)["is_anomaly"].mean()
    spread = np.sqrt(level * (1 - level) * (1 / n + 1 / m))
    assert level - 1 / (n + 1) - 4.5 * spread < share < level + 4.5 * spread


def test_levels_at_the_ends_flag_nothing_and_everything(runner, digits):
    x = digits.array("test")[:50]
    flagged = [runner("is_anomaly")(x=x, level=np.float32(a), seed=SEED)["is_anomaly"] for a in (0.0, 1.0)]
    assert not flagged[0].any() and flagged[1].all()


def test_what_is_not_a_number_is_an_anomaly(runner):
    x = np.full([1, 8, 8, 1], np.nan, np.float32)
    assert runner("is_anomaly")(x=x, level=np.float32(0.05), seed=SEED)["is_anomaly"][0] == 1


def test_a_line_ends_at_its_examples(model, runner, digits):
    a, b = digits.array("test")[:3], digits.array("test")[3:6]
    line = runner("interpolate")(x_a=a, x_b=b, steps=np.int32(5))["x"]
    assert line.shape == (5, 3, 8, 8, 1)
    np.testing.assert_allclose(line[0], model.predict(a, verbose=0), atol=1e-5)
    np.testing.assert_allclose(line[-1], model.predict(b, verbose=0), atol=1e-5)
    middle = (model.embed(a) + model.embed(b)) / 2
    np.testing.assert_allclose(line[2], model.decoder(middle).mean(), atol=1e-5)
    assert runner("interpolate")(x_a=a, x_b=b, steps=np.int32(-4))["x"].shape[0] == 2


def test_gaps_of_a_linear_gaussian_are_filled_with_the_conditional_mean():
    """E[x_m | x_o] is known; 4,000 samples, and the tolerance is five of their standard errors."""
    oracle = linear_gaussian(2, 5, seed=2, n=30, widen=1.3)
    mask = np.ones([30, 5], np.float32)
    mask[:, 3:] = 0.0
    mask[::2, 0] = 0.0
    covariance = oracle.w @ oracle.w.T + oracle.sigma**2 * np.eye(5)
    truth = oracle.x.copy()
    for row, seen in zip(truth, mask > 0.5, strict=True):
        gain = covariance[np.ix_(~seen, seen)] @ np.linalg.inv(covariance[np.ix_(seen, seen)])
        row[~seen] = oracle.b[~seen] + gain @ (row[seen] - oracle.b[seen])
    impute = export.Impute(rounds=3, samples=4000).signatures(oracle.model)["impute"].function
    hidden = np.where(mask > 0.5, oracle.x, np.nan).astype("float32")
    found = impute(tf.constant(hidden), tf.constant(mask), tf.constant(SEED))
    size = found["effective_sample_size"].numpy()
    assert size.min() > 100
    spread = np.abs(oracle.w).sum(1).max() / np.sqrt(size)  # of a weighted mean of W z, whose z has deviation <= 1
    assert (np.abs(found["x"] - truth) < 5 * spread[:, None]).all()
    np.testing.assert_array_equal(np.where(mask > 0.5, found["x"], 0), np.where(mask > 0.5, oracle.x, 0))


def test_gaps_of_digits_are_filled_better_than_by_the_mean(runner, digits):
    x = digits.array("test")
    mask = (np.random.default_rng(0).random(x.shape) < 0.5).astype("float32")
    filled = runner("impute")(x=x, mask=mask, seed=SEED)["x"]
    mean = np.broadcast_to(digits.array("train").mean(0), x.shape)
    ours, theirs = ((np.square(guess - x) * (mask < 0.5)).sum((1, 2, 3)) for guess in (filled, mean))
    gain = theirs - ours
    assert gain.mean() > 4.5 * gain.std() / np.sqrt(len(gain))


def test_a_shifted_user_is_served_better_after_a_few_examples(runner, digits):
    """A user whose camera has a bright stripe: the bound of held-out pictures rises, others' falls."""
    x = digits.array("test")
    shifted = x.copy()
    shifted[:, :, 0] = 1.0
    few, held_out = shifted[:10], shifted[10:]
    adapter = np.zeros([8, 8, 1], np.float32)
    elbo = runner("elbo_personalised")
    before = elbo(x=held_out, adapter=adapter, seed=SEED)["elbo"].mean()
    np.testing.assert_allclose(elbo(x=x, adapter=adapter, seed=SEED)["elbo"], runner("elbo")(x=x, seed=SEED)["elbo"],
                               rtol=1e-4)  # fmt: skip
    new = runner("personalise")(
        x=few, adapter=adapter, learning_rate=np.float32(1.0), steps=np.int32(20), seed=SEED
    )["adapter"]  # fmt: skip
    after = elbo(x=held_out, adapter=new, seed=SEED)["elbo"].mean()
    assert after > before + 5.0
    assert elbo(x=x, adapter=new, seed=SEED)["elbo"].mean() < runner("elbo")(x=x, seed=SEED)["elbo"].mean()
    picture = runner("decode_personalised")(z=np.zeros([1, 4], np.float32), adapter=new)["mean"]
    assert picture[0, :, 0].mean() > runner("decode")(z=np.zeros([1, 4], np.float32))["mean"][0, :, 0].mean()


def test_the_update_is_the_gradient_of_the_bound(model, runner, digits):
    """Central differences of the mean bound, a coordinate at a time; no step leaves the adapter as it was."""
    x, step = digits.array("test")[:10], 1e-2
    adapter = np.random.default_rng(0).normal(size=[8, 8, 1]).astype("float32")
    options = {"x": x, "adapter": adapter, "learning_rate": np.float32(1.0), "seed": SEED}
    gradient = runner("personalise")(**options, steps=np.int32(1))["adapter"] - adapter
    bound = export.Personalise().signatures(model)["elbo_personalised"].function
    for place in ((0, 0, 0), (3, 4, 0), (7, 2, 0)):
        moved = [adapter.astype("float64").copy() for _ in range(2)]
        for array, side in zip(moved, (step, -step), strict=True):
            array[place] += side
        high, low = (
            np.mean(bound(tf.constant(x), tf.constant(a.astype("float32")), tf.constant(SEED))["elbo"].numpy(),
                    dtype="float64") for a in moved
        )  # fmt: skip
        assert gradient[place] == pytest.approx((high - low) / (2 * step), abs=3e-3)
    np.testing.assert_array_equal(runner("personalise")(**options, steps=np.int32(0))["adapter"], adapter)


def test_learned_priors_become_constants(digits):
    """The pseudo-inputs of a VampPrior are encoded when the signatures are made, and never after."""
    model = zoo.vamp((8, 8, 1), 3, units=(16,), components=40, seed=0)
    functions = export.signatures(model)
    x, seed = digits.array("test")[:5], tf.constant(SEED)
    got = functions["elbo"].function(tf.constant(x), seed)["elbo"]
    np.testing.assert_allclose(got, model.trace(x, 1, tuple(SEED.tolist())).elbo, rtol=1e-6)
    z = functions["generate"].function(tf.constant(4), seed)["z"]
    model.prior.pseudo_inputs.assign(tf.zeros_like(model.prior.pseudo_inputs))
    np.testing.assert_array_equal(functions["generate"].function(tf.constant(4), seed)["z"], z)


def test_another_prior_leaves_the_rest(model, digits):
    other = model.with_prior(priors.Mixture(4, 3))
    assert other.encoder is model.encoder and other.decoder is model.decoder and other.objective is model.objective
    x = digits.array("test")[:3]
    np.testing.assert_array_equal(other.trace(x, 1, 0).log_px, model.trace(x, 1, 0).log_px)


class Logistic(Head):
    """A posterior that `draw` has no rule for."""

    support = REAL
    parameter_count = 1

    def distribution(self, parameters):
        return tfd.Independent(tfd.Logistic(parameters, 1.0), 1)


class Bare(keras.Model):
    """A decoder that is no network with a head."""

    def call(self, z):
        return tfd.Independent(tfd.Bernoulli(logits=z, dtype=z.dtype), 1)


def composed(posterior=None, likelihood=None, decoder=None):
    encoder = tfvae.Encoder(networks.mlp(4), posterior or heads.DiagonalNormal(2))
    decoder = decoder or tfvae.Decoder(networks.mlp(4), likelihood or heads.Bernoulli(2))
    return tfvae.VAE(encoder, decoder, priors.StandardNormal(2), seed=0)


@pytest.mark.parametrize(
    ("extra", "build", "message"),
    [
        (
            export.EncodeSample,
            lambda: composed(posterior=Logistic(2)),
            r"to offer encode_sample .*: Independent",
        ),
        (export.Score, lambda: zoo.wae_mmd((8, 8, 1), 2), r"to offer score\. Received: a point mass"),
        (export.Impute, lambda: composed(likelihood=heads.FullNormal(2)), r"to offer impute\. Received: "),
        (export.Personalise, lambda: composed(decoder=Bare()), r"to offer personalise\. Received: Bare"),
    ],
)
def test_what_cannot_be_offered_is_refused_by_name(extra, build, message):
    with pytest.raises(ExportError, match=message):
        extra().signatures(build())


def test_a_calibration_of_another_model_is_refused(calibration):
    with pytest.raises(ExportError, match=r"with the model that is exported.*negative ELBO of vae, 5 draws"):
        export.signatures(zoo.vae((8, 8, 1), 4, units=(32,)), extras=[export.IsAnomaly(calibration)])
