"""Data and settings from which nothing can be learnt: each is told with its cause."""

from pathlib import Path

import numpy as np
import pytest
from trained import DIGITS, pictures

import zoo
from zoo.errors import DatasetError, LabelError, OptionError
from zoo.labels import LabelSpace
from zoo.transfer.head_training import HeadSettings, train_head
from zoo.transfer.objective import ClassObjective

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def model():
    return zoo.get("classification", "tiny_cnn_s")


def test_a_loss_that_never_was_a_number_is_told_apart_from_steps_that_are_too_large(model):
    with pytest.raises(OptionError, match="none from the start"):
        model.fit(DIGITS, epochs=2, loss=lambda targets, logits: logits[:, 0] * float("nan"))


def test_features_that_are_no_numbers_are_told():
    examples = np.array([[1.0, np.nan], [1.0, 2.0], [0.0, 1.0]], np.float32), np.array([0, 1, 1])
    with pytest.raises(DatasetError, match="no numbers for 1 of 3 examples"):
        train_head(HeadSettings("logistic"), examples, examples, ClassObjective(LabelSpace("own", {0: "a", 1: "b"})))


def test_a_class_that_only_the_validation_data_have_is_named(model):
    pixels, classes = np.zeros((12, 28, 28, 3), np.uint8), np.arange(12) % 2
    with pytest.raises(LabelError, match="has class 2, of which no example trains"):
        model.fit((pixels, classes), validation=(pixels, classes + 1))


@pytest.mark.parametrize(
    ("first", "message"),
    [(1, r"class number 3, and 3 names .* run from 1 to 3; give their 3 names"), (0, "class number 3, and 3 names")],
)
def test_class_numbers_beyond_the_names_are_told(model, first, message):
    pixels, classes = np.zeros((12, 28, 28, 3), np.uint8), np.arange(12) % (4 - first) + first
    with pytest.raises(DatasetError, match=message):
        model.fit((pixels, classes), labels=["World", "Sports", "Business"])


def test_a_weight_for_what_is_no_class_is_told_and_classes_without_one_count_once(model):
    with pytest.raises(OptionError, match=r"class_weight names class 17, .* there are 10"):
        model.fit(DIGITS, class_weight={17: 2.0})
    assert model.fit(DIGITS, class_weight={3: 1.0}).history == model.fit(DIGITS).history


def test_a_file_that_may_not_be_read_is_one_that_can_not_be(model, tmp_path, monkeypatch):
    data = pictures(tmp_path / "data", naught=(0, 12), one=(1, 12))
    read = Path.read_bytes

    def forbidding(path):
        if path == data / "one" / "3.png":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", forbidding)
    (failed,) = model.fit(f"folder:{data}").failed
    assert "Permission denied" in str(failed.error)
