"""The comparison with peers: ratios round by round, and sides that are missing with their reason."""

import importlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from trained import known

import zoo

PEERS = Path(__file__).parents[1] / "benchmarks" / "peers"


@pytest.fixture
def throughput(monkeypatch):
    monkeypatch.syspath_prepend(str(PEERS))
    return importlib.import_module("throughput")


@pytest.fixture
def sides(monkeypatch):
    monkeypatch.syspath_prepend(str(PEERS))
    return importlib.import_module("sides")


def test_a_ratio_is_that_of_rates_round_by_round(throughput):
    ours = [(100, 1.0), (100, 2.0), (400, 1.0)]  # the machine was slow in the second round, for both
    theirs = [(50, 1.0), (25, 1.0), (100, 1.0)]
    found = throughput.ratios({"zoo": ours, "zoo_fp32": theirs, "openvino": theirs})
    assert (found["vs_openvino"], found["fp32_vs_openvino"]) == (2.0, 1.0)
    assert found["intervals"]["vs_openvino"] == {"value": 2.0, "low": None, "high": None, "n": 3}
    assert "vs_zoo_fp32" not in found
    assert throughput.ratios({"openvino": theirs}) == {"intervals": {}}


def test_a_side_that_fails_is_missing_and_says_why(throughput, tmp_path):
    with closing(throughput.Side("onnxruntime", tmp_path)) as side:
        assert "model.onnx" in side.error
        assert side.work(1) is None
    assert f"  onnxruntime                  -  {side.error}" in throughput.table(
        "x", {"rates": {"onnxruntime": None}, "ran": {}, "missing": {"onnxruntime": side.error}, "busy": 0.0}
    )


def test_torch_runs_in_its_own_environment_where_there_is_one(throughput, tmp_path, monkeypatch):
    monkeypatch.setattr(throughput, "ROOT", tmp_path)
    own = tmp_path / ".venv-peers" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.write_text('#!/bin/sh\necho \'{"ready": "its own"}\'\n')
    own.chmod(0o755)
    with closing(throughput.Side("timm", tmp_path)) as side:
        assert (side.about, side.error) == ("its own", None)


def test_outputs_that_differ_are_seen(throughput, tmp_path):
    known = np.eye(4, dtype=np.float32)
    for side, outputs in (("hub_load", known), ("zoo", known * 3), ("openvino", known[::-1])):
        np.save(tmp_path / f"{side}.npy", outputs)
    assert throughput.similarity(tmp_path, ["hub_load", "zoo", "openvino"]) == {
        "hub_load": 1.0,
        "zoo": 1.0,
        "openvino": 0.0,
    }
    assert throughput.similarity(tmp_path, ["zoo"]) == {}


def test_a_turn_counts_what_came_out_of_a_stream(sides):
    taken = []

    def run(batches):
        for batch in batches:
            taken.append(batch)
            yield batch

    count, seconds = sides._work(run, iter([[1, 2], [3]] * 10**6), 0.01)
    assert count == sum(map(len, taken)) > 0
    assert seconds >= 0.01


def test_every_side_says_what_its_settings_are_and_is_run_by_name(throughput, sides):
    assert {side for group in throughput.SIDES.values() for side in group} == set(sides.SIDES)
    assert all(side.__doc__ for side in sides.SIDES.values())


@pytest.fixture
def transfer(monkeypatch):
    monkeypatch.syspath_prepend(str(PEERS))
    return importlib.import_module("transfer")


def turn(seconds, accuracy, **parts):
    return {"seconds": seconds, "accuracy": accuracy, "busy": 0.0, "error": None, "parts": parts, "tensorflow": False}


def test_the_usual_recipe_is_held_against_ours_round_by_round(transfer):
    turns = {
        "usual": [turn(60.0, 0.6), turn(120.0, 0.62)],  # the machine was slow in the second round, for both
        "zoo_equal": [turn(12.0, 0.7), turn(20.0, 0.72)],
        "zoo_defaults": [turn(10.0, 0.88), turn(20.0, 0.88)],
        "zoo_again": [turn(15.0, 0.8, imports=4.0, first=10.0, second=12.5)],
        "zoo_folds": [{"seconds": 5.0, "accuracy": None, "busy": 0.0, "error": "it broke"}],
    }
    found = transfer.figures(turns)
    assert (found["speedup"], found["speedup_defaults"]) == (5.5, 6.0)
    assert (found["gain"], found["gain_equal"], found["second_fit_seconds"]) == (0.27, 0.1, 2.5)
    assert found["folds_over_plain"] is found["speedup_tf"] is found["gain_full"] is None
    sides = {side: transfer.summary(done) for side, done in turns.items()}
    shown = transfer.table(found | {"sides": sides, "data": "flowers", "busy": 0.5})
    assert "zoo_folds                   -  it broke" in shown
    assert "speedup                 5.500  at least 4 wanted\n" in shown
    assert "other work took 50% of the processors" in shown


def test_a_missed_goal_is_said(transfer):
    assert transfer.judged("speedup", 3.9) == "at least 4 wanted: MISSED"
    assert transfer.judged("folds_over_plain", 1.6) == "at most 1.5 wanted: MISSED"
    assert (transfer.judged("speedup", 4.0), transfer.judged("gain", 0.1)) == ("at least 4 wanted", "")


def test_a_side_of_transfer_that_fails_says_why(transfer, tmp_path):
    found = transfer.process("zoo_defaults", tmp_path / "none", tmp_path, tmp_path / "cache", 0)
    assert "there is no" in found["error"]
    assert (found["accuracy"], found["seconds"] > 0) == (None, True)


@pytest.mark.assets
def test_a_side_without_tensorflow_trains_and_is_judged(transfer, assets, tmp_path, monkeypatch):
    for part, count in (("train", 8), ("val", 4)):
        for name in ("daisy", "roses"):
            (tmp_path / part / name).mkdir(parents=True)
            pictures = sorted((assets / "data" / "flowers_600" / part / name).iterdir())[:count]
            for picture in pictures:
                (tmp_path / part / name / picture.name).symlink_to(picture)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    known(zoo.get("classification", importlib.import_module("recipes").mobilenet(assets)), "openvino")
    found = transfer.process("zoo_defaults", tmp_path, assets, tmp_path / "cache", 0)
    assert found["error"] is None
    assert found["accuracy"] >= 0.75
    assert not found["tensorflow"]
    assert 0 < found["parts"]["imports"] < found["parts"]["trained"] <= found["seconds"] + 0.1


@pytest.mark.assets
def test_the_cost_of_loading_is_measured_on_what_lies_in_the_cache(assets, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(PEERS))
    for name in ("ZOO_CACHE", "ZOO_MIRROR"):  # which it sets, and which are put back
        monkeypatch.setenv(name, str(tmp_path))
    load = importlib.import_module("load")
    path = load.cached(assets / "models" / "mobilenet_v2_100_224" / "classification", tmp_path)
    assert tmp_path / "cache" / "entries" in path.parents
    found = load.measure(path, 1)
    assert found["ratio"] == found["zoo_seconds"] / found["tf_seconds"]
    assert found["first_call_seconds"] > found["second_call_seconds"]
