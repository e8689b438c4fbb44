"""The scenarios in which a compiled network is timed, named and meant as in MLPerf Inference (Reddi et al. 2020).

Offline: all inputs are there, and as many as the runtime likes are under way; what counts is inputs per second.
Single stream: one input after the other, each sent when the last has been answered; what counts is the latency.
Results are NumPy arrays on the host, so a device has finished inside the timed region. The scenarios take turns in
rounds: what a machine does for some seconds beside the work then spreads over all of them.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from zoo.runtime import Array, Compiled
from zoo_bench.intervals import is_narrow

ROUNDS = 3
AT_LEAST = 6  # the fewest repeats that give a median an interval
ENOUGH = 12  # repeats after which a narrow interval is believed
PATIENCE = 5  # a measurement ends after so many budgets, with however few repeats
SEGMENTS = 30  # a budget of a stream is cut into so many repeats at most
WARM_UP = 0.25  # of a budget


@dataclass
class Series:
    """The repeats of one measurement, (inputs, seconds) each, where its rounds begin, and whether more are wanted.

    seconds: the budget. goals: numbers of repeats worth going on for, beyond the budget, where they can be reached
        within the patience: those that a percentile needs; where there are none, a narrow interval of the median ends
        the series before.
    """

    seconds: float
    goals: tuple[int, ...] = ()
    repeats: list[tuple[int, float]] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)
    spent: float = 0.0

    @property
    def ended(self) -> str | None:
        """None while more repeats are wanted, else why not: "narrow", or "budget"."""
        count = len(self.repeats)
        if count >= max(ENOUGH, *self._reachable()) and is_narrow(self.repeats, self.rounds):
            return "narrow"
        if self.spent >= PATIENCE * self.seconds:
            return "budget"
        return "budget" if self.spent >= self.seconds and count >= max(AT_LEAST, *self._reachable()) else None

    def _reachable(self) -> tuple[int, ...]:
        pace = len(self.repeats) / self.spent if self.spent else float("inf")
        return (0, *(goal for goal in self.goals if pace * PATIENCE * self.seconds >= goal))


Measure = Callable[[Series, float], None]


def in_turns(measures: Iterable[tuple[Series, Measure]], after_round: Callable[[], None] = lambda: None) -> None:
    """Let each measure add repeats to its series for a share of the budget, again and again, until all have ended."""
    pairs = list(measures)
    while any(series.ended is None for series, _ in pairs):
        for series, measure in pairs:
            if series.ended is None:
                begun = time.perf_counter()
                series.rounds.append(len(series.repeats))
                measure(series, series.seconds / ROUNDS)
                series.spent += time.perf_counter() - begun
        after_round()


def offline(run: Compiled, batches: Sequence[Array], latest: dict[int, Mapping[str, Array]]) -> Measure:
    """`batches` over and over through `Compiled.stream`; `latest` gets the last outputs of each batch by its place."""

    def measure(series: Series, share: float) -> None:
        fed = 0

        def feed() -> Iterator[Array]:
            nonlocal fed
            for batch in itertools.cycle(batches):
                fed += 1
                yield batch

        def answered() -> Iterator[tuple[int, int]]:
            for number, outputs in enumerate(run.stream(feed())):
                place = number % len(batches)
                latest[place] = outputs
                yield len(batches[place]), fed - number - 1

        _segments(series, share, answered())

    return measure


def end_to_end(
    outputs: Callable[[Iterator[Any]], Iterator[Any]], sources: Sequence[Any], answer: Callable[[Any], int]
) -> Measure:
    """`sources` over and over through `outputs`, which prepares batches while others run; `answer` makes predictions.

    To fill the pipeline costs a batch, or 32 of texts, which run together: a round is at least two repeats.
    """

    def measure(series: Series, share: float) -> None:
        fed = 0

        def feed() -> Iterator[Any]:
            nonlocal fed
            for source in itertools.cycle(sources):
                fed += 1
                yield source

        def answered() -> Iterator[tuple[int, int]]:
            done = 0
            with closing(outputs(feed())) as stream:  # type: ignore[type-var]
                for found in stream:
                    count = answer(found)
                    done += count
                    yield count, math.ceil((fed - done) / max(1, count))

        _segments(series, share, answered(), AT_LEAST // ROUNDS)

    return measure


def single_stream(call: Callable[[Any], Any], inputs: Sequence[Any]) -> Measure:
    """`inputs` one after the other, over and over; each call is a repeat."""
    places = itertools.cycle(range(len(inputs)))

    def measure(series: Series, share: float) -> None:
        start = time.perf_counter()
        for place in places:
            begun = time.perf_counter()
            call(inputs[place])
            ended = time.perf_counter()
            series.repeats.append((1, ended - begun))
            if ended - start >= share:
                return

    return measure


def warm(run: Callable[[Any], Any], batches: Sequence[Any], seconds: float) -> None:
    """Call `run` on every batch, each shape of which may be compiled anew, and go on for a part of the budget."""
    start = time.perf_counter()
    for number, batch in enumerate(itertools.cycle(batches), start=1):
        run(batch)
        if number >= len(batches) and time.perf_counter() - start >= WARM_UP * seconds:
            return


def timed(action: Callable[[], Any]) -> float:
    """The seconds that `action` takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _segments(series: Series, share: float, answered: Iterator[tuple[int, int]], at_least: int = 1) -> None:
    """Cut a stream of (inputs answered, batches that belong together) into repeats until the share of time is over.

    Batches that are under way at once, or wait for each other, end together: a repeat holds as many of them, and the
    first answer, for which the stream had to be filled, is left out. Where not one repeat could be completed within
    the patience, the whole stretch is one, the filling in it.
    """
    start = mark = time.perf_counter()
    counted = held = together = made = total = answers = 0
    with closing(answered) as stream:  # type: ignore[type-var]
        for inputs, belonging in stream:
            now = time.perf_counter()
            together = max(together, belonging)
            total, answers = total + inputs, answers + 1
            if together and answers == 1:
                mark = now
                continue
            counted, held = counted + inputs, held + 1
            if counted and held >= together and now - mark >= series.seconds / SEGMENTS:
                series.repeats.append((counted, now - mark))
                counted, held, mark, made = 0, 0, now, made + 1
            if now - start >= share and made >= at_least:
                return
            if now - start >= PATIENCE * series.seconds and answers >= together:
                break
    if total and not series.repeats:
        series.repeats.append((total, now - start))
