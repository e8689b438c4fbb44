"""What was measured on this machine is shown beside what was published."""

import json

import pytest
from click.testing import CliRunner

from zoo.cli import zoo as command
from zoo.measured import keep, kept

pytestmark = pytest.mark.usefixtures("own_cache")


def test_of_each_setting_the_latest_figures_are_kept():
    keep("a/b", "batch 1", "10 inputs/s")
    keep("a/b", "batch 8", "30 inputs/s")
    keep("a/b", "batch 1", "11 inputs/s")
    assert [(setting, figures) for setting, figures, _ in kept("a/b")] == [
        ("batch 1", "11 inputs/s"),
        ("batch 8", "30 inputs/s"),
    ]
    assert kept("another") == []


@pytest.mark.parametrize("damage", ["", "[1]", '{"batch 1": {}}'])
def test_a_damaged_note_is_as_good_as_none(damage, tmp_path):
    keep("a", "batch 1", "10 inputs/s")
    (tmp_path / "cache" / "measured" / "a.json").write_text(damage, encoding="utf-8")
    assert kept("a") == []


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    keep("a", "batch 1", "10 inputs/s")
    assert kept("a") == []


def test_show_tells_what_bench_found_here():
    bench = ["bench", "--backbone", "tiny_cnn_s", "--task", "classification", "--runtime", "openvino", "--json"]
    done = CliRunner().invoke(command, [*bench, "--seconds", "0.05", "--limit", "20"])
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)
    shown = CliRunner().invoke(command, ["show", "tiny_cnn_s"]).output
    (line,) = [line for line in shown.splitlines() if line.startswith("measured")]
    top1, rate = row["metrics"]["top1"]["value"], row["throughput"]["value"]
    assert line.startswith(f"measured     top1 {top1:.3f}, {rate:,.1f} inputs/s: classification on tiny_digits")
    assert "openvino fp32 on cpu, batch 32" in line
