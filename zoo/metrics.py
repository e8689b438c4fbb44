"""Scores with 95 % confidence intervals, and the contract of what accumulates them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from zoo.dataset import Example

    Weights = np.ndarray[Any, np.dtype[np.float64]]
    Column = np.ndarray[Any, np.dtype[Any]]

Z95 = 1.959963984540054
RESAMPLES = 400


@dataclass(frozen=True)
class Score:
    """A figure with its 95 % confidence interval, None where unknown, and the number of examples behind it."""

    value: float
    low: float | None
    high: float | None
    n: int

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.4f}"
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


class Metric(ABC):
    """Accumulates predictions against targets, in sums and counts: never a mean of batch means."""

    @abstractmethod
    def update(self, example: Example, predictions: Sequence[Any]) -> None:
        """Count one example; `predictions` holds one prediction for each of its inputs."""

    @abstractmethod
    def result(self) -> dict[str, Score]:
        """The scores of all that was counted, by name ("top1", "ap", "spearman", ...)."""


def proportion(successes: int, n: int) -> Score:
    """A share of `n` trials, with Wilson's score interval (Wilson 1927, JASA 22)."""
    if n == 0:
        return Score(math.nan, None, None, 0)
    p = successes / n
    centre = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 * math.sqrt(p * (1 - p) / n + Z95**2 / (4 * n * n)) / (1 + Z95**2 / n)
    return Score(p, min(centre - half, p), max(centre + half, p), n)


def mean(total: float, total_of_squares: float, n: int, *, least: float = -math.inf) -> Score:
    """A mean from sums, with the normal interval of the mean; needs two examples for an interval.

    least: what no value can be less than, such as 0 for a loss; the interval ends there.
    """
    if n == 0:
        return Score(math.nan, None, None, 0)
    value = total / n
    if n < 2:
        return Score(value, None, None, n)
    variance = max(0.0, (total_of_squares - n * value * value) / (n - 1))
    half = Z95 * math.sqrt(variance / n)
    return Score(value, max(least, value - half), value + half, n)


def correlation(r: float, n: int, *, ranks: bool) -> Score:
    """A correlation coefficient with its interval by Fisher's z.

    ranks: whether it is Spearman's, whose z has variance (1 + r^2 / 2) / (n - 3) (Bonett and Wright 2000,
    Psychometrika 65) in place of Pearson's 1 / (n - 3).
    """
    if n < 4 or not abs(r) < 1:
        return Score(r, None, None, n)
    half = Z95 * math.sqrt((1 + r * r / 2 if ranks else 1) / (n - 3))
    z = math.atanh(r)
    return Score(r, math.tanh(z - half), math.tanh(z + half), n)


def bootstrap(statistic: Callable[[Weights], Weights], value: float, n: int, least: float = -math.inf) -> Score:
    """`value` with the percentile interval of 400 resamples of its `n` examples (Efron 1979); the same in every run.

    statistic: takes weights float64 [resamples, n], how often each example was drawn, and gives [resamples]; those that
        are no number are left out. least: what no value can be less than.
    """
    import numpy as np

    if n < 2 or not math.isfinite(value):
        return Score(value, None, None, n)
    drawn = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)
    found = statistic(drawn)
    found = found[np.isfinite(found)]
    if len(found) < RESAMPLES / 2:
        return Score(value, None, None, n)
    low, high = np.percentile(found, (2.5, 97.5)).tolist()
    return Score(value, max(least, min(low, value)), max(high, value), n)


def average_precision(scores: Column, true: Column, weights: Weights) -> Weights:
    """The sum of (R_k - R_k-1) P_k without interpolation, with each example counted as often as `weights` say.

    scores [n]: of one class; true [n]: whether it is there; weights [b, n] -> [b]. Equal scores are one step; NaN where
    nothing true was drawn.
    """
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    ranked, drawn = scores[order], weights[:, order]
    last = np.searchsorted(-ranked, -ranked, side="right") - 1
    hits = drawn * true[order]
    above, all_above = hits.cumsum(axis=1)[:, last], drawn.cumsum(axis=1)[:, last]
    total = hits.sum(axis=1)
    precise = (hits * above / np.maximum(all_above, 1)).sum(axis=1)
    return np.asarray(np.where(total > 0, precise / np.maximum(total, 1), np.nan))
