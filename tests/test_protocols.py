"""Protocols: the same data, split and number of samples for everybody, or a clear refusal."""

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pytest

from tfvae import data, protocols
from tfvae.protocols import Protocol, contents

ALL = {name: value for name, value in vars(protocols).items() if isinstance(value, Protocol)}


@pytest.fixture(scope="module")
def folder(request):
    """Return for a protocol the folder of its data."""
    prepared = request.getfixturevalue("tfds_dir")
    return lambda protocol: prepared if protocol.data != "frey_faces" else Path(prepared).parent / "data"


@pytest.fixture(scope="module")
def load(folder):
    """Load the data of a protocol, once."""
    return functools.cache(lambda name: ALL[name].load(data_dir=folder(ALL[name])))


@pytest.mark.parametrize(
    ("name", "sizes", "mean"),
    [
        ("larochelle_static", (50000, 10000, 10000), 0.1306),
        ("burda2015_mnist", (59600, 400, 10000), 0.1307),
        ("tomczak2018_frey_faces", (1565, 200, 200), 0.606),
    ],
)
def test_protocols_hold_the_published_split(name, sizes, mean, load):
    protocol, splits = ALL[name], load(name)
    assert tuple(splits.sizes.values()) == sizes
    stored = splits.stored["train"]
    assert stored.values.mean() / stored.divisor == pytest.approx(mean, abs=2e-3)
    assert name in str(protocol) and "5000" in str(protocol) and protocol.reference in str(protocol)


def test_the_static_test_set_is_the_same_for_everybody(load):
    """Larochelle's files: ones and zeros whose mean is known."""
    test = load("larochelle_static").array("test")
    assert set(np.unique(test)) == {0.0, 1.0} and test.mean() == pytest.approx(0.13251, abs=5e-6)


def test_burda_draws_training_images_anew_and_test_images_once(folder, load):
    protocol = protocols.burda2015_mnist
    first, second = load("burda2015_mnist"), protocol.load(data_dir=folder(protocol))
    np.testing.assert_array_equal(first.array("test")[:100], second.array("test")[:100])
    one, two = (next(iter(first.train)).numpy() for _ in range(2))  # epochs 0 and 1
    assert set(np.unique(one)) == {0.0, 1.0} and not np.array_equal(one, two)


def test_contents_do_not_depend_on_the_order():
    x = np.random.default_rng(0).integers(0, 256, [50, 4], dtype=np.uint8)

    def of(train, test=x[40:]):
        return contents(data.from_arrays(train, x[30:40], test))

    assert of(x[:30]) == of(x[29::-1])
    assert of(x[:30]) != of(np.where(np.arange(30)[:, None] == 7, x[:30] ^ 1, x[:30]))
    assert of(x[:30]) != of(x[:29]) and of(x[:30]) != of(x[:30], x[41:])


def test_other_data_is_refused(folder):
    wrong = dataclasses.replace(protocols.larochelle_static, sha256="0" * 64)
    with pytest.raises(ValueError, match=r"Expected the version of binarized_mnist .*0{64}.*Received: [0-9a-f]{64}"):
        wrong.load(data_dir=folder(wrong))


def test_a_number_without_a_protocol_is_labelled_so():
    assert str(protocols.UNLABELLED).startswith("unlabelled: no published number may be compared")
    with pytest.raises(ValueError, match="Expected a protocol with a data set"):
        protocols.UNLABELLED.load()


def test_published_numbers_have_a_source_and_a_unit():
    for protocol in ALL.values():
        for number in protocol.published:
            assert number.source and number.unit in ("nats", "bits per dimension") and str(number.value) in str(number)
            assert (number.value < 0) == (number.unit == "nats")
    (one,) = protocols.burda2015_mnist.of("IWAE, one stochastic layer, k = 5")
    assert one.value == -85.54
    with pytest.raises(ValueError, match=r"Expected models among .*Received: \['VAE'\]"):
        protocols.burda2015_mnist.of("VAE")


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (None, r"Expected frey_faces as the file .*frey_faces.npz.*Put an .npz file"),
        (b"nonsense", r"is damaged"),
        ({"other": np.zeros([500, 28, 20], np.uint8)}, r"is damaged.*images"),
        ({"images": np.zeros([500, 20, 28], np.uint8)}, r"holds uint8 \[500, 20, 28\]"),
        ({"images": np.zeros([500, 28, 20], np.float32)}, r"holds float32"),
        ({"images": np.zeros([400, 28, 20], np.uint8)}, r"holds uint8 \[400"),
    ],
)
def test_a_bad_archive_is_refused(made, message, tmp_path):
    path = tmp_path / "frey_faces.npz"
    if isinstance(made, bytes):
        path.write_bytes(made)
    elif made is not None:
        np.savez(path, **made)
    with pytest.raises(data.DatasetNotAvailable, match=message):
        data.load("frey_faces", data_dir=tmp_path)


def test_an_archive_is_cut_into_three_without_loss(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, [410, 28, 20], dtype=np.uint8)
    np.savez(tmp_path / "frey_faces.npz", images=images)
    splits = data.load("frey_faces", data_dir=tmp_path)
    assert splits.sizes == {"train": 10, "validation": 200, "test": 200} and splits.shape == (28, 20, 1)
    everything = np.concatenate([stored.values for stored in splits.stored.values()])[..., 0]
    assert sorted(map(bytes, everything)) == sorted(map(bytes, images))
