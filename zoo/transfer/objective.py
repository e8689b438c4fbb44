"""What a head learns: its width, its targets, its loss, and the scores by which it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.dataset import Dataset
from zoo.errors import DatasetError, OptionError
from zoo.labels import LabelSpace, translate
from zoo.runtime import Array


@dataclass(frozen=True)
class Objective:
    """One of several classes, by the cross-entropy of logits. labels: the classes, numbered 0..n-1."""

    labels: LabelSpace

    @property
    def width(self) -> int:
        """The number of logits."""
        return len(self.labels)

    def translated(self, targets: Array, dataset: Dataset) -> Array:
        """The targets of another dataset in the numbers of this objective; raises LabelError where they don't meet."""
        if dataset.labels is None:
            return targets
        places = translate(dataset.labels, self.labels)
        return np.array([places[int(target)] for target in targets], np.int64)

    def require(self, targets: Array, name: str) -> None:
        """Raise DatasetError where the training targets of dataset `name` are too few to learn from."""
        there = set(targets.tolist())
        if len(there) < 2:
            raise DatasetError(f"{name!r} has examples of one class alone; a classifier needs two or more")
        absent = [self.labels.label(id) for id in self.labels.names if id not in there]
        if absent:
            more = f", nor of {len(absent) - 1} more" if len(absent) > 1 else ""
            bare = all(name == str(id) for id, name in self.labels.names.items())
            highest = max(self.labels.names)
            how = f" (its class numbers are read as 0..{highest}; count from 0, or write names)" if bare else ""
            raise DatasetError(f"{name!r} has no example of class {absent[0]!r} to train on{more}{how}")

    def class_weights(self, class_weight: Any, targets: Array) -> dict[int, float] | None:
        """Weights by class number: the user's own, or "balanced" over the training `targets`; None for none."""
        if class_weight is None or isinstance(class_weight, Mapping):
            return dict(class_weight) if class_weight else None
        if class_weight != "balanced":
            raise OptionError(
                f"class_weight={class_weight!r} means nothing; it is 'balanced' or a dict of weights by class"
            )
        counts = np.bincount(targets)
        return {id: len(targets) / (len(counts) * count) for id, count in enumerate(counts.tolist())}

    def keras_loss(self) -> Any:
        """The loss as Keras takes it, of logits."""
        import keras

        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def keras_metrics(self) -> list[Any]:
        """The metrics that Keras computes beside the loss."""
        return ["accuracy"]

    def scores(self, logits: Array, targets: Array) -> dict[str, float]:
        """The same loss and metrics by the same names, of logits that are there already."""
        from scipy.special import log_softmax

        loss = -log_softmax(logits, axis=-1)[np.arange(len(logits)), targets].mean()
        return {"accuracy": float((logits.argmax(-1) == targets).mean()), "loss": float(loss)}


def objective_of(dataset: Dataset) -> Objective:
    """What the targets of `dataset` ask for: its classes as 0..n-1 in its own order; bare numbers name themselves.

    Raises DatasetError where class numbers are not 0..n-1.
    """
    if dataset.labels is not None:
        if set(dataset.labels.names) != set(range(len(dataset.labels))):
            raise DatasetError(f"the class numbers of {dataset.name!r} are not 0..{len(dataset.labels) - 1}")
        return Objective(dataset.labels)
    numbers = {int(example.target) for example in dataset}
    if min(numbers) < 0:
        raise DatasetError(f"{dataset.name!r} has class {min(numbers)}; class numbers start at 0")
    return Objective(LabelSpace("own", {number: str(number) for number in range(max(numbers) + 1)}))
