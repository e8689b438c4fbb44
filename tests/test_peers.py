"""The comparison with peers: ratios round by round, and sides that are missing with their reason."""

import importlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

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
