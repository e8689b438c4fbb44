"""The task `multilabel`: logits become a probability for each label; mean average precision and F1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from zoo import Dataset, OutputSpec, Prediction, Task
from zoo.errors import LabelError, OptionError
from zoo.inputs import Prepared
from zoo.labels import LabelSpace
from zoo_multilabel.metric import MultiLabelMetric


@dataclass(frozen=True, eq=False, repr=False)  # arrays have no one truth to compare by
class MultiLabel(Prediction):
    """The labels that hold. scores: float32 [classes], a probability for each; they need not sum to 1."""

    scores: np.ndarray
    space: LabelSpace
    threshold: float

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids of the labels that hold, the most probable first."""
        order = np.argsort(-self.scores, kind="stable")
        return tuple(int(id) for id in order if self.scores[id] >= self.threshold)

    @property
    def labels(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self.space.label(id) for id in self.ids)

    def __bool__(self) -> bool:
        return True  # an input without labels is an answer, where a `Failed` is none

    def __str__(self) -> str:
        return ", ".join(f"{self.space.label(id)} ({self.scores[id]:.2%})" for id in self.ids) or "no label"

    def __repr__(self) -> str:
        return f"MultiLabel({str(self)!r})"

    def to_json(self) -> dict[str, Any]:
        """The labels that hold, and the probability of every label."""
        scores = {self.space.label(id): float(score) for id, score in enumerate(self.scores)}
        return {"labels": list(self.labels), "scores": scores}


class MultiLabelTask(Task):
    """All labels that hold for each picture or text."""

    def postprocess(
        self,
        outputs: Mapping[str, np.ndarray],
        inputs: Sequence[Prepared],
        facts: OutputSpec,
        labels: LabelSpace | None,
        options: Mapping[str, Any],
    ) -> list[MultiLabel]:
        """Probabilities from `logits` [n, classes], each by itself; raises LabelError where their number is off."""
        logits = outputs["logits"].astype(np.float32, copy=False)
        labels = labels or LabelSpace("unnamed", {index: f"class {index}" for index in range(logits.shape[1])})
        if len(labels) != logits.shape[1]:
            raise LabelError(f"the head gives {logits.shape[1]} scores, but {labels.name!r} has {len(labels)} classes")
        return [MultiLabel(expit(row), labels, options["threshold"]) for row in logits]

    def check(self, options: Mapping[str, Any]) -> None:
        """`threshold` lies in 0..1; else OptionError."""
        if not 0 <= options["threshold"] <= 1:
            raise OptionError(f"threshold={options['threshold']!r} means nothing; a probability lies in 0..1")

    def metric(self, dataset: Dataset, labels: LabelSpace | None) -> MultiLabelMetric:
        """Mean average precision and F1 of predictions in `labels` on `dataset`."""
        return MultiLabelMetric(dataset.labels, labels)
