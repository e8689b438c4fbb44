"""The metric of detection: COCO's twelve figures with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo import Example, Metric, Objects, Score
from zoo.errors import DatasetError, LabelError
from zoo.labels import LabelSpace, read_indices, translate
from zoo_detection.bootstrap import scores_with_intervals
from zoo_detection.figures import Found, Truth, coco_figures

if TYPE_CHECKING:
    from zoo_detection.task import Detections


class CocoMetric(Metric):
    """ap (mean over IoU 0.50:0.95), ap50, ap75, ap_small, ap_medium, ap_large, ar1, ar10, ar100, ar_small, ar_medium
    and ar_large as COCOeval computes them (Lin et al. 2014, arXiv:1405.0312; cocodataset.org/#detection-eval), with
    areas and crowds from the annotation. Each score's n is the number of pictures; intervals come from the bootstrap
    over pictures (`zoo_detection.bootstrap`). A figure for which there is no object (ap_small where none is small)
    is left out; with objects and no detection it is 0.

    truth: the dataset's label space, None for bare ids, which are then read as the model's own.
    model: the model's label space; annotated: ids in `truth` that are known to have objects, checked at once.
    Raises LabelError, here or in `update`, for an annotated category that is none of the model's: its objects could
    never be found, and the figures would be low without a word.
    """

    def __init__(self, truth: LabelSpace | None, model: LabelSpace | None, annotated: Iterable[int] = ()) -> None:
        self._truth_space = truth
        self._model_space = model
        self._counterpart: dict[int, int] = {}
        self._ids_note = ""
        self._order: list[int] = []
        self._truth: list[tuple[np.ndarray, ...]] = []
        self._found: list[tuple[np.ndarray, ...]] = []
        self._resized = 0
        self._admit(annotated)

    @property
    def note(self) -> str:
        """What a reader of the figures must know."""
        resized = f"pictures of another size than their annotation says: {self._resized}" if self._resized else ""
        return "; ".join(note for note in (self._ids_note, resized) if note)

    def update(self, example: Example, predictions: Sequence[Detections]) -> None:
        """Count one picture; `example.target` is an `Objects`, anything else a DatasetError."""
        objects, detections = _objects(example), predictions[0]
        self._admit(objects.ids)
        self._resized += objects.size not in ((0, 0), detections.size)
        self._order.append(objects.image_id)
        self._truth.append(self._rows(objects))
        self._found.append((detections.ids, _left_top_width_height(detections.boxes), detections.scores))

    def result(self) -> dict[str, Score]:
        """The figures that are defined on what was counted, each over all pictures."""
        return _figures(*self.counted(), len(self._order)) if self._order else {}

    def by_class(self) -> dict[int, dict[str, Score]]:
        """The figures of each class by itself, by the model's id; those of which there is an object."""
        if not self._order:
            return {}
        truth, found = self.counted()
        return {
            id: _figures(truth.where(truth.category == id), found.where(found.category == id), len(self._order))
            for id in np.unique(truth.category).tolist()
        }

    def counted(self) -> tuple[Truth, Found]:
        """All objects and all detections of what was counted; at least one picture was."""
        # By image id, as COCOeval sorts: it decides between detections of one score. Ids may be missing (all 0).
        order = np.argsort(np.asarray(self._order, np.int64), kind="stable")
        truth = Truth(*_concatenated([self._truth[place] for place in order]))
        return truth, Found(*_concatenated([self._found[place] for place in order]))

    def categories(self, objects: Objects) -> np.ndarray:
        """The classes of `objects`, which were counted, as the model numbers them: int64 [g]."""
        return np.array([self._counterpart[id] for id in objects.ids], np.int64)

    def _rows(self, objects: Objects) -> tuple[np.ndarray, ...]:
        """Category (the model's id), box, area and crowd of each object."""
        boxes = _left_top_width_height(np.asarray(objects.boxes, np.float64))
        areas = np.asarray(objects.areas, np.float64) if objects.areas else boxes[:, 2] * boxes[:, 3]
        crowd = np.asarray(objects.crowd, bool) if objects.crowd else np.zeros(len(boxes), bool)
        return self.categories(objects), boxes, areas, crowd

    def _admit(self, ids: Iterable[int]) -> None:
        """Find the model's counterpart of each id of the dataset."""
        new = set(ids) - self._counterpart.keys()
        if not new:
            return
        if self._truth_space is None and self._model_space is None:
            self._counterpart |= {id: id for id in new}
        elif self._model_space is None:
            raise LabelError("the model's boxes have no label space; state it in 'labels' of its output's facts")
        elif self._truth_space is None:
            mapped, self._ids_note = read_indices(new, self._model_space)
            self._counterpart |= mapped
        else:
            self._counterpart |= translate(self._truth_space, self._model_space, new)
            self._reject_twins(self._truth_space)

    def _reject_twins(self, space: LabelSpace) -> None:
        holders: dict[int, int] = {}
        for id, counterpart in self._counterpart.items():
            if holders.setdefault(counterpart, id) != id:
                raise LabelError(
                    f"categories {holders[counterpart]} and {id} of {space.name!r} are one class, "
                    f"{space.label(id)!r}; give them different names or one id"
                )


def _figures(truth: Truth, found: Found, pictures: int) -> dict[str, Score]:
    if not len(truth.picture):
        return {}
    return scores_with_intervals(coco_figures(truth, found, pictures), truth, found, pictures)


def _objects(example: Example) -> Objects:
    objects = example.target
    if not isinstance(objects, Objects):
        raise DatasetError(f"{example.id!r} has a {type(objects).__name__} for its target, not a zoo.Objects")
    lengths = {len(column) for column in (objects.boxes, objects.ids, objects.crowd, objects.areas) if len(column)}
    if len(lengths) > 1 or len(objects.boxes) != len(objects.ids):
        raise DatasetError(f"{example.id!r} has boxes, ids, crowd and areas of different lengths: {objects}")
    return objects


def _left_top_width_height(boxes: np.ndarray) -> np.ndarray:
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def _concatenated(pictures: Sequence[tuple[np.ndarray, ...]]) -> list[np.ndarray]:
    """The columns of all pictures one after the other, led by the number of the picture of each row."""
    number = np.repeat(np.arange(len(pictures)), [len(rows[0]) for rows in pictures])
    return [number, *(np.concatenate(column) for column in zip(*pictures, strict=True))]
