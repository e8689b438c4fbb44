"""Fitting detectors: a network that carries its own loss trains on COCO JSON; one that does not says so."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.errors import DatasetError, OptionError, PairError
from zoo.transfer.objects import divided
from zoo.transfer.splits import open_data
from zoo_tiny.scenes import scenes

PARITY = ("even", "odd")


def write_coco(folder: Path, count: int, seed: int, names: tuple[str, ...], split: str = "train") -> str:
    """Dark scenes as COCO JSON, each digit called by the name at its number; category ids are 5, 10, 15, ..."""
    folder.mkdir(parents=True)
    images, annotations = [], []
    for number, scene in enumerate(scenes(split, count, seed), start=1):
        Image.fromarray(255 - scene.pixels // 3).save(folder / f"{number}.png")
        height, width = scene.pixels.shape[:2]
        images.append({"id": number, "file_name": f"{number}.png", "width": width, "height": height})
        for (left, top, right, bottom), digit in zip(scene.boxes.tolist(), scene.digits.tolist(), strict=True):
            w, h = right - left, bottom - top
            row = {"image_id": number, "category_id": 5 * (digit % len(names)) + 5, "bbox": [left, top, w, h]}
            annotations.append({"id": len(annotations) + 1, "area": w * h, "iscrowd": 0, **row})
    categories = [{"id": 5 * place + 5, "name": name} for place, name in enumerate(names)]
    told = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotation.json").write_text(json.dumps(told))
    return f"coco:{folder}"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A detector fitted to pale scenes with its own ten labels, and the scenes that judge it."""
    folder = tmp_path_factory.mktemp("digits")
    digits = tuple("0123456789")
    data = write_coco(folder / "train", 64, 11, digits)
    test = write_coco(folder / "test", 40, 12, digits, split="test")
    return zoo.get("detection", "tiny_det_s").fit(data, validation=0.1, epochs=10, seed=1), test


def test_a_fitted_detector_beats_the_one_it_began_as(fitted):
    model, test = fitted
    before = zoo.get("detection", "tiny_det_s").evaluate(test).metrics["ap"].value
    after = model.evaluate(test).metrics["ap"].value
    assert after > before + 0.1


def test_a_detector_tells_how_it_was_trained(fitted):
    model, _ = fitted
    assert model.name.startswith("detection/tiny_det_s.scenes fitted to coco:")
    assert (model.training.strategy, model.training.examples, model.training.validation) == ("full", 58, 6)
    assert len(model.history["loss"]) == len(model.history["val_loss"]) == 10
    assert model.history["loss"][-1] < model.history["loss"][0]
    assert model.spec.published == ()


def test_a_detector_learns_other_labels_and_keeps_them_when_saved(tmp_path):
    data = write_coco(tmp_path / "train", 32, 21, PARITY)
    (tmp_path / "train" / "32.png").write_bytes(b"no picture")
    model = zoo.get("detection", "tiny_det_s").fit(data, epochs=6)
    assert "32.png" in str(model.failed[0])
    picture = tmp_path / "train" / "1.png"
    found = model.predict(picture, conf=0.0)
    assert set(found.labels) <= set(PARITY)
    assert model.evaluate(data).metrics["ap"].value > 0.02
    model.save(tmp_path / "saved.zoo")
    again = zoo.load(tmp_path / "saved.zoo")
    told = again.predict(picture, conf=0.0)
    assert told.labels == found.labels
    np.testing.assert_allclose(told.scores, found.scores, atol=1e-6)
    np.testing.assert_allclose(told.boxes, found.boxes, atol=1e-3)
    assert again.history["loss"] == model.history["loss"]
    assert again.training == model.training
    assert again.name == model.name
    assert model.before is None  # it found digits, which are none of these classes
    assert again.after.metrics == model.after.metrics
    assert "it had other classes" in again.report(tmp_path / "page").read_text(encoding="utf-8")


def test_annotations_that_number_the_classes_otherwise_judge_by_class(tmp_path):
    model = zoo.get("detection", "tiny_det_s")
    data, other = write_coco(tmp_path / "a", 4, 5, PARITY), write_coco(tmp_path / "b", 4, 5, PARITY[::-1])
    parts = divided(model, open_data(model, data, other, 0, {}), 0, 0.1)
    for (_, train), (_, judged) in zip(*parts.pictures, strict=True):
        assert [1 - id for id in train.ids] == list(judged.ids)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"strategy": "frozen"}, "trained whole"),
        ({"head": "linear"}, "head='linear' means nothing"),
        ({"epochs": 0}, "epochs=0 is too small"),
    ],
)
def test_a_setting_that_means_nothing_to_a_detector_is_refused(tmp_path, settings, said):
    data = write_coco(tmp_path / "train", 4, 5, PARITY)
    with pytest.raises(OptionError, match=said):
        zoo.get("detection", "tiny_det_s").fit(data, **settings)


def test_more_unreadable_pictures_than_allowed_are_named(tmp_path):
    data = write_coco(tmp_path / "train", 5, 6, PARITY)
    (tmp_path / "train" / "2.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"2\.png"):
        zoo.get("detection", "tiny_det_s").fit(data, epochs=1, max_unreadable=0)


def test_a_hub_detector_says_that_it_carries_no_loss():
    spec = zoo.spec("tiny_det_s").model_copy(update={"trainer": None, "name": "published"})
    with pytest.raises(PairError, match=r"carries no loss .*'tiny_det_s.scenes'"):
        zoo.get("detection", spec).fit("coco:nowhere")
