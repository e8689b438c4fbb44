"""What there is: the public listing functions; none of them imports a framework."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from zoo.errors import OptionError
from zoo.pairs import Pair, all_pairs, find_pair
from zoo.plugins import installed
from zoo.specs import BackboneSpec, ImageInput, Published, TaskSpec
from zoo.where import Where, unknown_fact

# fact -> what it is, as a condition or an order may use it.
FACTS = {
    "name": "full name",
    "architecture": "as its publisher calls it",
    "family": "inception, bit, ...",
    "publisher": "first word of its handle; keras for Keras Applications",
    "licence": "as SPDX writes it, lower case",
    "modality": "image or text",
    "tasks": "list of those that it is ready for or a head can be trained for",
    "outputs": "list of logits, features, boxes",
    "labels": "label space of its classes",
    "classes": "width of its logits",
    "width": "width of its features",
    "size": "height of its input in pixels",
    "params": "number of parameters",
    "languages": "list of ISO codes",
    "trained_on": "as its publisher calls the data",
    "top1": "published, ImageNet-1k validation, percent",
    "top5": "published, ImageNet-1k validation, percent",
    "ap": "published box AP, COCO 2017, percent",
    "spearman": "published, STS benchmark test, percent",
}
PERCENT = ("top1", "top5", "ap", "spearman")


@dataclass(frozen=True)
class Selection:
    """Backbones that fit, in order. facts: those that the condition and the order used, in their order.

    lacking: fact -> how many backbones were left out because a condition asks for it and nobody states it.
    """

    backbones: tuple[BackboneSpec, ...]
    facts: tuple[str, ...] = ()
    lacking: dict[str, int] = field(default_factory=dict)
    left_out: int = 0


def list_backbones(
    pattern: str | None = None, *, task: str | None = None, where: str | None = None, sort: str | None = None
) -> list[str]:
    """Full names of the backbones, sorted by name.

    pattern: a glob over names and aliases (`mobilenet*`); task: only those that are ready or trainable for it.
    where: a condition on their facts, such as "top1 >= 75 and params < 10e6 and licence = 'apache-2.0'"; a backbone
    of which a fact is not known does not fit. sort: facts by which to order, separated by commas, each from high to
    low after a "-"; those that lack it come last. Raises UnknownNameError for a task that is not there, OptionError
    for a condition that cannot be read and for an unknown fact.
    """
    return [spec.name for spec in select(pattern, task=task, where=where, sort=sort).backbones]


def select(
    pattern: str | None = None, *, task: str | None = None, where: str | None = None, sort: str | None = None
) -> Selection:
    """As `list_backbones`, with the specs and what was left out."""
    wanted = installed().tasks.get(task) if task else None
    condition = Where(where, FACTS, PERCENT) if where is not None else None
    orders = _orders(sort)
    found, left_out, lacking = [], 0, Counter[str]()
    for spec in installed().backbones:
        if (wanted is not None and not find_pair(wanted, spec)) or (pattern and not matches(spec, pattern)):
            continue
        if condition:
            known = {fact: fact_of(spec, fact) for fact in condition.facts}
            holds = condition(known)
            if holds is None:
                left_out += 1
                lacking.update(fact for fact, value in known.items() if value is None)
            if not holds:
                continue
        found.append(spec)
    for fact, falling in reversed(orders):
        with_it = [spec for spec in found if fact_of(spec, fact) is not None]
        without = [spec for spec in found if fact_of(spec, fact) is None]
        found = [*sorted(with_it, key=lambda spec: fact_of(spec, fact), reverse=falling), *without]
    used = dict.fromkeys([*(condition.facts if condition else ()), *(fact for fact, _ in orders)])
    return Selection(tuple(found), tuple(used), dict(lacking), left_out)


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


def fact_of(spec: BackboneSpec, fact: str) -> Any:
    """The value of one of FACTS for a backbone; None where it is not known."""
    if fact in PERCENT:
        return _published(spec.published, fact)
    if fact == "modality":
        return spec.input.kind
    if fact == "tasks":
        return [task.name for task in installed().tasks if find_pair(task, spec)]
    if fact in ("outputs", "languages"):
        return list(getattr(spec, fact)) or None
    if fact == "labels":
        named = [facts.labels for facts in spec.outputs.values() if facts.labels]
        return None if not named else named[0] if isinstance(named[0], str) else "own"
    if fact in ("classes", "width"):
        output = spec.outputs.get("logits" if fact == "classes" else "features")
        return output.width if output else None
    if fact == "size":
        return spec.input.size[0] if isinstance(spec.input, ImageInput) and spec.input.size else None
    if fact == "publisher":
        return publisher(spec)
    return getattr(spec, fact) or None


def publisher(spec: BackboneSpec) -> str | None:
    """Who published the weights: the first word of their handle, "keras" for Keras Applications."""
    for facts in spec.outputs.values():
        if facts.weights.tfhub or facts.weights.kaggle:
            handle = facts.weights.tfhub or f"https://kaggle.com/{facts.weights.kaggle}"
            return handle.split("/")[3]
        if "keras-applications" in (facts.weights.url or ""):
            return "keras"
    return None


def _published(figures: Iterable[Published], fact: str) -> float | None:
    """The published figure that a fact means, in percent; of COCO's splits the first that is told."""
    data = {"ap": "coco-2017", "spearman": "stsbenchmark"}.get(fact, "imagenet-1k")
    split = {"ap": None, "spearman": "test"}.get(fact, "val")
    values = [
        figure.value
        for figure in figures
        if (figure.metric, figure.dataset) == (fact, data) and split in (None, figure.split)
    ]
    return round(values[0] * 100, 3) if values else None


def _orders(sort: str | None) -> list[tuple[str, bool]]:
    """`-top1,name` as (fact, whether from high to low)."""
    orders = [(part.strip().removeprefix("-"), part.strip().startswith("-")) for part in (sort or "").split(",")]
    for fact, _ in orders if sort else ():
        if fact not in FACTS:
            raise OptionError(unknown_fact(fact, FACTS))
    return orders if sort else []
