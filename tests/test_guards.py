"""What would give wrong answers without a word is warned of or stopped, with the way out in the message."""

import warnings

import numpy as np
import pytest

import zoo
from zoo import inputs
from zoo.errors import InputError, LabelError, ZooWarning
from zoo.inputs import prepare
from zoo.labels import label_space
from zoo.specs import ImageInput


@pytest.fixture(autouse=True)
def nothing_told_yet():
    inputs._tell_range.cache_clear()


def test_floats_of_0_to_255_for_a_network_of_0_to_1_warn_once_and_name_both_ranges():
    picture = np.full((4, 4, 3), 255, np.float32)
    with pytest.warns(ZooWarning, match=r"read as 0..255 and brought to the 0..1 \(float32\) that the network takes"):
        assert prepare(picture, ImageInput(size=(2, 2))).value.max() == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepare(picture, ImageInput(size=(2, 2)))
        prepare(np.ones((4, 4, 3), np.float32), ImageInput(size=(2, 2)))
        prepare(np.full((4, 4, 3), 255, np.uint8), ImageInput(size=(2, 2)))


def test_pixels_below_0_are_refused_with_the_ranges_that_are_read():
    with pytest.raises(InputError, match=r"pixels from -1 to 1; scale them to 0..1 or 0..255"):
        prepare(np.linspace(-1, 1, 48, dtype=np.float32).reshape(4, 4, 3), ImageInput(size=(2, 2)))


def test_1001_scores_read_with_1000_labels_are_stopped_with_the_fix():
    spec = zoo.spec("inception_v3")
    task = zoo.get("classification", "inception_v3").task
    facts = spec.outputs["logits"].model_copy(update={"labels": "imagenet-1000", "width": None})
    with pytest.raises(LabelError, match=r"gives 1001 scores.*1000 classes; .*1001 wide means 'imagenet-1001'"):
        task.postprocess({"logits": np.zeros((1, 1001))}, [], facts, label_space("imagenet-1000"), {})


def test_a_detector_that_counts_otherwise_than_its_row_says_is_stopped():
    model = zoo.get("detection", "tiny_det_s")
    prepared = prepare(np.zeros((8, 8, 3), np.uint8), model.spec.input)
    outputs = {
        "boxes": np.array([[[0.1, 0.1, 0.5, 0.5]] * 2]),
        "scores": np.array([[0.9, 0.8]]),
        "classes": np.array([[0.0, 16.0]]),
        "count": np.array([2]),
    }
    with pytest.raises(LabelError, match=r"gives class 0, .*'coco-91'.* write labels = 'coco-80' into its row"):
        model.task.postprocess(outputs, [prepared], model.facts, label_space("coco-91"), model.task.settings({}))
