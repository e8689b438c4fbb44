"""From names to models: `get`, `load`, and what a command line calls a model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.backbone import import_loader
from zoo.errors import OptionError, RuntimeLoadError
from zoo.pairs import find_pair, require_pair
from zoo.plugins import AUTO, installed
from zoo.ranges import with_range
from zoo.runtime import Runtime, installed_runtime, start_runtime
from zoo.saved import SAVED_FACTS, read_saved, saved_facts
from zoo.specs import BackboneSpec
from zoo.task import Task

USUAL = "tf"  # the runtime of who names none


def get(
    task: str,
    backbone: str | BackboneSpec,
    *,
    runtime: str | None = None,
    precision: str = "fp32",
    device: str | None = None,
    batch_size: int = 32,
    weights: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None = None,
    input_range: tuple[float, float] | None = None,
    trust_code: bool = False,
) -> Any:
    """The model of a pair; its weights are fetched on first use.

    backbone: a name, alias or handle, or a spec of your own.
    runtime: where none is named "tf", of which `fit` may take features from a faster one that answers likewise; for
        files that another alone can run, that one ("litert" for a TFLite file).
        "auto" takes the fastest of the installed ones that answers as "tf" at fp32 does; it is tried out on first
        use, which takes a minute or two, and remembered for this machine.
    precision: "auto" lets that choice lower the precision, or, beside a runtime's name, takes the fastest of its own.
    batch_size: the one for which "auto" chooses; any other runs too.
    weights: your own files in place of the published ones: a path, or one for each output by name.
    input_range: what black and white become, such as (0, 1), where the publisher does not say or is wrong.
    trust_code: let the model's files do more than compute; only for a maker whom you trust.
    Returns a `zoo.Model`, or the task's own subclass. Raises UnknownNameError, PairError, MissingPackageError,
    and RuntimeLoadError for a precision that the runtime has nowhere.

    >>> zoo.get("detection", "ssd_mobilenet_v2").predict("street.jpg", conf=0.25).save("boxes.png")
    """
    plugins = installed()
    task_spec = plugins.tasks.get(task)
    spec = backbone if isinstance(backbone, BackboneSpec) else plugins.backbones.get(backbone)
    pair = require_pair(task_spec, spec if input_range is None else with_range(spec, input_range))
    if weights is not None and not isinstance(weights, Mapping):
        weights = {pair.output: weights}
    made: Task = import_loader(task_spec.loader, f"task {task!r}")(task_spec)
    name, named = runtime or USUAL, runtime is not None or precision != "fp32"
    run = _chosen(made, name, batch_size) if AUTO.name in (name, precision) else get_runtime(name)
    if AUTO.name not in (name, precision) and precision not in run.spec.precisions:
        has = ", ".join(map(repr, run.spec.precisions))
        raise RuntimeLoadError(f"runtime {name!r} has no precision {precision!r}; it has {has}")
    more: dict[str, Any] = {"device": device, "precision": precision, "weights": weights}
    return made.model_class()(pair, made, run, **more, trust_code=trust_code, named=named)


def _chosen(task: Task, runtime: str, batch_size: int) -> Runtime:
    """The runtime "auto" for `task`, or the one called `runtime` with the choice of its precision left open."""
    from zoo.tuning.auto import AutoRuntime

    if batch_size < 1:
        raise OptionError(f"batch_size={batch_size!r} is too small; it is at least 1")
    if runtime == AUTO.name:
        return AutoRuntime(AUTO, task, batch_size)
    return AutoRuntime(installed_runtime(runtime), task, batch_size, only=runtime)


def get_runtime(name: str) -> Runtime:
    """The runtime of that name; raises UnknownNameError, or MissingPackageError with what to install."""
    if name == AUTO.name:
        raise OptionError(f"{name!r} chooses a runtime for a task: zoo.get(TASK, BACKBONE, runtime={name!r})")
    return start_runtime(name)


def load(path: str | os.PathLike[str], **options: Any) -> Any:
    """A model that `Model.save` wrote; `options` as `get` takes them. Raises WeightsError for anything else."""
    folder = Path(path)
    task, spec = read_saved(folder)
    model = get(task, spec, **options)
    facts = saved_facts(folder)
    if "whole" in facts:
        from zoo.transfer.whole import load_whole

        return load_whole(folder, model)
    if "fitted" not in facts:
        return model.task.restored(model, folder.absolute())
    from zoo.transfer.fitted import load_fitted

    return load_fitted(folder.absolute(), model)


def open_model(name: str, **options: Any) -> Any:
    """The model that a command line means: `TASK/BACKBONE`, or the path of a saved model; `options` as `get`'s."""
    path = Path(name).expanduser()
    task, slash, backbone = name.partition("/")
    if (path / SAVED_FACTS).is_file() or (path.exists() and task not in installed().tasks):
        return load(path, **options)
    if name.startswith(("/", "./", "../", "~")) or (os.sep != "/" and os.sep in name):
        raise OptionError(f"there is no saved model at {name!r}: no such folder")
    if not slash or not backbone:
        known = name in installed().backbones
        fitting = [t.name for t in installed().tasks if known and find_pair(t, installed().backbones.get(name))]
        meant = " or ".join(repr(f"{t}/{name}") for t in fitting) or "TASK/BACKBONE ('zoo list' shows them)"
        raise OptionError(f"{name!r} is no model: write {meant}, or a saved model's path")
    return get(task, backbone, **options)
