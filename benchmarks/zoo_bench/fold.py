"""What was measured becomes a row: figures with intervals, what was published beside them, what a reader must know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from zoo.plugins import installed
from zoo.specs import Published
from zoo_bench import machine
from zoo_bench.facts import Check, Clocks, Compute, Fitted, Interval, Measured, Memory, Rate, Tried
from zoo_bench.intervals import latency, rate
from zoo_bench.job import AUTO, Job, Run
from zoo_bench.published import compare, suspicions
from zoo_bench.row import Row

SMALL = 1000


@dataclass(frozen=True)
class Pair:
    """One job and how it went. order: its place in the run; tried: the search for its batch size.

    started: seconds of the epoch; duration: seconds, fetching and every process of its own included.
    """

    run: Run
    job: Job
    order: int | None
    digests: Mapping[str, str]
    tried: tuple[Tried, ...]
    started: float
    duration: float


def fold(
    pair: Pair,
    raw: Mapping[str, Any],
    published: Sequence[Published],
    compute: Compute | str,
    took: float | None = None,
    fit: Mapping[str, Any] | None = None,
) -> Row:
    """The row of a pair that was measured.

    raw: what `measure` tells; compute: operations and peak, or why they are not known; took: the seconds of what was
    done only once before; fit: the facts of a `Fitted`, where a head was trained first.
    """
    dataset = Measured(**raw["dataset"]) if raw["dataset"] else None
    metrics = {name: Interval(**score) for name, score in raw["metrics"].items()}
    family = installed().backbones.get(pair.job.backbone).family if published else ""
    figures = compare(published, metrics, dataset, family)
    throughput = rate(**raw["throughput"])
    achieved = compute if isinstance(compute, str) else _achieved(compute, throughput)
    ran = {name: raw[name] for name in ("runtime", "precision", "batch_size")}
    return Row(
        **_common(pair) | ran,
        **{name: raw[name] for name in ("inputs", "load", "first_call", "warm_up", "parameters", "weights")},
        device=machine.device_name(raw["device"]),
        device_id=raw["device"],
        metrics=metrics,
        published=figures,
        dataset=dataset,
        fit=Fitted(**fit) if fit else None,
        check=Check(**raw["check"]),
        throughput=throughput,
        end_to_end=rate(**raw["end_to_end"]),
        latency=_latency(raw["latency"]),
        latency_end_to_end=_latency(raw["latency_end_to_end"]),
        memory=Memory(**raw["memory"]),
        compute=None if isinstance(achieved, str) else achieved,
        clocks=Clocks(**raw["clocks"]) if raw["clocks"] else None,
        notes=(
            *raw["notes"],
            *_about_data(dataset, raw["notes"]),
            *_about_fit(fit),
            *suspicions(figures, metrics),
            *_about_runtime(raw, took),
            *_about_compute(achieved),
        ),
    )


def guessed(pair: Pair, raw: Mapping[str, Any]) -> Row:
    """The row of a baseline that computes nothing; raw: what `zoo_bench.fitting.guess` tells."""
    dataset = Measured(**raw["dataset"])
    metrics = {name: Interval(**score) for name, score in raw["metrics"].items()}
    notes = (*raw["notes"], *_about_data(dataset, raw["notes"]))
    return Row(**_common(pair), fit=Fitted(**raw["fit"]), metrics=metrics, dataset=dataset, notes=notes)


def failed(pair: Pair, error: str) -> Row:
    """The row of a pair that could not be measured."""
    device = machine.device_name(pair.job.device) if pair.job.device else None
    return Row(**_common(pair), device=device, device_id=pair.job.device, error=error)


def _common(pair: Pair) -> dict[str, Any]:
    """What every row says, measured or failed."""
    job = pair.job
    asked = {name: getattr(job, name) for name in ("task", "backbone", "output", "runtime", "precision", "seed")}
    return asked | {
        "run": pair.run.id,
        "order": pair.order,
        "beside": pair.run.beside,
        "asked": job.asked,
        "batch_size": None if job.batch_size == AUTO else job.batch_size,
        "batch_search": pair.tried,
        "digests": dict(pair.digests),
        "machine": machine.machine(),
        "versions": machine.versions(),
        "environment": machine.environment(),
        "time": datetime.fromtimestamp(pair.started, UTC).isoformat(timespec="seconds"),
        "duration": round(pair.duration, 3),
        "command": machine.command_line(),
    }


def _latency(raw: Mapping[str, Any]) -> Any:
    return latency([seconds for _, seconds in raw["repeats"]])


def _achieved(compute: Compute, throughput: Rate | None) -> Compute:
    """`compute` with what the throughput means in operations a second."""
    if throughput is None or throughput.value is None:
        return compute
    achieved = compute.flops * throughput.value
    return compute.model_copy(update={"achieved": achieved, "share": achieved / compute.peak if compute.peak else None})


def _about_runtime(raw: Mapping[str, Any], took: float | None) -> list[str]:
    once = [f"converted or chosen once before, in {took:.1f} s, which is not in the load"] if took is not None else []
    return [f"chosen by 'auto': {raw['choice']}", *once] if raw["choice"] else once


def _about_compute(compute: Compute | str) -> list[str]:
    """What must be said of operations that are not known, or of a peak that cannot be one."""
    if isinstance(compute, str):
        return [f"operations not counted: {compute}"]
    if compute.share is not None and compute.share > 1:
        return [
            "faster than the measured peak: the machine was busy while that was measured, or its product is not best"
        ]
    return []


def _about_fit(fit: Mapping[str, Any] | None) -> list[str]:
    unread = fit.get("unread", 0) if fit else 0
    return [f"{unread} of {fit['examples']} examples to learn from could not be read"] if fit and unread else []


def _about_data(dataset: Measured | None, told: Sequence[str]) -> list[str]:
    if dataset is None:
        return ["no samples of its labels: metrics not measured, speed on sample inputs"]
    notes = []
    if dataset.n < SMALL and not any("small" in note for note in told):
        notes.append(f"{dataset.n} examples: a small sample")
    if dataset.unread:
        notes.append(f"{dataset.unread} examples could not be read")
    return notes
