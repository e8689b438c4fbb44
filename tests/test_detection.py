"""The task `detection`: from a network's boxes to objects of the original picture, and to a drawing of them."""

import json

import numpy as np
import pytest
from PIL import Image

from zoo.errors import OptionError
from zoo.inputs import Prepared
from zoo.labels import LabelSpace
from zoo.plugins import installed
from zoo.specs import OutputSpec, WeightsSpec
from zoo_detection.drawing import class_colour
from zoo_detection.task import Detection, Detections

LABELS = LabelSpace("pets", {1: "person", 18: "dog"})
ALL = {"conf": 0.0, "max_det": 100}


@pytest.fixture
def task():
    return Detection(installed().tasks.get("detection"))


def facts(form="xyxy_unit"):
    return OutputSpec(boxes=form, weights=WeightsSpec(path="."))


def network(boxes, scores, classes=None, count=None):
    """What a backbone gives for one picture."""
    classes = [1] * len(scores) if classes is None else classes
    return {
        "boxes": np.array([boxes], np.float32).reshape(1, -1, 4),
        "scores": np.array([scores], np.float32),
        "classes": np.array([classes], np.float32),
        "count": np.array([len(scores) if count is None else count], np.int32),
    }


def prepared(size=(640, 480), window=None, shape=(100, 200, 3)):
    return Prepared(np.zeros(shape, np.uint8), source=None, size=size, window=window or (0, 0, *size))


def detections(labels=("person", "dog", "person"), scores=(0.981, 0.71, 0.652), **changes):
    """Three objects in a grey picture of 100 x 80."""
    fields = {
        "boxes": np.array([[10, 30, 40, 70], [50, 20, 90, 60], [0, 0, 100, 80]], np.float32)[: len(labels)],
        "scores": np.array(scores[: len(labels)], np.float32),
        "labels": labels,
        "ids": np.array([{"person": 1, "dog": 18}[label] for label in labels]),
        "size": (100, 80),
        "source": Image.new("RGB", (100, 80), (90, 90, 90)),
    }
    return Detections(**fields | changes)


def opened(path):
    with Image.open(path) as picture:
        return picture.convert("RGB")


@pytest.mark.parametrize(
    ("form", "box"),
    [
        ("xyxy_unit", (0.25, 0.5, 0.75, 1.0)),
        ("yxyx_unit", (0.5, 0.25, 1.0, 0.75)),
        ("xyxy_pixel", (50, 50, 150, 100)),
        ("yxyx_pixel", (50, 50, 100, 150)),
    ],
)
def test_boxes_of_every_form_become_pixels_of_the_original(task, form, box):
    (found,) = task.postprocess(network([box], [0.9]), [prepared()], facts(form), LABELS, ALL)
    assert found.boxes.tolist() == [[160, 240, 480, 480]]
    assert found.boxes.dtype == np.float32
    assert found.size == (640, 480)


def test_boxes_of_a_cropped_picture_are_shifted_back(task):
    centre = prepared(window=(100, 20, 540, 460))
    (found,) = task.postprocess(network([(0, 0, 0.5, 1)], [0.9]), [centre], facts(), LABELS, ALL)
    assert found.boxes.tolist() == [[100, 20, 320, 460]]


def test_boxes_of_a_padded_picture_are_clipped_and_those_in_the_padding_are_gone(task):
    padded = prepared(window=(0, 0, 640, 640))
    boxes = [(0, 0.5, 1, 1), (0, 0.8, 1, 0.9), (-0.1, 0, 0.5, 0.5)]
    (found,) = task.postprocess(network(boxes, [0.9, 0.8, 0.7]), [padded], facts(), LABELS, ALL)
    assert found.boxes.tolist() == [[0, 320, 640, 480], [0, 0, 320, 320]]


def test_only_real_and_sure_detections_are_kept_best_first(task):
    outputs = network([(0, 0, 1, 1)] * 5, [0.3, 0.25, 0.9, 0.2, 0.95], [1, 18, 18, 1, 1], count=4)
    (found,) = task.postprocess(outputs, [prepared()], facts(), LABELS, {"conf": 0.25, "max_det": 100})
    assert found.scores.tolist() == pytest.approx([0.9, 0.3, 0.25])
    assert found.labels == ("dog", "person", "dog")
    assert found.ids.tolist() == [18, 1, 18]


def test_max_det_keeps_the_best(task):
    outputs = network([(0, 0, 1, 1)] * 3, [0.3, 0.9, 0.5])
    (found,) = task.postprocess(outputs, [prepared()], facts(), LABELS, {"conf": 0.0, "max_det": 2})
    assert found.scores.tolist() == pytest.approx([0.9, 0.5])


def test_numbers_that_are_none_are_no_detections(task):
    outputs = network([(0, 0, 1, 1), (np.nan, 0, 1, 1), (0, 0, 1, 1)], [np.nan, 0.9, 0.5])
    (found,) = task.postprocess(outputs, [prepared()], facts(), LABELS, ALL)
    assert found.scores.tolist() == [0.5]


def test_every_picture_of_a_batch_gets_its_own_objects(task):
    one, other = network([(0, 0, 1, 1)], [0.9], [18]), network([(0, 0, 0.5, 0.5)], [0.8], [1])
    outputs = {key: np.concatenate([one[key], other[key]]) for key in one}
    first, second = task.postprocess(outputs, [prepared(), prepared(size=(64, 48))], facts(), LABELS, ALL)
    assert (first.labels, second.labels) == (("dog",), ("person",))
    assert second.boxes.tolist() == [[0, 0, 32, 24]]


def test_a_class_without_a_name_is_shown_by_its_number(task):
    (found,) = task.postprocess(network([(0, 0, 1, 1)], [0.9], [7]), [prepared()], facts(), None, ALL)
    assert found.labels == ("class 7",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"conf": 1.5, "max_det": 10}, "conf=1.5 means nothing"),
        ({"conf": -0.1, "max_det": 10}, "conf=-0.1 means nothing"),
        ({"conf": float("nan"), "max_det": 10}, "conf=nan means nothing"),
        ({"conf": 0.5, "max_det": 0}, "max_det=0 is too small"),
    ],
)
def test_an_option_that_means_nothing_says_so(task, options, message):
    with pytest.raises(OptionError, match=message):
        task.check(options)


def test_in_words_objects_are_counted_by_label():
    assert str(detections(scores=(0.981, 0.71, 0.652))) == "3 objects: 2 person (98.1%, 65.2%), 1 dog (71.0%)"
    assert str(detections(labels=("dog",))) == "1 object: 1 dog (98.1%)"
    assert str(detections(labels=())) == "no objects"
    many = detections(("dog",) * 7, [0.5] * 7, boxes=np.zeros((7, 4), np.float32))
    assert str(many) == "7 objects: 7 dog (50.0%, 50.0%, 50.0%, 50.0%, 50.0%, ...)"


def test_a_picture_without_objects_is_true_in_a_condition():
    assert detections(labels=())
    assert len(detections(labels=())) == 0


def test_detections_run_over_box_score_and_label():
    box, score, label = next(iter(detections()))
    assert (box.tolist(), score, label) == ([10, 30, 40, 70], pytest.approx(0.981), "person")


def test_as_json_every_object_has_its_box():
    found = json.loads(json.dumps(detections().to_json()))
    assert (found["width"], found["height"]) == (100, 80)
    assert found["objects"][1] == {"label": "dog", "id": 18, "score": pytest.approx(0.71), "box": [50, 20, 90, 60]}


def test_a_drawing_shows_each_box_in_the_colour_of_its_class(tmp_path):
    path = detections(labels=("person", "dog")).save(tmp_path / "drawn.png")
    drawn = opened(path)
    factor = drawn.width // 100
    assert drawn.size == (100 * factor, 80 * factor)
    assert drawn.width >= 480
    for box, id in (((10, 30, 40, 70), 1), ((50, 20, 90, 60), 18)):
        left, top, right, bottom = (edge * factor for edge in box)
        on_edges = [(left, bottom - 20), (right - 1, bottom - 20), (left + 20, bottom - 1), (right - 20, top)]
        assert {drawn.getpixel(point) for point in on_edges} == {class_colour(id)}
    assert drawn.getpixel((45 * factor, 70 * factor)) == (90, 90, 90)


def test_the_command_line_learns_that_detections_can_be_drawn():
    assert Detections.drawable


def test_a_drawing_keeps_the_size_of_a_large_picture(tmp_path):
    large = detections(source=Image.new("RGB", (1000, 800)), size=(1000, 800))
    assert opened(large.save(tmp_path / "drawn.jpg")).size == (1000, 800)


def test_a_label_at_the_upper_right_corner_stays_in_the_picture(tmp_path):
    corner = np.array([[95, 0, 100, 5]], np.float32)
    drawn = opened(detections(labels=("dog",), boxes=corner).save(tmp_path / "drawn.png"))
    labelled = np.argwhere((np.asarray(drawn) == class_colour(18)).all(axis=2))
    assert labelled[:, 1].min() < 90 * drawn.width // 100
    assert labelled[:, 1].max() == drawn.width - 1


def test_classes_have_different_colours():
    assert len({class_colour(id) for id in range(91)}) == 91


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("drawn", "its suffix is ''; use .png or .jpg"),
        ("drawn.txt", "its suffix is '.txt'; use .png or .jpg"),
        ("nowhere/drawn.png", "there is no folder"),
    ],
)
def test_a_drawing_that_cannot_be_written_says_why(tmp_path, name, message):
    with pytest.raises(OptionError, match=message):
        detections().save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_drawing_that_fails_leaves_nothing_behind(tmp_path):
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(OptionError, match="can't be written as PNG"):
        detections().save(tmp_path / "taken.png")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.png"]
