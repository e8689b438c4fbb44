"""Targets as arrays: one class, several, or a number for each example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.dataset import Dataset
from zoo.errors import DatasetError, OptionError
from zoo.labels import LabelSpace
from zoo.runtime import Array


def target_array(dataset: Dataset, targets: Sequence[Any]) -> Array:
    """The `targets` of some examples of `dataset`: int64 [n], float32 [n, classes] of 0 and 1, or float32 [n, 1]."""
    if dataset.targets == "number":
        return np.array(targets, np.float32).reshape(-1, 1)
    if dataset.targets != "classes":
        return np.array([int(target) for target in targets], np.int64)
    width = len(dataset.labels) if dataset.labels else 1 + max((id for ids in targets for id in ids), default=0)
    found = np.zeros((len(targets), width), np.float32)
    for row, ids in zip(found, targets, strict=True):
        row[list(ids)] = 1
    return found


def numbered_space(dataset: Dataset) -> LabelSpace:
    """Names for the classes of a dataset that has none: their numbers. Raises DatasetError for numbers below 0."""
    if dataset.targets == "number":
        return LabelSpace("own", {0: "value"})
    several = dataset.targets == "classes"
    numbers = {int(id) for example in dataset for id in (example.target if several else (example.target,))}
    if not numbers:
        raise DatasetError(f"no example of {dataset.name!r} has a class")
    if min(numbers) < 0:
        raise DatasetError(f"{dataset.name!r} has class {min(numbers)}; class numbers start at 0")
    return LabelSpace("own", {number: str(number) for number in range(max(numbers) + 1)})


def counted_weights(pos_weight: Any, targets: Array) -> Array:
    """Weights float32 [classes] for targets [n, classes] of 0 and 1: "balanced" is negatives over positives."""
    if isinstance(pos_weight, str) and pos_weight == "balanced":
        there = targets.sum(axis=0)
        return np.asarray((len(targets) - there) / np.maximum(there, 1), np.float32)
    try:
        given = np.broadcast_to(np.asarray(pos_weight, np.float32), targets.shape[1:])
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"pos_weight={pos_weight!r} means nothing; it is 'balanced', a number, or one for each class"
        ) from error
    if not (given > 0).all() or not np.isfinite(given).all():
        raise OptionError(f"pos_weight={pos_weight!r} means nothing; a weight is greater than 0")
    return given


def given_weights(weights: Mapping[int, float], labels: LabelSpace) -> dict[int, float]:
    """A user's own weights by class number, 1 for those that are not named; raises OptionError for what is no class."""
    if unknown := [id for id in weights if id not in labels.names]:
        known = ", ".join(f"{id} {name!r}" for id, name in list(labels.names.items())[:5])
        raise OptionError(
            f"class_weight names class {unknown[0]!r}, which is none; there are {len(labels)}, by number: {known}"
        )
    return {id: float(weights.get(id, 1.0)) for id in labels.names}
