"""Figures of several labels at once: mean average precision, F1 over all decisions and over labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo import Example, Metric, Score
from zoo.errors import LabelError
from zoo.labels import LabelSpace, translate
from zoo.metrics import average_precision, bootstrap, proportion

if TYPE_CHECKING:
    from zoo_multilabel.task import MultiLabel


class MultiLabelMetric(Metric):
    """map, f1_micro, f1_macro, exact: every figure in 0..1, intervals by resampling examples.

    map: the mean over labels of the average precision, sum of (R_k - R_k-1) P_k without interpolation, as scikit-learn
        has it; f1_micro, f1_macro: at the threshold of the predictions, over all decisions alike, or the mean over
        labels; exact: the share of examples all whose labels are right.
    Labels of which there is no example count in f1_micro and exact alone, which the note says.
    """

    def __init__(self, source: LabelSpace | None, labels: LabelSpace | None) -> None:
        self._map = None if source is None or labels is None else translate(source, labels)
        self._labels = labels
        self._scores: list[np.ndarray] = []
        self._found: list[np.ndarray] = []
        self._true: list[np.ndarray] = []
        self.note = ""

    def update(self, example: Example, predictions: Sequence[MultiLabel]) -> None:
        """Count one example."""
        prediction = predictions[0]
        true = np.zeros(len(prediction.scores), bool)
        for id in example.target:
            place = id if self._map is None else self._map[id]
            if not 0 <= place < len(true):
                raise LabelError(f"{example.id}: there is no class {id}; the model has 0..{len(true) - 1}")
            true[place] = True
        self._scores.append(prediction.scores)
        self._found.append(prediction.scores >= prediction.threshold)
        self._true.append(true)

    def result(self) -> dict[str, Score]:
        """The scores of all examples counted so far."""
        scores, found, true = (np.stack(rows) for rows in (self._scores, self._found, self._true))
        n = len(true)
        there = true.any(axis=0)
        if not there.all():
            absent = [self._labels.label(id) if self._labels else str(id) for id in np.flatnonzero(~there).tolist()]
            self.note = f"no example has {', '.join(map(repr, absent))}: left out of map and f1_macro"
        once = np.ones((1, n))
        figures = {
            "map": lambda weights: _mean_precision(scores[:, there], true[:, there], weights),
            "f1_micro": lambda weights: _f1(found, true, weights, micro=True),
            "f1_macro": lambda weights: _f1(found[:, there], true[:, there], weights, micro=False),
        }
        told = {name: bootstrap(figure, float(figure(once)[0]), n) for name, figure in figures.items()}
        return told | {"exact": proportion(int((found == true).all(axis=1).sum()), n)}


def _mean_precision(scores: np.ndarray, true: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean average precision with each example counted as often as `weights` [b, n] say: [b]."""
    if not true.shape[1]:
        return np.full(len(weights), np.nan)
    found = [average_precision(*columns, weights) for columns in zip(scores.T, true.T, strict=True)]
    there = ~np.isnan(found)
    return np.where(there, found, 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)


def _f1(found: np.ndarray, true: np.ndarray, weights: np.ndarray, *, micro: bool) -> np.ndarray:
    """2 TP / (2 TP + FP + FN) with each example counted as often as `weights` [b, n] say: [b]."""
    if not true.shape[1]:
        return np.full(len(weights), np.nan)
    hits, told = weights @ (found & true), weights @ (found.astype(float) + true)
    if micro:
        hits, told = hits.sum(axis=1, keepdims=True), told.sum(axis=1, keepdims=True)
    return (2 * hits / np.maximum(told, 1)).mean(axis=1)
