"""What there is: the public listing functions; none of them imports a framework."""

from __future__ import annotations

import fnmatch

from zoo.pairs import Pair, all_pairs, find_pair
from zoo.plugins import installed
from zoo.specs import BackboneSpec, TaskSpec


def list_backbones(pattern: str | None = None, *, task: str | None = None) -> list[str]:
    """Full names of the backbones, sorted.

    pattern: a glob over names and aliases (`mobilenet*`); task: only those that are ready or trainable for it.
    Raises UnknownNameError for a task that is not there.
    """
    wanted = installed().tasks.get(task) if task else None
    return [
        spec.name
        for spec in installed().backbones
        if (wanted is None or find_pair(wanted, spec)) and (pattern is None or matches(spec, pattern))
    ]


def list_tasks() -> list[str]:
    """The names of the tasks, sorted."""
    return [spec.name for spec in installed().tasks]


def list_pairs(*, task: str | None = None, backbone: str | None = None) -> list[Pair]:
    """Every pair that exists; `backbone` is a glob over names and aliases."""
    plugins = installed()
    tasks: list[TaskSpec] = [plugins.tasks.get(task)] if task else list(plugins.tasks)
    return [
        pair for pair in all_pairs(tasks, plugins.backbones) if backbone is None or matches(pair.backbone, backbone)
    ]


def spec(name: str) -> BackboneSpec:
    """The facts of a backbone by name or alias; raises UnknownNameError."""
    return installed().backbones.get(name)


def matches(spec: BackboneSpec, pattern: str) -> bool:
    """Whether the glob fits the name or an alias of `spec`."""
    return any(fnmatch.fnmatchcase(name, pattern) for name in (spec.name, *spec.aliases))
