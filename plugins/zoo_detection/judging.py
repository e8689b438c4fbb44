"""Detections judged one by one: which are right, what is wrong with the others, and which objects nobody found.

The kinds of errors, and their order, are TIDE's (Bolya et al. 2020, arXiv:2008.08115).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo import Example

if TYPE_CHECKING:
    from zoo_detection.metric import CocoMetric
    from zoo_detection.task import Detections

HIT = 0.5  # the intersection over union from which a detection is of an object
NEAR = 0.1  # below which it has nothing to do with it
RIGHT, IGNORED = "right", "crowd"
ERRORS = {
    "place": "the class is right, the box is off",
    "class": "the box is right, the class is another",
    "twice": "an object that was found already",
    "nothing": "there is no object",
    "both": "neither box nor class is right",
}


@dataclass(frozen=True)
class Verdict:
    """kind: RIGHT, IGNORED (it lies in a crowd) or one of ERRORS; object: the place of what it is about, None where
    there is none; iou: intersection over union with that.
    """

    kind: str
    object: int | None = None
    iou: float = 0.0


@dataclass(frozen=True, eq=False)
class Judged:
    """One picture: detections from a score on, best first, each with its verdict, and the objects that are there.

    boxes, true_boxes: float64 [k, 4] and [g, 4], (left, top, right, bottom) in pixels; ids, true_ids: the model's.
    """

    example: Example
    size: tuple[int, int]
    boxes: np.ndarray
    scores: np.ndarray
    ids: np.ndarray
    true_boxes: np.ndarray
    true_ids: np.ndarray
    crowd: np.ndarray
    verdicts: tuple[Verdict, ...]

    @property
    def right(self) -> int:
        """How many detections are right."""
        return sum(verdict.kind == RIGHT for verdict in self.verdicts)

    @property
    def wrong(self) -> list[int]:
        """The places of the detections that are wrong."""
        return [place for place, verdict in enumerate(self.verdicts) if verdict.kind in ERRORS]

    @property
    def missed(self) -> list[int]:
        """The places of the objects that no detection found; a crowd need not be."""
        found = {verdict.object for verdict in self.verdicts if verdict.kind == RIGHT}
        return [place for place in np.flatnonzero(~self.crowd).tolist() if place not in found]


def judge(example: Example, detections: Detections, metric: CocoMetric, least: float) -> Judged:
    """The detections of `least` score and more, against the objects of `example` in the classes of `metric`."""
    kept = detections.scores >= least
    objects = example.target
    boxes, ids = detections.boxes[kept].astype(np.float64), detections.ids[kept]
    true_boxes = np.asarray(objects.boxes, np.float64).reshape(-1, 4)
    true_ids = metric.categories(objects)
    crowd = np.asarray(objects.crowd, bool) if objects.crowd else np.zeros(len(true_ids), bool)
    verdicts = _verdicts(_overlaps(boxes, true_boxes, crowd), ids, true_ids, crowd)
    scores = detections.scores[kept].astype(np.float64)
    return Judged(example, detections.size, boxes, scores, ids, true_boxes, true_ids, crowd, tuple(verdicts))


def _verdicts(overlaps: np.ndarray, ids: np.ndarray, true_ids: np.ndarray, crowd: np.ndarray) -> list[Verdict]:
    """As COCOeval at an IoU of 0.5: each detection, best first, takes the free object of its class that it fits."""
    free = ~crowd
    found = []
    for overlap, id in zip(overlaps, ids.tolist(), strict=True):
        own = true_ids == id
        place = _best(overlap, own & free, HIT)
        if place is not None:
            free[place] = False
            found.append(Verdict(RIGHT, place, float(overlap[place])))
        elif _best(overlap, own & crowd, HIT) is not None:
            found.append(Verdict(IGNORED))
        else:
            found.append(_error(overlap, own & ~crowd, ~own & ~crowd))
    return found


def _error(overlap: np.ndarray, own: np.ndarray, others: np.ndarray) -> Verdict:
    same, other = _best(overlap, own, NEAR), _best(overlap, others, NEAR)
    if same is not None and overlap[same] < HIT:
        kind, place = "place", same
    elif other is not None and overlap[other] >= HIT:
        kind, place = "class", other
    elif same is not None:
        kind, place = "twice", same
    elif other is not None:
        kind, place = "both", other
    else:
        return Verdict("nothing")
    return Verdict(kind, place, float(overlap[place]))


def _best(overlap: np.ndarray, among: np.ndarray, least: float) -> int | None:
    """The place of the largest overlap `among` those from `least` on; of equal ones the last, as COCOeval takes it."""
    places = np.flatnonzero(among & (overlap >= least))
    return int(places[len(places) - 1 - overlap[places][::-1].argmax()]) if len(places) else None


def _overlaps(boxes: np.ndarray, objects: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """Intersection over union, float64 [k, g]; with a crowd: over the box's own area, as COCO has it."""
    corner = np.maximum(boxes[:, None, :2], objects[None, :, :2])
    opposite = np.minimum(boxes[:, None, 2:], objects[None, :, 2:])
    shared = (opposite - corner).clip(0).prod(-1)
    own, theirs = ((rows[:, 2:] - rows[:, :2]).prod(-1) for rows in (boxes, objects))
    either = np.where(crowd, own[:, None], own[:, None] + theirs - shared)
    return np.asarray(shared / np.maximum(either, 1e-12))


def by_label(pictures: Sequence[Judged], id: int) -> tuple[int, int, int]:
    """Of a class: how many objects there are, how many were found, and how many detections are wrong."""
    there = sum(int(((one.true_ids == id) & ~one.crowd).sum()) for one in pictures)
    missed = sum(int((one.true_ids[one.missed] == id).sum()) for one in pictures)
    wrong = sum(int((one.ids[one.wrong] == id).sum()) for one in pictures)
    return there, there - missed, wrong
