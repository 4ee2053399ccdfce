"""Quantised files: their numbers against arithmetic by hand, what they cost, who is to blame, and the gate."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tfvae import data, export, heads, networks, priors, zoo
from tfvae.errors import ExportError
from tfvae.export.quantization_graph import Graph
from tfvae.export.verification import is_builtin, operators
from tfvae.heads.scales import positive

ENCODER, DECODER = "encoder/sequential/dense/kernel", "decoder/sequential_1/dense_1/kernel"
LOCATION, SCALE = (f"encoder/diagonal_normal/projection/linear/kernel ({half})" for half in ("location", "scale"))
PIXELS = "decoder/bernoulli/projection/linear/kernel"
D = 3


@pytest.fixture(scope="module")
def splits():
    return data.load("digits")


@pytest.fixture(scope="module")
def model(splits):
    """A small model in which a pixel and a hidden unit of either network do nothing, whatever their weights are."""
    keras.utils.clear_session()  # which counts layers anew: weights are called after them
    keras.utils.set_random_seed(1)
    model = zoo.vae((8, 8, 1), D, units=(128,), seed=1)
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(splits.train, epochs=10, verbose=0)
    for network in (model.encoder.network, model.decoder.network):
        dense = network.layers[-1]
        kernel, bias = dense.get_weights()
        kernel[:, 0], bias[0] = 0.0, -1.0
        dense.set_weights([kernel, bias])
    return model


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("floats")
    export.tflite(model, folder / "m.tflite", without=("generate",))
    return folder


@pytest.fixture(scope="module")
def x(splits):
    x = splits.array("test").copy()
    x[:, 0, 0] = 0.0  # a pixel that is never on
    return x


@pytest.fixture(scope="module")
def calibration(splits):
    x = splits.array("train")[:200].copy()
    x[:, 0, 0] = 0.0
    return x


@pytest.fixture(scope="module")
def quantised(model, folder, x, calibration):
    """Each scheme's report and path."""
    made = {}
    for scheme in (export.Float16(), export.DynamicRange(), export.Int8(calibration)):
        path = folder / f"{type(scheme).__name__}.tflite"
        made[type(scheme)] = (
            export.quantize(model, path, scheme, x, source=folder / "m.tflite", samples=20, examples=200),
            path,
        )
    return made


def run(path, name, **inputs):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
    return interpreter.get_signature_runner(name)(**inputs)


def planted(model, folder, path, name, value):
    """Write a file and change the model so that weights of idle inputs to some layer are `value`."""
    layer, halves = {
        ENCODER: (model.encoder.network.layers[-1], slice(1, None)),
        LOCATION: (model.encoder.head.projection.linear, slice(0, D)),
        SCALE: (model.encoder.head.projection.linear, slice(D, None)),
        PIXELS: (model.decoder.head.projection.linear, slice(None)),
    }[name]
    graph = Graph((folder / "m.tflite").read_bytes(), {})
    before, bias = layer.get_weights()
    after = before.copy()
    after[0, halves] = value
    for _, kernel, tensor in graph.kernels():
        if np.array_equal(graph.values(tensor), before.T):
            buffer = kernel.buffer
    graph.model.buffers[buffer].data = np.frombuffer(np.ascontiguousarray(after.T).tobytes(), np.uint8)
    path.write_bytes(graph.content())
    layer.set_weights([after, bias])
    return lambda: layer.set_weights([before, bias])


def rows_in_8_bits(kernel):
    """Weights [in, out] rounded to 255 levels for each output, and the levels' distance."""
    step = np.maximum(np.abs(kernel).max(0), 1e-9) / 127
    return np.round(kernel / step) * step, step


def test_half_precision_is_the_model_with_rounded_weights(model, quantised, x):
    _, path = quantised[export.Float16]
    rounded = keras.models.clone_model(model)
    rounded.set_weights([w.astype("float16").astype("float32") if w.ndim > 1 else w for w in model.get_weights()])
    got, q = run(path, "encode", x=x), rounded.encoder(x)
    np.testing.assert_allclose(got["mean"], q.mean(), atol=2e-6)
    np.testing.assert_allclose(got["stddev"], q.stddev(), atol=2e-6)
    assert np.max(abs(got["mean"] - model.encoder(x).mean().numpy())) > 1e-5


def test_dynamic_range_is_the_model_with_weights_in_8_bits(model, quantised, x):
    """But for the hidden activations, which are quantised as they come, by 255 levels for each example."""
    _, path = quantised[export.DynamicRange]
    dense, linear = model.encoder.network.layers[-1].get_weights(), model.encoder.head.projection.linear.get_weights()
    hidden = np.maximum(x.reshape([-1, 64]) @ rows_in_8_bits(dense[0])[0] + dense[1], 0)
    kernel = np.concatenate([rows_in_8_bits(half)[0] for half in np.split(linear[0], 2, 1)], 1)
    mean = (hidden @ kernel + linear[1])[:, :D]
    error = hidden.max(1)[:, None] / 255 * np.sqrt(np.sum(kernel[:, :D] ** 2, 0) / 12)  # a standard deviation
    got = run(path, "encode", x=x)["mean"]
    assert np.max(abs(got - mean) / error) < 6
    assert np.sqrt(np.mean(((got - mean) / error) ** 2)) < 1.5


@pytest.fixture(scope="module")
def whole(model, folder, x, calibration):
    """Report and path of a file whose heads are in 8 bits too."""
    scheme, path = export.Int8(calibration, whole_heads=True), folder / "whole.tflite"
    return export.quantize(model, path, scheme, x, source=folder / "m.tflite", samples=2, examples=200), path


def test_full_int8_is_whole_arithmetic(model, whole, x, calibration):
    """By hand in NumPy: every tensor to 255 levels of the range that the calibration reached."""
    _, path = whole
    dense, linear = model.encoder.network.layers[-1].get_weights(), model.encoder.head.projection.linear.get_weights()

    def hidden(x):
        return np.maximum(x.reshape([-1, 64]) @ dense[0] + dense[1], 0)

    def levels(values, reached):
        low, high = min(0.0, reached.min()), max(0.0, reached.max())
        step = (high - low) / 255
        zero = np.round(-low / step)
        return (np.clip(np.round(values / step) + zero, 0, 255) - zero) * step, step

    kernel, _ = rows_in_8_bits(dense[0])
    first, _ = levels(np.maximum(x.reshape([-1, 64]) @ kernel + dense[1], 0), hidden(calibration))
    got = run(path, "encode", x=x)
    for half, answer in ((slice(0, D), got["mean"]), (slice(D, None), got["stddev"])):
        reached = hidden(calibration) @ linear[0][:, half] + linear[1][half]
        raw, step = levels(first @ rows_in_8_bits(linear[0][:, half])[0] + linear[1][half], reached)
        expected = raw if half.start == 0 else positive(tf.constant(raw, tf.float32)).numpy()
        # A sum that lies on the border of two levels may fall on either side.
        assert np.max(abs(answer - expected)) < 2.01 * step
        assert np.mean(abs(answer - expected) < 1e-3 * step) > 0.9


def test_parameters_of_a_distribution_keep_more_than_256_levels(model, quantised, whole, x):
    """Logits of a pixel, read off its probability: whole heads give multiples of a step, the others do not."""
    counts = {}
    for name, path in (("whole", whole[1]), ("float", quantised[export.Int8][1])):
        p = run(path, "serving_default", x=x)["mean"].astype(np.float64)
        logits = np.log(p) - np.log1p(-p)
        counts[name] = len(np.unique(logits[(p > 0.01) & (p < 0.99)].round(3)))
    assert counts["whole"] <= 256 < 3 * 256 < counts["float"]
    assert quantised[export.Int8][0].costs[PIXELS] < 0.5 * whole[0].costs[PIXELS]
    assert repr(export.Int8(x, whole_heads=True)) == f"Int8({len(x)} examples, whole_heads=True)"


def test_schemes_write_what_they_say(quantised, folder):
    found = {scheme: operators(path) for scheme, (_, path) in quantised.items()}
    assert all(is_builtin(name) for names in found.values() for name in names)
    assert "QUANTIZE" in found[export.Int8] and "QUANTIZE" not in found[export.DynamicRange]
    assert "DEQUANTIZE" in found[export.Float16] and "DEQUANTIZE" not in found[export.DynamicRange]
    floats = (folder / "m.tflite").stat().st_size
    weights = 64 * 128 + 128 * 2 * D + D * 128 + 128 * 64
    for scheme, (report, path) in quantised.items():
        assert report.bytes_before == floats and report.bytes_after == path.stat().st_size < floats
        assert 0 < report.latency_ratio < 20
        assert floats - report.bytes_after > (0.35 if scheme is export.Float16 else 0.4) * 4 * weights


def test_the_float_side_is_the_keras_model(model, quantised, x):
    """Noise of batch i has the seed (0, i), so that it is that of Keras."""
    report = quantised[export.DynamicRange][0]
    traces = [model.trace(x[i : i + 100], 1, (0, i // 100)).elbo.numpy() for i in (0, 100)]
    assert report.elbo.before == pytest.approx(np.concatenate(traces).mean(), abs=1e-4)
    assert report.examples == 200 and report.samples == 20


def test_changes_are_small_and_paired(quantised, x):
    """The error of the change is far below that of either mean, which is about 0.4 nats here."""
    for scheme, (report, path) in quantised.items():
        after = np.concatenate(
            [run(path, "elbo", x=x[i : i + 100], seed=np.array([0, i // 100], np.int32))["elbo"] for i in (0, 100)]
        )
        assert report.elbo.after == pytest.approx(after.mean(), abs=1e-4)
        assert report.elbo.change == pytest.approx(report.elbo.after - report.elbo.before, abs=1e-4)
        assert report.loss == -report.elbo.change
        assert report.elbo.standard_error < 0.05 and abs(report.elbo.change) < 0.2, scheme
        assert report.evidence.standard_error < 0.05 and abs(report.evidence.change) < 0.2
        assert set(report.costs) == {ENCODER, LOCATION, SCALE, DECODER, PIXELS} and report.kept == ()
    assert quantised[export.Float16][0].elbo.standard_error < quantised[export.Int8][0].elbo.standard_error


def test_the_divergence_is_that_of_tfp(model, quantised, x):
    from tensorflow_probability import distributions as tfd

    report, path = quantised[export.Int8]
    got = run(path, "encode", x=x[:200])
    other = tfd.MultivariateNormalDiag(got["mean"], got["stddev"])
    exact = tfd.kl_divergence(model.encoder(x[:200]), other).numpy()
    assert report.posterior_measure == "KL(q || q')"
    assert report.posterior.change == pytest.approx(exact.mean(), rel=0.01)
    assert 0 < quantised[export.Float16][0].posterior.change < report.posterior.change


@pytest.mark.parametrize("name", [ENCODER, LOCATION, PIXELS])
def test_the_tensor_with_an_outlier_is_to_blame(model, folder, x, tmp_path, name):
    """Outliers where the float model never looks: they coarsen their tensor, and the export is refused by its name."""
    restore = planted(model, folder, tmp_path / "source", name, 300.0)
    try:
        with pytest.raises(ExportError) as raised:
            export.quantize(
                model, tmp_path / "m.tflite", export.DynamicRange(), x, source=tmp_path / "source",
                max_loss_nats=0.3, samples=5, examples=100,
            )  # fmt: skip
    finally:
        restore()
    assert f"To blame is {name}, which alone loses" in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_the_scales_stay_in_float_where_they_cost_the_nats(model, folder, x, tmp_path):
    restore = planted(model, folder, tmp_path / "source", SCALE, 300.0)
    try:
        report = export.quantize(
            model, tmp_path / "m.tflite", export.DynamicRange(), x, source=tmp_path / "source",
            max_loss_nats=0.05, samples=5, examples=100,
        )  # fmt: skip
        q, exact = run(tmp_path / "m.tflite", "encode", x=x), model.encoder(x).stddev().numpy()
    finally:
        restore()
    assert report.blame == SCALE and report.kept == (SCALE,)
    assert report.loss < 0.05 < 0.1 < report.costs[SCALE]
    # The scales are the float model's but for the hidden layer before them, though the locations are in 8 bits.
    assert np.max(abs(q["stddev"] / exact - 1)) < 0.05
    assert SCALE in str(report) and report.as_json()["kept_in_float"] == [SCALE]


def test_what_is_kept_is_float(model, folder, x, calibration, tmp_path):
    everything = (ENCODER, LOCATION, SCALE, DECODER, PIXELS)
    report = export.quantize(
        model, tmp_path / "m.tflite", export.Int8(calibration), x, keep=everything,
        source=folder / "m.tflite", max_loss_nats=0.0001, samples=2, examples=50,
    )  # fmt: skip
    assert report.kept == tuple(sorted(everything)) and abs(report.loss) < 1e-5
    assert "QUANTIZE" not in operators(tmp_path / "m.tflite")


def test_what_half_precision_cannot_hold_is_refused(model, folder, x, tmp_path):
    """An infinite weight times an activation of zero is not a number; nor is then the loss."""
    (tmp_path / "m.tflite").write_bytes(b"older")
    restore = planted(model, folder, tmp_path / "source", LOCATION, 1e5)
    try:
        with pytest.raises(ExportError, match=r"a loss of nan"):
            export.quantize(
                model, tmp_path / "m.tflite", export.Float16(), x, source=tmp_path / "source", max_loss_nats=1e6,
                samples=2, examples=20,
            )  # fmt: skip
    finally:
        restore()
    assert (tmp_path / "m.tflite").read_bytes() == b"older"


def test_what_makes_no_sense_is_refused(model, folder, x, tmp_path):
    other = zoo.vae((8, 8, 1), D, units=(128,), seed=2)
    source, target = folder / "m.tflite", tmp_path / "m.tflite"
    with pytest.raises(ExportError, match="Expected a float file of this model"):
        export.quantize(other, target, export.Float16(), x, source=source)
    with pytest.raises(ExportError, match="leaves out encode, log_evidence"):
        export.quantize(model, target, export.Float16(), x, without=("encode", "log_evidence"))
    with pytest.raises(ValueError, match=r"Did you mean 'encoder/sequential/dense/kernel'\? Received"):
        export.quantize(model, target, export.Float16(), x[:5], source=source, keep=("encoder/sequential/kernel",))
    with pytest.raises(ValueError, match="max_loss_nats"):
        export.quantize(model, target, export.Float16(), x, max_loss_nats=-1.0)
    with pytest.raises(ValueError, match="calibrate"):
        export.Int8(np.zeros([0, 8, 8, 1]))
    with pytest.raises(ExportError, match="point mass"):
        export.quantize(zoo.wae_mmd((8, 8, 1), 2, units=(8,)), target, export.Float16(), x)
    assert not list(tmp_path.iterdir())


def test_a_part_keeps_its_loops(folder, x, tmp_path):
    """The evidence alone: its loop's subgraphs have other numbers then."""
    graph = Graph((folder / "m.tflite").read_bytes(), {})
    graph.only(("log_evidence",))
    (tmp_path / "part.tflite").write_bytes(graph.content())
    inputs = {"x": x[:5], "samples": np.int32(20), "seed": np.array([1, 2], np.int32)}
    whole, part = (run(path, "log_evidence", **inputs) for path in (folder / "m.tflite", tmp_path / "part.tflite"))
    np.testing.assert_array_equal(part["log_evidence"], whole["log_evidence"])


def test_masked_weights_are_called_as_the_model_calls_them(tmp_path, x):
    """The file holds them without those that the mask takes away."""
    keras.utils.clear_session()
    likelihood = heads.Bernoulli((8, 8, 1))
    model = zoo.iaf((8, 8, 1), D, units=(16,), hidden=(8,), steps=2, likelihood=likelihood, seed=1)
    export.tflite(model, tmp_path / "m.tflite", without=("generate",))
    report = export.quantize(
        model, tmp_path / "q.tflite", export.Float16(), x, source=tmp_path / "m.tflite", samples=2, examples=20
    )
    flow = model.encoder.head.networks
    masked = {f"encoder/{kernel.path.removeprefix('encoder/')}" for layer in flow for kernel in layer.kernels}
    assert len(masked) == 4 and masked < set(report.costs), report.costs
    assert {name.split("/")[0] for name in report.costs} == {"encoder", "decoder"}
    assert report.posterior_measure == "mean of q moved, in deviations"


@pytest.mark.slow
def test_convolutions_and_other_posteriors(splits, tmp_path):
    """Both ways through a grid, and a posterior whose divergence has another form."""
    x, calibration = splits.array("test")[:100], splits.array("train")[:100]
    keras.utils.set_random_seed(1)
    encoder = tfvae.Encoder(networks.conv(8, 16), heads.FullNormal(D))
    decoder = tfvae.Decoder(networks.deconv(16, 8, size=(8, 8)), heads.Bernoulli((8, 8, 1)))
    model = tfvae.VAE(encoder, decoder, priors.StandardNormal(D), seed=1)
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(splits.train, epochs=5, verbose=0)
    export.tflite(model, tmp_path / "m.tflite")
    for scheme, limit in ((export.Float16(), 0.02), (export.DynamicRange(), 0.5), (export.Int8(calibration), 0.5)):
        report = export.quantize(
            model, tmp_path / "q.tflite", scheme, x, source=tmp_path / "m.tflite", max_loss_nats=limit, samples=5
        )
        assert report.posterior_measure == "mean of q moved, in deviations"
        assert 0 < report.posterior.change < 0.2 and len(report.costs) > 4, scheme
        assert all(name.split("/")[0] in ("encoder", "decoder") for name in report.costs)
    found = operators(tmp_path / "q.tflite")
    assert {"CONV_2D", "TRANSPOSE_CONV", "QUANTIZE"} <= found


@pytest.mark.slow
def test_a_preset_keeps_its_nats(tfds_dir, tmp_path):
    model = tfvae.from_preset("vae_static_mnist")
    splits = data.load("binarized_mnist", data_dir=tfds_dir)
    x, calibration = splits.array("test")[:500], splits.array("train")[:300]
    schemes = {
        export.Float16(): (0.01, 0.55),
        export.DynamicRange(): (0.2, 0.35),
        export.Int8(calibration): (0.2, 0.35),
    }
    for scheme, (limit, share) in schemes.items():
        report = export.quantize(model, tmp_path / "q.tflite", scheme, x, max_loss_nats=limit, samples=50)
        assert report.bytes_after < share * report.bytes_before
        assert report.posterior.change < 0.1
    assert report.blame == PIXELS
    assert report.kept == ()
