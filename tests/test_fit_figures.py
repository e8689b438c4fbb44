"""The figures of a report: those of scikit-learn, with intervals, for any number of classes."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics
from sklearn.metrics import f1_score, log_loss, precision_recall_fscore_support

from zoo.dataset import Example
from zoo.transfer.report import regressor, tagger
from zoo.transfer.report.class_drawing import confusion
from zoo.transfer.report.classes import class_rows, findings, most_confused, reliability
from zoo.transfer.report.drawing import DARK, LIGHT, curves
from zoo.transfer.report.judged import Judged, spread


def made(classes=3, n=200, seed=0):
    """Answers of a made classifier that is right most of the time."""
    random = np.random.default_rng(seed)
    targets = random.integers(0, classes, n)
    logits = random.normal(size=(n, classes)).astype(np.float32)
    logits[np.arange(n), targets] += 1.5
    labels = tuple(f"class {id}" for id in range(classes))
    return Judged(None, "", "text", labels, tuple(map(str, range(n))), targets, logits, ())


def test_figures_are_those_of_scikit_learn():
    judged = made()
    found = findings(judged)
    assert found.log_loss.value == pytest.approx(log_loss(judged.targets, judged.scores))
    assert found.macro_f1.low < found.macro_f1.value < found.macro_f1.high
    assert found.macro_f1.value == pytest.approx(f1_score(judged.targets, judged.answers, average="macro"))
    wanted = precision_recall_fscore_support(judged.targets, judged.answers)
    mine = [[getattr(row, name).value for row in found.rows] for name in ("precision", "recall", "f1")]
    np.testing.assert_allclose(mine, wanted[:3])
    assert [row.support for row in found.rows] == wanted[3].tolist()


def test_intervals_hold_the_figure_and_narrow_with_the_number():
    for row in (*findings(made(n=40)).rows, *findings(made(n=4000)).rows):
        for score in (row.precision, row.recall, row.f1):
            assert 0 <= score.low <= score.value <= score.high <= 1
    few, many = (findings(made(n=n)).rows[0].f1 for n in (40, 4000))
    assert few.high - few.low > 5 * (many.high - many.low)


def test_a_class_without_examples_or_answers_has_no_share():
    rows = class_rows(np.array([[2, 0, 0], [1, 0, 0], [0, 0, 0]]), ("a", "b", "c"))
    assert rows[1].precision is None
    assert rows[1].recall.value == 0
    assert (rows[2].precision, rows[2].recall, rows[2].f1) == (None, None, None)


def test_calibration_bins_hold_all_and_the_error_is_their_mean_gap():
    confidence, right = np.array([0.05, 0.55, 0.55, 1.0]), np.array([False, True, False, True])
    bins = reliability(confidence, right)
    assert [(bin.low, bin.n, bin.accuracy.value) for bin in bins] == [(0.0, 1, 0.0), (0.5, 2, 0.5), (0.9, 1, 1.0)]
    perfect = replace(made(n=50))
    perfect.logits[np.arange(50), perfect.targets] = 100
    assert findings(perfect).ece == pytest.approx(0, abs=1e-9)


def test_mistakes_run_from_the_surest_down():
    found = findings(made())
    confidence = [found.judged.scores[place].max() for place in found.mistakes]
    assert confidence == sorted(confidence, reverse=True)
    assert not found.judged.right[list(found.mistakes)].any()


def test_confused_pairs_leave_out_what_is_right():
    assert most_confused(np.array([[9, 2], [5, 7]])) == ((1, 0, 5), (0, 1, 2))


@pytest.mark.parametrize("classes", [2, 5, 100])
def test_examples_are_spread_over_the_classes(classes):
    targets = np.repeat(np.arange(classes), 30)
    places = spread(targets, 20, classes)
    seen = targets[places]
    assert len(set(places)) == 20
    assert len(set(seen.tolist())) == min(classes, 20)
    if classes == 100:
        assert seen.max() - seen.min() > 50  # not the first twenty


@pytest.mark.parametrize("classes", [2, 30, 130])
def test_a_matrix_of_any_size_is_drawn_and_named(classes):
    judged = made(classes, 300)
    found = findings(judged)
    drawn = confusion(found)
    assert drawn.png(LIGHT) != drawn.png(DARK)
    assert f"{classes} classes" in drawn.alt


def test_curves_of_one_step_are_bars_and_other_metrics_get_panels():
    from matplotlib.figure import Figure

    for history, lines in (({"loss": [0.5], "val_loss": [0.6]}, 0), ({"loss": [3, 2], "mae": [2, 1]}, 1)):
        figure = Figure()
        curves(history).draw(figure, LIGHT)
        assert [len(axes.lines) for axes in figure.axes] == [lines] * len({*history} - {"val_loss"})


def texts(targets, logits, labels):
    """Judged texts of any kind of target."""
    ids = tuple(map(str, range(len(targets))))
    dataset = [Example(id, f"text {id}", None) for id in ids]
    return Judged(dataset, "", "text", labels, ids, targets, logits.astype(np.float32), ())


def test_labels_have_figures_of_their_own():
    random = np.random.default_rng(0)
    true = random.random((300, 3)) < [0.5, 0.3, 0.1]
    logits = random.normal(size=true.shape) * 1.5 + true * 3 - 1.5
    found = tagger.report(texts(true, logits, ("a", "b", "c")))
    given = logits >= 0
    assert found.told["metrics"]["micro_f1"]["value"] == pytest.approx(f1_score(true, given, average="micro"))
    assert found.told["metrics"]["macro_f1"]["value"] == pytest.approx(f1_score(true, given, average="macro"))
    assert found.told["metrics"]["exact_match"]["value"] == pytest.approx(metrics.accuracy_score(true, given))
    wanted = metrics.average_precision_score(true, logits, average=None)
    assert [row["average_precision"] for row in found.told["labels"]] == pytest.approx(wanted, rel=1e-5)
    assert found.told["metrics"]["map"]["value"] == pytest.approx(wanted.mean(), rel=1e-5)
    for name in ("micro_f1", "macro_f1", "map"):
        told = found.told["metrics"][name]
        assert 0 < told["low"] < told["value"] < told["high"] < 1
    assert all(not one["right"] for one in found.told["mistakes"])
    surest = found.told["mistakes"][0]
    label, percent = surest["answer"].rstrip("%").split()
    assert (label in surest["true"].split(", ")) == (int(percent) < 50)
    assert found.drawn[0].light


def test_labels_that_no_example_has_have_no_curve():
    found = tagger.report(texts(np.zeros((4, 2), bool), np.full((4, 2), -1.0), ("a", "b")))
    assert [row["average_precision"] for row in found.told["labels"]] == [None, None]
    assert found.told["metrics"]["exact_match"]["value"] == 1
    assert found.drawn[0].light


@pytest.mark.parametrize("width", [1, 3])
def test_numbers_have_errors_and_residuals(width):
    random = np.random.default_rng(0)
    true = random.normal(size=(120, width)) * 10 + 50
    given = (true + random.normal(size=true.shape)).astype(np.float32)
    found = regressor.report(texts(true if width > 1 else true[:, 0], given, ("value",)))
    told = {name: score["value"] for name, score in found.told["metrics"].items()}
    assert told["mae"] == pytest.approx(metrics.mean_absolute_error(true, given))
    assert told["rmse"] == pytest.approx(metrics.root_mean_squared_error(true.ravel(), given.ravel()))
    assert told["r2"] == pytest.approx(metrics.r2_score(true, given, multioutput="variance_weighted"))
    for name in ("mae", "rmse", "r2"):
        assert found.told["metrics"][name]["low"] < told[name] < found.told["metrics"][name]["high"]
    errors = [np.abs(np.subtract(one["true"], one["predicted"])).mean() for one in found.told["mistakes"]]
    assert errors == sorted(errors, reverse=True)
    assert all(drawn.light for drawn in found.drawn)


def test_numbers_that_are_all_the_same_have_no_share_explained():
    found = regressor.report(texts(np.full(5, 2.0), np.full((5, 1), 2.5), ("value",)))
    assert found.told["metrics"]["r2"]["value"] is None
    assert found.told["metrics"]["bias"]["value"] == pytest.approx(0.5)
    assert all(drawn.light for drawn in found.drawn)


def test_both_bars_of_a_step_are_seen_whole():
    from matplotlib.figure import Figure

    figure = Figure()
    curves({"accuracy": [0.9], "loss": [0.5], "val_accuracy": [0.8], "val_loss": [0.6]}).draw(figure, LIGHT)
    for axes in figure.axes:
        low, high = sorted(axes.get_ylim())
        assert [low <= bar.get_y() and bar.get_y() + bar.get_height() <= high for bar in axes.patches] == [True, True]
