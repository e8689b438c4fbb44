"""Kaggle: a model's files through kagglehub, which knows the user's account and Kaggle's own notebooks.

kagglehub writes to stdout, waits for ever on a silent server and can't be stopped, so it runs in a process of its own:
`python -m zoo.kaggle HANDLE FOLDER`, which reports in one line of JSON and ends with the process that started it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.disk import files_of, room_for
from zoo.patience import UnavailableError, insist, patience
from zoo.progress import track

_TICK = 0.1
_COMPLETE = ".complete"  # kagglehub's own mark


def download(handle: str, folder: Path) -> None:
    """Write the files of the model `OWNER/MODEL/FRAMEWORK/VARIATION/VERSION` into the empty `folder`.

    A Kaggle that is busy or gone is asked again (`zoo.patience`). Raises UnavailableError with what it answered last,
    WeightsError where the disk is full.
    """
    insist(lambda: _attempt(handle, folder))


def _attempt(handle: str, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # kagglehub refuses to go on with what it left
    folder.mkdir()
    command = [sys.executable, "-P", "-m", __name__, handle, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        try:
            for _ in track(_growing(child, folder), None, f"fetching {handle} from Kaggle"):
                pass
            assert child.stdout is not None
            report = child.stdout.read()
        except BaseException:
            child.kill()
            raise
    answer = json.loads(report) if report else {"reason": f"kagglehub ended with status {child.returncode}"}
    _take(answer, folder)


def _take(answer: dict[str, Any], folder: Path) -> None:
    if "errno" in answer:
        with room_for(lambda: _written(folder), folder):
            raise OSError(answer["errno"], answer["reason"])
    if "reason" in answer:
        raise UnavailableError(answer["reason"], passing=answer.get("passing", False))
    shutil.rmtree(folder / _COMPLETE, ignore_errors=True)
    if Path(answer["path"]) != folder:  # a Kaggle or Colab notebook has the model mounted
        shutil.copytree(answer["path"], folder, dirs_exist_ok=True)


def _growing(child: subprocess.Popen[bytes], folder: Path) -> Iterator[int]:
    """A tick at a time until `child` ends; raises UnavailableError when nothing has arrived for long."""
    written, since, longest = 0, time.monotonic(), patience().read
    while child.poll() is None:
        time.sleep(_TICK)
        yield written
        now = _written(folder)
        if now != written:
            written, since = now, time.monotonic()
        elif time.monotonic() - since > longest:
            raise UnavailableError(f"nothing came for {longest:g} s", passing=True)


def _written(folder: Path) -> int:
    """The bytes under `folder` by now, while kagglehub may be moving files about."""
    try:
        return sum(file.stat().st_size for file in files_of(folder).values())
    except FileNotFoundError:
        return -1


def _main(handle: str, folder: str) -> None:
    """What the process does; whatever kagglehub prints goes nowhere."""
    channel = os.dup(sys.stdout.fileno())
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, sys.stdout.fileno())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with os.fdopen(channel, "w") as report:
        json.dump(_fetched(handle, folder), report)


def _fetched(handle: str, folder: str) -> dict[str, Any]:
    from zoo.download import passing, reason

    try:
        import kagglehub

        return {"path": kagglehub.model_download(handle, output_dir=folder)}
    except OSError as error:
        import requests

        # A failed request of `requests` is an OSError as well.
        if isinstance(error, requests.RequestException) or error.errno is None:
            return {"reason": reason(error), "passing": passing(error)}
        return {"errno": error.errno, "reason": error.strerror or str(error)}
    except Exception as error:  # noqa: BLE001 - kagglehub raises many kinds; each is Kaggle's answer
        return {"reason": reason(error), "passing": passing(error)}


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # returns when the parent is gone, killed or not
    os._exit(1)


if __name__ == "__main__":
    _main(*sys.argv[1:])
