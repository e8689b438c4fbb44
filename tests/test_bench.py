"""The harness without its processes: how timings fold, rows live on disk, tables are made, pairs are chosen."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from scipy.stats import binom

from zoo.errors import NotFittedError, OptionError, PairError, UnknownNameError
from zoo.plugins import Plugins
from zoo.specs import BackboneSpec, DatasetSpec, OutputSpec, Published, TaskSpec, TextInput, WeightsSpec
from zoo_bench.facts import Gpu, Interval, Latency, Machine, Measured, Memory, Rate
from zoo_bench.intervals import latency, rate
from zoo_bench.job import Job
from zoo_bench.published import compare, suspicions
from zoo_bench.row import Row, RowsError, append_row, read_rows
from zoo_bench.selection import jobs, samples, select
from zoo_bench.table import markdown, screen

HERE = Machine(processor="Some CPU", cores=2, memory=8 * 2**30, system="Linux")
DIGITS = Measured(name="digits", split="test", fingerprint="f", size=360, n=360)


def row(backbone: str, top1: float | None = None, speed: float | None = None, **fields) -> Row:
    facts = {
        "task": "classification",
        "backbone": backbone,
        "output": "logits",
        "runtime": "tf",
        "precision": "fp32",
        "device": "Some CPU",
        "device_id": "cpu",
        "batch_size": 32,
        "metrics": {} if top1 is None else {"top1": Interval(value=top1, low=top1 - 0.01, high=top1 + 0.01, n=360)},
        "dataset": None if top1 is None else DIGITS,
        "throughput": None if speed is None else Rate(value=speed, low=speed * 0.9, high=speed * 1.1, n=9),
        "machine": HERE,
        "versions": {"zoo": "1.2.3"},
        "seed": 0,
        "time": "2026-01-01T00:00:00+00:00",
        "duration": 1.0,
        "command": "zoo bench",
    }
    return Row(**facts | fields)


@pytest.mark.parametrize("n", [6, 7, 10, 25, 100, 1001])
def test_the_interval_of_a_median_is_the_narrowest_symmetric_one_with_95_percent(n):
    found = rate([(value, 1.0) for value in range(1, n + 1)])
    below = round(found.low) - 1  # so many of the sorted values lie outside, at each end
    assert round(found.high) == n - below
    assert 1 - 2 * binom.cdf(below, n, 0.5) >= 0.95 > 1 - 2 * binom.cdf(below + 1, n, 0.5)


def test_five_repeats_are_too_few_for_an_interval():
    found = rate([(32, seconds) for seconds in (1, 2, 4, 8, 16)])
    assert (found.value, found.low, found.high, found.n) == (8.0, None, None, 5)


def test_a_percentile_is_a_latency_that_occurred_and_needs_as_many_calls_as_early_stopping_asks_for():
    full = latency([number / 1000 for number in range(1, 201)])
    assert (full.p50, full.p90, full.p99, full.n) == (0.1, 0.18, None, 200)
    few = latency([0.3, 0.1, 0.2])
    assert (few.p50, few.p90, few.p99, few.n) == (0.2, None, None, 3)
    assert full.needs == {"p50": 11, "p90": 64, "p99": 662}  # 64 and 662: MLPerf's own counts


@pytest.mark.parametrize(("n", "discarded"), [(64, 0), (2048, 172), (2116, 178), (2145, 181), (7469, 685)])
def test_a_bound_discards_as_many_calls_as_the_load_generator_of_mlperf_does(n, discarded):
    # The numbers are from published logs: "Processed at least 64 queries (N). Would discard K highest latency queries."
    assert latency(list(range(n))).bounds["p90"] == n - 1 - discarded


def test_a_row_comes_back_from_its_file_as_it_was(tmp_path):
    whole = row("a", 0.9, 100.0, latency=Latency(p50=0.1, p90=0.2, p99=None, n=50), digests={"weights": "d"})
    append_row(tmp_path / "rows.jsonl", whole)
    assert read_rows([tmp_path / "rows.jsonl"]) == ([whole], [])


def test_a_row_has_the_fields_that_others_read():
    written = json.loads(row("a", 0.9).model_dump_json())
    assert {"task", "backbone", "runtime", "precision", "device", "batch_size", "metrics", "error"} <= set(written)
    assert written["error"] is None
    assert written["metrics"]["top1"] == {"value": 0.9, "low": 0.89, "high": 0.91, "n": 360}


def test_a_line_that_was_cut_short_is_left_out_and_said_and_the_next_row_is_whole(tmp_path):
    file = tmp_path / "rows.jsonl"
    append_row(file, row("a"))
    with file.open("a") as stream:
        stream.write(row("b").model_dump_json()[:200])
    assert [found.backbone for found in read_rows([file])[0]] == ["a"]
    append_row(file, row("c"))
    rows, complaints = read_rows([file])
    assert [found.backbone for found in rows] == ["a", "c"]
    assert len(complaints) == 1
    assert "line 2 is cut short" in complaints[0]


def test_many_writers_of_one_file_lose_nothing(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: append_row(tmp_path / "rows.jsonl", row(f"b{number}")), range(100)))
    rows, complaints = read_rows([tmp_path / "rows.jsonl"])
    assert sorted(found.backbone for found in rows) == sorted(f"b{number}" for number in range(100))
    assert complaints == []


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read"), ("a picture\n", "holds no rows"), (row("a", format=99).model_dump_json(), "format 99")],
)
def test_a_file_that_holds_no_rows_is_refused(tmp_path, content, told):
    file = tmp_path / "rows.jsonl"
    if content is not None:
        file.write_text(content)
    with pytest.raises(RowsError, match=told):
        read_rows([file])


def test_a_table_ranks_by_the_first_metric_and_shows_no_figure_that_is_not_there():
    shown = screen([row("worse", 0.8, 900.0), row("best", 0.95, 5.0), row("unmeasured", None, 7.0)])
    lines = shown.splitlines()
    names = [
        line.split()[0] for line in lines if line.split()[:1] and line.split()[0] in ("worse", "best", "unmeasured")
    ]
    assert names == ["best", "worse", "best", "worse", "unmeasured", "unmeasured"]
    best = next(line for line in lines if line.startswith("best"))
    assert best.split() == ["best", "0.950", "[0.940,", "0.960]", "(360)", "5.00", "[4.50,", "5.50]", "-", "-", "-"]
    assert "classification on digits test" in lines
    assert "classification, speed alone" in lines


def test_figures_on_different_data_are_not_ranked_together():
    other = DIGITS.model_copy(update={"name": "letters"})
    shown = screen([row("a", 0.9, 1.0), row("b", 0.8, 1.0, dataset=other)])
    assert shown.index("classification on digits test") < shown.index("classification on letters test")


def test_a_table_names_machine_and_versions_once_and_a_gpu_before_its_processor():
    gpu = HERE.model_copy(update={"gpus": (Gpu(name="Some GPU", driver="1.2", memory=2**30),)})
    shown = screen([row("a", 0.9, machine=gpu), row("b", 0.8, machine=gpu)])
    assert shown.splitlines()[0] == "Some GPU (driver 1.2); Some CPU, 2 cores, 8 GiB; Linux; zoo 1.2.3"
    assert shown.count("Some CPU") == 1


def test_a_setting_in_which_rows_differ_is_a_column_the_others_stand_above():
    lines = screen([row("a", 0.9), row("b", 0.8, batch_size=1)]).splitlines()
    assert "ranked by top1, runtime tf, precision fp32, device cpu" in lines
    assert next(line for line in lines if line.startswith("backbone")).split()[:2] == ["backbone", "batch"]


def test_a_failed_pair_stands_below_the_tables_with_its_error():
    shown = screen([row("a", 0.9), row("b", error="BackboneError: it is broken")])
    assert shown.splitlines()[-1] == "failed: classification/b: BackboneError: it is broken"


def test_notes_are_footnotes_that_rows_share():
    lines = screen([row("a", 0.9, notes=("small",)), row("b", 0.8, notes=("seen", "small"))]).splitlines()
    assert [line.split("  ")[0] for line in lines if line.startswith(("a ", "b "))][:2] == ["a [1]", "b [1,2]"]
    assert lines[-2:] == ["[1] small", "[2] seen"]


def test_markdown_has_the_same_cells_and_keeps_pipes_apart():
    rows = [row("a", 0.9, 12.0, memory=Memory(peak=1_234_000_000, kind="resident"), notes=("one | two",))]
    made = markdown(rows)
    assert "| a [1] | 0.900 [0.890, 0.910] (360) | 12.0 [10.8, 13.2] | - | - | 1,234 |" in made
    assert "1. one \\| two" in made


STS = Published(dataset="stsbenchmark", split="test", metric="spearman", value=0.82, source="somewhere")


@pytest.mark.parametrize(
    ("name", "split", "size", "n", "comparable"),
    [
        ("sts:data/stsbenchmark/sts-test.csv", "test", 1379, 1379, True),
        ("tfds:glue/stsb", "", 1379, 1379, True),
        ("sts:data/stsbenchmark/sts-test.csv", "test", 1379, 100, False),
        ("sts:data/stsbenchmark/sts-dev.csv", "dev", 1500, 1500, False),
        ("sts:data/mine/test.csv", "test", 1379, 1379, False),
        ("stsbenchmark", "test", 500, 500, True),
    ],
)
def test_a_difference_is_stated_only_on_the_same_data(name, split, size, n, comparable):
    measured = {"spearman": Interval(value=0.8, low=0.78, high=0.82, n=n)}
    dataset = Measured(name=name, split=split, fingerprint="f", size=size, n=n)
    (figure,) = compare([STS], measured, dataset)
    assert (figure.difference is not None) == comparable
    assert (figure.why == "") == comparable
    assert not comparable or figure.difference == pytest.approx(-0.02)


def test_a_published_figure_without_a_measured_one_says_so():
    (figure,) = compare([STS], {}, None)
    assert (figure.difference, figure.why) == (None, "nothing was measured")


def test_a_figure_far_above_the_published_one_is_doubted():
    dataset = Measured(name="folder:mine", fingerprint="f", size=500, n=500)
    measured = {"spearman": Interval(value=0.95, low=0.94, high=0.96, n=500)}
    (doubt,) = suspicions(compare([STS], measured, dataset), measured)
    assert "probably seen in training" in doubt
    close = {"spearman": Interval(value=0.83, low=0.82, high=0.84, n=500)}
    assert suspicions(compare([STS], close, dataset), close) == []


def encoder(name: str, path: object, **outputs: object) -> BackboneSpec:
    offers = {key: OutputSpec(labels=labels, weights=WeightsSpec(path=str(path))) for key, labels in outputs.items()}
    return BackboneSpec(name=name, input=TextInput(), outputs=offers)


@pytest.fixture
def plugins(tmp_path) -> Plugins:
    found = Plugins.discover([], [])
    task = TaskSpec(
        name="sorting", modalities=("text",), ready=("logits",), trainable=("features",), targets="class", loader="m:T"
    )
    found.tasks.add(task, "test")
    here, gone = tmp_path, tmp_path / "gone"
    found.backbones.add(encoder("here", here, logits=("cat", "dog")), "test")
    found.backbones.add(encoder("gone", gone, logits=("cat", "dog")), "test")
    found.backbones.add(encoder("headless", here, features=None), "test")
    for name, labels, is_sample in [
        ("birds", ("owl",), True),
        ("pets", ("cat", "dog"), True),
        ("a", ("cat", "dog"), False),
    ]:
        spec = DatasetSpec(name=name, modality="text", targets="class", labels=labels, samples=is_sample, loader="m:D")
        found.datasets.add(spec, "test")
    return found


def test_without_names_every_ready_pair_at_hand_is_chosen_and_the_absent_are_known(plugins):
    chosen = select(plugins, [], [])
    assert [pair.name for pair in chosen.pairs] == ["sorting/here"]
    assert [pair.name for pair in chosen.absent] == ["sorting/gone"]


def test_a_backbone_named_in_full_is_chosen_wherever_its_weights_lie(plugins):
    assert [pair.name for pair in select(plugins, ["sorting"], ["gone", "h*"]).pairs] == [
        "sorting/gone",
        "sorting/here",
    ]


@pytest.mark.parametrize(
    ("tasks", "backbones", "error"),
    [
        (["sortin"], [], UnknownNameError),
        ([], ["her"], UnknownNameError),
        ([], ["x*"], OptionError),
        ([], ["headless"], NotFittedError),
        (["sorting"], ["picture"], PairError),
    ],
)
def test_a_choice_that_means_nothing_is_refused(plugins, tasks, backbones, error):
    facts = {"name": "picture", "input": {"kind": "image"}, "outputs": {"boxes": {"weights": {"path": "x"}}}}
    facts["input"]["size"] = (8, 8)
    plugins.backbones.add(BackboneSpec.model_validate(facts), "test")
    with pytest.raises(error):
        select(plugins, tasks, backbones)


def test_samples_are_those_of_the_same_labels_and_a_named_dataset_is_for_all(plugins):
    (pair,) = select(plugins, [], []).pairs
    assert samples(plugins, pair).name == "pets"
    settings = Job(task="", backbone="", output="", seconds=3.0)
    assert jobs(plugins, [pair], [settings]) == [Job("sorting", "here", "logits", dataset="pets", seconds=3.0)]
    (named,) = jobs(plugins, [pair], [Job(task="", backbone="", output="", dataset="csv:mine.csv")])
    assert named.dataset == "csv:mine.csv"
