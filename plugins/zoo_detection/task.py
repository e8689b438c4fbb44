"""The task `detection`: boxes of a network's input become objects of the original picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from zoo import Dataset, OutputSpec, Prediction, Task
from zoo.agreement import Agreement, Outputs
from zoo.errors import OptionError
from zoo.inputs import Prepared
from zoo.labels import LabelSpace, refuse_ids
from zoo_detection.agreement import boxes_agree
from zoo_detection.drawing import draw
from zoo_detection.metric import CocoMetric

if TYPE_CHECKING:
    from zoo.transfer.report.kind import Report
    from zoo.transfer.report.predicted import Predicted

_SCORES_SHOWN = 5
_SURE = 0.3  # a score from which an id that its label space does not list is no noise


@dataclass(frozen=True, eq=False)
class Detections(Prediction):
    """The objects of one picture, best first.

    boxes: float32 [k, 4], (left, top, right, bottom) in pixels of the upright original; scores: float32 [k], 0..1.
    labels: the name of each class; ids: int64 [k], the classes as the model numbers them.
    size: (width, height) of the original; source: what it was read from, so that the boxes can be drawn on it.
    """

    drawable: ClassVar[bool] = True

    boxes: np.ndarray
    scores: np.ndarray
    labels: tuple[str, ...]
    ids: np.ndarray
    size: tuple[int, int]
    source: Any = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    def __bool__(self) -> bool:
        return True  # a picture without objects is an answer, where a `Failed` is none

    def __iter__(self) -> Iterator[tuple[np.ndarray, float, str]]:
        """(box, score, label) of each object, best first."""
        return zip(self.boxes, map(float, self.scores), self.labels, strict=True)

    def __str__(self) -> str:
        by_label: dict[str, list[float]] = {}
        for _, score, label in self:
            by_label.setdefault(label, []).append(score)
        parts = [f"{len(scores)} {label} ({_percentages(scores)})" for label, scores in by_label.items()]
        count = f"{len(self) or 'no'} object{'s' if len(self) != 1 else ''}"
        return f"{count}: {', '.join(parts)}" if parts else count

    def to_json(self) -> dict[str, Any]:
        """The size of the picture, and label, id, score and box of each object."""
        objects = [
            {"label": label, "id": int(id), "score": float(score), "box": [float(edge) for edge in box]}
            for label, id, score, box in zip(self.labels, self.ids, self.scores, self.boxes, strict=True)
        ]
        return {"width": self.size[0], "height": self.size[1], "objects": objects}

    def save(self, path: str | Path) -> Path:
        """Draw the boxes with labels and scores on the original; `path`'s suffix decides the format.

        A small picture is drawn enlarged, so that its labels can be read. Raises OptionError for a suffix or folder
        that can't be written, InputError where the original is gone.
        """
        return draw(self.source, self.boxes, self.scores, self.labels, self.ids, Path(path))


class Detection(Task):
    """Boxes with labels for the objects in a picture."""

    def postprocess(
        self,
        outputs: Mapping[str, np.ndarray],
        inputs: Sequence[Prepared],
        facts: OutputSpec,
        labels: LabelSpace | None,
        options: Mapping[str, Any],
    ) -> list[Detections]:
        """The objects of each picture with score >= `conf`, at most `max_det`, clipped to the picture.

        outputs: "boxes" [n, k, 4] in the form that `facts.boxes` says, "scores" [n, k], "classes" [n, k], and
            "count" [n], how many of the k are real.
        Raises LabelError where the ids are those of another numbering than `labels`.
        """
        conf, max_det = options["conf"], options["max_det"]
        labels = labels or LabelSpace("unnamed", {})
        found = []
        for index, prepared in enumerate(inputs):
            real = int(outputs["count"][index])
            scores = np.asarray(outputs["scores"][index][:real], np.float32)
            boxes = _in_picture(np.asarray(outputs["boxes"][index][:real], np.float64), facts.boxes, prepared)
            # What lies in the padding beside the picture is no object of it; a NaN fails every comparison.
            visible = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]) & (scores >= conf)
            kept = np.flatnonzero(visible)
            kept = kept[np.argsort(-scores[kept], kind="stable")][:max_det]
            ids = np.rint(outputs["classes"][index][kept]).astype(np.int64)
            refuse_ids(ids[scores[kept] >= _SURE], labels)
            names = tuple(labels.label(id) for id in ids)
            found.append(Detections(boxes[kept], scores[kept], names, ids, prepared.size, prepared.source))
        return found

    def check(self, options: Mapping[str, Any]) -> None:
        """`conf` lies in 0..1 and `max_det` is at least 1; else OptionError."""
        if not 0 <= options["conf"] <= 1:
            raise OptionError(f"conf={options['conf']!r} means nothing; a score lies in 0..1")
        if options["max_det"] < 1:
            raise OptionError(f"max_det={options['max_det']!r} is too small; it is at least 1")

    def evaluation_options(self) -> dict[str, Any]:
        """COCO counts every detection, however unsure, up to 100 a picture."""
        return {"conf": 0.0, "max_det": 100}

    def metric(self, dataset: Dataset, labels: LabelSpace | None) -> CocoMetric:
        """COCO's twelve figures; raises LabelError where an annotated category is none of the model's."""
        return CocoMetric(dataset.labels, labels, annotated=getattr(dataset, "annotated", ()))

    def report(self, predicted: Predicted) -> Report:
        """See `zoo_detection.report`; boxes are shown from the score on that `predict` keeps by default."""
        from zoo_detection.report import report

        return report(predicted, self.settings({})["conf"])

    def agreement(self, reference: Sequence[Outputs], candidate: Sequence[Outputs], facts: OutputSpec) -> Agreement:
        """Boxes agree object by object."""
        return boxes_agree(reference, candidate)


def _in_picture(boxes: np.ndarray, form: str, prepared: Prepared) -> np.ndarray:
    """Boxes [k, 4] of the network's input as float32 (left, top, right, bottom) in pixels of the original."""
    order, unit = form.split("_")
    if order == "yxyx":
        boxes = boxes[:, [1, 0, 3, 2]]
    if unit == "pixel":
        height, width = prepared.value.shape[:2]
        boxes = boxes / (width, height, width, height)
    left, top, right, bottom = prepared.window
    boxes = boxes * (right - left, bottom - top, right - left, bottom - top) + (left, top, left, top)
    return boxes.clip(0, [*prepared.size, *prepared.size]).astype(np.float32)


def _percentages(scores: Sequence[float]) -> str:
    shown = ", ".join(f"{score:.1%}" for score in scores[:_SCORES_SHOWN])
    return shown + (", ..." if len(scores) > _SCORES_SHOWN else "")
