"""Rows as the harness writes them, with figures that a test chooses."""

from zoo_bench.facts import Interval, Latency, Machine, Measured, Memory, Rate
from zoo_bench.row import Row

MACHINE = Machine(processor="Some CPU", cores=2, memory=8 * 2**30, system="Linux")
DIGITS = Measured(name="digits", split="test", fingerprint="f1", size=360, n=360)


def rate(value: float, spread: float = 0.02) -> Rate:
    """A rate whose interval reaches `spread` of it to either side."""
    return Rate(value=value, low=value * (1 - spread), high=value * (1 + spread), n=9, ended="narrow")


def interval(value: float, half: float = 0.01, n: int = 360) -> Interval:
    return Interval(value=value, low=value - half, high=value + half, n=n)


def latency(p50: float, bound: float | None = None) -> Latency:
    """Percentiles of 700 calls; `bound` is early stopping's, 3 % above unless it is said."""
    values = {"p50": p50, "p90": 1.2 * p50, "p99": 2 * p50}
    bounds = {name: value * ((bound or 1.03 * p50) / p50) for name, value in values.items()}
    return Latency(n=700, bounds=bounds, needs={"p50": 11, "p90": 64, "p99": 662}, **values)


def row(backbone: str = "a", speed: float | None = 100.0, top1: float | None = None, **fields) -> Row:
    """A measured row of classification; `top1` None is a row of speed alone."""
    facts = {
        "run": "r1",
        "order": 1,
        "task": "classification",
        "backbone": backbone,
        "output": "logits",
        "runtime": "tf",
        "precision": "fp32",
        "device": "Some CPU",
        "device_id": "cpu",
        "batch_size": 32,
        "metrics": {} if top1 is None else {"top1": interval(top1)},
        "dataset": None if top1 is None else DIGITS,
        "throughput": None if speed is None else rate(speed),
        "memory": Memory(peak=400_000_000, kind="resident", before=300_000_000),
        "machine": MACHINE,
        "versions": {"zoo": "1.2.3"},
        "seed": 0,
        "time": "2026-01-01T00:00:00+00:00",
        "duration": 1.0,
        "command": "zoo bench",
    }
    return Row(**facts | fields)


def failed(backbone: str = "a", error: str = "timed out after 5 s", **fields) -> Row:
    """A row without figures; no device is known."""
    absent = {"device": None, "device_id": None, "memory": None}
    return row(backbone, None, None, error=error, **absent | fields)
