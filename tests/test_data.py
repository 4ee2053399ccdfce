"""Laws of tfvae.data: what a split holds, when pixels are drawn, in what order batches come, how failures read."""

import hashlib
import http.server
import itertools
import re
import shutil
import threading
import urllib.request
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae import data
from tfvae.data import prepared, sources

GREY = np.random.RandomState(0).randint(0, 256, (37, 4, 3, 1)).astype(np.uint8)
DRAWN = [data.NoBinarization(), data.StaticBinarization(5), data.DynamicBinarization(5)]


def arrays(binarization=DRAWN[0], seed=0, batch_size=10, grey=GREY):
    return data.from_arrays(grey, grey[:5], grey[5:9], binarization=binarization, seed=seed, batch_size=batch_size)


def numbered(n, **options):
    """Splits whose training example i is the number i."""
    return data.from_arrays(np.arange(n)[:, None], [[0]], [[0]], **options)


def values(dataset):
    return np.concatenate([x.numpy() for x in dataset])


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def real(tfds_dir):
    """Real sets, each read once."""
    read = {}
    return lambda name: read[name] if name in read else read.setdefault(name, data.load(name, data_dir=tfds_dir))


# --- order of the batches -------------------------------------------------------------------------------------------


def test_an_epoch_visits_each_example_once_and_keeps_the_partial_batch():
    splits = numbered(37, batch_size=10)
    for _ in range(3):
        batches = [x.numpy() for x in splits.train]
        assert [len(x) for x in batches] == [10, 10, 10, 7] and splits.steps_per_epoch == 4
        assert sorted(np.concatenate(batches)[:, 0]) == list(range(37))
    assert splits.train.cardinality() == 4
    assert splits.train.element_spec == tf.TensorSpec((None, 1), tf.float32)


def test_order_differs_between_epochs_and_seeds_and_is_reproducible():
    splits = [numbered(50, seed=s) for s in (0, 0, 1)]
    first, same, other = (values(s.train) for s in splits)
    assert np.array_equal(first, same) and not np.array_equal(first, other)
    assert not np.array_equal(first, values(splits[0].train))


def test_order_does_not_depend_on_the_global_seed():
    orders = []
    for global_seed in (1, 2):
        keras.utils.set_random_seed(global_seed)
        orders.append(values(arrays(DRAWN[2]).train))
    assert np.array_equal(*orders)


def test_orders_are_uncorrelated(seed):
    """Neither with the order of another epoch nor along the file: 8 z-values within 5, failure rate 5e-6."""
    n = 50000
    splits = numbered(n, batch_size=n, seed=seed)
    centred = [(x[:, 0].numpy() - (n - 1) / 2) / np.sqrt((n * n - 1) / 12) for x in splits.train_from(0).take(4)]
    across = [np.dot(a, b) / np.sqrt(n) for a, b in itertools.combinations(centred[:3], 2)]
    along = [np.dot(c[1:], c[:-1]) / np.sqrt(n) for c in centred]
    assert np.abs(across + along).max() < 5.0


@pytest.mark.parametrize("binarization", DRAWN, ids=lambda b: type(b).__name__)
def test_train_from_equals_the_tail_of_an_uninterrupted_run(binarization):
    whole = [x.numpy() for x in arrays(binarization).train_from(0).take(12)]
    for step in range(9):  # 4 steps in an epoch, the last of 7 examples
        tail = [x.numpy() for x in arrays(binarization).train_from(step).take(3)]
        assert all(np.array_equal(a, b) for a, b in zip(whole[step : step + 3], tail, strict=True)), step
    assert arrays().train_from(np.int64(7)).cardinality() == tf.data.INFINITE_CARDINALITY


@pytest.mark.parametrize("binarization", DRAWN, ids=lambda b: type(b).__name__)
def test_iteration_of_train_is_an_epoch_of_train_from(binarization):
    splits = arrays(binarization)
    epochs = values(splits.train_from(0).take(12))
    assert np.array_equal(np.concatenate([values(splits.train) for _ in range(3)]), epochs)


def test_fit_reads_the_batches():
    splits = arrays(DRAWN[2])
    model = keras.Sequential(
        [keras.Input(splits.shape), keras.layers.Dense(1), keras.layers.ActivityRegularization(l2=1.0)]
    )
    model.compile()
    history = model.fit(splits.train, validation_data=splits.validation, epochs=2, verbose=0, shuffle=False)
    assert history.epoch == [0, 1]


# --- binarisation ---------------------------------------------------------------------------------------------------


def test_without_binarization_pixels_are_divided_by_255():
    np.testing.assert_allclose(arrays().array("train"), GREY / 255, rtol=1e-6)
    assert arrays(grey=np.full_like(GREY, 255)).array("train").max() == 1.0


@pytest.mark.parametrize("binarization", DRAWN[1:], ids=lambda b: type(b).__name__)
def test_draws_are_zeros_and_ones_and_certain_pixels_keep_their_value(binarization):
    grey = GREY.copy()
    grey[:, 0], grey[:, 1] = 0, 255
    splits = arrays(binarization, grey=grey)
    for split in splits.sizes:
        x = splits.array(split)
        assert x.dtype == np.float32 and set(np.unique(x)) == {0.0, 1.0}
        assert x[:, 0].max() == 0.0 and x[:, 1].min() == 1.0


def test_dynamic_draws_are_bernoulli_and_independent_between_epochs(seed):
    """All examples alike, so that only the draws vary: 3 z-values within 5 and 480 within 6, failure rate 3e-6."""
    p, n, epochs = np.linspace(0.2, 0.8, 12).reshape(4, 3, 1), 40, 60
    same = np.repeat(p[None], n, axis=0)
    splits = data.from_arrays(same, same, same, binarization=data.DynamicBinarization(seed), batch_size=20)
    assert not np.array_equal(splits.array("validation"), splits.array("test"))
    x = values(splits.train_from(0).take(2 * epochs)).reshape(epochs, n, *p.shape)
    z = (x.mean(0) - p) / np.sqrt(p * (1 - p) / epochs)  # of each pixel at each place over epochs
    assert np.abs(z).max() < 6.0
    assert abs((z**2).mean() - 1.0) < 5.0 * np.sqrt(2.0 / z.size)
    noise = (x - p) / np.sqrt(p * (1 - p))
    for a, b in ((noise[1:], noise[:-1]), (noise[:, :20], noise[:, 20:])):  # epochs, batches of an epoch
        assert abs((a * b).mean()) < 5.0 / np.sqrt(a.size)


def test_dynamic_draws_train_again_but_validation_and_test_once():
    splits = arrays(DRAWN[2], batch_size=37)
    first, second = (np.sort(values(splits.train).reshape(37, -1), axis=0) for _ in range(2))
    assert not np.array_equal(first, second)
    for split in ("validation", "test"):
        for other in (splits, arrays(DRAWN[2], seed=9, batch_size=2)):
            assert np.array_equal(splits.array(split), values(getattr(other, split)))
        assert not np.array_equal(splits.array(split), arrays(data.DynamicBinarization(6)).array(split))
    assert not np.array_equal(splits.array("validation"), splits.array("train")[:5])


def test_static_draws_every_split_once():
    splits = arrays(DRAWN[1])
    epochs = [sorted(x.tobytes() for x in values(splits.train)) for _ in range(2)]
    assert epochs[0] == epochs[1] == sorted(x.tobytes() for x in splits.array("train"))
    assert np.array_equal(splits.array("train"), arrays(DRAWN[1], seed=8, batch_size=3).array("train"))
    assert not np.array_equal(splits.array("train"), arrays(data.StaticBinarization(6)).array("train"))


def test_training_array_is_epoch_zero_in_the_order_of_the_labels():
    splits = arrays(DRAWN[2])
    assert sorted(x.tobytes() for x in splits.array("train")) == sorted(x.tobytes() for x in values(splits.train))
    assert np.array_equal(numbered(37, batch_size=10).array("train")[:, 0], np.arange(37))


def test_descriptions_state_seed_and_time_of_the_draw():
    none, static, dynamic = (b.describe() for b in DRAWN)
    assert none == "none" and "once, seed 5" in static and "every epoch" in dynamic and "seed 5" in dynamic


# --- the record -----------------------------------------------------------------------------------------------------


def test_fingerprint_names_the_data_and_nothing_else():
    changed = GREY.copy()
    changed[36, 3, 2, 0] ^= 1
    prints = [s.fingerprint for s in (arrays(), arrays(DRAWN[2], seed=4, batch_size=3), arrays(grey=changed))]
    assert prints[0] == prints[1] != prints[2] and re.fullmatch("[0-9a-f]{64}", prints[0])
    assert arrays(grey=GREY.reshape(37, 3, 4, 1)).fingerprint != prints[0]


def test_splits_print_on_one_line_and_are_frozen():
    splits = arrays(DRAWN[2])
    for word in ("'arrays'", "(4, 3, 1)", "train 37", "validation 5", "test 4", "dynamic", "seed 5"):
        assert word in str(splits)
    assert "\n" not in repr(splits)
    with pytest.raises(AttributeError):
        splits.seed = 1


def test_missing_splits_are_held_out_of_train_with_their_labels():
    x = np.arange(50)[:, None]
    splits = data.from_arrays(x, labels={"train": 10 * np.arange(50)})
    again = data.from_arrays(x, seed=3)
    assert splits.sizes == {"train": 40, "validation": 5, "test": 5}
    assert sorted(np.concatenate([splits.array(s)[:, 0] for s in splits.sizes])) == list(range(50))
    for split in splits.sizes:
        assert np.array_equal(splits.labels[split], 10 * splits.array(split)[:, 0])
        assert np.array_equal(splits.array(split), again.array(split))
    assert data.from_arrays(x, test=x[:3]).sizes == {"train": 45, "validation": 5, "test": 3}


@pytest.mark.parametrize("dtype", [bool, np.int64, np.float16, np.float64])
def test_other_types_than_uint8_are_cast_as_they_are(dtype):
    x = np.array([[0, 1], [1, 1], [0, 0]], dtype)
    splits = data.from_arrays(x, x, x)
    x[:] = 0  # the library holds a copy
    assert np.array_equal(splits.array("test"), [[0, 1], [1, 1], [0, 0]]) and splits.shape == (2,)


# --- data sets ------------------------------------------------------------------------------------------------------


def test_digits_are_split_by_class_without_overlap(digits):
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    parts = {s: data.load("digits", binarization=data.NoBinarization()).array(s) for s in digits.sizes}
    together = np.concatenate(list(parts.values())).reshape(-1, 64) * 16
    assert Counter(map(bytes, together.astype(np.uint8))) == Counter(map(bytes, images.astype(np.uint8)))
    for split, n in digits.sizes.items():
        fair = np.bincount(labels) * n / len(labels)
        assert np.abs(np.bincount(digits.labels[split]) - fair).max() < 2.0


def test_digits_and_their_draw_are_the_same_in_every_process(digits):
    """Published numbers depend on both: a change here makes every model card wrong."""
    assert digits.fingerprint.startswith("8ecba91bfb4fe4a0")
    drawn = hashlib.sha256(digits.array("validation").tobytes()).hexdigest()
    assert drawn.startswith("cf2be17fdfbe6bad")
    assert data.load("digits", seed=7).fingerprint == digits.fingerprint


@pytest.mark.parametrize(("name", "mean"), [("mnist", 0.1307), ("fashion_mnist", 0.2860)])
def test_mnist_and_fashion_mnist(real, name, mean):
    splits = real(name)
    assert splits.sizes == {"train": 50000, "validation": 10000, "test": 10000}
    assert splits.shape == (28, 28, 1) and isinstance(splits.binarization, data.DynamicBinarization)
    pixels = np.concatenate([splits.stored[s].values for s in ("train", "validation")])
    assert abs(pixels.mean() / 255 - mean) < 5e-5
    assert np.bincount(splits.labels["test"]).min() > 800
    assert abs(splits.array("validation").mean() - mean) < 0.003


def test_binarized_mnist_is_binary(real):
    splits = real("binarized_mnist")
    for split, mean in {"train": 0.13056, "validation": 0.13113, "test": 0.13251}.items():
        assert set(np.unique(splits.stored[split].values)) == {0, 1}
        assert abs(splits.array(split).mean(dtype=np.float64) - mean) < 5e-6
    assert abs(splits.array("test")[:1000].mean() - 0.13251) < 0.006  # 4 standard errors of a fair sample


def test_prefixes_of_binarized_mnist_are_fair_even_when_its_files_are_sorted(monkeypatch):
    by_class = np.repeat(np.arange(10, dtype=np.uint8) % 2, 1000)[:, None]
    monkeypatch.setattr(sources, "prepared_builder", lambda *_: None)
    monkeypatch.setattr(sources, "read", lambda *_: [np.sort(by_class, axis=0)])
    splits = data.load("binarized_mnist")
    for split in ("validation", "test"):
        assert abs(splits.array(split)[:1000].mean() - 0.5) < 0.08  # 5 standard errors of a fair sample


def test_cmaterdb_holds_out_500(real):
    splits = real("cmaterdb")
    assert splits.sizes == {"train": 4500, "validation": 500, "test": 1000} and splits.shape == (32, 32, 3)
    assert np.bincount(np.concatenate([splits.labels["train"], splits.labels["validation"]])).tolist() == [500] * 10
    assert np.bincount(splits.labels["validation"]).min() > 25


@pytest.fixture
def prepare(tmp_path):
    """Writes images in the format of a builder of tensorflow_datasets, the features besides the image made up."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()

    def example(features, image, i):
        rest = {k: np.zeros((), f.np_dtype) for k, f in features.items() if k != "image" and not hasattr(f, "items")}
        nested = {k: dict.fromkeys(f, 0) for k, f in features.items() if hasattr(f, "items")}
        rest |= {k: "" for k, f in features.items() if isinstance(f, tfds.features.Text)}
        return {**rest, **nested, "image": image}

    def write(name, **images):
        builder = tfds.builder(name, data_dir=str(tmp_path))
        features = builder.info.features
        builder._split_generators = lambda *_: {
            split: iter([(i, example(features, image, i)) for i, image in enumerate(many)])
            for split, many in images.items()
        }
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
        return data.load(name, data_dir=tmp_path)

    return write


def test_cifar10_in_its_builders_format(prepare):
    n = np.arange(5007)
    coded = np.stack([n // 256, n % 256, 0 * n], axis=-1).astype(np.uint8)  # each image is its own number
    images = np.broadcast_to(coded[:, None, None], (len(n), 32, 32, 3))
    splits = prepare("cifar10", train=images, test=images[:3])
    assert splits.sizes == {"train": 7, "validation": 5000, "test": 3} and len(splits.labels["train"]) == 7
    pixels = np.concatenate([splits.stored[s].values[:, 5, 5].astype(int) for s in ("train", "validation")])
    assert sorted(pixels[:, 0] * 256 + pixels[:, 1]) == n.tolist()


def test_omniglot_is_averaged_over_areas_and_inverted(prepare):
    images = np.full((1350, 105, 105, 3), 255, np.uint8)
    for i, image in enumerate(images):
        image[20 : 30 + i % 50, 40:44] = 0
    splits = prepare("omniglot", train=images, test=images[:4])
    assert splits.sizes == {"train": 5, "validation": 1345, "test": 4} and splits.shape == (28, 28, 1)
    ink = splits.stored["test"].values.astype(float).mean(axis=(1, 2, 3)) / 255
    drawn = (images[:4] == 0).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(np.sort(ink), np.sort(drawn), atol=0.5 / 255)


def test_celeb_a_is_cropped_at_the_centre_and_resized(prepare):
    down, across = (np.repeat(ramp[..., None], 3, axis=-1).astype(np.uint8) for ramp in np.mgrid[:218, :178])
    middle = (np.arange(64) + 0.5) * 148 / 64 - 0.5  # pixel centres; antialiasing bends a ramp at its ends only
    for image, first, axis in ((down, 35, 0), (across, 15, 1)):
        pixels = np.moveaxis(sources.celeb_a_image(tf.constant(image)).numpy(), axis, 0)
        assert np.abs(pixels[..., 0] - first - middle[:, None])[2:-2].max() <= 0.5
    splits = prepare("celeb_a", train=[down] * 2, validation=[down], test=[across])
    assert splits.sizes == {"train": 2, "validation": 1, "test": 1} and splits.shape == (64, 64, 3)
    jpeg_error = splits.array("test")[0] * 255 - sources.celeb_a_image(tf.constant(across)).numpy()
    assert np.abs(jpeg_error).max() <= 3.0


def test_directory_is_sorted_and_every_depth_and_kind_of_png_is_read(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for i, (file, depth) in enumerate([("a.png", 1), ("b.PNG", 2), ("deep/c.png", 3), ("deep/er/d.png", 4)]):
        image = np.full((6, 5, depth), 255, np.uint8)
        image[..., : 1 if depth < 3 else 3] = 40 * i
        (tmp_path / file).write_bytes(tf.io.encode_png(image).numpy())
    (tmp_path / "notes.txt").write_text("no image")
    for channels in (1, 3):
        splits = data.from_directory(tmp_path, size=(4, 3), channels=channels)
        assert splits.shape == (4, 3, channels) and splits.name == tmp_path.name
        pixels = np.concatenate([splits.stored[s].values for s in splits.sizes])
        assert sorted(pixels.reshape(4, -1).mean(axis=1)) == [0, 40, 80, 120]


# --- failures -------------------------------------------------------------------------------------------------------


def test_names_are_the_table():
    assert data.names() == tuple(sources.SOURCES) and "digits" in data.names()


def test_counts_and_records_are_the_digits_again():
    grey, counts, records = (data.load(name) for name in ("digits", "digit_counts", "digit_records"))
    for split in ("train", "validation", "test"):
        pixels = grey.stored[split].values
        np.testing.assert_array_equal(counts.array(split), pixels)
        made = records.array(split)
        np.testing.assert_array_equal(made[:, 2:], pixels.reshape(len(pixels), 64))
        np.testing.assert_array_equal(made[:, 1], grey.labels[split])
        assert np.corrcoef(made[:, 0], pixels.reshape(len(pixels), 64).mean(1))[0, 1] > 0.99999
    ink = records.array("train")[:, 0]
    assert abs(ink.mean()) < 1e-5 and abs(ink.std() - 1) < 1e-5 and records.shape == (66,)


def test_missing_set_says_what_to_run(tmp_path, monkeypatch, caplog):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there: no network on any machine
    monkeypatch.setattr(urllib.request, "_opener", None)  # which remembers the proxies of its first use
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(data.DatasetNotAvailable) as caught:
        data.load("cifar10")
    for words in ("cifar10", str(tmp_path), "cs.toronto.edu", "refused", "download_and_prepare()", "export TFDS_DATA"):
        assert words in str(caught.value)
    assert "dataset_info.json" not in caplog.text


def test_a_host_that_answers_is_reachable_whatever_it_says(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = http.server.BaseHTTPRequestHandler  # answers HEAD with 501
    monkeypatch.setattr(handler, "log_message", lambda *_: None)
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert prepared._unreachable([f"http://127.0.0.1:{server.server_port}/file.gz"]) is None
        server.shutdown()


def test_failed_download_names_its_cause(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    def full(_):
        raise OSError("disk full\nand a page of trace")

    monkeypatch.setattr(prepared, "_unreachable", lambda _: None)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", full)
    with pytest.raises(data.DatasetNotAvailable, match=r"OSError: disk full\. On a machine"):
        data.load("mnist", data_dir=tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "missing", "description"])
def test_damaged_files_are_named(tfds_dir, tmp_path, damage):
    copy = tmp_path / "cmaterdb"
    shutil.copytree(Path(tfds_dir, "cmaterdb"), copy, copy_function=shutil.copyfile)
    pattern = "dataset_info.json" if damage == "description" else "*test.tfrecord*"
    (file,) = copy.rglob(pattern)
    file.parent.chmod(0o755)
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(data.DatasetNotAvailable, match=r"must be whole. Received: .*cmaterdb") as caught:
        data.load("cmaterdb", data_dir=tmp_path)
    assert len(str(caught.value).splitlines()) < 8 and "Op:" not in str(caught.value)


X = np.zeros((9, 2), np.float32)
NAN = np.where(np.arange(18).reshape(9, 2) > 14, np.nan, X)
DYNAMIC = data.DynamicBinarization()
BAD = {
    "unknown name": (lambda t: data.load("minst"), r"Received: name='minst'. Did you mean 'mnist'"),
    "name no str": (lambda t: data.load(3), r"Received: name=3"),
    "data_dir": (lambda t: data.load("mnist", data_dir=3), r"data_dir must be a path. Received: data_dir=3"),
    "binary twice": (lambda t: data.load("binarized_mnist", binarization=DYNAMIC), "is binary already.*Received"),
    "binarization": (lambda t: data.load("digits", binarization="static"), "Received: binarization='static'"),
    "binarization class": (lambda t: data.from_arrays(X, binarization=data.NoBinarization), "neither its name nor"),
    "batch 0": (lambda t: data.load("digits", batch_size=0), "Received: batch_size=0"),
    "batch bool": (lambda t: data.from_arrays(X, batch_size=True), "Received: batch_size=True"),
    "seed": (lambda t: data.from_arrays(X, seed=-1), "Received: seed=-1"),
    "seed large": (lambda t: data.from_arrays(X, seed=2**31), "Received: seed=2147483648"),
    "static seed": (lambda t: data.StaticBinarization(-3), "Received: seed=-3"),
    "dynamic seed": (lambda t: data.DynamicBinarization(0.5), "Received: seed=0.5"),
    "step": (lambda t: data.from_arrays(X).train_from(-1), "Received: step=-1"),
    "split": (lambda t: data.from_arrays(X).array("valid"), "Received: split='valid'"),
    "rank 1": (lambda t: data.from_arrays(np.zeros(9)), r"at least rank 2. Received: train with shape=\(9,\)"),
    "nan": (lambda t: data.from_arrays(NAN), r"with 3 that are not, the first at index \(7, 1\)"),
    "inf": (lambda t: data.from_arrays(X, X.astype(float) + 1e300), "Received: validation with 18 that are not"),
    "empty": (lambda t: data.from_arrays(X, test=X[:0]), r"Received: test with shape=\(0, 2\)"),
    "strings": (lambda t: data.from_arrays([["a"]]), "Received: train with dtype=<U1"),
    "objects": (lambda t: data.from_arrays(X.astype(object)), "Received: train with dtype=object"),
    "complex": (lambda t: data.from_arrays(X + 1j), "Received: train with dtype=complex"),
    "ragged": (lambda t: data.from_arrays([[1.0], [1.0, 2.0]]), "Received: rows of unequal shapes"),
    "shapes": (lambda t: data.from_arrays(X, X[:, :1]), r"train with shape=\(9, 2\), validation with shape=\(9, 1\)"),
    "scales": (lambda t: data.from_arrays(X.astype(np.uint8), X), "Received: one of train and validation with dtype"),
    "few": (lambda t: data.from_arrays(X[:2]), "Received: train with 2 examples. Pass validation and test"),
    "not in 0..1": (
        lambda t: data.from_arrays(X - 2, binarization=DYNAMIC),
        r"Received: train with values in \[-2, -2\]",
    ),
    "labels list": (lambda t: data.from_arrays(X, labels=[1]), "Received: labels of type list"),
    "labels short": (lambda t: data.from_arrays(X, labels={"train": [1]}), r"with shape=\(1,\) for 9 examples"),
    "labels of none": (lambda t: data.from_arrays(X, labels={"test": [1]}), "for 0 examples"),
    "size": (lambda t: data.from_directory(t, size=(8, 0)), r"Received: size=\(8, 0\)"),
    "size int": (lambda t: data.from_directory(t, size=8), "Received: size=8"),
    "channels": (lambda t: data.from_directory(t, size=(8, 8), channels=2), "Received: channels=2"),
    "no folder": (
        lambda t: data.from_directory(t / "none", size=(8, 8)),
        "directory that exists. Received: folder=.*none",
    ),
    "no images": (lambda t: data.from_directory(t, size=(8, 8)), "with none. Check the path"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_words(case, tmp_path):
    call, words = BAD[case]
    with pytest.raises(FileNotFoundError if case.startswith("no ") else ValueError, match=words):
        call(tmp_path)


def test_a_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / "good.png").write_bytes(tf.io.encode_png(np.zeros((4, 4, 3), np.uint8)).numpy())
    shutil.copy(tmp_path / "good.png", tmp_path / "worth_reading_too.png")
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    with pytest.raises(ValueError, match=r"Received: file='.*torn.jpg'. Remove") as caught:
        data.from_directory(tmp_path, size=(8, 8))
    assert "node" not in str(caught.value)
