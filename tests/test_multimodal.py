"""Several modalities, any of which may be missing: experts against closed forms, and the evidence of what was seen."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp
from scipy.stats import chisquare, multivariate_normal, norm
from tensorflow_probability import distributions as tfd
from test_ladder import linear

import tfvae
from tfvae import data, evaluation, export, heads, networks, objectives, priors
from tfvae.distributions import EqualMixture, centre, moments
from tfvae.errors import IncompatibleParts
from tfvae.export.verification import saved_model_runner, tflite_runner
from tfvae.models import MixtureOfExperts, MixtureOfProducts, ProductOfExperts
from tfvae.random import as_seed, draw, draw_and_score

SIZES = (3, 2)
NAN = float("nan")
EVERY = (ProductOfExperts, MixtureOfExperts, MixtureOfProducts)


def experts(latent=2, sizes=SIZES, head=heads.DiagonalNormal, dtype="float32", units=()):
    return [tfvae.Encoder(networks.mlp(*units), head(latent, dtype=dtype), dtype=dtype) for _ in sizes]


def shaken(model, seed=0):
    """A model with weights that are no longer special."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(weight + 0.3 * rng.normal(size=weight.shape))
    return model


def encoder_of(cls, latent=2, sizes=SIZES, dtype="float32"):
    encoder = cls(experts(latent, sizes, dtype=dtype), sizes, priors.StandardNormal(latent, dtype=dtype), dtype=dtype)
    encoder(np.zeros([1, sum(sizes)], dtype))
    return shaken(encoder)


def some(n=6, sizes=SIZES, seed=0, dtype="float32"):
    return np.random.default_rng(seed).normal(size=[n, sum(sizes)]).astype(dtype)


def without(x, *gone, sizes=SIZES):
    """The examples with some modalities missing."""
    x, edges = x.copy(), np.cumsum([0, *sizes])
    for number in gone:
        x[:, edges[number] : edges[number + 1]] = NAN
    return x


# Posteriors ---------------------------------------------------------------------------------------------------------


def test_a_product_is_the_normalised_product_of_the_densities():
    encoder, x = encoder_of(ProductOfExperts, 1), some()
    grid = np.linspace(-12, 12, 40001)[:, None, None].astype("float32")
    parts = [part(own) for part, own in zip(encoder.parts, np.split(x, [3], 1), strict=True)]
    factors = sum(norm(q.mean(), q.stddev()).logpdf(grid) for q in parts) + norm.logpdf(grid)  # [G, B, 1]
    truth = factors - logsumexp(factors, 0) - np.log(grid[1, 0, 0] - grid[0, 0, 0])
    found = encoder(x).log_prob(grid)
    near = truth[..., 0] > -20
    np.testing.assert_allclose(found.numpy()[near], truth[..., 0][near], atol=2e-3)


@pytest.mark.parametrize("cls", EVERY)
def test_missing_is_left_out_and_nothing_is_the_prior(cls):
    encoder, x = encoder_of(cls), some()
    z = tf.constant(np.random.default_rng(1).normal(size=[9, 6, 2]), tf.float32)
    one, both = experts(2, SIZES[:1]), encoder(x).log_prob(z)
    alone = cls([encoder.parts[0]], SIZES[:1], encoder.prior)(x[:, :3])
    np.testing.assert_allclose(encoder(without(x, 1)).log_prob(z), alone.log_prob(z), rtol=1e-5, atol=1e-5)
    q, p = encoder(without(x, 0, 1)), encoder.prior()
    np.testing.assert_array_equal(q.mean(), np.zeros([6, 2]))
    np.testing.assert_array_equal(q.stddev(), np.ones([6, 2]))
    np.testing.assert_allclose(q.log_prob(z), p.log_prob(z), rtol=1e-6)
    mixed = np.where(np.arange(6)[:, None] % 2, without(x, 1), x)  # each example for itself
    expected = np.where(np.arange(6) % 2, alone.log_prob(z), both)
    np.testing.assert_allclose(encoder(mixed).log_prob(z), expected, rtol=1e-5, atol=1e-5)
    assert len(one) == 1


def test_mixtures_have_the_density_and_moments_of_their_parts():
    x, z = some(), tf.constant(np.random.default_rng(1).normal(size=[9, 1, 2]), tf.float32)
    for cls, parts in ((MixtureOfExperts, 2), (MixtureOfProducts, 3)):
        encoder = encoder_of(cls)
        each = [part(own) for part, own in zip(encoder.parts, np.split(x, [3], 1), strict=True)]
        if parts == 3:
            a, b = (1 / np.square(q.stddev()) for q in each)
            each.append(
                tfd.MultivariateNormalDiag((each[0].mean() * a + each[1].mean() * b) / (a + b), (a + b) ** -0.5)
            )
        q = encoder(x)
        truth = logsumexp([part.log_prob(z) for part in each], 0) - np.log(parts)
        np.testing.assert_allclose(q.log_prob(z), truth, rtol=1e-5, atol=1e-5)
        mean = np.mean([part.mean() for part in each], 0)
        square = np.mean([np.square(part.mean()) + np.square(part.stddev()) for part in each], 0)
        np.testing.assert_allclose(centre(q), mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(moments(q)[1], np.sqrt(square - mean**2), rtol=1e-3)


def test_draws_take_the_parts_in_turn_and_each_is_one_of_the_mixture(seed):
    """The first part is drawn by lot: over examples the shares are equal, and so are those of the second draws."""
    n, here = 3000, np.tile([True, False, True, True, False], [3000, 1])
    parts = [tfd.MultivariateNormalDiag(tf.fill([n, 1], 100.0 * k), tf.ones([n, 1])) for k in range(5)]
    q = EqualMixture(parts, tf.constant(here))
    z = draw(q, 6, as_seed(seed % 2**31)).numpy()[..., 0]  # [6, n]
    which = np.round(z / 100).astype(int)
    assert all((np.sort(which[i : i + 3], 0) == [[0], [2], [3]]).all() for i in range(4))
    for row in which:
        assert chisquare(np.bincount(row, minlength=4)[[0, 2, 3]]).pvalue > 1e-5
    noise = (z - 100 * which).ravel()
    assert abs(noise.mean()) < 5 / np.sqrt(noise.size) and abs(np.var(noise) - 1) < 5 * np.sqrt(2 / noise.size)
    later = draw(q, 2, as_seed(seed % 2**31)._replace(sample=3)).numpy()[..., 0]
    np.testing.assert_array_equal(later, z[3:5])
    part = EqualMixture(
        [tfd.MultivariateNormalDiag(c.mean()[7:9], c.stddev()[7:9]) for c in parts], tf.constant(here[7:9])
    )
    np.testing.assert_allclose(draw(part, 6, as_seed(seed % 2**31)._replace(example=7))[..., 0], z[:, 7:9], rtol=1e-6)


def test_mixtures_of_other_families_and_priors_of_each_example():
    parts, prior = experts(2, SIZES, heads.Laplace), priors.StandardLaplace(2)
    encoder, x = MixtureOfExperts(parts, SIZES, prior), np.concatenate([some(), without(some(), 0, 1)])
    z, log_q = draw_and_score(encoder(x), 4, as_seed(1))
    assert z.shape == (4, 12, 2) and np.isfinite(log_q).all()
    assert len(np.unique(z[:, 6:])) == z[:, 6:].numpy().size  # noise of its own for each example of the prior
    np.testing.assert_allclose(log_q[:, 6:], prior().log_prob(z[:, 6:]), rtol=1e-5)


# The bound and its gradient ------------------------------------------------------------------------------------------


class Pair:
    """Two modalities of a linear-Gaussian model whose loadings are orthogonal in each: everything is known.

    z ~ N(0, I), x_m | z ~ N(W_m z + b_m, s^2 I): the posterior is the prior times an expert for each modality.
    """

    sizes, sigma = (4, 3), 0.7

    def __init__(self, cls, objective=objectives.ELBO(), latent=2, dtype="float32", seed=0):  # noqa: B008
        rng = np.random.default_rng(seed)
        self.w = [np.linalg.qr(rng.normal(size=[n, latent]))[0] * rng.uniform(0.5, 2, latent) for n in self.sizes]
        self.b = [rng.normal(size=n) for n in self.sizes]
        prior = priors.StandardNormal(latent, dtype=dtype)
        encoder = cls(experts(latent, self.sizes, dtype=dtype), self.sizes, prior, dtype=dtype)
        parts = [heads.Modality(heads.Normal(n, self.sigma, dtype=dtype), dtype=dtype) for n in self.sizes]
        decoder = tfvae.Decoder(networks.mlp(), heads.Product(*parts, dtype=dtype), dtype=dtype)
        self.model = tfvae.VAE(encoder, decoder, prior, objective, seed=seed, dtype=dtype)
        for part, w, b in zip(encoder.parts, self.w, self.b, strict=True):
            precision = np.square(w).sum(0) / self.sigma**2
            if cls is not ProductOfExperts:
                precision = precision + 1  # the posterior given this modality alone
            gain = (w / self.sigma**2 / precision).T
            linear(part, gain, -gain @ b, precision**-0.5)
        decoder.head.projection.linear.set_weights([np.concatenate(self.w).T, np.concatenate(self.b)])
        z = rng.normal(size=[40, latent])
        self.x = z @ np.concatenate(self.w).T + np.concatenate(self.b)
        self.x = (self.x + self.sigma * rng.normal(size=self.x.shape)).astype(dtype)

    def log_p(self, *seen):
        w, b = (np.concatenate([part[i] for i in seen]) for part in (self.w, self.b))
        edges = np.cumsum([0, *self.sizes])
        x = np.concatenate([self.x[:, edges[i] : edges[i + 1]] for i in seen], 1)
        return multivariate_normal(b, w @ w.T + self.sigma**2 * np.eye(len(b))).logpdf(x)


def test_joint_marginal_and_conditional_evidence_are_the_closed_forms(seed):
    """With the true experts the ELBO of any subset is its evidence, and the difference of two a conditional one."""
    pair = Pair(ProductOfExperts)
    model, x = pair.model, pair.x
    first, second = (without(x, gone, sizes=pair.sizes) for gone in (1, 0))
    found = {}
    for seen, rows in {(0, 1): x, (0,): first, (1,): second}.items():
        measured = evaluation.log_evidence(model, rows, samples=10, seed=seed, progress=False)
        np.testing.assert_allclose(measured.per_example, pair.log_p(*seen), rtol=1e-4, atol=1e-3)
        bound = evaluation.elbo(model, rows, samples=4000, seed=seed, progress=False)
        assert abs(bound.per_example.mean() - pair.log_p(*seen).mean()) < 0.05
        found[seen] = measured.per_example
    w, b = [np.concatenate(part) for part in (pair.w, pair.b)]
    covariance = w @ w.T + pair.sigma**2 * np.eye(7)
    gain = covariance[:4, 4:] @ np.linalg.inv(covariance[4:, 4:])
    mean, spread = b[:4] + (x[:, 4:] - b[4:]) @ gain.T, covariance[:4, :4] - gain @ covariance[4:, :4]
    truth = [multivariate_normal(m, spread).logpdf(row) for m, row in zip(mean, x[:, :4], strict=True)]
    np.testing.assert_allclose(found[0, 1] - found[1,], truth, rtol=1e-3, atol=2e-3)  # log p(x_1 | x_2)
    np.testing.assert_allclose(model.reconstruct(second)[:, :4], mean, rtol=1e-4, atol=1e-4)  # E[x_1 | x_2]
    filled = evaluation.impute(model, second, draws=300, samples=2000, seed=seed)
    np.testing.assert_array_equal(filled.draws[:, :, 4:], np.tile(x[:, 4:], [300, 1, 1]))
    z = (filled.draws[:, :, :4] - mean) / np.sqrt(np.diag(spread))
    assert np.abs(z.mean((0, 1))).max() < 0.1 and np.abs(z.std((0, 1)) - 1).max() < 0.05


@pytest.mark.parametrize("cls", [MixtureOfExperts, MixtureOfProducts])
def test_mixtures_estimate_the_same_evidence(cls, seed):
    pair = Pair(cls)
    for seen, gone in (((0, 1), ()), ((0,), (1,))):
        rows = without(pair.x, *gone, sizes=pair.sizes)
        found = evaluation.log_evidence(pair.model, rows, samples=4000, seed=seed, progress=False)
        error = np.sqrt(np.maximum(4000 / found.effective_sample_size - 1, 0) / 4000)
        assert np.all(np.abs(found.per_example - pair.log_p(*seen)) < 6 * error + 1e-3)


@tf.function
def exact_elbo(pair, x):
    """E_q[log p(x, z) - log q(z | x)] of one latent, by quadrature over each part of the mixture."""
    q = pair.model.encoder(x)
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    total = 0.0
    for part in q.components[:-1]:  # the last one, the prior, takes no part where something was observed
        z = part.mean() + part.stddev() * tf.constant(nodes[:, None, None])
        value = pair.model.decoder(z).log_prob(x) + pair.model.prior().log_prob(z) - q.log_prob(z)
        total += tf.reduce_sum(weights * value[:, 0]) / weights.sum()
    return total / q.count[0]


@pytest.mark.parametrize(
    ("cls", "objective"),
    [(MixtureOfExperts, objectives.ELBO(samples=3)), (MixtureOfExperts, objectives.STL(1)),
     (MixtureOfProducts, objectives.ELBO())],
)  # fmt: skip
def test_gradients_of_a_mixture_are_those_of_its_exact_bound(cls, objective, seed):
    """z-test over 200 means against central differences of quadrature; |z| > 5.5 by chance with probability 1e-6."""
    pair = Pair(cls, objective, latent=1, dtype="float64")
    x = pair.x[:1]
    weights = shaken(pair.model.encoder).trainable_variables
    truth = []
    for weight in weights:
        start, slope = weight.numpy(), np.zeros(weight.shape)
        for place in np.ndindex(*weight.shape):
            ends = []
            for step in (1e-4, -1e-4):
                moved = start.copy()
                moved[place] += step
                weight.assign(moved)
                ends.append(exact_elbo(pair, x))
            slope[place] = (ends[0] - ends[1]) / 2e-4
        weight.assign(start)
        truth.append(slope.ravel())
    truth, rows = np.concatenate(truth), tf.constant(np.tile(x, [100, 1]))

    @tf.function
    def gradient(number):
        with tf.GradientTape() as tape:
            trace = pair.model.trace(rows, objective.samples, tf.stack([number, tf.constant(seed % 2**31)]))
            bound = tf.reduce_mean(objective.bound(trace, tf.constant(0)))
        return tf.concat([tf.reshape(g, [-1]) for g in tape.gradient(bound, [w.value for w in weights])], 0)

    found = np.stack([gradient(tf.constant(number)) for number in range(200)])
    moving = found.std(0) > 1e-12
    z = (found.mean(0) - truth)[moving] / (found.std(0, ddof=1)[moving] / np.sqrt(200))
    assert np.abs(z).max() < 5.5 and np.abs(truth[~moving]).max(initial=0) < 1e-6


def test_the_bound_of_mmvae_has_a_term_for_each_expert():
    """1/M sum_m log 1/K sum_k p(x, z_mk) / q(z_mk | x), each z_mk drawn from expert m."""
    pair = Pair(MixtureOfExperts, objectives.MIWAE(2, 5))
    trace = pair.model.trace(pair.x, 10, 3)
    own = np.stack([np.array(c) for c in trace.q.chosen(10, as_seed(3))[:2]])  # [M, S, B]
    assert (own.sum(1) == 5).all() and (own.sum(0) == 1).all()
    scores = np.where(own > 0, trace.log_weights, -np.inf)
    truth = (logsumexp(scores, 1) - np.log(5)).mean(0)
    np.testing.assert_allclose(objectives.MIWAE(2, 5).bound(trace, tf.constant(0)), truth, rtol=1e-5)


# One modality is a VAE -----------------------------------------------------------------------------------------------


class Weighed(keras.Model):
    """A VAE's own encoder, its normal multiplied by the prior."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def call(self, x, training=False):
        q = self.encoder(x)
        precision = 1 / tf.square(q.stddev())
        return tfd.MultivariateNormalDiag(q.mean() * precision / (precision + 1), (precision + 1) ** -0.5)


@pytest.mark.parametrize("cls", EVERY)
def test_one_modality_is_a_vae(cls):
    x = (some(64, (8,)) > 0).astype("float32")
    runs = []
    for alone in (True, False):
        part, prior = tfvae.Encoder(networks.mlp(6), heads.DiagonalNormal(2)), priors.StandardNormal(2)
        if alone:
            encoder, head = Weighed(part) if cls is ProductOfExperts else part, heads.Bernoulli(8)
        else:
            encoder, head = cls([part], (8,), prior), heads.Product(heads.Modality(heads.Bernoulli(8)))
        decoder = tfvae.Decoder(networks.mlp(6), head)
        model = tfvae.VAE(encoder, decoder, prior, objectives.IWAE(3), seed=4)
        for number, weight in enumerate(model.trainable_variables):
            weight.assign(0.4 * np.random.default_rng(number).normal(size=weight.shape))
        model.compile(keras.optimizers.Adam(1e-2))
        history = model.fit(x, batch_size=16, epochs=2, shuffle=False, verbose=0).history
        del history["elbo"], history["rate"]  # which is exact for a VAE, and estimated for a mixture
        runs.append((history, model.predict(x, verbose=0), model.sample(5, 1), model.trace(x, 3, 2).log_weights))
    for ours, theirs in zip(*runs, strict=True):
        tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5), ours, theirs)


# Likelihoods, data, files --------------------------------------------------------------------------------------------


def test_a_modality_is_scored_as_a_whole_or_not_at_all():
    head = heads.Product(
        heads.Modality(heads.Bernoulli(3)),
        heads.Modality(heads.OneHotCategorical(3)),
        heads.Incomplete(heads.Normal(2)),
    )
    px = head(np.random.default_rng(0).normal(size=[1, 5]).astype("float32"))
    plain = [part.distribution for part in px.distributions]
    x = np.array([[1, 0, 1, 0, 1, 0, 0.5, -2]], "float32")
    blocks = (x[:, :3], x[:, 3:6], x[0, 6:])
    scores = np.concatenate([np.ravel(q.log_prob(block)) for q, block in zip(plain, blocks, strict=True)])
    for gone, left in (([], [0, 1, 2, 3]), ([0, 1, 2], [1, 2, 3]), ([3, 4, 5, 7], [0, 2]), (range(8), [])):
        seen = np.where(np.isin(np.arange(8), gone), np.nan, x).astype("float32")
        np.testing.assert_allclose(px.log_prob(seen), [scores[left].sum()], atol=1e-6)
        assert np.all(head.support.contains(seen))
    broken = np.where(np.arange(8) == 1, np.nan, x)
    assert head.support.missing and not np.all(head.support.contains(broken))
    np.testing.assert_array_equal(px.missing_mean(), px.mean())
    assert px.missing_draw(as_seed(0)).shape == (1, 8)
    for inner in (heads.PowerSpherical(3), heads.Categorical(3, 4, 1.0), heads.ContinuousBernoulli(3)):
        px = heads.Modality(inner)(np.ones([1, 4], "float32"))
        np.testing.assert_array_equal(px.log_prob(np.full([1, 3], np.nan, "float32")), [0.0])
    again = heads.Modality.from_config(heads.Modality(heads.OneHotCategorical(3)).get_config())
    assert again.head.event_shape == (3,)


def test_learning_from_what_is_there_and_exports_of_gaps(tmp_path, seed):
    """Examples of which half lack a modality, through fit, `.keras`, SavedModel and TFLite."""
    keras.utils.set_random_seed(0)
    digits = data.load("digit_labels", batch_size=64)
    model = tfvae.zoo.mvae(digits.shape, 3, units=(16,), seed=0)
    model.compile(keras.optimizers.Adam(3e-3))
    history = model.fit(data.subsets(digits.train, (64, 10)), epochs=3, verbose=0).history
    assert history["elbo"][-1] > history["elbo"][0] + 2
    x = digits.array("test")[:6]
    x = np.where(np.arange(6)[:, None] % 2, without(x, 1, sizes=(64, 10)), without(x, 0, sizes=(64, 10)))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert loaded.encoder.prior is loaded.prior
    export.saved_model(model, tmp_path / "1")
    export.tflite(model, tmp_path / "m.tflite", source=tmp_path / "1")
    words = np.array([seed % 2**31, 3], np.int32)
    trace = model.trace(x, 1, tuple(words))
    for run in (saved_model_runner(tmp_path / "1"), tflite_runner(tmp_path / "m.tflite")):
        np.testing.assert_allclose(run("serving_default", {"x": x})["mean"], model.reconstruct(x), atol=1e-4)
        np.testing.assert_allclose(run("elbo", {"x": x, "seed": words})["elbo"], trace.elbo, atol=1e-3)
        broken = np.where(np.arange(74) == 1, np.nan, x).astype("float32")
        assert np.isnan(run("elbo", {"x": broken, "seed": words})["elbo"][1::2]).all()


def test_subsets_hold_each_modality_alone(seed):
    x = some(5, (2, 1, 3))
    batches = tf.data.Dataset.from_tensor_slices(x).batch(3)
    made = list(data.subsets(batches, (2, 1, 3), drawn=40, seed=seed % 2**31).as_numpy_iterator())
    assert [len(rows) for rows in made] == [3 * 44, 2 * 44]
    groups = made[0].reshape(44, 3, 6)
    np.testing.assert_array_equal(groups[0], x[:3])
    for number in range(3):
        np.testing.assert_array_equal(groups[1 + number], without(x[:3], *({0, 1, 2} - {number}), sizes=(2, 1, 3)))
    seen = ~np.isnan(groups[4:].reshape(-1, 6))
    assert (seen[:, 0] == seen[:, 1]).all() and seen.any(1).all()
    kinds = np.unique(seen[:, [0, 2, 3]], axis=0, return_counts=True)[1]
    assert len(kinds) == 7 and chisquare(kinds, np.array([1, 1, 1, 1, 1, 1, 2]) * kinds.sum() / 8).pvalue > 1e-4
    again = list(data.subsets(batches, (2, 1, 3), drawn=40, seed=seed % 2**31).as_numpy_iterator())
    np.testing.assert_array_equal(again[1], made[1])
    for sizes, message in (((2, 2), "the sum of the sizes"), ((2, 0, 4), r"sizes\[1\]")):
        with pytest.raises(ValueError, match=message):
            data.subsets(batches, sizes)


def test_digits_with_their_labels():
    pairs = data.load("digit_labels")
    whole, grey = (data.load(name, binarization=data.NoBinarization()) for name in ("digit_labels", "digits"))
    x = pairs.array("validation")
    np.testing.assert_array_equal(whole.array("validation")[:, :64], grey.array("validation").reshape(-1, 64))
    np.testing.assert_array_equal(x[:, 64:].argmax(1), grey.labels["validation"])
    np.testing.assert_array_equal(x[:, 64:].sum(1), 1)
    assert (pairs.array("train")[:, 64:].sum(1) == 1).all()


# What does not fit ---------------------------------------------------------------------------------------------------

N = priors.StandardNormal
REFUSED = [
    (r"how many columns of x.*sizes=\[3\]", lambda: ProductOfExperts(experts(), (3,), N(2))),
    (r"a tfvae\.Encoder for each modality", lambda: MixtureOfExperts([networks.mlp(3)], (3,), N(2))),
    (r"the model's own prior.*'normal'", lambda: MixtureOfExperts(experts(), SIZES, "normal")),
    (r"shape \[B, 5\], the modalities side by side", lambda: MixtureOfExperts(experts(), SIZES, N(2))(some(2, (6,)))),
    (r"prior's length 3.*parts\[0\] of length 2", lambda: ProductOfExperts(experts(), SIZES, N(3))(some())),
    (r"prior's event shape \[3\]", lambda: MixtureOfExperts(experts(), SIZES, N(3))(some())),
    (r"on unit vectors", lambda: MixtureOfExperts(experts(head=heads.PowerSpherical), SIZES, N(2))(some())),
    (r"with heads\.DiagonalNormal", lambda: ProductOfExperts(experts(head=heads.Laplace), SIZES, N(2))(some())),
    (r"a diagonal normal, such as", lambda: ProductOfExperts(experts(), SIZES, priors.StandardLaplace(2))(some())),
    (r"draws are independent", lambda: Pair(MixtureOfExperts, objectives.DReG(2))),
    (r"a scale that is learned by gradient", lambda: heads.Modality(heads.Normal(3, heads.OptimalScale()))),
    (r"likelihoods of 5 columns", lambda: tfvae.zoo.mopoe((5,), 2, likelihoods=[heads.Bernoulli(4)])),
]


@pytest.mark.parametrize(("message", "run"), REFUSED)
def test_what_does_not_fit_is_refused(message, run):
    with pytest.raises(IncompatibleParts, match=message):
        run()


def test_an_encoder_that_knows_no_gaps_and_a_broken_modality_are_refused():
    head = heads.Product(heads.Modality(heads.Bernoulli(3)), heads.Modality(heads.Bernoulli(2)))
    plain = tfvae.Encoder(networks.mlp(4), heads.DiagonalNormal(2))
    with pytest.raises(IncompatibleParts, match="takes missing values"):
        tfvae.VAE(plain, tfvae.Decoder(networks.mlp(4), head), N(2))
    with pytest.raises(TypeError, match="Expected a head"):
        heads.Modality(3)
    with pytest.raises(ValueError, match="model a vector"):
        heads.Modality(heads.Bernoulli((2, 2)))
    model = Pair(ProductOfExperts).model
    model.compile("adam")
    with pytest.raises(ValueError, match="NaN where all values are missing, in columns 0 to 3"):
        model.fit(np.where(np.arange(7) == 2, np.nan, 0.0) * np.ones([4, 1]), verbose=0)


def test_experts_see_the_columns_of_the_likelihoods_parts():
    parts = [tfvae.Encoder(networks.mlp(8), heads.DiagonalNormal(2)) for _ in range(2)]
    prior = priors.StandardNormal(2)
    head = heads.Product(heads.Modality(heads.Bernoulli(3)), heads.Modality(heads.Bernoulli(2)))
    with pytest.raises(IncompatibleParts, match=r"end at \[3, 5\].*sizes=\(2, 3\)"):
        tfvae.VAE(ProductOfExperts(parts, (2, 3), prior), tfvae.Decoder(networks.mlp(8), head), prior)


def test_a_scale_inside_a_modality_is_learned_or_refused():
    with pytest.raises(IncompatibleParts, match="learned by gradient"):
        heads.Modality(heads.Product(heads.Normal(2, heads.OptimalScale()), heads.Bernoulli(3)))


def test_deviations_of_a_mixture_do_not_cancel():
    loc = np.full([50, 1], 300.0, "float32")
    same = [tfd.MultivariateNormalDiag(loc, np.full([50, 1], 0.01, "float32")) for _ in range(3)]
    np.testing.assert_allclose(EqualMixture(same, np.ones([50, 3], bool)).stddev(), 0.01, rtol=1e-4)


def test_whole_numbers_have_no_subsets():
    with pytest.raises(ValueError, match="floating point"):
        data.subsets(tf.data.Dataset.from_tensor_slices(np.ones([4, 5], "int32")).batch(4), (2, 3))
    with pytest.raises(ValueError, match="a data set"):
        data.subsets(np.ones([4, 5], "float32"), (2, 3))
