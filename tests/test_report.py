"""`zoo report`: its formats and files, and what it says of files of rows that are cut short, foreign or newer."""

import csv
import io
import json
import os

import pytest
from click.testing import CliRunner
from rows import failed, latency, rate, row

from zoo_bench.facts import Clocks, Compute, Tried
from zoo_bench.report import report
from zoo_bench.row import RowsError, append_row


@pytest.fixture
def rows(tmp_path):
    file = tmp_path / "rows.jsonl"
    full = row(
        "full",
        100.0,
        0.9,
        latency=latency(0.01),
        latency_end_to_end=latency(0.02),
        batch_search=(Tried(batch_size=1, rate=3.0), Tried(batch_size=2, error="no memory")),
        compute=Compute(flops=6e8, method="counted", achieved=1e11),
        clocks=Clocks(source="cpuinfo", mhz=2400.0),
        notes=("one, with a comma", 'two "quoted"\nin lines'),
        digests={"weights": "d1"},
        environment={"OMP_NUM_THREADS": "2"},
        asked={"batch_size": "auto"},
    )
    for one in (full, row("bare", 50.0), failed("broken", "it broke")):
        append_row(file, one)
    return file


def run(*arguments, code=0):
    done = CliRunner().invoke(report, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    return done


def lines(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_without_a_format_the_tables_for_a_screen_are_printed(rows):
    shown = run(rows).stdout
    assert "classification on digits test" in shown
    assert shown.splitlines()[-1] == "failed: classification/broken: it broke"


@pytest.mark.parametrize(
    ("name", "start"),
    [("a.md", "Some CPU"), ("a.csv", "format,"), ("a.HTML", "<!doctype html>"), ("a.json", "[{"), ("a", "Some CPU")],
)
def test_the_ending_of_the_file_chooses_the_format(rows, tmp_path, name, start):
    done = run(rows, "--out", tmp_path / name)
    assert done.stdout == ""
    assert f" in {str(tmp_path / name)!r}" in done.stderr
    assert (tmp_path / name).read_text().startswith(start)


def test_a_format_that_is_named_wins_over_the_ending(rows, tmp_path):
    run(rows, "--format", "csv", "--out", tmp_path / "rows.md")
    assert (tmp_path / "rows.md").read_text() == run(rows, "--format", "csv").stdout


def test_markdown_and_json_are_the_tables_and_rows_as_ever(rows, tmp_path):
    run(rows, "--markdown", tmp_path / "table.md")
    assert (tmp_path / "table.md").read_text() == run(rows, "--format", "md").stdout
    assert [one["backbone"] for one in json.loads(run(rows, "--json").stdout)] == ["full", "bare", "broken"]


def test_csv_has_one_line_for_each_row_and_an_interval_as_low_and_high(rows):
    full, bare, broken = lines(run(rows, "--format", "csv").stdout)
    assert [full["metrics_top1"], full["metrics_top1_low"], full["metrics_top1_high"], full["metrics_top1_n"]] == [
        "0.9", "0.89", "0.91", "360"
    ]  # fmt: skip
    assert (float(full["throughput"]), float(full["throughput_low"])) == (100.0, 98.0)
    assert full["latency_p50"] == "0.01"
    assert full["latency_bounds_p50"] == "0.0103"
    assert full["latency_end_to_end_p50"] == "0.02"
    assert full["compute_flops"] == "600000000.0"
    assert json.loads(full["batch_search"])[1]["error"] == "no memory"
    assert full["notes"] == 'one, with a comma; two "quoted"\nin lines'
    assert (full["digests_weights"], full["versions_zoo"], full["asked_batch_size"]) == ("d1", "1.2.3", "auto")
    assert (bare["metrics_top1"], bare["latency_p50"], bare["dataset_name"]) == ("", "", "")
    assert (broken["error"], broken["throughput"]) == ("it broke", "")


def test_csv_loses_no_fact_and_has_no_column_for_what_has_parts(rows):
    text = run(rows, "--format", "csv").stdout
    header = next(csv.reader(io.StringIO(text)))
    assert len(header) == len(set(header))
    assert not {"dataset", "metrics", "machine", "latency", "compute", "asked"} & set(header)
    absent = [
        (backbone, leaf)
        for one, line in zip(rows.read_text().splitlines(), lines(text), strict=True)
        for backbone in [json.loads(one)["backbone"]]
        for leaf in leaves(json.loads(one))
        if not any(leaf in cell for cell in line.values())
    ]
    assert absent == []


def leaves(value):
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in leaves(inner)]
    return [] if value is None else [str(value)]


def test_columns_of_one_fact_stand_together(tmp_path):
    file = tmp_path / "rows.jsonl"
    append_row(file, row("a", 1.0))
    append_row(file, row("b", 1.0, 0.9, end_to_end=rate(2.0)))
    header = next(csv.reader(io.StringIO(run(file, "--format", "csv").stdout)))
    start = header.index("throughput")
    assert header[start : start + 6] == ["throughput", "throughput_low", "throughput_high", "throughput_n",
                                         "throughput_ended", "end_to_end"]  # fmt: skip
    assert header.index("task") < header.index("metrics_top1") < start


def test_a_file_that_was_cut_in_the_middle_is_read_up_to_the_cut_and_that_is_said(rows):
    whole = rows.read_bytes()
    rows.write_bytes(whole[: len(whole) - 200])
    done = run(rows, "--json")
    assert "line 3 is cut short" in done.stderr
    assert [one["backbone"] for one in json.loads(done.stdout)] == ["full", "bare"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "holds no rows"),
        (b"\x89PNG\r\n\x1a\n", "holds no rows"),
        (b'{"a": 1}\n', "holds no rows"),
        (None, "format"),
    ],
)
def test_no_rows_at_all_or_rows_of_a_later_zoo_are_an_error_and_nothing_is_written(rows, tmp_path, content, told):
    rows.write_bytes(rows.read_bytes().replace(b'"format":2', b'"format":99') if content is None else content)
    done = run(rows, "--out", tmp_path / "page.html", code=1)
    assert isinstance(done.exception, RowsError)
    assert told in str(done.exception)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl"]


def test_what_cannot_be_written_is_wrong_usage_before_anything_is_read(tmp_path):
    done = run(tmp_path / "not-there.jsonl", "--out", tmp_path / "none" / "page.html", code=2)
    assert "lies in a folder that does not exist" in done.stderr


def test_writing_replaces_the_file_whole_keeps_its_mode_and_follows_a_link(rows, tmp_path):
    page, link = tmp_path / "page.md", tmp_path / "link.md"
    page.write_text("old")
    page.chmod(0o600)
    link.symlink_to(page)
    run(rows, "--out", link)
    assert link.is_symlink()
    assert page.read_text() == run(rows, "--format", "md").stdout
    assert page.stat().st_mode & 0o777 == 0o600
    assert not [path for path in os.listdir(tmp_path) if path.startswith(".")]


def test_a_device_can_be_written_to(rows):
    run(rows, "--format", "csv", "--out", "/dev/null")
    assert not os.path.isfile("/dev/null")


def test_help_shows_every_format_with_an_example():
    shown = run("--help").stdout
    assert all(f"  {form} " in shown for form in ("screen", "md", "csv", "html", "json"))
    assert "zoo report rows.jsonl more.jsonl --out report.html" in shown


def test_an_ending_that_names_no_format_is_wrong_usage(rows, tmp_path):
    assert "names no format" in run(rows, "--out", tmp_path / "page.pdf", code=2).stderr
