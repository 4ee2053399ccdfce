"""Several replicas, in one process and in two, give the numbers of one process with the global batch."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import tfvae

WORKER = str(Path(__file__).with_name("worker.py"))


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def _cluster(command, workers=2):
    """Run the command once for each worker of a cluster on loopback."""
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(workers)]
    processes = []
    for index in range(workers):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(config), "TF_CPP_MIN_LOG_LEVEL": "2"}
        processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                          text=True))  # fmt: skip
    outputs = [process.communicate(timeout=400)[0] for process in processes]
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0, output[-3000:]
    return outputs


@pytest.mark.slow
def test_train_needs_nothing_but_the_description_of_the_cluster(tmp_path):
    folder = tmp_path / "run"
    outputs = _cluster([sys.executable, "-m", "tfvae", "train", "--units", "16", "--latent-dim", "2", "--epochs", "2",
                        "--samples", "5", "--out", str(folder)])  # fmt: skip
    card = json.loads((folder / "card.json").read_text())
    assert card["training"]["steps of the weights kept"] == 40 and card["test"]["elbo"]["mean"] > -60
    assert "test log evidence" in outputs[0] and "worker 0 measures and writes" in outputs[1]
    assert len(list((folder / "logs" / "train").iterdir())) == 1 and not list(folder.glob(".*"))


def _alone(folder, kind):
    folder.mkdir()
    subprocess.run([sys.executable, WORKER, str(folder), kind], check=True, capture_output=True, timeout=300)
    return dict(np.load(folder / "worker0.npz"))


def _assert_close(mine, theirs):
    assert set(mine) == set(theirs)
    for name in mine:  # metrics and weights
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-4, atol=2e-5, err_msg=name)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return _alone(tmp_path_factory.mktemp("alone") / "run", "memory")


def _two_workers(folder, kind):
    folder.mkdir()
    _cluster([sys.executable, WORKER, str(folder), kind])
    first, second = (dict(np.load(folder / f"worker{i}.npz")) for i in range(2))
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    assert [path.name for path in folder.glob("*.keras")] == ["checkpoint.keras"]
    return first


def test_two_workers_train_as_one_process_with_the_global_batch(alone, tmp_path):
    _assert_close(_two_workers(tmp_path / "run", "memory"), alone)


def test_two_replicas_in_one_process_train_as_one_with_the_global_batch(alone, tmp_path):
    _assert_close(_alone(tmp_path / "run", "mirrored"), alone)


@pytest.mark.slow
def test_two_workers_that_read_their_own_files_train_as_one_process_on_both_parts(tmp_path):
    digits = tfvae.data.load("digits")
    for split, files in (("train", 3), ("validation", 1), ("test", 1)):
        for number, rows in enumerate(np.array_split(digits.array(split), files)):
            with tf.io.TFRecordWriter(str(tmp_path / f"{split}{number}.tfrecord")) as writer:
                for x in rows:
                    writer.write((x * 255).astype(np.uint8).tobytes())
    _assert_close(_two_workers(tmp_path / "cluster", "stream"), _alone(tmp_path / "one", "stream"))
