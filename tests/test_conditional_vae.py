"""Models of x given a condition: against a linear-Gaussian one, whose evidence is known, and the plain VAE."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import multivariate_normal
from test_ladder import linear

import tfvae
from tfvae import callbacks, data, evaluation, export, heads, networks, objectives, priors, zoo
from tfvae.errors import ExportError, IncompatibleParts
from tfvae.export.verification import saved_model_runner, tflite_runner
from tfvae.objectives import kernels, penalties

SHAPE = (8, 8, 1)


class Linear:
    """z ~ N(A c, s^2), x = W z + V c + b + t e, W with orthogonal columns: p(x | c) and p(z | x, c) are known."""

    s, t = 0.8, 0.6

    def __init__(self, n=100):
        rng = np.random.default_rng(0)
        self.A, self.V, self.b = rng.normal(size=[3, 2]), rng.normal(size=[5, 2]), rng.normal(size=5)
        self.W = np.linalg.qr(rng.normal(size=[5, 3]))[0] * rng.uniform(0.5, 2.0, 3)
        self.c = rng.normal(size=[n, 2]).astype("float32")
        covariance = self.s**2 * self.W @ self.W.T + self.t**2 * np.eye(5)
        means = self.c @ (self.W @ self.A + self.V).T + self.b
        self.x = (means + rng.multivariate_normal(np.zeros(5), covariance, n)).astype("float32")
        self.log_px = multivariate_normal(np.zeros(5), covariance).logpdf(self.x - means)

    def model(self, widen=1.0):
        """The model, its posterior exact but for `widen` times the scales."""
        encoder = tfvae.Encoder(networks.Concatenated(networks.mlp()), heads.DiagonalNormal(3))
        decoder = tfvae.Decoder(networks.Concatenated(networks.mlp()), heads.Normal(5, self.t))
        prior = tfvae.Conditional(networks.mlp(), heads.DiagonalNormal(3))
        model = tfvae.ConditionalVAE(encoder, decoder, prior, 2, seed=0)
        linear(prior, self.A, np.zeros(3), self.s)
        decoder.head.projection.linear.set_weights([np.concatenate([self.W, self.V], 1).T, self.b])
        precision = np.sum(self.W**2, 0) / self.t**2 + self.s**-2
        of_x = self.W.T / self.t**2 / precision[:, None]
        of_c = (self.A / self.s**2 - self.W.T @ self.V / self.t**2) / precision[:, None]
        linear(encoder, np.concatenate([of_x, of_c], 1), -of_x @ self.b, widen * precision**-0.5)
        return model


TRUTH = Linear()
PAIR = (TRUTH.x, TRUTH.c)


def test_bound_is_the_conditional_evidence_at_the_true_posterior():
    model = TRUTH.model()
    assert model.fits.exact_rate
    bound = evaluation.elbo(model, PAIR, samples=2000, progress=False)
    assert bound.elbo == pytest.approx(TRUTH.log_px.mean(), abs=0.02)
    evidence = evaluation.log_evidence(model, PAIR, samples=2, progress=False)
    np.testing.assert_allclose(evidence.per_example, TRUTH.log_px, atol=2e-3)  # every weight is the evidence


def test_evidence_is_found_from_a_wrong_posterior():
    model = TRUTH.model(widen=1.4)
    evidence = evaluation.log_evidence(model, PAIR, samples=4000, progress=False)
    assert abs(evidence.mean - TRUTH.log_px.mean()) < 4 * evidence.monte_carlo_error + evidence.bias
    assert evaluation.elbo(model, PAIR, 500, progress=False).elbo < TRUTH.log_px.mean() - 0.1
    few = {"x": TRUTH.x[:20], "c": TRUTH.c[:20]}
    for from_prior in (False, True):
        chains = evaluation.annealed_importance(model, few, 60, 8, from_prior=from_prior, progress=False)
        assert abs(chains.mean - TRUTH.log_px[:20].mean()) < 4 * chains.monte_carlo_error + 0.02


def test_rates_are_those_of_the_conditional_prior():
    found = evaluation.rate_per_dimension(TRUTH.model(), PAIR, progress=False)
    trace = TRUTH.model().trace({"x": tf.constant(TRUTH.x), "c": tf.constant(TRUTH.c)})
    assert found.total == pytest.approx(float(tf.reduce_mean(trace.rate)), rel=1e-5)
    assert evaluation.active_units(TRUTH.model(), PAIR, progress=False).count == 3


def small(prior=None, encoder=None, condition=10, **options):
    encoder = encoder or tfvae.Encoder(networks.Concatenated(networks.mlp(16)), heads.DiagonalNormal(3))
    decoder = tfvae.Decoder(networks.Concatenated(networks.mlp(16)), heads.Bernoulli(SHAPE))
    return tfvae.ConditionalVAE(encoder, decoder, prior or priors.StandardNormal(3), condition, **options)


@pytest.fixture(scope="module")
def splits():
    return data.load("digits", batch_size=64, binarization=data.StaticBinarization()).conditioned()


def test_a_condition_that_carries_nothing_leaves_the_vae(splits):
    """With the condition's weights zero, draws and every term are those of a VAE with the others."""
    model = small(seed=1)
    encoder = tfvae.Encoder(networks.mlp(16), heads.DiagonalNormal(3))
    plain = tfvae.VAE(encoder, tfvae.Decoder(networks.mlp(16), heads.Bernoulli(SHAPE)), priors.StandardNormal(3))
    for ours, theirs in ((plain.encoder, model.encoder), (plain.decoder, model.decoder)):
        kernel, *others = theirs.get_weights()
        kernel[-10:] = 0.0  # the last rows are those of c
        theirs.set_weights([kernel, *others])
        ours.set_weights([kernel[:-10], *others])
    batch = splits.examples("test")
    one, other = model.trace(batch, 3, 5), plain.trace(batch["x"], 3, 5)
    for name in ("z", "log_px", "log_pz", "log_qz", "rate"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=2e-5, atol=2e-5, err_msg=name)
    np.testing.assert_allclose(model.sample(4, 2, c=3), plain.sample(4, 2), atol=1e-6)
    found = [evaluation.log_evidence(m, x, 20, progress=False).mean for m, x in ((model, batch), (plain, batch["x"]))]
    assert found[0] == pytest.approx(found[1], abs=1e-4)


def test_every_form_of_the_data_gives_the_same_numbers(splits):
    batch, labels = splits.examples("test"), splits.labels["test"]
    forms = [
        ((batch,), {}), ((batch["x"], labels), {}), ((batch["x"], batch["c"]), {}), (((batch["x"], labels),), {}),
        ((splits.test,), {}), ((tf.data.Dataset.from_tensor_slices((batch["x"], labels)).batch(90),), {}),
        ((batch["x"], labels), {"sample_weight": np.ones(len(labels))}),
    ]  # fmt: skip
    model, found = zoo.cvae(SHAPE, 3, units=(16,), seed=0), []
    model.compile("adam")
    for arguments, options in forms:
        found.append(model.evaluate(*arguments, batch_size=90, verbose=0, **options))
    np.testing.assert_allclose(found, [found[0]] * len(forms), rtol=1e-5)
    evidences = [evaluation.elbo(model, form[0] if len(form) == 1 else form, progress=False).elbo for form, _ in forms]
    np.testing.assert_allclose(evidences, [evidences[0]] * len(forms), rtol=1e-6)


def test_fit_takes_each_example_with_its_own_condition(splits):
    """Batches of the data keep x and c together, from every epoch on, and so do arrays that fit shuffles."""
    labels = {x.tobytes(): c for x, c in zip(*splits.examples("train").values(), strict=True)}
    for batch in splits.train_from(25).take(30):
        x, c = batch["x"].numpy(), batch["c"].numpy()
        assert all((labels[one.tobytes()] == each).all() for one, each in zip(x, c, strict=True))
    x = np.repeat(np.arange(200.0, dtype="float32")[:, None], 2, 1)
    encoder = tfvae.Encoder(networks.Concatenated(networks.mlp()), heads.DiagonalNormal(1))
    decoder = tfvae.Decoder(networks.Concatenated(networks.mlp()), heads.Normal(2, 1.0))
    model = tfvae.ConditionalVAE(encoder, decoder, priors.StandardNormal(1), 2, seed=0)
    for part in (encoder, decoder):
        part.set_weights([np.zeros_like(w) for w in part.get_weights()])
    projection = decoder.head.projection.linear
    projection.set_weights([np.array([[0, 0], [1, 0], [0, 1]], "float32"), np.zeros(2)])  # the mean is c
    model.compile(keras.optimizers.SGD(0.0))
    history = model.fit(x, x, epochs=2, batch_size=32, verbose=0).history
    np.testing.assert_allclose(history["distortion"], np.log(2 * np.pi), rtol=1e-5)  # no error at all


def test_resumes_bit_for_bit(splits, tmp_path):
    def run(epochs, path):
        keras.utils.set_random_seed(0)
        model = small(seed=3)
        model.compile(keras.optimizers.Adam(1e-2))
        model.fit(splits.train, epochs=epochs, callbacks=[callbacks.Checkpoint(tmp_path / path)], verbose=0)
        return model

    whole = run(3, "a.keras")
    run(1, "b.keras")
    for one, other in zip(whole.get_weights(), run(3, "b.keras").get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_images_as_conditions_of_convolutions(tmp_path):
    """The left half of an image as a channel, the right half to be found; every format agrees, NaN included."""
    images = data.load("digits", binarization=data.StaticBinarization()).array("train")[:256]
    x, c = images[:, :, 4:], images[:, :, :4]
    encoder = tfvae.Encoder(networks.AsChannels(networks.conv(4, 8)), heads.DiagonalNormal(3))
    decoder = tfvae.Decoder(networks.Concatenated(networks.mlp(16)), heads.Bernoulli((8, 4, 1)))
    prior = tfvae.Conditional(networks.conv(4, 8), heads.DiagonalNormal(3))
    model = tfvae.ConditionalVAE(encoder, decoder, prior, (8, 4, 1), objectives.IWAE(3), seed=0)
    model.compile(keras.optimizers.Adam(1e-2))
    losses = model.fit(x, c, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0] - 2
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.sample(5, 1, c[:5]), model.sample(5, 1, c[:5]))
    export.saved_model(model, tmp_path / "1")
    export.tflite(model, tmp_path / "m.tflite", source=tmp_path / "1")
    gap = c[:3].copy()
    gap[1, 2, 2] = np.nan
    seed = np.array([5, 6], np.int32)
    for run in (saved_model_runner(tmp_path / "1"), tflite_runner(tmp_path / "m.tflite")):
        drawn = run("generate", {"c": c[:5], "seed": seed})
        np.testing.assert_allclose(drawn["x"], model.sample(5, (5, 6), c[:5]), atol=1e-5)
        for name, given in (("serving_default", {"x": x[:3]}), ("elbo", {"x": x[:3], "seed": seed}),
                            ("generate", {"seed": seed}), ("decode", {"z": np.zeros([3, 3], "float32")})):  # fmt: skip
            for value in run(name, {**given, "c": gap}).values():
                broken = np.isnan(value.reshape(3, -1))
                assert broken[1].all() and not broken[[0, 2]].any(), name


def test_channels_stand_beside_the_image():
    image, label = np.random.default_rng(0).normal(size=[2, 4, 4, 1]).astype("float32"), np.eye(3, dtype="float32")[:2]
    layer = networks.AsChannels(keras.layers.Identity())
    joined = layer([image, label, 2 * image]).numpy()
    np.testing.assert_array_equal(joined[..., :1], image)
    np.testing.assert_array_equal(joined[..., 1:4], np.broadcast_to(label[:, None, None], [2, 4, 4, 3]))
    np.testing.assert_array_equal(joined[..., 4:], 2 * image)


@pytest.mark.parametrize("given", [1, 2, 3])
def test_quadrants_divide_and_join(given):
    images = np.arange(2 * 4 * 6).reshape(2, 4, 6, 1).astype("float32")
    quadrants = data.Quadrants(given)
    x, c = quadrants.divide(images)
    assert c.shape == (2, 6 * given) and x.shape == (2, 24 - 6 * given)
    np.testing.assert_array_equal(quadrants.join(x, c, (4, 6, 1)), images)
    for one, other in zip(quadrants.divide(tf.constant(images)), (x, c), strict=True):
        np.testing.assert_array_equal(one, other)
    assert images[0, 3, 0, 0] in c[0] and images[0, 3, 5, 0] in x[0]  # lower left first, lower right never


CLASSES = np.arange(5)
X = np.zeros([5, *SHAPE], "float32")
MISTAKES = {
    "no condition in fit": (lambda m: m.fit(X, verbose=0), "examples with a condition"),
    "a condition of another shape": (lambda m: m.fit(X, np.zeros([5, 9]), verbose=0), r"c of shape \[B, 10\]"),
    "a class out of range": (lambda m: m.evaluate(X, CLASSES + 6, verbose=0), "numbers of 10 classes, 0 to 9"),
    "NaN in the condition": (lambda m: m.fit(X, np.full([5, 10], np.nan), verbose=0), "real|finite"),
    "fewer conditions than examples": (lambda m: m.fit(X, CLASSES[:4], verbose=0), "5 x and 4 c"),
    "grey x": (lambda m: m.fit(X + 0.5, CLASSES, verbose=0), "the values 0 and 1 only"),
    "a stream without a condition": (
        lambda m: m.fit(tf.data.Dataset.from_tensor_slices(X).batch(2), verbose=0), "examples with a condition",
    ),
    "splits without conditions": (lambda m: m.fit(data.load("digits").train, verbose=0), r"splits\.conditioned\(\)"),
    "samples without a condition": (lambda m: m.sample(3), r"condition of shape \[10\].*c=None"),
    "samples with too few conditions": (lambda m: m.sample(3, c=[1, 2]), "3 conditions"),
    "samples of no class": (lambda m: m.sample(3, c=10), "numbers of 10 classes"),
    "evidence of x alone": (lambda m: evaluation.log_evidence(m, X), "examples with a condition"),
    "what takes no condition": (
        lambda m: evaluation.diagnose(m, (X, CLASSES), progress=False), "model without a condition",
    ),
    "weights in a tuple": (lambda m: m.fit((X, CLASSES, np.ones(5))), "weights as sample_weight="),
    "a list of three": (lambda m: m.evaluate([X, CLASSES, np.ones(5)], verbose=0), "examples with a condition"),
    "one condition for a whole batch": (
        lambda m: m.fit(tf.data.Dataset.from_tensor_slices((X, np.eye(10)[:5])).batch(5).map(lambda x, c: (x, c[:1])),
                        verbose=0), "5 x and 1 c",
    ),
    "a call with x alone": (lambda m: m(X), "examples with a condition"),
    "an extra that takes none": (
        lambda m: export.signatures(m, extras=[export.Impute()]), "to offer impute. Received: ConditionalVAE",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_refuses(mistake):
    run, message = MISTAKES[mistake]
    model = small(seed=0)
    model.compile("adam")
    before = model.get_weights()
    with pytest.raises((ValueError, ExportError), match=message):
        run(model)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_refuses_parts_that_do_not_fit():
    plain = tfvae.Encoder(networks.mlp(16), heads.DiagonalNormal(3))
    with pytest.raises(IncompatibleParts, match=r"encoder to accept inputs of shape \[1, 8, 8, 1\] beside \[1, 10\]"):
        small(encoder=plain)
    with pytest.raises(IncompatibleParts, match="Expected the posterior to have the prior's event shape"):
        small(prior=tfvae.Conditional(networks.mlp(8), heads.DiagonalNormal(4)))
    with pytest.raises(IncompatibleParts, match=r"or p\(z \| c\), a tfvae.Conditional"):
        small(prior=3)
    with pytest.raises(IncompatibleParts, match="encoder of x alone"):
        small(prior=priors.VampPrior(small().encoder, 3, SHAPE))
    with pytest.raises(ValueError, match="list of inputs"):
        small().encoder.network(np.zeros([2, 74], "float32"))
    with pytest.raises(IncompatibleParts, match="one direction"):
        objective = objectives.ELBO(penalties=[penalties.GradientPenalty(1.0, directions=2)])
        small(objective=objective)
    with pytest.raises(ValueError, match=r"before conditioned\(\)"):
        plain = zoo.vae(SHAPE, 2, units=(4,))
        plain.compile("adam")
        plain.fit(data.load("digits", binarization=data.StaticBinarization()).conditioned().train, verbose=0)
    with pytest.raises(ValueError, match="condition_shape"):
        small(condition=())
    with pytest.raises(ValueError, match="this model has none"):
        zoo.vae(SHAPE, 2, units=(4,)).sample(2, c=3)
    with pytest.raises(ValueError, match="one label for each example"):
        data.from_arrays(np.zeros([30, 4], "float32")).conditioned()
    with pytest.raises(ValueError, match="1, 2 or 3 quarters"):
        data.Quadrants(4)
    with pytest.raises(ValueError, match="even height"):
        data.Quadrants(1).divide(np.zeros([2, 5, 4, 1]))


def test_collapse_is_watched_given_the_condition(splits):
    model = small(seed=0)
    model.compile("adam")
    for held_out in (splits.examples("validation"), splits.validation):
        monitor = callbacks.CollapseMonitor(held_out, examples=50)
        history = model.fit(splits.train, epochs=1, callbacks=[monitor], verbose=0).history
        assert 0 < history["active_units"][0] <= 3 and "mutual_information" not in history


def test_numbers_of_classes_are_one_for_each_sample():
    """As many numbers as there are classes are no vector; a vector, or one row, is for all."""
    model = small(seed=0)
    each = model.sample(10, 0, c=np.arange(10))
    np.testing.assert_array_equal(each, model.sample(10, 0, c=np.eye(10)))
    for one in (3, np.eye(10)[3], np.eye(10)[3:4]):
        np.testing.assert_array_equal(model.sample(10, 0, c=one)[3], each[3])
    with pytest.raises(ValueError, match="5 conditions"):
        model.sample(5, c=np.arange(10))


def test_a_posterior_that_is_the_conditional_prior_has_no_active_units():
    rng = np.random.default_rng(0)
    model, kernel = zoo.cvae(SHAPE, 3, units=(), seed=0), np.zeros([10, 6])
    kernel[:, :3] = rng.normal(size=[10, 3])
    model.prior.head.projection.linear.set_weights([kernel, np.zeros(6)])
    model.encoder.head.projection.linear.set_weights([np.concatenate([np.zeros([64, 6]), kernel]), np.zeros(6)])
    batch = (np.zeros([40, *SHAPE], "float32"), np.arange(40) % 10)
    assert evaluation.elbo(model, batch, progress=False).rate == pytest.approx(0.0, abs=1e-6)
    assert evaluation.active_units(model, batch, progress=False).count == 0


def test_tensors_that_nobody_checked_are_taken_in_every_form(splits):
    batch, labels = splits.examples("test"), splits.labels["test"]
    model = zoo.cvae(SHAPE, 3, units=(16,), seed=0)
    means = model.predict(batch, verbose=0)
    for form in (batch, (batch["x"], labels), [batch["x"], batch["c"]], {"x": batch["x"], "c": labels}):
        np.testing.assert_allclose(model(form), means, atol=1e-5)
    np.testing.assert_allclose(model.reconstruct((batch["x"], labels)), means, atol=1e-5)
    model.compile("adam")
    assert np.isfinite(model.train_on_batch(batch["x"][:8], batch["c"][:8])).all()


@pytest.mark.parametrize("penalty", [penalties.MMD(1.0, kernels.RBF()), penalties.GradientPenalty(1.0)])
def test_penalties_know_the_prior_of_each_example(splits, penalty):
    prior = tfvae.Conditional(networks.mlp(), heads.DiagonalNormal(3))
    model = small(prior, objective=objectives.ELBO(penalties=[penalty]), seed=0)
    model.compile("adam")
    assert np.isfinite(model.fit(splits.train, epochs=1, verbose=0).history["loss"]).all()
