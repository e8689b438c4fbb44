"""The task `classification`: logits become labels with probabilities; top-1, top-5 and log loss."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import expit, logit, softmax
from scipy.stats import rankdata

from zoo import Dataset, Example, Metric, OutputSpec, Prediction, Score, Task
from zoo.agreement import Agreement, Outputs
from zoo.errors import LabelError, ZooWarning
from zoo.inputs import Prepared
from zoo.labels import LabelSpace, read_indices, translate
from zoo.metrics import Z95, mean, proportion
from zoo_classification.agreement import logits_agree

DOUBTFUL = (
    "the 'logits' look like probabilities (none is below 0, and each row sums to 1): if the module ends in a softmax, "
    "write activation = 'softmax' into its row; without it softmax is applied a second time, and scores come out low"
)


@dataclass(frozen=True, eq=False, repr=False)  # arrays have no one truth to compare by
class Classification(Prediction):
    """The scores of all classes. scores: float32 [classes], probabilities in column order of the model."""

    scores: np.ndarray
    labels: LabelSpace

    @property
    def index(self) -> int:
        """The id of the most probable class in the model's label space."""
        return int(self.scores.argmax())

    @property
    def label(self) -> str:
        """The name of the most probable class."""
        return self.labels.label(self.index)

    @property
    def score(self) -> float:
        """The probability of the most probable class, 0..1."""
        return float(self.scores.max())

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """The `k` most probable classes, best first, as (label, probability)."""
        return [(self.labels.label(index), float(self.scores[index])) for index in _best(self.scores, k)]

    def __str__(self) -> str:
        return f"{self.label} ({self.score:.2%})"

    def __repr__(self) -> str:
        return f"Classification({str(self)!r})"

    def to_json(self) -> dict[str, Any]:
        """The best class and the five best."""
        top = [{"label": label, "score": score} for label, score in self.top(5)]
        return {"label": self.label, "score": self.score, "index": self.index, "top": top}


class ClassificationTask(Task):
    """One label for each picture or text."""

    def postprocess(
        self,
        outputs: Mapping[str, np.ndarray],
        inputs: Sequence[Prepared],
        facts: OutputSpec,
        labels: LabelSpace | None,
        options: Mapping[str, Any],
    ) -> list[Classification]:
        """Probabilities from `logits` [n, classes]; raises LabelError where their number is not the label space's."""
        logits = outputs["logits"].astype(np.float32, copy=False)
        width = logits.shape[1]
        labels = labels or LabelSpace("unnamed", {index: f"class {index}" for index in range(width)})
        if len(labels) != width:
            raise LabelError(
                f"the module gives {width} scores, but its label space {labels.name!r} has {len(labels)} classes; "
                f"state the right one in 'labels' (1001 wide means 'imagenet-1001', 1000 'imagenet-1000')"
            )
        if facts.activation == "none" and width > 1 and _look_like_probabilities(logits):
            warnings.warn(DOUBTFUL, ZooWarning, stacklevel=2)
        turn = {"none": lambda z: softmax(z, axis=-1), "softmax": lambda p: p, "sigmoid": lambda p: p}
        return [Classification(row, labels) for row in turn[facts.activation](logits)]

    def metric(self, dataset: Dataset, labels: LabelSpace | None) -> ClassificationMetric:
        """Top-1, top-5 and log loss of predictions in `labels` on `dataset`."""
        return ClassificationMetric(dataset, labels)

    def agreement(self, reference: Sequence[Outputs], candidate: Sequence[Outputs], facts: OutputSpec) -> Agreement:
        """Logits agree by their best class; features, as everywhere, by their cosine."""
        if "logits" in reference[0]:
            return logits_agree(reference, candidate, facts)
        return super().agreement(reference, candidate, facts)


class ClassificationMetric(Metric):
    """top1, top5 (where there are more than five classes) and log_loss (natural logarithm, scores cut at 1e-15).

    auc, where there are two classes: the area under the ROC curve of the second one.
    """

    def __init__(self, dataset: Dataset, labels: LabelSpace | None) -> None:
        self._source = dataset.labels
        self._labels = labels
        self._map: dict[int, int] = {}
        self.note = ""
        if dataset.labels is not None and labels is not None:
            self._map = translate(dataset.labels, labels)
        self.n = self.first = self.fifth = self.classes = 0
        self.loss = self.squares = 0.0
        self._positive: tuple[list[float], list[float]] = ([], [])  # scores of the second class, by the true one

    def update(self, example: Example, predictions: Sequence[Classification]) -> None:
        """Count one example."""
        scores = predictions[0].scores
        target = self._target(int(example.target), predictions[0].labels)
        # Ties count against the model: a constant answer must not look right.
        rank = int((scores >= scores[target]).sum())
        self.n += 1
        self.classes = len(scores)
        self.first += rank == 1
        self.fifth += rank <= 5
        if len(scores) == 2:
            self._positive[target].append(float(scores[1]))
        loss = max(0.0, -float(np.log(max(float(scores[target]), 1e-15))))
        self.loss += loss
        self.squares += loss * loss

    def result(self) -> dict[str, Score]:
        """The scores of all examples counted so far."""
        scores = {"top1": proportion(self.first, self.n)}
        if self.classes > 5:
            scores["top5"] = proportion(self.fifth, self.n)
        loss = mean(self.loss, self.squares, self.n, least=0.0)
        low = None if loss.low is None else max(0.0, loss.low)  # it can't be negative
        scores["log_loss"] = replace(loss, low=low)
        if all(self._positive):
            scores["auc"] = area_under_curve(*map(np.array, self._positive))
        return scores

    def _target(self, target: int, labels: LabelSpace) -> int:
        if target not in self._map:
            if self._source is not None:
                raise LabelError(f"class {target} is not in the dataset's own label space {self._source.name!r}")
            mapped, self.note = read_indices([target], labels)
            self._map |= mapped
        return self._map[target]


def area_under_curve(negative: np.ndarray, positive: np.ndarray) -> Score:
    """The probability that one of the scores `positive` [p] is above one of `negative` [q], equal ones a half each.

    Its interval is DeLong's (1988, Biometrics 44), on the logit scale, which keeps it within 0..1.
    """
    p, q = len(positive), len(negative)
    both = rankdata(np.concatenate([positive, negative]))
    above = (both[:p] - rankdata(positive)) / q  # for each positive the share of negatives below it
    below = 1 - (both[p:] - rankdata(negative)) / p
    value = float(above.mean())
    if min(p, q) < 2 or not 0 < value < 1:
        return Score(value, None, None, p + q)
    error = math.sqrt(above.var(ddof=1) / p + below.var(ddof=1) / q)
    half = Z95 * error / (value * (1 - value))
    low, high = expit([logit(value) - half, logit(value) + half]).tolist()
    return Score(value, low, high, p + q)


def _look_like_probabilities(logits: np.ndarray) -> bool:
    return bool(len(logits) and logits.min() >= 0 and np.allclose(logits.sum(axis=-1), 1, atol=1e-3))


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    return np.argsort(-scores, kind="stable")[:k]
