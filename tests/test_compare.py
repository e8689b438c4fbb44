"""`zoo compare`: what counts as a change, what can't be compared, and when the exit code is 1."""

import json
import random

import pytest
from click.testing import CliRunner
from rows import DIGITS, failed, interval, latency, rate, row

from zoo_bench.changes import Limits, difference, less_is_better, pooled, ratio
from zoo_bench.compare import compare
from zoo_bench.facts import Memory, Tried
from zoo_bench.intervals import rate as rate_of
from zoo_bench.pairing import compared
from zoo_bench.row import append_row


@pytest.fixture
def files(tmp_path):
    """Writes rows into two files; returns what `zoo compare` made of them."""

    def run(old, new, *options, code=0):
        for name, rows in (("old", old), ("new", new)):
            (tmp_path / name).unlink(missing_ok=True)
            for one in rows:
                append_row(tmp_path / name, one)
        done = CliRunner().invoke(compare, [str(tmp_path / "old"), str(tmp_path / "new"), *options])
        assert done.exit_code == code, done.output
        return done

    return run


def verdicts(old, new, across_machines=False, limits=Limits()):  # noqa: B008 - frozen
    return [(pair.row.backbone, pair.verdict) for pair in compared(old, new, limits, across_machines=across_machines)]


def figures(old, new):
    (pair,) = compared([old], [new], Limits(), across_machines=False)
    return {change.figure: change.verdict for change in pair.changes}


@pytest.mark.parametrize(
    ("new", "verdict"),
    [
        (rate(80.0), "worse"),
        (rate(125.0), "better"),
        (rate(97.0, 0.001), "no clear change"),  # clear, and below the threshold
        (rate(80.0, 0.5), "no clear change"),  # beyond the threshold, and within the interval
        (rate(80.0).model_copy(update={"low": None, "high": None}), "no clear change"),
    ],
)
def test_a_change_counts_beyond_the_threshold_and_outside_the_interval(new, verdict):
    assert verdicts([row(speed=100.0)], [row(throughput=new)]) == [("a", verdict)]


@pytest.mark.parametrize(
    ("fields", "figure", "verdict"),
    [
        ({"latency": latency(0.02)}, "latency_p50", "worse"),
        ({"latency": latency(0.005)}, "latency_p99", "better"),
        ({"latency": latency(0.02, bound=0.05)}, "latency_p50", "no clear change"),
        ({"memory": Memory(peak=500_000_000, kind="resident")}, "memory", "worse"),
        ({"memory": Memory(peak=410_000_000, kind="resident")}, "memory", "no clear change"),
        ({"end_to_end": rate(50.0)}, "end_to_end", "worse"),
        ({"metrics": {"top1": interval(0.85)}}, "top1", "worse"),
        ({"metrics": {"top1": interval(0.895, 0.001)}}, "top1", "no clear change"),
        ({"metrics": {"log_loss": interval(0.5)}}, "log_loss", "worse"),
        ({"metrics": {"log_loss": interval(0.1)}}, "log_loss", "better"),
    ],
)
def test_less_is_better_for_latency_memory_and_losses_and_worse_for_the_rest(fields, figure, verdict):
    metrics = {"top1": interval(0.9), "log_loss": interval(0.3)}
    old = row("a", 100.0, 0.9, metrics=metrics, latency=latency(0.01), end_to_end=rate(80.0))
    assert figures(old, old.model_copy(update=fields))[figure] == verdict


def test_memory_of_processes_that_imported_the_framework_in_another_way_is_not_compared():
    old = row("a", 100.0, memory=Memory(peak=400_000_000, kind="resident", shared=("tensorflow",)))
    new = row("a", 100.0, memory=Memory(peak=800_000_000, kind="resident", shared=()))
    assert figures(old, new)["memory"] == "not comparable"
    assert figures(new, new)["memory"] == "no clear change"


def test_what_is_shown_and_not_judged_is_told_with_the_reason(files):
    old, new = (row("a", 100.0, memory=Memory(peak=1, kind="resident", shared=by)) for by in (("tensorflow",), ()))
    assert "not judged: memory of 1 pair: frameworks were imported in other ways" in files([old], [new]).output


@pytest.mark.parametrize(
    ("metric", "falls"), [("log_loss", True), ("loss", True), ("top1", False), ("lossless", False)]
)
def test_a_metric_falls_by_the_last_word_of_its_name(metric, falls):
    assert less_is_better(metric) is falls


def test_the_interval_of_a_difference_of_proportions_is_newcombes():
    # Newcombe 1998, table II, example (a): 56/70 against 48/80, Wilson's limits in, 0.0524 to 0.3339 out.
    old = interval(48 / 80).model_copy(update={"low": 0.4905, "high": 0.7002})
    new = interval(56 / 70).model_copy(update={"low": 0.6918, "high": 0.8769})
    assert difference(old, new) == pytest.approx((0.0524, 0.3339), abs=2e-4)


def test_the_interval_of_a_ratio_of_medians_holds_the_truth_as_often_as_it_says():
    chance = random.Random(0)
    held = 0
    for _ in range(1000):
        old, new = (rate_of([(1, chance.gauss(centre, 0.1)) for _ in range(25)]) for centre in (1.0, 1.25))
        low, high = ratio(old, new)
        held += low <= 1 / 1.25 - 1 <= high
    assert 930 <= held <= 1000


def test_no_interval_on_either_side_is_none_for_the_change():
    bare = rate(10.0).model_copy(update={"low": None, "high": None})
    assert ratio(bare, rate(10.0)) is None
    assert ratio(rate(10.0), rate(0.0)) is None


def test_repeated_rows_are_pooled_and_their_spread_widens_the_interval():
    whole = pooled([rate(100.0), rate(70.0), rate(90.0)])
    assert (whole.value, whole.low, whole.high) == (90.0, pytest.approx(68.6), pytest.approx(102.0))
    steady = [row(speed=speed, time=f"2026-01-01T00:00:0{index}") for index, speed in enumerate((100.0, 70.0, 90.0))]
    assert verdicts(steady, [row(speed=80.0)]) == [("a", "no clear change")]
    assert verdicts(steady[:1], [row(speed=80.0)]) == [("a", "worse")]


def test_rows_of_earlier_versions_or_machines_are_passed_over():
    before = row(speed=100.0, time="2026-01-01T00:00:00", versions={"zoo": "1.0"})
    after = row(speed=50.0, time="2026-01-02T00:00:00", versions={"zoo": "2.0"})
    assert verdicts([after, before], [row(speed=50.0)]) == [("a", "no clear change")]


@pytest.mark.parametrize(
    "field", [{"runtime": "onnx"}, {"precision": "bf16"}, {"batch_size": 8}, {"device_id": "gpu:0"}, {"task": "other"}]
)
def test_pairs_with_other_settings_are_not_compared(field):
    assert verdicts([row()], [row(**field)]) == [("a", "only in old"), ("a", "only in new")]


def test_a_batch_size_that_is_searched_for_is_one_setting_whatever_is_found():
    auto = {"asked": {"batch_size": "auto"}, "batch_search": (Tried(batch_size=1, rate=1.0),)}
    old, new = row(speed=100.0, batch_size=64, **auto), row(speed=50.0, batch_size=16, **auto)
    (pair,) = compared([old], [new], Limits(), across_machines=False)
    assert (pair.verdict, pair.remarks) == ("worse", ("batch size 64 -> 16",))


def test_another_machine_is_said_and_no_regression_unless_that_is_asked_for(files):
    old, new = row("a", 100.0, 0.9), row("a", 10.0, 0.9)
    new = new.model_copy(update={"machine": new.machine.model_copy(update={"processor": "Old CPU"})})
    done = files([old], [new])
    assert "another machine: Some CPU, 2 cores -> Old CPU, 2 cores, Some CPU" in done.stdout
    assert "1 not comparable" in done.stdout
    files([old], [new], "--across-machines", code=1)
    worse = new.model_copy(update={"metrics": {"top1": interval(0.5)}})
    files([old], [worse], code=1)  # the same examples are as hard on any machine


def test_speeds_of_pairs_that_shared_the_machine_with_more_others_are_not_compared():
    assert verdicts([row(speed=100.0)], [row(speed=50.0, beside=3)], across_machines=True) == [("a", "not comparable")]
    assert verdicts([row(speed=100.0, beside=3)], [row(speed=50.0, beside=3)]) == [("a", "worse")]


def test_metrics_on_other_data_or_another_number_of_examples_are_not_compared():
    fewer = row("a", 100.0, 0.5, dataset=DIGITS.model_copy(update={"n": 100}))
    assert figures(row("a", 100.0, 0.9), fewer)["top1"] == "not comparable"
    other = row("a", 10.0, 0.5, dataset=DIGITS.model_copy(update={"fingerprint": "f2"}))
    assert verdicts([row("a", 100.0, 0.9)], [other]) == [("a", "not comparable")]
    assert verdicts([row("a", 100.0, 0.9)], [other, row("a", 100.0, 0.9)]) == [
        ("a", "no clear change"),
        ("a", "only in new"),
    ]


def test_a_pair_that_fails_now_is_a_regression_and_one_that_runs_now_is_none(files):
    done = files([row("a"), failed("b")], [failed("a", "it broke"), row("b")], code=1)
    assert "fails now: classification/a, tf fp32 - batch 32: it broke" in done.stdout
    assert "2 pairs: 1 fails now, 1 runs now" in done.stdout
    files([failed("b")], [row("b")])


def test_a_failure_counts_only_until_the_pair_succeeds():
    early, late = "2026-01-01T00:00:00", "2026-01-02T00:00:00"
    old = [row("a", time=early)]
    assert verdicts(old, [failed("a", time=early), row("a", time=late)]) == [("a", "no clear change")]
    assert verdicts([failed("a")], [failed("a")]) == [("a", "fails in both")]
    assert verdicts([failed("a")], [row("b")]) == [("a", "only in old"), ("b", "only in new")]


def test_a_failure_is_of_the_job_that_was_asked_for_though_another_batch_size_ran():
    ran = row("a", batch_size=1, asked={"batch_size": 32})
    assert verdicts([ran], [failed("a", batch_size=32)]) == [("a", "fails now")]


def test_other_weights_and_versions_are_said(files):
    old, new = row("a", digests={"w": "1"}), row("a", digests={"w": "2"}, versions={"zoo": "1.3", "jax": "1"})
    shown = files([old], [new]).stdout
    assert "note: classification/a, tf fp32 cpu batch 32: other weights" in shown
    assert "now  zoo 1.2.3 -> 1.3, jax none -> 1" in shown


def test_the_report_says_what_became_worse_with_its_figures(files):
    shown = files([row("a", 100.0, 0.9)], [row("a", 80.0, 0.9)], code=1).stdout
    assert "worse: classification/a, tf fp32 cpu batch 32: throughput 100 -> 80.0 /s, -20.0 % [-22.2, -17.7]" in shown
    assert shown.splitlines()[-1] == "1 pair: 1 worse"


def test_json_holds_all_figures_and_their_verdicts(files):
    found = json.loads(files([row("a", 100.0, 0.9)], [row("a", 80.0, 0.9)], "--json", code=1).stdout)
    (pair,) = found["pairs"]
    assert (found["regressions"], pair["verdict"], pair["backbone"]) == (1, "worse", "a")
    changes = {change["figure"]: change for change in pair["changes"]}
    assert set(changes) == {"throughput", "memory", "top1"}
    assert changes["throughput"]["change"] == pytest.approx(-0.2)
    assert changes["throughput"]["low"] < -0.2 < changes["throughput"]["high"]
    assert changes["top1"]["verdict"] == "no clear change"


@pytest.mark.parametrize(("threshold", "code"), [("5%", 1), ("0.05", 1), ("25%", 0), ("0.25", 0), ("0", 1)])
def test_the_threshold_is_a_share_in_either_writing(files, threshold, code):
    files([row(speed=100.0)], [row(speed=80.0)], "--threshold", threshold, code=code)


@pytest.mark.parametrize("threshold", ["much", "-5%", "%", "inf", "nan"])
def test_a_threshold_that_is_no_share_is_wrong_usage(files, threshold):
    assert "write 5% or 0.05" in files([row()], [row()], "--threshold", threshold, code=2).stderr


def test_rows_of_format_1_compare_without_a_verdict_on_latency():
    old = row("a", 100.0, latency=latency(0.01).model_copy(update={"bounds": {}, "needs": {}}))
    assert figures(old, row("a", 100.0, latency=latency(0.05)))["latency_p50"] == "no clear change"
