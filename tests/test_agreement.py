"""What each task calls the same answer of two runtimes: written down, symmetrical, and never too lenient."""

import numpy as np
import pytest

import zoo
from zoo.backbone import import_loader
from zoo.plugins import installed


def agreement(task, reference, candidate, **facts):
    """What the task `task` says of outputs given with a batch axis."""
    spec = installed().tasks.get(task)
    made = import_loader(spec.loader, task)(spec)
    facts = zoo.OutputSpec(weights={}, **facts)
    return made.agreement(examples(reference), examples(candidate), facts)


def examples(outputs):
    return [
        dict(zip(outputs, row, strict=True)) for row in zip(*(np.asarray(v) for v in outputs.values()), strict=True)
    ]


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=(200, 10)).astype(np.float32) * 3


def flipped(logits, count):
    """`logits` with another best class in the first `count` rows, which is hardly better than the best."""
    changed = logits.copy()
    for row in changed[:count]:
        first, second = np.argsort(row)[::-1][:2]
        row[second] = row[first] + 1e-3
    return changed


def test_classification_agrees_where_99_of_100_best_classes_are_the_same(logits):
    assert agreement("classification", {"logits": logits}, {"logits": logits}).holds
    two = agreement("classification", {"logits": logits}, {"logits": flipped(logits, 2)})
    assert (two.value, two.n, two.holds) == (0.99, 200, True)
    three = agreement("classification", {"logits": logits}, {"logits": flipped(logits, 3)})
    assert three.value == pytest.approx(0.985)
    assert not three.holds
    assert str(three).startswith("top-1 the same 0.98500, at least 0.99 wanted, n = 200")


def test_right_classes_with_wrong_probabilities_do_not_agree(logits):
    found = agreement("classification", {"logits": logits}, {"logits": logits * 3})
    assert found.value == 1
    assert not found.holds
    assert "probability is off" in str(found)


def test_probabilities_are_taken_as_they_are_where_the_module_gives_them(logits):
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert agreement("classification", {"logits": scores}, {"logits": scores}, activation="softmax").holds
    halved = agreement("classification", {"logits": scores}, {"logits": scores / 2}, activation="softmax")
    assert not halved.holds


@pytest.mark.parametrize("task", ["classification", "embedding"])
def test_features_agree_by_their_least_cosine(task, logits):
    turned = logits.copy()
    turned[7, 0] += 1.0
    found = agreement(task, {"features": logits}, {"features": turned})
    expected = logits[7] @ turned[7] / np.linalg.norm(logits[7]) / np.linalg.norm(turned[7])
    assert found.value == pytest.approx(expected, abs=1e-6)
    assert found.threshold == 0.999
    assert not found.holds
    assert agreement(task, {"features": logits}, {"features": logits * (1 + 1e-4)}).holds


def test_vectors_of_another_length_do_not_agree_however_they_point(logits):
    assert not agreement("embedding", {"features": logits}, {"features": logits * 2}).holds


def test_a_vector_of_zeros_agrees_with_itself_alone(logits):
    empty = np.zeros_like(logits)
    assert agreement("embedding", {"features": empty}, {"features": empty}).holds
    assert not agreement("embedding", {"features": logits}, {"features": empty}).holds


@pytest.mark.parametrize(("task", "output"), [("classification", "logits"), ("embedding", "features")])
def test_what_is_no_number_or_has_another_form_does_not_agree(task, output, logits):
    broken = logits.copy()
    broken[3, 3] = np.nan
    for wrong in (broken, logits[:, :5], logits[..., None]):
        assert not agreement(task, {output: logits}, {output: wrong}).holds
    assert not agreement(task, {output: logits}, {"other": logits}).holds


@pytest.fixture
def objects():
    """Two pictures with 3 and 2 objects in the form of `Backbone.forward`, filled up to 4."""
    boxes = np.zeros((2, 4, 4), np.float32)
    boxes[0, :3] = [[0.1, 0.1, 0.5, 0.5], [0.3, 0.6, 0.9, 0.9], [0.1, 0.1, 0.5, 0.52]]
    boxes[1, :2] = [[0.0, 0.0, 1.0, 0.4], [0.2, 0.5, 0.4, 0.7]]
    scores = np.array([[0.9, 0.6, 0.3, 0], [0.8, 0.06, 0, 0]], np.float32)
    classes = np.array([[1, 2, 3, 0], [1, 1, 0, 0]], np.float32)
    return {"boxes": boxes, "scores": scores, "classes": classes, "count": np.array([3.0, 2.0], np.float32)}


def changed(objects, name, place, by):
    moved = {key: value.copy() for key, value in objects.items()}
    moved[name][place] += by
    return moved


def test_detections_agree_whatever_their_order(objects):
    order = [2, 0, 1, 3]
    turned = {key: value if key == "count" else value[:, order] for key, value in objects.items()}
    turned["count"] = np.array([4.0, 4.0])
    found = agreement("detection", objects, turned)
    assert (found.value, found.threshold, found.n) == (1, 0.99, 2)
    assert found.holds
    assert str(found).endswith("in the order of scores, faint boxes included, they differ by up to 1")


@pytest.mark.parametrize(
    ("name", "place", "by"),
    [
        ("boxes", (0, 0), [0.03, 0, 0.03, 0]),  # IoU 0.86
        ("classes", (0, 1), 1),
        ("scores", (1, 0), -0.06),
        ("scores", (1, 0), np.nan),
        ("boxes", (0, 0), np.nan),
        ("count", 0, -1),
    ],
)
def test_a_moved_renamed_less_certain_or_missing_object_is_not_matched_on_either_side(objects, name, place, by):
    wrong = changed(objects, name, place, by)
    for found in (agreement("detection", objects, wrong), agreement("detection", wrong, objects)):
        assert found.value < 0.99
        assert not found.holds


def test_small_differences_of_boxes_and_scores_are_rounding(objects):
    assert agreement("detection", objects, changed(objects, "boxes", (0, 0), [0.01, 0, 0.01, 0])).holds
    assert agreement("detection", objects, changed(objects, "scores", (1, 0), -0.04)).holds


def test_objects_that_no_prediction_shows_may_differ(objects):
    assert agreement("detection", objects, changed(objects, "classes", (1, 1), 5)).holds


def test_an_invented_object_is_as_wrong_as_a_missing_one(objects):
    invented = changed(objects, "scores", (1, 1), 0.5)
    assert agreement("detection", objects, invented).value == pytest.approx(8 / 9)


def test_pictures_without_objects_prove_nothing(objects):
    faint = {**objects, "scores": objects["scores"] * 0.1}
    found = agreement("detection", faint, faint)
    assert not found.holds
    assert "nothing to compare" in str(found)


def test_detections_of_another_form_do_not_agree(objects):
    assert not agreement("detection", objects, {"boxes": objects["boxes"]}).holds
