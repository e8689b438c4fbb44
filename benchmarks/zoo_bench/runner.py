"""One process for each pair: whatever happens in it, a crash, a hang or a lack of memory, costs one row.

On Linux without a GPU the processes are forked from a server that has imported the runtime's framework and done nothing
with it, which saves each pair that import; elsewhere, and where there is a GPU, whose driver does not survive a fork,
each process starts from nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from zoo import weights
from zoo.errors import ZooError
from zoo.plugins import installed
from zoo_bench import machine
from zoo_bench.fold import failed, fold
from zoo_bench.job import Job
from zoo_bench.row import Row
from zoo_bench.selection import sources

Answer = tuple[dict[str, Any] | None, str]


class Runner:
    """Runs jobs one after the other; each gets at most `timeout` seconds once its weights are fetched."""

    def __init__(self, runtime: str, timeout: float) -> None:
        self.timeout = timeout
        self._context = _context((*installed().runtimes.get(runtime).requires, "zoo_bench.measure"))

    def run(self, job: Job) -> Row:
        """The row of `job`, measured or failed; what is fetched is fetched before the clock starts."""
        spec = installed().backbones.get(job.backbone)
        started, begun = time.time(), time.perf_counter()
        try:
            for source in sources(spec, job.output).values():
                weights.fetch(source, wanted_by=f"backbone {spec.name!r}, output {job.output!r}")
            raw, error = self._answer(job)
        except (ZooError, OSError) as refusal:
            raw, error = None, described(refusal)
        duration = time.perf_counter() - begun
        if raw is None:
            return failed(job, error, started, duration)
        return fold(job, raw, spec.published, started, duration)

    def _answer(self, job: Job) -> Answer:
        """What `measure` returned in a process of its own, or why it returned nothing."""
        mine, theirs = self._context.Pipe(duplex=False)
        with tempfile.NamedTemporaryFile(prefix="zoo-bench-") as log, mine:
            here = (dict(os.environ), os.getcwd(), log.name)
            process = self._context.Process(target=_child, args=(job, theirs, *here))
            process.start()
            theirs.close()
            try:
                ended = wait([mine, process.sentinel], self.timeout)
                with suppress(EOFError):
                    if mine.poll():
                        return mine.recv()  # type: ignore[no-any-return]
                if not ended:
                    return None, f"timed out after {self.timeout:g} s{_last_words(log.name)}"
                process.join()
                return None, f"{_cause(process.exitcode)}{_last_words(log.name)}"
            finally:
                _end(process)


def described(error: Exception) -> str:
    """An error in one line, with its type; what is no error of the zoo's own says where it was raised."""
    text = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    where = (
        "" if isinstance(error, ZooError) or not frames else f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})"
    )
    return f"{type(error).__name__}: {text}{where}"


def _context(modules: Sequence[str]) -> Any:
    if not sys.platform.startswith("linux") or machine.gpus() or Path("/dev/nvidiactl").exists():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(modules))
    with _silent():
        forkserver.ensure_running()
    return context


def _child(job: Job, answer: Connection, environment: Mapping[str, str], folder: str, log: str) -> None:
    """Measure `job` as if the harness had been started as it is now: the fork server may be older than that."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    if hasattr(os, "setsid"):
        os.setsid()  # out of reach of the terminal's Ctrl-C, and what it starts ends with it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        from zoo_bench.measure import measure

        answer.send((measure(job), ""))
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises is this pair's row
        answer.send((None, described(error)))


def _end_with_parent() -> None:
    """Wait, at no cost, until the harness is gone, and go too: nobody is left to end a process that hangs."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _end(process: Any) -> None:
    """Kill what is left of a process and of those that it started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()
    process.close()


def _cause(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        memory = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        return f"its process was killed by {name}{memory}"
    return f"its process ended with exit code {exitcode} and no answer"


def _last_words(log: str) -> str:
    """The last line that the process printed."""
    lines = Path(log).read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip()]
    return f": {said[-1][:300]}" if said else ""


@contextmanager
def _silent() -> Iterator[None]:
    """What is started here inherits no output: a framework's start-up chatter belongs neither on screen nor in JSON."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [(descriptor, os.dup(descriptor)) for descriptor in (1, 2)]
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        for descriptor, _ in kept:
            os.dup2(null, descriptor)
        yield
    finally:
        os.close(null)
        for descriptor, copy in kept:
            os.dup2(copy, descriptor)
            os.close(copy)
