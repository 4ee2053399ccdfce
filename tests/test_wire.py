"""Latents as bytes: exact there and back, refused when damaged, and of the length that the rate says."""

import json
import math

import keras
import numpy as np
import pytest
from oracle import linear_gaussian
from scipy.stats import norm
from typer.testing import CliRunner

from tfvae import data, export, zoo
from tfvae.cli import app
from tfvae.cli.splitting import split
from tfvae.errors import ExportError
from tfvae.export import wire_coder
from tfvae.export.wire_measurement import SPACE_FILLING_LOSS
from tfvae.run import Options


def tables(rng, size):
    """Random frequencies of the coder's total, some of them 1."""
    counts = 1 + rng.multinomial(wire_coder.TOTAL - size, rng.dirichlet(np.full(size, 0.3)))
    return counts.tolist()


@pytest.fixture(scope="module")
def codec():
    rng = np.random.default_rng(3)
    return export.LatentCodec([0.1, 0.5, 2.0], [-20, -3, 0], [tables(rng, size) for size in (41, 8, 2)])


@pytest.mark.parametrize("size", [2, 3, 100, 5000])
def test_the_coder_is_exact_and_near_the_entropy(size, seed):
    rng = np.random.default_rng(seed)
    table = tables(rng, size)
    starts = np.concatenate([[0], np.cumsum(table)]).tolist()
    symbols = rng.choice(size, 2000, p=np.array(table) / wire_coder.TOTAL)
    content = wire_coder.encode([(starts[s], table[s]) for s in symbols])
    decoder = wire_coder.Decoder(content)
    assert [decoder.symbol(starts) for _ in symbols] == symbols.tolist()
    decoder.finish()
    entropy = -np.log2(np.array(table)[symbols] / wire_coder.TOTAL).sum() / 8
    assert entropy - 1 <= len(content) <= entropy * 1.001 + 5


def test_latents_come_back_as_whole_steps(codec, seed):
    """To the last bit, in or out of the tables."""
    rng = np.random.default_rng(seed)
    for scale in (0.3, 5.0, 1e6):
        z = rng.normal(scale=scale, size=[50, 3])
        back = codec.decode(codec.encode(z))
        assert back.dtype == np.float32 and back.shape == z.shape
        expected = np.rint(z / codec.steps.astype("float64")) * codec.steps.astype("float64")
        np.testing.assert_array_equal(back, expected.astype("float32"))
        np.testing.assert_array_equal(codec.decode(codec.encode(back)), back)
        assert np.all(abs(back - z) <= codec.steps / 2 + 1e-6 * abs(z))
    assert codec.decode(codec.encode(np.zeros([0, 3]))).shape == (0, 3)


def test_a_message_is_as_long_as_its_tables_say(codec):
    z = np.random.default_rng(0).normal(scale=1.5, size=[400, 3])
    nats = len(codec.encode(z)) * math.log(256)
    assert codec.nats(z).sum() - 8 <= nats - 31 * math.log(256) <= codec.nats(z).sum() * 1.001 + 5


def test_damaged_messages_are_refused(codec):
    message = codec.encode(np.random.default_rng(1).normal(size=[3, 3]))
    for place in range(len(message)):
        for bit in range(8):
            broken = bytearray(message)
            broken[place] ^= 1 << bit
            with pytest.raises(ValueError, match="Expected"):
                codec.decode(bytes(broken))
        with pytest.raises(ValueError, match="Expected"):
            codec.decode(message[:place])
    with pytest.raises(ValueError, match="checksum"):
        codec.decode(message + b"\0")


def test_the_coder_itself_notices_other_bytes():
    """Beneath the checksum: too few bytes, and too many."""
    content = wire_coder.encode([(0, 100), (100, 3)] * 20)
    starts = (0, 100, 103, wire_coder.TOTAL)
    for other in (content[:-1], content[:3], b"", content + b"\0"):
        with pytest.raises(wire_coder.Damaged):
            decoder = wire_coder.Decoder(other)
            for _ in range(40):
                decoder.symbol(starts)
            decoder.finish()


def test_another_codec_is_refused(codec):
    other = export.LatentCodec(codec.steps * 2, codec.first, codec.frequencies)
    with pytest.raises(ValueError, match="another codec"):
        other.decode(codec.encode(np.zeros([2, 3])))


def test_a_codec_is_kept_in_a_file(codec, tmp_path):
    codec.save(tmp_path / "codec.json")
    loaded = export.LatentCodec.load(tmp_path / "codec.json")
    z = np.random.default_rng(2).normal(size=[9, 3])
    assert loaded.encode(z) == codec.encode(z)
    np.testing.assert_array_equal(loaded.decode(codec.encode(z)), codec.decode(codec.encode(z)))
    parts = json.loads((tmp_path / "codec.json").read_text())
    for broken in ({}, {**parts, "version": 2}, {**parts, "frequencies": [[1, 2]] * 3}):
        (tmp_path / "broken.json").write_text(json.dumps(broken))
        with pytest.raises(ExportError, match=r"Expected a file of LatentCodec\.save"):
            export.LatentCodec.load(tmp_path / "broken.json")
    with pytest.raises(ExportError, match=r"none\.json"):
        export.LatentCodec.load(tmp_path / "none.json")


def exact_rate(step, stddev):
    """Cost under N(0, 1) of a rounded mean ~ N(0, 1 - stddev^2), which is what a true posterior has."""
    k = np.arange(-4000, 4001)
    edges = (np.append(k, k[-1] + 1) - 0.5) * step
    mass = np.diff(norm.cdf(edges, scale=np.sqrt(1 - stddev**2)))
    seen = mass > 1e-12
    return -np.sum(mass[seen] * np.log(np.diff(norm.cdf(edges))[seen]))


def test_the_rate_is_that_of_the_elbo_and_the_price_of_rounding():
    """In a linear-Gaussian model at the true posterior, E KL(q || p) = -sum_d log stddev_d: all is known."""
    case = linear_gaussian(3, 8, sigma=0.1, orthogonal=True, n=2000)
    stddev = 1 / np.sqrt(1 + np.diag(case.w.T @ case.w) / 0.01)
    codec = export.latent_codec(case.model, case.x)
    np.testing.assert_allclose(codec.steps, math.sqrt(12) * stddev, rtol=1e-3)
    report = export.measure_wire(case.model, codec, case.x)
    assert report.promise == pytest.approx(-np.log(stddev).sum(), abs=0.1)
    exact = sum(exact_rate(step, s) for step, s in zip(codec.steps, stddev, strict=True))
    assert exact - report.promise == pytest.approx(3 * SPACE_FILLING_LOSS, abs=0.1)
    assert report.code_rate == pytest.approx(exact, abs=0.1)  # 4.5 standard errors of the data
    # Promise and cost vary together from example to example, so their difference is known better than either.
    assert report.standard_error < 0.02
    assert report.overhead_per_dim == pytest.approx(SPACE_FILLING_LOSS, abs=0.02)
    assert 0 < report.rate - report.code_rate < 0.1  # header, checksum and state, over 2000 examples
    # E |x - W z|^2 depends on the error's variance alone, and that is q's.
    assert report.distortion_after == pytest.approx(report.distortion, abs=0.15)
    assert "nats promised" in str(report) and report.as_json()["bits"] == report.rate / math.log(2)


def test_a_finer_step_costs_its_logarithm():
    case = linear_gaussian(3, 8, sigma=0.1, orthogonal=True, n=600)
    rough, fine = (
        export.measure_wire(case.model, export.latent_codec(case.model, case.x, step=step), case.x)
        for step in (math.sqrt(12), math.sqrt(12) / 4)
    )
    assert (fine.code_rate - rough.code_rate) / 3 == pytest.approx(math.log(4), abs=0.01)
    assert fine.distortion_after < rough.distortion_after


def test_a_dimension_that_says_nothing_costs_nearly_nothing():
    """The rate is 0 where q = p, and one symbol holds nearly all of the prior."""
    case = linear_gaussian(2, 4, sigma=500.0, n=300)
    report = export.measure_wire(case.model, export.latent_codec(case.model, case.x), case.x)
    assert report.promise < 1e-3
    assert 0 < report.overhead_per_dim < 0.1


def test_the_aggregate_posterior_costs_less_than_a_prior_that_does_not_fit():
    """Twice too wide a prior: the aggregate's tables save the divergence between the two."""
    case = linear_gaussian(2, 6, sigma=0.1, orthogonal=True, n=600)
    half = case.b + 0.5 * (case.x - case.b)
    rates = [
        export.measure_wire(case.model, export.latent_codec(case.model, half, marginals), half).code_rate
        for marginals in (export.PriorMarginals(), export.AggregateMarginals())
    ]
    divergence = -math.log(0.5) + 0.5 * 0.25 - 0.5  # of N(0, 1/4) from N(0, 1)
    assert rates[0] - rates[1] == pytest.approx(2 * divergence, abs=0.06)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda c: c.encode(np.zeros([2, 4])), r"shape \[n, 3\]"),
        (lambda c: c.encode(np.full([1, 3], np.nan)), "finite"),
        (lambda c: c.encode(np.full([1, 3], 1e12)), "2\\^31"),
        (lambda c: export.LatentCodec([0.0], [0], [[65535, 1]]), "positive step"),
        (lambda c: export.LatentCodec([1.0], [0], [[65536, 0]]), "positive frequencies"),
        (lambda c: export.latent_codec(zoo.vamp((8, 8, 1), 2, units=(8,), components=2), X), "AggregateMarginals"),
        (lambda c: export.latent_codec(zoo.vae((8, 8, 1), 2, units=(8,)), X, step=0.0), "step"),
        (lambda c: export.latent_codec(linear_gaussian(1, 3, sigma=1e-3).model, np.zeros([1, 3]), step=0.1), "larger"),
        (lambda c: export.latent_codec(zoo.wae_mmd((8, 8, 1), 2, units=(8,)), X), "density"),
        (lambda c: export.measure_wire(zoo.wae_mmd((8, 8, 1), 2, units=(8,)), c, X), "density"),
    ],
)
def test_what_makes_no_sense_is_refused(codec, make, message):
    with pytest.raises(ValueError, match=message):
        make(codec)


X = np.zeros([5, 8, 8, 1], "float32")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A model, and its file taken apart."""
    folder = tmp_path_factory.mktemp("split")
    keras.utils.set_random_seed(1)
    model = zoo.vae((8, 8, 1), 3, units=(64,), seed=1)
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(data.load("digits").train, epochs=2, verbose=0)
    export.tflite(model, folder / "m.tflite", without=("elbo", "log_evidence"), extras=[export.EncodeSample()])
    sizes = [getattr(export, part)(folder / "m.tflite", folder / f"{part}.tflite") for part in ("encoder", "decoder")]
    return model, folder, sizes


def runner(path, name):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    return interpreter.get_signature_runner(name)


def test_parts_are_smaller_and_hold_what_they_say(parts):
    from ai_edge_litert.interpreter import Interpreter

    _, folder, sizes = parts
    assert [part.signatures for part in sizes] == [("encode", "encode_sample"), ("decode", "generate")]
    for name, part in zip(("encoder", "decoder"), sizes, strict=True):
        path = folder / f"{name}.tflite"
        assert sorted(Interpreter(model_path=str(path)).get_signature_list()) == list(part.signatures)
        assert part.bytes == path.stat().st_size < 0.75 * part.bytes_whole
        assert part.bytes_whole == (folder / "m.tflite").stat().st_size


def test_parts_answer_as_the_whole_does(parts):
    _, folder, _ = parts
    x = data.load("digits").array("test")[:7]
    z, seed = np.random.default_rng(0).normal(size=[5, 3]).astype("float32"), np.array([3, 4], np.int32)
    for part, name, inputs in (
        ("encoder", "encode", {"x": x}),
        ("encoder", "encode_sample", {"x": x, "seed": seed}),
        ("decoder", "decode", {"z": z}),
        ("decoder", "generate", {"n": np.int32(4), "seed": seed}),
    ):
        whole, ours = (runner(folder / f"{file}.tflite", name)(**inputs) for file in ("m", part))
        assert whole.keys() == ours.keys()
        for key in whole:
            np.testing.assert_array_equal(ours[key], whole[key])


def test_from_one_device_to_another(parts):
    """The encoder's file, bytes, the decoder's file: what comes out is the model's own, to half a step of z."""
    model, folder, _ = parts
    splits = data.load("digits")
    codec, x = export.latent_codec(model, splits.array("train")), splits.array("test")[:50]
    message = codec.encode(runner(folder / "encoder.tflite", "encode")(x=x)["mean"])
    z = codec.decode(message)
    assert np.all(abs(z - model.encoder(x).mean().numpy()) <= codec.steps / 2 + 1e-5)
    sent = runner(folder / "decoder.tflite", "decode")(z=z)["mean"]
    np.testing.assert_allclose(sent, model.decoder(z).mean(), atol=1e-5)
    report = export.measure_wire(model, codec, x)
    assert report.rate == pytest.approx(len(message) * math.log(256) / 50, abs=0.2)
    assert report.overhead_per_dim < SPACE_FILLING_LOSS + 0.1


def test_nothing_to_take_out_is_refused(parts, tmp_path):
    _, folder, _ = parts
    with pytest.raises(ExportError, match=r"one of encode, encode_sample\. Received"):
        export.encoder(folder / "decoder.tflite", tmp_path / "no.tflite")
    (tmp_path / "text.tflite").write_text("none")
    with pytest.raises(ExportError, match="Expected a TFLite file"):
        export.decoder(tmp_path / "text.tflite", tmp_path / "no.tflite")
    assert [path.name for path in tmp_path.iterdir()] == ["text.tflite"]


def test_a_command_writes_what_either_device_needs(parts, tmp_path):
    """The two files are those of the library, and the codec is that of the validation examples."""
    model, ship = parts[0], tmp_path / "ship"
    model.save(tmp_path / "model.keras")
    command = ["export", str(tmp_path / "model.keras"), "--data", "digits", "--out", str(ship), "--split"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    names = {"encoder": ("encode",), "decoder": ("decode", "generate")}
    files = {f"model.{name}.tflite" for name in names}
    assert {path.name for path in ship.iterdir()} == {"saved_model", "model.tflite", "model.codec.json", *files}
    for name, signatures in names.items():
        getattr(export, name)(ship / "model.tflite", tmp_path / "part.tflite")
        assert (ship / f"model.{name}.tflite").read_bytes() == (tmp_path / "part.tflite").read_bytes()
        assert f"model.{name}.tflite holds {', '.join(signatures)}: " in done.output
    splits = Options.choose(data="digits").load_data()
    mine = export.latent_codec(model, splits.array("validation"))
    theirs = export.LatentCodec.load(ship / "model.codec.json")
    z = runner(ship / "model.encoder.tflite", "encode")(x=splits.array("test")[:20])["mean"]
    np.testing.assert_array_equal(theirs.decode(mine.encode(z)), mine.decode(mine.encode(z)))
    done = CliRunner().invoke(app, [*command, "--web", str(tmp_path / "page")])
    assert done.exit_code == 2 and "Expected --web alone" in done.output.replace("\n", " ")


def test_where_there_is_no_density_no_codec_is_written(tmp_path):
    model, splits = zoo.wae_mmd((8, 8, 1), 2, units=(8,), seed=0), data.load("digits")
    export.tflite(model, tmp_path / "model.tflite", without=("elbo", "log_evidence"))
    (tmp_path / "model.codec.json").write_text("of an older model")
    said = []
    split(model, tmp_path / "model.tflite", splits, said.append)
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"model.tflite", "model.encoder.tflite", "model.decoder.tflite"}
    assert "model.codec.json is left out: Expected a posterior with a density" in said[-1]
