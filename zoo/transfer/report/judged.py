"""Judged examples: what a fitted model answered on data whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.dataset import Dataset, Example
from zoo.errors import DatasetError, LabelError
from zoo.labels import LabelSpace, translate
from zoo.runtime import Array
from zoo.task import Failed
from zoo.transfer.features import extract
from zoo.transfer.objective import OBJECTIVES
from zoo.transfer.parts import AT_ONCE
from zoo.transfer.swiftest import swiftest

if TYPE_CHECKING:
    from zoo.transfer.fitted import FittedModel


@dataclass(frozen=True, eq=False)
class Judged:
    """n examples with their truth and what the model made of them.

    targets: by `kind_of_targets`: "class": int64 [n], class numbers of the model; "classes": [n, classes], whether each
        is there; "number": float [n] or [n, k].
    logits: float32 [n, width], what the model's head gives.
    ids: what messages call the examples; labels: the model's classes; kind: of the inputs, "image" or "text".
    failed: what could not be read, and is not among the n; source: in words, which examples these are.
    """

    dataset: Dataset
    source: str
    kind: str
    labels: tuple[str, ...]
    ids: tuple[str, ...]
    targets: Array
    logits: Array
    failed: tuple[Failed, ...]
    kind_of_targets: str = "class"

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def scores(self) -> Array:
        """Probabilities, float64 [n, classes]."""
        from scipy.special import softmax

        return np.asarray(softmax(self.logits.astype(np.float64), axis=-1))

    @cached_property
    def answers(self) -> Array:
        """The most probable class of each example, int64 [n]."""
        return np.asarray(self.logits.argmax(-1))

    @cached_property
    def right(self) -> Array:
        """Whether the most probable class is the true one, bool [n]."""
        return np.asarray(self.answers == self.targets)

    def examples(self, places: Sequence[int]) -> list[Example]:
        """The examples at `places`, in that order; the dataset is walked once."""
        wanted = {self.ids[place] for place in places}
        found = {example.id: example for example in self.dataset if example.id in wanted}
        return [found[self.ids[place]] for place in places]


def judge(fitted: FittedModel, dataset: Dataset, places: Array | None, source: str) -> Judged:
    """`fitted` on the readable examples of `dataset`, or on those of them at `places`.

    Features come from the cache where fitting left them: no example passes the backbone twice.
    Raises DatasetError where nothing is left to judge, LabelError for classes that the model does not have.
    """
    takes = fitted.head.takes
    source_of_features, _ = swiftest(fitted, dataset, takes, AT_ONCE)  # as in fitting, of which a file does not tell
    # Whoever fitted has set the limit; here they are told.
    found = extract(source_of_features, dataset, batch_size=AT_ONCE, max_unreadable=1.0, output=takes)
    kept = np.arange(len(found.targets)) if places is None else np.asarray(places)
    if not len(kept):
        raise DatasetError(f"no example of {dataset.name!r} is left to report on")
    assert fitted.labels is not None
    return Judged(
        dataset,
        source,
        fitted.spec.input.kind,
        tuple(fitted.labels.names.values()),
        tuple(found.ids[place] for place in kept.tolist()),
        _targets(found.targets[kept], dataset, fitted.labels),
        fitted.head(np.asarray(found.features[kept], np.float32)),
        found.failed,
        dataset.targets,
    )


def _targets(targets: Array, dataset: Dataset, labels: LabelSpace) -> Array:
    """The dataset's targets in the model's classes; raises LabelError where they don't meet."""
    if dataset.targets == "class" and dataset.labels is not None:  # only the classes that are there need be the model's
        places = translate(dataset.labels, labels, sorted(set(targets.tolist())))
        return np.array([places[int(target)] for target in targets], np.int64)
    if dataset.targets == "class" and targets.max() >= len(labels):
        raise LabelError(f"{dataset.name!r} has class {targets.max()}; the model has classes 0..{len(labels) - 1}")
    return OBJECTIVES[dataset.targets](labels).translated(targets, dataset)


def evenly(n: int, count: int) -> list[int]:
    """Up to `count` places among `n`, evenly spread."""
    return [index * n // min(count, n) for index in range(min(count, n))]


def spread(targets: Array, count: int, classes: int) -> list[int]:
    """Up to `count` places, class after class in turn, so that every class is seen; the same ones each time."""
    queues: list[list[Any]] = [np.flatnonzero(targets == id).tolist() for id in range(classes)]
    found: list[int] = []
    for turn in range(max(map(len, queues), default=0)):
        row = [queue[turn] for queue in queues if turn < len(queue)]
        if len(row) > count - len(found):  # too many classes for a whole turn: from all over the list
            row = [row[index * len(row) // (count - len(found))] for index in range(count - len(found))]
        found += row
        if len(found) >= count:
            break
    return found
