"""Fixtures and options that every test file shares."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")


def pytest_addoption(parser):
    parser.addoption(
        "--vary-seed",
        action="store_true",
        help="draw the seed of every statistical test anew; the seed is printed when a test fails",
    )


@pytest.fixture
def seed(request):
    """Seed of a statistical test: fixed, unless --vary-seed asks for another one each time."""
    if not request.config.getoption("--vary-seed"):
        return 20260101
    drawn = int.from_bytes(os.urandom(3), "little")
    print(f"seed = {drawn}")
    return drawn


@pytest.fixture(scope="session")
def tfds_dir():
    """Folder of prepared tensorflow_datasets sets: missing is a failure in CI, a skip elsewhere."""
    folder = os.environ.get("TFDS_DATA_DIR")
    if folder and Path(folder, "mnist").is_dir():
        return folder
    reason = f"real data needs TFDS_DATA_DIR with a prepared mnist. Received: TFDS_DATA_DIR={folder!r}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Keep the tests of a file on one worker, where they share what is slow to make, unless they name a group."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.name))


@pytest.fixture(scope="module", autouse=True)
def _forget_graphs():
    """Let go of what TensorFlow and TFP keep of every graph for ever: 10 MB for each model that was trained."""
    yield
    from tensorflow.python.framework import ops
    from tensorflow_probability import bijectors as tfb

    registered = ops.gradient_registry._registry  # of `tf.custom_gradient`, a name for each time that it is traced
    for name in [name for name in registered if name.startswith("CustomGradient-")]:
        del registered[name]
    cached = tfb.Bijector._cache.storage  # of bijectors' results, whose inputs keep the results alive
    for key in list(cached):
        key.cancel()
        cached.pop(key, None)
