"""The one rule of offers and needs: which task fits which backbone, and how."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from zoo.errors import PairError
from zoo.specs import BackboneSpec, TaskSpec


@dataclass(frozen=True, repr=False)  # the specs would fill pages
class Pair:
    """A task and a backbone that fit: `output` is what the backbone offers and the task uses.

    status: "ready" when that output answers the task, "trainable" when the task must first train a head on it.
    """

    task: TaskSpec
    backbone: BackboneSpec
    output: str
    status: Literal["ready", "trainable"]

    @property
    def name(self) -> str:
        """`TASK/BACKBONE`, the one word for a model everywhere."""
        return f"{self.task.name}/{self.backbone.name}"

    def __repr__(self) -> str:
        return f"<zoo.Pair {self.name} ({self.status}, {self.output})>"

    @property
    def ready(self) -> bool:
        """Whether the pair predicts as it is."""
        return self.status == "ready"


def find_pair(task: TaskSpec, backbone: BackboneSpec) -> Pair | None:
    """The pair of `task` and `backbone`, or None where they do not fit."""
    if backbone.unread or backbone.input.kind not in task.modalities:
        return None
    for output in task.ready:
        if output in backbone.outputs:
            return Pair(task, backbone, output, "ready")
    for output in task.trainable:
        if output in backbone.outputs:
            return Pair(task, backbone, output, "trainable")
    return None


def require_pair(task: TaskSpec, backbone: BackboneSpec) -> Pair:
    """The pair of `task` and `backbone`; raises PairError that says what is needed and what is offered."""
    pair = find_pair(task, backbone)
    if pair:
        return pair
    if backbone.unread:
        raise PairError(
            f"backbone {backbone.name!r} can't be run yet: {backbone.unread}; its facts alone are known ('zoo show')"
        )
    if backbone.input.kind not in task.modalities:
        raise PairError(
            f"task {task.name!r} takes {' or '.join(task.modalities)}; "
            f"backbone {backbone.name!r} takes {backbone.input.kind}"
        )
    needs = " or ".join(repr(output) for output in (*task.ready, *task.trainable))
    offers = ", ".join(repr(output) for output in backbone.outputs)
    raise PairError(f"task {task.name!r} needs {needs}; backbone {backbone.name!r} offers {offers}")


def all_pairs(tasks: Iterable[TaskSpec], backbones: Iterable[BackboneSpec]) -> Iterator[Pair]:
    """Every pair that exists, task by task."""
    backbones = list(backbones)
    for task in tasks:
        for backbone in backbones:
            if pair := find_pair(task, backbone):
                yield pair
