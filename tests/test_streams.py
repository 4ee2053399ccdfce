"""Laws of streams: the same examples as in memory, an order keyed by (seed, epoch), shares of workers, flat memory."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae import data
from tfvae.data.records import counted

DYNAMIC = data.DynamicBinarization(5)
KINDS = ["records", "one file", "images"]


def write_records(file, records):
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in records:
            writer.write(bytes(record))
    return str(file)


def parse(record):
    return tf.io.decode_raw(record, tf.uint8)


def numbered(folder, n, files=5, **options):
    """A stream of TFRecords whose training example i is the pixel i."""
    bounds = np.linspace(0, n, files + 1).astype(int) + np.array([0, *[1] * (files - 1), 0])  # of unequal sizes
    train = [
        write_records(folder / f"train[{i}].tfrecord", [[k] for k in range(*bounds[i : i + 2])]) for i in range(files)
    ]
    held = [write_records(folder / name, [[k] for k in range(200, 203)]) for name in ("validation", "test")]
    options = {"parse": parse, "shape": (1,), "batch_size": 10, "buffer": 8} | options
    return data.stream_tfrecords(train, *held, **options)


def write_images(folder, n):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        (folder / f"{i:03}.png").write_bytes(tf.io.encode_png(np.full((4, 4, 3), i % 256, np.uint8)).numpy())


def make(kind, folder, n=45, **options):
    """A stream of n training examples; example i is the pixel i. A second call reads the same files."""
    if kind == "images":
        if not folder.joinpath("images").exists():
            write_images(folder / "images", n + 2 * (n // 8))  # n // 8 is the tenth that is held out, for n = 45
        return data.stream_directory(folder / "images", size=(4, 4), channels=1, **{"batch_size": 10} | options)
    return numbered(folder, n, 1 if kind == "one file" else 5, **options)


def pixels(x):
    return np.round(np.asarray(x).reshape(len(x), -1)[:, 0] * 255).astype(int)


def values(dataset):
    return np.concatenate([x.numpy() for x in dataset])


# --- order ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_epoch_visits_each_example_once_in_an_order_of_its_own(kind, tmp_path):
    stream = make(kind, tmp_path)
    n = stream.sizes["train"]
    epochs = []
    for _ in range(3):
        batches = [x.numpy() for x in stream.train]
        assert [len(x) for x in batches] == [10] * (n // 10) + [n % 10] and len(batches) == stream.steps_per_epoch
        epochs.append(pixels(np.concatenate(batches)))
    assert all(np.array_equal(np.sort(e), np.sort(epochs[0])) and len(set(e)) == n for e in epochs)
    assert not np.array_equal(epochs[0], epochs[1]) and not np.array_equal(epochs[0], np.sort(epochs[0]))
    other = make(kind, tmp_path, seed=1)
    assert not np.array_equal(pixels(values(other.train)), epochs[0])
    assert stream.train.cardinality() == stream.steps_per_epoch
    assert stream.train.element_spec == tf.TensorSpec((None, *stream.shape), tf.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_order_and_draws_do_not_depend_on_the_global_seed(kind, tmp_path):
    orders = []
    for global_seed in (1, 2):
        keras.utils.set_random_seed(global_seed)
        orders.append([values(make(kind, tmp_path, binarization=b).train) for b in (data.NoBinarization(), DYNAMIC)])
    for one, other in zip(*orders, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("binarization", [data.NoBinarization(), DYNAMIC], ids=lambda b: type(b).__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_train_from_equals_the_tail_of_an_uninterrupted_run(kind, binarization, tmp_path):
    stream = make(kind, tmp_path, binarization=binarization)
    steps = stream.steps_per_epoch
    assert 3 < steps < 6
    whole = [x.numpy() for x in stream.train_from(0).take(2 * steps + 2)]
    again = make(kind, tmp_path, binarization=binarization)
    for step in range(2 * steps - 1):  # over the boundary of an epoch, whose last batch is short
        tail = [x.numpy() for x in again.train_from(step).take(3)]
        assert all(np.array_equal(a, b) for a, b in zip(whole[step : step + 3], tail, strict=True)), step
    for epoch in range(2):
        assert np.array_equal(values(again.train), np.concatenate(whole[epoch * steps : (epoch + 1) * steps]))
    assert again.train_from(np.int64(7)).cardinality() == tf.data.INFINITE_CARDINALITY


def test_skipped_records_are_not_parsed_and_skipped_images_not_opened(tmp_path):
    def counting(record):
        calls.append(1)
        return np.frombuffer(record, np.uint8)

    def counted_parse(record):
        return tf.ensure_shape(tf.numpy_function(counting, [record], tf.uint8), (1,))

    calls = []
    stream = numbered(tmp_path, 45, parse=counted_parse)
    calls.clear()
    assert len(next(iter(stream.train_from(4)))) == 5
    after_four = len(calls)
    list(stream.train_from(0).take(5))
    assert len(calls) - after_four >= 45 and after_four < 45 + 5  # what is read ahead belongs to the next epoch
    images = make("images", tmp_path)
    first = pixels(next(iter(images.train_from(0))))[0]
    tmp_path.joinpath("images", f"{first:03}.png").unlink()
    assert len(next(iter(images.train_from(1)))) == 10


def test_orders_of_a_shuffle_buffer_as_large_as_train_are_uncorrelated(tmp_path):
    """4 z-values within 5: failure rate 2e-6 over seeds, none for this one."""
    n = 20000
    files = [write_records(tmp_path / f"{i}", np.arange(i, n, 4, dtype=np.int32)[:, None]) for i in range(4)]
    held = [write_records(tmp_path / name, [np.int32([1])]) for name in "vt"]
    stream = data.stream_tfrecords(
        files, *held, parse=lambda r: tf.io.decode_raw(r, tf.int32), shape=(1,), batch_size=n, buffer=n
    )
    a, b = ((values(stream.train)[:, 0] - (n - 1) / 2) / np.sqrt((n * n - 1) / 12) for _ in range(2))
    assert np.abs([np.dot(x, y) / np.sqrt(n) for x, y in ((a, b), (a[1:], a[:-1]), (b[1:], b[:-1]))]).max() < 5.0


# --- the same as in memory ------------------------------------------------------------------------------------------


def test_a_streamed_folder_has_the_splits_and_draws_of_from_directory(tmp_path):
    write_images(tmp_path / "images", 330)
    for binarization in (data.NoBinarization(), DYNAMIC):
        options = {"size": (3, 5), "channels": 1, "binarization": binarization, "batch_size": 48}
        stream = data.stream_directory(tmp_path / "images", **options)
        splits = data.from_directory(tmp_path / "images", **options)
        assert stream.sizes == splits.sizes and stream.shape == splits.shape and stream.name == splits.name
        assert stream.steps_per_epoch == splits.steps_per_epoch
        for split in ("validation", "test"):
            assert np.array_equal(values(getattr(stream, split)), splits.array(split))
        # The order too: both are the same permutation of the same list.
        assert np.array_equal(values(stream.train), values(splits.train))


def test_draws_of_validation_span_blocks_as_in_memory(tmp_path):
    grey = np.random.RandomState(0).randint(0, 256, (2500, 4)).astype(np.uint8)
    files = [write_records(tmp_path / name, grey) for name in "abc"]
    splits = data.from_arrays(grey, grey, grey, binarization=DYNAMIC)
    for batch_size in (128, 1500):
        stream = data.stream_tfrecords(*files, parse=parse, shape=(4,), binarization=DYNAMIC, batch_size=batch_size)
        for split in ("validation", "test"):
            for _ in range(2):
                assert np.array_equal(values(getattr(stream, split)), splits.array(split))
    drawn = values(stream.train), values(stream.train)
    assert set(np.unique(drawn)) == {0.0, 1.0} and abs(np.mean(drawn) - grey.mean() / 255) < 0.02


def test_pixels_are_divided_by_255_and_all_else_is_kept(tmp_path):
    file = write_records(tmp_path / "x", [[i, 255] for i in range(20)])
    for dtype, scale in ((tf.uint8, 255), (tf.int32, 1), (tf.float16, 1), (tf.float64, 1)):
        stream = data.stream_tfrecords(file, parse=lambda r, d=dtype: tf.cast(parse(r), d), shape=(2,))
        np.testing.assert_allclose(values(stream.validation), np.array([[16, 255], [17, 255]]) / scale, rtol=1e-6)


def test_held_out_records_are_the_last_of_every_file(tmp_path):
    files = [write_records(tmp_path / f"{i}", [[k] for k in range(20 * i, 20 * i + 20)]) for i in range(3)]
    test = write_records(tmp_path / "test", [[99]])
    stream = data.stream_tfrecords(files, parse=parse, shape=(1,))
    assert stream.sizes == {"train": 48, "validation": 6, "test": 6}
    assert pixels(values(stream.validation)).tolist() == [16, 17, 36, 37, 56, 57]
    assert pixels(values(stream.test)).tolist() == [18, 19, 38, 39, 58, 59]
    every = [pixels(values(getattr(stream, split))) for split in stream.sizes]
    assert sorted(np.concatenate(every)) == list(range(60))
    assert data.stream_tfrecords(files, test=test, parse=parse, shape=(1,)).sizes == {
        "train": 54,
        "validation": 6,
        "test": 1,
    }


def test_streamed_mnist_is_mnist_and_fit_trains_on_it(tfds_dir):
    none = data.NoBinarization()
    stream = data.stream("mnist", binarization=none, data_dir=tfds_dir)
    splits = data.load("mnist", binarization=none, data_dir=tfds_dir)
    assert (stream.sizes, stream.shape, stream.steps_per_epoch) == (splits.sizes, splits.shape, splits.steps_per_epoch)
    assert np.array_equal(values(stream.validation), splits.array("validation"))
    drawn = data.stream("mnist", data_dir=tfds_dir)
    assert isinstance(drawn.binarization, data.DynamicBinarization)
    assert np.array_equal(values(drawn.validation), data.load("mnist", data_dir=tfds_dir).array("validation"))


def test_fit_trains_on_a_stream(tfds_dir):
    from tfvae import zoo

    stream = data.stream("mnist", data_dir=tfds_dir, batch_size=100)
    model = zoo.vae(stream.shape)
    model.compile("adam")
    history = model.fit(
        stream.train.take(40), validation_data=stream.validation.take(3), epochs=2, verbose=0, shuffle=False
    )
    losses = history.history["loss"]
    assert losses[1] < losses[0] - 10.0 and np.isfinite(history.history["val_loss"]).all()


# --- workers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_shares_of_workers_are_an_epoch_and_their_batches_a_global_batch(kind, count, tmp_path):
    stream = make(kind, tmp_path)
    shards = [stream.shard(i, count) for i in range(count)]
    for _ in range(2):
        batches = [[x.numpy() for x in shard.train] for shard in shards]
        assert {len(b) for b in batches} == {stream.steps_per_epoch} == {s.steps_per_epoch for s in shards}
        together = [sum(len(x) for x in step) for step in zip(*batches, strict=True)]
        assert together == [len(x) for x in stream.train] and min(len(x) for b in batches for x in b) > 0
        seen = np.concatenate([pixels(x) for b in batches for x in b])
        assert np.array_equal(np.sort(seen), np.sort(pixels(values(stream.train))))
    assert np.array_equal(
        values(shards[1].train_from(1).take(1)), values(shards[1].train_from(0).take(2))[10 // count :]
    )
    assert np.array_equal(values(shards[1].validation), values(stream.validation))
    assert f"worker 1 of {count}" in repr(shards[1]) and "worker" not in repr(stream)


@pytest.mark.parametrize("kind", ["records", "images"])
def test_a_worker_opens_its_own_files_only(kind, tmp_path):
    stream = make(kind, tmp_path, 50) if kind == "images" else make_even(tmp_path)
    shards = [stream.shard(i, 2) for i in range(2)]
    if kind == "images":
        files = [set(shard.readers["train"].files) for shard in shards]
    else:
        files = [{part.file for part in shard.readers["train"].parts} for shard in shards]
    assert files[0] and files[1] and not files[0] & files[1]
    before = values(shards[0].train)
    for file in files[1]:
        Path(file).unlink()
    assert np.array_equal(values(stream.shard(0, 2).train), before)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Received: file="):
        values(shards[1].train)


def make_even(folder):
    files = [write_records(folder / f"{i}", [[k] for k in range(10 * i, 10 * i + 10)]) for i in range(4)]
    held = [write_records(folder / name, [[1]]) for name in "vt"]
    return data.stream_tfrecords(files, *held, parse=parse, shape=(1,), batch_size=10)


@pytest.mark.parametrize("kind", ["records", "images"])
def test_workers_draw_with_noise_of_their_own(kind, tmp_path):
    stream = numbered(tmp_path, 40, parse=lambda r: tf.fill((500,), 0.5), shape=(500,), binarization=DYNAMIC)
    a, b = (values(stream.shard(i, 2).train) for i in range(2))
    rows = np.concatenate([a, b]).reshape(len(a) + len(b), 500)
    assert len({row.tobytes() for row in rows}) == 40


def test_automatic_sharding_gives_each_worker_its_share_of_the_global_batch(tmp_path):
    """What a MultiWorkerMirroredStrategy does to a data set, without its processes."""
    from tensorflow.python.data.experimental.ops import distribute

    stream = make("records", tmp_path)
    whole = [pixels(x) for x in make("records", tmp_path).train_from(0).take(4)]
    shares = []
    for worker in range(2):
        own = make("records", tmp_path).train_from(0)
        assert own.options().experimental_distribute.auto_shard_policy == tf.data.experimental.AutoShardPolicy.DATA
        rebatched = distribute._LegacyRebatchDataset(own, 2)
        shares.append([pixels(x) for x in distribute._AutoShardDataset(rebatched, 2, worker).take(4)])
    for batch, *parts in zip(whole, *shares, strict=True):
        assert np.array_equal(batch, np.concatenate(parts))
    assert stream.validation.options().experimental_distribute.auto_shard_policy.name == "DATA"


# --- failures -------------------------------------------------------------------------------------------------------


def damage(file, position):
    content = bytearray(Path(file).read_bytes())
    content[position] ^= 1
    Path(file).write_bytes(content)


def from_records(folder, records=((1,),) * 30, **options):
    file = write_records(folder / "file", records)
    options.setdefault("shape", (1,))
    return data.stream_tfrecords(file, **{"parse": parse, "batch_size": 10} | options)


def truncated(folder):
    file = Path(write_records(folder / "file", [[1] * 9] * 30))
    file.write_bytes(file.read_bytes()[:-3])
    return data.stream_tfrecords(file, parse=parse, shape=(9,))


def compressed(folder):
    with tf.io.TFRecordWriter(str(folder / "zip"), tf.io.TFRecordOptions("GZIP")) as writer:
        writer.write(b"x" * 1000)
    return data.stream_tfrecords(folder / "zip", parse=parse, shape=(9,))


def late_damage(folder):
    stream = from_records(folder)
    damage(folder / "file", 5 * 17 + 12)
    return values(stream.train_from(0).take(6))


def early_damage(folder):
    write_records(folder / "file", [[1]] * 30)
    damage(folder / "file", 12)
    return data.stream_tfrecords(folder / "file", parse=parse, shape=(1,))


def deleted(folder):
    stream = from_records(folder)
    (folder / "file").unlink()
    return values(stream.train)


def torn_image(folder, last=False):
    write_images(folder / "images", 20)
    stream = data.stream_directory(folder / "images", size=(4, 4), batch_size=10)
    file = pixels(values(stream.train_from(0).take(2)))[-1 if last else 3]
    folder.joinpath("images", f"{file:03}.png").write_bytes(b"\x89PNG torn")
    return values(stream.train_from(0).take(3))


def images(folder, **options):
    write_images(folder / "images", 20)
    return data.stream_directory(folder / "images", **{"size": (4, 4)} | options)


def ragged(folder):
    return values(from_records(folder, [[1]] * 29 + [[1, 2]], validation=None).test)


HALF = tf.constant([0.5])
STATIC = data.StaticBinarization()
BAD = {
    "no files": (lambda t: data.stream_tfrecords([], parse=parse, shape=(1,)), r"Received: train=\[\]"),
    "files no paths": (lambda t: data.stream_tfrecords(3, parse=parse, shape=(1,)), "train must be a path"),
    "missing file": (lambda t: data.stream_tfrecords(t / "x", parse=parse, shape=(1,)), "files that exist.*file='.*x'"),
    "twice": (lambda t: from_records(t, test=str(t / "file")), "named once.*file'? 2 times|file' 2 times"),
    "too few": (lambda t: from_records(t, [[1]] * 9), "Received: none for validation"),
    "empty": (lambda t: from_records(t, []), "Received: none for"),
    "truncated": (truncated, r"whole and not compressed. Received: file='.*file', where record 29"),
    "compressed": (compressed, "not compressed. Received: file='.*zip'"),
    "first record damaged": (early_damage, "file='.*file', in which a record is damaged"),
    "later record damaged": (late_damage, r"Received: file=.*file\].*in which a record is damaged"),
    "file deleted": (deleted, r"Received: file=.*file\].*not there any more"),
    "parse no function": (lambda t: from_records(t, parse=None), "Received: parse=None"),
    "parse fails": (lambda t: from_records(t, parse=lambda r: 1 / 0), "fails on record 0 of .*ZeroDivisionError"),
    "parse fails later": (
        lambda t: from_records(t, parse=lambda r: tf.io.parse_tensor(r, tf.uint8)),
        "fails on record 0 of .*file.*Try it on",
    ),
    "parse gives strings": (lambda t: from_records(t, parse=lambda r: r), "one tensor of real numbers.*tf.string"),
    "parse gives pairs": (lambda t: from_records(t, parse=lambda r: (r, 1)), "one tensor of real numbers.*tuple"),
    "parse gives shape": (lambda t: from_records(t, shape=(2,)), r"shape \(2,\). Received: one of shape \(1,\)"),
    "later shape": (ragged, r"shape \(1,\). Received: one of shape\] \[2\] \[from file"),
    "nan": (lambda t: from_records(t, parse=lambda r: HALF * np.nan), "finite numbers. Received: .*file"),
    "not in 0..1": (
        lambda t: values(from_records(t, parse=lambda r: HALF * 4, binarization=DYNAMIC).train),
        r"lie in \[0, 1\]. Received: values in\] \[2\] \[2\]",
    ),
    "shape": (lambda t: from_records(t, shape=(0,)), r"Received: shape=\(0,\)"),
    "shape int": (lambda t: from_records(t, shape=3), "Received: shape=3"),
    "buffer": (lambda t: from_records(t, buffer=0), "Received: buffer=0"),
    "batch": (lambda t: from_records(t, batch_size=0), "Received: batch_size=0"),
    "seed": (lambda t: images(t, seed=-1), "Received: seed=-1"),
    "static": (lambda t: images(t, binarization=STATIC), r"never holds the whole. Received: .*StaticBinarization"),
    "static records": (lambda t: from_records(t, binarization=STATIC), "Write the drawn examples to TFRecord"),
    "static set": (lambda t: data.stream("mnist", binarization=STATIC), "never holds the whole"),
    "binarization": (lambda t: images(t, binarization="none"), "Received: binarization='none'"),
    "name": (lambda t: data.stream("minst"), "Did you mean 'mnist'"),
    "digits": (lambda t: data.stream("digits"), r"Received: name='digits', which is in no files. Use load"),
    "permuted": (lambda t: data.stream("omniglot"), "Received: name='omniglot', which is permuted. Use load"),
    "size": (lambda t: images(t, size=4), "Received: size=4"),
    "channels": (lambda t: images(t, channels=2), "Received: channels=2"),
    "no folder": (lambda t: data.stream_directory(t / "x", size=(4, 4)), "directory that exists"),
    "few images": (lambda t: (write_images(t, 2), data.stream_directory(t, size=(4, 4))), "train with 2 examples"),
    "torn image": (torn_image, r"must be an image.*file=\] \[.*images/\d{3}.png\].*Remove"),
    "last image torn": (lambda t: torn_image(t, last=True), r"must be an image.*images/\d{3}.png\].*Remove"),
    "step": (lambda t: from_records(t).train_from(-1), "Received: step=-1"),
    "count": (lambda t: from_records(t).shard(0, 0), "Received: count=0"),
    "index": (lambda t: from_records(t).shard(2, 2), "Received: index=2, count=2"),
    "index negative": (lambda t: from_records(t).shard(-1, 2), "Received: index=-1"),
    "sharded twice": (lambda t: from_records(t).shard(0, 2).shard(0, 2), "sharded once. Received: .*worker 0 of 2"),
    "batch over workers": (lambda t: from_records(t).shard(0, 3), "Received: batch_size=10, count=3"),
    "last batch": (lambda t: images(t, batch_size=15).shard(0, 5), "count=5, a last batch of 1"),
}
AT_RUN = ("later ", "file deleted", "not in", "torn", "last image")


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_words(case, tmp_path):
    call, words = BAD[case]
    error = tf.errors.InvalidArgumentError if case.startswith(AT_RUN) else ValueError
    with pytest.raises(FileNotFoundError if case in ("no folder", "missing file") else error, match=words):
        call(tmp_path)


def test_counting_reads_no_contents_and_allows_empty_records(tmp_path):
    assert counted(write_records(tmp_path / "a", [[], [1] * 100000, []])).stop == 3
    assert counted(write_records(tmp_path / "b", [])).stop == 0


def test_streams_print_on_one_line_and_are_frozen(tmp_path):
    stream = make("records", tmp_path, binarization=DYNAMIC)
    for word in ("Stream('tfrecords'", "(1,)", "train 45", "validation 3", "test 3", "dynamic", "seed 5"):
        assert word in repr(stream)
    assert "\n" not in repr(stream)
    with pytest.raises(AttributeError):
        stream.seed = 1


# --- memory ---------------------------------------------------------------------------------------------------------

SIDE = 256  # pixels: 197 kB as bytes, 786 kB as floats
MEASURE = """
import json, sys
from pathlib import Path
import tensorflow as tf
from tfvae import data

def parse(record):
    return tf.reshape(tf.io.decode_raw(record, tf.uint8), (SIDE, SIDE, 3))

def peak():
    # Of this process alone: that of resource.getrusage begins at the size of the process that started this one.
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024

def measured(path):
    files = tf.io.gfile.glob(path + "/*.tfrecord")
    if files:
        shape = (SIDE, SIDE, 3)
        stream = data.stream_tfrecords(files, parse=parse, shape=shape, buffer=64, batch_size=16)
    else:
        stream = data.stream_directory(path, size=(SIDE, SIDE), batch_size=16)
    return sum(len(x) for x in stream.train), peak()

print(json.dumps([measured(path) for path in sys.argv[1:]]))  # the smaller set first: a peak never falls
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc/self/status")
def test_memory_is_flat(tmp_path):
    """Six times the examples move the peak by less than half of what they are as uint8, an eighth as float32."""
    images = np.random.RandomState(0).randint(0, 256, (4, SIDE, SIDE, 3)).astype(np.uint8)
    coded = [tf.io.encode_jpeg(tf.image.resize(i[:9, :9], (SIDE, SIDE), "nearest")).numpy() for i in images]
    started = {}
    for kind in ("records", "images"):
        folders = [tmp_path / f"{kind}{n}" for n in (300, 1800)]
        for folder, n in zip(folders, (300, 1800), strict=True):
            folder.mkdir()
            if kind == "records":
                for i in range(10):
                    write_records(folder / f"{i}.tfrecord", [images[k % 4] for k in range(n // 10)])
            else:
                for i in range(n):
                    (folder / f"{i}.jpg").write_bytes(coded[i % 4])
        command = [sys.executable, "-c", MEASURE.replace("SIDE", str(SIDE)), *map(str, folders)]
        started[kind] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ended = {kind: (process, *process.communicate(timeout=300)) for kind, process in started.items()}
    for kind, (process, out, err) in ended.items():
        assert process.returncode == 0, err[-2000:]
        (read, low), (more, high) = json.loads(out.splitlines()[-1])
        extra = (more - read) * SIDE * SIDE * 3
        print(f"{kind}: {read}, {more} images, peak {low / 1e6:.0f}, {high / 1e6:.0f} MB, extra {extra / 1e6:.0f} MB")
        assert more == 1440 == 6 * read and high - low < extra / 2
