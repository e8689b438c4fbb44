"""A process for each piece of work: whatever happens in it, a crash, a hang or a lack of memory, stays in it.

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo_bench import machine

Tell = Callable[[Any], None]


@dataclass
class Outcome:
    """What a piece of work told before it ended, and why it ended early; `error` is empty where it did not."""

    told: list[tuple[str, Any]] = field(default_factory=list)
    error: str = ""

    def last(self, word: str) -> Any:
        """What was told last under `word`, or None."""
        return next((facts for known, facts in reversed(self.told) if known == word), None)


class Processes:
    """Runs work, a module's function `(*arguments, tell)`, in processes of its own; from several threads if need be."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._context = _context(modules)
        self._running: set[Any] = set()
        self._stopped = False
        self._lock = threading.Lock()

    def run(
        self, work: Callable[..., None], arguments: Sequence[Any], timeout: float, end: float | None = None
    ) -> Outcome:
        """What `work` told in at most `timeout` seconds, or, where the time is shared, until `end` (monotonic)."""
        end = time.monotonic() + timeout if end is None else end
        mine, theirs = self._context.Pipe(duplex=False)
        with tempfile.NamedTemporaryFile(prefix="zoo-bench-") as log, mine:
            here = (dict(os.environ), os.getcwd(), log.name)
            process = self._context.Process(target=_child, args=(work, arguments, theirs, *here))
            with self._lock:
                if self._stopped:
                    return Outcome(error="interrupted")
                process.start()
                self._running.add(process)
            theirs.close()
            told: list[tuple[str, Any]] = []
            try:
                error = _listen(mine, process, told, end)
                return Outcome(told, error if error is not None else _cause(process, timeout) + _last_words(log.name))
            finally:
                with self._lock:
                    self._running.discard(process)
                    _end(process)

    def stop(self) -> None:
        """End all that runs, and run nothing more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                _kill(process)


def described(error: Exception) -> str:
    """An error in one line, with its type; what is no error of the zoo's own says where it was raised."""
    text = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    where = (
        "" if isinstance(error, ZooError) or not frames else f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})"
    )
    return f"{type(error).__name__}: {text}{where}"


def _listen(pipe: Connection, process: Any, told: list[tuple[str, Any]], end: float) -> str | None:
    """Collect what is told until the work has ended, "", or failed, in its words; None where it just went silent."""
    while time.monotonic() < end:
        ready = wait([pipe, process.sentinel], max(0.0, end - time.monotonic()))
        try:
            while pipe.poll():
                word, facts = pipe.recv()
                if word in ("ended", "failed"):
                    return str(facts)
                told.append((word, facts))
        except (EOFError, OSError):
            process.join(max(0.0, end - time.monotonic()))
        if process.sentinel in ready or not process.is_alive():
            return None
    return None


def _context(modules: Sequence[str]) -> Any:
    if not sys.platform.startswith("linux") or machine.gpus() or Path("/dev/nvidiactl").exists():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(modules))
    with _silent():
        forkserver.ensure_running()
    return context


def _child(
    work: Callable[..., None],
    arguments: Sequence[Any],
    pipe: Connection,
    environment: Mapping[str, str],
    folder: str,
    log: str,
) -> None:
    """Do the work as if the harness had been started as it is now: the fork server may be older than that."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    if hasattr(os, "setsid"):
        os.setsid()  # out of reach of the terminal's Ctrl-C, and what it starts ends with it
    with suppress(OSError):  # where memory runs out, the system shall end this process, not the harness
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work(*arguments, pipe.send)
        pipe.send(("ended", ""))
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises is this pair's row
        pipe.send(("failed", described(error)))


def _end_with_parent() -> None:
    """Wait, at no cost, until the harness is gone, and go too: nobody is left to end a process that hangs."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _kill(process: Any) -> None:
    """Kill a process and those that it started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _end(process: Any) -> None:
    _kill(process)
    process.join()
    process.close()


def _cause(process: Any, timeout: float) -> str:
    """Why a process went silent."""
    if process.is_alive():
        return f"timed out after {timeout:g} s"
    if process.exitcode < 0:
        name = signal.Signals(-process.exitcode).name
        memory = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        return f"its process was killed by {name}{memory}"
    return f"its process ended with exit code {process.exitcode} and no answer"


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
