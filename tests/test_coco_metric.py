"""The metric of detection: pycocotools' figures, honest intervals, and label spaces that meet or say so."""

import contextlib
import io
import json

import numpy as np
import pytest

from zoo import Example, Objects
from zoo.errors import DatasetError, LabelError
from zoo.labels import LabelSpace, label_space
from zoo.plugins import installed
from zoo_detection.annotation import Annotation
from zoo_detection.bootstrap import weighted_figures
from zoo_detection.figures import FIGURES, Found, Truth, coco_figures
from zoo_detection.metric import CocoMetric
from zoo_detection.task import Detection, Detections


def scene(random, pictures, categories):
    """COCO JSON of pictures of 640 x 480 with objects of all sizes, some crowded, some alike; ids with gaps."""
    ids = [3 * category + 1 for category in range(categories)]
    content = {"images": [], "annotations": [], "categories": [{"id": id, "name": f"thing {id}"} for id in ids]}
    for number in random.permutation(pictures):
        content["images"].append({"id": int(number) * 7, "file_name": f"{number}.jpg", "width": 640, "height": 480})
        for _ in range(random.poisson(6)):
            size = np.exp(random.normal(4.0, 1.1, 2)).clip(3, 470)
            box = np.concatenate([random.random(2) * ((640, 480) - size), size]).round(2).tolist()
            row = {
                "id": len(content["annotations"]),  # from 0, which pycocotools alone would take for "no object"
                "image_id": int(number) * 7,
                "category_id": int(random.choice(ids)),
                "bbox": box,
                "area": round(box[2] * box[3] * random.uniform(0.4, 1), 2),
                "iscrowd": int(random.random() < 0.03),
            }
            content["annotations"] += [row] if random.random() > 0.05 else [row, row | {"id": row["id"] + 1}]
    return content


def guesses(random, content, most):
    """Detections for each picture by image id: near the truth, more than once, or beside it; scores often equal."""
    ids = [category["id"] for category in content["categories"]]
    objects = {image["id"]: [] for image in content["images"]}
    for row in content["annotations"]:
        objects[row["image_id"]].append(row)
    found = {}
    for image, rows in objects.items():
        near = [row for row in rows for _ in range(random.integers(0, 4))][:most]
        boxes = np.array([row["bbox"] for row in near]).reshape(-1, 4)
        boxes = boxes + random.normal(0, 0.08, boxes.shape) * boxes[:, [2, 3, 2, 3]]
        away = np.exp(random.normal(4.0, 1.1, (most - len(near), 4)))
        boxes = np.concatenate([boxes, away]).clip(1, 470).astype(np.float32)
        classes = [row["category_id"] if random.random() < 0.85 else random.choice(ids) for row in near]
        classes = np.array([*classes, *random.choice(ids, len(away))], np.int64)
        scores = np.concatenate([random.beta(4, 2, len(near)), random.beta(1, 5, len(away))]).round(2)
        edges = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
        found[image] = Detections(edges, scores.astype(np.float32), ("?",) * most, classes, (640, 480))
    return found


def pycocotools(content, found):
    """The twelve figures by the reference implementation, as its own documentation calls it."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    results = []
    for image, answer in found.items():
        for box, score, id in zip(answer.boxes.tolist(), answer.scores.tolist(), answer.ids.tolist(), strict=True):
            left, top, right, bottom = box
            size = [right - left, bottom - top]
            results.append({"image_id": image, "category_id": id, "bbox": [left, top, *size], "score": score})
    truth = COCO()
    rows = [row | {"id": row["id"] + 1} for row in content["annotations"]]
    truth.dataset = content | {"annotations": rows}
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(FIGURES, evaluation.stats.tolist(), strict=True))


def measured(file, found, backwards=False):
    """What the metric says of detections by image id on the annotation in `file`."""
    annotation = Annotation.read(file)
    metric = CocoMetric(None, None)
    for image in annotation.images[:: -1 if backwards else 1]:
        metric.update(Example(image["file_name"], None, annotation.objects[image["id"]]), [found[image["id"]]])
    return metric.result()


def arrays(random, pictures=30, categories=4):
    """Truth and detections whose scores all differ."""
    content = scene(random, pictures, categories)
    rows = content["annotations"]
    number = {image["id"]: place for place, image in enumerate(content["images"])}
    truth = Truth(
        np.array([number[row["image_id"]] for row in rows]),
        np.array([row["category_id"] for row in rows]),
        np.array([row["bbox"] for row in rows]),
        np.array([row["area"] for row in rows]),
        np.array([row["iscrowd"] == 1 for row in rows]),
    )
    found = guesses(random, content, 20)
    boxes = np.concatenate([answer.boxes for answer in found.values()]).astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    scores = random.permutation(len(boxes)) / len(boxes)
    ids = np.concatenate([answer.ids for answer in found.values()])
    return truth, Found(np.repeat(np.arange(pictures), 20), ids, boxes, scores)


def objects(*ids, box=(10, 10, 60, 60), **changes):
    return Example("x.png", None, Objects(boxes=(box,) * len(ids), ids=ids, **changes))


def answer(*ids, box=(10, 10, 60, 60), size=(100, 100)):
    count = len(ids)
    boxes = np.tile(np.float32(box), (count, 1)).reshape(-1, 4)
    return [Detections(boxes, np.full(count, 0.5, np.float32), ("?",) * count, np.array(ids, np.int64), size)]


def test_2000_pictures_with_100_detections_each_give_pycocotools_figures(tmp_path, capsys):
    random = np.random.default_rng(0)
    content = scene(random, 2000, 10)
    found = guesses(random, content, 100)
    file = tmp_path / "truth.json"
    file.write_text(json.dumps(content))
    scores = measured(file, found)
    assert capsys.readouterr() == ("", "")
    expected = pycocotools(content, found)
    assert {name: score.value for name, score in scores.items()} == pytest.approx(expected, abs=1e-12)
    assert 0.1 < expected["ap"] < 0.9
    assert all(score.n == 2000 and score.low < score.value < score.high for score in scores.values())


@pytest.mark.assets
def test_real_coco_with_disturbed_boxes_gives_pycocotools_figures(assets):
    file = assets / "data" / "coco_val_128" / "instances_val2017_128.json"
    content = json.loads(file.read_text())
    found = guesses(np.random.default_rng(1), content, 100)
    scores = measured(file, found)
    assert {name: score.value for name, score in scores.items()} == pytest.approx(
        pycocotools(content, found), abs=1e-12
    )


def test_with_equal_weights_the_bootstrap_computes_cocoevals_figures():
    truth, found = arrays(np.random.default_rng(2))
    weighted = weighted_figures(truth, found, np.ones((1, 30), int))
    expected = coco_figures(truth, found, 30)
    assert {name: values[0] for name, values in weighted.items()} == pytest.approx(expected, abs=1e-9)


def test_a_picture_with_weight_three_counts_as_three_pictures():
    random = np.random.default_rng(3)
    truth, found = arrays(random)
    drawn = random.integers(0, 30, 30)
    weights = np.bincount(drawn, minlength=30)

    def repeated(rows, kind):
        chosen = [np.flatnonzero(rows.picture == picture) for picture in drawn]
        place = np.repeat(np.arange(30), [len(part) for part in chosen])
        columns = {name: column[np.concatenate(chosen)] for name, column in vars(rows).items()}
        return kind(**columns | {"picture": place})

    expected = coco_figures(repeated(truth, Truth), repeated(found, Found), 30)
    weighted = weighted_figures(truth, found, weights[None])
    assert weights.max() >= 3
    assert {name: values[0] for name, values in weighted.items()} == pytest.approx(expected, abs=1e-9)


def test_samples_computed_together_are_those_computed_one_by_one(monkeypatch):
    truth, found = arrays(np.random.default_rng(4))
    weights = np.random.default_rng(5).multinomial(30, np.full(30, 1 / 30), size=20)
    at_once = weighted_figures(truth, found, weights)
    monkeypatch.setattr("zoo_detection.bootstrap._AT_ONCE", 50)  # several goes
    in_goes = weighted_figures(truth, found, weights)
    one_by_one = [weighted_figures(truth, found, row[None]) for row in weights]
    for name in FIGURES:
        alone = [figures[name][0] for figures in one_by_one]
        np.testing.assert_array_equal(at_once[name], alone)
        np.testing.assert_array_equal(in_goes[name], alone)


def test_figures_do_not_depend_on_the_order_of_pictures(tmp_path):
    random = np.random.default_rng(7)
    content = scene(random, 40, 3)
    found = guesses(random, content, 15)
    file = tmp_path / "truth.json"
    file.write_text(json.dumps(content))
    assert measured(file, found) == measured(file, found, backwards=True)


def test_perfect_detections_score_one():
    metric = CocoMetric(None, None)
    for _ in range(3):
        metric.update(objects(0), answer(0))
    scores = metric.result()
    assert scores["ap"].value == pytest.approx(1)
    assert (scores["ap"].low, scores["ap"].high, scores["ap"].n) == (None, None, 3)


def test_a_figure_without_objects_is_left_out():
    metric = CocoMetric(None, None)
    metric.update(objects(1), answer(1))
    assert set(FIGURES) - set(metric.result()) == {"ap_small", "ap_large", "ar_small", "ar_large"}


def test_no_detections_score_nought():
    metric = CocoMetric(None, None)
    metric.update(objects(1), answer())
    metric.update(objects(), answer())
    scores = metric.result()
    assert (scores["ap"].value, scores["ap"].n) == (0, 2)
    assert scores["ar100"].value == 0


def test_without_objects_there_is_nothing_to_measure():
    assert CocoMetric(None, None).result() == {}
    metric = CocoMetric(None, None)
    metric.update(objects(), answer(1))
    assert metric.result() == {}


def test_models_and_datasets_that_number_coco_differently_meet():
    metric = CocoMetric(label_space("coco-91"), label_space("coco-80"), annotated=[90])
    metric.update(objects(90), answer(79))
    assert metric.result()["ap"].value == pytest.approx(1)


def test_a_category_that_the_model_does_not_know_is_an_error_at_once_where_it_is_known():
    own = LabelSpace("zoo.json", {1: "person", 2: "okapi"})
    with pytest.raises(LabelError, match="no counterpart for 'okapi'"):
        CocoMetric(own, label_space("coco-91"), annotated=[1, 2])
    metric = CocoMetric(own, label_space("coco-91"), annotated=[1])  # without objects, okapis don't matter
    with pytest.raises(LabelError, match="no counterpart for 'okapi'"):
        metric.update(objects(2), answer())


def test_the_task_hands_annotated_categories_to_its_metric():
    class Okapis:
        labels = LabelSpace("zoo.json", {2: "okapi"})
        annotated = frozenset({2})

    with pytest.raises(LabelError, match="okapi"):
        Detection(installed().tasks.get("detection")).metric(Okapis(), label_space("coco-91"))


def test_bare_ids_are_read_as_the_models_own():
    metric = CocoMetric(None, label_space("coco-91"))
    metric.update(objects(90), answer(90))
    assert metric.result()["ap"].value == pytest.approx(1)
    assert "read as ids of 'coco-91'" in metric.note
    with pytest.raises(LabelError, match="class numbers 12 are not in label space 'coco-91'"):
        metric.update(objects(12), answer())


def test_a_model_that_does_not_name_its_classes_cannot_meet_a_dataset_that_does():
    with pytest.raises(LabelError, match="the model's boxes have no label space"):
        CocoMetric(label_space("coco-91"), None, annotated=[1])


def test_two_categories_of_one_name_are_an_error():
    twins = LabelSpace("twins.json", {0: "raccoon", 1: "Raccoon"})
    with pytest.raises(LabelError, match=r"categories 0 and 1 of 'twins\.json' are one class, 'Raccoon'"):
        CocoMetric(twins, LabelSpace("model", {4: "raccoon"}), annotated=[0, 1])


def test_pictures_of_another_size_than_annotated_are_noted():
    metric = CocoMetric(None, None)
    metric.update(objects(1, size=(100, 100)), answer(1))
    assert metric.note == ""
    metric.update(objects(1, size=(50, 100)), answer(1))
    assert metric.note == "pictures of another size than their annotation says: 1"


def test_a_target_that_is_no_objects_says_so():
    with pytest.raises(DatasetError, match=r"'x.png' has a dict for its target, not a zoo\.Objects"):
        CocoMetric(None, None).update(Example("x.png", None, {}), answer())
    with pytest.raises(DatasetError, match="different lengths"):
        CocoMetric(None, None).update(Example("x.png", None, Objects(boxes=(), ids=(1,))), answer())
