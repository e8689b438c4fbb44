"""The `openvino` runtime: it answers as `tf` does, without TensorFlow where it can, and says what it can't do."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

import zoo
from zoo.compose import get_runtime
from zoo.dataset import DatasetOptions, open_dataset
from zoo.errors import BackboneError, RuntimeLoadError
from zoo.inputs import prepare_all
from zoo.plugins import installed

pytest.importorskip("openvino")

TINY = [
    ("classification", "tiny_cnn_s", "tiny_digits", 12),
    ("detection", "tiny_det_m", "tiny_scenes", 4),
    ("embedding", "tiny_text_m", "tiny_sentences", 12),
]


def opened(task, name, **options):
    """The model's compiled callable, and the model."""
    model = zoo.get(task, name, runtime="openvino", **options)
    return model.compiled(model.pair.output), model


def batches(model, sources, size):
    """`sources` as the model's network wants them, in batches of `size`."""
    values = [item.value for item in prepare_all(sources, model.spec.input)]
    if model.spec.input.kind == "text":
        values = np.array(values, object)
    return [np.stack(values[i : i + size]) for i in range(0, len(values), size)]


def inputs_of(model, dataset, n):
    options = DatasetOptions(modality=model.spec.input.kind, targets=model.task.spec.targets)
    chosen = open_dataset(dataset, options, installed()).some(n)
    return [source for example in chosen for source in model.task.inputs(example)]


def examples(outputs):
    """Outputs of batches as outputs of single examples."""
    return [
        {name: array[i] for name, array in batch.items()}
        for batch in outputs
        for i in range(len(next(iter(batch.values()))))
    ]


def assert_agrees(model, run, given):
    """What `run` answers agrees with `tf` at fp32, by the task's own measure and, with margin, number by number."""
    reference_model = zoo.get(model.task.spec.name, model.spec.name)
    reference = examples(map(reference_model.compiled(model.pair.output), given))
    found = examples(map(run, given))
    agreement = model.task.agreement(reference, found, model.facts)
    assert agreement.holds, agreement
    for left, right in zip(reference, found, strict=True):
        assert left.keys() == right.keys()
        for name in left.keys() & {"logits", "features", "scores"}:  # boxes of one score stand in any order
            expected = left[name]
            np.testing.assert_allclose(right[name], expected, atol=1e-3 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize(("task", "name", "dataset", "n"), TINY, ids=lambda part: str(part))
def test_it_answers_as_tensorflow_does(task, name, dataset, n):
    run, model = opened(task, name)
    assert (run.device, run.precision) == ("cpu", "fp32")
    assert_agrees(model, run, batches(model, inputs_of(model, dataset, n), model.spec.input.batch or 5))


@pytest.mark.assets
def test_a_real_network_agrees_on_photographs(assets):
    run, model = opened("classification", "real_mobilenet_v2")
    photographs = sorted(str(path) for path in (assets / "data/imagenet_500/images").iterdir())[:6]
    assert_agrees(model, run, batches(model, photographs, 4))


@pytest.mark.assets
def test_a_sentence_encoder_agrees_cut_at_its_tokeniser(assets):
    run, model = opened("embedding", "real_minilm")
    sentences = ["A man is playing a guitar.", "Two dogs run.", "", "The stock market fell sharply on Tuesday, again."]
    assert_agrees(model, run, [np.array(sentences[:3], object), np.array(sentences[3:], object)])


@pytest.mark.parametrize(("task", "name", "dataset", "n"), TINY, ids=lambda part: str(part))
def test_a_stream_keeps_the_order_of_ragged_batches(task, name, dataset, n):
    run, model = opened(task, name)
    inputs = inputs_of(model, dataset, n)
    given = [batch for size in (3, 1, 4) for batch in batches(model, inputs, model.spec.input.batch or size)]
    streamed = list(run.stream(iter(given)))
    assert len(streamed) == len(given)
    for batch, outputs in zip(given, streamed, strict=True):
        for name_, expected in run(batch).items():
            np.testing.assert_allclose(outputs[name_], expected, atol=1e-4)


def test_a_batch_cut_in_pieces_is_answered_as_a_whole(monkeypatch):
    monkeypatch.setattr("zoo_openvino.compiled.PIECE", 0)  # a single picture is worth a request
    run, model = opened("classification", "tiny_cnn_s")
    given = [
        *batches(model, inputs_of(model, "tiny_digits", 12), 6),
        *batches(model, inputs_of(model, "tiny_digits", 5), 5),
    ]
    streamed = list(run.stream(given))
    assert run._streams.pieces(given[0].shape) == 6
    for batch, outputs in zip(given, streamed, strict=True):
        np.testing.assert_allclose(outputs["logits"], run(batch)["logits"], atol=1e-4)


def test_a_network_too_small_for_a_request_each_is_not_cut():
    run, model = opened("classification", "tiny_cnn_s")
    list(run.stream(batches(model, inputs_of(model, "tiny_digits", 12), 4)))
    assert run._streams.pieces((4, 32, 32, 1)) == 1


def test_a_stream_takes_no_more_than_a_few_batches_ahead():
    run, _ = opened("classification", "tiny_cnn_s")
    taken = []
    picture = np.zeros((1, 32, 32, 1), np.float32)
    stream = run.stream(taken.append(i) or picture for i in range(100))
    next(stream)
    assert len(taken) < 50
    stream.close()
    assert next(run.stream([picture]))["logits"].shape == (1, 10)


def test_a_single_picture_between_batches_does_not_cut_them():
    run, model = opened("classification", "tiny_cnn_s")
    given = batches(model, inputs_of(model, "tiny_digits", 12), 4)
    for _ in range(2):
        assert len(list(run.stream([*given, given[0]]))) == 4
        assert run._streams.pieces(given[0].shape) == 1
        list(run.stream([given[0][:1]]))
    list(run.stream([given[0][:1]] * 3))  # streams of their own, whose pieces are too small for batches
    assert run._streams.pieces(given[0].shape) == 0


def test_two_streams_do_not_disturb_each_other():
    run, model = opened("classification", "tiny_cnn_s")
    given = batches(model, inputs_of(model, "tiny_digits", 12), 2)
    pairs = list(zip(run.stream(given), run.stream(reversed(given)), strict=True))
    for batch, (forwards, _) in zip(given, pairs, strict=True):
        np.testing.assert_allclose(forwards["logits"], run(batch)["logits"], atol=1e-4)
    for batch, (_, backwards) in zip(reversed(given), pairs, strict=True):
        np.testing.assert_allclose(backwards["logits"], run(batch)["logits"], atol=1e-4)


def test_pictures_are_answered_without_tensorflow(tmp_path):
    picture = tmp_path / "digit.png"
    shutil.copy(inputs_of(zoo.get("classification", "tiny_cnn_s"), "tiny_digits", 1)[0], picture)
    check = f"""
import atexit, sys
@atexit.register
def _():
    print("HEAVY", sorted({{"tensorflow", "keras"}} & set(sys.modules)))
import zoo, zoo.cli
print(zoo.get("classification", "tiny_cnn_s", runtime="openvino").predict({str(picture)!r}).label)
zoo.cli.main(["predict", "classification/tiny_cnn_s", {str(picture)!r}, "--runtime", "openvino", "--json"])
"""
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    label, *answer, heavy = done.stdout.splitlines()
    assert json.loads("".join(answer))[0]["label"] == label
    assert heavy == "HEAVY []"


def test_bf16_says_what_really_ran():
    runtime = get_runtime("openvino")
    if "BF16" not in runtime._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(RuntimeLoadError, match="no precision 'bf16' on 'cpu'; it has 'fp32'"):
            opened("classification", "tiny_cnn_s", precision="bf16")
        return
    run, model = opened("classification", "tiny_cnn_s", precision="bf16")
    exact, _ = opened("classification", "tiny_cnn_s")
    (given,) = batches(model, inputs_of(model, "tiny_digits", 4), 4)
    assert (run.precision, exact.precision) == ("bf16", "fp32")
    assert 1e-4 < np.abs(run(given)["logits"] - exact(given)["logits"]).max() < 1
    # All that is left of this encoder for OpenVINO are sums, which it computes in fp32 whatever one asks for.
    assert opened("embedding", "tiny_text_s", precision="bf16")[0].precision == "fp32"


def test_a_precision_or_device_that_is_not_there_is_told():
    with pytest.raises(RuntimeLoadError, match=r"runtime 'openvino' has no precision 'int8'; it has 'fp32', 'bf16'"):
        opened("classification", "tiny_cnn_s", precision="int8")
    with pytest.raises(RuntimeLoadError, match=r"runtime 'openvino' sees no device 'gpu:7'; it sees .*'cpu'"):
        opened("classification", "tiny_cnn_s", device="gpu:7")


@pytest.mark.parametrize(
    ("batch", "told"),
    [
        (np.zeros((2, 16, 16, 1), np.float32), r"failed on a batch of float32 \(2, 16, 16, 1\)"),
        (np.zeros((2, 32, 32, 1), np.uint8), r"failed on a batch of uint8 \(2, 32, 32, 1\)"),
        (np.zeros((0, 32, 32, 1), np.float32), "takes no empty batch"),
    ],
    ids=["size", "dtype", "empty"],
)
def test_a_batch_that_does_not_fit_is_told_and_the_next_one_runs(batch, told):
    run, _ = opened("classification", "tiny_cnn_s")
    fitting = np.zeros((2, 32, 32, 1), np.float32)
    for answer in (run, lambda batch: next(run.stream([batch]))):
        with pytest.raises(BackboneError, match=told):
            answer(batch)
        assert answer(fitting)["logits"].shape == (2, 10)


def test_what_was_converted_once_is_not_converted_again(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    opened("embedding", "tiny_text_s")
    (kept,) = (tmp_path / "converted").iterdir()
    before = {file.name: file.stat().st_mtime_ns for file in kept.iterdir()}
    opened("embedding", "tiny_text_s")
    assert {file.name: file.stat().st_mtime_ns for file in kept.iterdir()} == before
    assert set(before) == {"front.pb", "middle.bin", "middle.xml", "parts.json"}
