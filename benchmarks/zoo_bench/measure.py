"""One pair, measured in the process that calls: raw timings, memory, scores. Nothing is folded or printed here.

Everything runs on real inputs, those of the dataset or the task's samples, and warm-up is apart. A compiled model
returns NumPy arrays, so the device has finished inside the timed region.
"""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from zoo import Dataset, Model, weights
from zoo.cache import cache_folder
from zoo.disk import files_of
from zoo.inputs import Prepared
from zoo.plugins import installed
from zoo.runtime import Array, Compiled
from zoo_bench import resident
from zoo_bench.check import SAMPLE, Recorder, checked, rows
from zoo_bench.clocks import ClockReader, load_average
from zoo_bench.holdout import examples
from zoo_bench.intervals import calls_needed
from zoo_bench.job import Job
from zoo_bench.material import Material, opened
from zoo_bench.scenarios import Series, end_to_end, in_turns, offline, single_stream, timed, warm


def measure(job: Job, folder: Path, tell: Callable[[Any], None]) -> None:
    """Measure `job`, whose weights are at hand, or what was fitted in `folder`; tell of it, raise the zoo's errors.

    Told is first ("measured", what `zoo_bench.fold.fold` takes), then ("counted", what `zoo_bench.flops` found) or
    ("uncounted", why it found nothing), last because it reads the weights once more. Where loading made something
    for all later processes, a conversion or a choice, ("prepared", the seconds) is all: the next measurement counts.
    """
    random.seed(job.seed)
    np.random.seed(job.seed)  # what a plugin draws, it draws again
    load = load_average()
    requires = installed().runtimes.get(job.runtime).requires
    shared = tuple(name for name in requires if name in sys.modules)
    model = opened(job, folder)
    files = model.files(model.pair.output)
    _read_once(files.values())
    dataset = examples(model, job)
    if dataset:
        model.task.metric(dataset, model.labels)  # label spaces that can't meet are told before anything is timed
    material = Material(model, dataset, job.limit)
    made = made_once(job)
    loaded = _loaded(model, job, material) | {"shared": shared}
    if made_once(job) != made:
        tell(("prepared", loaded["load"] + loaded["first_call"]))
        return
    speed, timed_outputs = _speed(model, job, material, loaded)
    found = _evaluation(model, dataset, job, timed_outputs) if dataset else _calls(model, job, material, timed_outputs)
    if speed["clocks"]:
        speed["clocks"]["load"] = load
    tell(("measured", {**speed, **found, "weights": sum(weights.size(path) for path in files.values())}))
    tell(_operations(model, job, material))


def _loaded(model: Model, job: Job, material: Material) -> dict[str, Any]:
    """Load and first call, in seconds, and what was resident before them, in bytes."""
    for module in model.spec.imports:  # an import is no part of loading weights; if it fails, loading says so better
        with suppress(ImportError):
            importlib.import_module(module)
    resident.reset_peak()
    before = resident.now()
    load = timed(model.load)
    run = model.compiled(model.pair.output)
    batch = material.batches(job.batch)[0]
    first_call = timed(lambda: run(batch))
    run(material.singles()[0])  # some compile anew for each batch size
    return {"load": load, "first_call": first_call, "before": before}


def made_once(job: Job) -> set[str]:
    """What runtimes have made of the backbone for all processes to come, by name."""
    folders = (cache_folder() / name for name in ("converted", "choices"))
    return {path.name for folder in folders for path in folder.glob(f"{job.backbone}-{job.output}-*")}


def _speed(
    model: Model, job: Job, material: Material, loaded: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[int, Mapping[str, Array]]]:
    """Warm-up, offline and single stream; memory since before loading; the outputs by input."""
    run = model.compiled(model.pair.output)
    batches = material.batches(job.batch)
    warm_up = timed(lambda: warm(run, batches, job.seconds))
    clocks = ClockReader(run.device)
    latest: dict[int, Mapping[str, Array]] = {}
    found = _scenarios(model, run, job, material, batches, latest, clocks)
    on_device = run.peak_memory()
    own = resident.peak_since(loaded["before"]) | {"shared": loaded["shared"]}
    memory = {"peak": on_device, "kind": "device"} if on_device is not None else own
    speed = {
        "runtime": run.choice.runtime if run.choice else job.runtime,
        "choice": str(run.choice) if run.choice else None,
        "device": run.device,
        "precision": run.precision,
        "batch_size": max(len(batch) for batch in batches),
        "inputs": _origin(material.sources[0], model.spec.input.kind),
        "load": loaded["load"],
        "first_call": loaded["first_call"],
        "warm_up": warm_up,
        **found,
        "clocks": clocks.medians(),
        "memory": memory,
        "parameters": run.parameters(),
    }
    return speed, _by_input(batches, latest)


def _scenarios(
    model: Model,
    run: Compiled,
    job: Job,
    material: Material,
    batches: Sequence[Array],
    latest: dict[int, Mapping[str, Array]],
    clocks: ClockReader,
) -> dict[str, Any]:
    """Each scenario's repeats and why they ended, (inputs, seconds) each, by the name that it has in a row."""
    settings = {option.name: option.default for option in model.task.spec.options}
    singles = material.singles()
    warm(run, singles, job.seconds)

    def answer(group: Sequence[Any], outputs: Any) -> int:
        readable = [item for item in group if isinstance(item, Prepared)]
        if readable:
            model.task.postprocess(outputs, readable, model.facts, model.labels, settings)
        return len(readable)

    readable = [item.source for item in material.items(len(singles))]
    measures = {
        "throughput": (Series(job.seconds), offline(run, batches, latest)),
        "latency": (
            Series(job.seconds, goals=(calls_needed(90), calls_needed(99))),
            single_stream(run, singles),
        ),
        "latency_end_to_end": (
            Series(job.seconds, goals=(calls_needed(90),)),
            single_stream(model.predict, readable),
        ),
        "end_to_end": (
            Series(job.seconds),
            end_to_end(
                lambda sources: model.outputs(sources, model.pair.output, job.batch),
                material.sources,
                lambda found: answer(*found),
            ),
        ),
    }
    in_turns(measures.values(), after_round=clocks.read)
    return {
        name: {"repeats": series.repeats, "ended": series.ended, "rounds": series.rounds}
        for name, (series, _) in measures.items()
    }


def _evaluation(
    model: Model, dataset: Dataset, job: Job, timed_outputs: Mapping[int, Mapping[str, Array]]
) -> dict[str, Any]:
    """The scores, and whether the outputs behind them are those of the timed run."""
    recorder = Recorder(model)
    model.outputs = recorder  # type: ignore[method-assign, assignment]
    found = model.evaluate(dataset, batch_size=job.batch, limit=job.limit).to_json()
    about = {
        "name": dataset.name,
        "split": dataset.split,
        "fingerprint": dataset.fingerprint(),
        "size": len(dataset),
        "n": found["n"],
        "unread": len(found["failed"]),
    }
    check = checked(model, "accuracy run", recorder.kept, timed_outputs)
    return {"dataset": about, "metrics": found["metrics"], "notes": found["notes"], "check": check}


def _calls(
    model: Model, job: Job, material: Material, timed_outputs: Mapping[int, Mapping[str, Array]]
) -> dict[str, Any]:
    """Where nothing can be scored, single calls are what the outputs of the timed run are held against."""
    run = model.compiled(model.pair.output)
    reference = [rows(run(single), 1)[0] for single in material.singles()]
    check = checked(model, "single calls", reference, timed_outputs)
    return {"dataset": None, "metrics": {}, "notes": [], "check": check}


def _operations(model: Model, job: Job, material: Material) -> tuple[str, Any]:
    try:
        from zoo_bench.flops import INPUTS, counted

        return "counted", counted(model, model.pair.output, [item.value for item in material.items(INPUTS)])
    except Exception as error:  # noqa: BLE001 - a graph that can't be counted has been timed all the same
        return "uncounted", " ".join(str(error).split())[:300] or type(error).__name__


def _by_input(batches: Sequence[Array], latest: Mapping[int, Mapping[str, Array]]) -> dict[int, Mapping[str, Array]]:
    """The outputs of the first inputs by their place among all, of those batches that were reached in time."""
    found: dict[int, Mapping[str, Array]] = {}
    start = 0
    for number, batch in enumerate(batches):
        if start >= SAMPLE:
            break
        if number in latest:
            found |= dict(enumerate(rows(latest[number], len(batch)), start=start))
        start += len(batch)
    return found


def _origin(source: Any, kind: str) -> str:
    """What an input is made from, in the words of `Row.inputs`."""
    if kind == "text":
        return "texts"
    if isinstance(source, str | Path):
        return "files"
    return "bytes" if isinstance(source, bytes) else "arrays"


def _read_once(files: Iterable[Path]) -> None:
    """Bring the weights into the system's file cache: load times compare only if all start from there."""
    for path in files:
        for file in files_of(path).values():
            with file.open("rb") as stream:
                while stream.read(2**20):
                    pass
