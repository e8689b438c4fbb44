"""What a head learns: its width, its targets, its loss, and the scores by which it is judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from zoo.dataset import Dataset
from zoo.errors import DatasetError, LabelError, OptionError
from zoo.labels import LabelSpace, translate
from zoo.metrics import Score, proportion
from zoo.runtime import Array
from zoo.transfer.heads import DenseHead
from zoo.transfer.losses import check_loss, class_loss, classes_loss, number_loss
from zoo.transfer.solving import solve_labels, solve_logistic, solve_ridge
from zoo.transfer.targets import counted_weights, given_weights, numbered_space


@dataclass(frozen=True, eq=False)
class Objective(ABC):
    """What there is to learn. labels: what each of the head's outputs means, numbered 0..n-1.

    loss: a name, a Keras loss or a callable of targets and logits, None for the default.
    pos_weight: how much the positive class (of two), or a label that is there, counts against its absence; "balanced"
        for as much as makes both count the same. `settled` makes numbers of it.
    targets: what the targets of the dataset are; solver: the head that is solved for in closed form.
    """

    labels: LabelSpace
    loss: Any = None
    pos_weight: Any = None
    targets: ClassVar[str]
    solver: ClassVar[str] = "logistic"

    @property
    def width(self) -> int:
        """The number of outputs."""
        return len(self.labels)

    @property
    def solvable(self) -> bool:
        """Whether its loss is the one that `solver` minimises."""
        return self.loss is None

    def translated(self, targets: Array, dataset: Dataset) -> Array:
        """The targets of another dataset in the numbers of this objective; raises LabelError where they don't meet."""
        return targets

    @abstractmethod
    def require(self, targets: Array, name: str) -> None:
        """Raise DatasetError where the training targets of dataset `name` are too few to learn from."""

    def settled(self, targets: Array) -> Self:
        """The objective with weights counted over all training `targets`; raises OptionError for what means nothing."""
        if self.pos_weight is not None:
            raise OptionError(f"pos_weight={self.pos_weight!r} means nothing to {self.targets!r} targets")
        return self

    def class_weights(self, class_weight: Any, targets: Array) -> dict[int, float] | None:
        """Weights by class number: the user's own, or "balanced" over the training `targets`; None for none."""
        if class_weight:
            raise OptionError(
                f"class_weight={class_weight!r} means nothing to {self.targets!r} targets: {self._instead}"
            )
        return None

    _instead: ClassVar[str] = "there are no classes"

    def rescaling(self, targets: Array) -> tuple[float, float] | None:
        """(scale, offset) of what the last layer gives, so that it learns numbers around 0; None for logits."""
        return None

    @abstractmethod
    def solve(self, features: Array, targets: Array, *, c: float, weights: Any, seed: int, views: int) -> DenseHead:
        """The head at the optimum of the default loss with an L2 penalty; c: the inverse of the penalty.

        views: of each example there are so many, all first ones before the second ones.
        """

    @abstractmethod
    def keras_loss(self) -> Any:
        """The loss as Keras takes it, of logits."""

    @abstractmethod
    def keras_metrics(self) -> list[Any]:
        """The metrics that Keras computes beside the loss."""

    @abstractmethod
    def scores(self, logits: Array, targets: Array) -> dict[str, float]:
        """The same loss and metrics by the same names, of logits that are there already."""

    def score(self, name: str, value: float, n: int) -> Score:
        """The figure `name` of `n` examples, with an interval where one is known."""
        return Score(value, None, None, n)

    def _own_loss(self, logits: Array, targets: Array) -> float:
        return float(np.mean(np.asarray(self.keras_loss()(targets, logits))))


@dataclass(frozen=True, eq=False)
class ClassObjective(Objective):
    """One of several classes, by the cross-entropy of logits. Targets: int64 [n]."""

    targets = "class"

    def translated(self, targets: Array, dataset: Dataset) -> Array:
        """See `Objective.translated`."""
        if dataset.labels is None:
            if unknown := sorted(set(targets.tolist()) - set(self.labels.names)):
                raise LabelError(f"{dataset.name!r} has class {unknown[0]}, of which no example trains")
            return targets
        places = translate(dataset.labels, self.labels)
        return np.array([places[int(target)] for target in targets], np.int64)

    def require(self, targets: Array, name: str) -> None:
        """See `Objective.require`: two classes, and an example of each."""
        there = set(targets.tolist())
        if len(there) < 2:
            raise DatasetError(f"{name!r} has examples of one class alone; a classifier needs two or more")
        if outside := sorted(there - self.labels.names.keys()):
            what = f"class number {outside[0]}, and {len(self.labels)} names are those of 0..{len(self.labels) - 1}"
            raise DatasetError(f"{name!r} has {what}{self._counting(there)}")
        if absent := [self.labels.label(id) for id in self.labels.names if id not in there]:
            more = f", nor of {len(absent) - 1} more{self._counting(there)}" if absent[1:] else self._counting(there)
            raise DatasetError(f"{name!r} has no example of class {absent[0]!r} to train on{more}")

    def _counting(self, there: set[int]) -> str:
        """What to do about a class that is absent because numbers without names do not begin at 0."""
        highest, named = max(there), any(name != str(id) for id, name in self.labels.names.items())
        if named and highest < len(self.labels):
            return ""
        if there == set(range(1, highest + 1)):
            how = "labels=[...] (--labels NAME,NAME,...)"
            return f": its class numbers run from 1 to {highest}; give their {highest} names in that order with {how}"
        return "" if named else f" (its class numbers are read as 0..{highest}; count from 0, or write names)"

    def settled(self, targets: Array) -> Self:
        """See `Objective.settled`; the positive class is the second one."""
        if self.pos_weight is None:
            return self
        if self.width != 2:
            raise OptionError(f"pos_weight={self.pos_weight!r} is for two classes, not {self.width}; see class_weight")
        return replace(self, pos_weight=counted_weights(self.pos_weight, targets[:, None])[0])

    def class_weights(self, class_weight: Any, targets: Array) -> dict[int, float] | None:
        """See `Objective.class_weights`."""
        if class_weight is not None and self.pos_weight is not None:
            raise OptionError("class_weight and pos_weight say the same twice; give one of them")
        if self.pos_weight is not None:
            return {0: 1.0, 1: float(self.pos_weight)}
        if class_weight is None or isinstance(class_weight, Mapping):
            return given_weights(class_weight, self.labels) if class_weight else None
        if class_weight != "balanced":
            raise OptionError(
                f"class_weight={class_weight!r} means nothing; it is 'balanced' or a dict of weights by class"
            )
        counts = np.bincount(targets)
        return {id: len(targets) / (len(counts) * count) for id, count in enumerate(counts.tolist())}

    def solve(self, features: Array, targets: Array, *, c: float, weights: Any, seed: int, views: int) -> DenseHead:
        """See `Objective.solve`."""
        return solve_logistic(features, targets, c=c, class_weight=weights, seed=seed, views=views)

    def keras_loss(self) -> Any:
        """See `Objective.keras_loss`."""
        return class_loss(self.loss)

    def keras_metrics(self) -> list[Any]:
        """See `Objective.keras_metrics`."""
        from zoo.framework import keras

        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def scores(self, logits: Array, targets: Array) -> dict[str, float]:
        """See `Objective.scores`."""
        from scipy.special import log_softmax

        loss = -log_softmax(logits, axis=-1)[np.arange(len(logits)), targets].mean()
        own = float(loss) if self.loss is None else self._own_loss(logits, targets)
        return {"accuracy": float((logits.argmax(-1) == targets).mean()), "loss": own}

    def score(self, name: str, value: float, n: int) -> Score:
        """See `Objective.score`."""
        return proportion(round(value * n), n) if name == "accuracy" else super().score(name, value, n)


@dataclass(frozen=True, eq=False)
class ClassesObjective(Objective):
    """Several classes at once, each by the cross-entropy of its own logit. Targets: float32 [n, classes], 0 or 1."""

    targets = "classes"
    _instead = "weigh them by pos_weight"

    def translated(self, targets: Array, dataset: Dataset) -> Array:
        """See `Objective.translated`."""
        if dataset.labels is None:
            return np.pad(targets, ((0, 0), (0, max(self.width - targets.shape[1], 0))))[:, : self.width]
        places = translate(dataset.labels, self.labels)
        found = np.zeros((len(targets), self.width), np.float32)
        for own, place in places.items():
            found[:, place] = targets[:, own]
        return found

    def require(self, targets: Array, name: str) -> None:
        """See `Objective.require`: of each class an example with it and one without."""
        for id, share in enumerate(targets.mean(axis=0).tolist()):
            if share in (0.0, 1.0):
                what = "no example with" if share == 0 else "no example without"
                raise DatasetError(f"{name!r} has {what} class {self.labels.label(id)!r} to train on")

    def settled(self, targets: Array) -> Self:
        """See `Objective.settled`; the weight of each class, or one for all."""
        if self.pos_weight is None:
            return self
        if not self.solvable:
            raise OptionError(f"pos_weight={self.pos_weight!r} means nothing to loss={self.loss!r}; leave one out")
        return replace(self, pos_weight=counted_weights(self.pos_weight, targets))

    def solve(self, features: Array, targets: Array, *, c: float, weights: Any, seed: int, views: int) -> DenseHead:
        """See `Objective.solve`."""
        return solve_labels(features, targets, c=c, pos_weight=self.pos_weight, seed=seed, views=views)

    def keras_loss(self) -> Any:
        """See `Objective.keras_loss`."""
        return classes_loss(self.loss, self.pos_weight)

    def keras_metrics(self) -> list[Any]:
        """See `Objective.keras_metrics`: the share of decisions that are right, all labels of all examples alike."""
        from zoo.framework import keras

        return [keras.metrics.BinaryAccuracy(name="binary_accuracy", threshold=0.0)]

    def scores(self, logits: Array, targets: Array) -> dict[str, float]:
        """See `Objective.scores`."""
        right = float(((logits > 0) == (targets > 0)).mean())
        if self.loss is not None:
            return {"binary_accuracy": right, "loss": self._own_loss(logits, targets)}
        weight = 1.0 if self.pos_weight is None else self.pos_weight
        loss = weight * targets * np.logaddexp(0, -logits) + (1 - targets) * np.logaddexp(0, logits)
        return {"binary_accuracy": right, "loss": float(loss.mean())}


@dataclass(frozen=True, eq=False)
class NumberObjective(Objective):
    """A number, by the squared error. Targets: float32 [n, 1]."""

    targets = "number"
    solver = "ridge"

    def require(self, targets: Array, name: str) -> None:
        """See `Objective.require`: two different finite numbers."""
        if not np.isfinite(targets).all():
            raise DatasetError(f"{name!r} has a target that is no finite number")
        if len(np.unique(targets)) < 2:
            raise DatasetError(f"every target of {name!r} is {float(targets[0, 0]):g}; there is nothing to learn")

    def rescaling(self, targets: Array) -> tuple[float, float] | None:
        """See `Objective.rescaling`: the targets' deviation and mean."""
        return float(targets.std()), float(targets.mean())

    def solve(self, features: Array, targets: Array, *, c: float, weights: Any, seed: int, views: int) -> DenseHead:
        """See `Objective.solve`."""
        return solve_ridge(features, targets, c=c)

    def keras_loss(self) -> Any:
        """See `Objective.keras_loss`."""
        return number_loss(self.loss)

    def keras_metrics(self) -> list[Any]:
        """See `Objective.keras_metrics`."""
        from zoo.framework import keras

        return [keras.metrics.MeanAbsoluteError(name="mae")]

    def scores(self, logits: Array, targets: Array) -> dict[str, float]:
        """See `Objective.scores`."""
        off = logits.astype(np.float64) - targets
        loss = float(np.square(off).mean()) if self.loss is None else self._own_loss(logits, targets)
        return {"mae": float(np.abs(off).mean()), "loss": loss}


OBJECTIVES: dict[str, type[Objective]] = {
    kind.targets: kind for kind in (ClassObjective, ClassesObjective, NumberObjective)
}


def objective_of(dataset: Dataset, loss: Any = None, pos_weight: Any = None) -> Objective:
    """What the targets of `dataset` ask for: its classes as 0..n-1 in its own order; bare numbers name themselves.

    Raises DatasetError where class numbers are not 0..n-1, OptionError for a loss that means nothing.
    """
    labels = dataset.labels or numbered_space(dataset)
    if set(labels.names) != set(range(len(labels))):
        raise DatasetError(f"the class numbers of {dataset.name!r} are not 0..{len(labels) - 1}")
    return OBJECTIVES[dataset.targets](labels, check_loss(loss, dataset.targets, len(labels)), pos_weight)
