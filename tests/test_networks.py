"""Networks: against their formulas in NumPy, on every grid they must fit, in files, in TFLite and under XLA."""

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import signal, special

import tfvae
from tfvae import heads, networks, priors
from tfvae.export.verification import is_builtin, operators

RECORDS = np.array([[2, -0.5, 0, 1, 7], [0, 1.5, 9, 0, 0], [1, 0.0, 1e6, 1, 3]])


def noise(*shape):
    return np.random.default_rng(1).normal(size=[3, *shape])


class Row(NamedTuple):
    """A network small enough for an eye to follow, three inputs, and the shape of an output."""

    build: Callable[[], keras.Sequential]
    x: np.ndarray
    output: tuple[int, ...]


NETWORKS = {
    "mlp": Row(lambda: networks.mlp(6, 4, activation="tanh"), noise(3, 2), (4,)),
    "mlp_regularized": Row(lambda: networks.mlp(4, kernel_regularizer=keras.regularizers.L2(0.1)), noise(5), (4,)),
    "gated": Row(lambda: networks.gated(6, 4), noise(3, 2), (4,)),
    "conv": Row(lambda: networks.conv(4, 3, units=4), noise(7, 6, 2), (4,)),
    "deconv": Row(lambda: networks.deconv(4, 3, size=(7, 6), units=8), noise(3), (7, 6, 3)),
    "conv1d": Row(lambda: networks.conv1d(4, 3, units=4), noise(11, 2), (4,)),
    "deconv1d": Row(lambda: networks.deconv1d(4, 3, length=11, units=8), noise(3), (11, 3)),
    "residual_down": Row(lambda: networks.residual_down(4, 3, units=4, activation="elu"), noise(7, 6, 2), (4,)),
    "residual_up": Row(lambda: networks.residual_up(4, 3, size=(7, 6), units=8), noise(3), (7, 6, 3)),
    "columns": Row(lambda: networks.columns(4, categories={0: 3, 3: 2}, counts=[4, 2]), RECORDS, (4,)),
    "count_mlp": Row(lambda: networks.count_mlp(6, 4), np.floor(np.exp(noise(5) + 2)), (4,)),
    "simplex_mlp": Row(lambda: networks.simplex_mlp(6, 4), special.log_softmax(noise(5), -1), (4,)),
    "nested": Row(lambda: keras.Sequential([networks.Log1p(), networks.gated(4)]), noise(3, 2) ** 2, (4,)),
}


@pytest.fixture(scope="module")
def built():
    """Every network of the table with weights none of which is zero, and its input."""
    random, made = np.random.default_rng(0), {}
    for name, row in NETWORKS.items():
        network = row.build()
        network.build((None, *row.x.shape[1:]))
        for weight in network.weights:
            weight.assign(random.normal(0, 0.5, weight.shape))
        made[name] = network, tf.constant(row.x, tf.float32)
    return made


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_are_known_before_the_network_is_built(name, built):
    row = NETWORKS[name]
    assert tuple(row.build().compute_output_shape((None, *row.x.shape[1:]))) == (None, *row.output)
    network, x = built[name]
    assert network(x).shape == (3, *row.output) and network.compute_output_shape(x.shape) == (3, *row.output)


IMAGES = [(28, 28, 1), (32, 32, 3), (64, 64, 3), (27, 33, 2), (5, 1, 1)]


@pytest.mark.parametrize("shape", IMAGES, ids=str)
@pytest.mark.parametrize(
    ("down", "up"), [(networks.conv, networks.deconv), (networks.residual_down, networks.residual_up)]
)
def test_images_of_any_size_come_down_and_up_again(down, up, shape):
    encoder, decoder = down(2, 3, 4, units=5), up(4, 3, 2, size=shape[:2], units=5)
    assert decoder(encoder(np.zeros([2, *shape], "float32"))).shape == (2, *shape[:2], 2)
    grid = [math.ceil(length / 8) for length in shape[:2]]  # halved three times, rounded up
    assert encoder.layers[-1].kernel.shape == (4 * math.prod(grid), 5)
    assert decoder.layers[1].kernel.shape == (5, 4 * math.prod(grid))


@pytest.mark.parametrize("length", [1, 187, 200])
def test_signals_of_any_length_come_down_and_up_again(length):
    encoder, decoder = networks.conv1d(2, 3, units=5), networks.deconv1d(3, 2, length=length, units=5)
    assert decoder(encoder(np.zeros([2, length, 1], "float32"))).shape == (2, length, 2)
    assert encoder.layers[-1].kernel.shape == (3 * math.ceil(length / 4), 5)


@pytest.mark.parametrize(
    ("build", "whole", "part", "inside"),
    [
        (networks.deconv, {"size": (8, 8)}, {"size": (7, 5)}, np.s_[:, :7, 1:6]),
        (networks.residual_up, {"size": (8, 8)}, {"size": (7, 5)}, np.s_[:, :7, 1:6]),
        (networks.deconv1d, {"length": 8}, {"length": 5}, np.s_[:, 1:6]),
    ],
)
def test_odd_sizes_are_the_middle_of_the_next_even_one(build, whole, part, inside):
    whole, part = (build(3, 2, activation="tanh", **size) for size in (whole, part))
    z = noise(4).astype("float32")
    whole(z), part(z)
    weights = [np.random.default_rng(i).normal(size=w.shape) for i, w in enumerate(whole.weights)]
    whole.set_weights(weights), part.set_weights(weights)
    np.testing.assert_allclose(part(z), whole(z).numpy()[inside], atol=1e-6)
    assert np.std(part(z)) > 0.1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_gated_layer_is_its_formula(dtype):
    layer, x = networks.GatedDense(4, dtype=dtype), noise(2, 5).astype(dtype)
    layer(x)
    a, a0, b, b0 = (np.random.default_rng(i).normal(size=w.shape) for i, w in enumerate(layer.get_weights()))
    layer.set_weights([a, a0, b, b0])
    assert [w.path.split("/")[-2:] for w in layer.weights] == [
        ["linear", "kernel"], ["linear", "bias"], ["gate", "kernel"], ["gate", "bias"]
    ]  # fmt: skip
    truth = (x @ a + a0) / (1 + np.exp(-(x @ b + b0)))
    np.testing.assert_allclose(layer(x), truth, rtol=2e-5 if dtype == "float32" else 1e-12, atol=1e-6)


def test_an_open_gate_is_a_linear_layer_and_a_closed_one_is_nothing():
    layer, x = networks.GatedDense(4), noise(5).astype("float32")
    layer(x)
    a, a0, b, _ = layer.get_weights()
    layer.set_weights([a, a0, 0 * b, np.full(4, 40, "float32")])
    np.testing.assert_allclose(layer(x), x @ a + a0, rtol=1e-5, atol=1e-6)
    layer.set_weights([a, a0, 0 * b, np.full(4, -110, "float32")])
    np.testing.assert_allclose(layer(x), np.zeros([3, 4]), atol=1e-30)


def correlated(x, kernel, bias):
    """A convolution that keeps the grid, one pair of channels at a time; channels stand before the grid."""
    y = np.zeros([len(x), len(kernel), *x.shape[2:]]) + bias[:, None, None]
    for image, out, channel in itertools.product(range(len(x)), range(len(kernel)), range(x.shape[1])):
        y[image, out] += signal.correlate2d(x[image, channel], kernel[out, channel], "same")
    return y


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_residual_block_is_the_identity_and_a_branch(activation):
    block, x = networks.ResidualBlock(3, activation, dtype="float64"), noise(5, 4, 2)
    block(x)
    w1, b1, w2, b2 = (np.random.default_rng(i).normal(size=w.shape) for i, w in enumerate(block.get_weights()))
    block.set_weights([w1, b1, w2, b2])
    a = {"relu": lambda h: np.maximum(h, 0), "tanh": np.tanh}[activation]
    channels_first = x.transpose(0, 3, 1, 2)
    inner = correlated(a(channels_first), w1.transpose(3, 2, 0, 1), b1)
    branch = correlated(a(inner), w2.transpose(3, 2, 0, 1), b2)
    np.testing.assert_allclose(block(x), x + branch.transpose(0, 2, 3, 1), rtol=1e-10)
    block.last.kernel.assign(0 * w2)
    block.last.bias.assign(0 * b2)
    np.testing.assert_array_equal(block(x), x)


def test_blocks_that_do_nothing_leave_the_strided_convolutions():
    """With zeroed branches, a residual network is linear up to its last activation, whatever the blocks."""
    deep, x = networks.residual_down(3, 2, blocks=2, units=4), noise(7, 6, 1).astype("float32")
    deep(x)
    for block in (layer for layer in deep.layers if isinstance(layer, networks.ResidualBlock)):
        block.set_weights([0 * w for w in block.get_weights()])
    h = deep.layers[3](deep.layers[0](x))
    np.testing.assert_allclose(deep(x), deep.layers[-1](tf.reshape(tf.nn.relu(h), [3, -1])), atol=1e-6)


def test_weights_are_as_many_as_the_formulas_have():
    def count(network, *shape):
        network.build((None, *shape))
        return network.count_params()

    assert count(networks.gated(300, 300), 28, 28, 1) == 2 * (784 * 300 + 300) + 2 * (300 * 300 + 300)
    block = networks.ResidualBlock(5)
    block.build((None, 7, 7, 6))
    assert block.count_params() == 2 * (25 * 6 * 6 + 6)
    assert count(networks.columns(8, categories={0: 3, 3: 2}, counts=[2]), 5) == (2 + 1 + 5) * 8 + 8
    down = [9 * 1 * 4 + 4, 2 * (9 * 4 * 4 + 4), 9 * 4 * 3 + 3, 2 * (9 * 3 * 3 + 3), 2 * 2 * 3 * 5 + 5]
    assert count(networks.residual_down(4, 3, units=5), 7, 6, 1) == sum(down)
    up = [2 * 5 + 5, 5 * 12 + 12, 2 * (9 * 3 * 3 + 3), 9 * 3 * 4 + 4, 2 * (9 * 4 * 4 + 4), 9 * 4 * 4 + 4]
    assert count(networks.residual_up(3, 4, size=(7, 6), units=5), 2) == sum(up)
    small = [
        count(networks.residual_down(32, 64), 28, 28, 1), count(networks.residual_up(64, 32, size=(28, 28)), 50),
        count(networks.residual_down(32, 64), 32, 32, 3), count(networks.residual_up(64, 32, size=(32, 32)), 50),
        count(networks.residual_down(32, 64, 64), 64, 64, 3),
        count(networks.residual_up(64, 64, 32, size=(64, 64)), 50),
    ]  # fmt: skip
    assert max(small) < 1_500_000


def test_records_are_encoded_exactly():
    layer = networks.Columns({3: 2, 0: 3}, counts=(4, 2))
    logs = np.log1p(RECORDS[:, [2, 4]])
    truth = np.concatenate([RECORDS[:, [1]], logs, np.eye(3)[[2, 0, 1]], np.eye(2)[[1, 0, 1]]], 1)
    np.testing.assert_allclose(layer(RECORDS), truth, rtol=1e-6)
    np.testing.assert_array_equal(layer(RECORDS)[:, 3:], truth[:, 3:])
    np.testing.assert_allclose(networks.columns(categories={3: 2, 0: 3}, counts=(4, 2))(RECORDS), truth, rtol=1e-6)
    assert layer.compute_output_shape((None, 5)) == (None, truth.shape[1])


def test_a_category_that_is_no_level_is_none():
    strange = np.array([[-1], [3], [0.5], [np.nan], [np.inf], [2]])
    np.testing.assert_array_equal(networks.Columns({0: 3})(strange), [[0, 0, 0]] * 5 + [[0, 0, 1]])


def test_records_of_one_kind_of_column():
    x = RECORDS[:, [0, 4]].astype("float32")
    np.testing.assert_array_equal(networks.Columns({})(x), x)
    np.testing.assert_allclose(networks.Columns({}, counts=[0, 1])(x.astype("int64")), np.log1p(x), rtol=1e-6)
    np.testing.assert_array_equal(networks.Columns({0: 3})(x[:, :1]), np.eye(3)[[2, 0, 1]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_counts_are_read_by_their_logarithms(dtype):
    counts = np.array([[0, 1, 2, 10, 1000, 10**6, 10**9]])
    rtol = 1e-6 if dtype == "float32" else 1e-15
    np.testing.assert_allclose(networks.Log1p(dtype=dtype)(counts), np.log1p(counts), rtol=rtol)
    np.testing.assert_allclose(networks.count_mlp()(counts), np.log1p(counts), rtol=1e-6)


def test_log_probabilities_are_read_as_probabilities():
    p = special.softmax(noise(2, 4), -1).astype("float32")
    network, plain = networks.simplex_mlp(5, 3), networks.mlp(5, 3)
    network(p), plain(p)
    plain.set_weights(network.get_weights())
    np.testing.assert_allclose(network(np.log(p)), plain(p), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(networks.simplex_mlp()(np.full([1, 2], -np.inf, "float32")), [[0, 0]])


def test_a_penalty_is_on_every_kernel_and_stays_in_the_file(tmp_path):
    network = networks.mlp(4, 3, kernel_regularizer=keras.regularizers.L2(0.1))
    network(noise(5).astype("float32"))
    kernels = [w for w in network.get_weights() if w.ndim == 2]
    truth = 0.1 * sum((w**2).sum() for w in kernels)
    network.save(tmp_path / "n.keras")
    for each in (network, keras.models.load_model(tmp_path / "n.keras")):
        assert len(each.losses) == len(kernels) == 2
        assert float(sum(each.losses)) == pytest.approx(truth, rel=1e-5)
    plain = networks.mlp(4)
    plain(noise(5).astype("float32"))
    assert plain.losses == []


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_restores_the_network(name, built, tmp_path):
    network, x = built[name]
    network.save(tmp_path / "n.keras")
    loaded = keras.models.load_model(tmp_path / "n.keras")
    np.testing.assert_array_equal(loaded(x), network(x))
    assert len(loaded.trainable_variables) == len(network.trainable_variables)


@pytest.mark.parametrize(
    "build", [lambda: networks.gated(3), lambda: networks.residual_down(2, units=3)], ids=["gated", "residual"]
)
def test_what_is_frozen_stays_frozen_in_a_file(build, tmp_path):
    network = build()
    network(noise(5, 4, 1).astype("float32"))
    ours = [layer for layer in network.layers if isinstance(layer, networks.GatedDense | networks.ResidualBlock)]
    ours[0].trainable = False
    network.save(tmp_path / "n.keras")
    loaded = keras.models.load_model(tmp_path / "n.keras")
    assert len(loaded.trainable_variables) == len(network.trainable_variables) == len(network.weights) - 4


@pytest.mark.parametrize(("layer", "arguments"), [(networks.GatedDense, (2,)), (networks.ResidualBlock, ())])
def test_mixed_precision_keeps_weights_in_float32(layer, arguments):
    layer = layer(*arguments, dtype="mixed_bfloat16")
    assert layer(noise(4, 4, 2).astype("float32")).dtype == tf.bfloat16
    assert {w.dtype for w in layer.weights} == {"float32"}


def values_and_gradients(built):
    """What every network gives, and how each of its weights moves a fixed combination of it."""
    values, gradients = {}, {}
    for name, (network, x) in built.items():
        with tf.GradientTape() as tape:
            values[name] = network(x)
            along = tf.reshape(tf.cos(tf.range(float(math.prod(values[name].shape)))), values[name].shape)
            loss = tf.reduce_sum(values[name] * along)
        gradients[name] = tape.gradient(loss, [w.value for w in network.trainable_variables])
    return values, gradients


def test_every_weight_gets_a_gradient_and_xla_gives_the_same(built):
    values, gradients = values_and_gradients(built)
    for name, found in gradients.items():
        assert found and all(g is not None and np.abs(g).max() > 1e-6 for g in found), name
    compiled_values, compiled_gradients = tf.function(lambda: values_and_gradients(built), jit_compile=True)()
    for name in built:
        np.testing.assert_allclose(compiled_values[name], values[name], rtol=1e-4, atol=1e-5, err_msg=name)
        for ours, theirs in zip(compiled_gradients[name], gradients[name], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max(), err_msg=name)


@pytest.fixture(scope="module")
def mobile(built, tmp_path_factory):
    """All networks in one TFLite file, since a conversion takes longer than what it converts."""
    folder = tmp_path_factory.mktemp("networks")
    archive = keras.export.ExportArchive()
    for name, (network, x) in built.items():
        archive.track(network)
        archive.add_endpoint(name, network.call, input_signature=[tf.TensorSpec([None, *x.shape[1:]], name="x")])
    archive.write_out(str(folder / "1"), verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "1"), signature_keys=list(built))
    (folder / "m.tflite").write_bytes(converter.convert())
    return folder / "m.tflite"


def test_tflite_holds_builtin_operators_and_gives_the_same(built, mobile):
    from ai_edge_litert.interpreter import Interpreter

    assert all(is_builtin(name) for name in operators(mobile))
    interpreter = Interpreter(model_path=str(mobile))
    for name, (network, x) in built.items():
        run = interpreter.get_signature_runner(name)
        for batch in (x[:1], x):
            (found,) = run(x=batch.numpy()).values()
            np.testing.assert_allclose(found, network(batch), rtol=1e-4, atol=1e-4, err_msg=name)


COMPOSITIONS = {
    "residual": lambda: (networks.residual_down(2, 3, units=4), networks.residual_up(3, 2, size=(7, 6), units=4),
        heads.Bernoulli((7, 6, 1)), noise(7, 6, 1) > 0),
    "signal": lambda: (networks.conv1d(2, 3, units=4), networks.deconv1d(3, 2, length=11, units=4),
        heads.Normal((11, 2)), noise(11, 2)),
    "columns": lambda: (networks.columns(4, categories={0: 3}, counts=[2]), networks.mlp(4), heads.Normal(5), RECORDS),
    "gated": lambda: (networks.gated(4), networks.gated(4), heads.Bernoulli((3, 2)), noise(3, 2) > 0),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_they_make_a_vae(name):
    encoder, decoder, head, x = COMPOSITIONS[name]()
    parts = tfvae.Encoder(encoder, heads.DiagonalNormal(2)), tfvae.Decoder(decoder, head)
    model = tfvae.VAE(*parts, priors.StandardNormal(2), seed=0)
    assert np.isfinite(model.trace(x.astype("float32"), 2, 0).elbo).all()
    assert head.projection.pointwise == (name in ("residual", "signal"))


V, T = ValueError, TypeError
MISTAKES = {
    "mlp-regularizer-text": (T, r"Expected kernel_regularizer .*keras\.regularizers\.L2.*Received: .*='l2'",
        lambda: networks.mlp(4, kernel_regularizer="l2")),
    "simplex-zero": (V, r"Expected every width in units .*positive.*=0", lambda: networks.simplex_mlp(0)),
    "count-activation": (V, r"activation.*swisch", lambda: networks.count_mlp(4, activation="swisch")),
    "gated-text": (V, r"Expected every width in units .*positive.*='300'", lambda: networks.gated("300")),
    "gated-dense-zero": (V, r"Expected units .*positive whole number.*units=0", lambda: networks.GatedDense(0)),
    "conv1d-kernel": (V, r"Expected kernel_size .*=0", lambda: networks.conv1d(4, kernel_size=0)),
    "deconv1d-length": (V, r"Expected length .*positive.*length=\(8,\)", lambda: networks.deconv1d(4, length=(8,))),
    "deconv1d-without-filters": (V, r"at least one entry in filters\. Received: filters=\(\), length=8",
        lambda: networks.deconv1d(length=8)),
    "down-without-filters": (V, r"at least one entry in filters\. Received: filters=\(\)",
        lambda: networks.residual_down()),
    "down-filters": (V, r"Expected every entry of filters .*positive.*=2\.5", lambda: networks.residual_down(2.5)),
    "down-blocks": (V, r"Expected blocks .*positive.*blocks=0", lambda: networks.residual_down(4, blocks=0)),
    "down-units": (V, r"Expected units .*positive.*units=-1", lambda: networks.residual_down(4, units=-1)),
    "up-without-filters": (V, r"at least one entry in filters, and size=\(height, width\)\. .*filters=\(\)",
        lambda: networks.residual_up(size=(8, 8))),
    "up-size-of-three": (V, r"size=\(height, width\)\. Received: filters=\(4,\), size=\(8, 8, 1\)",
        lambda: networks.residual_up(4, size=(8, 8, 1))),
    "up-size-zero": (V, r"Expected every size in size .*positive.*=0", lambda: networks.residual_up(4, size=(8, 0))),
    "block-kernel": (V, r"Expected kernel_size .*=True", lambda: networks.ResidualBlock(True)),
    "block-activation": (V, r"activation.*swisch", lambda: networks.ResidualBlock(3, "swisch")),
    "columns-list": (T, r"Expected categories to map columns .*\{0: 3\}.*Received: categories=\[0\], counts=\(\)",
        lambda: networks.columns(4, categories=[0])),
    "columns-count-alone": (T, r"counts to list columns.*Received: categories=\{\}, counts=2",
        lambda: networks.columns(4, categories={}, counts=2)),
    "columns-twice": (V, r"Expected each column once\. Received: categories=\{0: 3\}, counts=\[0\]",
        lambda: networks.Columns({0: 3}, counts=[0])),
    "columns-negative": (V, r"Expected every column .*whole number.*=-1", lambda: networks.Columns({-1: 3})),
    "columns-name": (V, r"Expected every column .*whole number.*='sex'", lambda: networks.Columns({"sex": 2})),
    "columns-levels": (V, r"Expected the number of levels of column 1 .*positive.*=0",
        lambda: networks.Columns({1: 0})),
    "columns-beyond": (V, r"Expected every column .*from 0 to 4\. Received: .*=5",
        lambda: networks.Columns({0: 3}, counts=[5])(RECORDS)),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_explained(name):
    error, message, make = MISTAKES[name]
    with pytest.raises(error, match=f"(?s){message}"):
        make()


def test_every_public_network_is_in_the_table():
    layers = {"AsChannels", "Columns", "Concatenated", "FillMissing", "GatedDense", "Last", "Log1p", "ResidualBlock"}
    layers |= {"CausalTransformer", "CodeGrid"}  # in test_quantized
    layers |= {"GatedPixelCNN"}  # in test_pixels
    layers |= {"Residual", "bottleneck"}  # in test_very_deep
    layers |= {"Backward", "Latest", "Recurrent"}  # in test_sequential
    assert set(networks.__all__) - layers == set(NETWORKS) - {"mlp_regularized", "nested"}
