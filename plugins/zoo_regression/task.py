"""The task `regression`: a head's only output is the number; MAE, RMSE, R2 and Spearman's correlation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from zoo import Dataset, Example, Metric, OutputSpec, Prediction, Score, Task
from zoo.inputs import Prepared
from zoo.labels import LabelSpace
from zoo.metrics import bootstrap, correlation, mean


@dataclass(frozen=True)
class Number(Prediction):
    """A number. name: what it is, as the column of the training data was called."""

    value: float
    name: str

    def __bool__(self) -> bool:
        return True  # 0 is an answer, where a `Failed` is none

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        return f"{self.name} {self.value:.4g}"

    def to_json(self) -> dict[str, Any]:
        """The number and its name."""
        return {"name": self.name, "value": self.value}


class RegressionTask(Task):
    """A number for each picture or text."""

    def postprocess(
        self,
        outputs: Mapping[str, np.ndarray],
        inputs: Sequence[Prepared],
        facts: OutputSpec,
        labels: LabelSpace | None,
        options: Mapping[str, Any],
    ) -> list[Number]:
        """The rows of `logits` [n, 1], which a head for numbers gives as they are."""
        name = labels.label(0) if labels else "value"
        return [Number(float(row[0]), name) for row in outputs["logits"]]

    def metric(self, dataset: Dataset, labels: LabelSpace | None) -> RegressionMetric:
        """The errors of predictions on `dataset`."""
        return RegressionMetric()


class RegressionMetric(Metric):
    """mae, rmse (in the target's unit), r2 (at most 1; 0 for a constant at the mean) and spearman (-1..1)."""

    note = ""

    def __init__(self) -> None:
        self._found: list[float] = []
        self._true: list[float] = []

    def update(self, example: Example, predictions: Sequence[Number]) -> None:
        """Count one example."""
        self._found.append(predictions[0].value)
        self._true.append(float(example.target))

    def result(self) -> dict[str, Score]:
        """The scores of all examples counted so far; r2 and spearman where not all targets are the same."""
        found, true = np.array(self._found), np.array(self._true)
        off, n = found - true, len(true)
        squares = mean(float((off**2).sum()), float((off**4).sum()), n, least=0.0)
        scores = {"mae": mean(float(np.abs(off).sum()), float((off**2).sum()), n, least=0.0)}
        scores["rmse"] = Score(math.sqrt(squares.value), _root(squares.low), _root(squares.high), n)
        if len(set(self._true)) < 2:
            self.note = "all targets are the same: r2 and a correlation have no meaning"
            return scores

        def explained(weights: np.ndarray) -> np.ndarray:
            centre = (weights @ true)[:, None] / n
            spread = (weights * (true - centre) ** 2).sum(axis=1)
            return 1 - (weights @ off**2) / np.where(spread > 0, spread, np.nan)

        scores["r2"] = bootstrap(explained, float(explained(np.ones((1, n)))[0]), n)
        if len(set(self._found)) > 1:
            scores["spearman"] = correlation(float(spearmanr(found, true).statistic), n, ranks=True)
        else:
            self.note = "all predictions are the same: a correlation has no meaning"
        return scores


def _root(value: float | None) -> float | None:
    return None if value is None else math.sqrt(value)
