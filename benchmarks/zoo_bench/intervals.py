"""From repeats to figures: medians with their intervals, and the percentiles that a number of calls can carry."""

from __future__ import annotations

import functools
import itertools
import math
import statistics
from collections.abc import Sequence

from zoo_bench.facts import Latency, Rate

NARROW = 0.025  # of the median: half the width of an interval at which no more repeats are needed
ROUND = 3  # repeats of a round whose median means anything
CONFIDENCE = 0.99
PERCENTILES = {"p50": 50, "p90": 90, "p99": 99}

Repeats = Sequence[tuple[int, float]]


def rate(repeats: Repeats, ended: str | None = None, rounds: Sequence[int] = ()) -> Rate | None:
    """The median of inputs per second over `repeats` of (inputs, seconds), with the interval of the median.

    rounds: where each round begins. Repeats of one round are more alike than those of two, between which the machine
        may have slowed down: the interval is widened to hold the median of each round.
    """
    if not repeats:
        return None
    rates = [items / seconds for items, seconds in repeats]
    parts = [rates[begin:end] for begin, end in itertools.pairwise((*rounds, len(rates)))]
    medians = [statistics.median(part) for part in parts if len(part) >= ROUND]
    rates.sort()
    outer = _rank_of_interval(len(rates))
    low, high = (rates[outer], rates[-1 - outer]) if outer is not None else (None, None)
    if low is not None and high is not None:
        low, high = min(low, *medians, low), max(high, *medians, high)
    return Rate(value=statistics.median(rates), low=low, high=high, n=len(rates), ended=ended)


def is_narrow(repeats: Repeats, rounds: Sequence[int] = ()) -> bool:
    """Whether the interval of the median reaches at most 2.5 % of it to either side."""
    found = rate(repeats, rounds=rounds)
    if found is None or found.value is None or found.low is None or found.high is None:
        return False
    return max(found.high - found.value, found.value - found.low) <= NARROW * found.value


def latency(durations: Sequence[float]) -> Latency | None:
    """Percentiles of the durations of single calls in seconds; one that needs more calls is None.

    A percentile's bound is the estimate that MLPerf's load generator reports when it stops early (MLPerf Inference
    rules, "early stopping", and `loadgen/early_stopping.cc`): t is the largest number for which at most t of n calls
    would lie above the percentile with a probability of 1 % or less, and the t - 1 slowest calls are discarded; t must
    be at least 1, which is what `needs` counts.
    """
    if not durations:
        return None
    ordered = sorted(durations)
    n = len(ordered)
    needs = {name: calls_needed(percent) for name, percent in PERCENTILES.items()}
    found = {
        name: ordered[math.ceil(percent * n / 100) - 1] if name == "p50" or n >= needs[name] else None
        for name, percent in PERCENTILES.items()
    }
    bounds = {
        name: ordered[-max(1, _slower(n, percent))] if n >= needs[name] else None
        for name, percent in PERCENTILES.items()
    }
    return Latency(n=n, bounds=bounds, needs=needs, **found)


@functools.cache
def calls_needed(percent: int) -> int:
    """The fewest calls after which a percentile can be stated with a bound: 64 for the 90th, 662 for the 99th."""
    n = 1
    while _slower(n, percent) < 1:
        n += 1
    return n


def _slower(n: int, percent: int) -> int:
    """The largest t with P(at most t of `n` calls are slower than the percentile) <= 1 %; -1 if there is none."""
    above = 1 - percent / 100
    log_term = n * math.log1p(-above)  # of the binomial probability of t slower calls
    total, t = math.exp(log_term), 0
    while total <= 1 - CONFIDENCE:
        t += 1
        log_term += math.log((n - t + 1) / t) + math.log(above / (1 - above))
        total += math.exp(log_term)
    return t - 1


def _rank_of_interval(n: int) -> int | None:
    """k, where the k-th smallest and k-th largest (from 0) of `n` values bound the median with at least 95 %.

    The distribution-free interval from order statistics (Conover 1999, Practical Nonparametric Statistics, 3.2);
    None where `n` is too small for one.
    """
    if n > 2000:  # the normal approximation, by now within one rank
        return math.floor((n - 1.96 * math.sqrt(n)) / 2) - 1
    # Twice P(at most k of n values lie below the median) must stay within 5 %: 2 * tail / 2^n <= 1 / 20.
    outcomes, tail, ways, k = 2**n, 0, 1, 0
    while 40 * (tail + ways) <= outcomes:
        tail += ways
        ways = ways * (n - k) // (k + 1)
        k += 1
    return k - 1 if k else None
