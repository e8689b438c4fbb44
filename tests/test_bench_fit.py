"""`zoo bench --fit`: backbones trained on one's own data, judged on what was held out, beside two baselines."""

import json
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from PIL import Image
from rows import failed, row

import zoo
from zoo.cli import main
from zoo.dataset import DatasetOptions, as_dataset
from zoo.errors import DatasetError
from zoo_bench import scratch
from zoo_bench.facts import Fitted
from zoo_bench.holdout import opened_split, parted, parts
from zoo_bench.job import Job
from zoo_bench.row import read_rows
from zoo_bench.selection import to_fit
from zoo_bench.table import screen

PARTS = DatasetOptions(modality="text", targets="class")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What `zoo bench --fit` found on pictures of two digits, one of which can't be read, and its folder."""
    folder = tmp_path_factory.mktemp("fit")
    examples = list(zoo.get("classification", "tiny_cnn_s").dataset("tiny_digits"))
    for name, digit in (("naught", 0), ("one", 1)):
        (folder / "data" / name).mkdir(parents=True)
        for number, source in enumerate([example.input for example in examples if example.target == digit][:30]):
            Image.open(source).save(folder / "data" / name / f"{number}.png")
    (folder / "data" / "naught" / "broken.png").write_bytes(b"no picture")
    data, out = f"folder:{folder / 'data'}", folder / "rows.jsonl"
    wanted = ("--data", data, "--fit", "frozen", "--backbone", "tiny_cnn_s", "--seconds", "0.05", "--out", str(out))
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "bench", *wanted],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ZOO_CACHE": str(folder / "cache")},
    )
    assert done.returncode == 0, done.stderr
    return {row.backbone: row for row in read_rows([out])[0]}, done.stdout, folder


@pytest.fixture
def run(capsys):
    def command(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["bench", *map(str, arguments)])
        return ended.value.code, capsys.readouterr()

    return command


def texts(**classes):
    names = list(classes)
    pairs = [(text, names.index(name)) for name, found in classes.items() for text in found]
    return as_dataset((*map(list, zip(*pairs, strict=True)),), PARTS)


def test_a_fitted_backbone_stands_beside_a_network_from_scratch_and_the_majority(measured):
    rows, shown, _ = measured
    assert set(rows) == {"tiny_cnn_s.digits", "from_scratch", "majority_class"}
    fitted, plain, majority = (rows[name] for name in ("tiny_cnn_s.digits", "from_scratch", "majority_class"))
    assert len({row.dataset.fingerprint for row in rows.values()}) == 1
    assert {row.fit.examples for row in rows.values()} == {49}
    assert majority.metrics["top1"].value == 0.5
    assert (majority.throughput, majority.fit.seconds) == (None, None)
    assert fitted.metrics["top1"].value > 0.9
    assert (fitted.fit.strategy, fitted.fit.head, fitted.strategy) == ("frozen", "logistic", "frozen")
    for one in (fitted, plain):
        assert one.fit.seconds > 0
        assert one.fit.saved > one.weights > 0
        assert one.throughput.value > 0
        assert one.check.value >= one.check.threshold
    assert "fitted to 49 examples and judged on" in shown


def test_features_of_earlier_runs_do_not_make_training_seem_quick(measured):
    _, _, folder = measured
    assert (folder / "cache").is_dir()
    assert not (folder / "cache" / "features").exists()


def test_pictures_that_can_not_be_read_are_counted(measured):
    rows, _, _ = measured
    fitted, plain = rows["tiny_cnn_s.digits"], rows["from_scratch"]
    assert (fitted.fit.unread, plain.fit.unread, fitted.dataset.unread) == (1, 1, 0)
    assert "1 of 49 examples to learn from could not be read" in fitted.notes


def test_each_strategy_is_a_job_and_each_baseline_once():
    found = to_fit([Job("classification", "a", "features"), Job("classification", "b", "features")], ["frozen", "last"])
    assert [(job.backbone, job.fit) for job in found] == [
        ("a", "frozen"),
        ("a", "last"),
        ("b", "frozen"),
        ("b", "last"),
        ("majority_class", "majority_class"),
        ("from_scratch", "from_scratch"),
    ]


def test_a_pair_that_is_not_fitted_is_asked_for_as_older_rows_were():
    assert "fit" not in Job("classification", "a", "logits").asked
    assert Job("classification", "a", "features", fit="last").asked["fit"] == "last"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fit", "frozen,tepid"], "'tepid' is no strategy to compare by; there are 'frozen'"),
        (["--fit", "frozen"], "name them with --data"),
        (
            ["--fit", "frozen", "--data", "tiny_digits", "--task", "detection"],
            "no head can be fitted for task 'detection'",
        ),
        (["--fit", "frozen", "--data", "tiny_digits", "--backbone", "tiny_det_s"], "a head is fitted on 'features'"),
        (["--fit", "frozen", "--data", "csv:LONE", "--backbone", "tiny_text_s"], "has 1 example of class 'b'"),
        (["--fit", "frozen", "--data", "folder:/nowhere", "--backbone", "tiny_*"], "there is no '/nowhere'"),
    ],
)
def test_what_can_not_be_fitted_is_wrong_usage(arguments, words, run, tmp_path):
    (tmp_path / "lone.csv").write_text("text,label\nx,a\ny,a\nz,b\n")
    code, told = run(*(word.replace("LONE", f"{tmp_path}/lone.csv") for word in arguments))
    assert (code, words in told.err) == (2, True), told.err


def test_every_class_is_in_both_parts_and_no_example_is():
    whole = texts(many=[f"a {n}" for n in range(40)], few=["b 0", "b 1"])
    learnt, judged = ({(e.input, e.target) for e in part} for part in parted(whole, seed=0))
    assert not learnt & judged
    assert learnt | judged == {(e.input, e.target) for e in whole}
    assert {target for _, target in learnt} == {target for _, target in judged} == {0, 1}
    again = [part.fingerprint() for part in parted(whole, seed=0)]
    assert again == [part.fingerprint() for part in parted(whole, seed=0)]
    assert again != [part.fingerprint() for part in parted(whole, seed=1)]


def test_data_that_come_in_parts_are_taken_as_they_are(tmp_path):
    for part, count in (("train", 3), ("val", 2), ("test", 1)):
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(count):
                (tmp_path / part / name / f"{number}.png").touch()
    wanted = partial(opened_split, f"folder:{tmp_path}", DatasetOptions(modality="image", targets="class"))
    assert [(part.split, len(part)) for part in parts(wanted, None, 0)] == [("train", 6), ("test", 2)]
    assert [len(part) for part in parts(wanted, "train", 0)] == [4, 2]


@pytest.mark.parametrize(
    ("classes", "words"),
    [({"a": ["x", "y"], "b": ["z"]}, "has 1 example of class '1'"), ({"a": ["x", "y"]}, "of one class alone")],
)
def test_data_that_can_not_be_parted_are_named(classes, words):
    with pytest.raises(DatasetError, match=words):
        parted(texts(**classes), seed=0)


def test_a_network_from_scratch_learns_texts(tmp_path):
    data = texts(
        warm=[f"the sun is {w} and hot" for w in "abcdefghij"], cold=[f"ice and snow are {w}" for w in "abcdefghij"]
    )
    scratch.train(data, "classification", tmp_path / "saved", seed=0)
    model = zoo.load(tmp_path / "saved")
    assert [model.predict(text).label for text in ("hot, hot SUN!", "snow", "")][:2] == ["0", "1"]
    assert np.isfinite(model.predict("").score)


def test_the_table_of_fits_ranks_and_names_what_failed():
    about = Fitted(strategy="last", head="linear", seconds=12.3, examples=48, saved=2_000_000)
    good = row("good", 100.0, 0.9, fit=about, asked={"fit": "last"})
    worse = row("good", 100.0, 0.8, fit=about.model_copy(update={"strategy": "full"}), asked={"fit": "full"})
    shown = screen([worse, good, failed("bad", "PairError: no variables", asked={"fit": "full"})])
    assert "failed: classification/bad, full: PairError: no variables" in shown
    lines = [line.split() for line in shown.splitlines() if line.startswith("good")]
    assert [line[1] for line in lines[:2]] == ["last", "full"]
    assert "training s" in shown
    assert json.loads(good.model_dump_json())["fit"]["saved"] == 2_000_000
