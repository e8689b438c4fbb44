"""Training a head on features that are there: solved to its optimum, or descended to in epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.errors import DatasetError, OptionError
from zoo.evaluation import Evaluation
from zoo.progress import busy
from zoo.runtime import Array
from zoo.transfer.descent import Settings, descend
from zoo.transfer.fitted import History
from zoo.transfer.heads import Head
from zoo.transfer.objective import Objective
from zoo.transfer.warming import Start

BATCH = 32
EPOCHS = 30
SOLVED = ("logistic", "ridge")  # the heads that are solved, not descended to
MANY = 20_000  # examples, from which solving for the optimum takes longer than descending towards it


@dataclass(frozen=True)
class HeadSettings:
    """What `zoo.transfer.fit` takes for a head, in the same words."""

    head: Any = "auto"
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float = 3e-3
    dropout: float = 0.2
    c: float = 1.0
    class_weight: str | Mapping[int, float] | None = None
    callbacks: Sequence[Any] = ()
    seed: int = 0
    patience: int | None = None
    start: Start | None = None


def train_head(
    settings: HeadSettings,
    train: tuple[Array, Array],
    test: tuple[Array, Array],
    objective: Objective,
    views: int = 1,
) -> tuple[Head, History, Any]:
    """A head, its history, and which kind it is. train, test: features [n, d] with targets [n].

    views: of each example `train` has so many views, see `Objective.solve`.

    Raises OptionError for a batch that is larger than the data, and where the loss is no number any more.
    """
    _require_numbers(*train)
    kind = settings.head
    if kind == "auto":
        small = settings.epochs is None and settings.start is None and len(train[1]) <= MANY
        kind = objective.solver if small and objective.solvable else "linear"
    weights = objective.class_weights(settings.class_weight, train[1])
    _check_solver(kind, objective)
    if kind == objective.solver:
        with busy("solving the head"):
            head: Head = objective.solve(*train, c=settings.c, weights=weights, seed=settings.seed, views=views)
        found = _scores(objective, head, train, "") | _scores(objective, head, test, "val_")
        return head, History({name: [value] for name, value in found.items()}, [0]), kind
    if settings.batch_size is not None and settings.batch_size > len(train[1]):
        raise OptionError(
            f"batch_size={settings.batch_size!r} is larger than the {len(train[1])} examples to train on; make it less"
        )
    batch = settings.batch_size or min(BATCH, len(train[1]))
    epochs = settings.epochs or EPOCHS
    descent = Settings(
        epochs,
        batch,
        settings.learning_rate,
        settings.callbacks,
        weights,
        settings.seed,
        settings.patience,
        settings.start,
    )
    return *descend(kind, train, test, objective, settings.dropout, descent), kind


def _require_numbers(features: Array, targets: Array) -> None:
    """Raise DatasetError where there is nothing that could be learnt from, and say which it is."""
    odd = ~np.isfinite(np.asarray(features).reshape(len(features), -1)).all(axis=1)
    if odd.any():
        raise DatasetError(
            f"the backbone gives values that are no numbers for {odd.sum()} of {len(odd)} examples; look at its input "
            "range, its weights ('zoo verify'), or take a higher precision"
        )
    if not np.isfinite(targets).all():
        raise DatasetError(f"{(~np.isfinite(targets)).sum()} of the targets are no numbers; leave those examples out")


def evaluation_of(
    model: str, dataset: str, objective: Objective, head: Head, examples: tuple[Array, Array]
) -> Evaluation:
    """The scores of `head` on features [n, d] with targets [n], its accuracy with an interval."""
    n = len(examples[1])
    scores = {name: objective.score(name, value, n) for name, value in _scores(objective, head, examples, "").items()}
    return Evaluation(model, dataset, n, scores)


def _check_solver(kind: Any, objective: Objective) -> None:
    if not isinstance(kind, str) or kind not in SOLVED:
        return
    if kind != objective.solver:
        raise OptionError(
            f"head={kind!r} is not solved for targets {objective.targets!r}; take head={objective.solver!r}"
        )
    if not objective.solvable:
        raise OptionError(f"head={kind!r} is solved for its own loss alone, not {objective.loss!r}; take 'linear'")


def _scores(objective: Objective, head: Head, examples: tuple[Array, Array], prefix: str) -> dict[str, float]:
    found = objective.scores(head(np.asarray(examples[0], np.float32)), examples[1])
    return {f"{prefix}{name}": value for name, value in found.items()}
