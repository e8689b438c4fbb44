"""A candidate seen from the process that leads it: whatever happens in it, a crash, a hang, is one answer."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from zoo import errors
from zoo.backbone import Backbone
from zoo.errors import ZooError
from zoo.runtime import Array
from zoo.tuning.trial import read_outputs

LAST_WORDS = 300  # characters of what a process printed before it ended


class TrialError(ZooError):
    """Why a candidate gave no answer. error: the class of what was raised in it, None where its process ended."""

    error: type[Exception] | None = None


@dataclass(frozen=True)
class Job:
    """What a candidate is to run: `backbone` on `runtime`, on the batches in the folder `batches`."""

    backbone: Backbone
    runtime: str
    precision: str
    device: str | None
    batches: Path

    def write(self, folder: Path) -> None:
        """Put the job where `zoo.tuning.trial` reads it."""
        facts = {
            "backbone": self.backbone.spec.model_dump(mode="json"),
            "output": self.backbone.output,
            "files": {role: str(path) for role, path in self.backbone.files.items()},
            "runtime": self.runtime,
            "precision": self.precision,
            "device": self.device,
            "batches": str(self.batches),
        }
        (folder / "job.json").write_text(json.dumps(facts), encoding="utf-8")


class Candidate:
    """A process that runs a job; `with` ends it."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job = job
        self._folder = folder
        self._answers: queue.Queue[str] = queue.Queue()
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir()
        self.job.write(self._folder)
        # -P: the working folder is no place of modules unless it is one for this process too.
        command = [sys.executable, "-P", "-m", "zoo.tuning.trial", str(self._folder)]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                env=_environment(),
                start_new_session=True,
            )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def ask(self, do: str, limit: float, **arguments: Any) -> dict[str, Any]:
        """The answer to a command, within `limit` seconds; raises TrialError, and then the process has ended or does
        nothing more.
        """
        process = self._process
        assert process is not None
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended: reading tells why
            process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            process.stdin.flush()
        try:
            line = self._answers.get(timeout=limit)
        except queue.Empty:
            self.end()
            raise TrialError(f"no answer to {do!r} within {limit:.0f} s") from None
        if not line:
            raise TrialError(self._cause(process.wait()))
        answer: dict[str, Any] = json.loads(line)
        if "error" not in answer:
            return answer
        raised = getattr(errors, answer["error"], None)
        failure = TrialError(answer["message"] if raised else f"{answer['error']}: {answer['message']}")
        failure.error = raised
        raise failure

    def outputs(self) -> list[dict[str, Array]]:
        """The outputs of each batch after `ask("answer", ...)`."""
        return read_outputs(self._folder)

    def end(self) -> None:
        """End the process, and what it has started; a second call does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with contextlib.suppress(ValueError, OSError):  # closed by `end`
            for line in process.stdout:
                self._answers.put(line)
        self._answers.put("")

    @property
    def _log(self) -> Path:
        return self._folder / "printed.txt"

    def _cause(self, status: int) -> str:
        words = " ".join(self._log.read_text(encoding="utf-8", errors="replace").split())[-LAST_WORDS:]
        said = f"; its last words: {words}" if words else ""
        if status >= 0:
            return f"its process ended with exit code {status}{said}"
        name = signal.Signals(-status).name
        memory = ", as Linux does where memory ends" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{memory}{said}"


def _environment() -> dict[str, str]:
    """This process's, with its places of modules; several candidates share a GPU, so none takes all its memory."""
    places = os.pathsep.join(os.path.abspath(place) for place in sys.path)
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    return {**quiet, **os.environ, "PYTHONPATH": places}
