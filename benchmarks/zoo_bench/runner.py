"""One pair becomes one row, whatever happens on the way: weights, the search for a batch size, measuring, folding."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from zoo import weights
from zoo.errors import ZooError
from zoo.plugins import installed
from zoo_bench.facts import Compute, Tried
from zoo_bench.fitting import fit, from_scratch, guess
from zoo_bench.fold import Pair, failed, fold, guessed
from zoo_bench.job import AUTO, BASELINES, FROM_SCRATCH, MAJORITY, Job, Run
from zoo_bench.measure import measure
from zoo_bench.peak import measurable, tell_peak
from zoo_bench.probe import tell_devices
from zoo_bench.process import Outcome, Processes, described
from zoo_bench.row import Row
from zoo_bench.search import chosen, search
from zoo_bench.selection import sources

SEARCH = 0.5  # of a pair's time at most


class Runner:
    """Runs jobs, one in each thread that calls; each gets at most `timeout` seconds once its weights are fetched."""

    def __init__(self, runtimes: Sequence[str], timeout: float, run: Run) -> None:
        self.timeout = timeout
        self._run = run
        needs = [set(installed().runtimes.get(name).requires) for name in runtimes]
        # What not all runtimes need is imported by those that do: it would count as memory of the others.
        self._processes = Processes((*sorted(set.intersection(*needs)), "zoo_bench.measure"))
        self._peaks: dict[tuple[str, str], dict[str, Any]] = {}
        self._one_peak = threading.Lock()

    def run(self, job: Job, order: int | None = None) -> Row:
        """The row of `job`, measured or failed; what is fetched is fetched before the clock starts."""
        spec = None if job.backbone in BASELINES else installed().backbones.get(job.backbone)
        started, begun = time.time(), time.perf_counter()
        digests: dict[str, str] = {}
        tried: tuple[Tried, ...] = ()
        outcome = Outcome()
        try:
            for role, source in sources(spec, job.output).items() if spec else ():
                path = weights.fetch(source, wanted_by=f"backbone {job.backbone!r}, output {job.output!r}")
                digests[role] = weights.digest(path)
            with TemporaryDirectory(prefix="zoo-bench-", ignore_cleanup_errors=True) as folder:
                tried, outcome = self._measured(job, Path(folder))
        except (ZooError, OSError) as refusal:
            outcome.error = described(refusal)
        pair = Pair(self._run, job, order, digests, tried, started, time.perf_counter() - begun)
        if guess := outcome.last("guessed"):
            return guessed(pair, guess)
        raw = outcome.last("measured")
        if raw is None:
            return failed(pair, outcome.error or "its weights were being converted anew each time")
        if raw["parameters"] is None:  # a runtime that reads the weights itself may not tell
            raw["parameters"] = (outcome.last("counted") or {}).get("parameters")
        published = spec.published if spec and not job.fit else ()
        compute = self._compute(raw, outcome)
        return fold(pair, raw, published, compute, outcome.last("took"), outcome.last("fitted"))

    def devices(self, runtime: str) -> Sequence[str]:
        """The devices that a runtime sees, best first; raises ZooError where it can't tell."""
        outcome = self._processes.run(tell_devices, (runtime,), self.timeout)
        if outcome.error:
            raise ZooError(f"runtime {runtime!r} can't be asked for its devices: {outcome.error}")
        return tuple(outcome.last("devices"))

    def stop(self) -> None:
        """End all that runs."""
        self._processes.stop()

    def _measured(self, job: Job, folder: Path) -> tuple[tuple[Tried, ...], Outcome]:
        end = time.monotonic() + self.timeout
        fitting = Outcome()
        if job.fit:
            work = guess if job.fit == MAJORITY else from_scratch if job.fit == FROM_SCRATCH else fit
            fitting = self._prepared(work, job, folder, end)
            if fitting.error or job.fit == MAJORITY:
                return (), fitting
        tried: tuple[Tried, ...] = ()
        if job.batch_size == AUTO:
            found = self._processes.run(search, (job, folder), self.timeout * SEARCH)
            tried = _steps(found)
            size = chosen(tried)
            if size is None:
                return tried, found
            job = replace(job, batch_size=size)
        outcome = self._prepared(measure, job, folder, end)
        return tried, replace(outcome, told=fitting.told + outcome.told)

    def _prepared(self, work: Callable[..., None], job: Job, folder: Path, end: float) -> Outcome:
        """What `work` tells; again where it had to convert weights or choose a runtime, which is done only once."""
        outcome = self._processes.run(work, (job, folder), self.timeout, end)
        seconds = outcome.last("prepared")
        if outcome.error or seconds is None:
            return outcome
        outcome = self._processes.run(work, (job, folder), self.timeout, end)
        outcome.told.append(("took", seconds))
        return outcome

    def _compute(self, raw: Mapping[str, Any], outcome: Outcome) -> Compute | str:
        """What the network computes against the machine's peak, or why its operations are not known."""
        found = outcome.last("counted")
        if found is None:
            return str(outcome.last("uncounted") or outcome.error)
        if not found["flops"]:
            return "its graph has no product and no convolution"
        return Compute(**found, **self._peak(raw["device"], raw["precision"]))

    def _peak(self, device: str, precision: str) -> dict[str, Any]:
        """The peak of a device at a precision, measured once a run; empty where nothing can be told."""
        if not measurable(device, precision):
            return {}
        with self._one_peak:
            if (device, precision) not in self._peaks:
                outcome = self._processes.run(tell_peak, (device, precision), self.timeout)
                self._peaks[device, precision] = outcome.last("peak") or {}
            return self._peaks[device, precision]


def _steps(outcome: Outcome) -> tuple[Tried, ...]:
    """What the search tried; the size at which its process ended is the last, with the cause."""
    tried = [Tried(**facts) for word, facts in outcome.told if word == "tried"]
    begun = [facts for word, facts in outcome.told if word == "trying"]
    if outcome.error and len(begun) > len(tried):
        tried.append(Tried(batch_size=begun[-1], error=outcome.error))
    return tuple(tried)
