"""What the harness counts, compares and chooses, without a process for each pair."""

import pytest
from click.testing import CliRunner

import zoo
from zoo.errors import OptionError
from zoo.plugins import installed
from zoo.specs import Published
from zoo_bench import machine
from zoo_bench.check import OutputsDifferError, Recorder, checked
from zoo_bench.command import bench
from zoo_bench.facts import Interval, Machine, Measured, Tried
from zoo_bench.job import Job
from zoo_bench.material import Material
from zoo_bench.published import compare
from zoo_bench.resume import earlier, remaining
from zoo_bench.row import Row, RowsError, append_row
from zoo_bench.search import chosen
from zoo_bench.settings import combinations, on_device

JOB = Job("classification", "tiny_cnn_s.digits", "logits", dataset="tiny_digits")


def row(job: Job = JOB, **fields) -> Row:
    facts = {
        **{name: getattr(job, name) for name in ("task", "backbone", "output", "runtime", "precision", "seed")},
        "asked": job.asked,
        "batch_size": None,
        "machine": machine.machine(),
        "versions": machine.versions(),
        "time": "2026-01-01T00:00:00+00:00",
        "duration": 1.0,
        "command": "zoo bench",
    }
    return Row(**facts | fields)


def test_the_smallest_batch_size_that_is_not_clearly_slower_is_chosen():
    def steps(*rates):
        return [Tried(batch_size=2**place, rate=found) for place, found in enumerate(rates)]

    assert chosen(steps(10, 18, 30, 30.5, 29)) == 4
    assert chosen([*steps(10, 18), Tried(batch_size=4, error="out of memory")]) == 2
    assert chosen([Tried(batch_size=1, error="broken")]) is None


def test_a_finished_pair_is_not_repeated_unless_what_it_was_measured_with_has_changed(tmp_path):
    out = tmp_path / "rows.jsonl"
    digests = {"weights": zoo.weights.digest(zoo.get("classification", JOB.backbone).files("logits")["weights"])}
    append_row(out, row(digests=digests))
    rows, complaints = earlier(out)
    assert remaining([JOB], rows) == ([], rows)
    assert complaints == []
    failed = [row(error="it crashed")]
    assert remaining([JOB], failed) == ([], failed)
    elsewhere = Machine(processor="another", cores=1, memory=1, system="Linux")
    for changed in [
        row(digests={"weights": "others"}),
        row(versions={"zoo": "0.0.1"}),
        row(machine=elsewhere),
        row(Job("classification", JOB.backbone, "logits", dataset="tiny_digits", seconds=9.0)),
        row(asked={}),  # of format 1
    ]:
        assert remaining([JOB], [changed]) == ([JOB], [])
    commit = machine.versions() | {"commit": "another"}
    assert remaining([JOB], [row(versions=commit)])[0] == []


@pytest.mark.parametrize("other", ["Dear reader\n", '{"a": 1}\n'])
def test_rows_are_never_added_to_a_file_of_something_else(other, tmp_path):
    out = tmp_path / "letter.txt"
    out.write_text(other)
    with pytest.raises(RowsError, match="no file of rows"):
        earlier(out)
    assert earlier(tmp_path / "none.jsonl") == ([], [])
    cut = tmp_path / "cut.jsonl"
    cut.write_text(row().model_dump_json()[:100])
    assert earlier(cut)[0] == []


def test_every_runtime_gets_the_precisions_that_it_has_and_the_others_are_named():
    common = Job("", "", "")
    found, absent = combinations(installed(), ["tf", "litert"], ["fp32", "int8"], [1, 8], common)
    ran = [(job.runtime, job.precision, job.batch_size) for job in found]
    assert ("tf", "fp32", 1) in ran
    assert ("litert", "int8", 8) in ran
    assert absent == ["runtime 'tf' has no int8"]
    with pytest.raises(OptionError, match="no runtime that is asked for has the precision 'bf15': 'tf' has fp32"):
        combinations(installed(), ["tf"], ["bf15"], [1], common)
    left, words = on_device([Job("", "", "", "tf"), Job("", "", "", "onnx")], "gpu", {"tf": ["gpu:0"], "onnx": ["cpu"]})
    assert ([job.runtime for job in left], words) == (["tf"], ["runtime 'onnx' sees 'cpu', not 'gpu'"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--backbone", "tiny_cnn_x"], "no backbone named 'tiny_cnn_x'"),
        (["--backbone", "no_such_*"], "no backbone fits 'no_such_*'"),
        (["--task", "clasification"], "did you mean 'classification'?"),
        (["--runtime", "tff"], "no runtime named 'tff'"),
        (["--seconds", "nan"], "'nan' is no time in seconds"),
        (["--seconds", "inf"], "'inf' is no time in seconds"),
        (["--timeout", "nan"], "'nan' is no time in seconds"),
        (["--batch-size", "8,none"], "'none' is no batch size"),
        (["--data", "nowhere.csv"], "no dataset at 'nowhere.csv'"),
        (["--data", "tiny_sentences"], "tiny_sentences"),
        (["--precision", "fp33"], "no runtime that is asked for has the precision 'fp33'"),
        (["--out", "none/rows.jsonl"], "'none/rows.jsonl' lies in a folder that does not exist"),
        (["--out", "/proc/rows"], "'/proc/rows' cannot be written"),
        (["--markdown", "/proc/table.md"], "'/proc/table.md' cannot be written"),
        (["--resume"], "--resume goes on with a file of rows"),
    ],
)
def test_what_can_not_be_is_told_once_before_anything_is_measured(arguments, told):
    done = CliRunner().invoke(bench, ["--task", "classification", "--backbone", "tiny_*", *arguments])
    assert done.exit_code == 2
    assert done.output.count(told) == 1, done.output


def test_a_dataset_that_fits_one_kind_of_pair_leaves_the_others_out_by_name():
    from zoo_bench.selection import select, with_data

    pairs = select(installed(), [], ["tiny_*"]).pairs
    left, reasons = with_data(installed(), pairs, "tiny_digits", None)
    assert {pair.task.name for pair in left} == {"classification"}
    assert any(reason.startswith("text pairs with targets 'similarity' are left out") for reason in reasons)


@pytest.mark.parametrize(("family", "difference", "within"), [("inception", 0.005, True), ("inception", -0.01, False)])
def test_a_difference_from_a_published_figure_is_held_against_the_band_of_its_family(family, difference, within):
    figure = Published(dataset="imagenet-1k", split="val", metric="top1", value=0.78, source="somewhere")
    dataset = Measured(name="folder:imagenet", split="val", fingerprint="f", size=50_000, n=50_000)
    measured = {"top1": Interval(value=0.78 + difference, n=50_000)}
    (found,) = compare([figure], measured, dataset, family)
    assert (found.tolerance, found.within) == (0.006, within)
    assert compare([figure], measured, dataset, "vit")[0].within
    unknown = compare([figure], measured, dataset, "swin")[0]
    assert (unknown.tolerance, unknown.within) == (None, None)
    elsewhere = compare([figure], measured, dataset.model_copy(update={"n": 100}), family)[0]
    assert (elsewhere.difference, elsewhere.within) == (None, None)


@pytest.fixture(scope="module")
def model():
    return zoo.get("classification", "tiny_cnn_s.digits").load()


def test_outputs_of_the_timed_run_are_held_against_those_of_the_accuracy_run(model):
    recorder = Recorder(model)
    sources = Material(model, model.dataset("tiny_digits"), 20).sources
    list(recorder(sources, "logits", 8))
    assert len(recorder.kept) == 20
    right = {place: recorder.kept[place] for place in range(5)}
    found = checked(model, "accuracy run", recorder.kept, right)
    assert (found["n"], found["value"]) == (5, 1.0)
    swapped = {place: recorder.kept[19 - place] for place in range(5)}
    with pytest.raises(OutputsDifferError, match="the timed run's outputs are not those of the accuracy run"):
        checked(model, "accuracy run", recorder.kept, swapped)
    with pytest.raises(OutputsDifferError, match="could be compared"):
        checked(model, "accuracy run", recorder.kept, {})


def test_inputs_are_those_that_the_accuracy_run_sees_and_fill_every_batch(model):
    dataset = model.dataset("tiny_digits")
    material = Material(model, dataset, 20)
    assert material.sources == [example.input for example in dataset.some(20)]
    assert [len(batch) for batch in material.batches(64)] == [64]
    assert [len(batch) for batch in material.batches(8)] == [8, 8, 8]
    assert all(len(single) == 1 for single in material.singles())


def test_operations_are_counted_at_the_shapes_that_inputs_have(model):
    from zoo_bench.flops import counted

    values = [item.value for item in Material(model, model.dataset("tiny_digits"), 4).items(4)]
    found = counted(model, "logits", values)
    assert found["flops"] == by_the_profiler(model)
    assert counted(model, "logits", values) == found  # from the cache


def by_the_profiler(model) -> int:
    """The operations of convolutions and products by TensorFlow's static analysis; it needs a fixed batch."""
    import tensorflow as tf

    from zoo.backbone import load_backbone
    from zoo.graph import freeze

    graph = freeze(load_backbone(model.spec, "logits", model.files("logits")), batch=1).function.graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder(
        tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    ).with_empty_output()
    of = {"Conv2D", "DepthwiseConv2dNative", "MatMul"}
    total = 0
    for op in graph.get_operations():
        if op.type in of:
            found = tf.compat.v1.profiler.profile(
                graph, options=options.with_node_names(show_name_regexes=[f"^{op.name}$"]).build()
            )
            total += found.total_float_ops
    return total
