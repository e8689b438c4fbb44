"""Which detections COCO counts as right, at each IoU and for each range of areas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from zoo_detection.figures import Found, Truth

IOUS = np.linspace(0.5, 0.95, 10)
# All, small, medium, large, in square pixels; both ends belong to a range.
AREAS = np.array([(0, 1e5**2), (0, 32**2), (32**2, 96**2), (96**2, 1e5**2)])
MOST = 100

UNMATCHED, RIGHT, IGNORED = 0, 1, 2


@dataclass(frozen=True)
class Matched:
    """Detections in order of category, picture and falling score, at most 100 for each picture and category.

    picture, category: int64 [d]; scores: float64 [d]; rank: int64 [d], the place within picture and category, from 0.
    in_range: bool [4, d], whether the detection's own area is in each of `AREAS`.
    outcome: int8 [4, 10, d], for each of `AREAS` and `IOUS`: UNMATCHED, RIGHT, or IGNORED where what it covers is a
        crowd or an object of another size.
    counted: bool [4, g], which objects of the truth are to be found in each of `AREAS`.
    """

    picture: np.ndarray
    category: np.ndarray
    scores: np.ndarray
    rank: np.ndarray
    in_range: np.ndarray
    outcome: np.ndarray
    counted: np.ndarray


def match(truth: Truth, found: Found) -> Matched:
    """COCOeval's matching of detections to objects (evaluateImg), picture by picture and category by category."""
    from faster_coco_eval.core.mask import iou

    order = np.lexsort((-found.scores, found.picture, found.category))  # stable
    groups = np.stack([found.category[order], found.picture[order]], axis=1)
    rank = _places(groups)
    order, groups, rank = order[rank < MOST], groups[rank < MOST], rank[rank < MOST]
    boxes = found.boxes[order]
    counted = _within(truth.areas) & ~truth.crowd
    outcome = np.zeros((len(AREAS), len(IOUS), len(order)), np.int8)
    objects = dict(_groups(np.stack([truth.category, truth.picture], axis=1)))
    for key, places in _groups(groups):
        wanted = objects.get(key)
        if wanted is not None:
            overlaps = iou(boxes[places], truth.boxes[wanted], truth.crowd[wanted].astype(int).tolist())
            outcome[:, :, places] = _match_group(np.asarray(overlaps), truth.crowd[wanted], counted[:, wanted])
    return Matched(
        picture=found.picture[order],
        category=found.category[order],
        scores=found.scores[order],
        rank=rank,
        in_range=_within(boxes[:, 2] * boxes[:, 3]),
        outcome=outcome,
        counted=counted,
    )


def _match_group(overlaps: np.ndarray, crowd: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Outcomes [4, 10, d] of detections, best first, from their IoU with objects, float64 [d, g].

    Each detection in turn takes the free object that it overlaps most: one that counts if there is any, else one that
    does not. A crowd is never used up. Among equals the last is taken.
    """
    detections, objects = overlaps.shape
    outcome = np.zeros((len(AREAS), len(IOUS), detections), np.int8)
    taken = np.zeros((len(AREAS), len(IOUS), objects), bool)
    lowest = np.minimum(IOUS, 1 - 1e-10)[:, None]
    preference = objects * counted[:, None, :]
    for detection in np.flatnonzero(overlaps.max(axis=1) >= IOUS[0]):
        overlap = overlaps[detection]
        place = np.empty(objects, int)
        place[np.argsort(overlap, kind="stable")] = np.arange(objects)
        possible = (overlap >= lowest) & (~taken | crowd)
        value = np.where(possible, place + preference, -1)
        best = value.argmax(axis=2)[:, :, None]
        hit = np.take_along_axis(possible, best, axis=2)
        np.put_along_axis(taken, best, hit | np.take_along_axis(taken, best, axis=2), axis=2)
        kind = np.where(np.take_along_axis(counted, best[:, :, 0], axis=1), RIGHT, IGNORED)
        outcome[:, :, detection] = np.where(hit[:, :, 0], kind, UNMATCHED)
    return outcome


def _within(areas: np.ndarray) -> np.ndarray:
    """Whether each of the areas [n] is in each of `AREAS`: bool [4, n]."""
    return (areas >= AREAS[:, :1]) & (areas <= AREAS[:, 1:])


def _groups(keys: np.ndarray) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """Each distinct row of `keys` [n, 2] with the places where it stands, in their order."""
    if not len(keys):
        return
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    starts = np.flatnonzero(np.any(np.diff(keys[order], axis=0), axis=1)) + 1
    for places in np.split(order, starts):
        yield tuple(keys[places[0]].tolist()), places


def _places(groups: np.ndarray) -> np.ndarray:
    """The place of each row within its run of equal rows, from 0."""
    index = np.arange(len(groups))
    fresh = np.ones(len(groups), bool)
    fresh[1:] = np.any(np.diff(groups, axis=0), axis=1)
    return index - np.maximum.accumulate(np.where(fresh, index, 0))
