"""How `fit` executes: many steps in one call, resident data, resuming inside an epoch, losses that are not finite."""

import json
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tfvae import data, heads, objectives, zoo
from tfvae.errors import NonFiniteLoss
from tfvae.models import costs, execution


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", batch_size=64)


def _model(objective=None, **options):
    keras.utils.set_random_seed(3)
    model = zoo.vae((8, 8, 1), 2, units=(8,), seed=3)
    if objective is not None:
        model = tfvae.VAE(model.encoder, model.decoder, model.prior, objective, seed=3)
    model.compile(keras.optimizers.Adam(1e-2), **options)
    return model


def _state(model):
    model.optimizer.build(model.trainable_variables)
    return [w.numpy() for w in [*model.weights, *model.optimizer.variables]]


def _assert_equal(one, other):
    for mine, theirs in zip(_state(one), _state(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)


class EveryBatch(keras.callbacks.Callback):
    """Wants to see every batch."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append(batch)


def test_many_steps_in_a_call_are_the_steps_one_by_one(digits):
    together, single, callback = _model(), _model(), EveryBatch()
    logs = together.fit(digits.train, epochs=2, verbose=0).history
    same = single.fit(digits.train, epochs=2, verbose=0, callbacks=[callback]).history
    assert callback.batches == [*range(20)] * 2
    assert {key[3] for key in together.functions._made} != {1}  # that is, several in a call
    assert int(together.optimizer.iterations) == int(single.optimizer.iterations) == 40
    for name in logs:
        np.testing.assert_allclose(logs[name], same[name], rtol=1e-5)
    np.testing.assert_allclose(*(np.concatenate([w.ravel() for w in m.get_weights()]) for m in (together, single)),
                               atol=2e-5)  # fmt: skip


def test_a_key_fetched_in_a_compiled_step_is_the_batch_of_the_data_set(digits):
    source = digits.train.resident
    fetch = tf.function(source.fetch, jit_compile=True)
    for key, x in zip(source.keys_from(18), digits.train_from(18).take(4), strict=False):
        np.testing.assert_array_equal(fetch(source.stored.resident, key), x)


def test_keys_of_many_batches_are_those_of_one_after_the_other(digits):
    source = data.resident.Resident(data.stored.Stored(digits.array("train")[:95]), 10, seed=3)
    one_by_one = list(source.keys_from(0).take(30))  # three epochs of nine batches of ten and one of five
    assert source.odd == 5
    for first, count in ((0, 9), (12, 3), (9, 1), (19, 1)):
        together = source.keys(first, count)
        for number in range(count):
            for name, part in one_by_one[first + number].items():
                np.testing.assert_array_equal(together[name][number], part)


def test_an_odd_batch_counts_as_much_as_its_examples(digits):
    x = digits.array("train")[:95]
    model = _model()
    model.fit(x, epochs=3, batch_size=10, verbose=0)
    assert int(model.optimizer.iterations) == 30
    whole = model.evaluate(x, batch_size=95, verbose=0, return_dict=True)
    for size in (10, 94, 200):
        parts = model.evaluate(x, batch_size=size, verbose=0, return_dict=True)
        assert parts == pytest.approx(whole, rel=1e-5)  # the noise of an example does not depend on its batch
    with pytest.warns(UserWarning, match="ran out of data"):
        assert model.evaluate(x, batch_size=10, steps=12, verbose=0, return_dict=True) == pytest.approx(whole, rel=1e-5)


def test_dynamic_draws_have_the_probability_of_the_pixel():
    grey = np.tile(np.linspace(0, 1, 11, dtype="float32"), (4000, 1))
    splits = data.from_arrays(grey, grey[:1], grey[:1], binarization=data.DynamicBinarization(), batch_size=500)
    draws = np.concatenate([x for x in splits.train])
    error = np.sqrt(grey[0] * (1 - grey[0]) / len(draws))
    assert (np.abs(draws.mean(0) - grey[0]) <= 4.5 * error).all()  # fails by chance once in 10^4
    correlation = np.corrcoef(draws[:, 1:-1].T) - np.eye(9)
    assert np.abs(correlation).max() < 4.5 / np.sqrt(len(draws))
    later = next(iter(splits.train_from(8)))
    assert 0.2 < np.mean(later[:, 5] != next(iter(splits.train_from(0)))[:, 5]) < 0.8


def test_an_epoch_is_as_long_as_asked_whatever_the_calls(digits):
    model = _model(steps_per_execution=6)
    model.fit(digits.train, steps_per_epoch=7, epochs=3, verbose=0)
    assert int(model.optimizer.iterations) == 21  # Keras' own loop would take 24
    model.fit(digits.train.repeat(), steps_per_epoch=5, epochs=1, verbose=0)
    assert int(model.optimizer.iterations) == 26


def test_arrays_are_shuffled_anew_in_every_epoch(digits):
    x = digits.array("train")[:100]
    one, other = _model(), _model()
    one.fit(x, epochs=2, batch_size=10, verbose=0)
    other.fit(x, epochs=2, batch_size=10, verbose=0, shuffle=False)
    assert np.abs(one.get_weights()[0] - other.get_weights()[0]).max() > 1e-4
    source = data.resident.Resident(data.stored.Stored(x), 10, seed=3)
    orders = [np.concatenate([key["index"] for key in source.epoch(epoch)]) for epoch in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1]) == [*range(100)] and (orders[0] != orders[1]).any()


def test_a_long_run_is_compiled_and_a_short_one_is_not(digits):
    model = _model()
    source = digits.train.resident
    assert not execution.plan(model, source, 64, 20, 1, False).compiled
    assert execution.plan(model, source, 64, 20, 100000, False).compiled
    assert execution.plan(model, source, 64, 20, 1, False, done=2000000).compiled  # many short runs
    assert execution.plan(_model(jit_compile=True), source, 64, 20, 1, False).compiled
    assert not execution.plan(_model(jit_compile=False), source, 64, 20, 100000, False).compiled


def test_convolutions_are_not_given_to_xla_on_a_processor(digits):
    encoder = tfvae.Encoder(tfvae.networks.conv(4), heads.DiagonalNormal(2))
    decoder = tfvae.Decoder(tfvae.networks.deconv(4, size=(8, 8)), heads.Bernoulli((8, 8, 1)))
    model = tfvae.VAE(encoder, decoder, tfvae.priors.StandardNormal(2))
    model.compile()
    assert not execution.plan(model, digits.train.resident, 64, 20, 100000, False).compiled
    model.compile(jit_compile=True)
    assert execution.plan(model, digits.train.resident, 64, 20, 1, False).compiled


def test_learned_images_are_no_convolution():
    model = tfvae.zoo.vamp((8, 8, 1), 2, components=5, units=(8,), seed=0)
    dense = tfvae.zoo.vae((8, 8, 1), 2, units=(8,), seed=0)
    assert costs.suits_xla(model) and costs.suits_xla(dense)
    assert costs.operations(model, 1) < 10 * costs.operations(dense, 1)  # not once for every place of a grid


class Stop(keras.callbacks.Callback):
    """Stops the process' training as a signal would, after some calls."""

    every_batch = False

    def __init__(self, calls):
        super().__init__()
        self.calls = calls

    def on_train_batch_end(self, batch, logs=None):
        self.calls -= 1
        if self.calls < 0:
            raise KeyboardInterrupt


def _trained(source, folder=None, moments=(), epochs=3):
    """Train, stopped at the given calls and begun again by a new process' new model each time."""
    for moment in [*moments, None]:
        model = _model(steps_per_execution=3)
        callbacks = [tfvae.callbacks.Checkpoint(folder / "c.keras", seconds=0)] if folder else []
        try:
            stop = [] if moment is None else [Stop(moment)]
            x = source()
            model.fit(x, epochs=epochs, verbose=0, callbacks=[*callbacks, *stop], batch_size=None)
        except KeyboardInterrupt:
            pass
    return model


@pytest.mark.slow
def test_stopped_at_ten_random_moments_it_ends_as_if_undisturbed(tmp_path, seed):
    moments = np.random.default_rng(seed).integers(0, 4, 10)
    straight = _trained(lambda: data.load("digits", batch_size=64).train)
    resumed = _trained(lambda: data.load("digits", batch_size=64).train, tmp_path, moments)
    _assert_equal(resumed, straight)


def test_resumed_epochs_report_the_means_of_whole_epochs(tmp_path, digits):
    straight = _model(steps_per_execution=3).fit(digits.train, epochs=1, verbose=0).history
    stopped, checkpoint = _model(steps_per_execution=3), tfvae.callbacks.Checkpoint(tmp_path / "c.keras", seconds=0)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(digits.train, epochs=1, verbose=0, callbacks=[checkpoint, Stop(2)])
    position = json.loads(zipfile.ZipFile(checkpoint.path).read("position.json"))
    assert position["epoch"] == 0 and position["batch"] == 9
    again = _model(steps_per_execution=3)
    history = again.fit(data.load("digits", batch_size=64).train, epochs=1, verbose=0, callbacks=[checkpoint]).history
    assert history == straight


def test_resuming_inside_an_epoch_of_a_stream(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, [48, 8, 8, 1], np.uint8)
    for number, image in enumerate(images):
        tf.io.write_file(str(tmp_path / f"{number:02}.png"), tf.io.encode_png(image))

    def stream():
        binarization = data.DynamicBinarization()
        return data.stream_directory(tmp_path, size=(8, 8), channels=1, batch_size=4, binarization=binarization).train

    resumed = _trained(stream, tmp_path, [1, 2, 1])
    _assert_equal(resumed, _trained(stream))


@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # Keras' word for every data set of unknown length
@pytest.mark.parametrize("kind", ["array", "data set", "of unknown length"])
def test_resuming_inside_an_epoch_of_other_data(tmp_path, digits, kind):
    x = digits.array("train")[:320]
    batches = tf.data.Dataset.from_tensor_slices(x).batch(32)
    source = {"array": x, "data set": batches, "of unknown length": batches.filter(lambda _: True)}[kind]
    straight = _trained(lambda: source, epochs=2)
    resumed = _trained(lambda: source, tmp_path, [1, 0, 2], epochs=2)
    _assert_equal(resumed, straight)


def test_a_checkpoint_of_another_model_is_refused(tmp_path, digits):
    checkpoint = tfvae.callbacks.Checkpoint(tmp_path / "c.keras")
    _model().fit(digits.train, epochs=1, verbose=0, callbacks=[checkpoint])
    other = zoo.vae((8, 8, 1), 5, units=(8,))
    other.compile()
    with pytest.raises(ValueError, match=r"Expected a checkpoint of this model\. .*differs in encoder"):
        other.fit(digits.train, verbose=0, callbacks=[checkpoint])
    finished = _model()
    finished.fit(digits.train, epochs=1, verbose=0, callbacks=[checkpoint])  # nothing is left to do
    assert int(finished.optimizer.iterations) == 20


@keras.saving.register_keras_serializable(package="test")
class Poisoned(objectives.Objective):
    """An objective that is NaN from a step on."""

    def __init__(self, step):
        self.step = step

    def bound(self, trace, step):
        return trace.elbo + tf.where(step >= self.step, np.float32("nan"), 0.0)

    def get_config(self):
        return {"step": self.step}


@pytest.mark.parametrize("jit", [False, True])
def test_a_loss_that_is_not_finite_stops_at_its_step(tmp_path, digits, jit):
    poisoned = _model(Poisoned(25), jit_compile=jit)
    with pytest.raises(NonFiniteLoss, match=r"loss=nan at step 25; the objective or a penalty"):
        poisoned.fit(digits.train, epochs=3, verbose=0,
                     callbacks=[tfvae.callbacks.Checkpoint(tmp_path / "c.keras")])  # fmt: skip
    assert int(poisoned.optimizer.iterations) == 25
    assert all(np.isfinite(weight).all() for weight in _state(poisoned))
    position = json.loads(zipfile.ZipFile(tmp_path / "c.keras").read("position.json"))
    assert position["epoch"] == 1  # the last good one


def test_the_part_to_blame_is_named(digits):
    model = _model()
    model.decoder.head.projection.linear.bias.assign(np.full(64, np.nan))
    with pytest.raises(NonFiniteLoss, match=r"at step 0; the distortion is nan: the likelihood, head Bernoulli .*bias"):
        model.fit(digits.train, verbose=0)
    model = _model()
    model.encoder.head.projection.linear.bias.assign(np.full(4, np.inf))
    with pytest.raises(NonFiniteLoss, match=r"the rate is (nan|inf): the posterior, head DiagonalNormal"):
        model.fit(digits.train, verbose=0)


def test_a_checkpoint_never_holds_weights_that_are_not_finite(tmp_path, digits):
    model, checkpoint = _model(), tfvae.callbacks.Checkpoint(tmp_path / "c.keras")
    model.fit(digits.train, epochs=1, verbose=0, callbacks=[checkpoint])
    before = checkpoint.path.read_bytes()
    model.decoder.head.projection.linear.bias.assign(np.full(64, np.nan))
    checkpoint.on_epoch_end(1)
    assert checkpoint.path.read_bytes() == before


def test_keras_clips_gradients_and_skips_steps(digits):
    x = digits.array("train")[:64] * 1.0
    likelihood = heads.Normal((8, 8, 1), 1e-3)  # gradients of 10^6
    sizes = {}
    for name, options in {"free": {}, "clipped": {"global_clipnorm": 1.0}}.items():
        keras.utils.set_random_seed(0)
        model = zoo.vae((8, 8, 1), 2, units=(8,), likelihood=likelihood.from_config(likelihood.get_config()), seed=0)
        model.compile(keras.optimizers.SGD(1e-3, **options))
        before = np.concatenate([w.ravel() for w in model.get_weights()])
        model.train_on_batch(x)
        sizes[name] = np.linalg.norm(np.concatenate([w.ravel() for w in model.get_weights()]) - before)
    assert sizes["clipped"] == pytest.approx(1e-3, rel=1e-2) and sizes["free"] > 1
    model = tfvae.VAE(*(getattr(model, part) for part in ("encoder", "decoder", "prior")), seed=0)
    scaler = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1e-3), initial_scale=1e38)
    model.compile(scaler)
    before = model.get_weights()
    model.fit(x, epochs=1, verbose=0, batch_size=64)  # the scaled gradients overflow: the step is skipped
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert float(scaler.dynamic_scale) < 1e38
