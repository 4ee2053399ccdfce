"""`fit` and its surroundings: callbacks, resuming, precision, sample weights, the user's own parts."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tfvae import data, heads, networks, objectives, priors, zoo
from tfvae.random import tfd


@pytest.fixture(scope="module")
def x():
    return data.load("digits", binarization=data.StaticBinarization()).array("train")


def _model(seed=3, **options):
    keras.utils.set_random_seed(seed)
    model = zoo.vae((8, 8, 1), 2, units=(8,), seed=seed)
    model.compile(keras.optimizers.Adam(1e-2), **options)
    return model


def _weights(model):
    return np.concatenate([w.ravel() for w in model.get_weights()])


def test_early_stopping_on_val_elbo_keeps_the_best(x):
    model = _model()
    stop = keras.callbacks.EarlyStopping("val_elbo", mode="max", patience=1, restore_best_weights=True)
    history = model.fit(x[:200], validation_data=x[200:300], epochs=6, verbose=0, callbacks=[stop]).history
    assert set(history) == {f"{v}{name}" for v in ("", "val_") for name in ("loss", "elbo", "rate", "distortion")}
    again = model.evaluate(x[200:300], verbose=0, return_dict=True)
    assert again["elbo"] == pytest.approx(max(history["val_elbo"]), rel=1e-4)


def test_every_way_to_pass_data_gives_the_same_step(x):
    x = x[:64]

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return x, np.zeros(64)

    def generator():
        yield x

    ways = {
        "array": {"x": x, "batch_size": 64, "shuffle": False},
        "tensor": {"x": tf.constant(x), "batch_size": 64, "shuffle": False},
        "integers": {"x": x.astype("uint8"), "batch_size": 64, "shuffle": False},
        "autoencoder habit": {"x": x, "y": x, "batch_size": 64, "shuffle": False},
        "data set": {"x": tf.data.Dataset.from_tensors(x)},
        "with labels": {"x": tf.data.Dataset.from_tensors((x, tf.zeros(64)))},
        "PyDataset": {"x": Batches(), "shuffle": False},
        "generator": {"x": generator(), "steps_per_epoch": 1},
    }
    results = {}
    for name, options in ways.items():
        model = _model()
        model.fit(epochs=1, verbose=0, **options)
        results[name] = _weights(model)
    for name, weights in results.items():
        np.testing.assert_allclose(weights, results["array"], atol=1e-6, err_msg=name)


def test_compiled_and_uncompiled_and_eager_steps_agree(x):
    runs = []
    for options in ({}, {"jit_compile": True}, {"run_eagerly": True}, {"steps_per_execution": 2}):
        model = _model(**options)
        model.fit(x[:128], batch_size=32, epochs=1, shuffle=False, verbose=0)
        runs.append(_weights(model))
    for weights in runs[1:]:
        np.testing.assert_allclose(weights, runs[0], atol=1e-4)


def test_training_goes_on_after_loading_as_if_it_had_not_stopped(x, tmp_path):
    """In a fresh process that imports the library only, in safe mode, without custom objects."""
    straight, stopped = _model(), _model()
    for model in (straight, stopped):
        model.fit(x[:128], batch_size=32, epochs=2, shuffle=False, verbose=0)
    stopped.save(tmp_path / "stopped.keras")
    np.save(tmp_path / "x.npy", x[:128])
    script = f"""
import keras, numpy as np, tfvae
model = keras.models.load_model({str(tmp_path / "stopped.keras")!r}, safe_mode=True)
model.fit(np.load({str(tmp_path / "x.npy")!r}), batch_size=32, epochs=1, shuffle=False, verbose=0)
model.save({str(tmp_path / "on.keras")!r})
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, capture_output=True, timeout=300)
    straight.fit(x[:128], batch_size=32, epochs=1, shuffle=False, verbose=0)
    resumed = keras.models.load_model(tmp_path / "on.keras")
    np.testing.assert_array_equal(_weights(resumed), _weights(straight))
    for one, other in zip(resumed.optimizer.variables, straight.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_schedules_follow_the_optimizer_through_saving(x, tmp_path):
    encoder = tfvae.Encoder(networks.mlp(8), heads.DiagonalNormal(2))
    decoder = tfvae.Decoder(networks.mlp(8), heads.Bernoulli((8, 8, 1)))
    warm = objectives.ELBO(objectives.schedules.Linear(steps=8))
    model = tfvae.VAE(encoder, decoder, priors.StandardNormal(2), warm, seed=1)
    model.compile()
    model.fit(x[:128], batch_size=32, epochs=1, verbose=0)  # four steps: beta is one half
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    logs = loaded.evaluate(x[:50], verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(logs["distortion"] + 0.5 * logs["rate"], rel=1e-5)
    assert logs["elbo"] == pytest.approx(-logs["distortion"] - logs["rate"], rel=1e-5)


@pytest.mark.parametrize(
    "policy", ["mixed_bfloat16", *(pytest.param(name, marks=pytest.mark.slow) for name in ("mixed_float16", "float64"))]
)
def test_precision_policies(x, policy, tmp_path):
    reference = _model().evaluate(x[:200], verbose=0, return_dict=True)
    keras.config.set_dtype_policy(policy)
    try:
        model = _model()
        before = model.evaluate(x[:200], verbose=0, return_dict=True)
        model.fit(x, epochs=1, verbose=0)
        after = model.evaluate(x[:200], verbose=0, return_dict=True)
        trace = model.trace(tf.constant(x[:3], model.variable_dtype))
    finally:
        keras.config.set_dtype_policy("float32")
    assert before["elbo"] == pytest.approx(reference["elbo"], rel=2e-2)
    assert after["elbo"] > before["elbo"] + 1
    assert trace.log_px.dtype == ("float64" if policy == "float64" else "float32")  # densities in full precision
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.predict(x[:5], verbose=0), model.predict(x[:5], verbose=0))


def test_sample_weights_choose_examples(x):
    model = _model()
    weight = np.r_[np.ones(30), np.zeros(34)].astype("float32")
    weighted = model.evaluate(x[:64], sample_weight=weight, batch_size=64, verbose=0, return_dict=True)
    alone = model.evaluate(x[:30], batch_size=64, verbose=0, return_dict=True)
    for name in ("elbo", "rate", "distortion"):
        assert weighted[name] == pytest.approx(alone[name], rel=1e-5)
    assert weighted["loss"] == pytest.approx(alone["loss"] * 30 / 64, rel=1e-5)  # Keras' mean of weighted losses


def test_regularisers_of_layers_join_the_loss(x):
    network = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(8, kernel_regularizer="l2")])
    decoder = tfvae.Decoder(networks.mlp(8), heads.Bernoulli((8, 8, 1)))
    encoder = tfvae.Encoder(network, heads.DiagonalNormal(2))
    model = tfvae.VAE(encoder, decoder, priors.StandardNormal(2), seed=0)
    model.compile()
    logs = model.evaluate(x[:50], verbose=0, return_dict=True)
    penalty = 0.01 * float(tf.reduce_sum(network.layers[-1].kernel ** 2))
    assert logs["loss"] == pytest.approx(-logs["elbo"] + penalty, rel=1e-5)


def test_batch_normalisation_and_dropout_know_when_they_train(x):
    network = keras.Sequential(
        [keras.layers.Flatten(), keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    )
    encoder = tfvae.Encoder(network, heads.DiagonalNormal(2))
    decoder = tfvae.Decoder(networks.mlp(8), heads.Bernoulli((8, 8, 1)))
    model = tfvae.VAE(encoder, decoder, priors.StandardNormal(2), seed=0)
    model.compile()
    moving = network.layers[2].moving_mean.numpy().copy()
    model.evaluate(x[:64], verbose=0)
    np.testing.assert_array_equal(network.layers[2].moving_mean.numpy(), moving)
    np.testing.assert_array_equal(model.predict(x[:5], verbose=0), model.predict(x[:5], verbose=0))
    model.fit(x[:64], epochs=1, verbose=0)
    assert np.abs(network.layers[2].moving_mean.numpy() - moving).max() > 0


@keras.saving.register_keras_serializable(package="test")
class OwnEncoder(keras.Model):
    """A user's own model whose call returns a distribution; it has no `training` argument."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(4)

    def build(self, shape):
        self.dense.build((None, 64))

    def call(self, x):
        loc, raw = tf.split(self.dense(tf.reshape(x, [-1, 64])), 2, -1)
        return tfd.MultivariateNormalDiag(loc, tf.math.softplus(raw) + 1e-3)


@keras.saving.register_keras_serializable(package="test")
class OwnDecoder(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(64)

    def build(self, shape):
        self.dense.build((None, 2))

    def call(self, z):
        logits = tf.reshape(self.dense(z), tf.concat([tf.shape(z)[:-1], [8, 8, 1]], 0))
        logits.set_shape([*z.shape[:-1], 8, 8, 1])
        return tfd.Independent(tfd.Bernoulli(logits=logits, dtype=tf.float32), 3)


def test_a_users_own_models_serve(x, tmp_path):
    model = tfvae.VAE(OwnEncoder(), OwnDecoder(), priors.StandardNormal(2), seed=0)
    model.compile(keras.optimizers.Adam(1e-2))
    history = model.fit(x, epochs=2, verbose=0).history
    assert history["elbo"][1] > history["elbo"][0] and model.fits.exact_rate
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.predict(x[:5], verbose=0), model.predict(x[:5], verbose=0))
    assert max(tfvae.export.tflite(model, tmp_path / "m.tflite").differences["TFLite"].values()) < 1e-3


def test_convolutions_learn_and_export(x, tmp_path):
    encoder = tfvae.Encoder(networks.conv(4, 8, units=16), heads.DiagonalNormal(2))
    decoder = tfvae.Decoder(networks.deconv(8, 4, size=(8, 8), units=16), heads.Bernoulli((8, 8, 1)))
    assert decoder.head.built is False
    model = tfvae.VAE(encoder, decoder, priors.StandardNormal(2), seed=0)
    assert decoder.head.projection.pointwise
    model.compile(keras.optimizers.Adam(1e-2))
    history = model.fit(x, epochs=2, verbose=0).history
    assert history["elbo"][1] > history["elbo"][0] + 1
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.predict(x[:5], verbose=0), model.predict(x[:5], verbose=0))
    assert max(tfvae.export.saved_model(model, tmp_path / "1").differences["SavedModel"].values()) < 1e-4
    assert max(tfvae.export.tflite(model, tmp_path / "m.tflite").differences["TFLite"].values()) < 1e-3


@pytest.mark.parametrize("size", [(7, 5), (28, 20), (32, 32)])
def test_deconv_reaches_any_size(size):
    assert tuple(networks.deconv(8, 4, size=size).compute_output_shape((None, 3))) == (None, *size, 4)


def test_a_users_view(x):
    model = _model()
    assert model.reconstruct(x[:3]).shape == (3, 8, 8, 1)
    np.testing.assert_array_equal(model.reconstruct(x[:3]), model.predict(x[:3], verbose=0))
    np.testing.assert_allclose(model.embed(x[:3]), model.encoder(x[:3]).mean())
    np.testing.assert_allclose(model.sample(4, seed=9), model.sample(7, seed=9)[:4], atol=1e-6)
    assert np.abs(model.sample(4, seed=9) - model.sample(4, seed=10)).max() > 0
    assert 0 < model.sample(4, seed=(9, 1)).min()
    frozen = _model()
    frozen.encoder.trainable = False
    assert keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(frozen)).encoder.trainable is False


def test_noise_differs_between_steps_and_is_fixed_in_validation(x):
    model = _model()
    model.optimizer.learning_rate = 0.0
    history = model.fit(x[:64], batch_size=64, epochs=3, shuffle=False, validation_data=x[:64], verbose=0).history
    assert len(set(history["distortion"])) == 3 and len(set(history["rate"])) == 1
    assert len(set(history["val_distortion"])) == 1


def test_frozen_parts_stay_frozen_and_the_optimizer_is_kept(x, tmp_path):
    model = _model()
    model.encoder.trainable = False
    model.compile(keras.optimizers.Adam(1e-2))
    before = model.encoder.get_weights()
    model.fit(x[:64], epochs=2, verbose=0)
    for old, new in zip(before, model.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert len(loaded.trainable_variables) == len(model.trainable_variables) == 4
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations) > 0


def test_weights_of_shape_b_and_b_1_are_the_same(x):
    model, weight = _model(), np.arange(32, dtype="float32")
    reports = [
        model.evaluate(x[:32], sample_weight=w, batch_size=32, verbose=0, return_dict=True)
        for w in (weight, weight[:, None])
    ]
    assert reports[0] == pytest.approx(reports[1], rel=1e-6)


def test_a_users_own_bernoulli_refuses_grey_pixels(x):
    model = tfvae.VAE(OwnEncoder(), OwnDecoder(), priors.StandardNormal(2), seed=0)
    model.compile()
    with pytest.raises(ValueError, match="Expected the values 0 and 1 only"):
        model.fit(x * 0.3, verbose=0)
