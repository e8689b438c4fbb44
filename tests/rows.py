"""Rows as the harness writes them, with figures that a test chooses."""

from zoo_bench.facts import Interval, Latency, Machine, Measured, Memory, PublishedFigure, Rate
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


LETTERS = Measured(name="csv:/data/of/some/letters/manifest.csv", fingerprint="f2", size=5000, n=2000)
PUBLISHED = PublishedFigure(
    metric="top1", dataset="digits", split="test", value=0.98, source="their paper", difference=-0.03
)
# Two datasets, two runtimes, a metric that falls, speed alone, a failure.
ONE_OF_EACH = [
    row("good", 100.0, 0.95, published=(PUBLISHED,), latency=latency(0.01), digests={"weights": "5ha256"}),
    row("good", 200.0, 0.94, runtime="onnx", notes=("converted once",)),
    row("good", 300.0, 0.93, runtime="onnx", precision="int8"),
    row("quick", 150.0, 0.80, metrics={"top1": interval(0.8), "log_loss": interval(0.5)}),
    row("slow", 10.0, 0.70, metrics={"top1": interval(0.7), "log_loss": interval(0.4)}),
    row("good", 50.0, 0.60, dataset=LETTERS, metrics={"top1": interval(0.6, n=2000)}),
    row("silent", 5000.0, task="embedding", end_to_end=rate(400.0)),
    failed("broken", "BackboneError: it is broken", runtime="onnx"),
]
