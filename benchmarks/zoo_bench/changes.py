"""How a figure changed between two measurements, with the interval of the change and a verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from zoo_bench.facts import Interval, Latency
from zoo_bench.row import Row

BETTER, WORSE, UNCLEAR, INCOMPARABLE = "better", "worse", "no clear change", "not comparable"
FALLING = ("loss", "error", "perplexity", "mae", "mse", "rmse")  # metrics by the last word of their name


@dataclass(frozen=True)
class Limits:
    """The least change that counts: `speed` as a share of the old figure, also for memory; `metric` in its own unit."""

    speed: float = 0.05
    metric: float = 0.01


@dataclass(frozen=True)
class Change:
    """One figure of a pair, old and new, in the units of Row.

    change: (new - old) / old for rates, times and memory, new - old for metrics; low, high: its 95 % interval, None
        where the rows hold no intervals.
    why: what stands in the way of a verdict; empty where nothing does.
    """

    figure: str
    old: float
    new: float
    change: float | None
    low: float | None
    high: float | None
    verdict: str
    relative: bool
    why: str = ""


def less_is_better(metric: str) -> bool:
    """Whether a metric is better when smaller: its name ends in "loss", "error" or the like ("log_loss")."""
    return metric.rpartition("_")[2] in FALLING


def ratio(old: Interval, new: Interval) -> tuple[float, float] | None:
    """The 95 % interval of new / old - 1 for two independent positive figures; None where either has no interval.

    From the two intervals alone by MOVER, the method of variance estimates recovery, on the logarithms: each limit of
    log(new) - log(old) lies as far from it as the root of the summed squares of the two distances on its side (Zou and
    Donner 2008, Statistics in Medicine 27: 1693-1702). Intervals may be lopsided, as those of medians are.
    """
    figures = (old.low, old.value, old.high, new.low, new.value, new.high)
    if any(figure is None or figure <= 0 for figure in figures):
        return None
    logs = [Interval(value=math.log(x.value), low=math.log(x.low), high=math.log(x.high), n=x.n) for x in (old, new)]  # type: ignore[arg-type]
    ends = difference(*logs)
    return None if ends is None else (math.expm1(ends[0]), math.expm1(ends[1]))


def difference(old: Interval, new: Interval) -> tuple[float, float] | None:
    """The 95 % interval of new - old for two independent figures, by MOVER; None where either has no interval.

    For proportions with Wilson's intervals this is Newcombe's method 10 (1998, Statistics in Medicine 17: 873-890).
    Metrics of one dataset are not independent, the examples being the same, so that the interval is wider than it
    need be: rows hold no answers of single examples, from which a narrower one could be made.
    """
    if None in (old.low, old.value, old.high, new.low, new.value, new.high):
        return None
    centre = new.value - old.value  # type: ignore[operator]
    down = math.hypot(new.value - new.low, old.high - old.value)  # type: ignore[operator]
    up = math.hypot(new.high - new.value, old.value - old.low)  # type: ignore[operator]
    return centre - down, centre + up


def pooled(figures: Sequence[Interval]) -> Interval:
    """Repeated measurements as one: the median of the values, and the hull of values and intervals.

    Runs differ by more than the repeats within a run do; the hull holds both and needs no model of either. It has no
    end where one of several has none.
    """
    values = [figure.value for figure in figures if figure.value is not None]
    if len(figures) == 1 or not values:
        return figures[0]
    lows = [figure.low for figure in figures if figure.low is not None]
    highs = [figure.high for figure in figures if figure.high is not None]
    known = len(lows) == len(highs) == len(figures)
    low, high = (min(*lows, *values), max(*highs, *values)) if known else (None, None)
    return Interval(value=median(values), low=low, high=high, n=sum(figure.n for figure in figures))


def changes(old: Sequence[Row], new: Sequence[Row], limits: Limits, obstacle: str) -> Iterator[Change]:
    """The change of each figure that both sides have; `obstacle` says why their speeds can't be compared."""
    for name, read, falling in FIGURES:
        before, after = _found(old, read), _found(new, read)
        if before and after:
            why = obstacle or (_other_imports([*old, *new]) if name == "memory" else "")
            yield _judged(name, pooled(before), pooled(after), limits.speed, falling, why)
    metrics = dict.fromkeys(name for row in old for name in row.metrics)
    why = _other_examples(old[-1], new[-1])
    for name in metrics:
        before, after = ([row.metrics[name] for row in rows if name in row.metrics] for rows in (old, new))
        # The examples are the same in each row of a side: the last has their sampling error, a hull would not shrink.
        if after and before[-1].value is not None and after[-1].value is not None:
            yield _judged(name, before[-1], after[-1], limits.metric, less_is_better(name), why, relative=False)


def _judged(
    name: str, old: Interval, new: Interval, limit: float, falling: bool, why: str, *, relative: bool = True
) -> Change:
    assert old.value is not None
    assert new.value is not None
    ends = (ratio if relative else difference)(old, new)
    change = new.value - old.value
    if relative:
        change = change / old.value if old.value else 0.0
    low, high = ends or (None, None)
    if why:
        verdict = INCOMPARABLE
    elif ends is None:
        verdict, why = UNCLEAR, "the rows hold no interval of it"
    elif abs(change) > limit and not ends[0] <= 0 <= ends[1]:
        verdict = WORSE if (change > 0) == falling else BETTER
    else:
        verdict = UNCLEAR
    return Change(name, old.value, new.value, change, low, high, verdict, relative, why)


def _other_examples(old: Row, new: Row) -> str:
    if old.dataset is None or new.dataset is None or old.dataset.fingerprint != new.dataset.fingerprint:
        return "measured on other data"
    if old.dataset.n != new.dataset.n:
        return f"measured on {old.dataset.n:,} and on {new.dataset.n:,} examples"
    return ""


def _other_imports(rows: Sequence[Row]) -> str:
    """Frameworks weigh twice as much in a process that imports them itself as in one that was forked from it."""
    shared = {row.memory.shared for row in rows if row.memory}
    if len(shared) < 2:
        return ""
    return "frameworks were imported in other ways: measure the same runtimes in one command both times"


def _found(rows: Sequence[Row], read: Callable[[Row], Interval | None]) -> list[Interval]:
    return [figure for row in rows if (figure := read(row)) is not None and figure.value is not None]


def _percentile(latency: Latency | None, name: str) -> Interval | None:
    """A percentile of latency as an interval.

    A row holds the upper limit alone, one-sided at 99 % (MLPerf's early stopping). The lower is taken to be as far away
    on the logarithmic scale: latencies have their long tail above, so that it is rather too far than too near.
    """
    value = getattr(latency, name) if latency else None
    if latency is None or value is None:
        return None
    bound = latency.bounds.get(name)
    low, high = (value * value / bound, bound) if bound is not None and bound >= value > 0 else (None, None)
    return Interval(value=value, low=low, high=high, n=latency.n)


def _memory(row: Row) -> Interval | None:
    """Peak memory is counted, not sampled: one row's interval is the count itself, and the limit alone decides."""
    return Interval(value=row.memory.peak, low=row.memory.peak, high=row.memory.peak, n=1) if row.memory else None


FIGURES: tuple[tuple[str, Callable[[Row], Interval | None], bool], ...] = (
    ("throughput", lambda row: row.throughput, False),
    ("end_to_end", lambda row: row.end_to_end, False),
    ("latency_p50", lambda row: _percentile(row.latency, "p50"), True),
    ("latency_p90", lambda row: _percentile(row.latency, "p90"), True),
    ("latency_p99", lambda row: _percentile(row.latency, "p99"), True),
    ("memory", _memory, True),
)
