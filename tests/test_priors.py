"""Priors: densities that integrate to one, draws that fit them, limits, and what the shared encoder needs."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats
from tensorflow_probability import distributions as tfd

import tfvae
from tfvae import distributions, heads, networks, priors
from tfvae.errors import IncompatibleParts
from tfvae.random import Seed, as_seed, draw, has_rule

DTYPES = ["float32", "float64"]
SHAPE = (2, 3)


def mixture(latent_dim=2, components=3, dtype="float64", seed=0):
    """A mixture whose weights were moved from where they begin."""
    rng = np.random.default_rng(seed)
    prior = priors.Mixture(latent_dim, components, dtype=dtype)
    for weight in prior.weights:
        weight.assign(rng.normal(0, 1, weight.shape))
    return prior


def encoder(head=None, dtype="float32"):
    head = heads.DiagonalNormal(2, dtype=dtype) if head is None else head
    keras.utils.set_random_seed(3)
    made = tfvae.Encoder(networks.mlp(8), head, dtype=dtype)
    made(tf.zeros([1, *SHAPE], dtype))
    return made


def decoder():
    return tfvae.Decoder(networks.mlp(8), heads.Bernoulli(SHAPE))


ALL = {
    "standard_normal": lambda **k: priors.StandardNormal(2, **k),
    "standard_laplace": lambda **k: priors.StandardLaplace(2, **k),
    "uniform_sphere": lambda **k: priors.UniformSphere(4, **k),
    "uniform_categorical": lambda **k: priors.UniformCategorical(2, 3, **k),
    "mixture": lambda **k: priors.Mixture(2, 3, **k),
    "vamp": lambda dtype="float32": priors.VampPrior(encoder(dtype=dtype), 3, SHAPE, dtype=dtype),
}


# Densities and draws -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("make", [mixture, priors.StandardLaplace, ALL["vamp"]], ids=["mixture", "laplace", "vamp"])
def test_densities_integrate_to_one(make, dtype):
    prior = make(2, dtype=dtype) if make is priors.StandardLaplace else make(dtype=dtype)
    line = np.linspace(-20, 20, 801)
    grid = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2).astype(dtype)
    mass = np.exp(prior().log_prob(grid).numpy().astype("float64")).sum() * (line[1] - line[0]) ** 2
    assert mass == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_densities_are_those_of_scipy(dtype):
    z = np.random.default_rng(0).normal(0, 2, [5, 3])
    tight = {"rtol": 1e-12} if dtype == "float64" else {"rtol": 1e-5}
    np.testing.assert_allclose(
        priors.StandardLaplace(3, dtype=dtype)().log_prob(z.astype(dtype)), stats.laplace.logpdf(z).sum(-1), **tight
    )
    for size in (2, 3, 10):
        area = np.log(2) + size / 2 * np.log(np.pi) - special.gammaln(size / 2)
        unit = np.eye(size, dtype=dtype)
        np.testing.assert_allclose(priors.UniformSphere(size, dtype=dtype)().log_prob(unit), -area, **tight)
    prior = mixture(3, 4, dtype)
    logits, loc, raw = (weight.numpy().astype("float64") for weight in (prior.logits, prior.loc, prior.raw_scale))
    scale = heads.scales.positive(raw).numpy()
    parts = stats.norm(loc, scale).logpdf(z[:, None]).sum(-1) + special.log_softmax(logits)
    np.testing.assert_allclose(prior().log_prob(z.astype(dtype)), special.logsumexp(parts, -1), **tight)


def test_mixture_density_is_finite_far_away_and_so_is_its_gradient():
    prior = priors.Mixture(2, 3)
    for far in (1e2, 1e4, 1e8):
        z = tf.constant([[far, -far]])
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = prior().log_prob(z)
        gradients = tape.gradient(value, [z, *(w.value for w in prior.trainable_weights)])
        assert np.isfinite(value).all() and all(np.isfinite(g).all() for g in gradients)


@pytest.mark.parametrize("dtype", DTYPES)
def test_mixture_draws_fit_their_density(dtype, seed):
    """Each coordinate, and a projection, against a sum of normal distribution functions; 1e-5 each."""
    prior = mixture(dtype=dtype)
    assert has_rule(prior())
    z = draw(prior(), 5000, as_seed(seed)).numpy().astype("float64")
    weights = special.softmax(prior.logits.numpy())
    loc, scale = prior.loc.numpy(), heads.scales.positive(prior.raw_scale.numpy()).numpy()
    for way in np.array([[1, 0], [0, 1], [0.6, 0.8], [0.8, -0.6]]):
        centres, widths = loc @ way, np.sqrt(np.square(scale * way).sum(-1))
        law = lambda value, c=centres, w=widths: (weights * stats.norm(c, w).cdf(value[:, None])).sum(-1)  # noqa: E731
        assert stats.kstest(z @ way, law).pvalue > 1e-5


@pytest.mark.parametrize("components", [1, 3, 50])
def test_mixture_chooses_one_component_with_its_probability(components, seed):
    """Narrow components far apart: which one was drawn can be read off; fails by chance at 1e-5."""
    logits = np.random.default_rng(1).normal(size=components)
    loc = np.arange(components, dtype="float32")[:, None]
    parts = tfd.MultivariateNormalDiag(loc, np.full([components, 1], 1e-4, "float32"))
    q = distributions.Mixture(tfd.Categorical(logits=logits.astype("float32")), parts)
    z = draw(q, 5000, as_seed(seed)).numpy()[:, 0]
    chosen = np.rint(z).astype(int)
    assert np.abs(z - chosen).max() < 1e-3 and chosen.min() >= 0 and chosen.max() < components
    expected = 5000 * special.softmax(logits)
    square = (np.square(np.bincount(chosen, minlength=components) - expected) / expected).sum()
    assert components == 1 or stats.chi2(components - 1).sf(square) > 1e-5
    noise = (z - chosen) / 1e-4
    assert stats.kstest(noise, "norm").pvalue > 1e-5 or components > 10  # float32 rounds it there
    assert np.abs(np.corrcoef(chosen, noise)[0, 1]) < 5 / np.sqrt(5000) if components > 1 else True


@pytest.mark.parametrize("dtype", DTYPES)
def test_draws_without_weights_fit_their_density(dtype, seed):
    """The uniform sphere's projection is Beta, the Laplace coordinates are Laplace, log-ratios logistic; 1e-5 each."""
    z = draw(priors.StandardLaplace(2, dtype=dtype)(), 4000, as_seed(seed)).numpy()
    assert 2 * min(stats.kstest(column, "laplace").pvalue for column in z.T) > 1e-5
    for size in (2, 3, 6):
        z = draw(priors.UniformSphere(size, dtype=dtype)(), 4000, as_seed(seed)).numpy()
        np.testing.assert_allclose(np.linalg.norm(z, axis=-1), np.ones(4000), rtol=1e-6)
        way = np.random.default_rng(0).normal(size=size)
        cosine = z @ (way / np.linalg.norm(way))
        assert stats.kstest((1 + cosine) / 2, stats.beta((size - 1) / 2, (size - 1) / 2).cdf).pvalue > 1e-5
    z = draw(priors.UniformCategorical(1, 2, 0.4, dtype=dtype)(), 4000, as_seed(seed)).numpy()
    assert stats.kstest((z[:, 0] - z[:, 1]) * 0.4, "logistic").pvalue > 1e-5


@pytest.mark.parametrize("name", ALL)
def test_a_draw_depends_on_its_place_alone(name):
    p = ALL[name]()()
    assert has_rule(p) and p.batch_shape == [] and len(p.event_shape) == 1
    z = draw(p, 6, as_seed(4))
    assert z.shape == (6, *p.event_shape) and p.log_prob(z).shape == (6,)
    np.testing.assert_allclose(draw(p, 4, Seed(as_seed(4).words, sample=2)), z[2:], rtol=1e-6)
    assert (draw(p, 6, as_seed(5)) != z.numpy()).numpy().any()


@pytest.mark.parametrize("name", ["standard_laplace", "uniform_sphere", "uniform_categorical", "mixture"])
def test_priors_are_made_again_from_their_configuration(name):
    prior = ALL[name]()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(prior))
    assert again.get_config() == prior.get_config()
    assert [w.shape for w in again.weights] == [w.shape for w in prior.weights]


# Limits --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mixture_of_one_is_the_standard_normal(dtype):
    one, standard = priors.Mixture(3, 1, spread=0, dtype=dtype)(), priors.StandardNormal(3, dtype=dtype)()
    z = draw(standard, 100, as_seed(0))
    tight = 1e-12 if dtype == "float64" else 1e-6
    np.testing.assert_allclose(one.log_prob(z), standard.log_prob(z), rtol=tight)
    np.testing.assert_allclose(draw(one, 100, as_seed(0)), z, rtol=tight)


def test_a_mixture_of_equals_is_one_of_them():
    q = tfd.MultivariateNormalDiag([1.0, -2.0], [0.5, 3.0])
    parts = tfd.MultivariateNormalDiag(tf.tile(q.mean()[None], [5, 1]), tf.tile(q.stddev()[None], [5, 1]))
    z = draw(q, 50, as_seed(0))
    for logits in (np.zeros(5, "float32"), np.arange(5, dtype="float32")):
        p = distributions.Mixture(tfd.Categorical(logits=logits), parts)
        np.testing.assert_allclose(p.log_prob(z), q.log_prob(z), rtol=1e-5)
        np.testing.assert_allclose(draw(p, 50, as_seed(0)), z, rtol=1e-5)


FAMILIES = {
    "diagonal_normal": lambda: heads.DiagonalNormal(2),
    "full_normal": lambda: heads.FullNormal(2),
    "low_rank_normal": lambda: heads.LowRankNormal(2, 1),
    "laplace": lambda: heads.Laplace(2),
    "power_spherical": lambda: heads.PowerSpherical(3),
    "relaxed_categorical": lambda: heads.RelaxedCategorical(1, 3),
    "planar_flow": lambda: heads.Planar(2, 2),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_vamp_of_equal_pseudo_inputs_is_the_posterior_of_that_input(name):
    shared = encoder(FAMILIES[name]())
    image = np.random.default_rng(0).random(SHAPE)
    prior = priors.VampPrior(shared, 4, SHAPE, initial=np.stack([image] * 4))
    q = shared(tf.constant(image[None], tf.float32))
    z = draw(q, 50, as_seed(0))[:, 0]
    np.testing.assert_allclose(prior().log_prob(z), q.log_prob(z[:, None])[:, 0], rtol=1e-5, atol=1e-5)
    assert prior.support is shared.head.support and has_rule(prior())
    drawn = draw(prior(), 4000, as_seed(1))  # of the same family: the mean density is that of the posterior's draws
    here = q.log_prob(drawn[:, None]).numpy()[:, 0]
    there = q.log_prob(draw(q, 4000, as_seed(2))).numpy()[:, 0]
    assert stats.ks_2samp(here, there).pvalue > 1e-5


@pytest.mark.parametrize("name", FAMILIES)
def test_vamp_is_the_mean_of_the_posteriors_of_its_pseudo_inputs(name):
    shared = encoder(FAMILIES[name]())
    inputs = np.random.default_rng(0).random([4, *SHAPE])
    prior = priors.VampPrior(shared, 4, SHAPE, initial=inputs)
    q = shared(tf.constant(inputs, tf.float32))
    z = tf.reshape(draw(q, 10, as_seed(0)), [40, -1])
    each = q.log_prob(z[:, None]).numpy().astype("float64")  # [40, 4]
    np.testing.assert_allclose(prior().log_prob(z), special.logsumexp(each, -1) - np.log(4), rtol=1e-4, atol=1e-5)


# The shared encoder --------------------------------------------------------------------------------------------------


def test_vamp_keeps_its_encoder_through_a_file_and_its_pseudo_inputs_in_range(tmp_path):
    shared = encoder()
    prior = priors.VampPrior(shared, 3, SHAPE, initial=np.full([3, *SHAPE], 0.999))
    model = tfvae.VAE(shared, decoder(), prior, seed=0)
    weights = model.trainable_variables
    assert len({id(weight) for weight in weights}) == len(weights) == 9  # three for each network and head, one prior
    model.compile(keras.optimizers.Adam(0.05))  # a step moves every number by so much
    before = prior.pseudo_inputs.numpy()
    model.fit((np.random.default_rng(0).random([16, *SHAPE]) < 0.5).astype("float32"), batch_size=8, verbose=0)
    after = prior.pseudo_inputs.numpy()
    assert (after != before).any() and after.min() >= 0 and after.max() <= 1
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert again.prior.encoder is again.encoder
    np.testing.assert_array_equal(again.prior.pseudo_inputs, after)
    z = np.random.default_rng(1).normal(size=[5, 2]).astype("float32")
    np.testing.assert_array_equal(again.prior().log_prob(z), prior().log_prob(z))


def test_pseudo_inputs_begin_where_told():
    shared = encoder()
    keras.utils.set_random_seed(0)
    default = priors.VampPrior(shared, 200, SHAPE).pseudo_inputs.numpy()
    assert default.mean() == pytest.approx(0.5, abs=0.002) and default.std() == pytest.approx(0.01, rel=0.2)
    assert (priors.VampPrior(shared, 200, SHAPE).pseudo_inputs.numpy() != default).any()
    keras.utils.set_random_seed(0)
    np.testing.assert_array_equal(priors.VampPrior(shared, 200, SHAPE).pseudo_inputs, default)
    data = np.random.default_rng(0).random([3, *SHAPE]).astype("float32")
    np.testing.assert_array_equal(priors.VampPrior(encoder(), 3, SHAPE, initial=data).pseudo_inputs, data)
    wide = priors.VampPrior(encoder(), 3, SHAPE, keras.initializers.Constant(-4.0), low=-5, high=5)
    assert (wide.pseudo_inputs.numpy() == -4).all()


@pytest.mark.parametrize("name", ["mixture", "vamp"])
def test_every_weight_gets_a_gradient(name):
    prior = ALL[name]()
    z = tf.constant(np.random.default_rng(0).normal(size=[10, 2]), tf.float32)
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(prior().log_prob(z))
    for weight, gradient in zip(
        prior.trainable_weights, tape.gradient(value, [w.value for w in prior.trainable_weights]), strict=True
    ):
        assert np.abs(gradient).max() > 0, weight.path


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: priors.Mixture(2, 3, spread=0), ValueError, r"Expected a positive spread.*spread=0, components=3"),
        (lambda: priors.Mixture(2, 0), ValueError, r"Expected components .*positive.*components=0"),
        (lambda: priors.Mixture(2, 3, spread=-1), ValueError, r"Expected spread .*at least 0.*spread=-1"),
        (lambda: priors.UniformSphere(1), ValueError, r"Expected latent_dim .*from 2 .*latent_dim=1"),
        (lambda: priors.StandardLaplace(0), ValueError, r"Expected latent_dim .*positive.*latent_dim=0"),
        (lambda: priors.UniformCategorical(2, 3, 0), ValueError, r"Expected temperature .*0\.01.*temperature=0"),
        (lambda: priors.VampPrior(encoder(), 0, SHAPE), ValueError, r"Expected components .*positive.*components=0"),
        (lambda: priors.VampPrior(encoder(), 3, SHAPE, low=1, high=0), ValueError, r"Expected high .*Received: high=0"),
        (lambda: priors.VampPrior(encoder(), 3, SHAPE, initial=np.zeros([2, 2, 3])), ValueError,
         r"Expected initial to hold 3 examples, of shape \[3, 2, 3\].*Received: initial.shape=\[2, 2, 3\]"),
        (lambda: priors.VampPrior(encoder(), 3, SHAPE, initial=np.full([3, 2, 3], 255)), ValueError,
         r"Expected initial .*values from 0 to 1"),
        (lambda: priors.VampPrior(encoder(heads.Point(2)), 3, SHAPE), IncompatibleParts,
         r"Expected a posterior whose density is known at any z.*posterior VectorDeterministic"),
        (lambda: priors.VampPrior(encoder(heads.InverseAutoregressive(2, 1, (4,))), 3, SHAPE), IncompatibleParts,
         r"Expected a posterior whose density is known at any z.*use heads\.DiagonalNormal"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
