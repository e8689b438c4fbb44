"""Which pairs are measured, and on which samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from zoo import Pair, weights
from zoo.dataset import DatasetOptions, open_dataset
from zoo.errors import DatasetError, NotFittedError, OptionError, PairError, ZooError
from zoo.pairs import find_pair, require_pair
from zoo.search import matches
from zoo.specs import BackboneSpec, DatasetSpec, TaskSpec, WeightsSpec
from zoo_bench.holdout import opened_split, parts
from zoo_bench.job import BASELINES, Job

if TYPE_CHECKING:
    from zoo.plugins import Plugins


@dataclass(frozen=True)
class Selection:
    """The pairs to measure, task by task, and the ready ones left out because their weights are not at hand."""

    pairs: tuple[Pair, ...]
    absent: tuple[Pair, ...]


def select(plugins: Plugins, tasks: Sequence[str], backbones: Sequence[str], *, fit: bool = False) -> Selection:
    """The ready pairs of `tasks` (all if empty) and `backbones` (names, aliases or globs; all if empty).

    With `fit` those that a head can be trained for. A backbone named in full is taken wherever its weights lie; of the
    others only those whose weights are at hand.
    Raises UnknownNameError for a name that is not there, PairError where a named backbone fits none of the tasks,
    OptionError for a glob that fits nothing.
    """
    find = pair_to_fit if fit else _ready_pair
    wanted = [plugins.tasks.get(name) for name in tasks] or list(plugins.tasks)
    if fit:
        wanted = _that_fit(wanted)
    named: list[BackboneSpec] = []
    globbed: list[BackboneSpec] = [] if backbones else list(plugins.backbones)
    for pattern in backbones:
        if not any(character in pattern for character in "*?["):
            spec = plugins.backbones.get(pattern)
            _require(wanted, spec, fit=fit)
            named.append(spec)
            continue
        found = [spec for spec in plugins.backbones if matches(spec, pattern)]
        if not found:
            raise OptionError(f"no backbone fits {pattern!r} ('zoo list' shows all {len(plugins.backbones)} of them)")
        globbed += found
    pairs: dict[str, Pair] = {}
    absent: dict[str, Pair] = {}
    for task in wanted:
        for spec in (*named, *globbed):
            if pair := find(task, spec):
                here = spec in named or all(weights.at_hand(source) for source in sources(spec, pair.output).values())
                (pairs if here else absent)[pair.name] = pair
    return Selection(tuple(pairs.values()), tuple(absent.values()))


def pair_to_fit(task: TaskSpec, backbone: BackboneSpec) -> Pair | None:
    """The pair on whose features a head can be trained, though it may have one already; None where there is none."""
    if backbone.input.kind in task.modalities and "features" in backbone.outputs:
        return Pair(task, backbone, "features", "trainable")
    return None


def _ready_pair(task: TaskSpec, backbone: BackboneSpec) -> Pair | None:
    pair = find_pair(task, backbone)
    return pair if pair and pair.ready else None


def _that_fit(tasks: Sequence[TaskSpec]) -> list[TaskSpec]:
    """The tasks that can train a head on features; raises PairError where none can."""
    found = [task for task in tasks if task.targets == "class" and "features" in task.trainable]
    if not found:
        names = " and ".join(repr(task.name) for task in tasks)
        raise PairError(f"no head can be fitted for task {names}; 'classification' has one")
    return found


def sources(backbone: BackboneSpec, output: str) -> dict[str, WeightsSpec]:
    """Where the weights behind an output of `backbone` come from, by role."""
    found = {"weights": backbone.outputs[output].weights}
    preprocessor = getattr(backbone.input, "preprocessor", None)
    return found | ({"preprocessor": preprocessor} if preprocessor else {})


def samples(plugins: Plugins, pair: Pair) -> DatasetSpec | None:
    """The first set of samples, by name, that has the pair's kind of input, its task's targets and its labels."""
    labels = pair.backbone.outputs[pair.output].labels
    for spec in plugins.datasets:
        fits = (spec.modality, spec.targets, spec.labels) == (pair.backbone.input.kind, pair.task.targets, labels)
        if spec.samples and fits:
            return spec
    return None


def jobs(plugins: Plugins, pairs: Sequence[Pair], settings: Sequence[Job]) -> list[Job]:
    """One job for each pair and each of `settings`, of which the pair does not count, pair by pair.

    Where they name no dataset, it is the pair's own samples.
    """
    found = []
    for pair in pairs:
        own = samples(plugins, pair)
        for job in settings:
            dataset = job.dataset if job.dataset is not None else own.name if own else None
            named = {"task": pair.task.name, "backbone": pair.backbone.name, "output": pair.output}
            found.append(replace(job, **named, dataset=dataset))
    return found


def to_fit(found: Sequence[Job], strategies: Sequence[str]) -> list[Job]:
    """Each of the jobs with each strategy, and the baselines of each task beside them."""
    fitted = [replace(job, fit=strategy) for job in found for strategy in strategies]
    first = {job.task: job for job in reversed(found)}
    beside = [
        replace(job, backbone=name, fit=name, output="logits") for job in reversed(first.values()) for name in BASELINES
    ]
    return [*fitted, *beside]


def with_data(
    plugins: Plugins, pairs: Sequence[Pair], name: str, split: str | None, *, fit: bool = False
) -> tuple[list[Pair], list[str]]:
    """The pairs that can be measured on the dataset `name`, and in one line for each kind of pair why the others can't.

    fit: they are to be fitted to a part of it.
    Raises the first reason where none can: DatasetError, OptionError, UnknownNameError.
    """
    kinds: dict[tuple[str, str], ZooError | None] = {}
    for pair in pairs:
        kind = (pair.backbone.input.kind, pair.task.targets)
        if kind not in kinds:
            kinds[kind] = _refusal(plugins, name, DatasetOptions(split=split, modality=kind[0], targets=kind[1]), fit)
    refusals = [error for error in kinds.values() if error]
    if refusals and len(refusals) == len(kinds):
        raise refusals[0]
    left = [pair for pair in pairs if kinds[pair.backbone.input.kind, pair.task.targets] is None]
    reasons = [
        f"{pair_kind[0]} pairs with targets {pair_kind[1]!r} are left out: {error}"
        for pair_kind, error in kinds.items()
        if error
    ]
    return left, reasons


def _refusal(plugins: Plugins, name: str, options: DatasetOptions, fit: bool) -> ZooError | None:
    """Why the dataset `name` can't be used with that modality and those targets; None where it can."""
    try:
        if fit:
            found, _ = parts(partial(opened_split, name, options), options.split, 0)
        else:
            found = open_dataset(name, options, plugins)
    except ZooError as error:
        return error
    if (found.modality, found.targets) == (options.modality, options.targets):
        return None
    return DatasetError(f"{name!r} has {found.modality} examples with targets {found.targets!r}")


def _require(tasks: Sequence[TaskSpec], spec: BackboneSpec, *, fit: bool) -> None:
    """Raise for a named backbone that is of use for none of the tasks: leaving it out in silence would hide it."""
    if fit:
        if not any(pair_to_fit(task, spec) for task in tasks):
            offers = ", ".join(map(repr, spec.outputs))
            raise PairError(f"backbone {spec.name!r} offers {offers}; a head is fitted on 'features'")
        return
    found = [pair for task in tasks if (pair := find_pair(task, spec))]
    if any(pair.ready for pair in found):
        return
    if found:
        names = " and ".join(repr(pair.task.name) for pair in found)
        raise NotFittedError(
            f"backbone {spec.name!r} has no trained head for task {names} yet: there is nothing to measure"
        )
    require_pair(tasks[0], spec)
