"""Models of sequences: against the Kalman filter, the plain VAE, and what padding and time must not change."""

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import multivariate_normal
from tensorflow_probability import distributions as tfd
from test_ladder import linear

import tfvae
from tfvae import data, evaluation, export, heads, networks, priors, zoo
from tfvae.distributions import Walk, centre
from tfvae.errors import ExportError, IncompatibleParts
from tfvae.evaluation.steps import lengths_of
from tfvae.export.verification import saved_model_runner, tflite_runner
from tfvae.models import Emission, Filter
from tfvae.networks.scan import portable
from tfvae.priors.dynamics import stepwise
from tfvae.random import Seed, as_seed, draw, draw_and_score

STEPS = 6


class StateSpace:
    """z_t = A z_{t-1} + a + s e, z_0 fixed, x_t = C z_t + c + r e; sequences with gaps and ends, and the truth."""

    s, r = 0.7, 0.6

    def __init__(self, independent, seed=0, n=60):
        rng = np.random.default_rng(seed)
        self.A = np.diag([0.9, -0.5]) if independent else np.array([[0.8, 0.4], [-0.3, 0.7]])
        self.C = np.linalg.qr(rng.normal(size=[3, 2]))[0] * [1.5, 0.7] if independent else rng.normal(size=[3, 2])
        self.a, self.c, self.z0 = rng.normal(size=2), rng.normal(size=3), rng.normal(size=2)
        z, steps = np.repeat(self.z0[None], n, 0), []
        for _ in range(STEPS):
            z = z @ self.A.T + self.a + self.s * rng.normal(size=z.shape)
            steps.append(z @ self.C.T + self.c + self.r * rng.normal(size=[n, 3]))
        x = np.stack(steps, 1)
        x[np.arange(STEPS) >= rng.integers(1, STEPS + 1, n)[:, None]] = np.nan  # ends
        x[::3, 1] = np.nan  # a step is missing
        if not independent:
            x[1::4, 2, 1] = np.nan  # an element is missing
        self.x = x.astype("float32")
        self.log_px = np.array([self.filtered(each) for each in x])

    def filtered(self, x):
        """The Kalman filter: log p(x) of one sequence, over what was observed."""
        mean, cov, total = self.z0, np.zeros([2, 2]), 0.0
        for step in x:
            mean, cov = self.A @ mean + self.a, self.A @ cov @ self.A.T + self.s**2 * np.eye(2)
            seen = ~np.isnan(step)
            if seen.any():
                C, error = self.C[seen], step[seen] - self.C[seen] @ mean - self.c[seen]
                S = C @ cov @ C.T + self.r**2 * np.eye(seen.sum())
                total += multivariate_normal(np.zeros(seen.sum()), S).logpdf(error)
                gain = cov @ C.T @ np.linalg.inv(S)
                mean, cov = mean + gain @ error, cov - gain @ C @ cov
        return total

    def dynamics(self):
        transition = tfvae.Decoder(networks.mlp(), heads.DiagonalNormal(2))
        emission = tfvae.Decoder(networks.mlp(), heads.Incomplete(heads.Normal(3, self.r)))
        dynamics = priors.Dynamics(transition, emission, STEPS, networks.Latest())
        linear(transition, self.A, self.a, self.s)
        emission.head.projection.linear.set_weights([self.C.T, self.c])
        dynamics.memory.start.assign(self.z0)
        return dynamics

    def model(self, widen=1.0):
        dynamics = self.dynamics()
        return tfvae.SequentialVAE(Exact(self, dynamics, widen), Emission(dynamics), dynamics, seed=0)


class Exact(keras.Model):
    """q(z_t | z_{t-1}, x_t, ..., x_T) from the smoother's pass backwards, with the diagonal of its covariance."""

    def __init__(self, truth, dynamics, widen):
        super().__init__()
        self.truth, self.dynamics, self.widen = truth, dynamics, widen

    def call(self, x, training=False):
        t = self.truth
        A, a, C, c = (tf.constant(value, x.dtype) for value in (t.A, t.a, t.C, t.c))
        precision, shift, found = tf.zeros([1, 2, 2], x.dtype), tf.zeros([1, 2], x.dtype), []
        for step in tf.unstack(x, axis=1)[::-1]:
            seen = tf.cast(tf.math.is_finite(step), x.dtype)
            error = tf.where(seen > 0, step - c, 0.0)
            precision += tf.einsum("bi,ij,ik->bjk", seen, C, C) / t.r**2
            shift += error @ C / t.r**2
            total = precision + tf.eye(2) / t.s**2  # of q(z_t | z_{t-1}, ...)
            inverse = tf.linalg.inv(total)
            gain, offset = inverse @ A / t.s**2, tf.linalg.matvec(inverse, a / t.s**2 + shift)
            scale = self.widen * tf.sqrt(tf.linalg.diag_part(inverse))
            found.append((tf.reshape(gain, [-1, 4]), offset, scale))
            back = tf.linalg.inv(tf.eye(2) + t.s**2 * precision)
            kept = precision @ back
            carried = tf.linalg.matvec(back, shift, transpose_a=True) - tf.linalg.matvec(kept, a)
            precision, shift = tf.transpose(A) @ kept @ A, carried @ A
        seen = [tf.stack(part) for part in zip(*found[::-1], strict=True)]

        def conditional(m, seen):
            gain = tf.reshape(seen[0], tf.concat([tf.shape(seen[0])[:-1], [2, 2]], 0))
            mean = tf.linalg.matvec(gain, m) + seen[1]
            return tfd.MultivariateNormalDiag(mean, tf.broadcast_to(seen[2], tf.shape(mean)))

        return Walk(conditional, self.dynamics.memory, seen, STEPS)


@pytest.fixture(scope="module")
def independent():
    return StateSpace(True)


# Against the Kalman filter -------------------------------------------------------------------------------------------


def test_the_bound_is_the_evidence_at_the_smoothers_posterior(independent):
    """Every weight p(x, z) / q(z | x) is p(x), whatever z is drawn, and so is the mean of the bounds."""
    trace = independent.model().trace(tf.constant(independent.x), 50, seed=1)
    weights = trace.log_weights.numpy()
    np.testing.assert_allclose(weights, np.broadcast_to(independent.log_px, weights.shape), atol=2e-4)
    many = independent.model().trace(tf.constant(independent.x), 4000, seed=2)  # the rate has an error, log w none
    error = (many.rate - tf.reduce_mean(many.log_qz - many.log_pz, 0)).numpy()
    assert np.abs(error).max() < 0.1 and abs(error.mean()) < 0.01
    assert abs(float(tf.reduce_mean(many.elbo)) - independent.log_px.mean()) < 0.01


def test_importance_sampling_finds_the_kalman_filters_evidence():
    truth = StateSpace(False)
    found = evaluation.log_evidence(truth.model(1.2), truth.x, samples=2000, seed=1, progress=False)
    assert found.mean == pytest.approx(truth.log_px.mean(), abs=4 * found.monte_carlo_error + found.bias)
    assert found.monte_carlo_error < 0.01
    np.testing.assert_allclose(found.per_example, truth.log_px, atol=0.4)


def test_a_filter_takes_the_best_next_step():
    """q(z_t | z_{t-1}, x_t) of the truth, and the prior where a step is missing: the evidence by its weights."""
    truth = StateSpace(True)
    dynamics, inverse = truth.dynamics(), np.linalg.inv(np.eye(2) / truth.s**2 + truth.C.T @ truth.C / truth.r**2)
    part = tfvae.Encoder(networks.mlp(), heads.DiagonalNormal(2))
    of_x = keras.Sequential([networks.FillMissing(), *networks.mlp().layers])
    model = tfvae.SequentialVAE(Filter(of_x, part, dynamics), Emission(dynamics), dynamics, seed=0)
    weights = np.concatenate([truth.A / truth.s**2, truth.C.T / truth.r**2, np.zeros([2, 3])], 1)
    bias = truth.a / truth.s**2 - truth.C.T @ truth.c / truth.r**2
    linear(part, inverse @ weights, inverse @ bias, np.sqrt(np.diag(inverse)))
    found = evaluation.log_evidence(model, truth.x, samples=4000, seed=1, progress=False)
    assert found.mean == pytest.approx(truth.log_px.mean(), abs=4 * found.monte_carlo_error + found.bias)
    assert found.monte_carlo_error < 0.02


# Limits and invariances ----------------------------------------------------------------------------------------------


def sequences(n=20, steps=5, size=3, seed=0):
    """Binary sequences of 1 to all steps, NaN beyond their ends."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, [n, steps, size]).astype("float32")
    ends = np.where(np.arange(n) == 0, steps, rng.integers(1, steps + 1, n))
    return np.where(np.arange(steps)[:, None] < ends[:, None, None], x, np.float32(np.nan)), ends


BUILD = {
    "vrnn": lambda steps: zoo.vrnn((steps, 3), 2, units=(8,), seed=0),
    "deep_markov": lambda steps: zoo.deep_markov((steps, 3), 2, units=(8,), seed=0),
}


@pytest.fixture(scope="module", params=BUILD)
def pair(request):
    """One model of 5 steps and one of 8 with its weights."""
    short, long = BUILD[request.param](5), BUILD[request.param](8)
    rng = np.random.default_rng(1)
    short.set_weights([w + 0.3 * rng.normal(size=w.shape) for w in short.get_weights()])
    long.set_weights(short.get_weights())
    return short, long


def test_padding_changes_nothing(pair):
    x, ends = sequences()
    padded = np.concatenate([x, np.full([20, 3, 3], np.nan, "float32")], 1)
    one, other = (model.trace(tf.constant(rows), 4, seed=3) for model, rows in zip(pair, (x, padded), strict=True))
    for name in ("log_px", "rate", "elbo", "log_weights"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-5, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(one.z, other.z[..., :10], rtol=1e-5, atol=1e-5)
    q, p = (each.given(other.q.memories(other.q.split(other.z))) for each in (other.q, other.p))
    rates = tfd.kl_divergence(q, p).numpy()  # [T, S, B]
    beyond = np.arange(8)[:, None] >= ends
    assert (rates.transpose(0, 2, 1)[beyond] == 0).all() and rates.transpose(0, 2, 1)[~beyond].min() > 0


def test_a_step_of_the_middle_may_be_missing(pair):
    model, _ = pair
    x, _ = sequences()
    gap = x.copy()
    gap[:, 1] = np.nan
    whole, part = (model.trace(tf.constant(rows), 1, seed=0) for rows in (x, gap))
    assert np.isfinite(part.elbo).all() and np.abs(whole.elbo - part.elbo).max() > 0.1
    px = model.at(tf.constant(gap))[0].decoder(part.z)
    other = px.log_prob(tf.constant(np.where(np.isnan(gap), 1.0, gap).astype("float32")))  # a missing pixel scored
    assert np.abs(other - part.log_px).max() > 0.1
    np.testing.assert_array_equal(part.log_px, px.log_prob(tf.constant(gap)))


def test_one_step_is_the_vae():
    """z_1 has a prior that no memory changes; encoder and decoder are those of a VAE with the same weights."""
    x, _ = sequences(steps=1)
    for build in BUILD.values():
        model = build(1)
        rng = np.random.default_rng(0)
        model.set_weights([w + 0.3 * rng.normal(size=w.shape) for w in model.get_weights()])
        dynamics, begin = model.prior, model.prior.memory.begin()[None]
        steps = stepwise(tf.constant(x))
        g, _ = model.encoder.look(steps, tf.ones(steps.shape[:2], bool), False)
        q = model.encoder.part(tf.concat([tf.repeat(begin, len(x), 0), g[0]], -1))  # q(z | x) of a VAE
        p = dynamics.transition(begin[0])
        z, log_qz = draw_and_score(q, 6, as_seed(3))
        given = tf.broadcast_to(begin, [6, len(x), begin.shape[-1]])
        px = dynamics.emission(tf.concat([z, given], -1) if dynamics.memory.seen_by_x else z)
        trace = model.trace(tf.constant(x), 6, seed=3)
        expected = {"z": z, "log_qz": log_qz, "log_pz": p.log_prob(z), "log_px": px.log_prob(x[:, 0]),
                    "rate": tfd.kl_divergence(q, p)}  # fmt: skip
        for name, value in expected.items():
            np.testing.assert_allclose(getattr(trace, name), value, rtol=1e-5, atol=1e-5, err_msg=name)


def test_one_step_of_a_chain_is_zoo_vae():
    """Between a standard normal and the same dense layers, the trace, the draws and the evidence are those of a VAE."""
    x = sequences(steps=1)[0]
    network, head = networks.mlp(8), heads.DiagonalNormal(2)
    decoder = tfvae.Decoder(networks.mlp(8), heads.Incomplete(heads.Bernoulli(3)))
    transition = tfvae.Decoder(networks.mlp(), heads.DiagonalNormal(2))
    dynamics = priors.Dynamics(transition, decoder, 1, networks.Latest())
    linear(transition, np.zeros([2, 2]), np.zeros(2), 1.0)
    of_x = keras.Sequential([networks.FillMissing(), *networks.mlp().layers])
    part = tfvae.Encoder(keras.Sequential([networks.Last(6), *network.layers]), head)
    model = tfvae.SequentialVAE(Filter(of_x, part, dynamics), Emission(dynamics), dynamics, seed=0)
    plain = tfvae.VAE(
        tfvae.Encoder(keras.Sequential([networks.FillMissing(), *network.layers]), head), decoder,
        priors.StandardNormal(2), seed=0,
    )  # fmt: skip
    one, other = model.trace(tf.constant(x), 3, seed=5), plain.trace(tf.constant(x[:, 0]), 3, seed=5)
    for name in ("z", "log_px", "log_pz", "log_qz", "rate", "elbo"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-5, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(model.sample(4, seed=1)[:, 0], plain.sample(4, seed=1), rtol=1e-5)
    found = [
        evaluation.log_evidence(m, data, samples=20, progress=False).per_example
        for m, data in ((model, x), (plain, x[:, 0]))
    ]
    np.testing.assert_allclose(*found, rtol=1e-5)


# Time ----------------------------------------------------------------------------------------------------------------


def test_what_comes_changes_nothing_that_went_before():
    model, x = BUILD["vrnn"](5), sequences(steps=5)[0]
    later = x.copy()
    later[:, 3] = 1 - later[:, 3]
    q, other = (model.posterior(tf.constant(rows)) for rows in (x, later))
    z = draw(q, 2, as_seed(0))
    np.testing.assert_array_equal(z[..., :6], draw(other, 2, as_seed(0))[..., :6])
    for part in ("prior", "decoder"):
        seen = []
        for rows in (x, later):
            at = model.at(tf.constant(rows))[0]
            p = at.prior().given(at.prior().memories(at.prior().split(z))).mean() if part == "prior" else None
            seen.append(p if part == "prior" else tf.transpose(at.decoder(z).mean(), [2, 0, 1, 3]))
        np.testing.assert_array_equal(seen[0][:4], seen[1][:4])
        known = ~np.isnan(x[:, 3, 0]) & ~np.isnan(x[:, 4, 0])
        assert np.abs(seen[0][4] - seen[1][4])[:, known].max() > 1e-4


def test_draws_depend_on_their_own_place_alone(pair):
    model, x = pair[0], sequences()[0]
    q = model.posterior(tf.constant(x[:7]))
    z, log_q = draw_and_score(q, 6, as_seed(4))
    np.testing.assert_array_equal(draw(q, 6, as_seed(4)), z)
    np.testing.assert_allclose(q.log_prob(z), log_q, rtol=1e-4, atol=1e-4)
    later = draw(q, 2, Seed(as_seed(4).words, sample=4))
    np.testing.assert_allclose(later, z[4:], rtol=1e-5, atol=1e-6)
    some = draw(model.posterior(tf.constant(x[3:7])), 6, Seed(as_seed(4).words, example=3))
    np.testing.assert_allclose(some, z[:, 3:], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.sample(6, 2)[:3], model.sample(3, 2), rtol=1e-5, atol=1e-6)
    with portable():  # what an exported file does
        np.testing.assert_allclose(draw(q, 6, as_seed(4)), z, rtol=1e-5, atol=1e-6)
    middle = q.split(centre(q))
    np.testing.assert_allclose(q.given(q.memories(middle)).mean(), middle, rtol=1e-5, atol=1e-6)


def test_a_recurrent_model_draws_what_it_remembers(seed):
    """Drawn together, x follows z and z follows x: the bound's parts agree with those of any other pair."""
    model = BUILD["vrnn"](3)
    rng = np.random.default_rng(0)
    model.set_weights([w + 0.5 * rng.normal(size=w.shape) for w in model.get_weights()])
    z, mean, x = model.prior().together(20_000, as_seed(seed))
    error = np.sqrt(np.asarray(mean * (1 - mean)).mean(0) / 20_000)
    assert np.abs(((x - mean).numpy().mean(0)) / error).max() < 5
    at = model.at(x)[0]
    p = at.prior()
    given = p.given(p.memories(p.split(z[None])))
    standard = ((p.split(z[None]) - given.mean()) / given.stddev()).numpy()[:, 0]  # [T, n, D]: noise, if z is p's
    assert abs(standard.mean()) < 0.02 and abs(standard.std() - 1) < 0.02
    assert np.abs(np.corrcoef(standard.transpose(1, 0, 2).reshape(20_000, -1).T) - np.eye(6)).max() < 0.04
    np.testing.assert_allclose(at.decoder(z[None]).mean()[0], mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.sample(5, seed), model.prior().together(5, as_seed(seed))[1], rtol=1e-5)
    with pytest.raises(NotImplementedError, match="take the model at x"):
        model.prior().log_prob(z)


# Export --------------------------------------------------------------------------------------------------------------


def causal_chain(steps=5):
    """A deep Markov model whose posterior looks at each step as it comes."""
    transition, emission = (
        tfvae.Decoder(networks.mlp(8), head) for head in (heads.DiagonalNormal(2), heads.Incomplete(heads.Bernoulli(3)))
    )
    dynamics = priors.Dynamics(transition, emission, steps, networks.Latest())
    of_x = keras.Sequential([networks.FillMissing(), *networks.mlp(8).layers])
    part = tfvae.Encoder(networks.mlp(8), heads.DiagonalNormal(2))
    return tfvae.SequentialVAE(Filter(of_x, part, dynamics), Emission(dynamics), dynamics, seed=0)


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: BUILD["vrnn"](5), id="vrnn"),
        pytest.param(causal_chain, id="chain", marks=pytest.mark.slow),
    ],
)
def test_step_by_step_is_the_whole(build, tmp_path):
    model, (x, _) = build(), sequences(6)
    rng = np.random.default_rng(2)
    model.set_weights([w + 0.3 * rng.normal(size=w.shape) for w in model.get_weights()])
    six = ("serving_default", "encode", "decode", "generate", "elbo", "log_evidence")
    extras = [export.Stream()]
    assert export.saved_model(model, tmp_path / "1", six, extras=extras).worst < 1e-4
    assert export.tflite(model, tmp_path / "m.tflite", six, extras=extras, source=tmp_path / "1").worst < 1e-3
    words = (11, -3)
    seed, trace = np.array(words, np.int32), model.trace(tf.constant(x), 1, words)
    p = model.prior()
    drawn = p.together(6, as_seed(words))[1:] if hasattr(p, "together") else None
    for run in (saved_model_runner(tmp_path / "1"), tflite_runner(tmp_path / "m.tflite")):
        state, total, weight = run("start", {"n": np.array(6, np.int32)}), 0, 0
        for number in range(5):
            found = run("step", {"x": x[:, number], "seed": seed, "state": state["state"], "time": state["time"]})
            total, weight, state = total + found["elbo"], weight + found["log_weight"], found
        assert int(state["time"]) == 5 and state["mean"].shape == (6, 2)
        np.testing.assert_allclose(total, trace.elbo, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(weight, trace.log_weights[0], rtol=1e-4, atol=1e-4)
        state, means, draws = run("start", {"n": np.array(6, np.int32)}), [], []
        for _ in range(5):
            state = run("generate_step", {"seed": seed, "state": state["state"], "time": state["time"]})
            means.append(state["mean"])
            draws.append(state["x"])
        np.testing.assert_allclose(np.stack(means, 1), model.sample(6, words), rtol=1e-4, atol=1e-4)
        if drawn is not None:
            np.testing.assert_array_equal(np.stack(draws, 1), drawn[1])
        off = run("step", {"x": x[:, 0] + 0.5, "seed": seed, "state": state["state"], "time": state["time"]})
        assert np.isnan(off["elbo"]).all() and np.isnan(off["state"]).all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: BUILD["deep_markov"](5), "looks at no later step, models.Filter, to offer step.*Smoother"),
        (lambda: zoo.vae((8, 8, 1), 2, units=(4,)), "a tfvae.SequentialVAE, to offer step. Received: VAE"),
        (lambda: zoo.vrnn((5, 3), 2, units=(4,), likelihood=heads.Incomplete(heads.Poisson(3))), "offer generate_step"),
    ],
)
def test_refuses_to_run_step_by_step(build, message):
    with pytest.raises(ExportError, match=message):
        export.Stream().signatures(build())


# Numbers, data and errors --------------------------------------------------------------------------------------------


def test_nats_per_step_are_a_ratio_with_the_error_of_one(seed):
    model, (x, ends) = BUILD["deep_markov"](5), sequences(200)
    values = np.random.default_rng(seed).normal(-2.0 * ends, 1.0)
    bound = evaluation.elbo(model, x[:2], progress=False)
    found = evaluation.per_step(replace(bound, per_example=values, examples=200), x, model)
    assert found.mean == pytest.approx(values.sum() / ends.sum()) and found.steps == ends.sum()
    rows = np.random.default_rng(1).integers(0, 200, [4000, 200])  # the bootstrap's error of a ratio
    assert found.standard_error == pytest.approx(np.std(values[rows].sum(1) / ends[rows].sum(1)), rel=0.1)
    assert "nats per step" in found.rows() and str(found.steps) in str(found)
    assert found.as_json()["steps"] == found.steps
    with pytest.raises(ValueError, match=r"the 2 sequences that were measured.*200 sequences"):
        evaluation.per_step(bound, x, model)
    with pytest.raises(IncompatibleParts, match=r"tfvae.SequentialVAE, whose x has steps"):
        evaluation.per_step(bound, x, zoo.vae((5, 3), 2, units=(4,)))


def test_chorales_end_where_they_end(tmp_path):
    pieces = {"train": [[[60, 64], [], [62]]] * 3, "valid": [[[21]]], "test": [[[108], [60], [60], [60]]]}
    (tmp_path / "jsb-chorales-quarter.json").write_text(json.dumps(pieces))
    splits = data.load("jsb_chorales", data_dir=tmp_path)
    assert splits.shape == (4, 88) and splits.sizes == {"train": 3, "validation": 1, "test": 1}
    x = splits.array("train")[0]
    np.testing.assert_array_equal(x.sum(-1), [2, 0, 1, np.nan])
    assert x[0, 60 - 21] == x[0, 64 - 21] == 1 and splits.array("validation")[0, 0, 0] == 1
    for text, message in (
        ("{}", "is damaged.*'train'"),
        (json.dumps({**pieces, "test": [[[20]]]}), "outside 21..108"),
        ("nonsense", "is damaged"),
    ):
        (tmp_path / "jsb-chorales-quarter.json").write_text(text)
        with pytest.raises(data.DatasetNotAvailable, match=message):
            data.load("jsb_chorales", data_dir=tmp_path)
    with pytest.raises(data.DatasetNotAvailable, match=r"Expected jsb_chorales as the file .*Put a .json file"):
        data.load("jsb_chorales", data_dir=tmp_path / "nowhere")


def test_the_chorales_are_those_of_the_field(tfds_dir):
    """The split of Boulanger-Lewandowski et al. 2012 at quarter notes."""
    home = Path(tfds_dir).parent / "data"
    splits = data.load("jsb_chorales", data_dir=home)
    assert splits.sizes == {"train": 229, "validation": 76, "test": 77} and splits.shape == (160, 88)
    steps = {split: int(lengths_of(splits.array(split)).sum()) for split in splits.sizes}
    assert steps == {"train": 13807, "validation": 4602, "test": 4725}


def test_rows_of_digits_are_cut_short():
    splits = data.load("digit_rows")
    lengths = lengths_of(splits.array("test"))
    assert set(lengths) == {4, 5, 6, 7, 8} and splits.shape == (8, 8)


def parts(length=2, emission=None, steps=5, memory=None):
    transition = tfvae.Decoder(networks.mlp(4), heads.DiagonalNormal(2))
    emission = tfvae.Decoder(networks.mlp(4), heads.Incomplete(heads.Bernoulli(3))) if emission is None else emission
    dynamics = priors.Dynamics(transition, emission, steps, networks.Latest() if memory is None else memory)
    part = tfvae.Encoder(networks.mlp(4), heads.DiagonalNormal(length))
    of_x = keras.Sequential([networks.FillMissing(), *networks.mlp(4).layers])
    return Filter(of_x, part, dynamics), Emission(dynamics), dynamics


def other(number):
    """A model whose encoder, decoder or prior is that of another one."""
    mixed = list(parts())
    mixed[number] = parts()[number]
    return tfvae.SequentialVAE(*mixed)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: other(0), IncompatibleParts, "of one priors.Dynamics, which is the prior. Received: encoder Filter"),
        (lambda: other(1), IncompatibleParts, "of one priors.Dynamics"),
        (lambda: tfvae.SequentialVAE(*parts()[:2], priors.StandardNormal(10)), IncompatibleParts, "prior Standard"),
        (lambda: tfvae.SequentialVAE(*parts(length=3)), IncompatibleParts, "transition's length 2. Received: .* 3"),
        (lambda: Emission(priors.StandardNormal(2)), IncompatibleParts, "own priors.Dynamics"),
        (lambda: parts(memory="Latest"), TypeError, r"networks.Latest\(\) or networks.Recurrent"),
        (lambda: parts(emission=networks.mlp(3)), IncompatibleParts, "emission to be a tfvae.Decoder"),
        (lambda: parts(steps=0), ValueError, "steps to be a positive whole number"),
        (lambda: networks.Recurrent(4, "mlp", networks.mlp(3)), TypeError, "of_x to be a Keras network"),
        (lambda: networks.Backward(0), ValueError, "units to be a positive whole number"),
        (lambda: parts(memory=networks.Recurrent(4, networks.conv(4), networks.mlp(3))), ValueError, "conv|dim|rank"),
        (lambda: zoo.vrnn((5,), 2), ValueError, r"steps and the shape of one, such as \(160, 88\)"),
        (lambda: tfvae.SequentialVAE(*parts()).predict(np.zeros([1, 4, 3])), ValueError, r"shape \[B, 5, 3\]"),
        (lambda: tfvae.SequentialVAE(*parts(emission=tfvae.Decoder(networks.mlp(4), heads.Bernoulli(3)))).predict(
            np.full([1, 5, 3], np.nan)), ValueError, "finite float32"),
        (lambda: evaluation.impute(BUILD["vrnn"](5), sequences()[0]), ValueError, "a likelihood that z alone decides"),
    ],
)  # fmt: skip
def test_refuses_what_does_not_fit(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_network_that_is_not_told_of_gaps_is_refused():
    _, emission, dynamics = parts()
    part = tfvae.Encoder(networks.mlp(4), heads.DiagonalNormal(2))
    with pytest.raises(IncompatibleParts, match=r"networks.FillMissing\(\)"):
        tfvae.SequentialVAE(Filter(networks.mlp(4, activation="tanh"), part, dynamics), emission, dynamics)


def test_gaps_of_a_chain_are_filled():
    model, (x, _) = BUILD["deep_markov"](5), sequences(4)
    filled = evaluation.impute(model, x, draws=2, samples=20)
    assert np.isfinite(filled.mean).all() and set(np.unique(filled.draws)) <= {0.0, 1.0}
    np.testing.assert_array_equal(filled.mean[~np.isnan(x)], x[~np.isnan(x)])
