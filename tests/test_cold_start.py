"""What a fresh process imports, and when: the help waits for nothing, a file finds its classes all the same."""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "tensorflow_probability", "sklearn", "matplotlib", "scipy")


def _run(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    import tfvae

    path = tmp_path_factory.mktemp("saved") / "model.keras"
    tfvae.zoo.vae((8, 8, 1), 2, units=(4,)).save(path)
    return str(path)


@pytest.mark.parametrize("command", ["", "train", "evaluate", "export", "explore", "zoo"])
def test_help_imports_nothing_heavy(command):
    shown = _run(
        "import sys\nfrom tfvae.cli import app\n"
        "try:\n    app([*sys.argv[1:], '--help'], prog_name='tfvae')\n"
        f"finally:\n    print('loaded:', [name for name in {HEAVY} if name in sys.modules])",
        *command.split(),
    )
    assert "loaded: []" in shown, shown
    if not command:
        assert all(name in shown for name in ("train", "evaluate", "export", "explore", "zoo"))


def test_help_names_the_choices_there_are():
    from tfvae.cli import exporting, training
    from tfvae.run import extras, options

    assert training.BINARIZATIONS == tuple(options.BINARIZATIONS)
    assert set(exporting.EXTRAS) == {*extras.EXTRAS, extras.CALIBRATED}


def test_import_alone_is_light_and_lists_the_names():
    shown = _run(
        "import sys, tfvae\nassert set(tfvae.__all__) <= set(dir(tfvae))\n"
        f"print('loaded:', [name for name in {HEAVY} if name in sys.modules])"
    )
    assert "loaded: []" in shown, shown


def test_names_are_found_on_first_use():
    _run(
        "import tfvae\nfrom tfvae import heads\nassert heads.Bernoulli and tfvae.VAE and tfvae.zoo.vae\n"
        "from tfvae.models import VAE\nassert VAE is tfvae.VAE and not hasattr(tfvae, 'nothing')"
    )


@pytest.mark.parametrize(
    "imports",
    [
        "import tfvae, keras",
        "import keras, tfvae",
        "import tfvae, tensorflow as tf; keras = tf.keras",
        "import tfvae, tensorflow_probability, keras",
        "import tfvae.conditional, keras",
    ],
)
def test_a_file_loads_in_a_fresh_process(saved, imports):
    _run(
        f"{imports}\nimport sys\nmodel = keras.models.load_model(sys.argv[1], safe_mode=True)\n"
        "assert type(model).__module__ == 'tfvae.models.vae', type(model)",
        saved,
    )
