"""Every tutorial runs from top to bottom, on a small budget, and leaves its pictures and exports."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "tutorials"
TUTORIALS = sorted(FOLDER.glob("*.py"))
EXPECTED = {
    "01_first_vae": (
        "reconstructions.png",
        "samples.png",
        "latent.png",
        "model.keras",
        "model.tflite",
        "saved_model/1/saved_model.pb",
    ),
    "02_zoo": ("gallery.png", "rate_distortion.png"),
    "03_long_runs": ("checkpoint.keras",),
    "10_density_estimation": ("densities.png",),
    "11_conditional_models": ("two_answers.png", "reliability.png"),
    "12_directed_graphs": ("graph.png", "classes.png"),
    "13_latent_variables": ("bound.png",),
    "14_when_it_fails": ("collapse.png", "holes.png"),
    "16_levels": ("levels.png",),
    "15_few_labels": ("labels.png", "class_and_style.png"),
    "17_codes": ("codes.png", "codes/1/saved_model.pb"),
    "18_modalities": ("images_of_labels.png",),
    "19_pixels": ("what_z_says.png", "active_units.png"),
    "04_batch_scoring": ("saved_model/1/saved_model.pb", "scores/00000.npy", "scores/00001.npy", "scores/00002.npy"),
}
SLOW = {"02_zoo", "03_long_runs", "11_conditional_models", "14_when_it_fails", "15_few_labels", "16_levels"}
SLOW |= {"17_codes", "18_modalities", "19_pixels"}
NEEDS = {"04_batch_scoring": ("ray", "the extra `scoring`")}


def test_there_are_tutorials_and_each_says_what_it_leaves():
    assert TUTORIALS, f"no tutorial in {FOLDER}"
    assert {path.stem for path in TUTORIALS} == set(EXPECTED)


@pytest.mark.parametrize(
    "tutorial",
    [
        pytest.param(path, marks=[pytest.mark.xdist_group(path.stem), *[pytest.mark.slow] * (path.stem in SLOW)])
        for path in TUTORIALS
    ],
    ids=lambda path: path.stem,
)
def test_tutorial_runs(tutorial, tmp_path):
    package, origin = NEEDS.get(tutorial.stem, ("tfvae", "the library"))
    if find_spec(package) is None:
        pytest.skip(f"{tutorial.name} needs {package}, which {origin} installs")
    budget = {"TUTORIAL_EPOCHS": "1", "TUTORIAL_OUT": str(tmp_path / "out"), "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, str(tutorial)],
        cwd=tmp_path,
        env={**os.environ, **budget},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout
    assert "Warning" not in done.stdout, done.stdout
    for name in EXPECTED[tutorial.stem]:
        file = tmp_path / "out" / name
        assert file.is_file() and file.stat().st_size > 0, f"{name} is missing or empty\n{done.stdout}"
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "a tutorial wrote outside its output folder"
