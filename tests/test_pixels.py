"""Images drawn pixel by pixel: what each pixel sees, densities by enumeration, draws, and latents that collapse."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit
from scipy.stats import chisquare

import tfvae
from tfvae import evaluation, heads, networks, objectives, priors
from tfvae.distributions import shown
from tfvae.errors import IncompatibleParts
from tfvae.random import as_seed, draw


def head_of(shape, layers=3, kernel_size=3, filters=4, pixel=heads.Bernoulli):
    return heads.Autoregressive(pixel((*shape, 1)), networks.GatedPixelCNN(filters, layers, kernel_size))


def decoder_of(*arguments, seed=0, **options):
    """A decoder of two latents with weights that are no longer special."""
    keras.utils.set_random_seed(seed)
    decoder = tfvae.Decoder(networks.mlp(6), head_of(*arguments, **options))
    decoder(np.zeros([1, 2], "float32"))
    for weight in decoder.weights:
        weight.assign(weight + 0.4 * np.random.default_rng(seed).normal(size=weight.shape))
    return decoder


def every(shape, levels=2):
    """All images, [n, height, width, 1]."""
    return np.array(list(itertools.product(range(levels), repeat=int(np.prod(shape)))), "float32").reshape(
        -1, *shape, 1
    )


Z = tf.constant(np.random.default_rng(1).normal(size=[2, 3, 2]), tf.float32)


# What a pixel sees ---------------------------------------------------------------------------------------------------


def dependence(shape, layers, kernel_size):
    """|d logit_i / d x_j|, [n, n]."""
    head, pixels = decoder_of(shape, layers, kernel_size, filters=16).head, int(np.prod(shape))
    x = tf.constant(np.random.default_rng(0).random([1, *shape, 1]), tf.float32)
    condition = tf.constant(np.random.default_rng(1).normal(size=[1, *shape, 16]), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = tf.reshape(head.given(x, condition).distribution.logits, [pixels])
    return np.abs(tape.jacobian(logits, x).numpy().reshape(pixels, pixels))


@pytest.mark.parametrize(("shape", "layers", "kernel_size"), [((4, 5), 4, 3), ((5, 4), 2, 5)])
def test_a_pixel_depends_on_all_before_it_and_on_no_other(shape, layers, kernel_size):
    found = dependence(shape, layers, kernel_size)
    before = np.tril(np.ones_like(found), -1) > 0
    assert (found[~before] == 0).all() and (found[before] > 0).all()


def test_one_layer_sees_the_neighbours_alone():
    found = dependence((4, 4), 1, 3).reshape(4, 4, 4, 4)
    for row, column in itertools.product(range(4), repeat=2):
        near = {(row - 1, column - 1), (row - 1, column), (row - 1, column + 1), (row, column - 1)}
        assert set(zip(*np.nonzero(found[row, column]), strict=True)) == {p for p in near if set(p) <= {0, 1, 2, 3}}


# Densities and draws -------------------------------------------------------------------------------------------------


def levels(shape):
    return heads.Categorical(shape, 3, 0.5)


def test_densities_sum_to_one_over_all_images():
    for shape, pixel, images in (((3, 3), heads.Bernoulli, every((3, 3))), ((2, 2), levels, every((2, 2), 3) / 2)):
        px = decoder_of(shape, pixel=pixel)(Z)
        assert px.batch_shape == (2, 3) and px.event_shape == (*shape, 1)
        total = tf.reduce_sum(tf.exp(px.log_prob(images[:, None, None])), 0)
        np.testing.assert_allclose(total, np.ones([2, 3]), rtol=1e-5)


@pytest.mark.parametrize("pixel", [heads.Bernoulli, levels])
def test_draws_fit_the_density(pixel, seed):
    """Chi-square of 6000 draws for each of two z; p < 1e-6 by chance with probability 4e-6."""
    shape, scale = ((2, 3), 1) if pixel is heads.Bernoulli else ((2, 2), 2)
    px = decoder_of(shape, pixel=pixel)(Z[0, :2])
    images = every(shape, 1 + scale) / scale
    expected = tf.exp(px.log_prob(images[:, None])).numpy().astype("float64") * 6000  # [n, 2]
    drawn = draw(px, 6000, as_seed(seed % 2**31)).numpy()
    assert drawn.shape == (6000, 2, *shape, 1)
    place = ((drawn * scale).reshape(6000, 2, -1) @ (1 + scale) ** np.arange(np.prod(shape))[::-1]).astype(int)
    for number in range(2):
        counts = np.bincount(place[:, number], minlength=len(images))
        order = np.argsort(expected[:, number])
        rare = order[np.cumsum(expected[order, number]) < 8]  # cells are joined until eight are expected
        kept = np.setdiff1d(order, rare)
        observed = [*counts[kept], counts[rare].sum() + 1e-9]
        truth = np.array([*expected[kept, number], expected[rare, number].sum() + 1e-9])
        assert chisquare(observed, truth * np.sum(observed) / truth.sum()).pvalue > 1e-6
    later = draw(px, 2, as_seed(seed % 2**31)._replace(sample=7))
    np.testing.assert_array_equal(later, drawn[7:9])
    assert px.sample(4, seed=seed % 2**31).shape == (4, 2, *shape, 1)


def test_rounds_end_where_pixels_drawn_one_by_one_do(seed):
    decoder = decoder_of((3, 4))
    px, noise = decoder(Z[0]), np.random.default_rng(seed).random([3, 3, 4, 1]).astype("float32")
    x = np.zeros_like(noise)
    for row, column in itertools.product(range(3), range(4)):
        logits = px.given(tf.constant(x)).distribution.logits.numpy()
        x[:, row, column] = noise[:, row, column] < expit(logits[:, row, column])
    np.testing.assert_array_equal(px.walk(tf.constant(noise)), x)


def test_what_is_shown_depends_on_no_other_example():
    decoder = decoder_of((3, 3))
    whole = shown(decoder(Z[0])).numpy()
    np.testing.assert_array_equal(whole, np.concatenate([shown(decoder(Z[0, i : i + 1])) for i in range(3)]))
    assert set(np.unique(whole)) <= {0.0, 1.0}
    differ = shown(decoder(tf.tile(Z[:1, :1, :], [1, 50, 1])), as_seed(1)).numpy()[0]
    assert len(np.unique(differ.reshape(50, -1), axis=0)) > 5  # noise of its own for each
    with pytest.raises(NotImplementedError, match="a mean in closed form"):
        decoder(Z).mean()


# Models --------------------------------------------------------------------------------------------------------------


def model_of(decoder, objective=objectives.ELBO()):  # noqa: B008
    encoder = tfvae.Encoder(networks.mlp(6), heads.DiagonalNormal(2))
    return tfvae.VAE(encoder, decoder, priors.StandardNormal(2), objective, seed=0)


def test_the_evidence_of_all_images_sums_to_one_and_samples_have_it(seed):
    model, images = model_of(decoder_of((2, 2))), every((2, 2))
    found = evaluation.log_evidence(model, images, samples=4000, seed=seed, progress=False)
    chance = np.exp(found.per_example)
    assert chance.sum() == pytest.approx(1.0, abs=0.02)
    drawn = model.sample(4000, seed % 2**31).reshape(4000, 4)
    counts = np.bincount((drawn @ [8, 4, 2, 1]).astype(int), minlength=16)
    spread = np.sqrt(4000 * chance * (1 - chance)) + 0.02 * 4000 * chance
    assert np.all(np.abs(counts - 4000 * chance) < 5 * spread)
    bound = evaluation.elbo(model, images, samples=200, seed=seed, progress=False)
    assert bound.per_example.mean() < found.per_example.mean()


def test_a_decoder_that_hears_no_z_is_a_pixel_cnn():
    decoder = decoder_of((3, 3))
    linear, images = decoder.head.projection.linear, every((3, 3))
    linear.kernel.assign(0.0 * linear.kernel)
    scores = decoder(Z).log_prob(images[:, None, None]).numpy()
    np.testing.assert_allclose(scores, scores[:, :1, :1] + np.zeros([2, 3]), rtol=1e-6)
    alone = decoder.head.distribution(tf.reshape(linear.bias, [3, 3, 4]))
    np.testing.assert_allclose(scores[:, 0, 0], alone.log_prob(images), rtol=1e-5)
    model = model_of(decoder)
    found = evaluation.log_evidence(model, images[:20], samples=500, progress=False)
    np.testing.assert_allclose(found.per_example, scores[:20, 0, 0], atol=0.3)  # z is noise, weights differ little


def test_pixels_that_see_nothing_are_those_of_a_vae():
    x = np.random.default_rng(0).integers(0, 2, [48, 3, 3, 1]).astype("float32")
    runs = []
    for alone in (True, False):
        likelihood = heads.Bernoulli((3, 3, 1)) if alone else head_of((3, 3), 0, filters=1)
        model = model_of(tfvae.Decoder(networks.mlp(6), likelihood), objectives.IWAE(2))
        if not alone:
            likelihood.output_layer.set_weights([np.ones([1, 1]), np.zeros([1])])
            likelihood.output_layer.trainable = False
        for number, weight in enumerate(model.trainable_variables):
            weight.assign(0.4 * np.random.default_rng(number).normal(size=weight.shape))
        model.compile(keras.optimizers.Adam(1e-2))
        history = model.fit(x, batch_size=16, epochs=2, shuffle=False, verbose=0).history
        runs.append((history, model.trace(x, 3, 2).log_weights))
    for ours, theirs in zip(*runs, strict=True):
        tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5), ours, theirs)


@pytest.mark.parametrize(
    "objective",
    [objectives.ELBO(free_bits=0.5), objectives.IWAE(3), objectives.DReG(3), objectives.STL(), objectives.MIWAE(2, 2)],
)
def test_every_objective_takes_it(objective):
    x = np.random.default_rng(0).integers(0, 2, [8, 3, 3, 1]).astype("float32")
    model = model_of(decoder_of((3, 3), 1), objective)
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(objective.bound(model.trace(x, objective.samples, 1), tf.constant(5)))
    gradients = tape.gradient(loss, [w.value for w in model.trainable_variables])
    assert all(np.isfinite(g).all() for g in gradients) and sum(np.abs(g).max() > 0 for g in gradients) > 5


@pytest.fixture(scope="module")
def stripes():
    """Images whose bits repeat their neighbour on the left with probability 0.9, and their entropy in nats."""
    rng = np.random.default_rng(0)
    turns = np.concatenate([rng.random([4000, 3, 1]) < 0.5, rng.random([4000, 3, 3]) < 0.1], 2)
    entropy = 3 * (np.log(2) - 3 * (0.1 * np.log(0.1) + 0.9 * np.log(0.9)))
    return (np.cumsum(turns, 2) % 2).astype("float32")[..., None], entropy


@pytest.mark.parametrize("name", ["independent", "strong", "free bits", "blind"])
def test_z_falls_silent_where_pixels_explain_each_other(stripes, name):
    """All there is to know of these images is in the pixels before; bits that are free, or a blind decoder, wake z."""
    (x, entropy), shape = stripes, (3, 4)
    likelihood = heads.Bernoulli((3, 4, 1)) if name == "independent" else head_of(shape, 0 if name == "blind" else 1)
    decoder = tfvae.Decoder(networks.mlp(32), likelihood)
    model = model_of(decoder, objectives.ELBO(free_bits=0.5 if name == "free bits" else 0.0))
    model.compile(keras.optimizers.Adam(1e-2))
    monitor = tfvae.callbacks.CollapseMonitor(x[:200], every=8, patience=9)
    if name == "strong":
        with pytest.warns(UserWarning, match="collapsed"):
            model.fit(x, batch_size=100, epochs=8, verbose=0, callbacks=[monitor])
    else:
        model.fit(x, batch_size=100, epochs=8, verbose=0, callbacks=[monitor])
    logs = model.evaluate(x, batch_size=500, verbose=0, return_dict=True)
    active = evaluation.active_units(model, x[:1000], progress=False).count
    assert logs["elbo"] < -entropy + 0.15  # the best there is, but for the error of 4000 images
    if name == "strong":
        assert active == 0 and logs["rate"] < 0.03 and logs["elbo"] > -entropy - 0.15
    elif name == "free bits":
        assert active > 0 and logs["rate"] > 0.7 and logs["elbo"] > -entropy - 1.3
    else:
        assert active == 2 and logs["rate"] > 1.0


# What does not fit ---------------------------------------------------------------------------------------------------


REFUSED = [
    (ValueError, r"Expected filters .*=0", lambda: networks.GatedPixelCNN(0)),
    (ValueError, r"Expected layers .*=-1", lambda: networks.GatedPixelCNN(4, -1)),
    (ValueError, r"odd and at least 3.*kernel_size=4", lambda: networks.GatedPixelCNN(4, 1, 4)),
    (TypeError, r"networks\.GatedPixelCNN\. Received", lambda: heads.Autoregressive(heads.Bernoulli((3, 3, 1)), 3)),
    (IncompatibleParts, r"one channel.*\(9,\)", lambda: heads.Autoregressive(
        heads.Bernoulli(9), networks.GatedPixelCNN())),
    (IncompatibleParts, r"one channel.*3\)", lambda: heads.Autoregressive(
        heads.Bernoulli((2, 2, 3)), networks.GatedPixelCNN())),
    (IncompatibleParts, r"binary or categorical", lambda: head_of((3, 3), pixel=heads.Normal)),
    (IncompatibleParts, r"elements are independent", lambda: heads.Incomplete(head_of((3, 3)))),
]  # fmt: skip


@pytest.mark.parametrize(("error", "message", "run"), REFUSED)
def test_what_does_not_fit_is_refused(error, message, run):
    with pytest.raises(error, match=message):
        run()
