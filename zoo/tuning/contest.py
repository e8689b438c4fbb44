"""The contest: every candidate answers the same real inputs, those that answer as `tf` does run against each other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from zoo.agreement import Agreement
from zoo.backbone import Backbone
from zoo.errors import MissingPackageError, RuntimeLoadError
from zoo.runtime import Array, missing_modules
from zoo.specs import RuntimeSpec
from zoo.task import Task
from zoo.tuning.candidate import Candidate, Job, TrialError
from zoo.tuning.choice import Choice, Question
from zoo.tuning.entrant import Entrant
from zoo.tuning.examples import Examples
from zoo.tuning.machine import gpus, machine, runtimes, versions
from zoo.tuning.trial import write_batches

REFERENCE = ("tf", "fp32")
SLOW = 8.0  # so many times slower than the reference on one batch: not worth a stream
FAR = 2.0  # so many times slower than the fastest: out before the rounds
ROUNDS = (3, 9)  # at least, for a lead in every round to mean something; at most, where nobody leads clearly
WORTH = 1.03  # by how much a runtime must be faster than one that is nearer to the reference to be taken in its place


@dataclass(frozen=True)
class Limits:
    """Seconds. load: what a candidate may take to convert, compile and run a first batch; batch: what one batch may
    take after that; answer: how long batches are begun whose answers are compared; stream: the same, of one timing.

    To each comes what a candidate may take that is `SLOW` times slower than the reference on a batch.
    """

    load: float = 180.0
    batch: float = 30.0
    answer: float = 10.0
    stream: float = 1.0


class Contest:
    """One contest; `run` is called once. report: told each result as it comes, in a line."""

    def __init__(
        self,
        question: Question,
        task: Task,
        backbone: Backbone,
        examples: Examples,
        limits: Limits,
        report: Callable[[str], None],
    ) -> None:
        self._question = question
        self._task = task
        self._backbone = backbone
        self._examples = examples
        self._limits = limits
        self._report = report
        self._reference = Entrant(*REFERENCE)
        self._answers: list[dict[str, Array]] = []
        self._spare = 0.0  # seconds that come to each limit

    def run(self) -> Choice:
        """The choice; raises what `tf` raises where it fails, RuntimeLoadError where no candidate may be taken."""
        require_reference()
        with tempfile.TemporaryDirectory(prefix="zoo-tuning-") as name, ExitStack() as processes:
            folder = Path(name)
            (folder / "batches").mkdir()
            write_batches(folder / "batches", self._examples.batches)
            self._measure_reference(folder, processes)
            self._report(self._reference.line(self._reference))
            entrants = []
            for entrant in self._entrants():
                entrants.append(entrant)
                if entrant is self._reference:
                    continue
                if entrant.outcome is None:
                    self._heat(entrant, folder, processes)
                    self._close_far_ones(entrants)
                self._report(entrant.line(self._reference))
            chosen = self._final([entrant for entrant in entrants if entrant.outcome is None])
        return self._choice(entrants, chosen)

    def _entrants(self) -> Iterator[Entrant]:
        """All that there is to try; those that can't be tried have their outcome already."""
        for spec in runtimes():
            if self._question.only not in ("", spec.name):
                continue
            wanted = spec.precisions if self._question.precision == "auto" else (self._question.precision,)
            if missing_modules(spec):
                entrant = Entrant(spec.name, ", ".join(wanted))
                entrant.out("not installed", spec.install)
                yield entrant
                continue
            for precision in wanted:
                if (spec.name, precision) == REFERENCE:
                    yield self._reference
                    continue
                entrant = Entrant(spec.name, precision)
                if why := self._impossible(spec, precision):
                    entrant.out("failed", why)
                yield entrant

    def _impossible(self, spec: RuntimeSpec, precision: str) -> str:
        if precision not in spec.precisions:
            return f"it has no {precision}, but {', '.join(spec.precisions)}"
        if precision == "tf32" and (not gpus() or self._question.device == "cpu"):
            return "tf32 is computed by NVIDIA GPUs alone"
        return ""

    def _start(self, entrant: Entrant, folder: Path, processes: ExitStack) -> Candidate:
        job = Job(self._backbone, entrant.runtime, entrant.precision, self._question.device, folder / "batches")
        entrant.candidate = processes.enter_context(Candidate(job, folder / entrant.name.replace(" ", "-")))
        loaded = entrant.candidate.ask("load", self._limits.load + self._spare)
        entrant.device = loaded["device"]
        if loaded["precision"] != entrant.precision:
            raise TrialError(f"it runs {loaded['precision']} where {entrant.precision} is asked for")
        first = entrant is self._reference  # of which nothing is known yet
        timed = entrant.candidate.ask("batch", (self._limits.load if first else self._limits.batch) + self._spare)
        if first:
            self._spare = SLOW * timed["seconds"]
        entrant.single = timed["inputs"] / timed["seconds"]
        return entrant.candidate

    def _answered(self, candidate: Candidate) -> list[dict[str, Array]]:
        # A batch of a new shape may compile anew: the limit is that of loading.
        limit = self._limits.answer + self._limits.load + self._spare
        candidate.ask("answer", limit, seconds=self._limits.answer)
        return by_example(candidate.outputs(), self._examples.count)

    def _measure_reference(self, folder: Path, processes: ExitStack) -> None:
        reference = self._reference
        try:
            candidate = self._start(reference, folder, processes)
            self._answers = self._answered(candidate)
        except TrialError as failure:
            what = f"runtime {REFERENCE[0]!r}, to which all others are compared, failed: {failure}"
            raise (failure.error or RuntimeLoadError)(what) from failure

    def _heat(self, entrant: Entrant, folder: Path, processes: ExitStack) -> None:
        """Load, time one batch, compare the answers, and time a stream where one batch was no disaster."""
        try:
            candidate = self._start(entrant, folder, processes)
            answers = self._answered(candidate)
            entrant.agreement = self._agreement(answers)
            if entrant.single * SLOW >= self._reference.single:
                entrant.timings.append((self._timed(candidate), self._reference_timed()))
        except TrialError as failure:
            entrant.out("failed", str(failure))
            return
        if not entrant.agreement.holds:
            entrant.out("disagrees")
        elif not entrant.timings:
            entrant.out("slower")

    def _agreement(self, answers: list[dict[str, Array]]) -> Agreement:
        compared = min(len(answers), len(self._answers))
        facts = self._backbone.facts
        return self._task.agreement(self._answers[:compared], answers[:compared], facts)

    def _reference_timed(self) -> float:
        assert self._reference.candidate is not None
        try:
            rate = self._timed(self._reference.candidate)
        except TrialError as failure:
            raise RuntimeLoadError(f"runtime {REFERENCE[0]!r} failed after a while: {failure}") from failure
        self._reference.timings.append((rate, rate))
        return rate

    def _timed(self, candidate: Candidate) -> float:
        limit = self._limits.batch + 10 * self._limits.stream + self._spare
        timed = candidate.ask("stream", limit, seconds=self._limits.stream)
        return float(timed["inputs"] / timed["seconds"])

    def _close_far_ones(self, entrants: Sequence[Entrant]) -> None:
        """End what is far behind already: each that goes on holds a network in memory."""
        standing = [entrant for entrant in entrants if entrant.outcome is None]
        ratios = {entrant.name: entrant.ratio(self._reference) for entrant in standing}
        for entrant in standing:
            if entrant is not self._reference and ratios[entrant.name] * FAR < max(ratios.values()):
                entrant.out("slower")

    def _final(self, standing: list[Entrant]) -> Entrant:
        """The fastest of `standing`, run in turns with the reference until one leads in every round."""
        if not standing:
            return self._reference
        rivals = [entrant for entrant in standing if entrant is not self._reference]
        winners: list[str] = []
        for _ in range(ROUNDS[1]) if rivals else ():
            winners.append(self._round([rival for rival in rivals if rival.outcome is None]))
            if len(winners) >= ROUNDS[0] and len(set(winners)) == 1:
                break
        return self._fastest([entrant for entrant in standing if entrant.outcome is None])

    def _round(self, rivals: Sequence[Entrant]) -> str:
        """Time the reference and then each rival once more; the name of the fastest."""
        reference = self._reference_timed()
        rates = {self._reference.name: reference}
        for rival in rivals:
            assert rival.candidate is not None
            try:
                rates[rival.name] = self._timed(rival.candidate)
                rival.timings.append((rates[rival.name], reference))
            except TrialError as failure:
                rival.out("failed", f"in a later round: {failure}")
        return max(rates, key=rates.__getitem__)

    def _fastest(self, finalists: list[Entrant]) -> Entrant:
        """The fastest, unless others are all but as fast: then the reference, or the one whose answers are nearest."""
        ratios = {entrant.name: entrant.ratio(self._reference) for entrant in finalists}
        near = [entrant for entrant in finalists if ratios[entrant.name] * WORTH >= max(ratios.values())]
        if self._reference in near or not near:
            return self._reference
        return max(near, key=lambda entrant: (entrant.nearness, ratios[entrant.name]))

    def _choice(self, entrants: list[Entrant], chosen: Entrant) -> Choice:
        question = self._question
        reference = [] if self._reference in entrants else [self._reference]
        verdicts = tuple(entrant.verdict(self._reference, chosen) for entrant in (*entrants, *reference))
        if chosen not in entrants or chosen.outcome is not None:
            raise RuntimeLoadError(
                f"no runtime computes {self._backbone.spec.name!r} at {question.precision!r} as 'tf' does at fp32:\n"
                + "".join(f"  {found.runtime} {found.precision}: {found.reason}\n" for found in verdicts)
                + "ask for another precision, or precision='auto'"
            )
        return choice_of(question, self._backbone, self._examples, len(self._answers), (*entrants, *reference), chosen)


def choice_of(
    question: Question, backbone: Backbone, examples: Examples, count: int, entrants: Sequence[Entrant], chosen: Entrant
) -> Choice:
    """The answer to `question`: `chosen`, one of `entrants`, of which `REFERENCE` is one; count: examples compared."""
    reference = next(entrant for entrant in entrants if (entrant.runtime, entrant.precision) == REFERENCE)
    verdicts = (entrant.verdict(reference, chosen) for entrant in entrants)
    return Choice(
        model=f"{question.task}/{backbone.spec.name}",
        output=backbone.output,
        runtime=chosen.runtime,
        precision=chosen.precision,
        batch_size=question.batch_size,
        asked=question.precision,
        only=question.only,
        examples=count,
        inputs=examples.origin,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine(),
        versions=versions(),
        verdicts=tuple(sorted(verdicts, key=lambda found: (found.outcome != "chosen", -(found.rate or 0)))),
    )


def require_reference() -> None:
    """Raise MissingPackageError where the reference is not installed."""
    spec = next((spec for spec in runtimes() if spec.name == REFERENCE[0]), None)
    if spec is None or missing_modules(spec):
        install = f" ({spec.install})" if spec else ""
        raise MissingPackageError(f"tuning compares all runtimes to {REFERENCE[0]!r}, which is not installed{install}")


def by_example(batches: Sequence[dict[str, Array]], count: int) -> list[dict[str, Array]]:
    """The outputs of each example; the repeated ones at the end are left out."""
    rows = (dict(zip(batch, row, strict=True)) for batch in batches for row in zip(*batch.values(), strict=True))
    return [row for row, _ in zip(rows, range(count), strict=False)]
