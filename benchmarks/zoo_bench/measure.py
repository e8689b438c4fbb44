"""One pair, measured in the process that calls: raw timings, memory, scores. Nothing is folded or printed here.

Everything runs on real inputs, those of the dataset or the task's samples, and warm-up is apart. A compiled model
returns NumPy arrays, so the device has finished inside the timed region.
"""

from __future__ import annotations

import importlib
import itertools
import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np

import zoo
from zoo import Dataset, Model, weights
from zoo.batches import groups, stack
from zoo.disk import files_of
from zoo.errors import InputError
from zoo.inputs import Prepared, prepare_all, sample_inputs
from zoo_bench import resident
from zoo_bench.job import Job

SOURCES = 256  # at most so many distinct inputs, run over and over
SINGLES = 16  # distinct inputs for the latency
AT_LEAST = 6  # the fewest repeats that give the median an interval
CALLS = 100  # the fewest calls that give a 99th percentile
PATIENCE = 5  # a measurement ends after so many budgets, with however few repeats
WARM_UP = 0.25  # of a budget
SEGMENTS = 10  # a budget of the end-to-end stream is cut into so many repeats

Repeats = list[tuple[int, float]]


def measure(job: Job) -> dict[str, Any]:
    """Measure `job`, whose weights are at hand; what `zoo_bench.fold.fold` takes. Raises the errors of the zoo."""
    random.seed(job.seed)
    np.random.seed(job.seed)  # what a plugin draws, it draws again
    model: Model = zoo.get(job.task, job.backbone, runtime=job.runtime, precision=job.precision, device=job.device)
    files = model.files(job.output)
    _read_once(files.values())
    digests = {role: weights.digest(path) for role, path in files.items()}
    dataset = model.dataset(job.dataset, split=job.split) if job.dataset else None
    if dataset:
        model.task.metric(dataset, model.labels)  # label spaces that can't meet are told before anything is timed
    speed = _speed(model, job, _sources(model, dataset))
    found = _evaluation(model, dataset, job) if dataset else {"dataset": None, "metrics": {}, "notes": []}
    return {
        **speed,
        **found,
        "weights": sum(weights.size(path) for path in files.values()),
        "digests": digests,
    }


def _speed(model: Model, job: Job, sources: list[Any]) -> dict[str, Any]:
    """Load, first call, warm-up, forward only, latency and end to end; memory over all of them."""
    for module in model.spec.imports:  # an import is no part of loading weights; if it fails, loading says so better
        with suppress(ImportError):
            importlib.import_module(module)
    resident.reset_peak()
    before = resident.now()
    load = _timed(model.load)
    run = model.compiled(job.output)
    batches, singles = _batches(model, sources, job.batch_size)
    first_call = _timed(lambda: run(batches[0]))
    warm_up = _timed(lambda: _warm(run, batches, job.seconds))
    forward = _over(run, batches, job.seconds, AT_LEAST)
    _warm(run, singles, job.seconds)
    latencies = _over(run, singles, job.seconds, CALLS)
    end_to_end = _end_to_end(model, sources, job.batch_size, job.seconds)
    on_device = run.peak_memory()
    memory = {"peak": on_device, "kind": "device"} if on_device is not None else resident.peak_since(before)
    return {
        "device": run.device,
        "precision": run.precision,
        "batch_size": max(len(batch) for batch in batches),
        "inputs": _origin(sources[0], model.spec.input.kind),
        "load": load,
        "first_call": first_call,
        "warm_up": warm_up,
        "forward": forward,
        "singles": latencies,
        "end_to_end": end_to_end,
        "memory": memory,
        "parameters": run.parameters(),
    }


def _evaluation(model: Model, dataset: Dataset, job: Job) -> dict[str, Any]:
    found = model.evaluate(dataset, batch_size=job.batch_size, limit=job.limit).to_json()
    about = {
        "name": dataset.name,
        "split": dataset.split,
        "fingerprint": dataset.fingerprint(),
        "size": len(dataset),
        "n": found["n"],
        "unread": len(found["failed"]),
    }
    return {"dataset": about, "metrics": found["metrics"], "notes": found["notes"]}


def _sources(model: Model, dataset: Dataset | None) -> list[Any]:
    """The first inputs of the dataset, or the samples that the core carries."""
    if dataset is None:
        return list(sample_inputs(model.spec.input.kind))
    inputs = (source for example in dataset for source in model.task.inputs(example))
    return list(itertools.islice(inputs, SOURCES))


def _batches(model: Model, sources: Iterable[Any], batch_size: int) -> tuple[list[Any], list[Any]]:
    """Prepared sources in batches of the size that the network takes, and one by one; raises InputError if there are
    none.

    Where too few for one batch are at hand they are repeated to fill it. Pictures of a network without a fixed size
    share a batch only where they are of one size.
    """
    spec = model.spec.input
    most = spec.batch or batch_size
    with closing(prepare_all(iter(sources), spec)) as prepared:
        readable = (item for item in prepared if isinstance(item, Prepared))
        items = list(itertools.islice(readable, max(most, 2 * SINGLES)))
    if not items:
        raise InputError("not one input could be read: there is nothing to run")
    fixed = spec.kind == "text" or spec.size is not None
    if fixed:
        items = list(itertools.islice(itertools.cycle(items), -(-len(items) // most) * most))
    batches = [
        stack([item.value for item in group if isinstance(item, Prepared)], spec.kind) for group in groups(items, most)
    ]
    singles = [stack([item.value], spec.kind) for item in items[:SINGLES]]
    return batches, singles


def _end_to_end(model: Model, sources: Sequence[Any], batch_size: int, seconds: float) -> Repeats:
    """From sources to predictions as `Model.predict` goes, in one stream cut into segments: (inputs, seconds) each.

    The first batch fills the pipeline and is not counted.
    """
    settings = {option.name: option.default for option in model.task.spec.options}
    segments: Repeats = []
    with closing(model.outputs(itertools.cycle(sources), model.pair.output, batch_size)) as stream:
        _answer(model, *next(stream), settings)
        start = mark = time.perf_counter()
        counted = 0
        for group, outputs in stream:
            counted += _answer(model, group, outputs, settings)
            now = time.perf_counter()
            if counted and now - mark >= seconds / SEGMENTS:
                segments.append((counted, now - mark))
                counted, mark = 0, now
            if _over_budget(now - start, seconds, len(segments), AT_LEAST):
                return segments
    return segments


def _answer(model: Model, group: Sequence[Any], outputs: Any, settings: dict[str, Any]) -> int:
    """Turn one batch of outputs into predictions; how many there are."""
    readable = [item for item in group if isinstance(item, Prepared)]
    if not readable:
        return 0
    return len(model.task.postprocess(outputs, readable, model.facts, model.labels, settings))


def _warm(run: Callable[[Any], Any], batches: Sequence[Any], seconds: float) -> None:
    """Call `run` on every batch, each shape of which may be compiled anew, and go on for a part of the budget."""
    start = time.perf_counter()
    for number, batch in enumerate(itertools.cycle(batches), start=1):
        run(batch)
        if number >= len(batches) and time.perf_counter() - start >= WARM_UP * seconds:
            return


def _over(run: Callable[[Any], Any], batches: Sequence[Any], seconds: float, at_least: int) -> Repeats:
    """(inputs, seconds) of each call of `run`, batch after batch, until the budget is spent."""
    repeats: Repeats = []
    start = time.perf_counter()
    for batch in itertools.cycle(batches):
        begun = time.perf_counter()
        run(batch)
        ended = time.perf_counter()
        repeats.append((len(batch), ended - begun))
        if _over_budget(ended - start, seconds, len(repeats), at_least):
            break
    return repeats


def _over_budget(spent: float, seconds: float, repeats: int, at_least: int) -> bool:
    return (spent >= seconds and repeats >= at_least) or spent >= PATIENCE * seconds


def _timed(action: Callable[[], Any]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


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
