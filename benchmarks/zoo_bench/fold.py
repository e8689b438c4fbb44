"""Raw timings become a row: medians with intervals, percentiles, comparisons with what was published."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from zoo.specs import Published
from zoo_bench import machine
from zoo_bench.facts import Interval, Latency, Measured, Memory, Rate
from zoo_bench.job import Job
from zoo_bench.published import compare, suspicions
from zoo_bench.row import Row

SMALL = 1000


def fold(job: Job, raw: Mapping[str, Any], published: Sequence[Published], started: float, duration: float) -> Row:
    """The row of a pair that was measured; `raw` is what `measure` returns, `started` in seconds of the epoch."""
    dataset = Measured(**raw["dataset"]) if raw["dataset"] else None
    metrics = {name: Interval(**score) for name, score in raw["metrics"].items()}
    figures = compare(published, metrics, dataset)
    ran = {"precision": raw["precision"], "batch_size": raw["batch_size"]}
    return Row(
        **_common(job, started, duration) | ran,
        device=machine.device_name(raw["device"]),
        device_id=raw["device"],
        metrics=metrics,
        published=figures,
        dataset=dataset,
        inputs=raw["inputs"],
        throughput=rate(raw["forward"]),
        end_to_end=rate(raw["end_to_end"]),
        latency=latency([seconds for _, seconds in raw["singles"]]),
        load=raw["load"],
        first_call=raw["first_call"],
        warm_up=raw["warm_up"],
        memory=Memory(**raw["memory"]),
        parameters=raw["parameters"],
        weights=raw["weights"],
        digests=raw["digests"],
        notes=(*raw["notes"], *_notes(dataset, raw["notes"]), *suspicions(figures, metrics)),
    )


def failed(job: Job, error: str, started: float, duration: float) -> Row:
    """The row of a pair that could not be measured."""
    device = machine.device_name(job.device) if job.device else None
    return Row(**_common(job, started, duration), device=device, device_id=job.device, error=error)


def rate(repeats: Sequence[tuple[int, float]]) -> Rate | None:
    """The median of inputs per second over `repeats` of (inputs, seconds), with the interval of the median."""
    if not repeats:
        return None
    rates = sorted(items / seconds for items, seconds in repeats)
    outer = _rank_of_interval(len(rates))
    low, high = (rates[outer], rates[-1 - outer]) if outer is not None else (None, None)
    middle = len(rates) // 2
    median = rates[middle] if len(rates) % 2 else (rates[middle - 1] + rates[middle]) / 2
    return Rate(value=median, low=low, high=high, n=len(rates))


def latency(durations: Sequence[float]) -> Latency | None:
    """Percentiles of the durations of single calls; a percentile has at least one call beyond it or is None."""
    if not durations:
        return None
    ordered = sorted(durations)

    def percentile(share: int) -> float | None:
        rank = math.ceil(share * len(ordered) / 100)
        return ordered[rank - 1] if share == 50 or len(ordered) * (100 - share) >= 100 else None

    return Latency(p50=percentile(50), p90=percentile(90), p99=percentile(99), n=len(ordered))


def _rank_of_interval(n: int) -> int | None:
    """k, where the k-th smallest and k-th largest (from 0) of `n` values bound the median with at least 95 %.

    The distribution-free interval from order statistics (Conover 1999, Practical Nonparametric Statistics, 3.2);
    None where `n` is too small for one.
    """
    # Twice P(at most k of n values lie below the median) must stay within 5 %: 2 * tail / 2^n <= 1 / 20.
    outcomes, tail, ways, k = 2**n, 0, 1, 0
    while 40 * (tail + ways) <= outcomes:
        tail += ways
        ways = ways * (n - k) // (k + 1)
        k += 1
    return k - 1 if k else None


def _common(job: Job, started: float, duration: float) -> dict[str, Any]:
    """What every row says, measured or failed."""
    asked = ("task", "backbone", "output", "runtime", "precision", "batch_size", "seed")
    return {name: getattr(job, name) for name in asked} | {
        "machine": machine.machine(),
        "versions": machine.versions(),
        "time": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "duration": round(duration, 3),
        "command": machine.command_line(),
    }


def _notes(dataset: Measured | None, told: Sequence[str]) -> list[str]:
    if dataset is None:
        return ["no samples of its labels: metrics not measured, speed on sample inputs"]
    notes = []
    if dataset.n < SMALL and not any("small" in note for note in told):
        notes.append(f"{dataset.n} examples: a small sample")
    if dataset.n + dataset.unread < dataset.size:
        notes.append(f"the first {dataset.n + dataset.unread} of {dataset.size} examples")
    if dataset.unread:
        notes.append(f"{dataset.unread} examples could not be read")
    return notes
