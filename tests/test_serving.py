"""TF Serving without its server: the layout, the warm-up requests, batching, both protocols and the examples."""

import importlib.util
import json
import re
import subprocess
import sys
from concurrent import futures
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
import yaml

from tfvae import export, zoo
from tfvae.errors import ExportError
from tfvae.export.serving import WARM_UP

predict_pb2 = pytest.importorskip(
    "tensorflow_serving.apis.predict_pb2", reason="requests of TF Serving need the extra `serving`"
)
from tensorflow_serving.apis import prediction_log_pb2, prediction_service_pb2_grpc  # noqa: E402

TUTORIAL = Path(__file__).parents[1] / "tutorials" / "serving"
PRESET = TUTORIAL.parents[1] / "savedmodels" / "vae_static_mnist" / "1"
SAFE, UNSAFE = {"decode", "encode", "serving_default"}, ("elbo", "generate", "log_evidence")
SEED = np.array([5, -6], np.int32)


def _script(name):
    spec = importlib.util.spec_from_file_location(name, TUTORIAL / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model():
    return zoo.vae((8, 8, 1), 3, units=(16,), seed=1)


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "digits"
    assert export.serving(model, folder).worst < 1e-4
    return folder


@pytest.fixture(scope="module")
def signatures(folder):
    return tf.saved_model.load(str(folder / "1")).signatures


def _logs(folder):
    records = tf.data.TFRecordDataset(str(folder / WARM_UP))  # checks the checksum of every record
    return [prediction_log_pb2.PredictionLog.FromString(record.numpy()) for record in records]


def _serve(signatures, request):
    """What a server does with a request."""
    inputs = {name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
    response = predict_pb2.PredictResponse()
    for name, value in signatures[request.model_spec.signature_name](**inputs).items():
        response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
    return response


# The folder ---------------------------------------------------------------------------------------------------------


def test_the_layout_is_that_of_the_server(folder):
    assert [path.name for path in folder.iterdir()] == ["1"]
    files = {path.relative_to(folder / "1").as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files >= {"saved_model.pb", "variables/variables.index", "assets.extra/tf_serving_warmup_requests"}
    assert str(WARM_UP) == "assets.extra/tf_serving_warmup_requests"


def test_saved_model_cli_shows_and_runs_the_signatures(folder, signatures, tmp_path):
    np.savez(tmp_path / "in.npz", n=np.int32(3), seed=SEED)
    inputs = ";".join(f"{name}={tmp_path}/in.npz[{name}]" for name in ("n", "seed"))
    tool = Path(sys.executable).with_name("saved_model_cli")
    commands = (
        [tool, "show", "--dir", folder / "1", "--all"],
        [tool, "run", "--dir", folder / "1", "--tag_set", "serve", "--signature_def", "generate", "--inputs", inputs,
         "--outdir", tmp_path],
    )  # fmt: skip
    both = [subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for c in commands]
    shown, ran = (process.communicate(timeout=300)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0], shown[-1000:] + ran[-1000:]
    found = re.findall(r"signature_def\['(\w+)'\][\s\S]+?Method name is: (\S*)", shown)
    assert {name for name, method in found if method == "tensorflow/serving/predict"} == SAFE | set(UNSAFE)
    assert re.search(r"inputs\['x'\] tensor_info:\s+dtype: DT_FLOAT\s+shape: \(-1, 8, 8, 1\)", shown)
    expected = signatures["generate"](n=tf.constant(3), seed=tf.constant(SEED))
    for name in ("x", "z"):
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), expected[name], atol=1e-6)


@pytest.mark.parametrize("version", [0, -1, True, "1", 1.0])
def test_a_version_is_a_positive_whole_number(model, tmp_path, version):
    with pytest.raises(ValueError, match="version to be a positive whole number"):
        export.serving(model, tmp_path, version)


def test_a_version_is_not_written_twice(model, folder):
    before = (folder / "1" / "saved_model.pb").stat().st_mtime_ns
    with pytest.raises(ExportError, match=r"such as 2\. Received"):
        export.serving(model, folder)
    assert (folder / "1" / "saved_model.pb").stat().st_mtime_ns == before


def test_a_version_that_fails_leaves_nothing(model, tmp_path, monkeypatch):
    def fails(*_):
        raise ExportError("no requests")

    monkeypatch.setattr(sys.modules["tfvae.export.serving"], "warm_up", fails)
    with pytest.raises(ExportError, match="no requests"):
        export.serving(model, tmp_path / "digits", 3, without=(*UNSAFE, "decode", "encode"))
    assert not (tmp_path / "digits").exists()


# Warm-up ------------------------------------------------------------------------------------------------------------


def test_every_signature_is_warmed_up_with_an_input_that_the_model_drew(model, folder, signatures):
    logs = _logs(folder / "1")
    assert [log.WhichOneof("log_type") for log in logs] == ["predict_log"] * 6
    asked = [log.predict_log.request for log in logs]
    assert {request.model_spec.signature_name for request in asked} == set(signatures)
    for request in asked:
        answers = _serve(signatures, request).outputs
        assert all(np.isfinite(tf.make_ndarray(value)).all() for value in answers.values())
        if "x" in request.inputs:
            x = tf.make_ndarray(request.inputs["x"])
            assert x.shape == (1, 8, 8, 1) and set(np.unique(x)) == {0.0, 1.0}  # bits, as the likelihood has them


def _size(predict):
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(predict)
    return log.ByteSize()


def test_the_bytes_are_those_of_the_servers_own_messages(model, folder):
    """Built with the server's classes, a request is the same, and no byte longer: there is nothing else in ours."""
    for log, request in zip(_logs(folder / "1"), export.requests(model), strict=True):
        predict = predict_pb2.PredictRequest()
        predict.model_spec.signature_name = request.signature
        for name, value in request.inputs.items():
            predict.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        assert log.predict_log.request == predict
        assert log.ByteSize() == _size(predict)


def test_long_messages_have_long_lengths(folder, tmp_path):
    """Lengths of one, two and three bytes."""
    saved = tmp_path / "1"
    saved.symlink_to(folder / "1")
    sizes = (1, 3, 200)
    asked = [export.Request("encode", {"x": np.ones((size, 8, 8, 1), np.float32)}) for size in sizes]
    target = tmp_path / "copy"
    target.mkdir()
    for name in ("saved_model.pb", "variables"):
        (target / name).symlink_to(folder / "1" / name)
    export.warm_up(target, asked)
    read = [log.predict_log.request.inputs["x"] for log in _logs(target)]
    assert [tf.make_ndarray(x).shape[0] for x in read] == list(sizes)


def test_a_request_that_the_model_cannot_answer_is_refused_and_the_older_ones_stay(folder, tmp_path):
    before = (folder / "1" / WARM_UP).read_bytes()
    x = np.ones((1, 8, 8, 1), np.float32)
    for wrong in (
        export.Request("encoder", {"x": x}),
        export.Request("encode", {"image": x}),
        export.Request("encode", {"x": x[:, :4]}),
        export.Request("encode", {"x": x.astype("float64")}),
    ):
        with pytest.raises(ExportError, match=r"Expected .*signature"):
            export.warm_up(folder / "1", [export.Request("encode", {"x": x}), wrong])
    with pytest.raises(ExportError, match="Expected a SavedModel"):
        export.warm_up(tmp_path / "none", [export.Request("encode", {"x": x})])
    for none_or_many in ([], [export.Request("encode", {"x": x})] * 1001):
        with pytest.raises(ValueError, match="1 to 1000 requests"):
            export.warm_up(folder / "1", none_or_many)
    assert (folder / "1" / WARM_UP).read_bytes() == before


@pytest.mark.parametrize("name", sorted(path.parent.name for path in PRESET.parents[1].glob("*/1")))
def test_presets_are_warmed_up(name):
    logs = _logs(PRESET.parents[1] / name / "1")
    signatures = tf.saved_model.load(str(PRESET.parents[1] / name / "1")).signatures
    assert {log.predict_log.request.model_spec.signature_name for log in logs} == set(signatures)


# Batching -----------------------------------------------------------------------------------------------------------


def _batched(signature, clients):
    """What a server with batching does: it joins every input along axis 0, and cuts every output again."""
    sizes = set()
    for inputs in clients:
        if any(np.ndim(value) == 0 for value in inputs.values()):
            raise ValueError("input tensors must have at least one dimension")
        if len({len(value) for value in inputs.values()}) != 1:
            raise ValueError("input tensors must have equal 0th-dimension size")
        sizes.add(len(next(iter(inputs.values()))))
    joined = {key: tf.constant(np.concatenate([inputs[key] for inputs in clients])) for key in clients[0]}
    outputs = signature(**joined)
    ends = np.cumsum([len(next(iter(inputs.values()))) for inputs in clients])[:-1]
    cuts = zip(*(np.split(value, ends) for value in outputs.values()), strict=True)
    return [dict(zip(outputs, cut, strict=True)) for cut in cuts]


@pytest.mark.parametrize("name", sorted(SAFE))
def test_joined_requests_get_the_answers_of_separate_ones(model, signatures, name):
    rng = np.random.default_rng(0)
    key, event = ("z", (3,)) if name == "decode" else ("x", (8, 8, 1))
    clients = [{key: (rng.random((size, *event)) < 0.5).astype(np.float32)} for size in (1, 4, 2)]
    together = _batched(signatures[name], clients)
    for inputs, got in zip(clients, together, strict=True):
        alone = signatures[name](**{key: tf.constant(inputs[key])})
        for output in alone:
            np.testing.assert_allclose(got[output], alone[output], atol=1e-6)


def test_signatures_with_a_count_or_a_seed_are_named_as_unbatchable(model, signatures):
    assert export.unbatchable(model) == UNSAFE
    asked = {request.signature: request.inputs for request in export.requests(model)}
    for name in set(UNSAFE) - {"elbo"}:
        with pytest.raises(ValueError, match="at least one dimension"):
            _batched(signatures[name], [asked[name]] * 2)
    x = np.ones((3, 8, 8, 1), np.float32)
    with pytest.raises(ValueError, match="equal 0th-dimension"):
        _batched(signatures["elbo"], [{"x": x, "seed": SEED}] * 2)
    # Pairs of examples have the length of a seed. Joined, no client but the first would get the noise of its seed.
    pair, other = {"x": x[:2], "seed": SEED}, {"x": x[:2], "seed": SEED + 1}
    try:
        _, second = _batched(signatures["elbo"], [pair, other])
    except (TypeError, ValueError, tf.errors.InvalidArgumentError):
        return
    alone = signatures["elbo"](**{key: tf.constant(value) for key, value in other.items()})
    assert not np.allclose(second["elbo"], alone["elbo"], rtol=1e-3)


def test_extras_are_served_and_sorted_by_their_inputs(model, tmp_path):
    extras = [export.Score()]
    (name,) = set(export.signatures(model, extras=extras)) - SAFE - set(UNSAFE)
    assert export.unbatchable(model, extras) == tuple(sorted({*UNSAFE, name}))  # a score draws with a seed
    only = (*UNSAFE, *(SAFE - {"serving_default"}))
    export.serving(model, tmp_path / "digits", without=only, extras=extras)
    asked = [log.predict_log.request.model_spec.signature_name for log in _logs(tmp_path / "digits" / "1")]
    assert asked == ["serving_default", name]


def test_what_a_model_cannot_offer_is_unbatchable_too():
    assert export.unbatchable(zoo.wae_mmd((8, 8, 1), 2)) == UNSAFE


def test_an_export_for_a_server_that_batches_holds_and_asks_only_what_it_can_answer(model, tmp_path):
    export.serving(model, tmp_path / "digits", 7, without=export.unbatchable(model))
    assert set(tf.saved_model.load(str(tmp_path / "digits" / "7")).signatures) == SAFE
    assert {log.predict_log.request.model_spec.signature_name for log in _logs(tmp_path / "digits" / "7")} == SAFE


# Clients ------------------------------------------------------------------------------------------------------------


def test_the_grpc_client_talks_to_a_service_with_the_servers_messages(capsys):
    """Over a real connection; in the place of the server's binary, its interface with the SavedModel behind."""
    signatures = tf.saved_model.load(str(PRESET)).signatures
    names = []

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            names.append((request.model_spec.name, request.model_spec.signature_name))
            return _serve(signatures, request)

    server = grpc.server(futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        _script("client").main(f"127.0.0.1:{port}")
    finally:
        server.stop(None).wait()
    assert names == [("vae_static_mnist", "generate"), ("vae_static_mnist", "elbo")]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and all(re.fullmatch(r"digit \d: \d+ bright pixels, elbo -\d+\.\d\d nats", s) for s in lines)


def _same(got, kept):
    if isinstance(kept, dict):
        assert got.keys() == kept.keys()
        return all(_same(got[key], kept[key]) for key in kept)
    if isinstance(kept, list) and not all(isinstance(value, (int, float)) for value in kept):
        return all(_same(*pair) for pair in zip(got, kept, strict=True))
    if isinstance(kept, str):
        return got == kept
    return np.allclose(got, kept, rtol=1e-4, atol=1e-5)


def test_the_kept_examples_are_current():
    """They are what tutorials/serving/examples.py writes."""
    written = _script("examples").examples()
    assert {path.name for path in TUTORIAL.glob("*.json")} == set(written)
    for name, content in written.items():
        assert _same(content, json.loads((TUTORIAL / name).read_text())), f"{name}: run tutorials/serving/examples.py"


def test_the_kept_requests_follow_the_rest_interface():
    """As the server reads them: `inputs` are whole tensors by name; `instances` are rows of the only input."""
    signatures = tf.saved_model.load(str(PRESET)).signatures
    for path in TUTORIAL.glob("*.request.json"):
        body = json.loads(path.read_text())
        answer = json.loads(path.with_name(path.name.replace("request", "response")).read_text())
        signature = signatures[body["signature_name"]]
        specs = signature.structured_input_signature[1]
        assert body.keys() - {"signature_name"} in ({"inputs"}, {"instances"})
        inputs = body["inputs"] if "inputs" in body else {next(iter(specs)): body["instances"]}
        outputs = signature(**{key: tf.constant(value, specs[key].dtype) for key, value in inputs.items()})
        if "instances" in body:
            rows = range(len(body["instances"]))
            assert _same(
                [{k: v[row].numpy().tolist() for k, v in outputs.items()} for row in rows], answer["predictions"]
            )
        else:
            assert _same({k: v.numpy().tolist() for k, v in outputs.items()}, answer["outputs"])


def test_the_compose_file_mounts_what_there_is():
    composed = yaml.safe_load((TUTORIAL / "compose.yaml").read_text())["services"]
    assert all("tensorflow/serving" in service["image"] for service in composed.values())
    source, target, _ = composed["serving"]["volumes"][0].split(":")
    assert (TUTORIAL / source).resolve() == PRESET and (PRESET / "saved_model.pb").is_file()
    assert target == f"/models/{composed['serving']['environment']['MODEL_NAME']}/1"
    text = re.sub(r"#.*", "", (TUTORIAL / "batching.pbtxt").read_text())
    sizes = [int(size) for size in re.findall(r"allowed_batch_sizes: (\d+)", text)]
    assert sizes == sorted(sizes) and f"max_batch_size {{ value: {sizes[-1]} }}" in text  # or the server refuses it


def test_the_readme_names_files_that_are_there():
    text = (TUTORIAL / "README.md").read_text(encoding="utf-8")
    for name in re.findall(r"[\w.]+\.(?:json|py|yaml|pbtxt)\b", text):
        assert (TUTORIAL / name).is_file(), name
