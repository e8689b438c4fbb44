"""The search for a batch size: doubled until the throughput stops rising or memory runs out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from zoo_bench.facts import Tried
from zoo_bench.holdout import examples
from zoo_bench.intervals import rate
from zoo_bench.job import Job
from zoo_bench.material import Material, opened
from zoo_bench.scenarios import Series, offline

LARGEST = 1024
RISE = 1.03  # a larger batch must bring at least so much more
STEPS_WITHOUT = 2  # so many doublings in a row without a rise end the search
SHARE = 0.5  # of a budget for each step


def search(job: Job, folder: Path, tell: Callable[[Any], None]) -> None:
    """Tell of each batch size as it is tried: first ("trying", size), then ("tried", facts of a `Tried`).

    It runs in a process of its own: what is told before the process dies of a batch that was too large stays known.
    """
    model = opened(job, folder)
    dataset = examples(model, job)
    material = Material(model, dataset, job.limit)
    run = model.compiled(model.pair.output)
    best, idle, size = 0.0, 0, 1
    while size <= LARGEST and idle < STEPS_WITHOUT:
        tell(("trying", size))
        try:
            found, actual = _rate(run, material, size, job.seconds * SHARE)
        except Exception as error:  # whatever a larger batch breaks, a smaller one ran
            if size == 1:
                raise
            tell(("tried", {"batch_size": size, "error": " ".join(str(error).split())[:300] or type(error).__name__}))
            return
        tell(("tried", {"batch_size": actual, "rate": found}))
        if actual < size or model.spec.input.batch:  # the network takes no larger one
            return
        idle = 0 if found >= RISE * best else idle + 1
        best, size = max(best, found), 2 * size


def chosen(tried: Sequence[Tried]) -> int | None:
    """The smallest batch size whose throughput is not clearly below the best; None where none ran."""
    rates = {step.batch_size: step.rate for step in tried if step.rate is not None}
    best = max(rates.values(), default=0.0)
    return min((size for size, found in rates.items() if found * RISE >= best), default=None)


def _rate(run: Any, material: Material, size: int, seconds: float) -> tuple[float, int]:
    """Inputs per second at a batch size, and the size of the largest batch that there was."""
    batches = material.batches(size)[:4]
    begun = time.perf_counter()
    run(batches[0])  # apart: a shape may be compiled anew
    series = Series(max(seconds, time.perf_counter() - begun))
    offline(run, batches, {})(series, series.seconds)
    found = rate(series.repeats)
    return (found.value if found and found.value else 0.0), max(map(len, batches))
