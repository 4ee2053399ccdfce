"""The mistakes that VAE code is known for, each made on purpose beside what the library does."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from oracle import linear_gaussian
from scipy.special import logsumexp, softmax

import tfvae
from tfvae import data, evaluation, heads, networks, objectives, priors, zoo
from tfvae.data import sources
from tfvae.errors import IncompatibleParts

STEP = tf.constant(0)
GREY = np.random.default_rng(0).uniform(0.01, 0.99, [6, 4, 4, 1]).astype("float32")


@pytest.fixture(scope="module")
def case():
    made = linear_gaussian(2, 5, widen=1.4, shift=0.3, n=50, dtype="float64")
    made.model.fits = made.model.fits._replace(compiles=False)  # XLA takes longer than the work
    return made


# Grey pixels under a Bernoulli ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        lambda model, x: model.fit(x, verbose=0),
        lambda model, x: model.fit(tf.data.Dataset.from_tensor_slices(x).batch(3), verbose=0),
        lambda model, x: evaluation.log_evidence(model, x, 3, progress=False),
        lambda model, x: evaluation.elbo(model, x, progress=False),
        lambda model, x: evaluation.annealed_importance(model, x, 3, 2, progress=False),
    ],
    ids=["fit", "fit_stream", "log_evidence", "elbo", "annealed_importance"],
)
def test_grey_pixels_under_a_bernoulli_are_refused(use):
    model = zoo.vae((4, 4, 1), 2, units=(4,), seed=0)
    model.compile("adam")
    with pytest.raises(ValueError, match=r"(?s)0 and 1 only.*Binarise grey images.*for grey values.*Received"):
        use(model, GREY)


def test_a_bernoulli_is_no_density_of_grey_values_and_what_is_missing():
    """Integrated over [0, 1], p^x (1 - p)^(1 - x) is not 1; the continuous Bernoulli has the constant, and is."""
    grid, logits = np.linspace(0, 1, 2001), np.array([-3.0, -0.4, 2.0])
    scored = heads.ContinuousBernoulli(3).distribution(tf.constant(logits[None], tf.float32))
    x = np.repeat(grid[:, None], 3, 1).astype("float32")
    each = np.stack([scored.distribution.log_prob(x)], -1)[..., 0]  # [2001, 3]
    plain = grid[:, None] * logits - np.log1p(np.exp(logits))
    np.testing.assert_allclose(np.trapezoid(np.exp(each), grid, axis=0), 1.0, rtol=1e-4)
    masses = np.trapezoid(np.exp(plain), grid, axis=0)
    assert (masses < 0.6).all()
    np.testing.assert_allclose(each - plain, np.broadcast_to(-np.log(masses), each.shape), atol=1e-3)


# Values that are missing under a network that cannot take them --------------------------------------------------------


@pytest.mark.parametrize("event_shape", [1, 3, (4, 4, 1)])
def test_an_encoder_that_turns_gaps_into_nan_is_refused(event_shape):
    """Its evidence, and all that is imputed, would be NaN wherever a value is missing."""
    decoder = tfvae.Decoder(networks.mlp(4), heads.Incomplete(heads.Normal(event_shape)))
    blind = tfvae.Encoder(networks.mlp(4), heads.DiagonalNormal(2))
    with pytest.raises(IncompatibleParts, match=r"networks\.FillMissing\(\).*Received: encoder='.*NaN"):
        tfvae.VAE(blind, decoder, priors.StandardNormal(2))
    told = tfvae.Encoder(keras.Sequential([networks.FillMissing(), *networks.mlp(4).layers]), heads.DiagonalNormal(2))
    model = tfvae.VAE(told, decoder, priors.StandardNormal(2), seed=0)
    gaps = np.full([2, *model.fits.event_shape], np.nan, "float32")
    assert np.isfinite(evaluation.log_evidence(model, gaps, 3, progress=False).per_example).all()
    whole = tfvae.Decoder(networks.mlp(4), heads.Normal(event_shape))
    tfvae.VAE(tfvae.Encoder(networks.mlp(4), heads.DiagonalNormal(2)), whole, priors.StandardNormal(2))  # no gaps: fine


# Means where sums belong ---------------------------------------------------------------------------------------------


def bernoulli(size, weights, bias, reads):
    """A linear model of `size` pixels whose encoder looks at `reads` of them."""
    encoder = tfvae.Encoder(networks.mlp(), heads.DiagonalNormal(2))
    decoder = tfvae.Decoder(networks.mlp(), heads.Bernoulli(size))
    model = tfvae.VAE(encoder, decoder, priors.StandardNormal(2), seed=0)
    model.fits = model.fits._replace(compiles=False)  # XLA takes longer than the work
    decoder.head.projection.linear.set_weights([weights, bias])
    kernel, offset = encoder.head.projection.linear.get_weights()
    kernel = np.random.default_rng(2).normal(0, 0.5, kernel.shape)
    kernel[reads:] = 0.0
    encoder.head.projection.linear.set_weights([kernel, offset])
    return model


def reduced_by_a_mean(trace):
    """The mistake: cross-entropy averaged over the pixels, as most frameworks' losses do, plus the rate's sum."""
    x = tf.broadcast_to(trace.x, trace.px.mean().shape)
    return tf.reduce_mean(keras.losses.binary_crossentropy(x, trace.px.mean()), 0)


def test_twice_the_pixels_are_twice_the_distortion_and_the_same_rate():
    rng = np.random.default_rng(1)
    weights, bias, x = rng.normal(size=[2, 30]), rng.normal(size=30), rng.integers(0, 2, [7, 30]).astype("float32")
    small, large = bernoulli(30, weights, bias, 30), bernoulli(60, np.tile(weights, 2), np.tile(bias, 2), 30)
    kernel = small.encoder.head.projection.linear.get_weights()
    large.encoder.head.projection.linear.set_weights([np.concatenate([kernel[0], 0 * kernel[0]]), kernel[1]])
    one, two = small.trace(x, 3, seed=4), large.trace(np.tile(x, 2), 3, seed=4)
    np.testing.assert_allclose(two.distortion, 2 * one.distortion, rtol=1e-5)
    np.testing.assert_allclose(two.rate, one.rate, rtol=1e-5)
    np.testing.assert_allclose(reduced_by_a_mean(two), reduced_by_a_mean(one), rtol=1e-5)  # breaks the law
    for model, images, trace in ((small, x, one), (large, np.tile(x, 2), two)):
        loss = -model.objective.bound(trace, STEP)
        np.testing.assert_allclose(loss, trace.rate + trace.distortion, rtol=1e-6)
        found = evaluation.elbo(model, images, 3, seed=4, progress=False)
        np.testing.assert_allclose(-found.per_example, loss, rtol=1e-5)


def test_a_loss_reduced_by_a_mean_is_off_by_the_number_of_pixels_and_is_no_bound():
    """On 28 x 28 images its reconstruction is 784 times too small: the rate is weighed as with beta = 784."""
    x = np.random.default_rng(0).integers(0, 2, [5, 28, 28, 1]).astype("float32")
    keras.utils.set_random_seed(0)
    model = zoo.vae((28, 28, 1), 2, units=(8,), seed=0)
    trace = model.trace(x, 1, seed=3)
    flat = (tf.reshape(x, [5, 784]), tf.reshape(trace.px.mean(), [5, 784]))
    wrong = keras.losses.binary_crossentropy(*flat)
    np.testing.assert_allclose(trace.distortion / wrong, 784.0, rtol=1e-3)
    off = 784.0 * (wrong + trace.rate)
    np.testing.assert_allclose(off, -objectives.ELBO(beta=784.0).bound(trace, STEP), rtol=1e-3)
    assert (-wrong - trace.rate > -50.0).numpy().all()  # "nats" that no model of 784 fair coins can have
    assert (trace.elbo < -400.0).numpy().all()
    # The same with the rate: a mean over z is too small by its length, beta = 1 / D.
    q = trace.q
    halved = tf.reduce_mean(0.5 * (q.mean() ** 2 + q.variance() - 1 - tf.math.log(q.variance())), -1)
    np.testing.assert_allclose(trace.rate, 2.0 * halved, rtol=1e-4, atol=1e-5)  # a rate near 0 is a difference


def test_the_loss_of_a_batch_is_that_of_its_examples_however_often_they_occur():
    """With a decoder that ignores z no noise is left, so that the loss must be the same to rounding."""
    x = np.random.default_rng(1).integers(0, 2, [10, 12]).astype("float32")
    model = bernoulli(12, np.zeros([2, 12]), np.linspace(-2, 2, 12), 12)
    model.compile("sgd")
    once = model.evaluate(x, batch_size=10, verbose=0, return_dict=True)
    for images, batch in ((np.concatenate([x, x]), 20), (x, 5)):
        again = model.evaluate(images, batch_size=batch, verbose=0, return_dict=True)
        assert again == pytest.approx(once, rel=1e-5)
    logits = np.linspace(-2, 2, 12)
    exact = (np.log1p(np.exp(logits)) - x * logits).sum(1).mean()  # a sum over pixels, a mean over the batch
    assert once["distortion"] == pytest.approx(exact, rel=1e-5)
    assert once["loss"] == pytest.approx(exact + once["rate"], rel=1e-5)


# Importance weights in the wrong place -------------------------------------------------------------------------------

SAMPLES = 6


def drawn(case):
    """The same draws for four examples, whatever the weights."""
    return case.model.trace(tf.constant(case.x[:4]), SAMPLES, seed=8)


def flat_gradient(case, loss):
    """The gradient of a function of the trace, at these draws, as one vector."""
    weights = [w.value for w in case.model.trainable_variables]
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(loss(drawn(case)))
    return np.concatenate([np.ravel(g) for g in tape.gradient(value, weights)])


def shares(trace):
    """w_k / sum w, in NumPy, with no gradient."""
    return softmax(trace.log_weights.numpy(), 0)


def test_the_gradient_of_iwae_is_that_of_log_weights_by_their_shares(case):
    """The normalised weights of Burda et al., Eq. (14), held fixed, computed in NumPy."""
    ours = flat_gradient(case, lambda t: objectives.IWAE(SAMPLES).bound(t, STEP))
    formula = flat_gradient(case, lambda t: tf.reduce_sum(tf.constant(shares(t)) * t.log_weights, 0))
    np.testing.assert_allclose(ours, formula, rtol=1e-8, atol=1e-12)


def test_the_gradient_of_iwae_is_the_slope_of_the_bound_on_the_same_draws(case):
    """Along six directions through all weights, by differences of fourth order: z is rounded to float32 on its way."""
    weights = case.model.trainable_variables
    kept = [w.numpy() for w in weights]

    def bound(direction, step):
        parts = np.split(direction, np.cumsum([w.size for w in kept])[:-1])
        for weight, value, part in zip(weights, kept, parts, strict=True):
            weight.assign(value + step * part.reshape(value.shape))
        return objectives.IWAE(SAMPLES).bound(drawn(case), STEP).numpy().mean()

    ours = flat_gradient(case, lambda t: objectives.IWAE(SAMPLES).bound(t, STEP))
    for direction in np.random.default_rng(0).normal(size=[6, ours.size]):
        one, two = (bound(direction, h) - bound(direction, -h) for h in (1e-3, 2e-3))
        assert direction @ ours == pytest.approx((8 * one - two) / (12 * 1e-3), rel=3e-4, abs=1e-4)
    for weight, value in zip(weights, kept, strict=True):
        weight.assign(value)


MISTAKES = {
    "weights of the loss, so that the worst sample counts most": lambda t: tf.reduce_sum(
        tf.constant(softmax(-t.log_weights.numpy(), 0)) * t.log_weights, 0
    ),
    "weights that are differentiated too": lambda t: tf.reduce_sum(tf.nn.softmax(t.log_weights, 0) * t.log_weights, 0),
    "both": lambda t: tf.reduce_sum(tf.nn.softmax(-t.log_weights, 0) * t.log_weights, 0),
    "the rate in closed form beside the samples": lambda t: tf.reduce_logsumexp(t.log_px, 0) - t.rate,
    "equal weights, the ELBO": lambda t: tf.reduce_mean(t.log_weights, 0),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistaken_gradients_of_iwae_are_told_from_it_on_the_same_draws(case, name):
    ours = flat_gradient(case, lambda t: objectives.IWAE(SAMPLES).bound(t, STEP))
    wrong = flat_gradient(case, MISTAKES[name])
    assert np.linalg.norm(wrong - ours) > 0.1 * np.linalg.norm(ours)


def test_the_loss_that_is_reported_is_the_bound_and_no_surrogate(case):
    """The weighted sum of log weights has the bound's gradient, but lies above it."""
    trace = drawn(case)
    truth = logsumexp(trace.log_weights.numpy(), 0) - np.log(SAMPLES)
    np.testing.assert_allclose(objectives.IWAE(SAMPLES).bound(trace, STEP), truth, rtol=1e-10)
    assert ((shares(trace) * trace.log_weights.numpy()).sum(0) > truth + 0.01).all()


def test_the_rate_in_closed_form_has_no_place_in_an_importance_weighted_bound():
    """At the true posterior every weight is the evidence; with the closed form, the "bound" lies above it."""
    exact = linear_gaussian(2, 5, orthogonal=True, n=40, dtype="float64")
    trace = exact.model.trace(tf.constant(exact.x), 400, seed=1)
    ours = objectives.IWAE(400).bound(trace, STEP).numpy()
    wrong = (tf.reduce_logsumexp(trace.log_px, 0) - np.log(400.0) - trace.rate).numpy()
    np.testing.assert_allclose(ours, exact.log_px, atol=1e-3)
    assert (wrong > exact.log_px + 0.1).all()
    one = exact.model.trace(tf.constant(exact.x), 1, seed=1)  # with one sample it is an estimate of the ELBO
    np.testing.assert_allclose(one.log_px[0] - one.rate, one.elbo, rtol=1e-10)


# A sorted test file --------------------------------------------------------------------------------------------------


def drift(ink, blocks=10, permutations=2000):
    """Chance of a spread between the blocks' means as large as this one, were the order random: no less than 1/2001."""
    rng, parts = np.random.default_rng(0), len(ink) // blocks * blocks
    spread = lambda order: ink[order][:parts].reshape(blocks, -1).mean(1).var()  # noqa: E731
    seen = spread(np.arange(len(ink)))
    more = sum(spread(rng.permutation(len(ink))) >= seen for _ in range(permutations))
    return (more + 1) / (permutations + 1)


def test_a_sorted_file_is_put_in_an_order_whose_prefixes_are_fair(monkeypatch):
    """Ten classes of 500 whose ink differs, one after another, as the original test file of binarised MNIST is."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 500)
    images = (rng.uniform(size=[5000, 20]) < 0.1 + 0.05 * labels[:, None]).astype(np.uint8)
    monkeypatch.setattr(sources, "prepared_builder", lambda *_: None)
    monkeypatch.setattr(sources, "read", lambda *_: [images])
    ink = images.mean(1)
    assert drift(ink) == 1 / 2001  # the test sees what is wrong with the file
    assert abs(ink[:1000].mean() - ink.mean()) > 20 * ink.std() / np.sqrt(1000)
    splits = data.load("binarized_mnist")
    for split in ("validation", "test"):
        ours = splits.array(split).reshape(5000, -1).mean(1)
        assert sorted(ours) == pytest.approx(sorted(ink))
        assert drift(ours) > 1e-3  # of a fixed permutation: never by chance
        assert abs(ours[:1000].mean() - ink.mean()) < 4 * ink.std() / np.sqrt(1000)


def test_prefixes_of_the_real_test_file_are_fair(tfds_dir):
    """The first 1000 images have the mean of all within its standard error, and no block of 1000 stands out."""
    test = data.load("binarized_mnist", data_dir=tfds_dir).array("test")
    ink = test.reshape(len(test), -1).mean(1)
    assert abs(ink[:1000].mean() - ink.mean()) < 3 * ink.std(ddof=1) / np.sqrt(1000)
    assert drift(ink, permutations=1000) > 1e-2
    assert drift(np.sort(ink), permutations=1000) < 2e-3


# Numbers that are not what they are called ---------------------------------------------------------------------------


def test_as_many_samples_are_drawn_as_are_asked_for(case):
    """However many fit in a batch: with one, the estimate is the log weight of one draw."""
    log_w = case.model.trace(tf.constant(case.x), 7, seed=0).log_weights.numpy()  # [S, B]
    for samples in (1, 2, 7):
        found = evaluation.log_evidence(case.model, case.x, samples, progress=False)
        truth = logsumexp(log_w[:samples], 0) - np.log(samples)
        np.testing.assert_allclose(found.per_example, truth, rtol=1e-7)
        assert found.samples == samples and (found.effective_sample_size <= samples * (1 + 1e-9)).all()
    one = evaluation.log_evidence(case.model, case.x, 1, progress=False)
    many = logsumexp(case.model.trace(tf.constant(case.x), 100, seed=0).log_weights.numpy(), 0) - np.log(100)
    assert many.mean() - one.mean > 0.2  # what 100 draws under the name of one would have added


def test_the_spread_of_repeats_is_not_the_error_of_the_mean(case):
    """Repeats with other seeds tell the Monte Carlo error alone; the data's is many times that. Both are printed."""
    runs = [evaluation.log_evidence(case.model, case.x, 300, seed, progress=False) for seed in range(12)]
    record, repeats = runs[0], np.std([run.mean for run in runs], ddof=1)
    assert 0.4 < repeats / record.monte_carlo_error < 1.9  # of 12: beyond by chance less than once in 10,000 times
    assert record.standard_error > 5 * repeats
    text = str(record)
    for error, kind in ((record.standard_error, "(data)"), (record.monte_carlo_error, "(Monte Carlo)")):
        shown = float(text.split(kind)[0].split("±")[-1])
        assert shown == pytest.approx(error, rel=0.05), kind
    assert "K = 300, n = 50" in text and text == record.rows()["log evidence"]
    plain = record.as_json()
    assert plain["standard_error"] == record.standard_error and plain["monte_carlo_error"] == record.monte_carlo_error


def test_a_mean_of_log_weights_is_not_the_evidence(case):
    """The ELBO under the name of log p(x), and its two errors swapped: a mean of logs lies below the log of a mean."""
    log_w = case.model.trace(tf.constant(case.x), 400, seed=2).log_weights.numpy()
    found = evaluation.log_evidence(case.model, case.x, 400, seed=2, progress=False)
    np.testing.assert_allclose(found.per_example, logsumexp(log_w, 0) - np.log(400), rtol=1e-7)
    assert log_w.mean() < found.mean - 0.2
    assert abs(found.mean - case.log_px.mean()) < 5 * found.monte_carlo_error
