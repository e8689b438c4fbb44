"""Whether two runtimes detect alike: each object of the one is found by the other, in its place, class and score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.agreement import Agreement, Outputs, same_form

# How much two boxes must overlap to be one: at 0.9 a box of 100 pixels may be off by two or three at each edge.
IOU = 0.9
# By how much the two scores of an object may differ: less than anybody's choice of `conf` is certain.
SCORE = 0.05
# The objects that must be found, by their score: more than a prediction shows unless told otherwise (`conf`). Among
# fainter ones rounding decides which of two boxes suppresses the other, and which is the hundredth.
VISIBLE = 0.1
# Which part of them: of a hundred such objects one may be such a close call.
MATCHED = 0.99

NAMES = ("boxes", "scores", "classes", "count")


def boxes_agree(reference: Sequence[Outputs], candidate: Sequence[Outputs]) -> Agreement:
    """Which part of the visible objects of either side the other side has too, over all examples.

    Boxes may be of any form in which the first two numbers are the lesser corner: both sides have the same one.
    """
    measure, n = f"objects matched at IoU {IOU:g}", len(reference)
    if not all(set(NAMES) <= set(outputs) for outputs in candidate) or not same_form(reference, candidate, "count"):
        return Agreement(measure, 0.0, MATCHED, n, fault=f"the outputs are not {', '.join(NAMES)}")
    matched = visible = 0
    for left, right in zip(reference, candidate, strict=True):
        for seen, others in ((left, right), (right, left)):
            found = _matched(_real(seen), _real(others))
            matched += int(found.sum())
            visible += len(found)
    if not visible:
        return Agreement(measure, 0.0, MATCHED, n, fault=f"no object with a score of {VISIBLE:g}: nothing to compare")
    return Agreement(measure, matched / visible, MATCHED, n, note=_by_rank(reference, candidate))


def _by_rank(reference: Sequence[Outputs], candidate: Sequence[Outputs]) -> str:
    """By how much boxes differ place by place, where that looks worse than it is: equal scores come in any order."""
    if not same_form(reference, candidate, "boxes"):
        return ""
    furthest = max(
        float(np.nanmax(np.abs(np.subtract(left["boxes"], right["boxes"], dtype=np.float64)), initial=0.0))
        for left, right in zip(reference, candidate, strict=True)
    )
    return (
        f"in the order of scores, faint boxes included, they differ by up to {furthest:.3g}" if furthest > 0.01 else ""
    )


def _real(outputs: Outputs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes [k, 4], scores [k] and classes [k] of the objects that count."""
    boxes, scores, classes = (np.asarray(outputs[name], np.float64) for name in ("boxes", "scores", "classes"))
    count = int(np.clip(np.nan_to_num(float(outputs["count"])), 0, len(scores)))
    return boxes[:count], scores[:count], np.rint(classes[:count])


def _matched(seen: tuple[np.ndarray, ...], others: tuple[np.ndarray, ...]) -> np.ndarray:
    """For each visible object of `seen`, best first, whether one of `others` is the same; each serves once. Bool [v].

    A NaN is the same as nothing, and an object whose score is one stays visible, unmatched.
    """
    boxes, scores, classes = seen
    order = np.argsort(-np.nan_to_num(scores, nan=np.inf), kind="stable")
    order = order[~(scores[order] < VISIBLE)]
    overlap = _iou(boxes[order], others[0])
    same = (classes[order, None] == others[2]) & (np.abs(scores[order, None] - others[1]) <= SCORE)
    overlap = np.where(same & (overlap >= IOU), overlap, 0.0)
    found = np.zeros(len(order), bool)
    for row in range(len(order)):
        if overlap.shape[1] and overlap[row].max() > 0:
            found[row] = True
            overlap[:, overlap[row].argmax()] = 0.0
    return found


def _iou(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The intersection over union of each of `left` [n, 4] with each of `right` [m, 4], [n, m]; 0 for empty boxes."""
    low, high = (np.maximum(left[:, None, :2], right[None, :, :2]), np.minimum(left[:, None, 2:], right[None, :, 2:]))
    common = np.clip(high - low, 0, None).prod(axis=-1)
    union = _area(left)[:, None] + _area(right)[None] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=-1)
