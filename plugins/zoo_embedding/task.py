"""The task `embedding`: features become vectors; Spearman and Pearson correlation with graded pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import pearsonr, spearmanr

from zoo import Dataset, Example, Metric, Model, OutputSpec, Prediction, Score, Task
from zoo.errors import DatasetError
from zoo.inputs import Prepared
from zoo.labels import LabelSpace
from zoo.metrics import correlation
from zoo_embedding.encoder import Encoder, cosine, restored


@dataclass(frozen=True, eq=False)  # arrays have no one truth to compare by
class Embedding(Prediction):
    """One vector. vector: float32 [d], as the module gives it."""

    vector: np.ndarray

    def __str__(self) -> str:
        start = ", ".join(f"{value:.4f}" for value in self.vector[:4])
        return f"[{start}, ...] ({len(self.vector)} numbers)"

    def to_json(self) -> dict[str, Any]:
        """The whole vector."""
        return {"vector": [float(value) for value in self.vector]}


class EmbeddingTask(Task):
    """One vector for each text or picture. Runtimes agree as on any features, by cosine (`zoo.agreement`)."""

    def postprocess(
        self,
        outputs: Mapping[str, np.ndarray],
        inputs: Sequence[Prepared],
        facts: OutputSpec,
        labels: LabelSpace | None,
        options: Mapping[str, Any],
    ) -> list[Embedding]:
        """The rows of `features` [n, d]."""
        return [Embedding(row) for row in outputs["features"].astype(np.float32, copy=False)]

    def metric(self, dataset: Dataset, labels: LabelSpace | None) -> SimilarityMetric:
        """Correlation of cosine similarities with the dataset's scores."""
        return SimilarityMetric()

    def inputs(self, example: Example) -> tuple[Any, ...]:
        """The two texts or pictures of a pair."""
        if not isinstance(example.input, tuple) or len(example.input) != 2:
            raise DatasetError(f"{example.id}: an example with a similarity holds a pair, not {example.input!r}")
        return example.input

    def model_class(self) -> type[Model]:
        """Models of this task can `encode` and compare."""
        return Encoder

    def restored(self, model: Model, folder: Path) -> Model:
        """An encoder that was saved with a reduction has it again."""
        return restored(model, folder) if isinstance(model, Encoder) else model


class SimilarityMetric(Metric):
    """spearman and pearson: correlation of the pairs' cosines with their scores; needs two different scores."""

    note = ""

    def __init__(self) -> None:
        self._found: list[float] = []
        self._wanted: list[float] = []

    def update(self, example: Example, predictions: Sequence[Embedding]) -> None:
        """Count one pair."""
        left, right = (prediction.vector[None] for prediction in predictions)
        self._found.append(float(cosine(left, right)[0, 0]))
        self._wanted.append(float(example.target))

    def result(self) -> dict[str, Score]:
        """The scores of all pairs counted so far; empty where a correlation has no meaning."""
        n = len(self._wanted)
        if n < 2 or len(set(self._wanted)) < 2 or len(set(self._found)) < 2:
            self.note = f"{n} pairs without two different scores: a correlation has no meaning"
            return {}
        return {
            "spearman": correlation(float(spearmanr(self._found, self._wanted).statistic), n, ranks=True),
            "pearson": correlation(float(pearsonr(self._found, self._wanted).statistic), n, ranks=False),
        }
