"""The page about a detector that was trained: its boxes are judged as COCO judges them, and told as they are."""

import io
import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from test_detection_fit import write_coco

import zoo
from zoo.cli import zoo as cli
from zoo.errors import OptionError
from zoo.labels import LabelSpace
from zoo_detection.judging import judge
from zoo_detection.marking import COLOURS, Mark, marked
from zoo_detection.matching import RIGHT, match
from zoo_detection.metric import CocoMetric
from zoo_detection.task import Detections

FIGURES = {"report.html", "report.json", "curves.png", "thresholds.png", "predictions.png"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    name = write_coco(folder / "train", 64, 11, tuple("0123456789"))
    (folder / "train" / "64.png").write_bytes(b"no picture")
    return name


@pytest.fixture(scope="module")
def fitted(data):
    return zoo.get("detection", "tiny_det_s").fit(data, validation=0.3, epochs=10, seed=1)


@pytest.fixture(scope="module")
def written(fitted, tmp_path_factory):
    return fitted.report(tmp_path_factory.mktemp("page")).parent


@pytest.fixture(scope="module")
def told(written):
    return json.loads((written / "report.json").read_text(encoding="utf-8"))


def test_the_page_has_curves_thresholds_and_pictures(written):
    assert {file.name for file in written.iterdir()} == FIGURES
    page = (written / "report.html").read_text(encoding="utf-8")
    titles = ["Training", "By class", "Precision and recall by score", "Pictures with their predictions"]
    titles += ["What goes wrong", "Most confident mistakes", "Unreadable files", "How it was trained"]
    assert re.findall(r"<h2 id=[^>]+>([^<]+)</h2>", page) == titles
    assert "64.png" in page


def test_ap_is_that_of_what_was_held_out_before_and_after(fitted, told):
    assert told["data"]["examples"] == fitted.training.validation == fitted.after.n == 19
    for name, known in (("metrics", fitted.after), ("before", fitted.before)):
        assert told[name]["ap"]["value"] == pytest.approx(known["ap"])
        assert told[name]["ap"]["low"] < told[name]["ap"]["value"] < told[name]["ap"]["high"]
    assert told["metrics"]["ap"]["value"] > told["before"]["ap"]["value"]


def test_the_mean_over_classes_is_the_whole(told):
    shares = [row["ap50"]["value"] for row in told["classes"] if row["ap50"]]
    assert np.mean(shares) == pytest.approx(told["metrics"]["ap50"]["value"])
    assert sum(row["objects"] for row in told["classes"]) == told["boxes"]["right"] + told["boxes"]["missed"]
    assert sum(row["found"] for row in told["classes"]) == told["boxes"]["right"]


def test_the_mistakes_are_the_surest_and_say_what_is_there(told):
    scores = [one["score"] for one in told["mistakes"]]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) >= told["score"] == 0.25
    for one in told["mistakes"]:
        assert (one["true"] is None) == (one["kind"] == "nothing")
        assert one["kind"] != "class" or one["true"] != one["predicted"]


def test_a_saved_detector_is_explained_alike_and_on_other_data_without_a_before(fitted, told, data, tmp_path):
    saved = str(fitted.save(tmp_path / "saved.zoo"))
    done = CliRunner().invoke(cli, ["explain", saved, "--out", str(tmp_path / "out"), "--json"])
    assert json.loads(done.output)["metrics"] == told["metrics"]
    again = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert [again[part] for part in ("before", "classes", "mistakes")] == [
        told[part] for part in ("before", "classes", "mistakes")
    ]
    other = write_coco(tmp_path / "other", 3, 5, tuple("0123456789"))
    assert CliRunner().invoke(cli, ["explain", saved, other, "--out", str(tmp_path / "new")]).exit_code == 0
    new = json.loads((tmp_path / "new" / "report.json").read_text(encoding="utf-8"))
    assert (new["data"]["examples"], new["before"]) == (3, None)


def test_the_command_line_fits_and_tells_what_it_was_before(tmp_path):
    data = write_coco(tmp_path / "few", 16, 7, tuple("0123456789"))
    asked = ["fit", "detection/tiny_det_s", data, "--epochs", "1", "--out", str(tmp_path / "few.zoo")]
    done = CliRunner().invoke(cli, [*asked, "--report", str(tmp_path / "page")])
    assert done.exit_code == 0, done.output
    assert re.search(r"^  ap50 +0\.\d{4}.*, 0\.\d{4} before$", done.output, re.MULTILINE)
    assert (tmp_path / "page" / "thresholds.png").is_file()


def test_a_task_without_a_page_says_what_there_is(written):
    task = zoo.get("classification", "tiny_cnn_s").task
    with pytest.raises(OptionError, match="no page about a classification model that was trained whole"):
        task.report(None)


LABELS = LabelSpace("own", {0: "cat", 1: "dog"})
CAT, DOG = (0.0, 0.0, 10.0, 10.0), (20.0, 0.0, 30.0, 10.0)


def judged(boxes, ids, scores, crowd=(False, False)):
    """Boxes on a picture of 60 x 20 pixels with a cat on the left and a dog beside it."""
    target = zoo.Objects(boxes=(CAT, DOG), ids=(0, 1), crowd=crowd)
    example, metric = zoo.Example("picture", None, target), CocoMetric(LABELS, LABELS)
    boxes, ids, scores = np.array(boxes, np.float32), np.array(ids, np.int64), np.array(scores, np.float32)
    found = Detections(boxes, scores, tuple(map(LABELS.label, ids.tolist())), ids, (60, 20))
    metric.update(example, [found])
    return judge(example, found, metric, 0.25)


@pytest.mark.parametrize(
    ("box", "id", "kind"),
    [
        ((0, 0, 10, 9), 0, "right"),
        ((0, 0, 10, 9), 1, "class"),
        ((0, 0, 10, 4), 0, "place"),
        ((0, 0, 10, 4), 1, "both"),
        ((40, 0, 50, 10), 0, "nothing"),
    ],
)
def test_each_box_is_right_or_wrong_in_one_way(box, id, kind):
    one = judged([box], [id], [0.9])
    assert one.verdicts[0].kind == kind
    assert one.missed == ([1] if kind == "right" else [0, 1])


def test_a_second_box_on_one_object_is_told_and_a_low_score_is_left_out():
    one = judged([CAT, (0, 0, 10, 9), DOG], [0, 0, 1], [0.9, 0.8, 0.2])
    assert [verdict.kind for verdict in one.verdicts] == ["right", "twice"]
    assert one.missed == [1]


def test_a_box_in_a_crowd_is_neither_right_nor_wrong_and_no_crowd_is_missed():
    one = judged([(1, 1, 5, 5)], [0], [0.9], crowd=(True, False))
    assert (one.right, one.wrong, one.missed) == (0, [], [1])


def test_as_many_boxes_are_right_as_coco_counts(fitted, data):
    dataset = fitted.dataset(data)
    metric = fitted.task.metric(dataset, fitted.labels)
    examples = list(dataset)[:40]
    answers = fitted.predict([example.input for example in examples], conf=0.0, max_det=100)
    for example, answer in zip(examples, answers, strict=True):
        metric.update(example, [answer])
    right = [judge(example, answer, metric, 0.0).right for example, answer in zip(examples, answers, strict=True)]
    assert sum(right) == np.count_nonzero(match(*metric.counted()).outcome[0, 0] == RIGHT) > 40


def test_what_is_drawn_is_blue_red_or_dashed(tmp_path):
    def colours(kind):
        with Image.open(io.BytesIO(marked(picture, [Mark((10, 10, 40, 40), "", kind)]))) as drawn:
            pixels = np.asarray(drawn.convert("RGB")).astype(int)
        wanted = np.array([int(COLOURS[kind][place : place + 2], 16) for place in (1, 3, 5)])
        return int((np.abs(pixels - wanted).max(-1) < 40).sum())

    picture = np.full((50, 50, 3), 200, np.uint8)
    right, wrong, missed = map(colours, ("right", "wrong", "missed"))
    assert right > 2000 < wrong
    assert right / 3 < missed < right * 2 / 3
    assert marked(tmp_path / "gone.png", []) is None
