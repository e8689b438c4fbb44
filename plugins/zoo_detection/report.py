"""The page about a detector that was trained: what its boxes are worth, and where they go wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.labels import LabelSpace
from zoo.metrics import Score, bootstrap
from zoo.transfer.report.classes import score
from zoo.transfer.report.classifier import within
from zoo.transfer.report.drawing import Drawn, Palette
from zoo.transfer.report.judged import evenly
from zoo.transfer.report.kind import Report
from zoo.transfer.report.page import Section, figure, gallery, table
from zoo.transfer.report.predicted import Predicted
from zoo.transfer.report.shown import Answer, Claim, grid
from zoo_detection.judging import ERRORS, HIT, IGNORED, RIGHT, Judged, Verdict, by_label, judge
from zoo_detection.marking import Box, Mark, marked
from zoo_detection.matching import RIGHT as HITS
from zoo_detection.matching import UNMATCHED, match
from zoo_detection.metric import CocoMetric

SHOWN = 12  # pictures in the grid
MISTAKES = 12
CONFUSED = 10  # pairs of classes
AROUND = 2.5  # the side of the square that a mistake is shown in, in its own longer sides
Mistake = tuple[Judged, int]


def report(predicted: Predicted, least: float) -> Report:
    """What there is to say of `predicted`; boxes are shown, counted and judged from a score of `least` on."""
    metric = predicted.metric
    assert isinstance(metric, CocoMetric)
    labels = predicted.labels or LabelSpace("unnamed", {})
    pairs = zip(predicted.examples, predicted.predictions, strict=True)
    pictures = [judge(example, detections, metric, least) for example, detections in pairs]
    wrong: list[Mistake] = [(one, place) for one in pictures for place in one.wrong]
    wrong.sort(key=lambda mistake: -mistake[0].scores[mistake[1]])
    figures, classes = metric.result(), metric.by_class()
    curve = _thresholds(metric, least)
    seen = [_answer(pictures[place], labels) for place in evenly(len(pictures), SHOWN)]
    mistakes = [_mistake(*mistake, labels) for mistake in wrong[:MISTAKES]]
    sections = (
        _by_class(pictures, classes, labels, least),
        *([Section("Precision and recall by score", figure(curve), _CURVE)] if curve else []),
        Section("Pictures with their predictions", gallery(seen, wide=True), _SEEN.format(least)),
        Section("What goes wrong", _wrong(pictures, wrong, labels), _WRONG.format(least, HIT)),
        Section(
            "Most confident mistakes",
            gallery(mistakes, wide=True) if mistakes else "<p>There are none: every box is right.</p>",
            f"The {len(mistakes)} surest of {len(wrong)} wrong boxes, with what is there: look here for missing labels."
            if mistakes
            else "",
        ),
    )
    drawn = (*([curve] if curve else []), grid(seen, columns=3))
    told = {
        "metrics": {name: score(figure) for name, figure in figures.items()},
        "before": predicted.before and {name: score(figure) for name, figure in predicted.before.items()},
        "score": least,
        "classes": [_told_class(pictures, id, figures, labels) for id, figures in _all(classes, labels).items()],
        "boxes": _counts(pictures, wrong),
        "confused": [list(pair) for pair in _confused(wrong, labels)],
        "mistakes": [_told_mistake(*mistake, labels) for mistake in wrong[:MISTAKES]],
    }
    return Report(_cards(predicted, pictures, figures, least), sections, drawn, told)


_CURVE = (
    "Of the boxes from a score on, the share that is right, and the share of the objects that they find. The vertical "
    "line is the score from which boxes are shown here."
)
_SEEN = (
    "Blue: right; red, with a cross: wrong; grey and dashed: an object that was missed. Boxes from a score of {:.0%}; "
    "pictures evenly spread."
)
_WRONG = "Boxes from a score of {:.0%}; right are those of the right class that overlap the object by {:.0%} or more."


def _cards(
    predicted: Predicted, pictures: Sequence[Judged], figures: Mapping[str, Score], least: float
) -> tuple[tuple[str, str, str], ...]:
    def card(name: str, found: Mapping[str, Score], figure: str, otherwise: str) -> tuple[str, str, str]:
        known = found.get(figure)
        return (name, f"{known.value:.3f}", within(known, "{:.3f}")) if known else (name, "–", otherwise)

    right = np.array([one.right for one in pictures])
    objects = np.array([int((~one.crowd).sum()) for one in pictures])
    boxes = right + [len(one.wrong) for one in pictures]
    none = "there is no object"
    other = "none: it had other classes"
    before = [] if predicted.before is None else [card("AP before training", predicted.before, "ap", other)]
    return (
        card("AP", figures, "ap", none),
        card("AP50", figures, "ap50", none),
        *before,
        _share(f"Recall at {least:.0%}", right, objects, "objects"),
        _share(f"Precision at {least:.0%}", right, boxes, "boxes"),
        ("Pictures", f"{len(pictures):,}", f"{objects.sum():,} objects; {len(predicted.failed)} unreadable"),
    )


def _share(name: str, part: np.ndarray, whole: np.ndarray, what: str) -> tuple[str, str, str]:
    """The card of a share of counts in each picture; its interval comes from resampling pictures."""
    if not whole.sum():
        return name, "–", f"there are no {what}"

    def drawn(weights: np.ndarray) -> np.ndarray:
        return np.asarray((weights @ part) / np.maximum(weights @ whole, 1))

    found = bootstrap(drawn, float(part.sum() / whole.sum()), len(part), least=0.0)
    return name, f"{found.value:.1%}", f"{part.sum():,} of {whole.sum():,} {what}; {within(found)}"


def _all(classes: Mapping[int, Mapping[str, Score]], labels: LabelSpace) -> dict[int, Mapping[str, Score]]:
    """The figures of every class of the model, none where there is no object of it."""
    return {id: classes.get(id, {}) for id in sorted({*classes, *labels.names})}


def _by_class(
    pictures: Sequence[Judged], classes: Mapping[int, Mapping[str, Score]], labels: LabelSpace, least: float
) -> Section:
    def cell(figure: Score | None) -> tuple[str, float | None]:
        if figure is None:
            return "–", None
        if figure.low is None or figure.high is None:
            return f"{figure.value:.3f}", figure.value
        return f"{figure.value:.3f} [{figure.low:.2f}, {figure.high:.2f}]", figure.value

    def row(id: int, figures: Mapping[str, Score]) -> tuple[Any, ...]:
        counts = [(f"{count:,}", count) for count in by_label(pictures, id)]
        return labels.label(id), cell(figures.get("ap")), cell(figures.get("ap50")), *counts

    rows = [row(id, figures) for id, figures in _all(classes, labels).items()]
    heads = ("class", "AP", "AP50", "objects", "found", "wrong boxes")
    lead = (
        f"AP over all scores, with 95% intervals; found and wrong boxes from a score of {least:.0%}. A heading sorts."
    )
    return Section("By class", table("By class", heads, rows, sortable=True), lead)


def _thresholds(metric: CocoMetric, least: float) -> Drawn | None:
    """Precision and recall at an IoU of 0.5 by the lowest score that is kept; None where there is nothing to draw."""
    truth, found = metric.counted()
    matched = match(truth, found)
    order = np.argsort(-matched.scores, kind="stable")
    outcome, scores = matched.outcome[0, 0, order], matched.scores[order]
    hits, misses = np.cumsum(outcome == HITS), np.cumsum(outcome == UNMATCHED)
    objects = int(matched.counted[0].sum())
    if not objects or not len(scores):
        return None
    last = np.flatnonzero(np.diff(scores, append=-1.0))  # of equal scores all are kept, or none
    precision, recall = hits[last] / np.maximum(hits[last] + misses[last], 1), hits[last] / objects

    def draw(figure: Any, palette: Palette) -> None:
        axes = figure.subplots()
        axes.axvline(least, color=palette.faint, linewidth=1)
        style: dict[str, Any] = {"where": "post", "linewidth": 1.8}  # each holds down to the next lower score
        axes.step(scores[last], precision, color=palette.right, label="precision", **style)
        axes.step(scores[last], recall, color=palette.wrong, linestyle="--", label="recall", **style)
        axes.set(xlim=(0, 1.01), ylim=(0, 1.02), xlabel="lowest score that is kept", ylabel="share")
        axes.grid()
        axes.legend(loc="best", fontsize=9)

    at = int(np.searchsorted(-scores[last], -least, side="right")) - 1
    told = f"precision {precision[at]:.3f}, recall {recall[at]:.3f}" if at >= 0 else "no box"
    return Drawn(
        "thresholds", f"Precision and recall by score; from {least:.0%} on: {told}.", (5.4, 3.6), draw, least=420
    )


def _answer(one: Judged, labels: LabelSpace) -> Answer:
    """A picture with all its boxes, and how many are right."""
    marks = [_mark(one, place, labels) for place, verdict in enumerate(one.verdicts) if verdict.kind != IGNORED]
    marks += [
        Mark(_box(one.true_boxes[place]), labels.label(int(one.true_ids[place])), "missed") for place in one.missed
    ]
    told = f"{one.right} right, {len(one.wrong)} wrong"
    claim = Claim(told, f"{len(one.missed)} missed", not one.wrong and not one.missed)
    return Answer(one.example.id, claim, marked(one.example.input, marks))


def _mistake(one: Judged, place: int, labels: LabelSpace) -> Answer:
    """What is around a wrong box, with the object that it should have been."""
    verdict, box = one.verdicts[place], one.boxes[place]
    marks = [_mark(one, place, labels)]
    if verdict.object is not None:
        true = _box(one.true_boxes[verdict.object])
        marks.append(Mark(true, labels.label(int(one.true_ids[verdict.object])), "missed"))
        box = np.concatenate([np.minimum(box[:2], true[:2]), np.maximum(box[2:], true[2:])])
    name = f"{labels.label(int(one.ids[place]))} {one.scores[place]:.0%}"
    claim = Claim(name, _truth(verdict, one, labels), False)
    return Answer(one.example.id, claim, marked(one.example.input, marks, _around(box, one.size)))


def _around(box: np.ndarray, size: tuple[int, int]) -> Box:
    """A square around the box, moved into the picture of `size` and cut where that is smaller."""
    side = min(AROUND * max(box[2:] - box[:2]), float(max(size)))
    start = np.clip((box[:2] + box[2:] - side) / 2, 0, np.maximum(np.array(size) - side, 0))
    return _box(np.concatenate([start, np.minimum(start + side, size)]))


def _truth(verdict: Verdict, one: Judged, labels: LabelSpace) -> str:
    if verdict.object is None:
        return "nothing there"
    name = labels.label(int(one.true_ids[verdict.object]))
    words = {"place": f"box off, IoU {verdict.iou:.2f}", "twice": "found already", "class": f"it is {name}"}
    return words.get(verdict.kind, f"near it is {name}, IoU {verdict.iou:.2f}")


def _mark(one: Judged, place: int, labels: LabelSpace) -> Mark:
    right = one.verdicts[place].kind == RIGHT
    text = f"{'' if right else '✗ '}{labels.label(int(one.ids[place]))} {one.scores[place]:.0%}"
    return Mark(_box(one.boxes[place]), text, "right" if right else "wrong")


def _box(edges: np.ndarray) -> Box:
    left, top, right, bottom = map(float, edges)
    return left, top, right, bottom


def _wrong(pictures: Sequence[Judged], wrong: Sequence[Mistake], labels: LabelSpace) -> str:
    meanings = {RIGHT: "right", **ERRORS, "missed": "missed: an object that no right box is on"}
    rows = [(meanings[kind], f"{count:,}") for kind, count in _counts(pictures, wrong).items()]
    kinds = table("Kinds of errors", ("what", "times"), rows)
    confused = [(true, answer, count) for true, answer, count in _confused(wrong, labels)]
    pairs = table("Most confused", ("true", "taken for", "times"), confused) if confused else ""
    return f"<div class=beside><div>{kinds}</div><div>{pairs}</div></div>"


def _counts(pictures: Sequence[Judged], wrong: Sequence[Mistake]) -> dict[str, int]:
    kinds = Counter(one.verdicts[place].kind for one, place in wrong)
    missed = sum(len(one.missed) for one in pictures)
    return {RIGHT: sum(one.right for one in pictures), **{kind: kinds[kind] for kind in ERRORS}, "missed": missed}


def _confused(wrong: Sequence[Mistake], labels: LabelSpace) -> list[tuple[str, str, int]]:
    """(true class, answer, how often), the most frequent first, of boxes that lie on an object of another class."""
    pairs: Counter[tuple[int, int]] = Counter()
    for one, place in wrong:
        verdict = one.verdicts[place]
        if verdict.kind == "class" and verdict.object is not None:
            pairs[int(one.true_ids[verdict.object]), int(one.ids[place])] += 1
    return [(labels.label(true), labels.label(answer), n) for (true, answer), n in pairs.most_common(CONFUSED)]


def _told_class(
    pictures: Sequence[Judged], id: int, figures: Mapping[str, Score], labels: LabelSpace
) -> dict[str, Any]:
    there, found, wrong = by_label(pictures, id)
    shares = {name: score(figures.get(name)) for name in ("ap", "ap50")}
    return {"label": labels.label(id), "objects": there, "found": found, "wrong": wrong, **shares}


def _told_mistake(one: Judged, place: int, labels: LabelSpace) -> dict[str, Any]:
    verdict = one.verdicts[place]
    true = None if verdict.object is None else labels.label(int(one.true_ids[verdict.object]))
    return {
        "id": one.example.id,
        "predicted": labels.label(int(one.ids[place])),
        "score": float(one.scores[place]),
        "box": one.boxes[place].tolist(),
        "kind": verdict.kind,
        "true": true,
        "iou": verdict.iou,
    }
