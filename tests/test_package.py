"""The artefact: the wheel, installed elsewhere and run; the README, as a newcomer reads it."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel's content in a folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def test_the_wheel_runs_far_from_the_checkout(installed, tmp_path):
    names = {path.name for path in installed.iterdir()}
    assert names == {"tfvae", "tfvae-0.1.0.dist-info"}
    script = (
        "import sys, tfvae; assert tfvae.__file__.startswith(sys.argv.pop()), tfvae.__file__; "
        "from tfvae.cli import app; app(['train', '--epochs', '1', '--units', '8', '--samples', '5'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(installed)],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(installed)}, capture_output=True, text=True, timeout=600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "runs" / "vae-digits-0" / "card.md").exists()


def test_the_readmes_example_is_short_and_runs_and_so_does_what_goes_on_from_it(tmp_path):
    example, *others = _blocks("python")
    assert 5 < len(example.strip().splitlines()) <= 15 and others
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", "\n".join([example, *others])],
        cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Monte Carlo" in done.stdout and list(tmp_path.rglob("saved_model.pb")) and list(tmp_path.rglob("*.tflite"))


def test_the_readme_names_what_there_is():
    from tfvae import zoo

    commands = _blocks("sh")
    assert sum("tfvae train" in block for block in commands) == 1 and sum("pytest" in block for block in commands) == 1
    for name in zoo.__all__:
        citation = getattr(zoo, name).citation
        assert re.search(rf"\| `{name}` \| {citation.year} \|.*{re.escape(citation.url)}", README), name
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_continuous_integration_runs_the_readmes_test_command():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "README.md" in script and "pytest" in script


def test_the_version_is_one():
    import tfvae

    for name in ("CITATION.cff", "CHANGELOG.md"):
        assert tfvae.__version__ in (ROOT / name).read_text(encoding="utf-8")
