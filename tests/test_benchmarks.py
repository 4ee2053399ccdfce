"""The benchmarks' own arithmetic; how fast anything is, no test says."""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent.parent))  # they are not part of the installed package

from benchmarks import cli, levels, machine, race, report, results, wire
from benchmarks.contestants import floor
from benchmarks.deployment import contestant as deployment
from benchmarks.deployment import table as deployment_table
from benchmarks.deployment import timing
from benchmarks.results import Comparison, Measure, Result
from benchmarks.works import GROWTH, PIXELS, RACES, named

ROUNDS = [{"tfvae": 300.0, "torch_loop": 100.0}, {"tfvae": 100.0, "torch_loop": 100.0},
          {"tfvae": 200.0, "torch_loop": 50.0}, {"tfvae": 500.0}]  # fmt: skip


def _result(*comparisons, rounds=ROUNDS, left_out=None):
    measure = Measure("images/s", rounds, list(comparisons))
    return Result("a work", "2026-01-01", 0.0, False, [measure], left_out or {}, {"tfvae": 900.0}, {"tfvae": 500.0})


def _rows(result):
    table = report.render({"W0": result}, {"processor": "some"}, "command")
    return [line for line in table.splitlines() if line.startswith(("| tfvae", "| import"))]


def test_a_ratio_is_taken_within_a_round_and_its_median_judged():
    comparison = Comparison("tfvae", "torch_loop", 2.5)
    (measure,) = _result(comparison).measures
    assert results.ratio(measure, comparison) == results.Spread(3.0, 1.0, 4.0)  # of 3, 1 and 4; not 250 / 100
    assert _rows(_result(comparison)) == [
        "| tfvae | 250 | torch_loop | 100 | 3.00 | 1.00 .. 4.00 | at least 2.5 | met |"
    ]


@pytest.mark.parametrize(("target", "at_most", "verdict"), [
    (3.0, False, "met"), (3.1, False, "missed"), (3.0, True, "met"), (2.9, True, "missed"), (None, False, ""),
])  # fmt: skip
def test_the_side_of_a_target_counts(target, at_most, verdict):
    comparison = Comparison("tfvae", "torch_loop", target, at_most)
    (row,) = _rows(_result(comparison))
    assert row.endswith(f"| {verdict} |") and ("at most" in row) == at_most


def test_a_target_may_speak_of_the_value_itself():
    (row,) = _rows(_result(Comparison("tfvae", None, 1.0, at_most=True), rounds=[{"tfvae": 0.5}, {"tfvae": 0.7}]))
    assert row == "| tfvae | 0.6 |  |  | 0.60 | 0.50 .. 0.70 | at most 1 | met |"


def test_a_peer_that_is_not_installed_is_left_out_by_name(monkeypatch):
    present = machine.version
    monkeypatch.setattr(machine, "version", lambda package: None if package == "pythae" else present(package))
    assert race.missing("tfvae") is None and race.missing("floor") is None
    assert "pythae" in race.missing("pythae")
    (row,) = _rows(_result(Comparison("tfvae", "pythae", 1.5), left_out={"pythae": race.missing("pythae")}))
    assert "pythae: not installed: " in row and "met" not in row


@pytest.mark.slow
def test_a_race_runs_without_any_peer(monkeypatch, tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((5000, 28, 28, 1), np.uint8))
    monkeypatch.setenv("BENCHMARK_IMAGES", str(tmp_path / "images.npy"))
    present = machine.version
    peers = {"torch", "pythae", "jax"}
    monkeypatch.setattr(machine, "version", lambda package: None if package in peers else present(package))
    result = race.race(named("W1"), 2, True, tmp_path)
    assert result.left_out.keys() == {"torch_loop", "pythae", "jax_loop"}
    assert all(values.keys() == {"tfvae", "floor", "keras_plain"} for values in result.measures[0].rounds)


def test_the_floors_products_are_those_of_a_step():
    encoder, decoder = PIXELS * 200 + 200 * 200 + 200 * 100, 50 * 200 + 200 * 200 + 200 * PIXELS
    for name, rows in (("W1", 1), ("W3", 50)):
        work = named(name)
        # Forward, weights and inputs: three products a layer, but the images need no gradient.
        expected = 2 * work.batch * (3 * encoder - PIXELS * 200 + 3 * rows * decoder)
        assert sum(product.flops for product in floor.products(work)) == expected
    assert sum(product.flops for product in floor.products(named("W4"))) == 2 * 5000 * decoder


def test_the_floor_counts_what_it_did():
    work = dataclasses.replace(named("W1"), batch=4)
    assert floor.prepare(work, np.zeros((10, 28, 28, 1), np.uint8))() == 8  # whole batches


def test_rewriting_keeps_the_notes_and_the_works_not_run(tmp_path):
    path = tmp_path / "RESULTS.md"
    comparison = Comparison("tfvae", "torch_loop", 1.5)
    report.write(path, {"W1": _result(comparison)}, {"processor": "some"}, "python -m benchmarks")
    assert "## What helped and what did not" in path.read_text()
    path.write_text(path.read_text() + "\nJust this.\n")
    report.write(path, {"W2": _result(comparison, rounds=ROUNDS[:1])}, {"processor": "some"}, "python -m benchmarks")
    text = path.read_text()
    assert text.endswith("\nJust this.\n") and text.count(report.MARKER) == 1
    assert text.index("## W1") < text.index("## W2") < text.index(report.MARKER)
    kept = json.loads((tmp_path / "results.json").read_text())["works"]["W1"]
    assert results.from_dict(kept) == _result(comparison)


def test_every_work_has_contestants_and_a_quick_form():
    for name, work in RACES.items():
        assert {*work.peers, *work.memory} <= race.NEEDS.keys()
        assert 0 < named(name, quick=True).examples < work.examples
    names = [work.name for axis in GROWTH.values() for work in axis]
    assert len(set(names)) == len(names)
    assert all(Path(race.ROOT, "benchmarks", "contestants", f"{name}.py").exists() for name in race.NEEDS)


def test_an_unknown_work_is_refused():
    done = CliRunner().invoke(cli.app, ["--works", "W1,W99"])
    assert done.exit_code == 2 and "W99" in done.output


def _format(name, value, elbo=True, **more):
    """A contestant whose mean is `value`."""
    functions = {"encode": deployment.Function(lambda: None, 3, {"mean": np.array([value, 100.0])})}
    if elbo:
        functions["elbo"] = deployment.Function(lambda: None, 40)
    return deployment.Contestant(name, 1000, functions, **more)


def test_a_format_with_other_numbers_is_refused():
    expected = {"encode": {"mean": np.array([1.0, 100.0])}}
    deployment.compare(_format("near", 1.09), expected)  # relative to the largest value
    for value in (1.11, float("nan")):
        with pytest.raises(deployment.Unlike, match=r"the Keras model's mean from far's encode, within 0\.001"):
            deployment.compare(_format("far", value), expected)


def test_the_committed_table_is_what_its_record_gives():
    record = json.loads(Path(race.ROOT, "benchmarks", "deployment.json").read_text(encoding="utf-8"))
    table = Path(race.ROOT, "benchmarks", "DEPLOYMENT.md").read_text(encoding="utf-8")
    assert deployment_table.render(record) == table and record["measured"].keys() == record["presets"].keys()


def test_formats_take_turns_and_the_table_tells_ratios(tmp_path, monkeypatch):
    path, here = tmp_path / "DEPLOYMENT.md", machine.describe()
    monkeypatch.setattr(machine, "describe", lambda: here)
    slow = _format("ONNX Runtime", 1.0, elbo=False, left_out={"elbo": "not converted"})
    formats = [_format(deployment_table.BASE, 1.0), _format("TFLite, Int8", 1.0, lost=(0.07, 0.02)), slow]
    times = {
        deployment_table.BASE: {"encode": np.array([10.0, 20.0, 40.0]), "elbo": np.array([100.0, 100.0, 100.0])},
        "TFLite, Int8": {"encode": np.array([5.0, 10.0, 8.0]), "elbo": np.array([50.0, 60.0, 70.0])},
        "ONNX Runtime": {"encode": np.array([20.0, 40.0, 80.0])},
    }
    for name in ("first", "second"):
        deployment_table.write(path, name, formats, times, batch=1, rounds=3)
    text = path.read_text()
    assert text.count("| TFLite | 1,000 | 3 / - / 40 | 20 (1.00) | - | 100 (1.00) |  |") == 2
    assert "| TFLite, Int8 | 1,000 | 3 / - / 40 | 8 (0.50) | - | 60 (0.60) | 0.070 ± 0.020 |" in text
    assert "| ONNX Runtime | 1,000 | 3 / - / - | 40 (2.00) | - | - |  |" in text
    assert "- ONNX Runtime elbo: not converted." in text and "## first" in text
    monkeypatch.setattr(machine, "describe", lambda: dict.fromkeys(("processor", "system", "date", "load"), "other"))
    deployment_table.write(path, "second", formats, times, batch=8, rounds=5)
    first, second = path.read_text().split("\n## ")[1:]
    assert first == text.split("\n## ")[1] and f"`--batch 1 --rounds 3`, load {here['load']}, on" in first
    assert f"\n{here['processor']}, {here['system']}, with\ntfvae " in first and here["processor"] not in second
    assert second.startswith("second\n\nMeasured other with `--batch 8 --rounds 5`, load other, on\nother, other, with")
    measured = timing.take_turns(formats, 4)
    assert measured["ONNX Runtime"].keys() == {"encode"} and measured["TFLite"]["elbo"].shape == (4,)
    assert all((column > 0).all() for columns in measured.values() for column in columns.values())


@pytest.mark.slow
def test_a_message_of_a_preset_has_a_row_with_its_error(tfds_dir, tmp_path):
    table = tmp_path / "WIRE.md"
    wire.run(names="vae_static_mnist", examples=100, out=table)
    lines = table.read_text(encoding="utf-8").splitlines()
    (row,) = [line for line in lines if line.startswith("| `")]
    name, promise, tables, added, message, *_ = [cell.strip() for cell in row.strip("|").split("|")]
    value, error = map(float, added.split(" ± "))
    assert name == "`vae_static_mnist`" and 0 < error < 1
    assert value == pytest.approx(float(tables) - float(promise), abs=0.011) and float(message) > float(tables)
    heads = next(line for line in lines if line.startswith("| preset"))
    assert heads.count("|") == row.count("|")
    assert any(line.startswith("Measured 20") and machine.describe()["processor"] in line for line in lines)
    with pytest.raises(ValueError, match="vae_static_mnist"):
        wire.run(names="vae_static", out=table)


def test_models_with_levels_have_as_many_weights_as_one_without():
    sizes = {name: made.make((28, 28, 1), 10).count_params() for name, made in levels.CONTESTANTS.items()}
    assert max(sizes.values()) < 1.01 * min(sizes.values()), sizes


def test_a_gain_is_paired_over_the_images():
    one = np.random.default_rng(0).normal(-90, 20, 10_000)
    found = levels.paired(one, one + np.random.default_rng(1).normal(2.0, 0.5, 10_000))
    assert found["gain"] == pytest.approx(2.0, abs=0.02) and found["error"] == pytest.approx(0.005, rel=0.05)


def test_the_committed_levels_are_what_their_record_gives():
    record = json.loads(Path(race.ROOT, "benchmarks", "levels.json").read_text(encoding="utf-8"))
    table = Path(race.ROOT, "benchmarks", "LEVELS.md").read_text(encoding="utf-8")
    assert table.endswith("\n" + levels.table(record) + "\n")
    assert "| two levels, [40, 40] |" in table and " ± " in table


@pytest.mark.slow
def test_levels_go_on_where_they_were_stopped(tfds_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(levels, "paces", lambda names, splits: dict.fromkeys(names, 1.0))
    options = {"seeds": "0", "epochs": 1, "samples": 2, "progress": False, "work": tmp_path, "out": tmp_path / "L.md"}
    levels.run(models="one", **options)
    before = (tmp_path / "levels.json").stat().st_mtime_ns
    levels.run(models="one", **options)
    assert (tmp_path / "levels.json").stat().st_mtime_ns == before  # nothing was missing
    levels.run(models="hvae", **options)
    record = json.loads((tmp_path / "levels.json").read_text())
    gain, rows = record["gains"]["hvae 0"], record["runs"]
    assert gain["gain"] == pytest.approx(rows["hvae"][0]["mean"] - rows["one"][0]["mean"]) and gain["error"] > 0
    with pytest.raises(levels.typer.BadParameter, match="two"):
        levels.run(models="one,two", **options)
