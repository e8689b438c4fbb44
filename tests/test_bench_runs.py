"""`zoo bench` as a whole: real pairs, and pairs that crash, hang, break or are interrupted."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

import zoo
from zoo.plugins import installed
from zoo_bench.row import read_rows
from zoo_bench.selection import samples

FAULTY = """
import os, time
import zoo

class Faulty(zoo.Backbone):
    def load(self):
        fault = self.spec.options["fault"]
        if fault == "crash":
            print("something native went wrong", flush=True)
            os.abort()
        if fault == "memory":
            os.kill(os.getpid(), 9)
        if fault == "hang":
            time.sleep(3600)
        if fault == "bug":
            raise ZeroDivisionError("a bug of the plugin")
        raise SystemExit(7)

    def forward(self, batch, training=False):
        raise NotImplementedError

    def parameters(self):
        return 0
"""
FAILING = ("hang", "broken", "crash", "memory", "bug", "exit")


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory) -> dict[str, str]:
    """An environment with a catalogue of pairs that go wrong: five ways to fail in `load`, and broken weights."""
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "faulty.py").write_text(FAULTY)
    (folder / "weights").mkdir()
    (folder / "weights" / "readme.txt").write_text("no SavedModel")
    rows = [
        f"""
[[backbone]]
name = "{name}"
loader = "{loader}"
options = {{ fault = "{name}" }}
input = {{ kind = "text" }}
outputs = {{ features = {{ width = 2, weights = {{ path = "weights" }} }} }}
"""
        for name in FAILING
        for loader in ["zoo_tensorflow.savedmodel:SavedModelBackbone" if name == "broken" else "faulty:Faulty"]
    ]
    (folder / "catalog.toml").write_text("".join(rows))
    return {**os.environ, "ZOO_CATALOG": str(folder / "catalog.toml"), "PYTHONPATH": str(folder)}


def bench(surroundings: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zoo", "bench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=surroundings, timeout=200)


def tiny_pairs() -> list[str]:
    """The first tiny backbone of each task that has samples of its own."""
    first = {}
    for pair in zoo.list_pairs(backbone="tiny_*"):
        if pair.ready and samples(installed(), pair):
            first.setdefault(pair.task.name, pair)
    return [pair.name for pair in first.values()]


@pytest.fixture(scope="module")
def measured(surroundings, tmp_path_factory):
    """One run over a tiny pair of each task: the finished process, its rows, its Markdown."""
    folder = tmp_path_factory.mktemp("bench")
    wanted = []
    for name in tiny_pairs():
        task, _, backbone = name.partition("/")
        wanted += ["--task", task, "--backbone", backbone]
    assert wanted
    files = ("--out", folder / "rows.jsonl", "--markdown", folder / "table.md")
    done = bench(surroundings, *wanted, "--seconds", 0.2, "--limit", 40, *files)
    rows, complaints = read_rows([folder / "rows.jsonl"])
    assert complaints == []
    return done, {row.name: row for row in rows}, (folder / "table.md").read_text()


def test_a_tiny_pair_of_each_task_is_measured_without_a_failure(measured):
    done, rows, _ = measured
    assert done.returncode == 0, done.stderr
    assert set(tiny_pairs()) <= set(rows)
    assert {row.task for row in rows.values()} == {"classification", "detection", "embedding"}
    assert all(row.error is None for row in rows.values())


def test_a_measured_row_has_every_figure_and_what_it_takes_to_repeat_it(measured):
    _, rows, _ = measured
    for name in tiny_pairs():
        row = rows[name]
        assert row.metrics
        assert all(0 < score.n <= 40 for score in row.metrics.values())
        assert row.throughput.value > 0
        assert row.throughput.n < 6 or row.throughput.low <= row.throughput.value <= row.throughput.high
        assert row.end_to_end.value > 0
        assert 0 < row.latency.p50 <= row.latency.p90
        assert (row.latency.p99 is None) == (row.latency.n < 662)
        assert row.latency_end_to_end.p50 > 0
        assert row.throughput.ended in ("narrow", "budget")
        assert (row.check.against, row.check.value >= row.check.threshold) == ("accuracy run", True)
        assert 0 < row.check.n <= min(32, row.dataset.n)
        assert row.compute is None or 0 < row.compute.flops < 1e9
        assert row.compute is not None or any("operations not counted" in note for note in row.notes)
        assert row.compute is None or row.compute.peak > row.compute.achieved > 0
        assert (row.beside, row.asked["seconds"], row.format) == (0, 0.2, 2)
        assert min(row.load, row.first_call, row.warm_up, row.duration) > 0
        assert row.memory.kind == "resident"
        assert row.memory.peak > row.memory.before > 0
        assert row.parameters > 0
        assert row.weights > 0
        assert len(row.digests["weights"]) == 64
        assert len(row.dataset.fingerprint) == 64
        assert any("small" in note for note in row.notes)
        assert (row.runtime, row.precision, row.device_id) == ("tf", "fp32", "cpu")
        assert row.device == row.machine.processor
        assert row.versions["tensorflow"]
        assert row.command.startswith("__main__.py bench ")


def test_a_pair_without_samples_of_its_own_is_timed_on_sample_inputs_and_that_is_no_error(measured):
    _, rows, _ = measured
    alone = [row for name, row in rows.items() if name not in tiny_pairs()]
    assert alone  # the picture networks' features, which no samples grade
    for row in alone:
        assert (row.error, row.metrics, row.dataset) == (None, {}, None)
        assert row.throughput.value > 0
        assert any("no samples" in note for note in row.notes)


def test_screen_and_markdown_hold_every_pair(measured):
    done, rows, markdown = measured
    for row in rows.values():
        assert row.backbone in done.stdout
        assert row.backbone in markdown
    assert [line.partition(":")[0].split()[1] for line in done.stderr.splitlines()] == list(rows)


@pytest.fixture(scope="module")
def failures(surroundings, tmp_path_factory):
    """One run over pairs of which each fails in its own way: the finished process and its file of rows."""
    out = tmp_path_factory.mktemp("failures") / "rows.jsonl"
    wanted = [part for name in FAILING for part in ("--backbone", name)]
    return bench(surroundings, *wanted, "--timeout", 8, "--json", "--out", out), out


def test_whatever_goes_wrong_in_a_pair_is_its_row_and_json_stands_alone(failures):
    done, out = failures
    assert done.returncode == 1
    rows = {row["backbone"]: row for row in json.loads(done.stdout)}
    assert rows["hang"]["error"] == "timed out after 8 s"
    assert rows["broken"]["error"].startswith("BackboneError: backbone 'broken': ")
    assert "has no file 'saved_model.pb'" in rows["broken"]["error"]
    assert rows["crash"]["error"] == "its process was killed by SIGABRT: something native went wrong"
    assert rows["memory"]["error"] == "its process was killed by SIGKILL, as the system does when memory runs out"
    assert rows["bug"]["error"].startswith("ZeroDivisionError: a bug of the plugin (faulty.py:")
    assert rows["exit"]["error"].startswith("its process ended with exit code 7 and no answer")
    assert all(row["metrics"] == {} and row["throughput"] is None for row in rows.values())
    written = read_rows([out])[0]
    assert {row.backbone for row in written} == set(FAILING)
    assert [row.order for row in written] == list(range(1, len(FAILING) + 1))
    assert [row.backbone for row in written] != list(FAILING)  # shuffled
    assert len({row.run for row in written}) == 1
    assert done.stderr == ""


# Tests that a shell started in the background have SIGINT ignored, and so would have what they start.
HEED_INTERRUPTS = """if 1:
    import os, signal, sys
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])"""


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_an_ended_run_keeps_its_rows_and_leaves_no_process(surroundings, tmp_path, ending):
    out = tmp_path / "rows.jsonl"
    command = [sys.executable, "-m", "zoo", "bench", "--backbone", "broken", "--backbone", "hang", "--out", str(out)]
    command = [sys.executable, "-c", HEED_INTERRUPTS, *command]
    with subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: out.exists() and out.stat().st_size > 0)
        time.sleep(1)  # into the pair that hangs
        started = psutil.Process(process.pid).children(recursive=True)
        assert started
        process.send_signal(ending)
        shown = process.stdout.read().decode()
    assert process.returncode == (130 if ending == signal.SIGINT else -ending)
    assert [row.backbone for row in read_rows([out])[0]] == ["broken"]
    assert ending == signal.SIGKILL or "failed: embedding/broken" in shown
    _, alive = psutil.wait_procs(started, timeout=20)
    assert alive == []


def wait_until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_report_makes_the_table_from_rows_alone(failures, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(failures[1].read_bytes() + b'{"task": "embed')
    command = [sys.executable, "-m", "zoo", "report", str(rows), "--markdown", str(tmp_path / "table.md")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert f"line {len(FAILING) + 1} is cut short" in done.stderr
    markdown = (tmp_path / "table.md").read_text()
    for name in FAILING:
        assert f"failed: embedding/{name}: " in done.stdout
        assert f"failed: embedding/{name}: " in markdown
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl", "table.md"]
