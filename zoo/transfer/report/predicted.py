"""Predicted examples: what a model that was trained whole answers on data whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.dataset import Dataset, Example
from zoo.errors import DatasetError
from zoo.labels import LabelSpace
from zoo.metrics import Metric, Score
from zoo.runtime import Array
from zoo.task import Failed

if TYPE_CHECKING:
    from zoo.transfer.whole import WholeModel


@dataclass(frozen=True, eq=False)
class Predicted:
    """n examples with their truth and what the task made of the model's outputs; `Task.report` makes a page of them.

    predictions: one for each of `examples`, under `Task.evaluation_options`; metric: has counted them all.
    labels: the model's; failed: what could not be read, and is not among the n; source: in words, which examples
        these are.
    before: what the network scored on the same examples before it was trained; empty where it had other classes, so
        that its answers meant nothing; None where nobody asked it.
    """

    dataset: Dataset
    source: str
    labels: LabelSpace | None
    examples: tuple[Example, ...]
    predictions: tuple[Any, ...]
    metric: Metric
    failed: tuple[Failed, ...]
    before: Mapping[str, Score] | None = None

    def __len__(self) -> int:
        return len(self.examples)


def predict(fitted: WholeModel, dataset: Dataset, places: Array | None, source: str) -> Predicted:
    """`fitted` on the readable examples of `dataset`, or on those of its examples that are at `places`.

    Raises DatasetError where nothing is left to report on, LabelError for classes that the model does not have.
    """
    task, wanted = fitted.task, None if places is None else set(places.tolist())
    examples = [row for place, row in enumerate(dataset) if wanted is None or place in wanted]
    metric = task.metric(dataset, fitted.labels)
    answers = fitted.predict(_inputs(fitted, examples), **task.evaluation_options()) if examples else []
    pairs = [pair for pair in zip(examples, answers, strict=True) if not isinstance(pair[1], Failed)]
    if not pairs:
        raise DatasetError(f"no example of {dataset.name!r} is left to report on")
    for example, answer in pairs:
        metric.update(example, [answer])
    return Predicted(
        dataset,
        source,
        fitted.labels,
        tuple(example for example, _ in pairs),
        tuple(answer for _, answer in pairs),
        metric,
        tuple(answer for answer in answers if isinstance(answer, Failed)),
    )


def _inputs(fitted: WholeModel, examples: Sequence[Example]) -> list[Any]:
    """The one input of each example: no network that is trained whole compares several."""
    return [source for example in examples for source in fitted.task.inputs(example)]
