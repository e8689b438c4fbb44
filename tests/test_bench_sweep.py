"""A sweep of many pairs, some of which crash, hang or run out of memory, ended by force and gone on with."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from zoo_bench.row import Row, read_rows

PLUGIN = """
import os, resource, time
import numpy as np
import zoo

class Linear(zoo.Backbone):
    def load(self):
        fault = self.spec.options.get("fault")
        if fault == "crash":
            print("something native went wrong", flush=True)
            os.abort()
        if fault == "hang":
            time.sleep(3600)
        if fault == "memory":
            size = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            resource.setrlimit(resource.RLIMIT_AS, (size + 2**29, size + 2**29))
            np.ones((2**30,), np.float32)
        self.weights = np.random.default_rng(self.spec.options["seed"]).normal(size=(64, 10)).astype(np.float32)

    def forward(self, batch, training=False):
        import tensorflow as tf
        pooled = tf.nn.avg_pool2d(batch, 4, 4, "VALID")
        if self.spec.options["fault"] == "greedy":
            tf.numpy_function(lambda batch: os.kill(os.getpid(), 9) if len(batch) > 8 else None, [batch], [])
        if self.spec.options["fault"] == "fickle":
            pooled += tf.random.normal(tf.shape(pooled))
        return {"logits": tf.reshape(pooled, [-1, 64]) @ tf.constant(self.weights)}

    def parameters(self):
        return self.weights.size
"""
ROW = """
[[backbone]]
name = "{name}"
loader = "linear:Linear"
options = {{ seed = {seed}, fault = "{fault}" }}
input = {{ kind = "image", size = [32, 32], channels = "grey", resize = "stretch", range = [0, 1] }}
[backbone.outputs.logits]
weights = {{ path = "weights" }}
labels = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
"""
FAULTS = {4: "crash", 11: "hang", 23: "memory"}
OTHERS = ("greedy", "fickle")  # runs out of memory at batches above 8; never gives the same answer twice
NAMES = [f"linear_{FAULTS.get(number, number)}" for number in range(30)]
ARGUMENTS = ("--backbone", "linear_*", "--seconds", "0.05", "--limit", "10", "--timeout", "15", "--jobs", "2")


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory) -> dict[str, str]:
    """An environment with thirty small networks, of which three go wrong in `load`."""
    folder = tmp_path_factory.mktemp("linear")
    (folder / "linear.py").write_text(PLUGIN)
    (folder / "weights").write_text("seeds suffice")
    rows = [ROW.format(name=name, seed=seed, fault=FAULTS.get(seed, "")) for seed, name in enumerate(NAMES)]
    rows += [ROW.format(name=name, seed=0, fault=name) for name in OTHERS]
    (folder / "catalog.toml").write_text("".join(rows))
    return {**os.environ, "ZOO_CATALOG": str(folder / "catalog.toml"), "PYTHONPATH": str(folder)}


def started(surroundings: dict[str, str], *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "zoo", "bench", *map(str, arguments)]
    return subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def rows_of(out: Path) -> list[Row]:
    return read_rows([out])[0] if out.exists() and out.stat().st_size else []


@pytest.fixture(scope="module")
def swept(surroundings, tmp_path_factory):
    """The sweep killed by SIGKILL after a few pairs, then resumed: rows at the kill, all rows, what the rest said."""
    out = tmp_path_factory.mktemp("sweep") / "rows.jsonl"
    with started(surroundings, *ARGUMENTS, "--out", out) as first:
        deadline = time.monotonic() + 120
        while len(rows_of(out)) < 8:
            assert time.monotonic() < deadline
            assert first.poll() is None, first.stderr.read()
            time.sleep(0.05)
        children = psutil.Process(first.pid).children(recursive=True)
        first.send_signal(signal.SIGKILL)
        first.communicate()
    assert psutil.wait_procs(children, timeout=20)[1] == []
    kept = rows_of(out)
    with started(surroundings, *ARGUMENTS, "--out", out, "--resume") as second:
        said = second.communicate(timeout=250)[1]
    assert second.returncode == 1  # three pairs failed
    return kept, rows_of(out), said


def test_a_sweep_of_thirty_has_a_right_row_for_each_but_the_three_that_fail_with_their_cause(swept):
    _, rows, _ = swept
    failed = {row.backbone: row.error for row in rows if row.error is not None}
    assert set(failed) == {"linear_crash", "linear_hang", "linear_memory"}
    assert failed["linear_crash"] == "its process was killed by SIGABRT: something native went wrong"
    assert failed["linear_hang"].startswith("timed out after 15 s")
    assert re.match(r"(_Array)?MemoryError: Unable to allocate 4.00 GiB", failed["linear_memory"])
    right = [row for row in rows if row.error is None]
    assert len(right) == 27
    for row in right:
        assert row.throughput.value > 0
        assert row.metrics["top1"].n == 10
        assert row.check.value >= row.check.threshold
        assert row.compute.flops == 2 * 64 * 10
        assert row.parameters == 640
        assert (row.beside, row.dataset.name) == (1, "tiny_digits")


def test_after_a_kill_no_finished_pair_is_repeated_and_none_is_missed(swept):
    kept, rows, said = swept
    assert rows[: len(kept)] == kept
    assert Counter(row.backbone for row in rows) == Counter(NAMES)
    assert f"{len(kept)} of 30 are finished, {30 - len(kept)} are left" in said
    assert [len({row.run for row in part}) for part in (kept, rows[len(kept) :])] == [1, 1]
    assert kept[0].run != rows[-1].run


def test_the_order_is_shuffled_by_the_seed(swept):
    kept, _, _ = swept
    first = [row.backbone for row in sorted(kept, key=lambda row: row.order)]
    assert first != [name for name in NAMES if name in first]


def test_a_finished_sweep_has_nothing_left(swept, surroundings, tmp_path):
    _, rows, _ = swept
    out = tmp_path / "rows.jsonl"
    out.write_text("".join(row.model_dump_json() + "\n" for row in rows))
    with started(surroundings, "--backbone", "linear_7", *ARGUMENTS[2:], "--out", out, "--resume") as again:
        shown, said = again.communicate(timeout=100)
    assert (again.returncode, "1 of 1 are finished, 0 are left" in said) == (0, True)
    assert "linear_7" in shown  # the table is of the whole sweep
    assert rows_of(out) == rows


@pytest.fixture(scope="module")
def searched(surroundings) -> dict[str, Row]:
    """The rows of two networks whose batch size was searched for, by name."""
    wanted = [part for name in OTHERS for part in ("--backbone", name)]
    with started(surroundings, *wanted, *ARGUMENTS[2:], "--timeout", "200", "--batch-size", "auto", "--json") as run:
        shown = run.communicate(timeout=250)[0]
    return {found["backbone"]: Row.model_validate(found) for found in json.loads(shown)}


def test_a_search_backs_off_from_a_batch_that_runs_out_of_memory_and_the_row_says_so(searched):
    row = searched["greedy"]
    assert row.error is None
    assert [step.batch_size for step in row.batch_search] == [1, 2, 4, 8, 16]
    assert row.batch_search[-1].error == "its process was killed by SIGKILL, as the system does when memory runs out"
    assert row.batch_size in (1, 2, 4, 8)
    assert row.asked["batch_size"] == "auto"


def test_a_network_whose_timed_outputs_are_not_those_of_the_accuracy_run_is_an_error(searched):
    row = searched["fickle"]
    assert row.error.startswith("OutputsDifferError: the timed run's outputs are not those of the accuracy run: ")
    assert (row.throughput, row.metrics) == (None, {})
