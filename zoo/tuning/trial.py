"""One candidate in a process of its own: `python -m zoo.tuning.trial FOLDER`, led by `zoo.tuning.candidate`.

FOLDER/job.json         what to compile, and where the batches lie
FOLDER/outputs.npz      written by the command `answer`

Commands come on stdin and answers go to stdout, one JSON object a line: {"do": "load"} -> {"device": ..., ...}, or
{"error": CLASS, "message": ...}. What a framework prints goes to stderr. The end of stdin ends the process.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from zoo.runtime import Array, Compiled, text_batch


def write_batches(folder: Path, batches: list[Array]) -> None:
    """Put `batches` where every trial reads them."""
    for number, batch in enumerate(batches):
        if batch.dtype == object:
            (folder / f"batch-{number:04}.json").write_text(json.dumps(list(batch)), encoding="utf-8")
        else:
            np.save(folder / f"batch-{number:04}.npy", batch)


def read_batches(folder: Path) -> list[Array]:
    """What `write_batches` has put there, in its order."""
    return [
        np.load(file) if file.suffix == ".npy" else text_batch(json.loads(file.read_text(encoding="utf-8")))
        for file in sorted(folder.glob("batch-*"))
    ]


class Trial:
    """The commands; each returns what its answer says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        self._batches: list[Array] = []
        self._run: Compiled

    def load(self) -> dict[str, Any]:
        """Compile, and run a batch once, which may compile the rest."""
        from zoo.backbone import load_backbone
        from zoo.compose import get_runtime
        from zoo.specs import BackboneSpec

        job = self._job
        spec = BackboneSpec.model_validate(job["backbone"])
        backbone = load_backbone(spec, job["output"], {role: Path(path) for role, path in job["files"].items()})
        self._batches = read_batches(Path(job["batches"]))
        self._run = get_runtime(job["runtime"]).compile(backbone, device=job["device"], precision=job["precision"])
        self._run(self._batches[0])
        return {"device": self._run.device, "precision": self._run.precision}

    def batch(self) -> dict[str, Any]:
        """Time one batch."""
        start = time.perf_counter()
        self._run(self._batches[0])
        return {"inputs": len(self._batches[0]), "seconds": time.perf_counter() - start}

    def answer(self, seconds: float) -> dict[str, Any]:
        """Write the outputs of as many batches as are begun within so many seconds, at least of one."""
        end = time.perf_counter() + seconds
        begun = itertools.takewhile(lambda _: time.perf_counter() < end, self._batches[1:])
        outputs = list(self._run.stream(itertools.chain(self._batches[:1], begun)))
        arrays = {f"{number}/{name}": value for number, batch in enumerate(outputs) for name, value in batch.items()}
        np.savez(self._folder / "outputs.npz", **arrays)  # type: ignore[arg-type]
        return {"batches": len(outputs)}

    def stream(self, seconds: float) -> dict[str, Any]:
        """Time a stream of whole rounds over the batches, begun within so many seconds, from its start to its end."""
        start = time.perf_counter()
        begun = itertools.takewhile(lambda _: time.perf_counter() < start + seconds, itertools.cycle(self._batches))
        inputs = 0

        def counted() -> Iterator[Array]:
            nonlocal inputs
            for batch in begun:
                inputs += len(batch)
                yield batch

        for _ in self._run.stream(counted()):
            pass
        return {"inputs": inputs, "seconds": time.perf_counter() - start}


def read_outputs(folder: Path) -> list[dict[str, Array]]:
    """What `answer` has written: the outputs of each batch."""
    outputs: dict[int, dict[str, Array]] = {}
    with np.load(folder / "outputs.npz") as arrays:
        for key in arrays.files:
            number, _, name = key.partition("/")
            outputs.setdefault(int(number), {})[name] = arrays[key]
    return [outputs[number] for number in sorted(outputs)]


def main(folder: Path) -> None:
    """Answer commands until stdin ends."""
    answers = _own_stdout()
    with contextlib.suppress(OSError):
        # Where memory ends, Linux shall end this process and not the one that leads it.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    trial = Trial(folder)
    for command in _commands():
        try:
            answer = getattr(trial, command.pop("do"))(**command)
        except Exception as error:  # noqa: BLE001 - whatever a runtime raises is its verdict
            answer = {"error": type(error).__name__, "message": str(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _own_stdout() -> IO[str]:
    """The real stdout for answers alone: whatever else is printed from now on goes to stderr."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return kept


def _commands() -> Iterator[dict[str, Any]]:
    """Commands as they come. When their sender is gone the process ends at once, whatever it is doing."""
    waiting: queue.Queue[dict[str, Any]] = queue.Queue()

    def listen() -> None:
        for line in sys.stdin:
            waiting.put(json.loads(line))
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        yield waiting.get()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
