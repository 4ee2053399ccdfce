"""Codes as latents: against enumeration of all codes, closed forms of codebooks, and the formulas of the papers."""

import contextlib
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from scipy.special import logsumexp

import tfvae
from tfvae import evaluation, export, heads, networks, objectives, priors, zoo
from tfvae.distributions import AutoregressiveCodes, CodePoint, IndependentCodes, centre, moments, proposal
from tfvae.distributions.codes import choose
from tfvae.errors import ExportError, IncompatibleParts
from tfvae.models.quantized import Perplexity
from tfvae.objectives import penalties
from tfvae.random import Seed, as_seed, draw, draw_and_score, has_rule

SHAPE = (3, 2, 1)
QUANTIZERS = {
    "vector": lambda **k: heads.VectorQuantizer(4, 3, **k),
    "by gradient": lambda **k: heads.VectorQuantizer(4, 3, heads.ByGradient(), **k),
    "residual": lambda **k: heads.ResidualQuantizer(2, 3, 2, **k),
    "scalar": lambda **k: heads.FiniteScalar((2, 3), **k),
}
POSITIONS = 2


def random_weights(layer, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        weight.assign(rng.normal(0, scale, weight.shape))


def transformer(quantizer, positions=POSITIONS, **options):
    network = networks.CausalTransformer(
        quantizer.codes, positions * quantizer.depth, depth=quantizer.depth, width=8, blocks=1, heads=2, **options
    )
    random_weights(network, 0.5)
    return network


def autoregressive(quantizer, positions=POSITIONS):
    return priors.AutoregressiveCodes(quantizer, positions, transformer(quantizer, positions))


def model_of(name="vector", prior=autoregressive, seed=0):
    """Weights far from where they begin, so that the evidence differs from the bound, and codes from each other."""
    keras.utils.set_random_seed(1)
    quantizer = QUANTIZERS[name]()
    encoder = tfvae.Encoder(networks.mlp(8), heads.Quantized(quantizer, POSITIONS))
    begin = networks.CodeGrid(POSITIONS, quantizer.depth)
    decoder = tfvae.Decoder(keras.Sequential([begin, *networks.mlp(8).layers]), heads.Bernoulli(SHAPE))
    objective = objectives.ELBO(penalties=(penalties.Codebook(1.0),) if name == "by gradient" else ())
    model = tfvae.QuantizedVAE(encoder, decoder, prior(quantizer), objective, seed=seed)
    random_weights(decoder, 0.5)
    random_weights(encoder.network, 1.0)
    return model


def every_code(model):
    p = model.prior()
    return np.array(list(itertools.product(range(p.quantizer.codes), repeat=p.length)), "int32")  # [C, M]


def data(n=12, seed=0):
    return np.random.default_rng(seed).integers(0, 2, [n, *SHAPE]).astype("float32")


# Against enumeration -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "prior"), [("vector", autoregressive), ("residual", autoregressive),
                        pytest.param("scalar", autoregressive, marks=pytest.mark.slow),  # two minutes
                        ("vector", lambda quantizer: priors.UniformCodes(quantizer, POSITIONS))]
)  # fmt: skip
def test_bound_and_evidence_are_those_of_the_sum_over_all_codes(name, prior):
    model, x = model_of(name, prior), data()
    p, codes = model.prior(), every_code(model)
    log_mass = p.log_mass(codes).numpy()
    assert logsumexp(log_mass) == pytest.approx(0, abs=1e-5)
    z = p.embed(codes)  # [C, D]
    log_px = model.decoder(z[:, None]).log_prob(x).numpy()  # [C, B]
    truth = logsumexp(log_px + log_mass[:, None], axis=0)
    mine = model.encode_codes(x)  # [B, M]
    at = np.array([np.flatnonzero((codes == own).all(1))[0] for own in mine])
    trace = model.trace(tf.constant(x), 3, seed=1)
    np.testing.assert_allclose(trace.elbo, log_px[at, np.arange(len(x))] + log_mass[at], rtol=1e-5)
    np.testing.assert_allclose(trace.rate, -log_mass[at], rtol=1e-5)
    np.testing.assert_allclose(tfvae.distributions.CodePoint.kl_divergence(trace.q, p), trace.rate, rtol=1e-5)
    assert (truth > trace.elbo.numpy() + 0.01).all()
    found = evaluation.log_evidence(model, x, samples=4000, seed=2, progress=False)
    log_q = proposal(trace.q).log_mass(codes[:, None]).numpy()  # [C, B]
    variance = np.exp(2 * (log_px + log_mass[:, None] - truth) - log_q).sum(0) - 1  # of one weight over p(x)
    assert np.abs(np.expm1(found.per_example - truth) / np.sqrt(variance / 4000)).max() < 5
    if name != "residual":  # whose 81 codes want more draws
        assert found.mean == pytest.approx(truth.mean(), abs=5 * found.monte_carlo_error + found.bias)
        assert found.monte_carlo_error < 0.1


def test_a_uniform_prior_costs_the_logarithm_of_all_codes():
    for name, count in (("vector", 4**2), ("residual", 3**4), ("scalar", 6**2)):
        model = model_of(name, lambda quantizer: priors.UniformCodes(quantizer, POSITIONS))
        np.testing.assert_allclose(model.trace(tf.constant(data()), 1, 0).rate, np.log(count), rtol=1e-6)


def test_the_proposal_leaves_out_no_code_and_keeps_all_in_a_third_of_its_draws():
    for name in QUANTIZERS:
        model = model_of(name)
        q = model.encoder(tf.constant(data()))
        around, codes = proposal(q), every_code(model)
        log_mass = around.log_mass(codes[:, None]).numpy()  # [C, B]
        np.testing.assert_allclose(logsumexp(log_mass, axis=0), 0, atol=1e-5)
        assert np.isfinite(log_mass).all() and (around.log_mass(q.codes).numpy() > -1).all()
    normal = tfvae.zoo.vae(SHAPE, 2).encoder(tf.constant(data()))
    assert proposal(normal) is normal


# The distributions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUANTIZERS)
def test_draws_fit_their_probabilities_and_depend_on_their_own_place_alone(name, seed):
    """A chi-square over all codes, which fails by chance at 1e-5 each."""
    model = model_of(name)
    q = model.encoder(tf.constant(data(3)))
    codes, n = every_code(model), 4000
    for p in (model.prior(), proposal(q)):
        z, score = draw_and_score(p, n, as_seed(seed))
        np.testing.assert_allclose(score, p.log_prob(z), rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(draw(p, n, as_seed(seed)), z)
        np.testing.assert_allclose(draw(p, 20, Seed(as_seed(seed).words, sample=50)), z[50:70], rtol=1e-6)
        drawn = p.read(z).numpy().reshape(n, -1, p.length)[:, 0]
        counts = (drawn[:, None] == codes).all(-1).sum(0)
        mass = np.exp(
            p.log_mass(codes if not p.batch_shape else codes[:, None])
            .numpy()
            .reshape(len(codes), -1)[:, 0]
            .astype("float64")
        )
        common = n * mass > 5
        expected = np.append(n * mass[common], n * mass[~common].sum() + 1e-9)
        got = np.append(counts[common], counts[~common].sum())
        keep = expected > 1e-3
        assert got[~keep].sum() == 0
        assert stats.chisquare(got[keep], expected[keep] * n / expected[keep].sum()).pvalue > 1e-5
        assert has_rule(p) and p.sample(7, seed=3).shape == (7, *p.batch_shape, *p.event_shape)
    point = draw(q, 2, as_seed(0))
    np.testing.assert_array_equal(point[0], centre(q))
    np.testing.assert_array_equal(q.log_prob(point), np.zeros([2, 3]))
    np.testing.assert_array_equal(moments(q)[1], 0.0)
    other = q.embed((q.codes + 1) % q.quantizer.codes)
    assert np.isneginf(q.log_prob(other)).all()


def test_choosing_is_the_inverse_of_the_distribution_function(seed):
    rng = np.random.default_rng(seed)
    for size in (2, 3, 7, 8, 100):
        logits = rng.normal(0, 3, [5, size]).astype("float32")
        logits[0, -1] = logits[1, 0] = -np.inf
        edges = np.cumsum(np.exp(logits - logsumexp(logits, axis=1, keepdims=True)), 1)
        unit = rng.uniform(0.001, 0.999, [200, 5]).astype("float32")
        truth = (edges <= unit[..., None] * edges[:, -1:]).sum(-1)
        assert np.mean(choose(tf.constant(logits), tf.constant(unit)) == truth) > 0.998  # rounding at an edge


@pytest.mark.parametrize("depth", [1, 2])
def test_the_transformer_sees_what_came_before_and_nothing_else(depth):
    network = networks.CausalTransformer(5, 6, depth=depth, width=8, blocks=2, heads=2)
    random_weights(network, 0.5)
    codes = np.random.default_rng(0).integers(0, 5, [1, 6]).astype("int32")
    changed = np.repeat(codes, 6, 0)
    np.fill_diagonal(changed, (np.diag(changed) + 1) % 5)
    moved = np.abs(network(changed) - network(codes)).max(-1) > 1e-4  # [changed code, logits]
    np.testing.assert_array_equal(moved, np.triu(np.ones([6, 6]), 1) > 0)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(network))
    again.set_weights(network.get_weights())
    np.testing.assert_array_equal(again(codes), network(codes))


def test_the_gradient_of_the_rate_reaches_the_prior_alone():
    model = model_of("by gradient")
    with tf.GradientTape() as tape:
        rate = tf.reduce_mean(model.trace(tf.constant(data()), 1, 0).rate)
    values = {w.path: w.value for w in model.trained_variables}
    gradients = dict(zip(values, tape.gradient(rate, [*values.values()]), strict=True))
    reached = {path for path, gradient in gradients.items() if gradient is not None and np.abs(gradient).max() > 0}
    assert reached == {w.path for w in model.prior.network.trainable_weights}


# Quantisers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", QUANTIZERS)
def test_codes_are_read_from_their_embeddings_and_the_gradient_goes_straight_through(name, dtype):
    quantizer = QUANTIZERS[name](dtype=dtype)
    every = np.array(list(itertools.product(range(quantizer.codes), repeat=quantizer.depth)), "int32")
    np.testing.assert_array_equal(quantizer.read(quantizer.embed(every)), every)
    h = tf.constant(np.random.default_rng(0).normal(size=[5, POSITIONS, quantizer.features]), dtype)
    q = CodePoint(quantizer, h)
    weights = tf.constant(np.random.default_rng(1).normal(size=[5, POSITIONS, quantizer.features]), dtype)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(h)
        z = draw(CodePoint(quantizer, h), 1, as_seed(0))[0]
        total = tf.reduce_sum(tf.reshape(z, [5, POSITIONS, quantizer.depth, -1]), 2)  # what CodeGrid gives
        out = tf.reduce_sum(weights * total)
        bounded = tf.reduce_sum(weights * quantizer.bounded(h) / [1.0, 1.0]) if name == "scalar" else None
    np.testing.assert_array_equal(z, q.embed(q.codes))
    truth = weights if bounded is None else tape.gradient(bounded, h)
    np.testing.assert_allclose(tape.gradient(out, h), truth, rtol=1e-5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(quantizer))
    again.set_weights(quantizer.get_weights())
    np.testing.assert_array_equal(again.nearest(h), quantizer.nearest(h))


def test_the_nearest_vector_is_chosen():
    quantizer, h = heads.VectorQuantizer(7, 3), np.random.default_rng(0).normal(size=[50, 3]).astype("float32")
    table = quantizer.codebook.numpy()[0]
    square = ((h[:, None] - table) ** 2).sum(-1)
    np.testing.assert_array_equal(quantizer.nearest(h)[:, 0], square.argmin(1))
    closeness = quantizer.closeness(h, quantizer.nearest(h))[:, 0].numpy()
    np.testing.assert_allclose(closeness, -square / square.mean(1, keepdims=True), rtol=1e-3, atol=1e-4)


def test_finite_scalars_are_bounded_and_rounded_as_in_the_paper():
    levels = (2, 3, 4, 5, 8)
    quantizer = heads.FiniteScalar(levels)
    h = np.linspace(-6, 6, 2001).astype("float32")[:, None] * np.ones([1, 5], "float32")
    for i, level in enumerate(levels):
        half = (level - 1) * (1 - 1e-3) / 2
        offset = 0.0 if level % 2 else 0.5
        bounded = np.tanh(h[:, i] + np.tan(offset / half)) * half - offset
        np.testing.assert_allclose(quantizer.bounded(h)[:, i], bounded, atol=1e-5)
        z = quantizer.embed(quantizer.nearest(h))[:, i].numpy()
        assert np.mean(z == np.round(bounded).astype("float32") / (level // 2)) > 0.999
        low = -(level // 2)
        assert set(np.unique(np.round(z * (level // 2)))) == set(range(low, low + level))  # every level, no other
    grid = quantizer.tables()[0].numpy()
    assert len(np.unique(grid, axis=0)) == len(grid) == quantizer.codes == 2 * 3 * 4 * 5 * 8
    digits = np.round(grid * [1, 1, 2, 2, 4] + [1, 1, 2, 2, 4])
    np.testing.assert_array_equal(digits @ [1, 2, 6, 24, 120], np.arange(len(grid)))
    assert not quantizer.weights


def test_what_is_left_does_not_grow_with_depth():
    rng = np.random.default_rng(0)
    h = rng.normal(size=[4000, 2]).astype("float32")
    quantizer = heads.ResidualQuantizer(4, 8, 2)
    tables = quantizer.codebook.numpy() * 0.5 ** np.arange(4)[:, None, None]
    tables[:, 0] = 0.0  # the choice to add nothing
    quantizer.codebook.assign(tables)
    codes = quantizer.nearest(h)
    left = [np.square(part).sum(-1) for part in quantizer.targets(h, codes)]
    whole = quantizer.embed(codes).numpy().reshape(-1, 4, 2).sum(1)
    left.append(np.square(h - whole).sum(-1))
    for before, after in itertools.pairwise(left):
        assert (after <= before + 1e-6).all() and after.mean() < before.mean()
    one = heads.ResidualQuantizer(1, 8, 2)
    one.set_weights([quantizer.codebook.numpy()[:1], quantizer.use.numpy()[:1]])
    plain = heads.VectorQuantizer(8, 2)
    plain.set_weights(one.get_weights())
    np.testing.assert_array_equal(one.nearest(h), plain.nearest(h))
    np.testing.assert_array_equal(one.nearest(h), codes[:, :1])


# Codebooks -----------------------------------------------------------------------------------------------------------


def test_moving_averages_follow_their_recursion():
    g, rng = 0.9, np.random.default_rng(0)
    quantizer = heads.VectorQuantizer(5, 2, heads.MovingAverage(g, revival=0.0))
    n, m = np.ones(5), quantizer.codebook.numpy()[0].astype("float64")
    for step in range(20):
        h = tf.constant(rng.normal(size=[6, 3, 2]), tf.float32)
        codes = quantizer.nearest(h)
        hot = np.eye(5)[codes.numpy().ravel()]  # [B N, K]
        n = g * n + (1 - g) * hot.sum(0)
        m = g * m + (1 - g) * hot.T @ h.numpy().reshape(-1, 2)
        quantizer.update(h, codes, tf.constant(step))
        np.testing.assert_allclose(quantizer.use[0], n, rtol=1e-5)
        np.testing.assert_allclose(quantizer.codebook[0], m / n[:, None], rtol=1e-4, atol=1e-6)
    quantizer.trainable = False
    before = quantizer.get_weights()
    quantizer.update(h, codes, tf.constant(0))
    np.testing.assert_array_equal(quantizer.codebook, before[0])


@pytest.mark.parametrize("rule", [heads.MovingAverage, heads.ByGradient])
def test_dead_codes_are_revived(rule):
    h = tf.constant(np.random.default_rng(0).normal(5, 1, [40, 3, 2]), tf.float32)
    used = {}
    for revival in (0.0, 0.05):
        keras.utils.set_random_seed(0)
        quantizer = heads.VectorQuantizer(16, 2, rule(0.8, revival))
        table = quantizer.codebook.numpy()
        table[0, 1:] -= 100.0  # so that one code stands for everything
        quantizer.codebook.assign(table)
        for step in range(40):
            quantizer.update(h, quantizer.nearest(h), tf.constant(step))
        used[revival] = len(np.unique(quantizer.nearest(h)))
        rows = quantizer.codebook.numpy()[0]
        assert len(np.unique(rows, axis=0)) == 16
    assert used[0.0] == 1 and used[0.05] > 10
    first, second = (heads.VectorQuantizer(16, 2, rule(0.8, 1.0)) for _ in range(2))
    second.set_weights(first.get_weights())
    for quantizer in (first, second):
        quantizer.update(h, quantizer.nearest(h), tf.constant(7))
    np.testing.assert_array_equal(first.codebook, second.codebook)  # of the step and the data alone


def test_penalties_are_squared_distances_to_the_embeddings_with_a_gradient_to_one_side():
    model = model_of("by gradient")
    x, step = tf.constant(data()), tf.constant(0)
    quantizer = model.encoder.head.quantizer
    kernel = model.encoder.head.projection.linear.kernel
    for penalty, mine, other in ((penalties.Commitment(2.0), kernel, quantizer.codebook),
                                 (penalties.Codebook(2.0), quantizer.codebook, kernel)):  # fmt: skip
        with tf.GradientTape() as tape:
            trace = model.trace(x, 1, 0)
            value = penalty.value(trace, step)
        near = tf.gather(quantizer.tables()[0], trace.q.nearest[..., 0])
        truth = 2 * np.square(trace.q.features - near).sum((1, 2))
        np.testing.assert_allclose(value, truth, rtol=1e-5)
        reached, not_reached = tape.gradient(value, [mine.value, other.value])
        assert np.abs(reached).max() > 0 and not_reached is None
    bound = objectives.ELBO(penalties=(penalties.Commitment(2.0), penalties.SquaredNorm(1.0))).bound(trace, step)
    commitment = penalties.Commitment(2.0).value(trace, step)
    rest = penalties.SquaredNorm(1.0).value(trace, step)
    np.testing.assert_allclose(bound, trace.elbo - commitment - rest, rtol=1e-4)


def test_perplexity_counts_the_codes_in_use():
    metric = Perplexity(6, 2)
    metric.update_state(tf.constant([[3, 0], [3, 1], [3, 2]]))  # one code at the first depth, three at the second
    assert float(metric.result()) == pytest.approx((1 + 3) / 2, rel=1e-5)
    metric.update_state(tf.constant([[1, 5]]), tf.constant([0.0]))
    assert float(metric.result()) == pytest.approx(2, rel=1e-5)
    metric.reset_state()
    metric.update_state(tf.constant([[0, 0], [1, 1]]), tf.constant([3.0, 1.0]))
    share = np.array([0.75, 0.25])
    assert float(metric.result()) == pytest.approx(np.exp(-(share * np.log(share)).sum()), rel=1e-5)


# The model -----------------------------------------------------------------------------------------------------------


def trained(name="vector"):
    model = model_of(name)
    model.compile(keras.optimizers.Adam(1e-2))
    return model, model.fit(data(64), epochs=2, batch_size=16, verbose=0).history


@pytest.fixture(scope="module")
def fitted():
    return trained()


def test_fit_reports_perplexity_and_moves_the_codebook(fitted):
    model, history = fitted
    assert 1 <= history["perplexity"][-1] <= 4
    before = model_of().encoder.head.quantizer.codebook.numpy()
    assert np.abs(model.encoder.head.quantizer.codebook.numpy() - before).max() > 1e-3
    seen = model.evaluate(data(64), batch_size=16, verbose=0, return_dict=True)
    codes = model.encode_codes(data(64)).ravel()
    share = np.bincount(codes, minlength=4) / codes.size
    assert seen["perplexity"] == pytest.approx(np.exp(-(share * np.log(share + 1e-30)).sum()), rel=1e-4)
    assert seen["elbo"] == pytest.approx(float(tf.reduce_mean(model.trace(tf.constant(data(64)), 1, 0).elbo)), rel=1e-4)
    assert codes.dtype == np.int32


class Interrupt(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            raise KeyboardInterrupt


def test_a_run_that_was_stopped_in_an_epoch_ends_as_the_others(fitted, tmp_path):
    """Counts of codes, averages of the codebook and revived codes go on too."""
    whole, history = fitted
    resumed = {}
    for callbacks in ([Interrupt()], []):
        model = model_of()
        model.compile(keras.optimizers.Adam(1e-2))
        kept = tfvae.callbacks.Checkpoint(tmp_path / "checkpoint.keras", seconds=0.0)
        with contextlib.suppress(KeyboardInterrupt):
            resumed = model.fit(data(64), epochs=2, batch_size=16, verbose=0, callbacks=[kept, *callbacks]).history
    for one, other in zip(whole.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)
    assert resumed["perplexity"] == pytest.approx(history["perplexity"], rel=1e-5)


def test_a_second_stage_trains_the_prior_alone():
    first = model_of(prior=lambda quantizer: priors.UniformCodes(quantizer, POSITIONS))
    for part in (first.encoder, first.decoder):
        part.trainable = False
    second = first.with_prior(autoregressive(first.prior.quantizer))
    kept = [weight.copy() for part in (second.encoder, second.decoder) for weight in part.get_weights()]
    second.compile(keras.optimizers.Adam(1e-2))
    x = data(64)
    history = second.fit(x, epochs=10, batch_size=16, verbose=0).history
    now = [weight for part in (second.encoder, second.decoder) for weight in part.get_weights()]
    for one, other in zip(kept, now, strict=True):
        np.testing.assert_array_equal(one, other)
    assert history["rate"][-1] < history["rate"][0] - 0.1
    assert history["distortion"][-1] == pytest.approx(history["distortion"][0], rel=1e-5)


def test_what_encoder_and_prior_share_is_shared_again_when_loaded(tmp_path):
    model, _ = trained("residual")
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.prior.quantizer is loaded.encoder.head.quantizer
    assert len(loaded.weights) == len(model.weights)
    for one, other in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    x = data(64)
    for again in (loaded, model):  # dead codes and averages go on where they were
        again.fit(x, epochs=1, batch_size=16, verbose=0)
    np.testing.assert_array_equal(loaded.prior.quantizer.codebook, model.prior.quantizer.codebook)
    np.testing.assert_array_equal(loaded.encode_codes(x), model.encode_codes(x))


def test_codes_go_there_and_back():
    for name in QUANTIZERS:
        model, x = model_of(name), data()
        np.testing.assert_allclose(model.decode_codes(model.encode_codes(x)), model.reconstruct(x), rtol=1e-5)
    for wrong in (np.zeros([2, 3], int), np.full([1, 2], 9), np.full([1, 2], -1), np.zeros([1, 2])):
        with pytest.raises(ValueError, match=r"Expected codes \[B, 2\], whole numbers from 0 to 5"):
            model.decode_codes(wrong)


def test_codes_leave_a_file_as_whole_numbers(tmp_path):
    from tfvae.export.verification import saved_model_runner, tflite_runner

    model, x = model_of("residual"), data()
    kept = ("serving_default", "encode", "decode", "generate", "elbo", "log_evidence")
    export.saved_model(model, tmp_path / "1", kept, extras=[export.Codes()])
    export.tflite(model, tmp_path / "m.tflite", kept, extras=[export.Codes()], source=tmp_path / "1")
    broken = x.copy()
    broken[0, 0] = np.nan
    for run in (saved_model_runner(tmp_path / "1"), tflite_runner(tmp_path / "m.tflite")):
        codes = run("encode_codes", {"x": x})["codes"]
        assert codes.dtype == np.int32
        np.testing.assert_array_equal(codes, model.encode_codes(x))
        np.testing.assert_allclose(run("decode_codes", {"codes": codes})["mean"], model.reconstruct(x), rtol=1e-4)
        assert (run("encode_codes", {"x": broken})["codes"][0] == -1).all()
        codes[0, 0], codes[1, 0] = -1, 3
        mean = run("decode_codes", {"codes": codes})["mean"]
        assert np.isnan(mean[:2]).all() and np.isfinite(mean[2:]).all()
    with pytest.raises(ExportError, match="to offer encode_codes"):
        export.Codes().signatures(zoo.vae(SHAPE, 2))


# Errors --------------------------------------------------------------------------------------------------------------


def parts(quantizer=None, prior=None, objective=None):
    quantizer = heads.VectorQuantizer(4, 3) if quantizer is None else quantizer
    encoder = tfvae.Encoder(networks.mlp(8), heads.Quantized(quantizer, 2))
    decoder = tfvae.Decoder(networks.mlp(8), heads.Bernoulli(SHAPE))
    prior = priors.UniformCodes(quantizer, 2) if prior is None else prior
    return tfvae.QuantizedVAE(encoder, decoder, prior, *([] if objective is None else [objective]))


class Acausal(keras.layers.Layer):
    def call(self, codes):
        return tf.one_hot(codes, 4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: parts(prior=priors.UniformCodes(heads.VectorQuantizer(4, 3), 2)), "the same quantiser.*CodePoint of"),
        (lambda: parts(prior=priors.StandardNormal(6)), "same quantiser.*StandardNormal"),
        (lambda: parts(heads.VectorQuantizer(4, 3, heads.ByGradient())), "penalties.Codebook in the objective if"),
        (lambda: parts(objective=objectives.ELBO(penalties=(penalties.Codebook(1.0),))), "0 such weights"),
        (lambda: tfvae.QuantizedVAE(
            tfvae.Encoder(networks.mlp(8), heads.DiagonalNormal(6)),
            tfvae.Decoder(networks.mlp(8), heads.Bernoulli(SHAPE)), priors.StandardNormal(6)), "heads.Quantized"),
        (lambda: heads.Quantized("nearest", 2), "a quantizer of tfvae.heads"),
        (lambda: heads.Quantized(heads.FiniteScalar((3,), dtype="float64"), 2), "of dtype float32"),
        (lambda: heads.VectorQuantizer(4, 3, "average"), "heads.MovingAverage or heads.ByGradient"),
        (lambda: priors.UniformCodes("codes", 2), "the quantizer of the encoder's head"),
        (lambda: priors.AutoregressiveCodes(heads.VectorQuantizer(4, 3), 2, "network"), "a Keras network"),
        (lambda: priors.AutoregressiveCodes(heads.VectorQuantizer(4, 3), 2, Acausal()), "earlier codes alone"),
        (lambda: priors.AutoregressiveCodes(heads.VectorQuantizer(5, 3), 2, Acausal()), r"logits \[2, 5\]"),
        (lambda: priors.AutoregressiveCodes(
            heads.VectorQuantizer(4, 3), 3, networks.CausalTransformer(4, 2)), "takes 3 codes"),
        (lambda: tfvae.VAE(
            tfvae.Encoder(networks.mlp(8), heads.DiagonalNormal(6)),
            tfvae.Decoder(networks.mlp(8), heads.Bernoulli(SHAPE)), priors.StandardNormal(6),
            objectives.ELBO(penalties=(penalties.Commitment(1.0),))), "a posterior over codes"),
    ],
)  # fmt: skip
def test_refuses_parts_that_do_not_fit(make, message):
    with pytest.raises(IncompatibleParts, match=message):
        make()


def test_refuses_bad_arguments():
    for make in (lambda: heads.FiniteScalar(()), lambda: heads.FiniteScalar((1, 3)), lambda: heads.MovingAverage(1.5),
                 lambda: heads.VectorQuantizer(1, 3), lambda: networks.CausalTransformer(4, 3, depth=2),
                 lambda: networks.CausalTransformer(4, 3, width=9, heads=2), lambda: zoo.fsq((7,), 2),
                 lambda: networks.CodeGrid((2, 2))(np.zeros([1, 6]))):  # fmt: skip
        with pytest.raises(ValueError, match="Expected"):
            make()


def test_what_needs_a_z_of_real_numbers_refuses_codes():
    model = model_of("scalar")
    with pytest.raises(ValueError, match=r"any real vector.*embeddings of codes"):
        evaluation.annealed_importance(model, data(), steps=2, chains=2)
    with pytest.raises(ValueError, match="Expected one or two latent dimensions"):
        evaluation.exact.quadrature(model, data())
    with pytest.raises(ValueError, match="a posterior with a density in real space"):
        export.latent_codec(model, data())


def test_a_plain_vae_of_codes_has_the_same_numbers():
    model, x = model_of(), data()
    plain = tfvae.VAE(model.encoder, model.decoder, model.prior, seed=0)
    one, other = (m.trace(tf.constant(x), 2, seed=5) for m in (plain, model))
    for name in ("z", "log_px", "log_pz", "log_qz", "rate", "elbo"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-5, err_msg=name)
    found = [m.trace_from(proposal(one.q), tf.constant(x), 20, seed=5).log_weights for m in (plain, model)]
    np.testing.assert_allclose(*found, rtol=1e-5)
    assert isinstance(proposal(one.q), IndependentCodes) and isinstance(one.p, AutoregressiveCodes)


def test_equal_rows_of_a_codebook_are_scored_as_they_were_drawn():
    """Read from z, the second of two equal rows would count as the first, and the evidence would be wrong."""
    quantizer = heads.VectorQuantizer(3, 2, heads.MovingAverage())
    encoder = tfvae.Encoder(networks.mlp(4), heads.Quantized(quantizer, 2))
    decoder = tfvae.Decoder(networks.mlp(4), heads.Bernoulli(5))
    prior = priors.AutoregressiveCodes(quantizer, 2, networks.CausalTransformer(3, 2, width=8, blocks=1, heads=1))
    model = tfvae.QuantizedVAE(encoder, decoder, prior, seed=0)
    rng = np.random.default_rng(0)
    prior.set_weights([rng.normal(size=w.shape) for w in prior.get_weights()])
    table = rng.normal(size=quantizer.codebook.shape)
    table[..., 2, :] = table[..., 1, :]
    quantizer.codebook.assign(table)
    x = (rng.uniform(size=[3, 5]) < 0.5).astype("float32")
    every = tf.constant([[i, j] for i in range(3) for j in range(3)])
    joint = prior().log_mass(every)[:, None] + decoder(prior().embed(every)[:, None]).log_prob(x[None])
    truth = tf.reduce_logsumexp(joint, 0).numpy()
    found = evaluation.log_evidence(model, x, 20_000, progress=False)
    error = np.sqrt(1.0 / found.effective_sample_size - 1.0 / found.samples)
    assert (error < 0.1).all() and (np.abs(found.per_example - truth) < 4 * error).all()


def test_revived_codes_differ_where_all_features_are_equal():
    quantizer = heads.VectorQuantizer(8, 2, heads.MovingAverage(0.5, 0.5))
    h = tf.ones([4, 3, 2])
    for step in range(10):
        quantizer.update(h, quantizer.nearest(h), tf.constant(step))
    assert len(np.unique(quantizer.codebook.numpy().reshape(8, 2), axis=0)) == 8
